#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-realms.t - realms that DERP does not know cross between relays of ours:
# HD's clients, and those of a tenant, which reach nobody of another one. A relay that
# loads a protocol later tells it; one without it is told nothing.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Region qw(goes lost);
use HyperDerp::Test;

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';
# A program of t/hd and its TAP; %now: what is done when it says so.
sub python ($script, $args, %now) {
    open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/$script", @$args or die "python3: $!";
    while (my $line = <$out>) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
        elsif ($line =~ /^# (.*)/) { diag $1 }
        elsif ($now{ $line =~ s/\n//r }) { $now{ $line =~ s/\n//r }->() }
    }
    close $out;
    return is $?, 0, 'python3 ends well';
}

my $lacks_hd = system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0 && 'needs python3-nacl and python3-openssl';

sub relay (%o) { return HyperDerp::Test->new(workers => 3, load_module => [qw(derp mesh policy)], %o) }

# $other: whom it dials; nothing: nobody.
sub conf ($hd, $other, $more) {
    my $members = $other ? qq({name: "127.0.0.1:$other->{plain}", tls: false}) : '';
    HyperDerp::Test::spew($hd->dir . '/mesh.key', "$mesh_key\n");
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  silence_max: 2m\n"
        . "  members: [$members]\n$more";
    return $hd->write_conf;
}

sub begin (@hd) {
    for (@hd) {
        $_->run;
        $_->ready or die $_->log_text;
    }
    return;
}

# The keys of a realm that a relay reaches over its links.
sub reaches ($hd, $realm, @keys) {
    my $found;
    return ok(HyperDerp::Test::wait_for(sub {
        $found = join ' ', sort map { $_->{key} } grep { $_->{realm} eq $realm } @{ ctl($hd, qw(mesh peers))->{data} };
        $found eq join ' ', sort @keys;
    }), "reached in realm '$realm': " . @keys) || diag $found, $hd->log_text;
}

subtest 'tenants' => sub {
    my ($one, $two) = map { relay(no_tls => 1) } 1 .. 2;
    my @secret = map { sprintf '%02x', $_ } 0x51 .. 0x58;
    my (@key, %in);
    my @rules;
    conf($one, $two, "policy: {default: allow}\n");
    conf($two, $one, "policy: {default: allow}\n");
    begin($one, $two);
    my @c = map { $_ % 2 ? $two->client(secret => $secret[$_] x 32) : $one->client(secret => $secret[$_] x 32) } 0 .. 5;
    reaches $one, '', map { $_->key } @c[1, 3, 5];
    for my $tenant (qw(office plant)) {
        my @of = map { $c[$_]->key } $tenant eq 'office' ? (0, 1) : (2, 3);
        push @rules, sub ($hd) {
            return "{keys: @{[HyperDerp::Test::spew($hd->dir . qq(/$tenant), join qq(\n), @of, q())]}, tenant: $tenant}";
        };
    }
    for ([$one, $two], [$two, $one]) {
        my ($hd, $other) = @$_;
        conf($hd, $other, "policy:\n  default: allow\n  rules: [" . join(', ', map { $_->($hd) } @rules) . "]\n");
        ok ctl($hd, 'reload')->{ok}, 'four keys are moved into two tenants';
    }
    ok $c[$_]->closed_within, "... client $_ is closed" for 0 .. 3;
    $c[$_] = ($_ % 2 ? $two : $one)->client(secret => $secret[$_] x 32) for 0 .. 3;
    for ([$one, 1], [$two, 0]) {
        my ($hd, $i) = @$_;
        reaches $hd, '/office', $c[$i]->key;
        reaches $hd, '/plant', $c[ $i + 2 ]->key;
        reaches $hd, '', $c[ $i + 4 ]->key;
    }
    for my $i (0, 2, 4) {
        goes $c[$i], $c[ $i + 1 ], "from $i to its own";
        goes $c[ $i + 1 ], $c[$i], "... and back to $i";
    }
    lost $c[0], $c[3], $one, 'from one tenant to another';
    lost $c[0], $c[5], $one, 'from a tenant to none';
    lost $c[5], $c[0], $two, 'from none to a tenant';
    my $key = $c[1]->key;
    $c[1]->quit;
    ok $c[0]->expect(qr/^gone $key/), 'who leaves there is told to who heard from him';
    reaches $one, '/office';
    reaches $one, '/plant', $c[3]->key;
    goes $c[2], $c[3], 'who stays does not notice';
    $_->finish for $one, $two;
};

subtest 'HD' => sub {
    plan skip_all => $lacks_hd if $lacks_hd;
    my ($one, $two) = map { relay(load_module => [qw(derp mesh hd)]) } 1 .. 2;
    my $three = relay(load_module => [qw(derp mesh)]);
    conf($_, $_ == $one ? $two : $one, "hd: {enroll: anybody}\n") for $one, $two;
    conf($three, $one, '');
    begin($one, $two, $three);
    python 'mesh_realms.py', [$one->{tls}, $two->{tls}, map { $_->control } $one, $two, $three];
    $_->finish for $one, $two, $three;
};

for my $bridge (qw(no yes)) {
    subtest "HD, before there is a link; bridge: $bridge" => sub {
        plan skip_all => $lacks_hd if $lacks_hd;
        my ($one, $two) = map { relay(load_module => [qw(derp mesh hd)]) } 1 .. 2;
        my $operator = HyperDerp::Test::spew($one->dir . '/operator.key', 'hdseed:' . '07' x 32 . "\n");
        chmod 0600, $operator;
        my $hd = "hd: {enroll: anybody, bridge: $bridge, operator_key: $operator}\n";
        conf($_, undef, $hd) for $one, $two;
        begin($one, $two);
        my $link = sub {
            for ([$one, $two], [$two, $one]) {
                conf(@$_, $hd);
                ok ctl($_->[0], 'reload')->{ok}, 'it is told of the other relay';
            }
        };
        python 'mesh_late.py', [$one->{tls}, $two->{tls}, $bridge], 'link now' => $link;
        $_->finish for $one, $two;
    };
}

done_testing;

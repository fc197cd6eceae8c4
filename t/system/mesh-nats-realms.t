#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-nats-realms.t - keys of realms that DERP does not know are in the
# directory, too: HD's clients, and those of a tenant, which are nobody to those of
# another one.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Directory qw(arrives begin configure directory has_published is_state relay);
use HyperDerp::Live qw(ctl);
use HyperDerp::Nats;
use HyperDerp::Region qw(goes lost);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);

my $lacks = HyperDerp::Nats::lacks();
plan skip_all => $lacks if $lacks;

sub more ($hd, $nats, $section) {
    configure($hd, $nats->url);
    $hd->{conf} .= "$section\n";
    return $hd->write_conf;
}

# What the directory has of a key in a realm.
sub at ($nats, $key, $realm) { return $nats->entry('derp_keys', $key . ($realm eq '' ? '' : "/$realm")) }

sub is_at ($nats, $key, $realm, $hd, $name) {
    my $want = $hd ? 'localhost:' . $hd->port : '';
    my $has;
    return ok(HyperDerp::Test::wait_for(sub { $has = at($nats, $key, $realm); $has =~ /^\Q$want\E(?: |\z)/ }), $name)
        || diag "it has '$has'";
}

sub close_all ($clients, @which) {
    ok $clients->[$_]->closed_within, "client $_ is closed" for @which;
    return;
}

subtest 'tenants' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url, load_module => [qw(derp mesh mesh_nats policy)], workers => $_) } 1, 2;
    my @secret = map { sprintf '%02x', $_ } 0x51 .. 0x58;
    my $come = sub ($i) { return ($i % 2 ? $two : $one)->client(secret => $secret[$i] x 32) };
    more($_, $nats, 'policy: {default: allow}') for $one, $two;
    begin($one, $two);
    my @c = map { $come->($_) } 0 .. 5;
    has_published $_, 3, 'three clients' for $one, $two;
    for my $hd ($one, $two) {
        my @rule = map {
            my ($tenant, @of) = @$_;
            my $file = HyperDerp::Test::spew($hd->dir . "/$tenant", join "\n", (map { $_->key } @c[@of]), '');
            "{keys: $file, tenant: $tenant}";
        } ['an.office', 0, 1], ['plant', 2, 3];
        more($hd, $nats, 'policy: {default: allow, rules: [' . join(', ', @rule) . ']}');
        ok ctl($hd, 'reload')->{ok}, 'four keys are moved into two tenants';
    }
    close_all \@c, 0 .. 3;
    is_at $nats, $c[0]->key, '', undef, 'who left is deleted';
    $c[$_] = $come->($_) for 0 .. 3;
    has_published $_, 3, 'all are there again' for $one, $two;
    is_at $nats, $c[1]->key, '/an=office', $two, 'a tenant\'s key stands there with its tenant';
    is at($nats, $c[1]->key, ''), '', '... and not without';
    for my $i (0, 2, 4) {
        arrives $c[$i], $c[ $i + 1 ], "from $i", 'it is found in its tenant';
        arrives $c[ $i + 1 ], $c[$i], "back to $i", '... both ways';
        goes $c[$i], $c[ $i + 1 ], "from $i to its own";
    }
    lost $c[0], $c[3], $one, 'from one tenant to another';
    lost $c[0], $c[5], $one, 'from a tenant to none';
    lost $c[5], $c[0], $two, 'from none to a tenant';

    SKIP: {
        skip 'no subreaper here', 5 unless can_upgrade();
        is upgrade($one)->{closed_clients}, 0, 'another process takes over';
        has_published $one, 3, 'all are still there';
        is_at $nats, $c[0]->key, '/an=office', $one, '... in their tenants';
        arrives $c[1], $c[0], 'after', 'who moved is found';
        arrives $c[0], $c[1], 'and back', '... and finds';
    }
    my $key = $c[0]->key;
    $c[0]->quit;
    is_at $nats, $key, '/an=office', undef, 'who leaves is deleted';
    has_published $one, 2, 'two are left';
    $c[0] = $two->client(secret => $secret[0] x 32);
    is_at $nats, $key, '/an=office', $two, 'who moves is at the other relay';
    is at($nats, $key, ''), '', '... in its tenant';
    $_->finish for $one, $two;
};

subtest 'HD' => sub {
    plan skip_all => 'needs python3-nacl and python3-openssl'
        if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url, load_module => [qw(derp mesh mesh_nats hd)], workers => 2) } 1, 2;
    more($_, $nats, 'hd: {enroll: anybody}') for $one, $two;
    begin($one, $two);
    is_state $_, 'connected', 'the directory is there' for $one, $two;
    open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/nats_realms.py", $one->port, $two->port or die "python3: $!";
    while (my $line = <$out>) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
        elsif ($line =~ /^# (.*)/) { diag $1 }
    }
    close $out;
    is $?, 0, 'python3 ends well';
    has_published $_, 0, 'all have left' for $one, $two;
    $_->finish for $one, $two;
};

done_testing;

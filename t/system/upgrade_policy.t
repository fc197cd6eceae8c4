#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_policy.t - hdctl upgrade with policy loaded: names, tenants,
# limits, what is owed and what is counted go over.
use v5.36;
use FindBin;
use IO::Socket::IP;
use POSIX qw(strftime);
use Test::More;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade fake upgrade try_upgrade);

plan skip_all => 'no subreaper here' unless can_upgrade();

# The month may turn while this runs.
my $since = strftime '%Y-%m', gmtime;

sub relay (%o) {
    my $hd = HyperDerp::Test->new(no_tls => 1, workers => 2, load_module => [qw(derp stun policy)]);
    HyperDerp::Test::spew("$hd->{dir}/$_", '') for qw(office lab);
    $hd->{conf} = <<"END";
policy:
  rules:
    - {keys: $hd->{dir}/office, tenant: office, limits: {$o{office}}}
    - {keys: $hd->{dir}/lab, tenant: lab}
  tenants:
    - {name: lab, limits: {connections: 2}}
    - {name: office, limits: {rate: 1GiB}, quota: {bytes: 1TiB}}
END
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my @who = HyperDerp::Raw::logins($hd, 4);
    HyperDerp::Test::spew("$hd->{dir}/office", "$who[0]{key} alice\n$who[1]{key} bob\n");
    HyperDerp::Test::spew("$hd->{dir}/lab", "$who[2]{key} carol\n$who[3]{key} dave\n");
    ok ctl($hd, qw(policy reread))->{ok}, 'their keys are read';
    return ($hd, @who);
}

sub about ($hd, $login) {
    my ($p) = grep { $_->{key} eq $login->{key} } @{ ctl($hd, 'peers')->{data} };
    return $p;
}

# Of one key, over all months.
sub counted ($hd, $login) {
    my %sum;
    for my $row (@{ ctl($hd, 'accounting', '--since', $since)->{data} // [] }) {
        next if $row->{key} ne $login->{key};
        $sum{$_} += $row->{$_} for qw(bytes_in bytes_out packets_in packets_out);
    }
    return \%sum;
}

sub becomes ($hd, $login, $what, $n, $why) {
    HyperDerp::Test::wait_for(sub { (counted($hd, $login)->{$what} // 0) >= $n });
    return is counted($hd, $login)->{$what}, $n, $why;
}

# What the metrics have counted for a tenant.
sub of_tenant ($hd, $name) {
    my $n = 0;
    $n += $_->{value} for grep { $_->{kind} eq 'counter' && ($_->{labels} // "") =~ /tenant="$name"/ } @{ ctl($hd, 'metrics')->{data} };
    return $n;
}

sub talk ($n, $from, $to, $key) {
    $from->send($key, "packet $_") for 1 .. $n;
    return scalar grep { defined scalar $to->packet } 1 .. $n;
}

# Raw's packet() is that of who reads; a stranger's never comes.
sub strangers ($hd, $from, $to, $key) {
    $from->send($key, 'to a stranger');
    $from->ping;
    return $to->ping && !defined $to->packet(0);
}

subtest 'who they are, and what is counted' => sub {
    my ($hd, $alice, $bob, $carol) = relay(office => 'rate: 1GiB');
    my ($a, $b, $c) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob, $carol;
    my $n = 0;
    for my $round (1 .. 3) {
        $hd->{workers} = (2, 1, 3)[$round - 1];
        $hd->write_conf;
        is talk(50, $a, $b, $bob->{key}), 50, "round $round: before";
        my $dry = try_upgrade($hd, '--dry-run');
        is ref $dry ? "$dry->{moved} $dry->{closed_clients}" : $dry, '3 0', 'all would move';
        ok HyperDerp::Test::wait_for(sub { of_tenant($hd, 'office') > 0 }), 'the tenant has its metrics';
        my $was = of_tenant($hd, 'office');
        my $said = upgrade($hd);
        is $said->{moved}, 3, 'and do';
        cmp_ok of_tenant($hd, 'office'), '>=', $was, '... which go on';
        is talk(50, $a, $b, $bob->{key}), 50, 'after';
        $n += 100;
        my $p = about($hd, $alice);
        is "$p->{name} $p->{tenant}", 'alice office', 'name and tenant';
        ok strangers($hd, $c, $a, $alice->{key}), 'another tenant does not reach her';
        becomes($hd, $alice, 'packets_in', $n, 'each packet is counted once');
        becomes($hd, $bob, 'packets_out', $n, '... and what bob got');
        unlike $hd->log_text, qr/another relay has these files/, 'the lock has gone over';
    }
    my $d = HyperDerp::Raw->start($hd, $carol);
    ok $d->admitted, 'carol may come twice';
    ok $d->ping, '... and is there';
    $a->close;
    ok HyperDerp::Test::wait_for(sub { !about($hd, $alice) }), 'alice leaves';
    my ($in) = HyperDerp::Test::wait_for(sub { $hd->log_text =~ / closed: key=\Q@{[substr $alice->{key}, 0, 8]}\E .* in=(\d+) / && $1 });
    becomes($hd, $alice, 'bytes_in', $in, 'all bytes of the connection are counted');
    is $hd->stop, 0, 'the relay ends';
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    is counted($hd, $alice)->{packets_in}, $n, 'the file has them';
    $hd->finish;
};

# Who has sent nothing since it was counted last has not changed.
subtest 'clients go while the old process serves' => sub {
    my ($hd, @who) = relay(office => 'rate: 1GiB, connections: 9');
    my @c = map { HyperDerp::Raw->login($hd, $_) } @who;
    my $packets = 0;
    for my $round (1 .. 3) {
        my $said = upgrade($hd);
        is $said->{moved}, 4, "round $round: all move";
        cmp_ok $said->{ahead}, '>=', 3, '... and ahead, once they are counted' if $round == 3;
        next if $round == 1;
        is talk(5, $c[0], $c[1], $who[1]{key}), 5, 'they talk';
        is about($hd, $who[$_])->{tenant}, (qw(office office lab lab))[$_], 'its tenant' for 0 .. 3;
        ok strangers($hd, $c[2], $c[0], $who[0]{key}), 'another tenant does not reach her';
        $packets += 5;
        becomes($hd, $who[0], 'packets_in', $packets, 'each packet is counted once');
        HyperDerp::Test::wait_for(sub { (counted($hd, $who[2])->{packets_in} // 0) >= $round - 1 });
    }
    my $erin = HyperDerp::Raw::logins($hd);
    HyperDerp::Test::spew("$hd->{dir}/lab", "$who[2]{key} carol\n$who[3]{key} dave\n$erin->{key} erin\n");
    ok ctl($hd, qw(policy reread))->{ok}, 'one more key of the tenant lab';
    ok !HyperDerp::Raw->start($hd, $erin)->admitted, '... is one connection too many';
    $c[3]->close;
    ok HyperDerp::Test::wait_for(sub { my $d = HyperDerp::Raw->start($hd, $erin); $d->admitted && $d->ping }),
        'and may come when one has left';
    $hd->finish;
};

subtest 'how many connections a tenant may have' => sub {
    my ($hd, $alice, $bob, $carol, $dave) = relay(office => 'rate: 1GiB');
    my ($c1, $c2) = map { HyperDerp::Raw->login($hd, $carol) } 1 .. 2;
    upgrade($hd);
    ok $c1->ping && $c2->ping, 'both are there';
    ok !HyperDerp::Raw->start($hd, $dave)->admitted, 'a third of the tenant is one too many';
    $c1->close;
    ok HyperDerp::Test::wait_for(sub { my $d = HyperDerp::Raw->start($hd, $dave); $d->admitted && $d->ping }),
        'and may come when one has left';
    $hd->finish;
};

# 64 KiB at once, and then 16 bytes a second: what is beyond is owed for an hour.
subtest 'what keys owe' => sub {
    my ($hd, $alice, $bob, $carol) = relay(office => 'rate: 16');
    my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    $_->write_some(HyperDerp::Raw::packet_frame($carol->{key}, 'x' x 32768) x 4) for $a, $b;
    for my $who ($alice, $bob) {
        my $short = substr $who->{key}, 0, 8;
        ok $hd->log_like(qr/recv_paused: key=\Q$short\E/), "$short owes";
    }
    my $read = about($hd, $alice)->{bytes_in};
    $b->close;
    upgrade($hd);
    my ($a2, $b2) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    $_->write_some(HyperDerp::Raw::packet_frame($carol->{key}, 'x' x 32768)) for $a2, $b2;
    for my $who ($alice, $bob) {
        my $short = substr $who->{key}, 0, 8;
        ok HyperDerp::Test::wait_for(sub { $hd->log_text =~ /taken over.* recv_paused: key=\Q$short\E/s }),
            "$short: who comes again owes as before";
    }
    my @now = grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} };
    my ($old) = grep { $_->{bytes_in} >= $read } @now;
    is $old && $old->{bytes_in}, $read, 'the connection that has moved is not read';
    cmp_ok $_->{bytes_in}, '<', 20000, 'nor is the new one' for grep { $_ != $old } @now;
    $hd->finish;
};

subtest 'the quota of each key' => sub {
    my ($hd, $alice, $bob) = relay(office => "rate: 1GiB}, quota: {bytes: 1KiB");
    my $why = 'this key has used its quota of this month';
    my $told = sub ($c) { HyperDerp::Raw::expect($c, HyperDerp::Raw::HEALTH) // 'nothing' };
    my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    $a->send($bob->{key}, 'x' x 2000);
    is $told->($_), $why, 'they have used it, and leave' for $a, $b;
    $_->closed for $a, $b;
    upgrade($hd);
    is $told->(HyperDerp::Raw->start($hd, $alice)), $why, 'the new process knows, too';
    is ctl($hd, qw(policy explain), $alice->{key})->{data}{by}, 'quota', '... and explains it';
    is scalar(() = $hd->log_text =~ /warn quota: key=\Q@{[substr $alice->{key}, 0, 8]}\E .*\(it is used\)/g), 1,
        '... and says it no more';
    $hd->finish;
};

subtest 'a login that waits for a service' => sub {
    my $service = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 5) or die $!;
    my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1, load_module => [qw(derp stun policy)]);
    HyperDerp::Test::spew("$hd->{dir}/keys", '');
    $hd->{conf} = "policy:\n  rules:\n    - {keys: $hd->{dir}/keys}\n"
        . "    - {url: 'http://127.0.0.1:@{[$service->sockport]}/'}\n  ask_timeout: 9s\n";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($alice, $bob) = HyperDerp::Raw::logins($hd, 2);
    HyperDerp::Test::spew("$hd->{dir}/keys", "$alice->{key} alice\n");
    ok ctl($hd, qw(policy reread))->{ok}, 'her key is read';
    my $a = HyperDerp::Raw->login($hd, $alice);
    my $b = HyperDerp::Raw->start($hd, $bob);
    my $asked = $service->accept;
    ok $asked, 'the service is asked';
    my $dry = try_upgrade($hd, '--dry-run');
    is join(',', map { "$_->{reason}: $_->{connections}" } grep { !$_->{logged_in} } @{ $dry->{why} }),
        'logging in: 1', 'who waits is named';
    is "$dry->{moved} $dry->{closed_clients}", '1 0', 'and refuses nothing';
    my $said = upgrade($hd);
    is "$said->{moved} $said->{closed_others}", '1 1', 'it is counted';
    ok $b->closed, 'and closed';
    ok $a->ping, 'who was there is there';
    $hd->finish;
};

subtest 'a new binary that does not know what policy packs' => sub {
    my ($hd, $alice, $bob) = relay(office => 'rate: 1GiB');
    my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    is talk(5, $a, $b, $bob->{key}), 5, 'they talk';
    like fake($hd, 'packs'), qr/2 of 2 clients cannot move \(a module keeps data beside it that the new/, 'its peers stay';
    my $dry = fake($hd, 'packs', '--dry-run');
    is ref $dry && $dry->{closed_clients}, 2, '--dry-run says so';
    for my $mode (qw(prepared snapshot end cannot refused ready)) {
        ok !ref fake($hd, $mode), "$mode: it fails";
        is talk(5, $a, $b, $bob->{key}), 5, '... and they talk';
    }
    becomes($hd, $alice, 'packets_in', 35, 'nothing is lost or counted twice');
    is upgrade($hd)->{moved}, 2, 'and then it works';
    is talk(5, $a, $b, $bob->{key}), 5, 'they talk';
    becomes($hd, $alice, 'packets_in', 40, 'and are counted');
    $hd->finish;
};

# A folder in its place: root may write what is not writable.
subtest 'counts that cannot be written are not lost' => sub {
    my ($hd, $alice, $bob) = relay(office => 'rate: 1GiB');
    my $file = "$hd->{dir}/accounting.$since";
    is $hd->stop, 0, 'the relay ends';
    rename $file, "$file.away" if -e $file;
    mkdir $file or die $!;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    is talk(5, $a, $b, $bob->{key}), 5, 'they talk';
    like try_upgrade($hd), qr/module policy cannot hand over what it has: .*Is a directory/, 'it is refused';
    is talk(5, $a, $b, $bob->{key}), 5, 'nothing has changed';
    rmdir $file or die $!;
    is upgrade($hd)->{moved}, 2, 'it can be written again';
    becomes($hd, $alice, 'packets_in', 10, 'all is counted');
    $hd->finish;
};

subtest 'what a client has shown' => sub {
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy)]);
    my $file = "$hd->{dir}/tokens";
    my ($one, $two) = map { $_ x 20 } 1, 2;
    HyperDerp::Test::spew($file, "$one\n$two\n");
    $hd->{conf} = "policy: {rules: [{header: 'X-Team: a', token_file: $file}]}\n";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my @in = map {
        my ($login, $token) = @$_;
        my $head = $login->{head} =~ s{\r\n}{\r\nAuthorization: Bearer $token\r\nX-Team: a\r\n}r;
        HyperDerp::Raw->login($hd, { %$login, head => $head });
    } [scalar HyperDerp::Raw::logins($hd), $one], [scalar HyperDerp::Raw::logins($hd), $two];
    upgrade($hd) or return;
    ok ctl($hd, qw(policy reread))->{ok}, 'the new process looks at all who are here';
    ok $_->ping, '... and they stay' for @in;
    HyperDerp::Test::spew("$file.new", "$one\n");
    rename "$file.new", $file;
    ok $in[1]->closed, 'a token is taken out: who came with it before leaves';
    ok $in[0]->ping, '... others do not';
    $hd->finish;
};

done_testing;

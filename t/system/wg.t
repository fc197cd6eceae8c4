#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg.t - wireguard-go peers that know only the relay's address.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Netns;
use HyperDerp::Test;

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;

# Without its session a peer is silent for 15 s, then it begins another one.
use constant AT_ONCE => 8;    # seconds

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($alice, $bob) = map { $net->host($_) } qw(alice bob);
my $nat   = $net->nat('nat');
my $carol = $net->host('carol', behind => $nat);
$alice->wireguard(ip => '10.9.0.1/24');
$bob->wireguard(ip => '10.9.0.2/24', mtu => 8920);
$carol->wireguard(ip => '10.9.0.3/24');

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap], conf => <<~"END");
    wg:
      peers:
        - {name: alice, pubkey: "$alice->{public}"}
        - {name: bob, pubkey: "$bob->{public}"}
        - {name: carol, pubkey: "$carol->{public}"}
      links:
        - {a: alice, b: bob}
        - {a: carol, b: alice}
    END

sub run () {
    $hd->run_elsewhere or BAIL_OUT('no relay: ' . $hd->log_text);
    return;
}

sub count ($re) { return scalar(() = $hd->log_text =~ /$re/g) }

run();
my $endpoint = "$relay->{ip}:51820";
$alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
$alice->wg_peer($carol->{public}, '10.9.0.3/32', $endpoint);
$bob->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
$bob->wg_peer($carol->{public}, '10.9.0.3/32', $endpoint);
$carol->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
$carol->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);

subtest 'first contact' => sub {
    ok $alice->pings('10.9.0.2', 30), 'alice reaches bob';
    ok $bob->pings('10.9.0.1'), 'bob reaches alice';
    ok $carol->pings('10.9.0.1', 30), 'carol, behind a NAT, reaches alice through the same port';
    ok $hd->log_like(qr/session confirmed: initiator=\w+ addr=\Q$bob->{ip}\E|addr=\Q$bob->{ip}\E/), 'a log line says so';
    ok $carol->silent('10.9.0.2'), 'carol and bob are not linked';
};

subtest 'large datagrams' => sub {
    $alice->run('ip', 'link', 'set', 'mtu', 8920, 'dev', $alice->{dev});
    ok $alice->pings('10.9.0.2', 20, '-s', 8000), 'IP fragments pass';
    # Of equal size and at once: the relay joins them, the kernel will not cut
    # them, since each is larger than the path carries.
    like $alice->out(qw(ping -n -q -l10 -c10 -W20 -s8000 10.9.0.2)), qr/ 10 received/, '... and ten at once';
};

subtest 'a new handshake while the tunnel is used' => sub {
    my $n = count('session confirmed');
    $alice->run('wg', 'set', $alice->{dev}, 'peer', $bob->{public}, 'remove');
    $alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
    ok $alice->pings('10.9.0.2'), 'alice reaches bob in a new session';
    ok HyperDerp::Test::wait_for(sub { count('session confirmed') > $n }), 'which is another one';
};

subtest 'the module is replaced' => sub {
    my $n = count('session confirmed');
    is $hd->ctl(qw(module reload wg)), "ok\n", 'reloaded';
    ok $alice->pings('10.9.0.2', AT_ONCE), 'the tunnel goes on at once';
    ok $carol->pings('10.9.0.1', AT_ONCE), '... and the other one';
    is count('session confirmed'), $n, 'without a new handshake';
};

subtest 'the relay restarts' => sub {
    my $n = count('session confirmed');
    is $hd->stop, 0, 'it stops';
    run();
    like $hd->log_text, qr/taken up again: endpoints=3 sessions=\d/, 'it knows what it knew';
    ok $alice->pings('10.9.0.2', AT_ONCE), 'the tunnel goes on at once';
    ok $bob->pings('10.9.0.1', AT_ONCE), '... both ways';
    is count('session confirmed'), $n, 'without a new handshake';
};

subtest 'it is killed and starts again' => sub {
    my $n = count('session confirmed');
    is $hd->stop('KILL'), 9, 'it is gone';
    run();
    ok $alice->pings('10.9.0.2', AT_ONCE), 'the tunnel goes on at once';
    is count('session confirmed'), $n, 'without a new handshake';
};

subtest 'roaming' => sub {
    $nat->new_mappings;
    ok $carol->pings('10.9.0.1', 30), 'carol behind a NAT that forgot her';
    my ($ip) = $net->plug($bob, 'eth1');
    $bob->run(qw(ip link set eth0 down));
    ok $bob->pings('10.9.0.1', 40), 'bob has another address';
    # Not before he has been silent at his old place for a while: he speaks on.
    ok HyperDerp::Test::wait_for(sub {
        $bob->pings('10.9.0.1', 1);
        return $hd->log_text =~ /peer moved: peer=bob from=\Q$bob->{ip}\E:\d+ to=\Q$ip\E:\d+/;
    }, 90), 'a log line says so';
    ok $alice->pings('10.9.0.2'), 'alice reaches him there';
};

subtest 'IPv6 outside' => sub {
    my $six = "[$relay->{ip6}]:51820";
    $alice->run(qw(ip -4 address flush dev eth0));
    $alice->wg_peer($bob->{public}, '10.9.0.2/32', $six);
    $alice->wg_peer($carol->{public}, '10.9.0.3/32', $six);
    ok $alice->pings('10.9.0.2', 40), 'alice has moved to IPv6, bob has not';
    # Her data proves nothing; her next handshake does.
    $alice->run('wg', 'set', $alice->{dev}, 'peer', $bob->{public}, 'remove');
    $alice->wg_peer($bob->{public}, '10.9.0.2/32', $six);
    ok HyperDerp::Test::wait_for(sub {
        $alice->pings('10.9.0.2', 1);
        return $hd->log_text =~ /peer moved: peer=alice from=\S+ to=\[\Qfd77::\E/;
    }, 90), 'a log line says so';
};

$hd->finish;
done_testing;

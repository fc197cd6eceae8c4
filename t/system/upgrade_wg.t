#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_wg.t - hdctl upgrade under tunnels of real WireGuard peers, one of
# them behind a NAT: in user space, and with XDP.
use v5.36;
use FindBin;
use JSON::PP qw(decode_json);
use Test::More;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Netns;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade fake try_upgrade upgrade);
use HyperDerp::Xdp;

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;
plan skip_all => 'no subreaper here' unless can_upgrade();

# Without its session a peer is silent for 15 s, then it begins another one.
use constant AT_ONCE => 8;    # seconds

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my $nat   = $net->nat('nat');
my ($alice, $carol) = map { $net->host($_) } qw(alice carol);
my $bob   = $net->host('bob', behind => $nat);
my $last = 0;
$_->wireguard(ip => '10.9.0.' . ++$last . '/24') for $alice, $bob, $carol;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp', 'wg'], workers => 2, wrap => [$relay->wrap]);

sub begin ($more) {
    $hd->{conf} = "wg:\n$more  peers:\n"
        . join('', map { qq(    - {name: $_->{name}, pubkey: "$_->{public}"}\n) } $alice, $bob)
        . "  links: [{a: alice, b: bob}]\n";
    $hd->write_conf;
    $hd->run_elsewhere or BAIL_OUT('no relay: ' . $hd->log_text);
    return;
}

sub confirmed () { return scalar(() = $hd->log_text =~ /session confirmed/g) }

# Peers begin another one after 120 s.
sub no_handshake ($n, $began) {
    return pass 'it took too long to tell' if time - $began > 60;
    return is confirmed(), $n, 'no handshake was needed';
}

sub peer ($name) {
    my ($p) = grep { $_->{name} eq $name } @{ ctl($hd, qw(wg peer list))->{data} };
    return $p;
}

# Echoes all the time; how many of 100 were lost meanwhile: no more than a socket
# holds where the machine stands still.
sub meanwhile ($code) {
    state $n = 0;
    my $name = 'echoes' . ++$n;
    my $log = $alice->file($name);
    my $pid = $alice->spawn($name, qw(stdbuf -oL ping -n -i 0.02 -c 100 -W 10 10.9.0.2));
    ok HyperDerp::Test::wait_for(sub { -e $log && HyperDerp::Test::slurp($log) =~ /icmp_seq=20/ }), 'echoes go';
    $code->();
    my $seen;
    ok HyperDerp::Test::wait_for(sub { ($seen) = HyperDerp::Test::slurp($log) =~ / (\d+) received/; defined $seen }),
        '... all the time';
    $alice->stop($pid);
    return 100 - ($seen // 0);
}

begin("  xdp: off\n");
my $endpoint = "$relay->{ip}:51820";
$alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
$alice->wg_peer($carol->{public}, '10.9.0.3/32', $endpoint);
$bob->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
$carol->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);

subtest 'in user space' => sub {
    ok $alice->pings('10.9.0.2', 30), 'first contact';
    like peer('bob')->{endpoint}, qr/^\Q$nat->{ip}:/, '... and bob is seen at his NAT';
    ok ctl($hd, qw(wg peer add carol), $carol->{public})->{ok}, 'an operator adds carol';
    ok ctl($hd, qw(wg link add alice carol))->{ok}, '... and a link';
    ok $alice->pings('10.9.0.3', 30), '... by which she is reached';
    ok $hd->log_like(qr/session confirmed: .*carol/), '... and the log has it';
    my ($n, $began) = (confirmed(), time);
    for my $workers (3, 1, 2) {
        my $before = peer('alice');
        my $all = ctl($hd, qw(wg show))->{data};
        $hd->{workers} = $workers;
        $hd->write_conf;
        my $lost = meanwhile(sub { upgrade($hd) });
        is $lost, 0, "$workers workers: no echo is lost";
        ok $alice->pings('10.9.0.3', AT_ONCE), 'who was added is there';
        my $now = peer('alice');
        cmp_ok $now->{rx_bytes}, '>=', $before->{rx_bytes} + 50 * 100, 'numbers go on';
        is $now->{endpoint}, $before->{endpoint}, 'she is where she was';
        my $all_now = ctl($hd, qw(wg show))->{data};
        cmp_ok $all_now->{$_}, '>=', $all->{$_}, "all together: $_" for qw(rx_packets fwd_bytes handshakes);
    }
    no_handshake($n, $began);
    like fake($hd, 'refuses'), qr/it does not like it/, 'a new binary that does not start';
    ok $alice->pings('10.9.0.2', AT_ONCE), '... changes nothing';
    $hd->stop;
};

subtest 'with XDP' => sub {
    my $lacks = HyperDerp::Xdp::missing();
    plan skip_all => $lacks if $lacks;
    HyperDerp::Xdp::whole_checksums($_) for $alice, $bob, $nat;
    HyperDerp::Xdp::receptive($net->{hub}, 'p2');    # the relay's
    HyperDerp::Xdp::forwarding($relay);
    begin("  xdp: drv\n  xdp_interface: eth0\n");
    ok $alice->pings('10.9.0.2', AT_ONCE), 'the tunnel goes on after a start';
    my ($n, $began) = (confirmed(), time);
    for my $round (1 .. 3) {
        my $in_driver = sub {
            my $was = HyperDerp::Xdp::counters($relay)->{fwd};
            return HyperDerp::Test::wait_for(sub {
                $alice->pings('10.9.0.2', AT_ONCE);
                HyperDerp::Xdp::counters($relay)->{fwd} > $was;
            });
        };
        ok $in_driver->(), "round $round: the driver forwards";
        my $lost = meanwhile(sub { upgrade($hd) });
        is $lost, 0, 'no echo is lost';
        is +(HyperDerp::Xdp::attached($relay))[0], 'drv', 'it is attached';
        ok $in_driver->(), '... and the driver forwards';
    }
    no_handshake($n, $began);
    is $hd->stop, 0, 'it stops';
    ok HyperDerp::Test::wait_for(sub { !HyperDerp::Xdp::attached($relay) }), 'and its program with it';
};

$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-xdp.t - sessions of real peers, forwarded in the driver: on one
# interface and across two, native and generic, IPv4 and IPv6; reload, kill,
# stop.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Netns;
use HyperDerp::Test;
use HyperDerp::Xdp;
use JSON::PP qw(decode_json);

my $missing = HyperDerp::Xdp::missing();
plan skip_all => $missing if $missing;

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($alice, $bob, $carol) = map { $net->host($_) } qw(alice bob carol);
$alice->wireguard(ip => '10.9.0.1/24');
$bob->wireguard(ip => '10.9.0.2/24');
$carol->wireguard(ip => '10.9.0.3/24');

# carol also has a cable of her own to the relay: its second interface.
$net->cable($relay->{ns}, 'eth1', $carol->{ns}, 'eth1');
HyperDerp::Netns::address($relay->{ns}, 'eth1', '10.78.0.1/24');
HyperDerp::Netns::address($carol->{ns}, 'eth1', '10.78.0.2/24');

HyperDerp::Xdp::whole_checksums($_) for $alice, $bob, $carol;
HyperDerp::Xdp::whole_checksums($carol, 'eth1');
HyperDerp::Xdp::receptive($carol->{ns}, 'eth1');
HyperDerp::Xdp::receptive($net->{hub}, 'p2');
HyperDerp::Xdp::forwarding($relay);

my $peers = join '', map { qq(    - {name: $_->{name}, pubkey: "$_->{public}"}\n) } $alice, $bob, $carol;

sub conf ($xdp, $interfaces) {
    return "wg:\n  xdp: $xdp\n  xdp_interface: $interfaces\n  peers:\n${peers}"
        . "  links: [{a: alice, b: bob}, {a: alice, b: carol}]\n";
}

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap]);

# What it has learned is kept from one configuration to the next.
sub configure ($xdp, $interfaces) {
    $hd->{conf} = conf($xdp, $interfaces);
    $hd->write_conf;
    return;
}

sub run () {
    $hd->run_elsewhere or BAIL_OUT('no relay: ' . $hd->log_text);
    return;
}

# Echoes of that size go and come; the kernel forwarded what must be. (With -w
# ping waits for 50; without, only two round trips for the last ones.)
sub in_the_driver ($from, $ip, $size, $what) {
    my $before = HyperDerp::Xdp::counters($relay);
    my $out = $from->out('ping', '-n', '-q', '-c50', '-i0.005', '-w10', '-s', $size, $ip);
    my $now = HyperDerp::Xdp::counters($relay);
    my ($received) = $out =~ / (\d+) received/;
    cmp_ok $received // 0, '>=', 50, "$what: the echoes come back" or diag $out;
    cmp_ok $now->{fwd} - $before->{fwd}, '>=', 98, '... and user space saw none of them'
        or diag explain $now;
    cmp_ok $now->{fwd_bytes} - $before->{fwd_bytes}, '>=', 98 * (16 * int(($size + 28 + 15) / 16) + 32),
        '... bytes are those of UDP';
    return;
}

configure('drv', '"eth0, eth1"');
run();
my $endpoint = "$relay->{ip}:51820";
$alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
$alice->wg_peer($carol->{public}, '10.9.0.3/32', $endpoint);
$bob->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
$carol->wg_peer($alice->{public}, '10.9.0.1/32', '10.78.0.1:51820');

subtest 'native, one interface' => sub {
    is +(HyperDerp::Xdp::attached($relay))[0], 'drv', 'attached';
    like $hd->log_text, qr/xdp_attached iface=eth0 ifindex=\d+ mode=drv/, 'a log line says so';
    ok $alice->pings('10.9.0.2', 40), 'first contact, through user space';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
    in_the_driver($bob, '10.9.0.1', 1300, 'bob to alice, large');
};

subtest 'native, across two interfaces' => sub {
    ok $alice->pings('10.9.0.3', 40), 'alice reaches carol';
    in_the_driver($alice, '10.9.0.3', 56, 'alice to carol');
    in_the_driver($carol, '10.9.0.1', 1300, 'carol to alice, large');
};

subtest 'what the driver leaves to user space' => sub {
    $alice->run('ip', 'link', 'set', 'mtu', 4000, 'dev', $alice->{dev});
    $bob->run('ip', 'link', 'set', 'mtu', 4000, 'dev', $bob->{dev});
    my $before = HyperDerp::Xdp::counters($relay);
    ok $alice->pings('10.9.0.2', 10, '-s', 3000), 'IP fragments';
    is HyperDerp::Xdp::counters($relay)->{fwd}, $before->{fwd}, '... are not forwarded in parts';
    HyperDerp::Xdp::whole_checksums($alice, 'eth0', 0);
    ok $alice->pings('10.9.0.2', 10), 'checksums that a card would have to add';
    cmp_ok HyperDerp::Xdp::counters($relay)->{checksum}, '>', $before->{checksum}, '... are passed up';
    HyperDerp::Xdp::whole_checksums($alice);
    $relay->run(qw(ip neigh flush dev eth0));
    ok $alice->pings('10.9.0.2', 10), 'a neighbour to be found again';
    in_the_driver($alice, '10.9.0.2', 56, 'after that');
};

subtest 'in numbers' => sub {
    my $before = decode_json($hd->ctl(qw(wg show --json)));
    ok $before->{xdp_attached}, 'wg show: attached';
    is $before->{xdp}, 'drv eth0 eth1', '... how and where';
    cmp_ok $before->{xdp_fwd_packets}, '>=', 300, '... how much';
    my $dropped = HyperDerp::Xdp::counters($relay)->{shape};
    $alice->run('bash', '-c', "printf junk >/dev/udp/$relay->{ip}/51820") for 1 .. 3;
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Xdp::counters($relay)->{shape} == $dropped + 3 }),
        'the driver drops what is not WireGuard';
    ok HyperDerp::Test::wait_for(sub {
        decode_json($hd->ctl(qw(wg show --json)))->{drop_not_wg_shaped} == $before->{drop_not_wg_shaped} + 3;
    }), '... which counts as dropped by the relay';
    ok HyperDerp::Test::wait_for(sub {
        my ($now) = map { $_->{rx_bytes} } grep { $_->{name} eq 'bob' } @{ decode_json($hd->ctl(qw(wg peer list --json))) };
        return $now > 60_000;
    }), 'what the driver forwarded counts as the peer\'s';
};

# The path of a peer's last packet.
sub path_of ($name) { return decode_json($hd->ctl(qw(wg peer list), $name, '--json'))->[0]{path} }

subtest 'the path that packets take' => sub {
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
    ok HyperDerp::Test::wait_for(sub { path_of($_) eq 'xdp' }), "xdp: $_" for qw(alice bob);
    HyperDerp::Xdp::whole_checksums($_, 'eth0', 0) for $alice, $bob;
    ok HyperDerp::Test::wait_for(sub { $alice->pings('10.9.0.2', 2); path_of($_) eq 'user' }),
        "user: $_, with a session that the driver could forward" for qw(alice bob);
    HyperDerp::Xdp::whole_checksums($_) for $alice, $bob;
    ok HyperDerp::Test::wait_for(sub { $alice->pings('10.9.0.2', 2); path_of($_) eq 'xdp' }), "xdp again: $_"
        for qw(alice bob);
};

# Pairs of `wg show` and a metric; both go on while they are asked for.
sub alike ($what) {
    my %metric = (rx_packets => 'rx_packets_total', rx_bytes => 'rx_bytes_total', fwd_packets => 'fwd_packets_total',
        fwd_bytes => 'fwd_bytes_total', xdp_fwd_packets => 'xdp_fwd_packets_total',
        xdp_fwd_bytes => 'xdp_fwd_bytes_total', xdp_pass_handshake => 'xdp_pass_total reason="handshake"',
        xdp_pass_checksum => 'xdp_pass_total reason="checksum"');
    my ($show, @other);
    HyperDerp::Test::wait_for(sub {
        $show = decode_json($hd->ctl(qw(wg show --json)));
        my $all = $hd->ctl('metrics') =~ s/ +/ /gr;
        @other = grep { ($all =~ /^hyper_derp_wg_\Q$metric{$_}\E(?: -){0,9} (\d+)(?: -)*$/m ? $1 : -1) != $show->{$_} } sort keys %metric;
        return !@other;
    });
    is_deeply \@other, [], "$what: wg show and the metrics say the same" or diag explain $show, $hd->ctl('metrics');
    return $show;
}

subtest 'the module is replaced' => sub {
    my $was = alike('before');
    cmp_ok $was->{rx_packets}, '>', $was->{xdp_fwd_packets}, 'those of the driver are some of all';
    is $hd->ctl(qw(module reload wg)), "ok\n", 'reloaded';
    ok $alice->pings('10.9.0.2', 8), 'the tunnel goes on';
    cmp_ok HyperDerp::Xdp::paths($relay), '>=', 4, 'the sessions are in the driver again';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
    in_the_driver($alice, '10.9.0.3', 56, 'alice to carol');
    my $is = alike('after');
    cmp_ok $is->{$_}, '>', $was->{$_}, "$_ goes on" for qw(xdp_fwd_packets xdp_rx_packets rx_bytes);
};

subtest 'kill -9, and a new start' => sub {
    is $hd->stop('KILL'), 9, 'it is gone';
    ok HyperDerp::Test::wait_for(sub { !HyperDerp::Xdp::attached($relay) && !HyperDerp::Xdp::attached($relay, 'eth1') }),
        'and its program with it';
    run();
    is +(HyperDerp::Xdp::attached($relay))[0], 'drv', 'attached again';
    ok $alice->pings('10.9.0.2', 8), 'the tunnel goes on';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
};

subtest 'a second relay' => sub {
    my $other = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap],
        conf => conf('drv', 'eth0') =~ s/wg:\n/wg:\n  port: 51821\n/r);
    $other->run;
    isnt $other->wait_exit, 0, 'does not start on the same interface';
    like $other->log_text, qr/xdp_attach_failed iface=eth0 .*another running hyper-derp/, '... and says why';
    in_the_driver($alice, '10.9.0.2', 56, 'the first is not disturbed');
};

subtest 'a link is removed' => sub {
    like $hd->ctl(qw(wg link add bob carol)), qr/bob/, 'bob and carol are linked';
    is $?, 0, '... and hdctl says so';
    $bob->wg_peer($carol->{public}, '10.9.0.3/32', $endpoint);
    $carol->wg_peer($bob->{public}, '10.9.0.2/32', '10.78.0.1:51820');
    ok $bob->pings('10.9.0.3', 30), 'bob reaches carol';
    in_the_driver($bob, '10.9.0.3', 56, 'bob to carol');
    my $n = HyperDerp::Xdp::paths($relay);
    $hd->ctl(qw(wg link remove bob carol));
    is $?, 0, 'and are not any more';
    is HyperDerp::Xdp::paths($relay), $n - 2, 'the driver has forgotten them';
    ok $bob->silent('10.9.0.3'), 'bob does not reach carol';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
};

subtest 'stop' => sub {
    is $hd->stop, 0, 'exit status 0';
    ok !HyperDerp::Xdp::attached($relay), 'nothing is left on eth0';
    ok !HyperDerp::Xdp::attached($relay, 'eth1'), '... nor on eth1';
};

subtest 'a program of somebody else' => sub {
    HyperDerp::Xdp::receptive($relay->{ns}, 'eth0');
    my (undef, $id) = HyperDerp::Xdp::attached($relay);
    configure('drv', 'eth0');
    $hd->run;
    isnt $hd->wait_exit, 0, 'drv: no start';
    like $hd->log_text, qr/xdp_attach_failed iface=eth0 ifindex=\d+ mode=drv driver=veth kernel=\S+ reason=".*xdp off/,
        '... and what to do';
    configure('auto', 'eth0');
    run();
    like $hd->log_text, qr/xdp_attach_failed .*everything goes through user space/, 'auto: a warning';
    ok $alice->pings('10.9.0.2', 8), '... and the tunnels go on';
    is +(HyperDerp::Xdp::attached($relay))[1], $id, 'the program is still there';
    is $hd->stop, 0, 'exit status 0';
    is +(HyperDerp::Xdp::attached($relay))[1], $id, '... and still';
    $relay->run(qw(ip link set dev eth0 xdp off));
};

# A new handshake, from another address.
sub moves ($peer, $to, $allowed) {
    $peer->run('wg', 'set', $peer->{dev}, 'peer', $to->{public}, 'remove');
    $peer->wg_peer($to->{public}, $allowed, "[$relay->{ip6}]:51820");
    return;
}

subtest 'generic, IPv6 outside' => sub {
    configure('skb', 'eth0');
    run();
    is +(HyperDerp::Xdp::attached($relay))[0], 'skb', 'attached';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob, IPv4');
    moves($alice, $bob, '10.9.0.2/32');
    ok $alice->pings('10.9.0.2', 30), 'alice has moved to IPv6';
    moves($bob, $alice, '10.9.0.1/32');
    ok $bob->pings('10.9.0.1', 30), 'bob, too';
    in_the_driver($alice, '10.9.0.2', 56, 'alice to bob');
    in_the_driver($bob, '10.9.0.1', 1300, 'bob to alice, large');
};

$hd->finish;
ok !HyperDerp::Xdp::attached($relay), 'nothing is left';
done_testing;

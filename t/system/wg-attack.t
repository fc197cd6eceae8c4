#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-attack.t - somebody who knows every public key, and who may see
# and hold back packets, neither takes an endpoint over nor fills the relay's
# memory nor makes it send more than it gets. The tunnel beside it goes on.
use v5.36;
use JSON::PP qw(decode_json);
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Netns;
use HyperDerp::Test;

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;
plan skip_all => 'not installed: python3-nacl'
    if system('/usr/bin/python3 -c "import nacl.bindings" 2>/dev/null');

my $net = HyperDerp::Netns->new;
my ($relay, $alice, $bob, $mallory) = map { $net->host($_) } qw(relay alice bob mallory);
$alice->wireguard(ip => '10.9.0.1/24');
$bob->wireguard(ip => '10.9.0.2/24');
my $lonely = 'bG9uZWx5IGtleSB0aGF0IG5vYm9keSBoYXMgeWV0ISE=';    # registered, never seen
my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap], conf => <<~"END");
    wg:
      peers:
        - {name: alice, pubkey: "$alice->{public}"}
        - {name: bob, pubkey: "$bob->{public}"}
        - {name: lonely, pubkey: "$lonely"}
      links: [{a: alice, b: bob}, {a: alice, b: lonely}, {a: bob, b: lonely}]
    END
$hd->run_elsewhere or BAIL_OUT($hd->log_text);

# The relay joins sends of equal size; the tap is to see them one by one.
$relay->out(qw(ethtool -K eth0 tx-udp-segmentation off));
my $tool = "$HyperDerp::Test::srcdir/t/lib/client/wg_attack.py";
my $seen = "$net->{dir}/seen";
my $tap = $relay->spawn('tap', $tool, 'capture', 'eth0', 51820, $seen);
HyperDerp::Test::wait_for(sub { -e $seen }) or BAIL_OUT('nothing is captured');

my $endpoint = "$relay->{ip}:51820";
$alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
$bob->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
ok $alice->pings('10.9.0.2', 40), 'alice reaches bob';
ok $bob->pings('10.9.0.1'), 'bob reaches alice';

# What the tap has seen.
sub seen () { return HyperDerp::Test::whole_lines($seen) }

# One attack from mallory's namespace; what it says of itself.
sub attack ($what, @args) {
    my $said = $mallory->out($tool, $what, $relay->{ip}, 51820, @args);
    BAIL_OUT("$what: $said") if $?;
    return decode_json($said);
}

# The relay's number now.
sub number ($name, $labels = '') {
    my $all = $hd->ctl('--json', 'metrics');
    my $sum = 0;
    for my $m (@{ decode_json($all) }) {
        $sum += $m->{value} if $m->{name} eq $name && ($m->{labels} // '') =~ /\Q$labels\E/;
    }
    return $sum;
}

sub dropped ($why) { return number('hyper_derp_wg_drops_total', qq(reason="$why")) }
sub moves () { return number('hyper_derp_wg_endpoint_relearn_total') }

# Whose tunnel is lost is silent for 15 s.
sub unharmed ($why) {
    is moves(), 0, "$why: no endpoint moved";
    ok $alice->pings('10.9.0.2', 8), "$why: alice reaches bob at once";
    ok $bob->pings('10.9.0.1', 8), "$why: bob reaches alice at once";
    return;
}

# Nothing amplified: neither back to the attacker nor in all.
sub not_more_out ($why, $said) {
    cmp_ok $said->{got_bytes}, '<=', $said->{sent_bytes}, "$why: not more bytes back than sent";
    cmp_ok number('hyper_derp_wg_fwd_bytes_total'), '<=', number('hyper_derp_wg_rx_bytes_total'),
        "$why: not more bytes out than in";
    return;
}

subtest 'initiations from 10,000 addresses' => sub {
    $mallory->run(qw(ip route add local 10.200.0.0/16 dev lo));
    $relay->run(qw(ip route add 10.200.0.0/16 via), $mallory->{ip});
    my ($rss, $handshakes) = ($hd->rss, number('hyper_derp_wg_handshakes_total'));
    my $to_bob = sub { scalar(() = seen() =~ / \Q$bob->{ip}\E:\d+ 01/g) };
    my ($before, $start) = ($to_bob->(), time);
    my $said = attack('spoof', '10.200', 10000, $bob->{public}, $lonely);
    cmp_ok $said->{sent}, '>=', 19000, "$said->{sent} were sent";
    # dest_rate: 20 a second
    cmp_ok $to_bob->() - $before, '<', 500 + 20 * (time - $start), 'bob is hardly troubled: ' . ($to_bob->() - $before) . ' reached him';
    not_more_out('the flood', $said);
    my $grown = $hd->rss - $rss;
    cmp_ok $grown, '<', 8 << 20, "memory is bounded (grown by $grown bytes)" unless HyperDerp::Test::sanitized();
    is number('hyper_derp_wg_handshakes_total'), $handshakes, 'none led to a session';
    unharmed('after the flood');
};

subtest 'indices from an address that has proven itself' => sub {
    my $rss = $hd->rss;
    my $said = attack('prove', 30000, $lonely);
    ok $said->{cookie}, 'the relay\'s cookie is one that a client understands';
    not_more_out('a proven address', $said);
    cmp_ok number('hyper_derp_wg_pending_handshakes'), '<', 5000, 'initiations that wait are bounded';
    my $grown = $hd->rss - $rss;
    cmp_ok $grown, '<', 8 << 20, "memory is bounded (grown by $grown bytes)" unless HyperDerp::Test::sanitized();
    unharmed('afterwards');
};

subtest 'replays' => sub {
    for my $r ([1, 'initiations'], [2, 'responses'], [3, 'cookie replies'], [4, 'data']) {
        my $said = attack('replay', $seen, $r->[0], 2000);
        not_more_out($r->[1], $said);
        ok !$said->{got_types}{2} && !$said->{got_types}{4}, "$r->[1]: mallory gets nothing of the tunnel";
    }
    unharmed('after replays');
    cmp_ok dropped('replay'), '>', 0, 'data is recognised as seen before';
};

subtest 'forged responses' => sub {
    my $said = attack('forge', $seen, $alice->{public});
    cmp_ok $said->{sent}, '>', 0, "$said->{sent} were sent, with alice's mac1 and the true index";
    not_more_out('forged responses', $said);
    unharmed('afterwards');
};

# A packet of alice's that the relay has never seen, sent by mallory: bob takes
# it, since it is genuine, and goes on sending. Whoever moves the endpoint with
# the first packet, or when the other end has sent something after it, sends
# bob's traffic to mallory from now on.
subtest 'data held back and sent from elsewhere' => sub {
    my $pid = $bob->spawn('stream', qw(ping -n -i0.1), '10.9.0.1');
    HyperDerp::Test::wait_for(sub { (() = HyperDerp::Test::slurp($bob->file('stream')) =~ /bytes from/g) > 5 });
    $relay->run('nft', "table ip hold { chain in { type filter hook input priority 0; "
        . "ip saddr $alice->{ip} udp dport 51820 counter drop; }; }");
    my $to = sub ($ip, $kind) { scalar(() = seen() =~ / \Q$ip\E:\d+ 0$kind/g) };
    HyperDerp::Test::wait_for(sub { ($relay->out(qw(nft list table ip hold)) =~ /packets (\d+)/)[0] >= 5 });
    my $fresh = HyperDerp::Test::spew("$net->{dir}/fresh", join '',
        map { "$_\n" } (grep { /^\Q$alice->{ip}\E:\d+ \S+ 04/ } split /\n/, seen())[-3 .. -1]);
    my ($bob_had, $alice_had, $mallory_had) = map { $to->($_->{ip}, 4) } $bob, $alice, $mallory;
    my $forwarded = number('hyper_derp_wg_fwd_packets_total');
    my $said = attack('replay', $fresh, 4);
    is $said->{sent}, 3, 'three packets of alice from mallory';
    ok HyperDerp::Test::wait_for(sub { $to->($bob->{ip}, 4) >= $bob_had + 3 }), '... go to bob, who alone can judge them: '
        . 'a rule that believes the first packet, or any answer, would have moved alice';
    HyperDerp::Test::wait_for(sub { number('hyper_derp_wg_fwd_packets_total') > $forwarded + 10 });
    is moves(), 0, '... and no endpoint moves, though bob has sent since';
    # mallory gets copies of what only alice can read: doc/internals/wireguard.md
    ok HyperDerp::Test::wait_for(sub {
        my $copies = $to->($mallory->{ip}, 4) - $mallory_had;
        $to->($alice->{ip}, 4) - $alice_had >= $copies;
    }), '... and nothing is taken from alice';
    $relay->run(qw(nft delete table ip hold));
    ok $bob->pings('10.9.0.1'), 'when mallory lets go, the tunnel is there';
    $bob->stop($pid);
    unharmed('afterwards');
};

subtest 'wrong types and sizes' => sub {
    my ($said, $counted);
    for (1 .. 3) {    # the kernel drops most where the relay does not run meanwhile
        my $before = dropped('not_wg_shaped');
        $said = attack('junk', 5000, 1);
        $counted = dropped('not_wg_shaped') - $before;
        last if $counted > $said->{sent} / 2;
    }
    cmp_ok $counted, '>', $said->{sent} / 2, 'are dropped and counted';
    is $said->{got}, 0, '... and not answered';
    unharmed('afterwards');
};

$relay->stop($tap);
$hd->finish;
done_testing;

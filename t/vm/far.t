#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/far.t - tcp_congestion: auto with the kernel's own line (netem) and its
# default (CUBIC): 100 ms, 4 Mbit/s, 1 % of what the relay sends is lost. Where BBR is
# not loaded and the relay may not load it, that is said, and it is used once
# somebody has. Runs in t/vm/run's guest.
use v5.36;
use Test::More;
use Time::HiRes qw(time);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Far qw(load pair peer switched);
use HyperDerp::Test;

use constant { FAR => '127.0.0.2', SECONDS => 30 };
sub tc ($args) { return system('tc', split / /, $args) == 0 }    # busybox's shell would take its own

plan skip_all => 'for t/vm/run: it slows loopback down' unless $ENV{HD_VM};
system(qw(ip link set lo mtu 1500 gso_max_segs 1)) == 0 or die "ip link\n";    # or 64 KiB would be lost at once
plan skip_all => 'no netem here' unless tc('qdisc add dev lo root handle 1: prio bands 4')
    && tc('qdisc add dev lo parent 1:3 handle 30: netem delay 50ms limit 1000')
    && tc('qdisc add dev lo parent 1:4 handle 40: netem delay 50ms loss 1% rate 4mbit limit 120');
tc("filter add dev lo parent 1: protocol ip prio 1 u32 match ip $_->[0] " . FAR . "/32 flowid 1:$_->[1]") or die
    for ['dst', 3], ['src', 4];

sub relay ($conf = '') { return pair(host => FAR, conf => "user: nobody\n$conf") }
sub doctor ($hd) { return scalar qx($HyperDerp::Test::build/hdctl doctor -c $hd->{file} 2>&1) }

subtest 'BBR is not loaded' => sub {
    my ($hd, $near, $far) = relay();
    like doctor($hd), qr/^warn +kernel +tcp_congestion: TCP has no bbr.*\n +-> modprobe tcp_bbr/m, 'doctor says so';
    ok load($near, $far, 8, sub ($n) { $hd->log_text =~ /tcp_congestion: bbr/ }), 'the log says so'
        or diag explain peer($hd, $far);
    like $hd->log_text, qr/warn tcp_congestion: bbr: No such file .*\(modprobe tcp_bbr\)/, '... and what to do';
    load($near, $far, 8, sub ($n) { $n > 2000 });
    is scalar(() = $hd->log_text =~ /warn tcp_congestion/g), 1, '... once';
    is peer($hd, $far)->{congestion}, 'cubic', 'the kernel\'s stays';
    system('modprobe', 'tcp_bbr') == 0 or BAIL_OUT('this kernel has no BBR');
    ok load($near, $far, 8, sub ($n) { switched($hd) }), 'it is loaded: the same connection gets it, in a minute';
    is peer($hd, $far)->{congestion}, 'bbr', '... as hdctl peers says';
    like $hd->log_text, qr/congestion: key=@{[substr $far->key, 0, 8]} bbr/, '... and the log';
    $hd->finish;
};

# Mbit/s of payload that come, from when $since->($hd, n) is true.
sub rate ($conf, $since) {
    my ($hd, $near, $far) = relay($conf);
    my ($from, $at, $got);
    load($near, $far, 8, sub ($n) {
        ($from, $at) = ($n, time) if !$at && $since->($hd, $n);
        return 0 unless $at && time > $at + SECONDS;
        return $got = ($n - $from) * 1400 * 8e-6 / (time - $at);
    }) or diag explain peer($hd, $far);
    my $name = peer($hd, $far)->{congestion};
    my $switched = switched($hd);
    $hd->finish;
    return ($got // 0, $name, $switched);
}

my ($kernel, $name, $switched) = rate("tcp_congestion: kernel\n", sub ($hd, $n) { $n > 1000 });
is "$name $switched", 'cubic 0', 'tcp_congestion: kernel';
(my $auto, $name, $switched) = rate('', sub ($hd, $n) { switched($hd) });
is "$name $switched", 'bbr 1', 'by itself, as nobody';
diag sprintf 'netem, 100 ms, 4 Mbit/s, 1 %% lost: CUBIC %.2f Mbit/s, auto %.2f Mbit/s', $kernel, $auto;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/far.t - tcp_congestion: auto. One that is far and loses packets is
# sent to by BBR, and one that is near, or has only a full queue, by what the kernel
# has chosen.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Far qw(load pair peer queued switched);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);
use List::Util qw(max);
use Time::HiRes qw(time);

use constant { RELAY => '10.8.0.1', KBIT => 20_000, MBIT => 40, QUEUE_US => 100_000,
    ROOM => 600_000 };    # more than output_limit waits, and as much is sealed

sub slurp ($path) { return HyperDerp::Test::slurp($path) }

# The test and the relay stand in a namespace without a name, which ends with them.
plan skip_all => 'network namespaces need root' if $>;
unless ($ENV{HD_FAR_INSIDE}) {
    plan skip_all => 'not installed: ss, nsenter'
        if grep { system("$_ -V >/dev/null 2>&1") } qw(ss nsenter);
    plan skip_all => '/dev/net/tun is missing' unless -e '/dev/net/tun';
    plan skip_all => 'no network namespaces here' if system(qw(unshare -n true)) != 0;
    system 'modprobe -q tcp_bbr 2>/dev/null';
    plan skip_all => 'the kernel has no BBR'
        unless slurp('/proc/sys/net/ipv4/tcp_available_congestion_control') =~ /\bbbr\b/;
    $ENV{HD_FAR_INSIDE} = 1;
    exec 'unshare', '-n', $^X, $0 or die "unshare: $!";
}
sub run (@cmd) { system(@cmd) == 0 or die "failed ($?): @cmd\n"; return }
run(qw(ip link set lo up));
run(qw(sysctl -qw net.ipv4.tcp_congestion_control=reno));    # any kernel has it

my @files;    # to close one waits for its process

# Somebody at the other end of a line: {wrap}.
sub there ($delay_us, $loss_ppm, $kbit = KBIT) {
    my $home = readlink "/proc/$$/ns/net";
    my $pid = open my $stay, '|-', qw(unshare -n cat) or die "unshare: $!";
    HyperDerp::Children::keep($pid);
    HyperDerp::Test::wait_for(sub { (readlink("/proc/$pid/ns/net") // $home) ne $home }) or die "no namespace\n";
    my $line = open my $says, '-|', "$HyperDerp::Test::build/t/bench/far_link", "/proc/$$/ns/net", 'leg',
        "/proc/$pid/ns/net", 'leg', $kbit, $delay_us, $loss_ppm, QUEUE_US, 1 or die "far_link: $!";
    HyperDerp::Children::keep($line);
    (<$says> // '') eq "ready\n" or die "far_link does not start\n";
    my @wrap = ('nsenter', '-t', $pid, '-n');
    run(qw(ip address add), RELAY, qw(peer 10.8.0.2 dev leg));
    run(@wrap, qw(ip address add 10.8.0.2 peer), RELAY, qw(dev leg));
    push @files, $stay, $says;
    return { wrap => \@wrap, pids => [$line, $pid] };
}

sub gone ($there) {
    for my $pid (@{ $there->{pids} }) {
        kill TERM => $pid;
        waitpid $pid, 0;
        HyperDerp::Children::ended($pid);
    }
    return;
}

# The relay's end of the line: by what it sends, and how many packets again.
sub seen ($hd) {
    my $ss = qx(ss -Htin state established 'sport = :$hd->{plain} and dst 10.8.0.2');
    my ($name) = $ss =~ /^\s+(?:\S+:\S+ )*?(\w+) wscale/m;
    return ($name, $ss =~ m{ retrans:\d+/(\d+)} ? $1 : 0);
}

subtest 'far, and packets get lost' => sub {
    my $there = there(10_000, 20_000);
    my ($hd, $near, $far) = pair(wrap => $there->{wrap}, host => RELAY);
    is((seen($hd))[0], 'reno', 'it begins with the kernel\'s');
    is(peer($hd, $far)->{congestion}, 'reno', '... as hdctl peers says');
    ok load($near, $far, MBIT, sub ($n) { switched($hd) }), 'then it is switched' or diag $hd->log_text;
    is((seen($hd))[0], 'bbr', '... to BBR');
    is switched($hd), 1, 'the near one is not';
    ok $hd->log_like(qr/congestion: key=@{[substr $far->key, 0, 8]} bbr/), '... and the log says so';
    my $p = peer($hd, $far);
    is $p->{congestion}, 'bbr', 'hdctl peers shows it';
    cmp_ok $p->{rtt_us}, '>=', 20_000, '... and how far it is';
    ok load($near, $far, MBIT, sub ($n) { queued($hd, $far) > ROOM }), 'more may wait for it than output_limit';
    if (can_upgrade()) {
        upgrade($hd);
        is(peer($hd, $far)->{congestion}, 'bbr', 'it keeps that in another process');
    }
    $hd->finish;
    gone($there);
};

# What is not switched has lost packets in more looks than would do it.
sub stays ($name, $there, $conf = '') {
    my ($hd, $near, $far) = pair(wrap => $there->{wrap}, host => RELAY, conf => $conf);
    my ($queued, $lost, $looks, $next) = (0, 0, 0, 0);
    ok load($near, $far, MBIT, sub ($n) {
        $queued = max($queued, queued($hd, $far));
        my (undef, $now) = seen($hd);
        return 0 if $now == $lost || time < $next;
        ($lost, $next) = ($now, time + 0.3);
        return ++$looks >= 6;
    }), "$name: packets get lost";
    is((seen($hd))[0], 'reno', '... and the kernel\'s stays');
    is switched($hd), 0, '... nothing was switched';
    cmp_ok $queued, '<', ROOM, '... and as much may wait as output_limit says';
    $hd->finish;
    gone($there);
    return;
}

stays('near', there(0, 50_000));
stays('a full queue', there(10_000, 0, 2_500));
stays('tcp_congestion: kernel', there(10_000, 20_000), "tcp_congestion: kernel\n");
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/far-hd.t - one stream of hdcat over the kernel's own line (netem): two legs
# of 10 Mbit/s, 50 ms in all, without loss and with 1 % on both, both ways. By UDP and
# by TCP all of it comes. Runs in t/vm/run's guest.
# HD_FAR_FILLS=1: more, and it fills the line, 8 Mbit/s. That is for a guest that has
# real-time priority, or a machine to itself: one that waits for others had 5
# by UDP and 2 by TCP. HD_FAR_MBIT: another rate, only measured; the guest carries
# little more than 40. HD_FAR_RUNS: how often, the median counts; HD_FAR_DERP:
# DERP's, too.
use v5.36;
use Test::More;

plan skip_all => 'for t/vm/run: it needs its kernel' unless $ENV{HD_VM};
plan skip_all => 'hdcat is not built: ngtcp2 was not there' unless -x "$ENV{HD_BUILDDIR}/hdcat";
for my $module (qw(tcp_bbr sch_netem sch_tbf veth tun)) {
    system('modprobe', $module) == 0 or plan skip_all => "this kernel has no $module";
}
delete $ENV{HD_NETEM};    # of HyperDerp::Netns: another line
my ($mbit, $runs) = ($ENV{HD_FAR_MBIT} // 10, $ENV{HD_FAR_RUNS} // 1);
my $fills = $ENV{HD_FAR_FILLS} ? 0.8 * $mbit : 0;
my $mb = $fills || $ENV{HD_FAR_MBIT} ? $mbit : 1;    # 8 s of it

# hdcat-far's lines, by what they are of: [its text, Mbit/s].
sub measured (@args) {
    my $said = qx($^X t/bench/hdcat-far --netem --mbit $mbit --mb $mb @args 2>&1);
    my %got = map { /^(.*): (HD over \w+) ([\d.]+) Mbit/ ? ("$2, $1" => [$_, $3]) : () } split /\n/, $said;
    diag $said if !%got;
    return %got;
}

my %got = measured('--runs', $runs);
for my $what (map { ("HD over UDP, $_", "HD over TCP, $_") } '0 % loss', '1 % loss') {
    my $line = $got{$what};
    diag "$mbit Mbit/s: ", $line->[0] if $line;
    ok $line, "$what: all comes";
    cmp_ok $line ? $line->[1] : 0, '>=', $fills, '... and fills the line' if $fills;
}
if ($ENV{HD_FAR_DERP}) {
    diag qx($^X t/bench/far --netem --rtt 25 --loss 0,1 --mbit $mbit --streams 1 --congestion bbr --only ours --runs $runs 2>&1);
}
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/closed.t - a closed connection is gone from the kernel, too: io_uring
# must not go on polling it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(get);
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->start(workers => 2);

# What the rings poll. Source: io_uring's fdinfo.
sub polls () {
    my $pid = $hd->pid;
    my @rings = grep { (readlink // '') =~ /io_uring/ } glob "/proc/$pid/fd/*";
    return unless @rings;
    my $text = join '', map { HyperDerp::Test::slurp(s{/fd/}{/fdinfo/}r) } @rings;
    return scalar(() = $text =~ /^\s+op=\d+, task_works/mg);
}

my $before = polls();
my @logins = HyperDerp::Raw::logins($hd, 100);
while (my ($one, $two) = splice @logins, 0, 2) {
    HyperDerp::Raw->login($hd, $one)->close;
    my $c = HyperDerp::Raw->login($hd, $two);
    $c->frame(HyperDerp::Raw::SEND_PACKET, 'too short');
    $c->closed or fail 'a short frame closes';
}

SKIP: {
    skip 'no io_uring here, or its fdinfo is not readable', 1 unless $before;
    HyperDerp::Test::wait_for(sub { polls() <= $before });
    # that of start() may have been one of them
    cmp_ok polls(), '<=', $before, 'nothing polls them any more';
}
get($hd, '/') for 1 .. 3;
$hd->finish;
my ($log, $n) = ($hd->log_text, 0);
$n += $1 while $log =~ / without a line of their own: connections=(\d+) /g;
cmp_ok $n, '>=', 3, 'who only looked at a page is in the sum';
is $hd->metric('hyper_derp_logins_total'), 100, 'a hundred connections have come and gone';
done_testing;

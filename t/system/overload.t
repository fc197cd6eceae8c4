#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/overload.t - more than the relay can carry: it goes on delivering and
# answering. (How much and how fast it can is t/bench's matter.)
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use List::Util qw(max sum);
use POSIX ();
use Time::HiRes qw(time);

use constant { PAIRS => 6, SECONDS => 1.5, SIZE => 1000, BATCH => 40 };

# A process that sends as fast as the relay takes, and one that reads. Each
# tells its number of packets at the end.
sub child ($work) {
    pipe my $r, my $w or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my $n = eval { $work->() } // -1;
        syswrite $w, "$n\n";
        POSIX::_exit(0);
    }
    return { pid => $pid, pipe => $r };
}

sub result ($child) {
    my $n = readline $child->{pipe};
    waitpid $child->{pid}, 0;
    return $n // -1;
}

sub sender ($from, $to, $until) {
    my $batch = HyperDerp::Raw::packet_frame($to, 's' x SIZE) x BATCH;
    my $n = 0;
    POSIX::nice(5);    # it is the relay that shall have too much to do
    while ($n < 10 * BATCH || time < $until) {    # who came late sends, too
        $from->write($batch) or last;
        $n += BATCH;
    }
    $from->ping(60);    # all of it has been read
    $from->send($to, 'end');
    return $n;
}

# Counts bytes: quicker than the relay sends.
sub receiver ($to) {
    my ($bytes, $end) = (0, '');
    my $s = IO::Select->new($to->socket);
    while ($end ne 'end' && $s->can_read(60)) {
        my $n = sysread($to->socket, my $in, 1 << 20) or last;
        $bytes += $n;
        $end = substr $end . substr($in, $n < 3 ? 0 : $n - 3), -3;
    }
    return int($bytes / (5 + 32 + SIZE));
}

# Of pairs of clients, while two others talk: packets sent and arrived, those of
# the others, and the longest time that one of theirs took.
sub load ($hd) {
    my @c = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2 * PAIRS + 2);
    my ($alice, $bob) = splice @c, 0, 2;
    my $until = time + SECONDS;
    my (@in, @out);
    for my $i (0 .. PAIRS - 1) {
        my ($from, $to) = @c[2 * $i, 2 * $i + 1];
        push @out, child(sub { receiver($to) });
        push @in, child(sub { sender($from, $to->key, $until) });
    }
    my ($n, $worst) = (0, 0);
    while ($n < 10 || time < $until) {
        my $before = time;
        $alice->send($bob->key, 'responsive');
        ($bob->packet // '') eq 'responsive' or last;
        $n++;
        $worst = max $worst, time - $before;
    }
    my $sent = sum map { result($_) } @in;
    return ($sent, (sum map { result($_) } @out), $n, $worst, $alice);
}

for my $workers (1, 2) {
    subtest "$workers worker(s)" => sub {
        # the limit bridges the time that a reader waits for a busy machine; one
        # that takes the CPU away from readers does not do so each time
        my $hd = HyperDerp::Test->start(no_tls => 1, workers => $workers,
            conf => "output_limit: 2MiB\n");
        my ($sent, $got, $n, $worst, $alice);
        for (1 .. 3) {
            ($sent, $got, $n, $worst, $alice) = load($hd);
            last if $got > $sent / 2;
        }
        cmp_ok $sent, '>', 1000, "$sent packets were sent";
        cmp_ok $got, '>', $sent / 2, sprintf '%.1f %% arrived', 100 * $got / $sent;
        cmp_ok $n, '>=', 10, "$n others meanwhile";
        cmp_ok $worst, '<', 20, sprintf '... the slowest in %.0f ms', 1000 * $worst;
        HyperDerp::Raw->login($hd);
        ok $alice->ping, 'a new login and an old client afterwards';
        $hd->finish;
        note grep { /drops_total/ } map { "$_\n" } split /\n/, $hd->log_text;
    };
}

done_testing;

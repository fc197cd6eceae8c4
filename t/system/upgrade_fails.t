#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_fails.t - whatever fails in an upgrade before GO, in the old process or
# in the new one, the old one serves as if nothing had happened: each call of some kinds
# fails once, the first, the second, and so on, by t/lib/fail_call.c.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade);
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();
plan skip_all => 'memory is the sanitizer\'s' if HyperDerp::Test::sanitized();
my $library = "$HyperDerp::Test::build/t/lib/.libs/fail_call.so";
plan skip_all => 'not built: t/lib/fail_call.so' unless -e $library;

use constant { ENOMEM => 12, EMFILE => 24, EPIPE => 32 };

# Where there are very many, in these steps.
my %step = (malloc => 997, calloc => 12, realloc => 12, mmap => 5);
$_ = int $_ / 10 + 1 for $ENV{HD_LONG} ? values %step : ();

my $hd = HyperDerp::Test->new(workers => 2);
my $file = "$hd->{dir}/fail";
$hd->{env} = { LD_PRELOAD => $library, HD_FAIL => $file };
$hd->run->ready or die $hd->log_text;
my ($alice, $bob) = map { $hd->client(plain => $_ == 1) } 1 .. 2;

sub reach ($what) {
    $alice->send($bob->key, $what);
    my $there = $bob->packet // 'nothing';
    $bob->send($alice->key, $what);
    my $back = $alice->packet // 'nothing';
    return "$there $back" eq "$what $what" || diag "$what: $there, $back\n" . $hd->log_text =~ s/.*(?=(?:\n.*){12}\z)//sr;
}

# Who has taken over from a process; 0: nobody.
sub successor ($pid) {
    my ($new) = $hd->log_text =~ /.* starting: [^\n]* pid=(\d+)\n(?=.*taken over: pid=$pid )/s;
    return $new // 0;
}

# One upgrade, in which the nth call fails. Returns whether there was such a call.
sub with ($who, $call, $n, $errno) {
    my $pid = $hd->pid;
    HyperDerp::Test::spew("$file.new", ($who eq 'old' ? $pid : -$pid) . " $call $n $errno");
    unlink "$file.did";
    rename "$file.new", $file;
    my $said = try_upgrade($hd);
    unlink $file;
    HyperDerp::Test::wait_for(sub { successor($pid) }) if $errno == 0;
    my $did = -e "$file.did";
    # the answer may be what has failed
    my $new = ref $said ? $said->{pid} : successor($pid);
    if ($new) {
        $hd->wait_exit;
        $hd->adopt($new);
    }
    reach("$who $call $n") or fail "$who: $call $n: " . (ref $said ? 'it took over' : $said);
    return $did ? ref $said ? 1 : 2 : 0;
}

my (%n, $to_go);
for my $row (
    ['old', socketpair => EMFILE], ['old', memfd_create => EMFILE], ['old', sendmsg => EPIPE], ['old', recvmsg => ENOMEM],
    ['old', mmap => ENOMEM], ['old', malloc => ENOMEM], ['old', calloc => ENOMEM], ['old', realloc => ENOMEM],
    ['new', sendmsg => EPIPE], ['new', recvmsg => ENOMEM], ['new', mmap => ENOMEM],
    ['new', malloc => ENOMEM], ['new', calloc => ENOMEM], ['new', realloc => ENOMEM],
) {
    my ($who, $call, $errno) = @$row;
    %n = (1 => 0, 2 => 0);
    for (my $i = 1;; $i += $step{$call} // 1) {
        my $how = with($who, $call, $i, $errno) or last;
        $n{$how}++;
    }
    cmp_ok $n{1} + $n{2}, '>', 0, "$who: $call fails: $n{2} times it was refused, $n{1} times it went on";
    $to_go = $n{2} if "$who $call" eq 'old sendmsg';
}
# All is handed over, and the old one dies before it says so.
with('old', sendmsg => $to_go, 0);
ok $hd->log_like(qr/the old process died while it handed over: this one takes over/), 'killed as it says GO: the new one takes over';

my $said = try_upgrade($hd);
is ref $said, 'HASH', 'and then it works';
$hd->wait_exit;
$hd->adopt($said->{pid});
ok reach('after it'), 'they talk';
is $hd->stop, 0, 'the daemon ends with exit status 0';
# a new one may end as it likes, but not one that serves
my $bugs = () = $hd->log_text =~ /bug: (?!assertion failed: d\.signal_fd)/g;
is $bugs, 0, 'no bug: line in the log' or diag grep { /bug:/ } split /^/, $hd->log_text;
done_testing;

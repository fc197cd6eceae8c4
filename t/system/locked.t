#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/locked.t - the relay's key is locked in memory, or the log says that
# it is not.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

plan skip_all => 'a sanitizer makes mlock() do nothing' if HyperDerp::Test::sanitized();
plan skip_all => 'prlimit, setpriv (util-linux) are not installed'
    if system('prlimit --version >/dev/null 2>&1 && setpriv --version >/dev/null 2>&1');

my $warning = qr/warn\w* a key's memory cannot be locked.*LimitMEMLOCK/;

sub locked ($hd) {
    return HyperDerp::Test::slurp('/proc/' . $hd->pid . '/status') =~ /^VmLck:\s+([1-9]\d*) kB/m;
}

# Root may lock what it likes: without that privilege, too.
my @plain = $> ? () : qw(setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock);

my $hd = HyperDerp::Test->start(no_tls => 1, wrap => ['prlimit', '--memlock=0:0', @plain]);
ok $hd->log_like($warning), 'nothing may be locked: a warning';
my @lines = $hd->log_text =~ /$warning/g;
is @lines, 1, '... one';
ok !locked($hd), 'nothing is locked';
$hd->finish;

$hd = HyperDerp::Test->start(no_tls => 1);
if ($hd->log_text =~ $warning) {
    note 'the limit of locked memory is too small here (ulimit -l)';
} else {
    ok locked($hd), 'no warning: the key is locked';
}
$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-exporter.t - the exporter master secret of TLS is in the relay's memory until a
# client of HD has logged in, and not after it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Test;
use IPC::Open2;

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
plan skip_all => 'a sanitizer keeps what was freed' if HyperDerp::Test::sanitized();

# All that the process can write to, also what is left out of core dumps.
sub holds ($pid, $what) {
    no warnings 'portable';    # numbers of 64 bits
    open my $mem, '<:raw', "/proc/$pid/mem" or return;
    for (split /\n/, HyperDerp::Test::slurp("/proc/$pid/maps")) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
        my $part = '';
        sysseek $mem, hex $from, 0;
        while ((my $left = hex($to) - hex($from) - length $part) > 0) {
            sysread $mem, $part, $left, length $part or last;
        }
        return 1 if index($part, $what) >= 0;
    }
    return 0;
}

my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "core_dumps: on\nhd: {enroll: anybody}\n");
my $pid = open2(my $out, my $in, '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/exporter.py", $hd->{tls});
HyperDerp::Children::keep($pid);
$in->autoflush(1);
my ($hex) = (<$out> // '') =~ /^([0-9a-f]{64,96})$/;
ok $hex, 'a client says its secret' or BAIL_OUT('it says nothing');
my $there = holds($hd->pid, pack 'H*', $hex);
SKIP: {
    skip "cannot read the relay's memory", 3 unless defined $there;
    ok $there, 'before the login the relay has it';
    print $in "\n";
    is <$out>, "welcome\n", 'the login';
    ok !holds($hd->pid, pack 'H*', $hex), '... after which it is gone';
}
print $in "\n";
waitpid $pid, 0;
HyperDerp::Children::ended($pid);
is $?, 0, 'the client ends well';
$hd->finish;
done_testing;

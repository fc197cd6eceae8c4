#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/congestion.t - tcp_congestion: connections have what it names; what
# the kernel does not have is said, and the relay serves all the same.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);

plan skip_all => 'ss is not installed' if system('ss -V >/dev/null 2>&1') != 0;

chomp(my $kernel = HyperDerp::Test::slurp('/proc/sys/net/ipv4/tcp_congestion_control'));

# Of the relay's end of a client's connection.
sub chosen ($hd) {
    my $client = $hd->client;
    my ($name) = qx(ss -Htin state established 'sport = :$hd->{plain}') =~ /^\s+(?:\S+:\S+ )*?(\w+) wscale/m;
    $client->quit;
    return $name;
}

sub relay ($conf) { return HyperDerp::Test->start(no_tls => 1, workers => 2, conf => $conf) }

my $hd = relay("tcp_congestion: reno\n");    # any kernel has it, and anybody may choose it
is chosen($hd), 'reno', 'what it names';
unlike $hd->log_text, qr/tcp_congestion/, '... without a word';
$hd->finish;

$hd = relay($_), is(chosen($hd), $kernel, 'what the kernel has chosen'), $hd->finish
    for '', "tcp_congestion: kernel\n";

$hd = relay("tcp_congestion: nosuch\n");
is chosen($hd), $kernel, 'one that the kernel does not have: the kernel\'s';
my @warnings = $hd->log_text =~ /warn .*(tcp_congestion: nosuch: .*)/g;
is @warnings, 1, '... which is said once' or diag $hd->log_text;
like $warnings[0], qr/No such file.*tcp_available_congestion_control/, '... and where to look';
$hd->finish;

# Its listeners are those of the process before.
subtest 'another process takes over' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $hd = relay("tcp_congestion: reno\n");
    my $yaml = $hd->yaml;
    is chosen($hd), 'reno', 'what it names';
    for my $to (['kernel', $kernel], ['reno', 'reno'], ['nosuch', $kernel]) {
        $hd->{yaml} = $yaml =~ s/^tcp_congestion: \K.*/$to->[0]/mr;
        $hd->write_conf;
        upgrade($hd);
        is chosen($hd), $to->[1], "with $to->[0]";
    }
    $hd->finish;
};
done_testing;

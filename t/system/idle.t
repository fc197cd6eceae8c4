#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/idle.t - an idle connection owns keys and little else: the relay's
# memory at 1,500 peers and at 4,500. What a start and the first peers cost is
# in both. One of HD has two transports.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use JSON::PP qw(decode_json);
use Socket ();

use constant { FEW => 1500, MANY => 4500, GOAL_KB => 2.5, HD_GOAL_KB => 4 };

plan skip_all => 'sanitizers take memory of their own' if HyperDerp::Test::sanitized();

my $build = $HyperDerp::Test::build;

# The relay's memory in kB with so many peers that say nothing.
sub rss_kb ($peers, $how, %relay) {
    my $hd   = HyperDerp::Test->start(%relay, conf => "max_accept_rate: 0\n$relay{conf}");
    my $json = qx($build/hdbench --json --pid @{[$hd->pid]} --idle $peers $how 127.0.0.1:$hd->{tls});
    my $kb   = $? == 0 ? decode_json($json)->{rss_after_kb} : undef;
    ok defined $kb, "$peers peers are logged in" or note $json;
    $hd->finish;
    return $kb;
}

sub each_is_below ($goal_kb, @how) {
    my ($few, $many) = map { rss_kb($_, @how) // 0 } FEW, MANY;
    my $each = ($many - $few) / (MANY - FEW);
    return cmp_ok $each, '<', $goal_kb, sprintf 'a peer more is %.2f kB more', $each;
}

for my $crypto (qw(auto openssl)) {
    subtest "crypto: $crypto" => sub { each_is_below(GOAL_KB, '--fast-start', conf => "tls: {crypto: $crypto}\n") };
}

subtest 'HD, by TCP and UDP' => sub {
    my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
    each_is_below(HD_GOAL_KB, '--hd-udp', load_module => ['hd'], conf => "hd: {enroll: anybody, udp: '127.0.0.1:$port'}\n");
};
done_testing;

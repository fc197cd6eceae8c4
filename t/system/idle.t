#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/idle.t - an idle connection owns keys and little else: the relay's
# memory at 1,500 peers and at 4,500. What a start and the first peers cost is
# in both.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use JSON::PP qw(decode_json);

use constant { FEW => 1500, MANY => 4500, GOAL_KB => 2.5 };

plan skip_all => 'sanitizers take memory of their own' if HyperDerp::Test::sanitized();

my $build = $HyperDerp::Test::build;

# The relay's memory in kB with so many peers that say nothing.
sub rss_kb ($crypto, $peers) {
    my $hd   = HyperDerp::Test->start(conf => "tls: {crypto: $crypto}\nmax_accept_rate: 0\n");
    my $json = qx($build/hdbench --json --pid @{[$hd->pid]} --idle $peers --fast-start 127.0.0.1:$hd->{tls});
    my $kb   = $? == 0 ? decode_json($json)->{rss_after_kb} : undef;
    ok defined $kb, "$peers peers are logged in" or note $json;
    $hd->finish;
    return $kb;
}

for my $crypto (qw(auto openssl)) {
    subtest "crypto: $crypto" => sub {
        my ($few, $many) = map { rss_kb($crypto, $_) // 0 } FEW, MANY;
        my $each = ($many - $few) / (MANY - FEW);
        cmp_ok $each, '<', GOAL_KB, sprintf 'a peer more is %.2f kB more', $each;
    };
}
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-memory.t - a registered peer costs at most 1 kB, roster, engine,
# indexes and its half of a link together: 100,000 of them in a relay that has
# just started. (t/unit/wg_many.c: the engine alone, with tunnels.)
use v5.36;
use MIME::Base64;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use Socket qw(SOCK_DGRAM);

plan skip_all => 'the module wg is not built' unless -e "$HyperDerp::Test::build/modules.d/wg.so";
plan skip_all => 'sanitizers keep memory for themselves' if HyperDerp::Test::sanitized();

my $port = HyperDerp::Test::free_port(SOCK_DGRAM);

# What a relay with so many peers, linked in pairs, has of its own.
sub bytes_with ($peers) {
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], conf => "wg: {listen: '127.0.0.1:$port'}\n");
    my @lines = ("# not sealed: it is taken as it is", map { "peer p$_ - " . encode_base64(pack('V8', ($_) x 8), '') } 1 .. $peers);
    push @lines, map { "link p${\(2 * $_)} p${\(2 * $_ - 1)}" } 1 .. $peers / 2;
    HyperDerp::Test::spew($hd->dir . '/wg-roster', join("\n", @lines, ""));
    $hd->run;
    HyperDerp::Test::wait_for(sub { $hd->ctl(qw(wg show)) =~ /^peer_count +$peers$/m }, 60)
        or BAIL_OUT($hd->log_text);
    my ($pid) = $hd->log_text =~ /\bpid=(\d+)/;
    my ($kb) = HyperDerp::Test::slurp("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB$/m;
    $hd->finish;
    return $kb * 1024;
}

my $peers = 100_000;
my $each = (bytes_with($peers) - bytes_with(0)) / $peers;
cmp_ok $each, '<=', 1024, sprintf '%d bytes for each of %d peers', $each, $peers;
done_testing;

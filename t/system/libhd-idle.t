#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd-idle.t - the memory of an idle endpoint of libhd, as libhd(3)
# says: from 50 endpoints of one process to 150. --streams: each has a
# connection of QUIC with a stream.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use Socket ();

use constant { FEW => 50, MANY => 150 };

plan skip_all => 'sanitizers take memory of their own' if HyperDerp::Test::sanitized();

my $build = $HyperDerp::Test::build;
my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $hd = HyperDerp::Test->start(load_module => ['hd'],
    conf => "max_accept_rate: 0\nhd: {enroll: anybody, udp: '127.0.0.1:$port'}\n");
my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;

# All certificates of the system, in one file, are there for a handshake only.
# What is freed then is the allocator's: only what is not free is looked at.
my $cas = '/etc/ssl/certs/ca-certificates.crt';

subtest 'the certificates of a system' => sub {
    plan skip_all => "there is no $cas" if !-e $cas;
    local $ENV{SSL_CERT_FILE} = $cas;
    my $said = qx($build/t/lib/client/libhd-idle localhost:$hd->{tls} $relay_key @{[FEW]} @{[MANY]});
    my ($heap) = $said =~ /^heap (\d+)$/m;
    ok defined $heap, 'all are open, and idle' or return;
    cmp_ok $heap / 1024, '<', 45, sprintf '%.1f kB of malloc(3)', $heap / 1024;
};

local @ENV{qw(SSL_CERT_FILE SSL_CERT_DIR)} = ('/dev/null') x 2;

# kB of malloc(3) and of RSS that one more has
for ([45, 55], [45, 60, '--udp'], [190, 220, '--udp', '--streams']) {
    my ($heap_kb, $rss_kb, @how) = @$_;
    subtest "packets @how" => sub {
        plan skip_all => 'this libhd has no streams'
            if "@how" =~ /streams/ && HyperDerp::Test::slurp("$build/config.h") !~ /^#define HAVE_QUIC 1/m;
        my $said = qx($build/t/lib/client/libhd-idle @how localhost:$hd->{tls} $relay_key @{[FEW]} @{[MANY]});
        is $?, 0, 'all are open, and idle';
        my ($heap, $rss) = map { $said =~ /^$_ (\d+)$/m ? $1 / 1024 : undef } qw(heap rss);
        cmp_ok $heap, '<', $heap_kb, sprintf '%.1f kB of malloc(3)', $heap;
        cmp_ok $rss, '<', $rss_kb, sprintf '%.1f kB of RSS', $rss;
    };
}
$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-ipv6.t - HD over IPv6: libhd by TCP and UDP, with a client that has come by IPv4, and
# hdcat's ticket.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Hdcat;
use HyperDerp::Say;
use HyperDerp::Test;
use IO::Socket::IP;
use JSON::PP ();
use Socket ();

plan skip_all => 'no IPv6 here' if !IO::Socket::IP->new(LocalHost => '::1', Listen => 1);
my ($port, $udp) = (HyperDerp::Test::free_port(), HyperDerp::Test::free_port(Socket::SOCK_DGRAM));
my $hd = HyperDerp::Test->new(load_module => ['hd'], conf => "hd: {enroll: anybody, udp: '[::]:$udp'}\n");
$hd->{yaml} = $hd->yaml =~ s/^listen: \[/listen: [{addr: "[::1]:$port", tls: true}, /mr;
$hd->write_conf;
$hd->run->ready or BAIL_OUT($hd->log_text);
my $dir = $hd->dir;
my ($key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
my @six = ("--relay-key=$key", "[::1]:$port");

sub peers () { return @{ JSON::PP::decode_json($hd->ctl(qw(--json peers))) } }

subtest 'libhd' => sub {
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', @six);
    ok $b->says(qr/^state open/), 'open' or diag $b->text;
    my $a = HyperDerp::Say->new($dir, 'a', '--no-udp', "--relay-key=$key", "127.0.0.1:$hd->{tls}", $b->key);
    ok $a->says(qr/^peer here/), 'one by IPv4 finds it' or diag $a->text;
    ok HyperDerp::Test::wait_for(sub { grep { $_->{transport} eq 'udp' } peers() }), 'it has UDP' or diag $hd->ctl('peers');
    is scalar(grep { $_->{addr} =~ /^\[?::1/ } peers()), 1, '... by IPv6' or diag $hd->ctl('peers');
    my $n = 0;
    ok HyperDerp::Test::wait_for(sub { $a->line('hello ' . ++$n); $b->text =~ /^packet \w+ hello/m }), 'packets pass';
    is $_->end, 0, 'they end' for $a, $b;
};

subtest 'hdcat' => sub {
    my $hdcat = HyperDerp::Hdcat->around($hd) or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
    $hdcat->{relay} = "[::1]:$port";
    my $l = $hdcat->listener('--allow', 'localhost:80');
    my ($status, $out) = $hdcat->run(qw(-c 1 ping), $l->{ticket});
    is $status, 0, 'by a ticket with an address in brackets';
    like $out, qr/^1: [\d.]+ ms$/m, '... it answers';
};

$hd->finish;
done_testing;

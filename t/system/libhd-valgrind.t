#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd-valgrind.t - libhd with streams and UDP under valgrind: hdcat at both ends of a
# ping, of a transfer, and of one whose relay is started again.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Hdcat;
use HyperDerp::Test;
use Socket ();

plan skip_all => 'valgrind is not installed, or this build has sanitizers'
    if HyperDerp::Test::sanitized() || system('valgrind --version >/dev/null 2>&1') != 0;
local @ENV{qw(SSL_CERT_FILE SSL_CERT_DIR)} = ('/dev/null') x 2;    # slow to read
my $udp = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $hdcat = HyperDerp::Hdcat->new(conf => "login_timeout: 100s\nhd: {enroll: anybody, udp: '127.0.0.1:$udp'}\n")
    or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
my $dir = $hdcat->{dir};
# hdcat is a script of libtool before it is installed.
$hdcat->{wrap} = ["$HyperDerp::Test::build/libtool", qw(--silent --mode=execute valgrind -q --leak-check=full --error-exitcode=9)];

# Its exit status, which is 9 where valgrind has something to say.
sub ends ($p, $what) { is $p->stop, 0, $what or diag $p->err }

my $data = HyperDerp::Test::spew("$dir/data", join '', map { chr } map { $_ % 251 } 1 .. 3_000_000);
my $got = "$dir/got";
my $l = $hdcat->listener_to($got);
my ($status, $out, $err) = $hdcat->run(qw(-t 100 -c 2 ping), $l->{ticket});
is $status, 0, 'a ping' or diag $err;
like $out, qr/^2: [\d.]+ ms$/m, '... is answered';
my $sender = $hdcat->start_with($data, '/dev/null', qw(-t 100), $l->{ticket});
is $sender->status, 0, 'a transfer' or diag $sender->err;
is $l->status, 0, '... arrives' or diag $l->err;
is HyperDerp::Test::slurp($got), HyperDerp::Test::slurp($data), '... as it was sent';

my ($server, $port) = $hdcat->server;
$l = $hdcat->listener('--allow', "localhost:$port");
my $f = $hdcat->start(qw(-t 100 forward), "0:localhost:$port", $l->{ticket});
my $at = $f->says(qr/localhost:(\d+) leads/) or diag $f->err;
my $c = $hdcat->connect($at);
my $s = $server->accept;
print $c "before\n";
$c->flush;
is <$s>, "before\n", 'a connection is forwarded';
is $hdcat->{hd}->stop, 0, 'the relay ends';
$hdcat->{hd}->run->ready or BAIL_OUT($hdcat->{hd}->log_text);
print $c "after\n";
$c->flush;
is <$s>, "after\n", '... and outlives it';
close $_ for $c, $s;
ends $f, 'the dialler ends';
ends $l, 'the listener ends';
$hdcat->finish;
done_testing;

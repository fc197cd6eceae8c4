#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/bad-login.t - what strangers send before and at the login. Each
# attack ends with the attacker's connection closed, and nobody else notices.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use List::Util qw(min);
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use constant TIMEOUT => 2;    # login_timeout, seconds

my $hd = HyperDerp::Test->start(conf => "login_timeout: @{[TIMEOUT]}s\nmax_accept_rate: 0\n");
my @logins = HyperDerp::Raw::logins($hd, 8);
my ($alice, $bob) = map { HyperDerp::Raw->login($hd, shift @logins) } 1 .. 2;
my $login = shift @logins;
my ($head, $info) = @$login{qw(head info)};

sub unharmed ($why) {
    $alice->send($bob->key, $why);
    is $bob->packet, $why, "$why: others are not harmed";
}

sub say_raw ($bytes, $port = $hd->{plain}) {
    my $c = HyperDerp::Raw->open($hd, port => $port);
    $c->write($bytes);
    return $c;
}

# A frame with a header that may lie.
sub header ($type, $len) { return pack 'CN', $type, $len }

# Of three tries one is in time: a machine may stall.
sub closed_ok ($bytes, $why) {
    my ($said, $took);
    for (1 .. 3) {
        my $start = time;
        $said = say_raw($bytes)->rest;
        $took = time - $start;
        last if $took < TIMEOUT;
    }
    ok defined $said, "$why: closed" or return;
    cmp_ok $took, '<', TIMEOUT, "$why: ... at once";
    return $said;
}

# In many bites, so that the relay has to put them together.
subtest 'a login of single bytes' => sub {
    my $c = HyperDerp::Raw->open($hd);
    $c->write($_) for split //, $head . $info;
    ok $c->admitted, 'is a login';
};

subtest 'garbage' => sub {
    srand 42;
    my @sizes = (1, 100, 8192, 100_000);
    my %c;
    for my $n (@sizes) {
        my $bytes = join '', map { chr int rand 256 } 1 .. $n;
        $c{"$n bytes in the clear"} = say_raw($bytes);
        $c{"$n bytes on the TLS port"} = say_raw($bytes, $hd->{tls});
    }
    for my $what (sort keys %c) {
        my $said = $c{$what}->rest;
        ok defined $said, "$what: closed";
        unlike $said, qr/^\x01/, '... and no DERP in the answer';
    }
    closed_ok("\0" x 200 . "\r\n\r\n", 'zeros for a head');
    closed_ok("\r\n" x 5000, '10,000 bytes of empty lines');
    unharmed('garbage');
};

subtest 'a head that is too big' => sub {
    like closed_ok("GET /derp HTTP/1.1\r\nX: " . 'y' x 9000, 'one long line'),
        qr{^HTTP/1\.[01] 4\d\d }, '... and told why';
    like closed_ok("GET /derp HTTP/1.1\r\n" . "X: y\r\n" x 2000, 'many lines'),
        qr{^HTTP/1\.[01] 4\d\d }, '... and told why';
    like closed_ok("GET /" . 'a' x 9000 . " HTTP/1.1\r\n\r\n", 'a long path'),
        qr{^HTTP/1\.[01] 4\d\d }, '... and told why';
};

subtest 'the wrong protocol for the port' => sub {
    my $said = say_raw("GET /derp HTTP/1.1\r\nHost: x\r\n\r\n", $hd->{tls})->rest;
    like $said, qr{^HTTP/1\.0 400 }, 'HTTP on the TLS port: 400';
    like $said, qr/HTTPS/, '... and what it speaks';
    my $out = qx(timeout 60 openssl s_client -connect 127.0.0.1:$hd->{plain} </dev/null 2>&1);
    unlike $out, qr/BEGIN CERTIFICATE/, 'TLS on the plain port: no handshake';
    isnt $? >> 8, 124, '... and it is closed';
    unharmed('the wrong protocol');
};

# The relay must not send more than a 101, a ServerKey or an error, must close,
# and must not admit anybody, wherever the client stops.
subtest 'closed at every step of the login' => sub {
    my $bytes = $head . $info;
    my $n = length $bytes;
    my (@open, @admitted);
    for my $reset (0, 1) {
        for (my $i = 0; $i < $n; $i += 64) {
            my @c = map { say_raw(substr $bytes, 0, $_) } $i .. ($i + 63 < $n ? $i + 63 : $n - 1);
            for my $c (@c) {
                if ($reset) {
                    setsockopt $c->socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
                    $c->close;
                } else {
                    shutdown $c->socket, 1;
                }
            }
            next if $reset;
            for my $at (0 .. $#c) {
                my $said = $c[$at]->rest // push(@open, $i + $at) && next;
                push @admitted, $i + $at if length $said > length(header(1, 40)) + 40;
            }
        }
    }
    is_deeply \@open, [], "$n places: each is closed";
    is_deeply \@admitted, [], '... and none is admitted';
    unharmed('a close at every step');
};

subtest 'a box that does not open' => sub {
    my $at = length($info) - 1;
    for my $i (5, 36, 37, 60, 61, $at) {    # key, nonce, tag, JSON
        my $bad = $info;
        substr($bad, $i, 1) ^.= "\x01";
        closed_ok("$head$bad", "byte $i flipped");
    }
    closed_ok($head . header(2, 32 + 24 + 16) . "\0" x 72, 'a key of zeros');
    closed_ok($head . header(2, 32 + 24 + 16) . "\xff" x 72, 'a key of ones');
    closed_ok($head . header(2, 32 + 24 + 16) . "\1" . "\0" x 71, 'a key of small order');
    closed_ok($head . header(2, 55) . "\0" x 55, 'too short for a box');
    closed_ok($head . header(2, 56) . 'x' x 56, 'no box at all');
    ok $hd->log_like(qr/login refused: from=127\.0\.0\.1:\d+ reason="the box does not open/),
        'the log tells why';
    unharmed('bad boxes');
};

subtest 'ClientInfo that is not' => sub {
    for my $json ('', '{', '[]', '"x"', '{"version":"x"}', '{} {}', '{"meshKey":"x"}',
        '[' x 4000) {
        my $bad = HyperDerp::Raw::logins($hd, 1, $json);
        closed_ok($bad->{head} . $bad->{info}, 'JSON ' . substr $json, 0, 20);
    }
    for my $json ('null', '{}', '{"VERSION":1,"new":[1,{"a":2}]}') {
        my $good = HyperDerp::Raw::logins($hd, 1, $json);
        ok eval { HyperDerp::Raw->login($hd, $good) }, "JSON $json: welcome";
    }
};

subtest 'another frame than ClientInfo' => sub {
    for my $type (0, 1, 3 .. 21, 127, 255) {
        closed_ok($head . header($type, 8) . 'x' x 8, "type $type");
    }
    closed_ok($head . header(2, 256 * 1024 + 1), 'ClientInfo of 256 KiB + 1, by its header');
    closed_ok($head . header(2, 0xffffffff), 'of 2^32 - 1');
    closed_ok($head . header($_, 0xffffffff), "type $_ of 2^32 - 1") for 4, 16, 99;
};

subtest 'ClientInfo of 256 KiB' => sub {
    my $c = say_raw($head . header(2, 256 * 1024) . 'x' x (256 * 1024));
    ok $c->closed, 'is read whole and refused';
    ok $hd->log_like(qr/reason="the box does not open/), '... for its box';
};

# ---- those that say nothing more: closed at login_timeout ----

subtest 'what is begun and not ended' => sub {
    my %c = (
        'a silent connection' => '',
        'half a head' => substr($head, 0, 40),
        'a head and nothing' => $head,
        'half a ClientInfo' => $head . substr($info, 0, 60),
        'a request body that does not come' => "POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n",
        'a WebSocket and nothing' => "GET /derp HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            . "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            . "Sec-WebSocket-Protocol: derp\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    my $start = time;
    $c{$_} = say_raw($c{$_}) for keys %c;
    # 6 bytes of a ClientHello's record of 512 bytes
    my $half = "\x16\x03\x01\x02\x00\x01" . 'x' x 100;
    $c{'half a ClientHello'} = say_raw($half, $hd->{tls});
    $c{'silence on the TLS port'} = say_raw('', $hd->{tls});
    for my $what (sort keys %c) {
        ok $c{$what}->closed, "$what: closed";
        next if $what =~ /body/;    # may be answered at once
        cmp_ok time - $start, '>', TIMEOUT - 0.5, '... not before the time is over';
    }
};

subtest 'a byte now and then' => sub {
    my @c = map { HyperDerp::Raw->open($hd, port => $_) } $hd->{plain}, $hd->{tls};
    my @bytes = ($head . $info, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc" . 'x' x 1000);
    my $start = time;
    my @closed = (0, 0);
    while (time - $start < TIMEOUT + 15 && grep { !$_ } @closed) {
        for my $i (0, 1) {
            next if $closed[$i];
            $c[$i]->write_some(substr $bytes[$i], 0, 1, '') if length $bytes[$i] > 1;
            $c[$i]->fill or $closed[$i] = time - $start;
        }
        select undef, undef, undef, 0.05;
    }
    for my $i (0, 1) {
        my $where = $i ? 'TLS' : 'plain';
        cmp_ok $closed[$i], '>=', TIMEOUT - 0.5, "$where: it has until login_timeout";
        # all of it would take longer
        cmp_ok $closed[$i], '<', TIMEOUT + 10, '... and no longer, however often it speaks';
    }
};

subtest '1,000 that hold half a request' => sub {
    my $start = time;
    my @held = map { say_raw(substr($head, 0, 30), $_ % 4 ? $hd->{plain} : $hd->{tls}) } 1 .. 1000;
    my ($new, @took);
    for (1 .. 5) {    # the best of them: the machine has more to do
        my $before = time;
        $new = HyperDerp::Raw->login($hd, shift @logins);
        push @took, time - $before;
        last if $took[-1] < 1;
    }
    cmp_ok min(@took), '<', 1, 'a new client logs in within a second';
    my $tls = $hd->client;
    ok $tls->ok, '... by TLS, too';
    $tls->quit;
    unharmed('1,000 connections');
    is scalar(grep { !$_->closed } @held), 0, 'all are closed';
    cmp_ok time - $start, '<', TIMEOUT + 25, '... at login_timeout';
    ok $new->ping, 'the new client stays';
    $new->close;
};

unharmed('all of it');
$hd->finish;
is $hd->metric('hyper_derp_derp_logins_refused_total', qr/timeout/) > 0, 1,
    'timeouts of logins are counted';
cmp_ok $hd->metric('hyper_derp_derp_logins_refused_total', qr/box/), '>=', 6, 'bad boxes, too';

done_testing;

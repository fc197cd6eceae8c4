#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/bad-frames.t - what clients that are logged in must not send, and
# what they may although nobody needs it. Nobody else notices, whatever they do.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->start(no_tls => 1);
my @logins = HyperDerp::Raw::logins($hd, 120);
my ($alice, $bob) = map { HyperDerp::Raw->login($hd, shift @logins) } 1 .. 2;

sub unharmed ($why) {
    $alice->send($bob->key, $why);
    is $bob->packet, $why, "$why: others are not harmed";
}

# Each attacker has received a packet and sent one, so that there is something
# to lose. Returns the client.
sub attacker () {
    my $c = HyperDerp::Raw->login($hd, shift @logins);
    $alice->send($c->key, 'hello');
    $c->packet // die 'no packet';
    return $c;
}

sub closes ($bytes, $why) {
    my $c = attacker();
    $c->write($bytes);
    ok $c->closed, "$why: closed";
}

sub stays ($bytes, $why) {
    my $c = attacker();
    $c->write($bytes);
    ok $c->silent, "$why: stays, and nothing comes back";
    $c->close;
}

sub frame ($type, $payload) { return pack('CN', $type, length $payload) . $payload }
sub header ($type, $len) { return pack 'CN', $type, $len }

# The predecessor let any client list everybody, cut off everybody and declare
# anybody gone. (First: the log tells five such lines a second.)
subtest 'what needs the mesh key' => sub {
    my $watcher = attacker();
    $watcher->frame(HyperDerp::Raw::WATCH_CONNS);
    my $said = $watcher->rest // 'not closed';
    is $said, '', 'WatchConns: closed, and told nothing';

    my $closer = attacker();
    $closer->frame(HyperDerp::Raw::CLOSE_PEER, pack 'H64', $bob->key);
    ok $closer->closed, 'ClosePeer: closed';
    unharmed('ClosePeer');

    my $forwarder = attacker();
    $forwarder->frame(HyperDerp::Raw::FORWARD, pack('H64H64', $alice->key, $bob->key) . 'forged');
    ok $forwarder->closed, 'ForwardPacket: closed';
    ok $bob->silent, '... and the packet did not get through';

    my $liar = attacker();
    $liar->send($bob->key, 'from me');
    $bob->packet;
    $liar->frame(HyperDerp::Raw::PEER_GONE, pack('H64C', $alice->key, 0));
    $liar->frame(HyperDerp::Raw::PEER_PRESENT, pack('H64', $alice->key) . 'x' x 19);
    ok $liar->ping, 'PeerGone and PeerPresent from a client: no effect';
    unharmed('a false PeerGone');
    ok $bob->silent, '... nobody is told';
    $liar->close;
    is $bob->expect(HyperDerp::Raw::PEER_GONE), pack('H64C', $liar->key, 0), 'but of the liar';

    my ($key) = HyperDerp::Raw::logins($hd, 1, '{"meshKey":"' . '5a' x 32 . '"}');
    my $mesh = HyperDerp::Raw->login($hd, $key);
    ok $mesh->silent, 'a mesh key that nobody set: an ordinary client';
    $mesh->frame(HyperDerp::Raw::WATCH_CONNS);
    ok $mesh->closed, '... WatchConns: closed';
    ok $hd->log_like(qr/frame refused: .*frame=WatchConns .*reason="needs the mesh key"/),
        'the log tells why';
};

# By the header alone: the bytes that it announces are not awaited.
subtest 'wrong lengths' => sub {
    closes(header(4, $_), "SendPacket of $_") for 0, 31, 32 + 65536 + 1, 0x7fffffff, 0xffffffff;
    closes(header(7, $_), "NotePreferred of $_") for 0, 2, 0xffffffff;
    closes(header(18, $_), "Ping of $_") for 0, 7, 1001, 0xffffffff;
    ok $hd->log_like(qr/frame refused: from=\S+ key=[0-9a-f]+ frame=SendPacket length=\d+ /),
        'the log tells what it was';
    unharmed('wrong lengths');
};

subtest 'a packet of 64 KiB + 1' => sub {
    my $c = attacker();
    $c->send($bob->key, 'y' x 65536);
    is length($bob->packet // ''), 65536, '64 KiB arrive';
    $c->send($bob->key, 'y' x 65537);
    ok $c->closed, 'one more closes its sender';
    is $bob->expect(HyperDerp::Raw::PEER_GONE), pack('H64C', $c->key, 0),
        'the receiver gets PeerGone and nothing else';
};

subtest 'unknown types and lengths' => sub {
    stays(frame($_, ''), "type $_, empty") for 0, 22, 64, 255;
    stays(frame(99, 'x' x 100_000), 'type 99, 100,000 bytes');
    stays(frame(200, 'x' x 300_000) . frame(201, '') x 1000, '300 kB, then 1,000 empty ones');
    my $c = attacker();
    $c->write(header(99, 0xffffffff));
    $c->write('x' x 1_000_000);
    $alice->send($c->key, 'in the midst');
    is $c->packet, 'in the midst', '2^32 - 1 bytes are swallowed while they come';
    $c->close;
    unharmed('unknown types');
};

subtest 'frames that only a relay sends' => sub {
    stays(frame($_, 'x' x 40), "type $_") for 1, 3, 5, 6, 9, 14, 15, 19, 20, 21;
    stays(frame(2, 'x' x 100), 'a second ClientInfo');
    unharmed('a relay\'s frames');
};

subtest 'frames cut at the end of a connection' => sub {
    my $whole = frame(4, pack('H64', $bob->key) . 'x' x 20);
    for my $n (1 .. length($whole) - 1) {
        my $c = HyperDerp::Raw->login($hd, $logins[ $n % @logins ]);
        $c->write(substr $whole, 0, $n);
        shutdown $c->socket, 1;
        $c->closed or fail "cut after $n bytes: not closed";
    }
    ok $bob->silent, 'no part of a packet gets through';
};

subtest 'any cut between writes' => sub {
    my $frames = frame(99, 'abc') . frame(4, pack('H64', $bob->key) . 'first')
        . frame(18, 'pingping') . frame(4, pack('H64', $bob->key) . 'second');
    my $c = attacker();
    my $bad = 0;
    for my $n (1 .. length($frames) - 1) {
        $c->write(substr $frames, 0, $n);
        $c->write(substr $frames, $n);
        ($bob->packet // '') eq 'first' && ($bob->packet // '') eq 'second' or $bad++;
    }
    is $bad, 0, 'is the same to the relay';
};

subtest 'bursts' => sub {
    my $c = attacker();
    $c->write(frame(18, 'pingping') x 20_000 . frame(18, 'the last'));
    my $pongs = 0;
    while (my $p = $c->expect(HyperDerp::Raw::PONG)) {
        last if $p eq 'the last';
        $pongs++;
    }
    cmp_ok $pongs, '>', 0, "20,000 pings: $pongs are answered, and the last one";
    ok $c->ping, '... and the client stays';
    $c->write(frame(7, "\1") x 20_000);
    ok $c->ping, '20,000 NotePreferred';
    unharmed('bursts');
};

unharmed('all of it');
$hd->finish;
cmp_ok $hd->metric('hyper_derp_derp_frames_refused_total', qr/privileged/), '==', 4,
    'privileged frames are counted';
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/backlog.t - what a client can make the relay keep for it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(time);

use constant { KIB => 1024, MIB => 1024 * 1024 };

my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, conf => <<~'END');
    sockbuf: 64KiB
    write_timeout: 30s
    login_timeout: 60s
    END

# Each sip makes a little room in the kernel: what is taken along then cannot
# be dropped any more.
subtest 'a reader that is slower than its sender' => sub {
    my ($from, $slow) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    setsockopt $slow->socket, SOL_SOCKET, SO_RCVBUF, 64 * KIB;
    my $batch = HyperDerp::Raw::packet_frame($slow->key, 'z' x 1400) x 64;
    for (1 .. 600) {
        $from->write($batch) or last;
        $from->ping unless $_ % 16;
        sysread $slow->socket, my $sip, 32 * KIB;
    }
    ok $from->ping, 'all has been taken in: ' . int(600 * length($batch) / MIB) . ' MiB';
    my $backlog = 0;
    my $s = IO::Select->new($slow->socket);
    while ($s->can_read(0.5)) { $backlog += sysread($slow->socket, my $more, MIB) || last }
    cmp_ok $backlog, '>', 0, 'some of it was waiting: ' . int($backlog / KIB) . ' KiB';
    cmp_ok $backlog, '<', 2 * MIB, '... no more than the queues may hold';
};

sub masked ($opcode, $payload = '') {
    return pack('CCa4', 0x80 | $opcode, 0x80 | length $payload, "\0\0\0\0") . $payload;
}

# Two bytes each, but not a buffer each.
subtest 'WebSocket pings of a client that does not read' => sub {
    my $c = HyperDerp::Raw->open($hd);
    $c->write(join "\r\n", 'GET /derp HTTP/1.1', 'Host: relay', 'Connection: Upgrade',
        'Upgrade: websocket', 'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: derp', '', '');
    my $rss = $hd->rss;
    my $pings = masked(9) x 1000;
    my $n = 0;
    $n += 1000 while $n < 300_000 && $c->write($pings, $n < 100_000 ? 30 : 1);
    cmp_ok $n, '>=', 100_000, "$n pings";
    HyperDerp::Raw->login($hd)->ping;    # they are behind us
    cmp_ok $hd->rss - $rss, '<', 8 * MIB, 'little memory waits for it';
};

# Room is made once for what is announced, not for each drop of it.
subtest 'a ClientInfo of 256 KiB, byte by byte' => sub {
    my ($login) = HyperDerp::Raw::logins($hd);
    my $c = HyperDerp::Raw->open($hd);
    my $bytes = 256 * KIB;
    $c->write($login->{head} . pack('CN', HyperDerp::Raw::CLIENT_INFO, $bytes));
    $c->write("\x42" x ($bytes - 2000));
    my $other = HyperDerp::Raw->login($hd);
    my $start = time;
    for (1 .. 1999) {
        $c->write("\x42");
        $other->ping unless $_ % 100;
    }
    ok $other->ping, sprintf 'others are served meanwhile (%.2f s)', time - $start;
    $c->write("\x42");
    ok $c->closed, 'then it is judged, as one that does not open';
};

$hd->finish;
like $hd->log_text, qr/login refused: .*box does not open/, 'the log says so';

done_testing;

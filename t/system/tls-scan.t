#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/tls-scan.t - what a scanner of TLS servers tries, byte by byte:
# Heartbleed, downgrades, resumption, ClientHellos in crumbs, records of
# nonsense. s_client and other people's TLS: t/system/tls.t,
# t/system/tls-interop.t.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::SClient;
use HyperDerp::Test;
use IO::Select;
use Time::HiRes qw(time);

use constant {
    ALERT => 0x15, HANDSHAKE => 0x16, DATA => 0x17, HEARTBEAT => 0x18,
    TLS12 => 0x0303, TLS13 => 0x0304,
};

my $hd = HyperDerp::Test->start(conf => "login_timeout: 30s\ntls: {ktls: off}\n");
my ($alice, $bob) = ($hd->client, $hd->client);
local $SIG{PIPE} = 'IGNORE';

sub unharmed ($why) {
    $alice->send($bob->key, $why);
    is $bob->packet, $why, "$why: others are not harmed";
}

### Bytes

sub u16 (@v) { return pack 'n*', @v }
sub vec8 ($s)  { return pack('C', length $s) . $s }
sub vec16 ($s) { return pack('n', length $s) . $s }
sub record ($type, $body, $version = 0x0301) { return pack('Cnn', $type, $version, length $body) . $body }
sub message ($type, $body) { return pack('N', $type << 24 | length $body) . $body }
sub ext ($type, $body) { return pack('n', $type) . vec16($body) }

# A ClientHello as a message. Returns also what it offers, changed by %o.
sub hello (%o) {
    my $suites = $o{suites} // [0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9];
    my $groups = $o{groups} // [0x001d, 0x0017];
    my $share = exists $o{share} ? $o{share} : u16(0x001d) . vec16("\x09" . "\0" x 31);
    my $exts = ext(0x000a, vec16(u16(@$groups)))
        . ext(0x000b, vec8("\0"))
        . ext(0x000d, vec16(u16(@{ $o{signatures} // [0x0403, 0x0804, 0x0401, 0x0503, 0x0603] })))
        . ($o{tls12} ? '' : ext(0x002b, vec8(u16(TLS13))) . ext(0x0033, vec16($share)))
        . ($o{exts} // '');
    return message(1, u16($o{version} // TLS12) . 'r' x 32 . vec8($o{session} // '')
        . vec16(u16(@$suites)) . vec8("\0") . vec16($exts));
}

# The first records of the relay's answer, fewer if it ends before.
sub answer ($s, $want = 1, $seconds = 30) {
    my ($in, $until) = ('', time + $seconds);
    my @records;
    while (@records < $want && time < $until) {
        if (length $in >= 5 && length $in >= 5 + unpack 'x3 n', $in) {
            my ($type, $version, $n) = unpack 'Cnn', $in;
            push @records, { type => $type, version => $version, body => substr $in, 5, $n };
            substr $in, 0, 5 + $n, '';
            next;
        }
        IO::Select->new($s)->can_read($until - time) or last;
        sysread $s, $in, 65536, length $in or last;
    }
    return @records;
}

sub ask (@pieces) {
    my $s = $hd->socket($hd->{tls});
    for (@pieces) {
        last unless defined syswrite $s, $_;
    }
    return $s;
}

# In words: "hello 1.3", "alert 40", "closed", "silence".
sub said ($s) {
    my ($r) = answer($s);
    return eof_of($s) ? 'closed' : 'silence' unless $r;
    return 'alert ' . unpack 'x C', $r->{body} if $r->{type} == ALERT;
    return "record $r->{type}" unless $r->{type} == HANDSHAKE && ord $r->{body} == 2;
    return 'hello ' . ($r->{body} =~ /\x00\x2b\x00\x02\x03\x04/ ? '1.3' : '1.2');
}

sub eof_of ($s) {
    IO::Select->new($s)->can_read(30) or return 0;
    my $n = sysread $s, my $x, 4096;
    return !$n;
}

### What it answers at all

my $hello = record(HANDSHAKE, hello());
is said(ask($hello)), 'hello 1.3', 'a ClientHello';
is said(ask(record(HANDSHAKE, hello(tls12 => 1)))), 'hello 1.2', '... of TLS 1.2';

subtest 'in pieces' => sub {
    my $message = hello();
    is said(ask(split //, $hello)), 'hello 1.3', 'a byte in each segment';
    is said(ask(join '', map { record(HANDSHAKE, $_) } split //, $message)), 'hello 1.3',
        'a byte in each record';
    is said(ask(map { record(HANDSHAKE, $_) } unpack '(a7)*', $message)), 'hello 1.3',
        '7 bytes in each record, each in a segment';
    is said(ask(record(HANDSHAKE, substr($message, 0, 2)), record(HANDSHAKE, substr $message, 2))),
        'hello 1.3', 'cut within the head of the message';
    my $padded = hello(exts => ext(0x0015, "\0" x 12000));
    is said(ask(record(HANDSHAKE, $padded))), 'hello 1.3', '12 kB of padding';
    unharmed('pieces');
};

subtest 'downgrades' => sub {
    is said(ask(record(HANDSHAKE, hello(tls12 => 1, suites => [0xc02b, 0x5600])))), 'alert 86',
        'TLS_FALLBACK_SCSV: alert inappropriate_fallback';
    my ($r) = answer(ask(record(HANDSHAKE, hello(tls12 => 1))));
    is unpack('H*', substr $r->{body}, 4 + 2 + 24, 8), unpack('H*', "DOWNGRD\x01"),
        'TLS 1.2 bears the mark of a relay that speaks 1.3';
    for (0x0300, 0x0301, 0x0302) {
        like said(ask(record(HANDSHAKE, hello(tls12 => 1, version => $_)))), qr/^alert (?:70|40)$/,
            sprintf 'version %04x: alert protocol_version or handshake_failure', $_;
    }
    my $ssl2 = "\x01\x00\x02" . u16(9, 0, 16) . "\x07\x00\xc0\x05\x00\x80\x03\x00\x80" . 'c' x 16;
    unlike said(ask(pack('n', 0x8000 | length $ssl2) . $ssl2)), qr/hello|record/, 'an SSL 2 hello is not answered';
    is said(ask(record(HANDSHAKE, hello(groups => [0x0013, 0x0001], share => '')))), 'alert 40',
        'secp192r1, sect163k1: alert handshake_failure';
    is said(ask(record(HANDSHAKE, hello(tls12 => 1, signatures => [0x0203, 0x0201])))), 'alert 40',
        'signatures with SHA-1 only: alert handshake_failure';
    is said(ask(record(HANDSHAKE, hello(suites => [0x1304, 0x1305])))), 'alert 40', 'CCM only: the same';
    unharmed('downgrades');
};

subtest 'resumption' => sub {
    my ($r) = answer(ask(record(HANDSHAKE, hello(tls12 => 1, exts => ext(0x0023, '')))));
    is ord(substr $r->{body}, 4 + 2 + 32, 1), 0, 'TLS 1.2: no session to come back to';
    unlike $r->{body}, qr/\x00\x23\x00\x00/, '... and no ticket';
    for my $version (qw(-tls1_2 -tls1_3)) {
        my $c = HyperDerp::SClient->new($hd->{tls}, $version, '-reconnect');
        $c->connected;
        $c->end;
        unlike $c->text, qr/Reused/, "$version: every handshake is a new one";
    }
};

# A record of type 24 that claims 16 KiB and holds three bytes.
my $heartbleed = record(HEARTBEAT, "\x01\x40\x00", TLS12);

subtest 'Heartbleed' => sub {
    my ($r) = answer(ask(record(HANDSHAKE, hello(tls12 => 1, exts => ext(0x000f, "\x01")))));
    unlike $r->{body}, qr/\x00\x0f\x00\x01[\x01\x02]/, 'the extension is not taken up';
    is said(ask($heartbleed)), 'alert 10', 'before a hello: alert unexpected_message';
    my $s = ask(record(HANDSHAKE, hello(tls12 => 1)));
    answer($s, 4);    # ServerHello, Certificate, ServerKeyExchange, ServerHelloDone
    syswrite $s, $heartbleed;
    is said($s), 'alert 10', 'within the handshake: the same';
    ok eof_of($s), '... and no byte more';
    for my $version (qw(1.3 1.2)) {
        my $c = HyperDerp::SClient->new($hd->{tls}, $version eq '1.2' ? '-tls1_2' : '-tls1_3');
        $c->connected;
        $c->end;
        like $c->text, qr/TLSv$version/, "a session of TLS $version";
    }
    my $c = $hd->client;
    $c->tell('wire', unpack 'H*', $heartbleed);
    ok $c->closed_within, 'in a session: it is closed';
    unharmed('heartbeats');
};

subtest 'nonsense' => sub {
    my $big = hello(exts => ext(0x0015, "\0" x 17000));
    my @cases = (
        ['an unknown type', record(0x63, 'x' x 10)],
        ['data before a handshake', record(DATA, 'x' x 10)],
        ['a record longer than allowed', record(HANDSHAKE, 'x' x 18000)],
        ['... 65,535 bytes announced', "\x16\x03\x01\xff\xff" . 'x' x 100],
        ['a message of 16 MB announced', record(HANDSHAKE, "\x01\xff\xff\xff" . 'x' x 100)],
        ['a message of 100 kB, sent', join '', map { record(HANDSHAKE, $_) }
                unpack '(a16000)*', message(1, 'x' x 100_000)],
        ['a ServerHello', record(HANDSHAKE, message(2, 'x' x 40))],
        ['ChangeCipherSpec first', record(0x14, "\x01")],
        ['a hundred empty records', record(HANDSHAKE, '') x 100],
        ['a thousand warnings', record(ALERT, "\x01\x5a") x 1000],
        ['the same extension twice', record(HANDSHAKE, hello(exts => ext(0x000b, vec8("\0"))))],
        ['a ClientHello of one byte too little', record(HANDSHAKE, message(1, substr hello(), 4, -1))],
        ['an empty list of suites', record(HANDSHAKE, hello(suites => []))],
        ['a key share of all zeros', record(HANDSHAKE, hello(share => u16(0x001d) . vec16("\0" x 32)))],
        ['... of 31 bytes', record(HANDSHAKE, hello(share => u16(0x001d) . vec16("\x09" x 31)))],
        ['early data that nobody asked for', $hello . record(DATA, 'x' x 40)],
        ['random bytes', join '', map { chr rand 256 } 1 .. 2000],
    );
    for (@cases) {
        my ($what, $bytes) = @$_;
        my $s = ask($bytes);
        my @r = answer($s, 20, 6);
        my ($last) = grep { $_->{type} == ALERT } @r;
        my $end = $last ? 'alert ' . unpack 'x C', $last->{body} : 'no alert';
        ok $last && ord $last->{body} == 2 || eof_of($s), "$what: $end, closed";
    }
    my $s = ask(record(HANDSHAKE, hello(share => '')));
    my ($r) = answer($s);
    like unpack('H*', $r->{body}), qr/^02.{6}0303cf21ad74e59a6111/, 'no key share: HelloRetryRequest';
    syswrite $s, record(HANDSHAKE, hello(share => ''));
    like join(' ', map { unpack 'H*', $_->{body} } grep { $_->{type} == ALERT } answer($s, 3)),
        qr/^02/, '... once: then a fatal alert';
    unharmed('nonsense');
};

subtest 'renegotiation' => sub {
    my $c = HyperDerp::SClient->new($hd->{tls}, '-tls1_2', '-msg');
    $c->connected;
    like $c->text, qr/Secure Renegotiation IS supported/, 'TLS 1.2 announces that it is safe';
    $c->mark;
    $c->say("R\n");
    ok $c->expect(qr/<<< .*Alert.*no_renegotiation/), '... and refuses it';
    unlike $c->rest // '', qr/<<< .*ServerHello[^D].*<<< .*ServerHello[^D]/s, '... no second handshake';
};

$_->quit for $alice, $bob;
$hd->finish;
done_testing;

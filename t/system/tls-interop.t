#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/tls-interop.t - other people's TLS against the relay's port, on each
# record layer; and what a scanner of TLS servers would look for. OpenSSL's
# s_client has t/system/tls.t to itself. HD_INTEROP_LONG=1: rustls too, which
# has to be compiled.
use v5.36;
use Test::More;
use HyperDerp::Test;
use IO::Select;
use IPC::Open2;
use Time::HiRes qw(time);

my $src   = "$HyperDerp::Test::srcdir/t/records";
my $build = $HyperDerp::Test::build;
my $tmp   = File::Temp->newdir('hd-tls-interop-XXXXXX', TMPDIR => 1);
local $SIG{PIPE} = 'IGNORE';

sub have ($program) { return grep { -x "$_/$program" } split /:/, $ENV{PATH} }

# Output of a command, its errors too.
sub output (@cmd) {
    my $pid = open(my $f, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec @cmd or POSIX::_exit(127);
    }
    local $/;
    my $text = <$f> // '';
    close $f;
    return $text;
}

# What stands between here and a program; undef once it is there. Built once.
sub go_client () {
    return 'Go is not installed' unless have('go');
    state $why = do {
        my $log = output('go', 'build', '-o', "$tmp/go-client", "$src/go/main.go");
        -x "$tmp/go-client" ? undef : "go build: $log";
    };
    return $why;
}

sub tlslite () {
    return 'python3 is not installed' unless have('python3');
    state $why = do {
        my $venv = "$build/t/venv";
        output(qw(python3 -m venv), $venv), output("$venv/bin/pip", qw(-q install tlslite-ng))
            unless glob "$venv/lib/python3*/site-packages/tlslite";
        glob("$venv/lib/python3*/site-packages/tlslite") ? undef
            : 'tlslite-ng: needs python3-venv and the network once';
    };
    return $why;
}

sub rustls () {
    return 'only with HD_INTEROP_LONG=1 (bootstrap check --long)'
        unless $ENV{HD_INTEROP_LONG};
    return 'cargo is not installed' unless have('cargo');
    state $why = do {
        local $ENV{CARGO_TARGET_DIR} = "$build/t/rustls";
        my $log = output(qw(cargo build --locked -q --manifest-path), "$src/rustls/Cargo.toml");
        -x "$build/t/rustls/debug/hd-rustls-client" ? undef : "cargo build: $log";
    };
    return $why;
}

# One request by gnutls-cli, a KeyUpdate, another request.
sub gnutls ($port, $priority) {
    my $pid = open2(my $out, my $in, qw(stdbuf -o0 gnutls-cli --inline-commands --no-ca-verification
            -p), $port, '127.0.0.1', '--priority', $priority);
    my ($all, $request) = ('', "GET /derp/probe HTTP/1.1\r\nHost: localhost\r\n\r\n");
    my $until = sub ($re) {
        my $end = time + 60;
        while ($all !~ $re && time < $end) {
            next unless IO::Select->new($out)->can_read(0.2);
            sysread($out, $all, 4096, length $all) or last;
        }
        return $all =~ $re;
    };
    my $done = $until->(qr/Simple Client Mode/) && syswrite($in, $request)
        && $until->(qr/200 OK.*\r\n\r\n/s)
        && ($priority !~ /VERS-TLS1.3/ || syswrite($in, "^rekey^\n") && $until->(qr/Rekey was completed/))
        && syswrite($in, $request) && $until->(qr/200 OK.*200 OK.*\r\n\r\n/s);
    close $in;
    kill 'TERM', $pid;
    waitpid $pid, 0;
    diag $all unless $done;
    return $done;
}

sub stacks ($hd) {
    my $port = $hd->{tls};
    my $ok   = sub ($what, $why, @cmd) {
      SKIP: {
            skip "$what: $why", 1 if defined $why;
            my $text = output(@cmd);
            ok $text =~ /^ok$/m, $what or diag $text;
        }
    };
    $ok->("Go, TLS $_: 500 requests, 20 connections",
        go_client, "$tmp/go-client", "127.0.0.1:$port", $_, 500) for qw(1.3 1.2);
    $ok->("tlslite-ng, $_: 20 KeyUpdates",
        tlslite, "$build/t/venv/bin/python", "$src/tlslite_client.py", $port, $_, 20)
        for qw(aes128gcm aes256gcm chacha20-poly1305);
    $ok->("rustls, TLS $_: 200 requests",
        rustls, "$build/t/rustls/debug/hd-rustls-client", $port, $_, 200) for qw(1.3 1.2);
  SKIP: {
        skip 'gnutls-cli is not installed (gnutls-bin)', 4 unless have('gnutls-cli');
        for my $cipher (qw(AES-128-GCM AES-256-GCM CHACHA20-POLY1305)) {
            my $p = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$cipher";
            ok gnutls($port, $p), "GnuTLS, $cipher: requests and a KeyUpdate";
        }
        ok gnutls($port, 'NORMAL:-VERS-ALL:+VERS-TLS1.2'), 'GnuTLS, TLS 1.2';
    }
    for my $how (['-new'], ['-reuse'], ['-new', '-tls1_2'], ['-reuse', '-tls1_2']) {
        my $text = output(qw(openssl s_time -time 1 -www /derp/probe -connect),
            "127.0.0.1:$port", @$how);
        like $text, qr/^[1-9]\d* connections in \d+ real seconds/m, "openssl s_time @$how";
    }
}

my @layers = (
    ['our records', 'ktls: off'],
    ["our records, OpenSSL's ciphers", 'ktls: off, crypto: openssl'],
    ["OpenSSL's records", 'record_layer: openssl'],
    ["the kernel's records", 'ktls: on'],
);
for my $layer (@layers) {
    my ($name, $conf) = @$layer;
    subtest $name => sub {
        my $hd = HyperDerp::Test->start(conf => "tls: {$conf}\n");
        if ($conf eq 'ktls: on' && !$hd->log_like(qr/kTLS enabled/, 1)) {
            $hd->stop;
            plan skip_all => 'this kernel has no kTLS (modprobe tls)';
        }
        stacks($hd);
        $hd->finish;
    };
}

my $hd = HyperDerp::Test->start;

# s_client until it is through with the handshake.
sub s_client (@options) {
    return output(qw(openssl s_client -connect), "127.0.0.1:$hd->{tls}", @options);
}

# A ClientHello of old, as bytes; the first record of the answer.
sub hello ($version) {
    my $body = pack('H4', $version) . 'r' x 32 . "\0" . pack('n n*', 6, 0x0005, 0x000a, 0x002f) . "\1\0";
    my $message = "\1" . substr(pack('N', length $body), 1) . $body;
    my $s = $hd->socket($hd->{tls});
    syswrite $s, "\x16" . pack('H4 n', $version, length $message) . $message;
    sysread $s, my $answer, 100;
    return unpack 'H*', $answer // '';
}

subtest 'old versions' => sub {
    for (['SSL 3', '0300'], ['TLS 1.0', '0301'], ['TLS 1.1', '0302']) {
        my ($name, $version) = @$_;
        like hello($version), qr/^150[0-9a-f]{3}0002 02 (?:28|46)/x, "$name: a fatal alert";
    }
    my $answer = hello('0303');
    like $answer, qr/^15030300020228/, 'TLS 1.2 with RC4, 3DES, CBC only: alert handshake_failure';
};

subtest 'weak suites of TLS 1.2' => sub {
    for my $suites (qw(NULL aNULL kRSA RC4 3DES SHA1 CAMELLIA DHE PSK), 'SHA256:!AESGCM:!CHACHA20') {
        my $text = s_client('-tls1_2', '-cipher', "$suites:\@SECLEVEL=0");
        if ($text =~ /no cipher match|no ciphers available/) {
            pass "$suites: the client has none either";
        } else {
            like $text, qr/Cipher is \(NONE\)/, "$suites: refused";
        }
    }
    for my $suite (map { "ECDHE-ECDSA-$_" } qw(AES128-GCM-SHA256 AES256-GCM-SHA384 CHACHA20-POLY1305)) {
        like s_client('-tls1_2', '-cipher', $suite), qr/Cipher is \Q$suite\E/, "$suite: served";
    }
};

subtest 'what nobody wants' => sub {
    for my $version (qw(-tls1_2 -tls1_3)) {
        my $text = s_client($version);
        like $text, qr/^Compression: NONE/m, "$version: no compression";
        unlike $text, qr/session ticket/i, '... no tickets';
        unlike $text, qr/Early data was accepted/, '... no early data';
        like $text, qr/Secure Renegotiation IS|TLSv1.3/, '... secure renegotiation is announced';
    }
    for my $n (qw(512 1024 2048 4096)) {
        like s_client('-maxfraglen', $n), qr/Cipher is TLS_/, "records of at most $n bytes";
    }
    unlike s_client('-tls1_3', '-ciphersuites', 'TLS_AES_128_CCM_8_SHA256'), qr/Cipher is TLS_/,
        'TLS_AES_128_CCM_8_SHA256 is refused';
    unlike s_client('-groups', 'P-521:X448'), qr/Cipher is TLS_/, 'groups that cost too much are refused';
};

subtest 'who chooses' => sub {
    my @suites = qw(TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256 TLS_CHACHA20_POLY1305_SHA256);
    like s_client('-ciphersuites', join ':', @suites), qr/Cipher is TLS_AES_128_GCM/,
        'the relay: AES-128 first';
    like s_client('-ciphersuites', join ':', reverse @suites), qr/Cipher is TLS_CHACHA20/,
        '... but ChaCha20 for who puts it first';
    like s_client('-alpn', 'h2,http/1.1'), qr/ALPN protocol: http\/1\.1/, 'http/1.1, not h2';
    like s_client(qw(-alpn h2)), qr/alert number 120|no application protocol/, 'h2 alone: alert 120';
    like s_client(), qr/No ALPN negotiated/, 'none asked: none';
};

$hd->finish;
done_testing;

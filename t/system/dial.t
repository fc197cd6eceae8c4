#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/dial.t - a module opens connections: to a relay and to openssl
# s_server, to names, addresses and nobody; with the right certificate and with
# wrong ones; and goes, or is replaced, while it does.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::SServer;
use HyperDerp::Test;
use IO::Socket::INET;

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/dials.so";

my $live = HyperDerp::Live->new;
my $file = $live->make('dials', build => 1);
my $hd = HyperDerp::Test->start(load_module => ['derp', $file]);
my $dir = $hd->dir;
my ($other) = HyperDerp::Test::certificate($dir, 'other', 'other.example');
my @relay = (host => 'localhost', port => $hd->port, tls => 1, ca => "$dir/relay.crt");

sub words (%o) {
    return join(';;', map { "$_=" . ($o{$_} // '') } sort keys %o) =~ tr/\r\n/^~/r;
}

sub came (%o) {
    my $r = ctl($hd, qw(dials open), words(%o));
    return $r->{data} // { error => "refused: $r->{error}{message}" };
}

# The id of its stream.
sub opens ($name, %o) {
    my $got = came(%o);
    ok !defined $got->{error}, $name or diag explain $got;
    return $got->{id};
}

# An error, and what its sentence says.
sub fails ($error, $text, $name, %o) {
    my $got = came(%o);
    is $got->{error}, $error, $name or diag explain $got;
    like $got->{text} // '', $text, '... and says why';
}

sub refused ($text, $name, %o) {
    my $r = ctl($hd, qw(dials open), words(%o));
    return ok(!$r->{ok} && $r->{error}{message} =~ $text, $name) || diag explain $r;
}

sub use_it ($id, %o) { return ctl($hd, qw(dials use), words(id => $id, %o))->{data} }

sub hears ($id, $text, $name) {
    my $got;
    return ok(HyperDerp::Test::wait_for(sub { ($got = use_it($id))->{heard} // '' =~ $text
        and ($got->{heard} // '') =~ $text }), $name) || diag explain $got;
}

sub pin ($crt) {
    my $hex = qx(openssl x509 -in $crt -outform der | openssl dgst -sha256 -r);
    return 'sha256-raw:' . ($hex =~ /^([0-9a-f]{64})/)[0];
}

# Accepts, or leaves that to the kernel, and says nothing.
sub silent () { return IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') }

my $page = "GET /generate_204 HTTP/1.1\r\nHost: x\r\n\r\n";

subtest 'without TLS' => sub {
    my $got = came(addr => '127.0.0.1', port => $hd->{plain}, first => $page);
    my $id = delete $got->{id};
    is_deeply $got, {
        build => 'BUILD=000001', right_thread => JSON::PP::true, error => undef, text => '',
        alpn => undef, sni => undef, addr => "127.0.0.1:$hd->{plain}", tls => JSON::PP::false,
    }, 'an address, in the worker' or diag explain $got;
    hears $id, qr{^HTTP/1.1 204 }, 'it hears and is heard';
    use_it($id, text => $page);
    hears $id, qr{204 .*HTTP/1.1 204 }s, '... again';
    use_it($id, text => "GET /generate_204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ok HyperDerp::Test::wait_for(sub { !use_it($id)->{open} }), 'the other end closes';
    ok HyperDerp::Test::wait_for(sub { use_it($id)->{closed} > 0 }), '... which closed() is told';
    is use_it($id)->{why}, 'closed by peer', '... with the reason';
    opens 'a name', host => 'localhost', port => $hd->{plain}, shut => undef;
    opens 'an address as text', host => '127.0.0.1', port => $hd->{plain}, shut => undef;
    opens 'from an address', host => '127.0.0.1', port => $hd->{plain}, source => '127.0.0.2', shut => undef;
};

subtest 'TLS' => sub {
    my $got = came(@relay, first => $page, alpn => 'x', alpn2 => 'http/1.1');
    is "$got->{tls} $got->{alpn} $got->{sni}", '1 http/1.1 localhost', 'a CA, ALPN, SNI' or diag explain $got;
    hears $got->{id}, qr{^HTTP/1.1 204 }, 'it hears and is heard';
    my $pin = pin("$dir/relay.crt");
    my %to = (host => 'localhost', port => $hd->port, tls => 1, shut => undef);
    opens 'a pin', %to, pin => $pin;
    opens '... whatever the name', %to, pin => $pin, sni => 'name.invalid';
    opens '... one of several', %to, pin => pin($other) . ";$pin";
    opens '... with the CA', %to, pin => $pin, ca => "$dir/relay.crt";
    opens 'another name than is asked for', %to, ca => "$dir/relay.crt", sni => 'name.invalid', cert => 'localhost';
    delete $to{host};
    $got = came(%to, addr => '127.0.0.1', ca => "$dir/relay.crt");
    is $got->{error} // "no error, no name: $got->{text}", 'no error, no name: ', 'a certificate for an address';
    is $got->{sni}, undef, '... which is no SNI';
};

subtest 'the wrong server' => sub {
    my %to = (host => 'localhost', port => $hd->port, tls => 1);
    my ($crt, $pin) = ("$dir/relay.crt", pin("$dir/relay.crt"));
    my $at = qr/^localhost:$to{port} \(\S+:$to{port}\): /;
    fails 'EKEYREJECTED', qr/${at}its certificate is not for the name name\.invalid, but for .*localhost/,
        'another name', %to, ca => $crt, cert => 'name.invalid';
    fails 'EKEYREJECTED', qr/not for the name 192\.0\.2\.1/, 'another address', %to, ca => $crt, cert => '192.0.2.1';
    fails 'EKEYREJECTED', qr/${at}its certificate is not trusted: .*CAs: \Q$other\E/, 'another CA', %to, ca => $other;
    fails 'EKEYREJECTED', qr/not the pinned one: it has \Q$pin\E$/, 'another pin', %to, pin => pin($other);
    fails 'EKEYREJECTED', qr/not the pinned one/, '... with the right CA', %to, pin => pin($other), ca => $crt;
    fails 'EKEYREJECTED', qr/not trusted/, 'the right pin, another CA', %to, pin => $pin, ca => $other;
    fails 'ENOENT', qr{/nowhere.pem: no CA can be read}, 'no CA file', %to, ca => '/nowhere.pem';
    my $got = came(%to);
    like $got->{error}, qr/^(?:EKEYREJECTED|ENOENT)$/, 'the CAs of the system do not know it' or diag explain $got;
    my $silent = silent();
    my $s = ctl_begin($hd, qw(dials open), words(%to, port => $silent->sockport, pin => $pin));
    my $peer = $silent->accept;
    syswrite $peer, "SSH-2.0-x\r\n";
    $got = ctl_end($s)->{data};
    like "$got->{error} $got->{text}", qr/^EPROTO .*: it does not speak TLS: /, 'one without TLS';
};

subtest 'nobody' => sub {
    my $port = HyperDerp::Test::free_port();
    fails 'ECONNREFUSED', qr/^127\.0\.0\.1:$port: Connection refused/, 'nobody listens', addr => '127.0.0.1', port => $port;
    # a machine without a resolver may wait for it
    my $got = came(host => 'name.invalid', port => 1, ms => 5000);
    like "$got->{error} $got->{text}", qr/^E(?:HOSTUNREACH|TIMEDOUT) name\.invalid:1: the name /, 'no such name';
    fails 'EHOSTUNREACH', qr/another family/, 'a source of another family', addr => '127.0.0.1', port => 1, source => '::1';
    my $silent = silent();
    fails 'ETIMEDOUT', qr/TLS is not up after 200 ms/, 'one that says nothing',
        addr => '127.0.0.1', port => $silent->sockport, tls => 1, ca => $other, tls_ms => 200;
    $silent = silent();
    my $s = ctl_begin($hd, qw(dials open), words(addr => '127.0.0.1', port => $silent->sockport, tls => 1, ca => $other,
        tls_ms => 600_000));
    my $peer = $silent->accept;
    sysread $peer, my $hello, 100;
    like $hello, qr/^\x16\x03\x01/, 'it has begun';
    close $peer;
    is ctl_end($s)->{data}{error}, 'ECONNRESET', '... and hangs up';
    refused qr/^dropped$/, 'cancelled at once', @relay, cancel => undef;
    refused qr/one of them/, 'no address', port => 1;
    refused qr/no port/, 'no port', host => 'x';
    refused qr/neither a host name/, 'a space', host => 'a b', port => 1;
    refused qr/64 hexadecimal/, 'half a pin', @relay, pin => 'sha256-raw:abc';
    refused qr/of TLS, which is not asked for/, 'a pin without TLS', host => 'x', port => 1, pin => 'x';
    refused qr/^dropped$/, 'a protocol that is not in the table', @relay, strange => undef;
};

# What s_server reads together with a command is lost, and it does not say that
# it has done that: so more is said until something is heard.
sub updates ($s, $command, $id, $text) {
    $s->say("$command\n");
    return ok HyperDerp::Test::wait_for(sub { $s->say("$text\n"); use_it($id)->{heard} =~ /^\Q$text\E$/m }),
        "we follow KeyUpdate: $text";
}

# Another TLS: tickets, KeyUpdate, versions.
subtest 'openssl s_server' => sub {
    my $s = HyperDerp::SServer->new($dir, qw(-num_tickets 3));
    my $id = opens 'it is dialled', host => 'localhost', port => $s->port, tls => 1, ca => "$dir/relay.crt";
    use_it($id, text => "how do you do\n");
    ok $s->expect(qr/how do you do/), 'it hears us' or diag $s->text;
    $s->say("and you\n");
    hears $id, qr/^and you$/m, '... and we it, after its tickets';
    for my $round (1 .. 3) {
        updates($s, $round % 2 ? 'K' : 'k', $id, "round $round");    # K: update yours, too
        use_it($id, text => "heard $round\n");
        ok $s->expect(qr/heard $round/), '... and it ours';
    }
    use_it($id, shut => undef);
    ok $s->expect(qr/^(?:DONE|CONNECTION CLOSED)/m), 'we say goodbye' or diag $s->text;
    $s->end;
    for my $suite (qw(TLS_CHACHA20_POLY1305_SHA256 TLS_AES_256_GCM_SHA384)) {
        $s = HyperDerp::SServer->new($dir, '-ciphersuites', $suite);
        $id = opens $suite, host => 'localhost', port => $s->port, tls => 1, ca => "$dir/relay.crt", first => "hello\n";
        ok $s->expect(qr/hello/), '... and it hears us';
        $s->end;
    }
    $s = HyperDerp::SServer->new($dir, '-tls1_2');
    fails 'EPROTO', qr/does not speak TLS 1\.3: /, 'TLS 1.2 is refused', host => 'localhost', port => $s->port, tls => 1,
        ca => "$dir/relay.crt";
    $s->end;
};

subtest 'many' => sub {
    is ctl($hd, qw(dials open), words(@relay, n => 100, shut => undef))->{data}, 100, '100 at once';
    my $port = HyperDerp::Test::free_port();
    is ctl($hd, qw(dials open), words(host => 'localhost', port => $port, n => 100))->{data}, 0, '... or none of them';
};

subtest 'reload, unload' => sub {
    my ($plain, $tls) = (opens('a connection', host => 'localhost', port => $hd->{plain}), opens 'another one, TLS', @relay);
    my $new = $live->make('dials', build => 2);
    my $r = ctl($hd, qw(module reload), 'dials');
    ok $r->{ok}, 'new code' or diag explain $r;
    for my $id ($plain, $tls) {
        my $got = use_it($id, text => $page);
        is "$got->{build} $got->{open}", 'BUILD=000002 1', 'it has the stream';
        hears $id, qr/HTTP.1\.1 204 /, '... which hears and is heard';
    }
    my $silent = silent();
    my %silent = (addr => '127.0.0.1', port => $silent->sockport, tls => 1, ca => $other, tls_ms => 600_000);
    my $s = ctl_begin($hd, qw(dials open), words(%silent));
    my $peer = $silent->accept;
    $r = ctl($hd, qw(module unload dials));
    ok $r->{ok}, 'unloaded' or diag explain $r;
    is ctl_end($s)->{data}{error}, 'ECANCELED', '... what was under way is told';
    ok HyperDerp::Test::wait_for(sub { !sysread $peer, my $hello, 4096 }), '... and closed';
    ok ctl($hd, qw(module load), $new)->{ok}, 'loaded again';
    is use_it($plain)->{open}, JSON::PP::false, '... without the streams of before';
    $s = ctl_begin($hd, qw(dials open), words(%silent, n => 20));
    ok $silent->accept, 'one is under way at the end of the relay';
};

$hd->finish;

subtest "OpenSSL's records" => sub {
    $hd = HyperDerp::Test->start(load_module => ['derp', $file], conf => "tls: {record_layer: openssl}\n");
    my $s = HyperDerp::SServer->new($hd->dir);
    my $id = opens 'it is dialled', host => 'localhost', port => $s->port, tls => 1, ca => $hd->dir . '/relay.crt',
        first => "hello\n";
    ok $s->expect(qr/hello/), 'it hears us';
    updates($s, 'K', $id, 'and you');
    $s->end;
    $hd->finish;
};

done_testing;

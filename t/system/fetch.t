#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/fetch.t - a module asks other servers: good and bad ones, over TLS and a
# unix socket; and goes, or is replaced, while it waits.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

my $build = $HyperDerp::Test::build;
plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/asks.so";
plan skip_all => 'the relay was built without libcurl'
    unless HyperDerp::Test::slurp("$build/config.h") =~ /^#define HAVE_CURL 1/m;

my $live = HyperDerp::Live->new;
my $file = $live->make('asks', build => 1);
my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $file],
    env => { http_proxy => 'http://127.0.0.1:1' });
my ($crt, $key) = HyperDerp::Test::certificate($hd->dir, 'server');
my $socket = $hd->dir . '/server.sock';
my $pid = open2(my $from, my $to, 'python3', "$HyperDerp::Test::srcdir/t/lib/http_server.py", $crt,
    $key, $socket);
my ($port, $tls) = split ' ', <$from> // die 'the server does not start';
my $url = "http://127.0.0.1:$port";
my $https = "https://localhost:$tls";
my $pin = 'sha256//' . qx(openssl x509 -in $crt -pubkey -noout | openssl pkey -pubin -outform der |
    openssl dgst -sha256 -binary | openssl base64);
chomp $pin;

sub words (%o) {
    return join ';;', map { "$_=" . ($o{$_} // '') } sort keys %o;
}

sub fetch (%o) { return ctl($hd, qw(asks fetch), words(%o)) }

# What came; a hash.
sub came (%o) {
    my $r = fetch(%o);
    return $r->{data} // { error => "refused: $r->{error}{message}" };
}

sub refused ($want, $name, %o) {
    my $r = fetch(%o);
    return ok(!$r->{ok} && $r->{error}{message} =~ $want, $name) || diag explain $r;
}

# An error and what its sentence says.
sub fails ($error, $text, $name, %o) {
    my $got = came(%o);
    is $got->{error}, $error, $name or diag explain $got;
    like $got->{text} // '', $text, '... and says why';
}

subtest 'answers' => sub {
    my $got = came(url => "$url/ok");
    is_deeply $got, {
        build => 'BUILD=000001', right_thread => JSON::PP::true, worker => JSON::PP::true,
        error => undef, text => '', status => 200, url => "$url/ok", body => 'hello', length => 5,
        'x-test' => 'yes',
    }, 'a page, in the worker' or diag explain $got;
    $got = came(url => "$url/ok", main => undef);
    is "$got->{worker} $got->{right_thread} $got->{body}", '0 1 hello', '... on the main thread';
    is came(url => "$url/none")->{status}, 404, 'a 404 is an answer';
    is came(url => "$url/echo", body => 'abc', header => 'X-Asked: me')->{body},
        "POST|127.0.0.1:$port|me|none|abc", 'a body is posted';
    is came(url => "$url/echo", method => 'PUT', body => 'abc', header => 'Content-Type: text/x')->{body},
        "PUT|127.0.0.1:$port||text/x|abc", '... or put';
    is came(url => "$url/echo", method => 'DELETE')->{body}, "DELETE|127.0.0.1:$port||none|", 'DELETE';
    $got = came(url => "$url/ok", method => 'HEAD');
    is "$got->{status} $got->{length} $got->{'x-test'}", '200 0 yes', 'HEAD';
    is came(url => "$url/redirect")->{status}, 302, 'a redirect is an answer';
    $got = came(url => "$url/redirect", redirects => 1);
    is "$got->{body} $got->{url} $got->{'x-test'}", "hello $url/ok yes", '... or followed';
    fails('ELOOP', qr/redirect/, 'too many redirects', url => "$url/again", redirects => 3);
    is came(url => 'http://name.invalid/echo', via => "127.0.0.1:$port")->{body},
        'GET|name.invalid||none|', 'another address than the name says';
    is came(url => "http://unix:$socket:/echo")->{body}, 'GET|localhost||none|', 'a unix socket';
    is came(url => 'http://x/echo', via => "unix:$socket")->{body}, 'GET|x||none|',
        '... named apart';
    is came(url => "$url/slow")->{body}, 'at last', 'one that takes its time';
};

subtest 'TLS' => sub {
    is came(url => "$https/ok", ca => $crt)->{body}, 'hello', 'a CA of our own';
    is came(url => "$https/ok", pin => $pin)->{body}, 'hello', 'a pin';
    is came(url => "https://name.invalid/ok", via => "127.0.0.1:$tls", pin => $pin)->{body}, 'hello',
        '... whatever the name';
    fails('EKEYREJECTED', qr/certificate/, 'the CAs of the system do not know it', url => "$https/ok");
    fails('EKEYREJECTED', qr/name/, 'another name', url => "https://name.invalid/ok",
        via => "127.0.0.1:$tls", ca => $crt);
    my $wrong = 'sha256//' . 'A' x 43 . '=';
    fails('EKEYREJECTED', qr/pin/, 'another pin', url => "$https/ok", pin => $wrong);
    fails('EKEYREJECTED', qr/pin/, '... with the right CA', url => "$https/ok", pin => $wrong,
        ca => $crt);
    fails('EPROTO', qr/SSL|TLS/i, 'no TLS there', url => "https://127.0.0.1:$port/ok", pin => $pin);
};

subtest 'failures' => sub {
    my $nobody = HyperDerp::Test::free_port();
    fails('ECONNREFUSED', qr/^127.0.0.1:$nobody: /, 'nobody listens', url => "http://127.0.0.1:$nobody/");
    fails('ECONNREFUSED', qr/^unix:/, 'no socket', url => 'http://unix:/nowhere.sock:/');
    # a machine without a resolver may wait for it
    my $got = came(url => 'http://name.invalid/');
    like $got->{error}, qr/^(?:EHOSTUNREACH|ETIMEDOUT)$/, 'no such name' or diag explain $got;
    fails('ETIMEDOUT', qr/timed out/i, 'no answer', url => "$url/hang", ms => 300);
    fails('EFBIG', qr/too long/, 'an answer without end', url => "$url/huge");
    fails('EFBIG', qr/too long/, 'one that is longer than asked for', url => "$url/ok", max => 4);
    is came(url => "$url/ok", max => 5)->{body}, 'hello', '... or exactly so long';
    fails('ECONNRESET', qr/./, 'one that is cut', url => "$url/cut");
    refused qr/dropped/, 'cancelled at once', url => "$url/hang", cancel => undef;
    refused qr/not a URL to fetch/, 'another scheme', url => 'ftp://x/';
    refused qr/spaces/, 'a space', url => 'http://x/a b';
    refused qr/no host/, 'no host', url => 'http:///x';
    refused qr/unix:/, 'a socket without a path', url => 'http://unix:x';
    refused qr/HOST:PORT/, 'no address', url => $url, via => 'nowhere';
    refused qr/not a header/, 'no header', url => $url, header => 'A b: c';
    refused qr/sha256/, 'half a pin', url => $url, pin => 'sha256//abc';
    refused qr/method/, 'no method', url => $url, method => 'get it';
};

subtest 'many' => sub {
    is ctl($hd, qw(asks many), words(url => "$url/ok", n => 200))->{data}, 200, '200 at once';
};

# A stream whose module asks before it logs in.
subtest 'ask, then log in' => sub {
    HyperDerp::Test::spew($hd->{file}, HyperDerp::Test::slurp($hd->{file}) . "askfirst: {url: \"$url\"}\n");
    my $r = ctl($hd, qw(module load), $live->make('askfirst', build => 1));
    ok $r->{ok}, 'a module that does' or diag explain $r;
    my $says = sub ($s) {
        local $SIG{ALRM} = sub { die "nothing to hear\n" };
        alarm 60;
        my $line = eval { readline $s } // 'the end';
        alarm 0;
        return $line =~ s/\r?\n\z//r;
    };
    my $guest = sub ($text) {
        my $s = $hd->socket;
        print {$s} "GET /askfirst HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: askfirst\r\n\r\n$text";
        $says->($s) for 1 .. 4;
        return $s;
    };
    my $bob = $guest->("bob slow\nwhat was\nsent too early\n");
    is_deeply [map { $says->($bob) } 1 .. 3],
        ['welcome bob', 'BUILD=000001 what was', 'BUILD=000001 sent too early'],
        'let in; what came meanwhile comes after it';
    my $eve = $guest->("eve none\nand more\n");
    is $says->($eve), 'no ', 'who is refused';
    is $says->($eve), 'the end', '... is told, and closed';
    close $guest->("dan slow\n") for 1 .. 20;
    my $fay = $guest->("fay later\nhello\n");
    ok HyperDerp::Test::wait_for(sub { came(url => "$url/laters")->{body} == 1 }), 'one waits for an answer';
    $live->make('askfirst', build => 2);
    my $reload = ctl_begin($hd, qw(module reload askfirst));
    my $begun = time;
    HyperDerp::Test::wait_for(sub { ctl($hd, qw(module status askfirst))->{data}[0]{state} eq 'leaving' }, 3);
    $hd->signal('STOP');    # until the five seconds are over that a reload has
    HyperDerp::Test::wait_for(sub { time > $begun + 5.1 });
    $hd->signal('CONT');
    $r = ctl_end($reload);
    ok $r->{ok}, '... while the module is reloaded, and the machine stands still' or diag explain $r;
    is_deeply [map { $says->($fay) } 1 .. 2], ['welcome fay', 'BUILD=000002 hello'],
        '... which asks again, and lets it in';
    print {$bob} "still here\n";
    is $says->($bob), 'BUILD=000002 still here', 'who was in has stayed';
    my $gus = $guest->("gus hang\n");
    ok ctl($hd, qw(module unload askfirst))->{ok}, 'the module goes while one waits';
    is $says->($gus), 'the end', '... who is closed';
};

subtest 'the module goes while it waits' => sub {
    my @calls = map { ctl_begin($hd, qw(asks fetch), words(url => "$url/hang")) } 1 .. 40;
    push @calls, ctl_begin($hd, qw(asks fetch), words(url => "$url/hang", main => undef));
    ctl($hd, 'status'); # they have been asked
    my $r = ctl($hd, qw(module unload asks));
    ok $r->{ok}, 'it is unloaded at once' or diag explain $r;
    is_deeply [map { ctl_end($_)->{data}{error} // 'none' } @calls], [('ECANCELED') x 41],
        '... and was told of each';
    ok ctl($hd, qw(module load), $file)->{ok}, 'it is loaded';
    is came(url => "$url/ok")->{body}, 'hello', '... and asks again';

    my $since = time;
    my $hang = ctl_begin($hd, qw(asks fetch), words(url => "$url/hang"));
    my $slow = ctl_begin($hd, qw(asks fetch), words(url => "$url/slow"));
    ctl($hd, 'status');
    $live->make('asks', build => 2);
    $r = ctl($hd, qw(module reload asks));
    ok $r->{ok}, 'it is reloaded' or diag explain $r;
    my $got = ctl_end($slow)->{data};
    SKIP: {
        skip 'the machine stalled', 1 if !$got->{status} && time - $since > 3;
        is "$got->{body} $got->{build}", 'at last BUILD=000001', '... a slow answer was waited for';
    }
    $got = ctl_end($hang)->{data};
    is "$got->{error} $got->{build}", 'ECANCELED BUILD=000001', '... one that does not come was not';
    is came(url => "$url/ok")->{build}, 'BUILD=000002', 'the new code asks';
};

ctl_begin($hd, qw(asks fetch), words(url => "$url/hang")) for 1 .. 3;
ctl($hd, 'status');
$hd->finish;
close $to;
waitpid $pid, 0;
done_testing;

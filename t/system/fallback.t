#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/fallback.t - one port for a relay and a web server: by the name that a
# browser asks for, and by the path of a request. The server is
# t/lib/client/web_server.py, which knows how to be slow, deaf and rude;
# t/system/guide.t has nginx behind, as doc/guides/proxies.md says.
use v5.36;
use Test::More;
use Digest::SHA qw(sha256_hex);
use FindBin;
use IO::Select;
use IO::Socket::INET;
use IPC::Open2;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Test;

my $python = '/usr/bin/python3';
for my $program ($python, 'curl') {
    plan skip_all => "not installed: $program" if system("command -v $program >/dev/null 2>&1");
}
my $big = HyperDerp::Test::sanitized() || $ENV{HD_EVENT_BACKEND} ? 5_000_000 : 50_000_000;
my $patience = $HyperDerp::Children::patience;
sub wait_for { goto &HyperDerp::Test::wait_for }

# ---- web servers ----

my $dir = File::Temp->newdir('hd-web-XXXXXX', TMPDIR => 1);
my @www = HyperDerp::Test::certificate("$dir", 'www', 'www.example.com');
my @api = HyperDerp::Test::certificate("$dir", 'api', 'api.example.org');

sub web ($where, @args) {
    unlink $where if $where =~ m{^/};
    my $pid = open2(my $out, my $in, $python, "$HyperDerp::Test::srcdir/t/lib/client/web_server.py", $where, @args);
    HyperDerp::Children::keep($pid);
    my $self = { pid => $pid, out => $out, where => $where };
    is readline($out), "ready\n", "a web server at $where";
    return $self;
}

sub kill_web ($web) {
    kill 'KILL', $web->{pid};
    waitpid $web->{pid}, 0;
    HyperDerp::Children::ended($web->{pid});
}

# A line that it prints.
sub prints ($web, $re) {
    local $SIG{ALRM} = sub { die "the web server does not say $re\n" };
    alarm 2 * $patience;
    while (my $line = readline $web->{out}) {
        alarm 0, return $line if $line =~ $re;
    }
    alarm 0;
    return;
}

my ($http, $https) = map { HyperDerp::Test::free_port() } 1 .. 2;
my $plain = web($http);
my $tls = web($https, '--tls', @www);
my $unix = web("$dir/api.sock", '--tls', @api, '--proxy');

# ---- the relay ----

sub conf ($http_conf, $more = '') {
    return <<~"END";
        fallback:
          http: $http_conf
          sni:
            - {name: [www.example.com, "*.www.example.com"], to: "127.0.0.1:$https"}
            - {name: api.example.org, to: "unix:$dir/api.sock", proxy_protocol: v2}
          $more
        END
}

our $hd = HyperDerp::Test->start(load_module => [qw(derp fallback)], conf => conf("127.0.0.1:$http"));
my ($alice, $bob) = map { $hd->client } 1 .. 2;
ok $alice->ok && $bob->ok, 'two clients of the relay on the same port';

sub reload ($text) {
    $hd->{conf} = $text;
    $hd->write_conf;
    my $r = ctl($hd, 'reload');
    ok $r->{ok}, 'reload' or diag explain $r;
}

# A number of the module's, of all servers.
sub counted ($name, $labels = '') {
    my $n = 0;
    $n += $_->{value} for grep { $_->{name} eq "hyper_derp_fallback_$name" && ($_->{labels} // '') =~ /(?:$labels)/ }
        @{ ctl($hd, 'metrics')->{data} };
    return $n;
}

# ---- browsers ----

my %crt = ('www.example.com' => $www[0], 'api.example.org' => $api[0]);

# What curl prints; its exit status is in $?.
sub curl ($host, $path, @args) {
    my $crt = $crt{$host} // $hd->{crt};
    my ($resolve, $url) = ("$host:$hd->{tls}:127.0.0.1", "https://$host:$hd->{tls}");
    my @paths = ref $path ? @$path : $path;
    open my $f, '-|', 'curl', '-sS', '-m', 120, '--cacert', $crt, '--resolve', $resolve, @args, map { "$url$_" } @paths
        or die "curl: $!";
    local $/;
    my $out = <$f> // '';
    close $f;
    $? >>= 8;
    return $out;
}

my $pattern = join '', map { chr } 0 .. 250;
sub pattern ($n) { return substr($pattern x (1 + $n / 251), 0, $n) }
my $file = HyperDerp::Test::spew("$dir/upload", pattern($big));

# Up to the end, or until it matches, or is so long.
sub read_until ($s, $re = undef, $max = 1 << 30) {
    my $text = '';
    my $until = time + $patience;
    while (time < $until && length $text < $max && (!$re || $text !~ $re)) {
        next unless IO::Select->new($s)->can_read(1);
        sysread($s, $text, 65536, length $text) or last;
    }
    return $text;
}

sub ended ($s) { return wait_for(sub { IO::Select->new($s)->can_read(0.1) && !sysread $s, my $byte, 65536 }) }

# ---- which is whose ----

subtest 'by name, before TLS' => sub {
    for my $host ('www.example.com', 'api.example.org') {
        like curl($host, '/head'), qr/^GET \/head HTTP/m, "$host: its server, with its certificate";
        is $?, 0, '... no error';
    }
    like curl('api.example.org', '/head'), qr/^v2 2111 127\.0\.0\.1 [1-9]\d*$/m, '... by a Unix socket, with a PROXY header';
    like curl('localhost', '/derp', '-i'), qr/^HTTP\/1\.1 426 /, 'another name: the relay, with its own';
    is $?, 0, '... no error';
    my $crt = curl('www.example.com', '/derp');
    like $crt, qr/^GET \/derp /m, 'on the way of the server no path is the relay\'s';
};

subtest 'by path, after TLS' => sub {
    like curl('localhost', '/head'), qr/^-\nGET \/head HTTP/, 'a path that nobody serves';
    like curl('localhost', $_), qr/^GET \Q$_\E HTTP/m, "$_ is the server's" for '/', '/robots.txt';
    like curl('localhost', '/', '-d', 'a=b'), qr/^POST \/ HTTP/m, '... also by POST';
    like curl('localhost', '/generate_204', '-i'), qr/^HTTP\/1.1 204 /, 'paths of the relay stay its own';
    like curl('localhost', '/derp/probe', '-i'), qr/^server: hyper-derp/mi, '... /derp/probe';
    like curl('localhost', '/derp', '-X', 'BREW', '-i'), qr/^HTTP\/1\.1 405 /, '... whatever the method';
    is curl('localhost', '/no-length'), 'bye', 'an answer that ends with the connection';
    is $?, 0, '... has the end of TLS';
    curl('localhost', '/broken');
    isnt $?, 0, 'half an answer has none';
};

subtest 'one connection, many requests' => sub {
    my $out = curl('localhost', ['/derp/probe', '/head', '/sum', '/derp/probe'], '-w', '%{num_connects} ');
    like $out, qr/^1 -\nGET \/head .*0 [0-9a-f]{64}0 -\nGET \/derp\/probe .*0 \z/s,
        'from the first request for the server on all are the server\'s';
};

subtest 'nothing is rewritten' => sub {
    my $head = "GET /head?%41=1 HTTP/1.1\r\nhOsT:   x\r\nX-Odd:\tb \r\nExpect: nothing\r\n\r\n";
    for my $parts ([$head], [split //, $head], [$head =~ /(.{1,20})/gs]) {
        my $s = $hd->socket;
        syswrite $s, $_ for @$parts;
        like read_until($s, qr/nothing\r\n\r\n/), qr/\r\n\r\n-\n\Q$head\E\z/, 'a head in ' . @$parts . ' parts';
    }
    my $long = 'c' x 20_000;
    ok curl('localhost', '/head', '-H', "X-Long: $long") =~ /^X-Long: $long\r$/m, 'a head that is too large for the relay';
    like curl('localhost', '/derp', '-H', "X-Long: $long", '-i'), qr/^HTTP\/1\.\d 431 /, '... for a path of the relay: refused';
    my $s = $hd->socket;
    my $two = "POST /sum HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "0\r\n\r\nGET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n";
    syswrite $s, $two;
    like read_until($s, qr/GET \/derp/), qr/GET \/derp\/probe/, 'what two could read in two ways, one reads';
};

# ---- bytes ----

subtest 'large files' => sub {
    my $sum = sha256_hex(pattern($big));
    for my $host ('localhost', 'www.example.com') {
        is sha256_hex(curl($host, "/big/$big")), $sum, "$host: $big bytes down";
        is curl($host, '/sum', '-T', $file, '-H', 'Expect:'), $sum, '... and up';
        is curl($host, '/sum', '-T', '-', '-H', 'Expect:', '-H', 'Transfer-Encoding: chunked', '-H', 'Content-Length:', '--http1.1'),
            sha256_hex(''), '... chunked, of nothing';
    }
    cmp_ok counted('bytes_total', 'to_client'), '>', 2 * $big, 'counted';
    cmp_ok counted('bytes_total', 'to_server'), '>', 2 * $big, '... both ways';
};

subtest 'records that OpenSSL makes' => sub {
    local $hd = HyperDerp::Test->start(load_module => [qw(derp fallback)], workers => 1,
        conf => conf("127.0.0.1:$http") . "tls: {record_layer: openssl}\n");
    is sha256_hex(curl('localhost', '/big/3000000')), sha256_hex(pattern(3_000_000)), 'down';
    my $part = HyperDerp::Test::spew("$dir/part", pattern(3_000_000));
    is curl('localhost', '/sum', '-T', $part, '-H', 'Expect:'), sha256_hex(pattern(3_000_000)), 'up';
    is curl('localhost', '/no-length'), 'bye', 'an answer that ends with the connection';
    is $?, 0, '... has the end of TLS';
    curl('localhost', '/broken');
    isnt $?, 0, 'half an answer has none';
    $hd->finish;
};

my $more_than_kernels_hold = 200_000_000;

# Writes until nobody takes more for a second; returns how much that was.
sub fill ($s) {
    my ($n, $block) = (0, 'x' x 65536);
    $s->blocking(0);
    while (IO::Select->new($s)->can_write(1)) {
        $n += syswrite($s, $block) // 0;
        return $n if $n > $more_than_kernels_hold;
    }
    return $n;
}

subtest 'who does not read is waited for' => sub {
    my $before = $hd->rss;
    my @slow = map { $hd->socket } 1 .. 4;
    syswrite $_, "GET /big/1000000000 HTTP/1.1\r\nHost: x\r\n\r\n" for @slow;
    my ($was, $same) = (-1, 0);
    ok wait_for(sub {
        my $n = counted('bytes_total', 'to_client');
        $same = $n == $was ? $same + 1 : 0;
        $was = $n;
        return $same == 50;
    }), 'browsers that read nothing: the server is held back';
    my $deaf = $hd->socket;
    syswrite $deaf, "POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n";
    cmp_ok fill($deaf), '<', $more_than_kernels_hold, 'a server that reads nothing: so is the browser';
    cmp_ok $hd->rss - $before, '<', 20_000_000, 'the relay keeps none of it' unless HyperDerp::Test::sanitized();
    like read_until($slow[0], undef, 3_000_000), qr/\AHTTP\/1.1 200 .*\r\n\r\n\Q@{[pattern(100_000)]}\E/s,
        'who reads on has what follows';
    close $_ for @slow, $deaf;
    ok wait_for(sub { counted('connections') == 1 }), 'they end; the deaf server must be ended, or be idle for idle_timeout';
};

subtest 'an upgrade' => sub {
    my $s = $hd->socket;
    syswrite $s, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    like read_until($s, qr/\r\n\r\n/), qr/\AHTTP\/1\.1 101 /, 'goes to the server';
    syswrite $s, "\x81\x05hello";
    is read_until($s, qr/hello/), "\x81\x05hello", '... and what is said then, both ways';
    close $s;
};

subtest 'half an end' => sub {
    my $s = $hd->socket;
    syswrite $s, "POST /until-end HTTP/1.1\r\nHost: x\r\n\r\nso far";
    shutdown $s, 1;
    like read_until($s, qr/now/), qr/now\z/, 'the browser ends, the server answers';
    ok ended($s), '... and ends';
    $s = $hd->socket;
    syswrite $s, "POST /first-end HTTP/1.1\r\nHost: x\r\n\r\n";
    like read_until($s), qr/\AHTTP\/1.1 200 /, 'the server ends';
    syswrite $s, 'then more';
    shutdown $s, 1;
    like prints($plain, qr/^got/), qr/got @{[sha256_hex('then more')]}/, '... and has what the browser says then';
};

# ---- ClientHellos in pieces ----

sub hello ($name) {
    open my $f, '-|', $python, '-c', <<~'END', $name or die;
        import ssl, sys
        incoming, out = ssl.MemoryBIO(), ssl.MemoryBIO()
        s = ssl.create_default_context().wrap_bio(incoming, out, server_hostname=sys.argv[1])
        try:
            s.do_handshake()
        except ssl.SSLWantReadError:
            pass
        print(out.read().hex())
        END
    chomp(my $hex = readline $f);
    return pack 'H*', $hex;
}

subtest 'ClientHellos in pieces' => sub {
    for my $name ('a.www.example.com', 'localhost') {
        my $hello = hello($name);
        my ($first, $rest) = (substr($hello, 5, 60), substr($hello, 65));
        my $records = join '', map { "\x16\x03\x01" . pack('n', length) . $_ } $first, $rest;
        for my $parts ([split //, $hello], [$records], [split //, $records]) {
            my $s = $hd->socket($hd->{tls});
            syswrite $s, $_ for @$parts;
            like read_until($s, qr/./s), qr/\A\x16\x03\x03/, "$name, in " . @$parts . ' parts: a server answers';
        }
    }
    my $s = $hd->socket($hd->{tls});
    syswrite $s, substr(hello('www.example.com'), 0, 100);
    shutdown $s, 1;
    ok ended($s), 'one that ends early is closed';
    $s = $hd->socket($hd->{tls});
    syswrite $s, "GET / HTTP/1.1\r\n\r\n";
    like read_until($s, qr/HTTPS/), qr/This port speaks HTTPS/, 'what is none is told so';
};

# ---- servers that are not there ----

subtest 'no server' => sub {
    kill_web($_) for $plain, $tls;
    my $s = $hd->socket;
    like curl('localhost', '/head', '-i'), qr/^HTTP\/1\.1 502 .*\r\n\r\nthe web server here does not answer\.\n\z/s, 'after TLS: 502';
    is $?, 0, '... a whole answer';
    curl('www.example.com', '/head');
    is $?, 35, 'before TLS: closed';
    curl('localhost', '/head') for 1 .. 3;
    $hd->log_like(qr/the web server is not reached: to=127\.0\.0\.1:$http /);
    my @lines = $hd->log_text =~ /^.* the web server is not reached: to=127\.0\.0\.1:$http .*$/mg;
    is @lines, 1, 'one line of the log' or diag @lines;
    like $lines[0], qr/ times=1 error="127\.0\.0\.1:$http: Connection refused"/, '... says why';
    is counted('unreached_total'), 5, 'counted';
    like curl('localhost', '/generate_204', '-i'), qr/^HTTP\/1.1 204 /, 'the relay serves';
    ($plain, $tls) = (web($http), web($https, '--tls', @www));
    like curl('localhost', '/head'), qr/^GET \/head/m, 'a server that is back is reached';
    like curl('www.example.com', '/head'), qr/^GET \/head/m, '... before TLS, too';
};

# ---- other configurations ----

subtest 'another server, by reload' => sub {
    my $s = $hd->socket;
    syswrite $s, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
    read_until($s, qr/\r\n\r\n/);
    my $v1 = web("$dir/v1.sock", '--proxy');
    reload(conf(qq({to: "unix:$dir/v1.sock", proxy_protocol: v1, paths: [/derp/probe]})));
    like curl('localhost', '/head'), qr/^v1 TCP4 127\.0\.0\.1 [1-9]\d*$/m, 'with a PROXY header of version 1';
    like curl('localhost', '/derp/probe'), qr/^GET \/derp\/probe/m, 'paths as configured';
    like curl('localhost', '/', '-i'), qr/^server: hyper-derp/mi, '... and no others';
    syswrite $s, 'still';
    is read_until($s, qr/still/), 'still', 'connections to the server before stay';
    # not before: a request that stalls for a second would be closed, too
    reload(conf("127.0.0.1:$http", 'idle_timeout: 1s'));
    my $idle = $hd->socket;
    syswrite $idle, "GET /head HTTP/1.1\r\nHost: x\r\n\r\n";
    read_until($idle, qr/GET/);
    ok ended($idle), 'who says nothing for idle_timeout is closed';
    reload(conf('[]'));
    like curl('localhost', '/head', '-i'), qr/^HTTP\/1\.1 404 /, 'without http: 404';
    reload(conf("127.0.0.1:$http"));
    close $s;
};

subtest 'wrong configurations' => sub {
    my %wrong = (
        'to: nowhere' => [qq({to: nowhere}), qr/hd\.yaml:\d+: .*`to: nowhere`: a host or address with its port/],
        'a relative path' => ['{to: "unix:web.sock"}', qr/`to: unix:web\.sock`: .*the absolute path/],
        'a path without /' => [qq({to: "127.0.0.1:80", paths: [x]}), qr/hd\.yaml:\d+: .*`paths`: x: a path begins/],
        'two servers' => [qq([{to: "127.0.0.1:80"}, {to: "127.0.0.1:81"}]), qr/hd\.yaml:\d+: /],
    );
    for my $name (sort keys %wrong) {
        my ($conf, $re) = @{ $wrong{$name} };
        my $bad = HyperDerp::Test::spew("$dir/hd.yaml", $hd->yaml =~ s/^  http: .*/  http: $conf/mr);
        my $said = `$HyperDerp::Test::build/hyper-derp -t --config $bad 2>&1`;
        isnt $?, 0, $name;
        like $said, $re, '... says why';
    }
    my $bad = HyperDerp::Test::spew("$dir/hd.yaml", $hd->yaml =~ s/name: api\.example\.org/name: "*.*.org"/r);
    like `$HyperDerp::Test::build/hyper-derp -t --config $bad 2>&1`, qr/`name: \*\.\*\.org`: not the name of a host/, 'a name';
};

# ---- the module comes and goes ----

sub chat () {
    my $s = $hd->socket;
    syswrite $s, "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
    like read_until($s, qr/\r\n\r\n/), qr/ 101 /, 'a connection that stays';
    return $s;
}

SKIP: {
    skip 'it is built in', 1 unless -e "$HyperDerp::Test::build/modules.d/fallback.so";
    subtest 'reload and unload' => sub {
        my $s = chat();
        ok ctl($hd, qw(module reload fallback))->{ok}, 'new code';
        syswrite $s, 'still';
        is read_until($s, qr/still/), 'still', '... keeps connections';
        like curl('localhost', '/head'), qr/^GET \/head/m, '... and makes new ones';
        ok ctl($hd, qw(module unload fallback))->{ok}, 'unloaded';
        ok ended($s), '... closes them';
        like curl('localhost', '/head', '-i'), qr/^HTTP\/1\.1 404 /, '... and it is 404';
        ok ctl($hd, qw(module load fallback))->{ok}, 'loaded again';
        like curl('www.example.com', '/head'), qr/^GET \/head/m, '... with all of it';
    };
}

# It takes no more: who connects then waits for it.
sub full_server () {
    my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die "listen: $@";
    my @held = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $s->sockport, Blocking => 0) } 1 .. 8;
    return ($s->sockport, $s, @held);
}

SKIP: {
    skip 'it is built in', 1 unless -e "$HyperDerp::Test::build/modules.d/fallback.so";
    subtest 'unloaded while a server is dialled' => sub {
        my ($port, @held) = full_server();
        reload(conf("127.0.0.1:$port", 'connect_timeout: 60s'));
        my $before = counted('connections');
        my $s = $hd->socket;
        syswrite $s, "GET /head HTTP/1.1\r\nHost: x\r\n\r\n";
        ok wait_for(sub { counted('connections') > $before }), 'it does not answer yet';
        ok ctl($hd, qw(module unload fallback))->{ok}, 'unloaded';
        ok ended($s), '... the browser does not wait on';
        unlike $hd->log_text, qr/is not reached: to=127\.0\.0\.1:$port /, '... and nobody blames the server';
        $hd->{conf} = conf("127.0.0.1:$http");
        $hd->write_conf;
        ok ctl($hd, qw(reload))->{ok} && ctl($hd, qw(module load fallback))->{ok}, 'as before';
    };
}

subtest 'all the time the relay relays' => sub {
    $alice->send($bob->key, 'hello');
    is $bob->packet, 'hello', 'clients that were there before';
    my $carol = $hd->client;
    $carol->send($bob->key, 'here');
    is $bob->packet, 'here', '... and a new one';
};

my $s = chat();
$hd->finish;
ok ended($s), 'the end of the relay is theirs';
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/proxied.t - whose a connection is that a proxy passes on: listeners
# with proxy_protocol, and requests from trusted_proxies. (t/system/proxies.t:
# nginx, haproxy and Caddy; t/unit/proxy_header.c, t/unit/forwarded.c: what is a
# header.)
use v5.36;
use Test::More;
use FindBin;
use IO::Select;
use IO::Socket::IP;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;
use Socket qw(AF_INET AF_INET6 IPPROTO_TCP TCP_NODELAY inet_pton);

sub spew { goto &HyperDerp::Test::spew }
sub wait_for { goto &HyperDerp::Test::wait_for }

# ---- headers ----

sub v1 ($from, $port = 4711) {
    my $kind = $from =~ /:/ ? 'TCP6' : 'TCP4';
    return "PROXY $kind $from @{[$from =~ /:/ ? '::1' : '192.0.2.99']} $port 443\r\n";
}

my $signature = "\r\n\r\n\0\r\nQUIT\n";

sub v2_block ($command, $family, $block) {
    return $signature . pack('CCn', 0x20 | $command, $family, length $block) . $block;
}

sub v2 ($from, $port = 4711, $tlvs = '') {
    my $six = $from =~ /:/;
    my $af = $six ? AF_INET6 : AF_INET;
    my $to = inet_pton($af, $six ? '::1' : '192.0.2.99');
    return v2_block(1, $six ? 0x21 : 0x11, inet_pton($af, $from) . $to . pack('nn', $port, 443) . $tlvs);
}

# ---- relays ----

my $live = HyperDerp::Live->new;
my @greet = -e "$HyperDerp::Live::modules/greet.so" ? $live->make('greet', build => 1) : ();

# Every listener is for 127.0.0.1 as a proxy, but $hd->{other}, where that is
# none, and $hd->{direct}, where there is no proxy.
sub relay (%o) {
    my $hd = HyperDerp::Test->new(workers => 1, direct => HyperDerp::Test::free_port(),
        other => HyperDerp::Test::free_port(), raw => HyperDerp::Test::free_port(),
        load_module => ['derp', @greet, @{ delete $o{also} // [] }], %o);
    my $yaml = $hd->yaml =~ s/^(listen: .*)\}\]$/$1}/mr =~ s/^(listen: .*)/$1]/mr;
    $yaml =~ s/^listen: .*/join ', ', listeners($hd)/me;
    $hd->{yaml} = $yaml;
    $hd->write_conf;
    $hd->run->ready($hd->{direct}) or die $hd->log_text;
    return $hd;
}

sub listeners ($hd) {
    my $from = 'proxy_protocol: [127.0.0.1, "2001:db8::/32"]';
    return qq(listen: [{addr: "127.0.0.1:$hd->{tls}", tls: true, $from}),
        qq({addr: "127.0.0.1:$hd->{plain}", $from}),
        @greet ? qq({addr: "127.0.0.1:$hd->{raw}", protocol: greet, $from}) : (),
        qq({addr: "127.0.0.1:$hd->{other}", proxy_protocol: [192.0.2.0/24]}),
        qq({addr: "127.0.0.1:$hd->{direct}"}]);
}

# What peers says of a key: client, proxy.
sub shown ($hd, $key) {
    my ($p) = @{ ctl($hd, 'peers', $key)->{data} };
    return join ' via ', map { ($_ // 'nobody') =~ s/^127\.0\.0\.1:\d+$/here/r } $p->{addr}, $p->{proxy};
}

# A number of the metrics.
sub counted ($hd, $name, $reason = '') {
    my $n = 0;
    $n += $_->{value} for grep { $_->{name} eq $name && ($_->{labels} // '') =~ /$reason/ }
        @{ ctl($hd, 'metrics')->{data} };
    return $n;
}

# A proxy in a process of its own: what comes to its port goes on, behind a header,
# a byte at a time.
sub proxy ($to, $header) {
    my $listener = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 5) or die "listen: $@";
    my $pid = fork // die "fork: $!";
    if ($pid) {
        HyperDerp::Children::keep($pid);
        return $listener->sockport;
    }
    local $SIG{CHLD} = 'IGNORE';
    while (my $from = $listener->accept) {
        next if fork;
        my $there = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $to) or POSIX::_exit(1);
        setsockopt $there, IPPROTO_TCP, TCP_NODELAY, 1;
        syswrite $there, $_ for split //, $header;
        my %other = ($from => $there, $there => $from);
        while (1) {
            for my $s (IO::Select->new($from, $there)->can_read) {
                sysread($s, my $bytes, 65536) or POSIX::_exit(0);
                syswrite $other{$s}, $bytes;
            }
        }
    }
    POSIX::_exit(0);
}

my $hd = relay();
my @logins = HyperDerp::Raw::logins($hd, 20);

# A login behind a header.
sub login ($header, %o) {
    my $login = $o{again} ? $logins[0] : shift @logins;
    my $c = HyperDerp::Raw->open($hd, %o);
    $c->{key} = $login->{key};
    $c->write($_) for $o{bytewise} ? split(//, $header) : ();
    $c->write(($o{bytewise} ? '' : $header) . $login->{head} . $login->{info});
    $c->admitted or die "no login\n", $hd->log_text;
    return $c;
}

subtest 'the client is who the header names' => sub {
    for my $bytewise (0, 1) {
        for (['version 1', \&v1], ['version 2', \&v2]) {
            my ($name, $header) = @$_;
            for my $from ('203.0.113.7', '2001:db8:1::7') {
                my $c = login($header->($from), bytewise => $bytewise);
                my $client = $from =~ /:/ ? "[$from]:4711" : "$from:4711";
                is shown($hd, $c->key), "$client via here", "$name, $from, " . ($bytewise ? 'byte by byte' : 'at once');
                $c->close;
            }
        }
    }
    my $c = login(v2('203.0.113.8', 99, pack('Cn/a*', 4, 'x' x (4096 - 16 - 12 - 3))));
    is shown($hd, $c->key), '203.0.113.8:99 via here', 'the longest header';
    $c->close;
    my ($traced) = grep { $_->{key} eq $c->key } @{ ctl($hd, qw(trace --what login))->{data} };
    is $traced->{addr}, '203.0.113.8:99', 'the trace has the client';
    # The log tells five a second.
    for my $line (qr/ login: key=\w+ addr=203\.0\.113\.7:4711 via=127\.0\.0\.1:\d+ proto=derp/,
        qr/ closed: key=\w+ addr=203\.0\.113\.7:4711 via=127\.0\.0\.1:\d+ proto=derp/) {
        ok wait_for(sub { return 1 if $hd->log_text =~ $line; login(v1('203.0.113.7'), again => 1)->close; return 0 }),
            'the log has both addresses';
    }
    my %listens = map { $_->{addr} => $_->{proxy_protocol} } @{ ctl($hd, 'status')->{data}{listeners} };
    ok $listens{"127.0.0.1:$hd->{plain}"} && !$listens{"127.0.0.1:$hd->{direct}"}, 'status says which listeners are for proxies';
    like $hd->log_text, qr/listening: addr=127\.0\.0\.1:$hd->{tls} tls=yes proxy_protocol=yes/, '... and the log';
};

subtest 'or the proxy, where the header names nobody' => sub {
    for (['LOCAL', v2_block(0, 0, '')], ['UNSPEC', v2_block(1, 0, 'abc')], ['UDP', v2_block(1, 0x12, "\1" x 12)],
        ['a unix socket', v2_block(1, 0x31, '/' x 216)], ['UNKNOWN', "PROXY UNKNOWN\r\n"]) {
        my ($name, $header) = @$_;
        my $c = login($header);
        is shown($hd, $c->key), 'here via nobody', $name;
        $c->close;
    }
    my $c = login('', port => $hd->{direct});
    is shown($hd, $c->key), 'here via nobody', 'a listener without proxy_protocol';
};

subtest 'TLS begins behind it' => sub {
    for my $header (v1('203.0.113.9'), v2('203.0.113.9')) {
        my $port = proxy($hd->{tls}, $header);
        my ($alice, $bob) = map { HyperDerp::Client->new($port, build => $HyperDerp::Test::build) } 1 .. 2;
        is shown($hd, $alice->key), '203.0.113.9:4711 via here', 'the client is known';
        ok ctl($hd, 'peers', $alice->key)->{data}[0]{tls}, '... by TLS';
        $alice->send($bob->key, 'hello');
        is $bob->packet, 'hello', 'packets';
        $_->bye for $alice, $bob;
    }
};

# The specification: nothing begins before the header is there.
subtest 'a protocol that speaks first waits for it' => sub {
    plan skip_all => 'the test modules are not built' unless @greet;
    my $s = $hd->socket($hd->{raw});
    my $header = v2('203.0.113.7');
    syswrite $s, substr $header, 0, 20;
    login(v1('203.0.113.7'))->ping;    # the one worker has had turns
    ok !IO::Select->new($s)->can_read(0), 'it is silent';
    syswrite $s, substr $header, 20;
    is scalar <$s>, "220 BUILD=000001 alpn=none tls=no\n", '... and greets then';
};

# All that it says until it ends; nothing if that does not come.
sub refused ($bytes, %o) {
    my $before = counted($hd, 'hyper_derp_proxy_refused_total');
    my $c = HyperDerp::Raw->open($hd, port => $o{port} // $hd->{plain});
    $c->write($bytes);
    shutdown $c->socket, 1 if $o{end};
    my $said = $c->rest // 'not closed';
    my $n = counted($hd, 'hyper_derp_proxy_refused_total') - $before;
    return $n == 1 ? $said : "$n counted, $said";
}

sub is_refused ($name, $why, $bytes, %o) {
    is refused($bytes, %o), '', $name;
    my $port = $o{port} // $hd->{plain};
    my $line = qr/connection closed: from=127\.0\.0\.1:\d+ listener=127\.0\.0\.1:$port \($why\)/;
    # The log tells five a second.
    return ok wait_for(sub { return 1 if $hd->log_text =~ $line; refused($bytes, %o); return 0 }), '... and the log says why';
}

subtest 'who brings none is closed' => sub {
    my $get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    is_refused('a request', 'it does not begin with a PROXY header', $get);
    is_refused('TLS', 'it does not begin with a PROXY header', "\x16\x03\x01\x02\0", port => $hd->{tls});
    is_refused('a wrong line', 'its PROXY line is wrong', "PROXY TCP4 1.2.3.4\r\n$get");
    is_refused('an endless line', 'its PROXY line does not end within 107 bytes', 'PROXY TCP4 ' . '1' x 96);
    is_refused('a checksum', 'the checksum of its PROXY header is wrong', v2('192.0.2.1', 1, "\3\0\4abcd"));
    is_refused('too much', 'its PROXY header is longer than 4096 bytes', $signature . "\x21\x11\x0f\xf1");
    is_refused('half of one', 'its PROXY header ends early', substr(v2('192.0.2.1'), 0, 20), end => 1);
    is_refused('half a line', 'its PROXY header ends early', 'PROXY TCP4 1', end => 1);
    is_refused('not a proxy', "it is not in the listener's proxy_protocol", v1('203.0.113.7') . $get, port => $hd->{other});
    my $before = counted($hd, 'hyper_derp_proxy_refused_total');
    my $c = HyperDerp::Raw->open($hd);
    shutdown $c->socket, 1;
    is $c->rest, '', 'a look at the port';
    is counted($hd, 'hyper_derp_proxy_refused_total'), $before, '... is no word in the log';
};

# A header where none is due is no request, and nobody's address.
subtest 'a header that nobody waits for' => sub {
    for my $header (v1('203.0.113.7'), v2('203.0.113.7')) {
        my $c = HyperDerp::Raw->open($hd, port => $hd->{direct});
        $c->write("${header}GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        like $c->rest, qr{^HTTP/1\.0 400 }, 'is refused';
    }
};

$hd->finish;

subtest 'a header has login_timeout' => sub {
    my $late = relay(conf => "login_timeout: 1s\n");
    my $c = HyperDerp::Raw->open($late);
    $c->write('PROXY TCP4 ');
    ok $c->closed, 'half of one is closed';
    $c->close;
    ok wait_for(sub { counted($late, 'hyper_derp_closes_total', 'timeout') == 1 }), '... for that';
    $late->finish;
};

subtest 'policy sees the client' => sub {
    $hd = relay(also => ['policy'], conf => <<~'END');
        policy:
          rules:
            - {name: office, from: [203.0.113.0/24]}
            - {name: proxy, from: [127.0.0.1], action: deny, reason: not by the proxy}
          default: deny
        END
    @logins = HyperDerp::Raw::logins($hd, 3);
    my $in = login(v1('203.0.113.7'));
    pass 'admitted by its address';
    ctl($hd, qw(peer revoke), $in->key);
    ok wait_for(sub { $hd->log_text =~ / put out: key=\w+ addr=203\.0\.113\.7:4711 via=127\.0\.0\.1:\d+ reason=/ }),
        'the log of who is put out has both addresses';
    for (['198.51.100.1', qr/./], ['127.0.0.1', qr/not by the proxy/]) {
        my $login = shift @logins;
        my $c = HyperDerp::Raw->open($hd);
        $c->write(v1($_->[0]) . $login->{head} . $login->{info});
        like $c->expect(HyperDerp::Raw::HEALTH) // 'nothing', $_->[1], "not from $_->[0]";
    }
    ok $hd->log_like(qr/login refused: key=\w+ addr=198\.51\.100\.1:4711 via=127\.0\.0\.1:\d+ reason=/), 'the log says whom';
    $hd->finish;
};

subtest 'requests from trusted proxies' => sub {
    $hd = relay(conf => "trusted_proxies: [127.0.0.1, 203.0.113.0/24]\n");
    @logins = HyperDerp::Raw::logins($hd, 12);
    my $is = sub ($header, $client, $name) {
        my ($login) = map { +{ %$_, head => $_->{head} =~ s/\r\n\r\n\z/\r\n$header\r\n\r\n/r } } shift @logins;
        my $c = HyperDerp::Raw->start($hd, $login, port => $hd->{direct});
        $c->admitted or die "no login\n", $hd->log_text;
        is shown($hd, $c->key), $client, $name;
        $c->close;
    };
    my $list = 'X-Forwarded-For: 192.0.2.9, 198.51.100.7';
    $is->($list, '198.51.100.7:0 via here', 'X-Forwarded-For: the last');
    $is->("$list, 203.0.113.1", '198.51.100.7:0 via here', '... that is no proxy');
    $is->("$list\r\nX-Forwarded-For: 203.0.113.1", '198.51.100.7:0 via here', '... of all lines');
    $is->('Forwarded: for=192.0.2.1', 'here via nobody', 'another header is the client\'s');
    ok $hd->log_like(qr/ login: key=\w+ addr=198\.51\.100\.7:0 via=127\.0\.0\.1:\d+ /), 'the log has both';

    # A proxy passes requests of two clients on by one connection.
    my $s = $hd->socket($hd->{direct});
    print {$s} "GET /generate_204 HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n";
    like scalar <$s>, qr/ 204 /, 'a request of one client';
    while (<$s> =~ /\S/) { }
    my $login = shift @logins;
    print {$s} $login->{head} =~ s/\r\n\r\n\z/\r\nX-Forwarded-For: 198.51.100.2\r\n\r\n/r, $login->{info};
    ok wait_for(sub { my ($p) = @{ ctl($hd, 'peers', $login->{key})->{data} }; $p && $p->{addr} eq '198.51.100.2:0' }),
        '... and then one of another';
    close $s;

    # Behind a header of the PROXY protocol: whom that names is asked.
    my $both = sub ($from) {
        my $login = shift @logins;
        my $c = HyperDerp::Raw->open($hd);
        $c->write(v1($from) . $login->{head} =~ s/\r\n\r\n\z/\r\nX-Forwarded-For: 198.51.100.3\r\n\r\n/r . $login->{info});
        $c->admitted or die "no login\n", $hd->log_text;
        my $who = shown($hd, $login->{key});
        $c->close;
        return $who;
    };
    is $both->('203.0.113.1'), '198.51.100.3:0 via here', 'a trusted proxy behind another';
    is $both->('192.0.2.1'), '192.0.2.1:4711 via here', 'a client behind it is none';

    my $reload = sub ($text) {
        spew($hd->{file}, $hd->yaml =~ s/^trusted.*\n/$text/mr);
        return ctl($hd, 'reload')->{ok};
    };
    ok $reload->("trusted_proxies: [127.0.0.1]\ntrusted_header: Forwarded\n"), 'a reload takes another header';
    $is->('Forwarded: for="[2001:db8::7]:80";proto=https', '[2001:db8::7]:80 via here', 'Forwarded');
    $is->($list, 'here via nobody', '... and no other');
    my $c = HyperDerp::Raw->open($hd, port => $hd->{direct});
    $c->write(qq(GET / HTTP/1.1\r\nHost: x\r\nForwarded: for="1, for=192.0.2.1\r\n\r\n));
    like $c->rest, qr/ 400 /, '... which must be one';
    ok $reload->(''), 'none is trusted';
    $is->($list, 'here via nobody', '... nor believed');
    ok !$reload->("trusted_proxies: [nginx]\n"), 'rubbish is refused';
    ok $hd->log_like(qr/hd\.yaml:\d+: `trusted_proxies`: nginx is not an address/), '... with the place';
    $hd->finish;
};

# t/unit/visitor.c: what is one address, and how fast they come.
subtest 'limits of an address' => sub {
    $hd = relay(conf => "trusted_proxies: [127.0.0.1]\nmax_connections_per_address: 1\n");
    @logins = HyperDerp::Raw::logins($hd, 12);
    my $forwarded = sub ($from) {
        my $login = shift @logins;
        my $head = $login->{head} =~ s/\r\n\r\n\z/\r\nX-Forwarded-For: $from\r\n\r\n/r;
        return HyperDerp::Raw->start($hd, { %$login, head => $head }, port => $hd->{direct});
    };
    my $proxied = sub ($from) {
        my $login = shift @logins;
        my $c = HyperDerp::Raw->open($hd);
        $c->write(v1($from) . $login->{head} . $login->{info});
        return $c;
    };
    my @c = map { HyperDerp::Raw->login($hd, shift @logins, port => $hd->{direct}) } 1 .. 3;
    pass 'a trusted proxy has none';
    my @here = map { $_->('203.0.113.7'), $_->('2001:db8:1::7') } $proxied;
    ok $_->admitted, 'one of each client of a proxy' for @here;
    ok $proxied->($_)->closed, "... and no more: $_" for '203.0.113.7', '2001:db8:1::8';
    like $forwarded->('203.0.113.7')->rest, qr/^HTTP\S+ 429 /, '... whichever way they come';
    push @here, $forwarded->('203.0.113.9');
    ok $here[-1]->admitted, 'a client of an HTTP proxy';
    like $forwarded->('203.0.113.9')->rest, qr/^HTTP\S+ 429 /, '... and no more';
    $_->close for $here[0], $here[-1];
    my $last = shift @logins;
    ok wait_for(sub { @logins = ($last); $proxied->('203.0.113.9')->admitted }), 'who leaves makes room';
    $hd->finish;
};

subtest 'what -t refuses' => sub {
    my $check = sub ($list) {
        my $bad = HyperDerp::Test->new(no_tls => 1);
        spew($bad->{file}, qq(listen:\n  - {addr: "127.0.0.1:1",\n     proxy_protocol: $list}\n));
        my $text = qx($HyperDerp::Test::build/hyper-derp -t --config $bad->{file} 2>&1);
        return ($text, $? >> 8);
    };
    for (['yes', qr/`proxy_protocol`: yes is not an address or a prefix; list the proxies/], ['[]', qr/`proxy_protocol` has 0 entries/],
        ['["127.0.0.1:80"]', qr/.*127\.0\.0\.1:80 is not an address or a prefix/], ['[localhost]', qr/.*localhost is not an address/],
        ['[10.0.0.1/8]', qr/.*10\.0\.0\.1\/8 has bits set after its prefix/], ['{from: 10.0.0.1}', qr/`proxy_protocol` must be a list/]) {
        my ($list, $why) = @$_;
        my ($text, $code) = $check->($list);
        is $code, 78, $list;
        like $text, qr/hd\.yaml:3: $why/, '... with place and reason';
    }
    my ($text, $code) = $check->('[0.0.0.0/0]');
    is $code, 0, 'everybody is not wrong';
    like $text, qr/hd\.yaml:3: `proxy_protocol`: 0\.0\.0\.0\/0 is everybody/, '... but warned of';
};

done_testing;

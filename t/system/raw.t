#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/raw.t - listeners that speak a module's protocol from the first byte,
# over TCP and TLS, and connections that choose one by ALPN.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::SClient;
use HyperDerp::Test;

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/greet.so";
my $live = HyperDerp::Live->new;

sub spew { goto &HyperDerp::Test::spew }
sub wait_for { goto &HyperDerp::Test::wait_for }

sub refused ($r, $want, $name) {
    return ok(!$r->{ok} && $r->{error}{message} =~ $want, $name) || diag explain $r;
}

sub taken ($r, $name) { return ok($r->{ok}, $name) || diag explain $r }

# A line; nothing at the end, or when none comes.
sub line ($s) {
    local $SIG{ALRM} = sub { close $s };
    alarm 60;
    my $line = '';
    while ($line !~ /\n/) { sysread($s, $line, 1, length $line) or last }
    alarm 0;
    return $line =~ s/\n\z//r;
}

sub ask ($s, $text) {
    syswrite $s, "$text\n";
    return line($s);
}

# Relays with two more ports: plain, TLS, both for `greet`.
sub relay ($class_method, %o) {
    my ($raw, $tls) = (HyperDerp::Test::free_port(), HyperDerp::Test::free_port());
    my $hd = HyperDerp::Test->new(load_module => ['derp', $live->make('greet', build => 1)],
        workers => 1, %o);
    my $more = qq({addr: "127.0.0.1:$raw", protocol: greet}, )
        . qq({addr: "127.0.0.1:$tls", protocol: @{[$o{tls_speaks} // 'greet']}, tls: true});
    $hd->{yaml} = $hd->yaml =~ s/^listen: \[(.*)\]$/listen: [$1, $more]/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text if $class_method eq 'start';
    return ($hd, $raw, $tls);
}

# What s_client says until it has been greeted, or refused.
sub greeted ($port, @args) {
    my $c = HyperDerp::SClient->new($port, @args);
    $c->expect(qr/220 [^\n]*\n|alert[^\n]*\n/);
    my $text = $c->text;
    $c->end;
    return $text;
}

# What was chosen by ALPN, with who greets nobody.
sub chosen ($port, @args) {
    my $c = HyperDerp::SClient->new($port, @args);
    $c->connected;
    my $text = $c->text;
    $c->end;
    return $text;
}

subtest 'on listeners that name it' => sub {
    my ($hd, $raw, $tls) = relay('start', conf => "login_timeout: 1s\n");
    my $s = $hd->socket($raw);
    is line($s), '220 BUILD=000001 alpn=none tls=no', 'it speaks first';
    is ask($s, 'stay'), '1 stay', 'it answers';
    my $silent = $hd->socket($raw);
    line($silent);
    is line($silent), '', 'who does not stay is closed after login_timeout';
    is ask($s, 'hello'), '2 hello', '... who stays is not';
    syswrite $s, "a\nb\n";
    is line($s) . line($s), '3 a4 b', 'two lines in one';
    is ask($s, 'quit'), '5 quit', 'its last word';
    is line($s), '', '... is followed by the end';
    my $get = $hd->socket($raw);
    line($get);
    is ask($get, "GET / HTTP/1.1\r"), "1 GET / HTTP/1.1\r", 'HTTP is nothing here';

    like greeted($tls), qr/220 BUILD=000001 alpn=none tls=yes/, 'TLS without ALPN';
    like greeted($tls, qw(-tls1_2)), qr/220 BUILD=000001 alpn=none tls=yes/, '... TLS 1.2';
    like greeted($tls, '-alpn', 'h2,greet/1'), qr/220 BUILD=000001 alpn=greet\/1 tls=yes/, 'with it';
    like greeted($tls, '-alpn', 'h2,http/1.1'), qr/alert no application protocol|alert number 120/,
        'with others only: refused';
    my $plain = $hd->socket($tls);
    syswrite $plain, "GET / HTTP/1.1\r\n\r\n";
    unlike line($plain), qr/HTTP/, 'who speaks plainly to TLS gets no HTTP';
    my ($module) = @{ ctl($hd, qw(module status greet))->{data} };
    is_deeply $module->{protocols}, [qw(greet greets)], 'module status shows its protocols';
    like join(' ', @{ $module->{listeners} }), qr/tcp 127\.0\.0\.1:$raw.*tls 127\.0\.0\.1:$tls/,
        '... and listeners';
    my ($shown) = grep { $_->{addr} eq "127.0.0.1:$raw" } @{ ctl($hd, 'status')->{data}{listeners} };
    is $shown->{protocol}, 'greet', 'so does status';
    like $hd->log_text, qr/listening: addr=127\.0\.0\.1:$raw tls=no protocol=greet/, 'and the log';
    close $get;
    my ($opened, $closed);
    ok wait_for(sub {
        my $numbers = ctl($hd, qw(module status greet))->{data}[0]{counters};
        ($opened, $closed) = @$numbers{qw(greet_opened_total greet_closed_total)};
        return $opened == $closed;
    }), 'closed() is called for whom opened() was, and for no other'
        or diag "opened $opened, closed $closed";
    is $opened, 6, '... three over TCP, three over TLS';
    $hd->finish;
};

subtest 'by ALPN, beside HTTP' => sub {
    for my $layer (qw(auto openssl)) {
        my ($hd) = relay('start', conf => "tls: {record_layer: $layer}\n");
        my $port = $hd->port;
        my $c = HyperDerp::SClient->new($port, '-alpn', 'http/1.1,greet/1,greet/2');
        ok $c->expect(qr{220 BUILD=000001 alpn=greet/2 tls=yes\n}), "$layer: the relay's order decides"
            or diag $c->text;
        $c->say("hello\n");
        ok $c->expect(qr/^1 hello\n/m), '... and the connection is of the protocol';
        $c->end;
        like greeted($port, qw(-tls1_2 -alpn greet/1)), qr{220 .* alpn=greet/1}, '... TLS 1.2';
        # P-256 only in the second flight
        like greeted($port, qw(-groups P-521:P-256 -alpn greet/1)), qr{220 .* alpn=greet/1},
            '... after a HelloRetryRequest';
        for my $none ([], ['-alpn', 'h2,http/1.1']) {
            my $text = chosen($port, @$none);
            unlike $text, qr/220 /, "not for @$none";
            like $text, qr/ALPN protocol: http\/1\.1|No ALPN/, '... which gets HTTP';
        }
        like greeted($port, '-alpn', 'h2,smtp'), qr/alert no application protocol|alert number 120/,
            'nothing in common: refused';
        my ($alice, $bob) = map { $hd->client } 1 .. 2;
        $alice->send($bob->key, 'as ever');
        is $bob->packet, 'as ever', 'DERP goes on';
        $hd->finish;
    }
};

subtest 'the module comes and goes' => sub {
    my ($hd, $raw) = relay('start');
    my $s = $hd->socket($raw);
    is line($s), '220 BUILD=000001 alpn=none tls=no', 'served';
    is ask($s, 'stay'), '1 stay', 'a line';
    my $c = HyperDerp::SClient->new($hd->port, qw(-alpn greet/1));
    ok $c->expect(qr/220 BUILD=000001/), '... by ALPN, too';

    $live->make('greet', build => 2);
    my $r = ctl($hd, qw(module reload greet));
    taken $r, 'new code';
    is ask($s, 'still here'), '2 still here', 'the connection stays, with its state';
    $c->say("me too\n");
    ok $c->expect(qr/^1 me too$/m), '... so does that of ALPN';
    is line($hd->socket($raw)), '220 BUILD=000002 alpn=none tls=no', 'new ones meet the new code';

    $live->make('greet', build => 3, state_version => 7);
    taken ctl($hd, qw(module reload greet)), 'code with another state';
    is line($s), '', 'the connection ends';
    is line($hd->socket($raw)), '220 BUILD=000003 alpn=none tls=no', 'new ones are served';

    $s = $hd->socket($raw);
    is line($s), '220 BUILD=000003 alpn=none tls=no', 'one more';
    taken ctl($hd, qw(module unload greet)), 'the module goes';
    is line($s), '', 'the connection ends';
    is line($hd->socket($raw)), '', 'new ones are closed';
    ok $hd->log_like(qr/connection closed: from=\S+ listener=127\.0\.0\.1:$raw protocol=greet \(no module/),
        '... and the log says why';
    like $hd->log_text, qr/a listener without its protocol closes what comes: addr=127\.0\.0\.1:$raw/,
        '... as it did when the module went';
    like chosen($hd->port, '-alpn', 'greet/1,http/1.1'), qr/ALPN protocol: http\/1\.1/,
        'ALPN chooses HTTP now';
    taken ctl($hd, qw(module load), $live->dir . '/greet.so'), 'it comes again';
    is line($hd->socket($raw)), '220 BUILD=000003 alpn=none tls=no', 'and serves';
    taken ctl($hd, 'drain'), 'the relay drains';
    $hd->finish;
};

subtest 'a listener that the module opens' => sub {
    my $port = HyperDerp::Test::free_port();
    my $file = $live->make('greet', build => 1);
    my $hd = HyperDerp::Test->start(load_module => ['derp', $file], no_tls => 1,
        conf => qq(greet: {addr: "127.0.0.1:$port"}\n));
    is line($hd->socket($port)), '220 BUILD=000001 alpn=none tls=no', 'it speaks the protocol';
    my $s = $hd->socket($port);
    line($s);
    $live->make('greet', build => 2);
    taken ctl($hd, qw(module reload greet)), 'new code';
    is ask($s, 'still here'), '1 still here', 'its connection stays';
    is line($hd->socket($port)), '220 BUILD=000002 alpn=none tls=no', 'and the listener';
    my $yaml = HyperDerp::Test::slurp($hd->{file});
    spew($hd->{file}, $yaml =~ s/^greet: \{/greet: {speaks: greets, /mr);
    refused ctl($hd, qw(module reload greet)), qr/`greet\.speaks` has changed in the file, .*`module unload greet`, then/,
        'an option that is not live cannot change under a connection';
    is ask($s, 'and here'), '2 and here', '... which notices nothing';
    spew($hd->{file}, $yaml);
    taken ctl($hd, qw(module unload greet)), 'the module goes';
    is line($s), '', 'its connection ends';
    ok wait_for(sub { !$hd->socket($port) }), 'the listener is closed';
    $hd->finish;

    my $bad = HyperDerp::Test->new(load_module => ['derp', $file], no_tls => 1,
        conf => qq(greet: {addr: "127.0.0.1:$port", speaks: nothing}\n));
    $bad->run;
    is $bad->wait_exit >> 8, 1, 'one that names what nobody offers: no start';
    like $bad->log_text, qr/its listener greet speaks nothing, which neither it nor/, '... and why';

    my $conf = qq(greet: {addr: "127.0.0.1:$port", speaks: greets);
    $bad = HyperDerp::Test->new(load_module => ['derp', $file], no_tls => 1, conf => "$conf}\n");
    $bad->run;
    is $bad->wait_exit >> 8, 78, 'one without TLS that speaks what is for TLS only: no start';
    like $bad->log_text, qr/its listener greet has no certificate, and greets is spoken over TLS only/, '... and why';
    $hd = HyperDerp::Test->new(load_module => ['derp', $file]);
    spew("$hd->{dir}/own.pem", HyperDerp::Test::slurp($hd->{crt}) . HyperDerp::Test::slurp($hd->{key}));
    chmod 0600, "$hd->{dir}/own.pem";
    $hd->{yaml} = $hd->yaml . "$conf, cert: $hd->{dir}/own.pem}\n";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    like greeted($port), qr/220 BUILD=000002 alpn=none tls=yes/, '... with it: served';
    $hd->finish;
};

subtest 'what -t and the start refuse' => sub {
    my $check = sub ($conf, %o) {
        my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp', $live->make('greet', build => 1)], %o);
        $hd->{yaml} = $hd->yaml =~ s/^listen: .*$/listen: [$conf]/mr;
        $hd->write_conf;
        my $text = qx($HyperDerp::Test::build/hyper-derp -t --config $hd->{file} 2>&1);
        return ($text, $? >> 8, $hd);
    };
    my ($text, $code) = $check->('{addr: "127.0.0.1:1", protocol: greet}');
    is $code, 0, 'a protocol that there is' or diag $text;
    ($text, $code) = $check->('{addr: "127.0.0.1:1", protocol: http}');
    is $code, 0, 'http is one' or diag $text;
    ($text, $code, my $hd) = $check->('{addr: "127.0.0.1:1", protocol: mqtt}');
    is $code, 78, 'one that there is not';
    like $text, qr/hd\.yaml:1: `protocol: mqtt`: no module that is loaded speaks it; add its module to load_module.*\(there are: greet, greets\)/,
        '... and the remedy';
    $hd->run;
    is $hd->wait_exit >> 8, 78, '... nor does it start';
    like $hd->log_text, qr/`protocol: mqtt`: no module that is loaded speaks it/, '... for the same reason';
    ($text, $code) = $check->('{addr: "127.0.0.1:1", protocol: greet}', load_module => ['derp']);
    like $text, qr/there are: none/, 'the module is not loaded';
    ($text, $code) = $check->('{addr: "127.0.0.1:1", protocol: greets}');
    like $text, qr/hd\.yaml:1: `protocol: greets` is spoken over TLS only; add `tls: true`/, 'TLS is missing';
    ($text, $code) = $check->('{addr: "127.0.0.1:1", protocol: greet, name: metrics}');
    like $text, qr/hd\.yaml:1: .*leave out one of the two/, 'a name beside it';
};

# The clients of another project, against a module of a hundred lines.
subtest 'MQTT' => sub {
    plan skip_all => 'mosquitto_pub is not there (mosquitto-clients)'
        if system('which mosquitto_pub mosquitto_sub >/dev/null 2>&1') != 0;
    my $raw = HyperDerp::Test::free_port();
    my $hd = HyperDerp::Test->new(load_module => [qw(derp mqtt)], workers => 1);
    $hd->{yaml} = $hd->yaml =~ s/^listen: \[(.*)\]$/listen: [$1, {addr: "127.0.0.1:$raw", protocol: mqtt}]/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my $mqtt = sub ($program, $port, @args) {
        return qx(timeout 60 mosquitto_$program -V mqttv311 -h 127.0.0.1 -p $port -t news @args 2>&1);
    };
    my @by_tls = ('--cafile', $hd->{crt}, '--tls-alpn', 'mqtt');
    is $mqtt->('pub', $raw, '-m', 'one'), '', 'published';
    is $mqtt->('sub', $raw, '-C', 1), "one\n", '... and read';
    is $mqtt->('pub', $hd->port, @by_tls, '-m', 'x' x 300), '', 'published over TLS, by ALPN';
    is $mqtt->('sub', $hd->port, @by_tls, '-C', 1), 'x' x 300 . "\n", '... and read';
    is $mqtt->('sub', $raw, '-C', 1), 'x' x 300 . "\n", '... also without';
    isnt $mqtt->('pub', $hd->port, @by_tls[0, 1], '-m', 'two'), '', 'TLS without ALPN is HTTP';
    $hd->finish;
};

done_testing;

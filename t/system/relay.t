#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/relay.t - what clients get from a relay: packets, PeerGone,
# duplicates, pongs, and a key that comes back.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use JSON::PP qw(decode_json);

use constant DISCO => "TS\xf0\x9f\x92\xac" . 'x' x 56;    # 62 bytes: disco

my $hd = HyperDerp::Test->start(workers => 2);

# Six keys live in both workers: among 30 pairs, some share one and some do not
# (all in one: 2 in 64, and then the moves are still tested).
sub exchange (@clients) {
    my %want;
    for my $from (@clients) {
        for my $to (grep { $_ != $from } @clients) {
            my $text = substr($from->key, 0, 8) . '>' . substr($to->key, 0, 8);
            $from->send($to->key, $text);
            $want{ $to->key }{$text} = 1;
        }
    }
    for my $c (@clients) {
        my %got = map { $c->packet // 'nothing' => 1 } 2 .. @clients;
        is_deeply \%got, $want{ $c->key }, substr($c->key, 0, 8) . ' gets one from each';
    }
}

subtest 'packets over TLS' => sub {
    my @clients = map { $hd->client } 1 .. 6;
    exchange(@clients);
    $_->quit for @clients;
};

subtest 'packets in the clear' => sub {
    my @clients = map { $hd->client(plain => 1) } 1 .. 6;
    exchange(@clients);
    $_->quit for @clients;
};

subtest 'TLS, plain, with and without 101' => sub {
    exchange($hd->client, $hd->client(plain => 1), $hd->client(upgrade => 1),
        $hd->client(plain => 1, upgrade => 1));
};

subtest 'every size, in order' => sub {
    my ($alice, $bob) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    my @sizes = (0, 1, 31, 32, 1280, 16347, 16348, 16384, 65535, 65536);
    $alice->send($bob->key, chr($_ % 251) x $_) for @sizes;
    my @bad = grep { ($bob->packet // 'nothing') ne chr($_ % 251) x $_ } @sizes;
    is_deeply \@bad, [], 'arrive whole: ' . join ' ', @sizes;
};

subtest 'the source is the key that was proven' => sub {
    my ($alice, $bob) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    $alice->send($bob->key, 'x');
    is_deeply [$bob->packet], ['x', $alice->key], 'alice';
    $alice->send($alice->key, 'to myself');
    is_deeply [$alice->packet], ['to myself', $alice->key], 'a packet to oneself comes back';
};

subtest 'PeerGone: not here' => sub {
    my $alice = $hd->client;
    my $nobody = '11' x 32;
    $alice->send($nobody, 'not disco');
    ok $alice->silent, 'a packet to nobody is dropped in silence';
    $alice->send($nobody, DISCO);
    is $alice->event, "gone $nobody 1", 'a disco packet is answered';
    $alice->send($nobody, DISCO) for 1 .. 20;
    $alice->ping('burst###');
    my $n = 0;
    while ((my $e = $alice->event // last) !~ /^pong/) { $n++ if $e =~ /^gone/ }
    # 3 at once and 1/s: 2 were left, and a slow machine earns more
    cmp_ok $n, '<', 10, 'but not each of a burst';
    $alice->quit;
};

subtest 'PeerGone: not here, from the other worker' => sub {
    my ($alice) = HyperDerp::Raw->login($hd);
    my @gone = map {
        my $nobody = sprintf('%02x', $_) x 32;
        $alice->send($nobody, DISCO);
        my $p = $alice->expect(HyperDerp::Raw::PEER_GONE) // '';
        $p eq pack('H*C', $nobody, 1);
    } 1 .. 3;
    is_deeply \@gone, [1, 1, 1], 'keys of either worker are answered';
};

subtest 'PeerGone: disconnected' => sub {
    my @raw = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 8);
    my ($leaver, @others) = @raw;
    my @told = @others[0 .. 4];
    for my $c (@told) {
        $leaver->send($c->key, 'hello');
        $c->packet;
    }
    $leaver->close;
    my @got = map { unpack 'H64C', $_->expect(HyperDerp::Raw::PEER_GONE) // '' } @told;
    is_deeply \@got, [map { ($leaver->key, 0) } @told],
        'goes to each that got a packet from it';
    ok $_->silent, 'not to one that got none' for @others[5, 6];
    ok $_->silent, 'once' for @told;
};

subtest 'PeerGone each time it leaves' => sub {
    my ($one, $two) = HyperDerp::Raw::logins($hd, 2);
    my $bob = HyperDerp::Raw->login($hd, $two);
    for (1 .. 3) {
        my $alice = HyperDerp::Raw->login($hd, $one);
        $alice->send($bob->key, 'hello');
        is $bob->packet, 'hello', 'here';
        $alice->close;
        is $bob->expect(HyperDerp::Raw::PEER_GONE), pack('H64C', $one->{key}, 0), 'gone';
    }
};

# What is owed to who has left is forgotten, and begins anew when it is back.
subtest 'PeerGone to one that came back' => sub {
    for my $round (1 .. 6) {
        my ($one, $two) = HyperDerp::Raw::logins($hd, 2);
        my ($stays, $goes) = map { HyperDerp::Raw->login($hd, $_) } $one, $two;
        for (1 .. 4) {    # the relay keeps in mind that it has noted whom to tell
            $stays->send($goes->key, 'hello');
            $goes->packet;
            $goes->send($stays->key, 'hello');
            $stays->packet;
        }
        $goes->close;
        is $stays->expect(HyperDerp::Raw::PEER_GONE), pack('H64C', $two->{key}, 0), 'it has left';
        my $back = HyperDerp::Raw->login($hd, $two);
        $stays->send($back->key, 'again');
        is $back->packet, 'again', 'it is back';
        $stays->close;
        is $back->expect(HyperDerp::Raw::PEER_GONE), pack('H64C', $one->{key}, 0), 'and is told';
    }
};

subtest 'duplicates' => sub {
    my $secret = '77' x 32;
    my $bob = $hd->client;
    my ($one, $two, $three) = map { $hd->client(secret => $secret) } 1 .. 3;
    my $key = $one->key;
    is $two->key, $key, 'three connections have one key';
    my $to = sub ($want, $why) {
        $bob->send($key, $why);
        is $want->packet, $why, $why;
        ok $_->silent, '... and no other gets it' for grep { $_ != $want } $one, $two, $three;
        $want->ping('active##');    # silent() made the others speak
        $want->expect(qr/^pong/);
    };
    # Its end and a packet of bob's come by different ways.
    my $leaves = sub ($c, $left) {
        $c->quit;
        HyperDerp::Test::wait_for(sub { @{ decode_json($hd->ctl('--json', 'peers', $key)) } == $left });
    };
    $bob->send($key, 'the newest is active');
    is $three->packet, 'the newest is active', 'the newest is active';
    $one->ping('spoken##');
    $one->expect(qr/^pong/);
    $to->($one, 'then the last that spoke');
    $two->frame(0x07, "\1");
    ok $two->silent, '... NotePreferred is speaking, too';
    $to->($two, 'so it moves again');
    $one->frame(0x7f, 'x');
    ok $one->silent, '... even a frame of unknown type is';
    $to->($one, 'and again');
    $two->ping('spoken##');
    $two->expect(qr/^pong/);
    $one->ping('spoken##');
    $one->expect(qr/^pong/);
    $leaves->($one, 2);
    $bob->send($key, 'fall back');
    is $two->packet, 'fall back', 'when it leaves, the one that spoke before takes over';
    $leaves->($two, 1);
    $bob->send($key, 'last');
    is $three->packet, 'last', 'then the last one';
    $three->send($bob->key, 'hi');
    is $bob->packet, 'hi', 'bob has had no PeerGone so far';
    $three->quit;
    is $bob->expect(qr/^gone/), "gone $key 0", 'but when the last one leaves';
    $bob->quit;
};

subtest 'ping' => sub {
    my $c = HyperDerp::Raw->login($hd);
    for my $n (8, 9, 1000) {
        my $data = join '', map { chr($_ * 7 % 256) } 1 .. $n;
        $c->frame(HyperDerp::Raw::PING, $data);
        is $c->expect(HyperDerp::Raw::PONG), substr($data, 0, 8), "$n bytes: the first 8 come back";
    }
};

# The client's new connection often reaches the relay before the end of its old
# one. Whatever the order, what counts in the end is the new one.
subtest 'a key that reconnects' => sub {
    my ($one, $two) = HyperDerp::Raw::logins($hd, 2);
    my $bob = HyperDerp::Raw->login($hd, $two);
    my $alice = HyperDerp::Raw->login($hd, $one);
    my ($lost, $silent) = (0, 0);
    for my $i (1 .. 300) {
        my $next = HyperDerp::Raw->open($hd);
        my $say = $one->{head} . $one->{info};
        if ($i % 3 == 0) {
            $next->write($say);
            $alice->close;
        } elsif ($i % 3 == 1) {
            $alice->close;
            $next->write($say);
        } else {
            shutdown $alice->socket, 1;
            $next->write($say);
            $alice->close;
        }
        $next->admitted or $lost++;
        $bob->send($one->{key}, "packet $i");
        ($next->packet // '') eq "packet $i" or $silent++;
        $alice = $next;
    }
    is $lost, 0, '300 logins around the old connection\'s end';
    is $silent, 0, '... and the new connection gets the packets';
    $alice->send($bob->key, 'still');
    is $bob->packet, 'still', '... and can send';
};

# A port for the checks for captive portals, on which nobody is relayed.
subtest 'a listener for some pages only' => sub {
    my $port = HyperDerp::Test::free_port();
    my $r = HyperDerp::Test->start(no_tls => 1);
    my $conf = HyperDerp::Test::slurp($r->{file});
    my $entry = qq({addr: "127.0.0.1:$port", name: portal, only: [captive_portal]});
    $r->finish;
    $r->{yaml} = $conf =~ s/^(listen: \[)/$1$entry, /mr;
    $r->write_conf;
    $r->run->ready or diag $r->log_text;
    my $ask = sub ($head) {
        my $s = $r->socket($port);
        print {$s} "$head\r\nHost: relay\r\nConnection: close\r\n\r\n";
        return do { local $/; readline $s } // '';
    };
    like $ask->("GET /generate_204 HTTP/1.1\r\nX-Tailscale-Challenge: a"),
        qr{^HTTP/1.1 204 .*^X-Tailscale-Response: response a\r$}ms, 'the check is answered';
    like $ask->("GET $_ HTTP/1.1"), qr{^HTTP/1.1 404 }, "$_ is not there"
        for qw(/ /derp /derp/probe /derp/latency-check /robots.txt);
    my $s = $r->socket($port);
    print {$s} "GET /derp HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n";
    like scalar readline($s), qr{^HTTP/1.1 404 }, 'and nobody is relayed';
    like $r->log_text, qr/listening: addr=\S+:$port tls=no name=portal pages_only=yes$/m,
        'the log says so';
    my $build = $HyperDerp::Test::build;
    my $status = decode_json(scalar qx($build/hdctl --json --socket @{[$r->control]} status));
    my ($l) = grep { $_->{addr} =~ /:$port$/ } @{ $status->{listeners} };
    is_deeply $l->{only}, ['captive_portal'], 'and so does hdctl status';
    $r->finish;

    for (['only: [acme, portal]', qr/:1: `only`: there are no pages `portal`; there are: captive_portal, acme$/m],
        ['protocol: x, only: [acme]', qr/:1: a listener with a `protocol` has no pages; leave out/]) {
        my ($text, $want) = @$_;
        my $file = HyperDerp::Test::spew($r->dir . '/bad.yaml', $r->{yaml} =~ s/name: portal, only: .*?\]/$text/r);
        like qx($build/hyper-derp -t -c $file 2>&1), $want, "$text is refused";
    }
};

subtest 'the page at /' => sub {
    my $r = HyperDerp::Test->start(no_tls => 1);
    my ($yaml, $file) = ($r->yaml, $r->dir . '/home.html');
    HyperDerp::Test::spew($file, my $text = '<p>ours' . ' and ours' x 20_000);
    my $build = $HyperDerp::Test::build;
    my $set = sub ($home) {
        HyperDerp::Test::spew($r->{file}, "${yaml}derp: {home: $home}\n");
        return qx($build/hdctl --socket @{[$r->control]} reload 2>&1);
    };
    my $get = sub {
        my $s = $r->socket;
        print {$s} "GET / HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n";
        return do { local $/; readline $s } // '';
    };
    like $get->(), qr{^HTTP/1.1 200 .*Hyper-DERP server}s, 'one of ours';
    like $get->(), qr{^$_: .}m, "... with $_" for my @safe = qw(Strict-Transport-Security X-Content-Type-Options Content-Security-Policy);
    if (-e "$build/modules.d/derp.so") {    # one that is built in cannot be reloaded: t/system/modules.t
        is qx($build/hdctl --socket @{[$r->control]} module reload derp 2>&1), "ok\n", 'new code';
        like $get->(), qr{^HTTP/1.1 200 .*Hyper-DERP server}s, '... has the default of the old one';
    }
    for (['none', qr{^HTTP/1.1 404 }], ['blank', qr{^HTTP/1.1 200 .*\r\n\r\n\z}s],
        ['https://example.com/a', qr{^HTTP/1.1 302 .*\r\nLocation: https://example.com/a\r\n}s],
        [$file, qr{^HTTP/1.1 200 .*text/html.*\r\n\r\n.*<p>ours and}s]) {
        my ($home, $want) = @$_;
        is $set->($home), "ok\n", "home: $home";
        like my $page = $get->(), $want, 'it is there';
        is scalar(() = $page =~ /^Strict-Transport-Security: /mg), $home eq 'none' ? 0 : 1, '... over TLS from now on, unless there is none';
    }
    unlike $get->(), qr{^$safe[2]}m, 'our policy is not for a file';
    my $ours = () = $get->() =~ /and ours/g;
    cmp_ok $ours, '>', 19_900, 'a file that does not fit into one write';    # a chunk's border may cut some
    unlink $file;
    like $get->(), qr{^HTTP/1.1 404 }, 'a file that has gone is 404';
    for (['ours', qr/`home: ours`: page, blank, none, a URL/], ['/none.html', qr{`home`: /none\.html: No such file}], ['/tmp', qr{`home`: /tmp is not a file}],
        ['"https://a b"', qr/`home`: the URL has spaces/]) {
        my ($home, $want) = @$_;
        like $set->($home), $want, "$home is refused";
    }
    $r->finish;
};

$hd->finish;
cmp_ok $hd->metric('hyper_derp_moves_total'), '>', 0, 'connections moved between workers';

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/drain.t - USR2 and QUIT, as clients see them: told why, told when to
# come back, closed one after another, and not let in again.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::IP;
use Time::HiRes qw(time);

# A binding request of RFC 5389: type 1, no attributes, the cookie, an id.
sub stun_answers ($hd, $seconds = 10) {
    state $n = 0;
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{stun}, Type => SOCK_DGRAM)
        or die "udp: $@";
    my $id = pack 'a12', 'drain' . ++$n;
    send $s, pack('nnN', 1, 0, 0x2112a442) . $id, 0;
    return 0 unless IO::Select->new($s)->can_read($seconds);
    recv $s, my $answer, 1500, 0;
    return length($answer // '') > 20 && substr($answer, 0, 2) eq "\1\1" && substr($answer, 8, 12) eq $id;
}

sub status_of ($hd, $path) {
    my $c = HyperDerp::Raw->open($hd);
    $c->write("GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return ($c->rest // '') =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'none';
}

sub refused ($hd, $login) {
    my $c = HyperDerp::Raw->start($hd, $login);
    return !$c->admitted && $c->closed;
}

# What a client is told at last: frames by type, in order.
sub farewell ($c, $seconds = 15) {
    my @frames;
    while (my @f = $c->next($seconds)) { push @frames, \@f }
    return ($c->{ended}, @frames);
}

# drain_time is long enough for a machine that stalls: all that clients see within
# it is looked at within it.
subtest 'USR2: warned, served, refused, closed, and up' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 5s\n");
    my @logins = HyperDerp::Raw::logins($hd, 12);
    my @c = map { HyperDerp::Raw->login($hd, $_) } splice @logins, 0, 6;
    my $begun = HyperDerp::Raw->open($hd);
    $begun->write($logins[1]{head});
    ok defined $begun->expect(HyperDerp::Raw::SERVER_KEY), 'a login has begun';
    ok stun_answers($hd), 'STUN answers';
    is status_of($hd, '/derp/latency-check'), 200, 'latency-check: 200';

    my $start = time;
    $hd->signal('USR2');
    like $c[0]->expect(HyperDerp::Raw::HEALTH), qr/about to stop/, 'Health tells why';
    like $_->expect(HyperDerp::Raw::HEALTH), qr/\S/, '... everybody' for @c[1 .. 5];
    my @in = map { unpack 'NN', $_->expect(HyperDerp::Raw::RESTARTING) // die 'no Restarting' } @c;
    my $told_ms = 1000 * (time - $start);
    $c[0]->send($c[1]->key, 'on');
    is $c[1]->packet, 'on', 'clients are served meanwhile';
    is status_of($hd, '/derp/latency-check'), 503, 'latency-check: 503';
    ok !stun_answers($hd, 0.3), 'STUN is silent';
    my $late = HyperDerp::Raw->start($hd, shift @logins);
    ok $late->closed, 'a login is refused';
    like $late->{in}, qr{^HTTP/1.1 503 .*about to stop\n\z}s, '... in HTTP: a frame would be a sign of life';
    ok $hd->log_like(qr/login refused: from=\S+ reason="this relay is about to stop"/), '... and logged';
    $begun->write($logins[0]{info});
    ok !$begun->admitted && $begun->closed, '... also of one that had begun';
    ok $hd->log_like(qr/login refused: .*draining/), '... and logged';

    my %in = map { $_ => 1 } @in[map { 2 * $_ } 0 .. 5];
    cmp_ok keys %in, '>', 1, '... with different times: ' . join ' ', sort { $a <=> $b } keys %in;
    # what had passed when it was told is taken off
    is scalar(grep { $_ + $told_ms < 5000 || $_ > 15_001 } keys %in), 0, '... after drain_time, within 10 s';

    # the first of each worker then, the others spread out
    my @order = sort { $in[ 2 * $a ] <=> $in[ 2 * $b ] } 0 .. 5;
    ok $c[ $order[0] ]->closed, 'the first is closed';
    cmp_ok time - $start, '>=', 4.9, '... after drain_time';
    my $last = $c[ $order[-1] ];
    ok !$last->closed(0), '... but not the last';
    ok $last->ping, '... which is still served';

    $_->close for @c;
    ok $hd->log_like(qr/drained: streams=0/), 'the drain is over once all have left';
    ok !defined $hd->exited, 'the relay stays up';
    ok refused($hd, shift @logins), '... and refuses logins';
    is status_of($hd, '/derp/latency-check'), 503, '... latency-check: 503';
    is status_of($hd, '/derp/probe'), 200, '... but answers';
    $hd->signal('QUIT');
    is $hd->wait_exit, 0, 'QUIT after it: exit 0';
    unlike $hd->log_text, qr/bug:|Sanitizer/, 'no bug';
};

subtest 'QUIT without clients' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 0s\n");
    my $start = time;
    $hd->signal('QUIT');
    is $hd->wait_exit, 0, 'exit 0';
    cmp_ok time - $start, '<', 12, '... without the 13 s that clients would have';
};

subtest 'QUIT with clients of every kind' => sub {
    my $hd = HyperDerp::Test->start(conf => "drain_time: 100ms\n");
    my $tls = $hd->client;
    my $plain = $hd->client(plain => 1);
    my @held = map { HyperDerp::Raw->open($hd, port => $_) } $hd->{plain}, $hd->{tls};
    $held[0]->write('GET /derp');
    $hd->signal('QUIT');
    like $_->expect(qr/^health/), qr/about to stop/, 'Health' for $tls, $plain;
    like $_->expect(qr/^restarting/), qr/^restarting \d+ \d+$/, 'Restarting' for $tls, $plain;
    ok $_->closed_within, 'closed' for $tls, $plain;
    is $hd->wait_exit, 0, 'exit 0';
    like $hd->log_text, qr/drained: streams=0/, 'nobody was left';
};

# Who carries no traffic leaves sooner when it has heard nothing for a while.
subtest 'quiet before the close' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 1h\nderp: {keepalive: 1s}\n");
    my ($c) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 1);
    ok defined $c->expect(HyperDerp::Raw::KEEP_ALIVE), 'keep-alives each second';
    my $start = time;
    like $hd->ctl(qw(drain --for 10s)), qr/draining/, 'a drain';
    my ($in) = unpack 'N', $c->expect(HyperDerp::Raw::RESTARTING) // '';
    # no more than 9 s before it: a machine that stalls tells it later
    ok $in > 1000 && $in <= 9001, 'Restarting says when it will be closed';
    my ($ended, @frames) = farewell($c, 30);
    is scalar @frames, 0, '... and nothing follows';
    is $ended, 'end', 'then it is closed';
    cmp_ok time - $start, '>=', 9.9, '... after 10 s in all';
    $hd->finish;
};

# The machine may be going down: it does not wait for drain_time. Two relays take
# their 9 s at once.
subtest 'QUIT is brief' => sub {
    my ($hd, $draining) = map { HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 1h\n") } 1 .. 2;
    my @c = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 3);
    my $c = HyperDerp::Raw->login($draining);
    $draining->signal('USR2');
    $c->expect(HyperDerp::Raw::HEALTH);
    $draining->signal('QUIT');
    $hd->signal('QUIT');
    ok $hd->log_like(qr/drain begins: streams=3 drain_time_ms=9000 then=exit/), '9 s, not drain_time';
    ok defined $_->expect(HyperDerp::Raw::RESTARTING), 'Restarting' for @c;
    ok $_->closed, 'closed' for @c;
    is $hd->wait_exit(120), 0, 'exit 0';
    ok $c->closed, 'after USR2 it ends the drain that is under way';
    is $draining->wait_exit(120), 0, '... exit 0';
};

# What a restart sends.
subtest 'TERM: told to come back, and closed' => sub {
    my $hd = HyperDerp::Test->start(conf => "drain_time: 1h\n");
    my @c = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 4);
    my $tls = $hd->client;
    $hd->signal('TERM');
    for my $c (@c) {
        my ($in, $for) = unpack 'NN', $c->expect(HyperDerp::Raw::RESTARTING) // die 'no Restarting';
        ok $in >= 1000 && $in <= 3000, "Restarting: in $in ms";
        is $for, 30_000, '... try for 30 s';
        ok $c->closed, '... and closed';
    }
    like $tls->expect(qr/^restarting/), qr/^restarting \d+ 30000$/, 'over TLS, too';
    $hd->finish;

    $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 1h\n");
    my $c = HyperDerp::Raw->login($hd);
    $hd->signal('USR2');
    $c->expect(HyperDerp::Raw::HEALTH);
    $hd->signal('TERM');
    ok defined $c->expect(HyperDerp::Raw::RESTARTING), 'during a drain, too';
    $hd->finish;
};

subtest 'signals while it drains' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 60s\n");
    my $c = HyperDerp::Raw->login($hd);
    $hd->signal('USR2');
    $c->expect(HyperDerp::Raw::HEALTH);
    $hd->signal('USR2');
    $hd->signal('HUP');
    ok $hd->log_like(qr/configuration reloaded/), 'HUP reloads';
    my ($again) = HyperDerp::Raw::logins($hd);
    ok refused($hd, $again), '... and logins are still refused';
    ok !stun_answers($hd, 0.3), '... and STUN is silent';
    ok $c->silent, 'a second USR2 tells nothing new';
    my $start = time;
    $hd->finish;
    cmp_ok time - $start, '<', 30, 'TERM ends it before drain_time is over';
};

# Not read: TERM has to give up on them. t/system/daemon.t has more of this.
subtest 'TERM with clients that do not read' => sub {
    my $hd = HyperDerp::Test->start(conf => "sockbuf: 64KiB\nwrite_timeout: 60s\n");
    my @stuck = ($hd->client, $hd->client);
    my $from = HyperDerp::Raw->login($hd);
    for my $s (@stuck) {
        $s->tell('stop');
        $from->send($s->key, 'x' x 60_000) for 1 .. 40;
    }
    $from->ping;
    ok $hd->log_like(qr/send_drop/), 'two clients, their queues full';
    my $start = time;
    $hd->finish;
    cmp_ok time - $start, '<', 30, 'before write_timeout is over';
};

done_testing;

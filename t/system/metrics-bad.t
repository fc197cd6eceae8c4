#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/metrics-bad.t - scrapers that misbehave, many of them, and many
# peers: each a clear end, and relaying goes on.
# alone: how long a worker's turns are
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Metrics;
use HyperDerp::Test;
use IO::Select;
use Socket qw(SOL_SOCKET SO_RCVBUF);

my $slow = HyperDerp::Test::sanitized() || $ENV{HD_VM};
my $n = $slow ? 500 : 4000;
my $port = HyperDerp::Test::free_port();
my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp metrics)],
    conf => "metrics: {port: $port, debug_endpoints: true, status_page: true}\nlogin_timeout: 60s\n");
my ($alice, $bob) = map { $hd->client } 1 .. 2;
my $crowd = crowd($n);

# hdbench's idle peers; it is stopped when all are there, so that they stay.
sub crowd ($n) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$hd->{dir}/hdbench";
        open STDERR, '>&', \*STDOUT;
        exec "$HyperDerp::Test::build/hdbench", '--plain', '--idle', $n,
            '--pid', $hd->pid, "127.0.0.1:$hd->{plain}";
        POSIX::_exit(127);
    }
    HyperDerp::Test::wait_for(sub { peers_now() == $n + 2 }, 60)
        or diag(HyperDerp::Test::slurp("$hd->{dir}/hdbench"));
    kill STOP => $pid;
    return $pid;
}

sub peers_now () { return { samples(get($port, '/metrics')->{body}) }->{hyper_derp_peers_active} // 0 }

sub relays ($name) {
    $alice->send($bob->key, 'hello');
    return is $bob->packet, 'hello', $name;
}

sub streams_now () {
    my $v = ctl($hd, 'status')->{data};
    return $v->{streams};
}

END { kill KILL => $crowd if $crowd }

is peers_now(), $n + 2, "$n peers more";

subtest 'everything of all peers' => sub {
    for my $path ('/api/v1/peers', '/debug/peers') {
        my $r = get($port, $path);
        my $p = HyperDerp::Metrics::json($r->{body});
        is 0 + @{ $p->{peers} }, $n + 2, "$path: all of them";
        is $p->{count}, $n + 2, '... counted';
        my %keys = map { $_->{key} => 1 } @{ $p->{peers} };
        is 0 + keys %keys, $n + 2, '... each once';
    }
    relays('relaying goes on');
};

# Asks for more than any buffer holds, and does not read.
sub deaf ($requests) {
    my $s = $hd->socket($port);
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4096;
    ask($s, 'GET', '/debug/peers') for 1 .. $requests;
    return $s;
}

subtest 'a scraper that never reads' => sub {
    my $before = $hd->rss;
    my $streams = streams_now();
    my @s = map { deaf(20) } 1 .. 20;
    relays('relaying goes on');
    my $grown = $hd->rss - $before;
    cmp_ok $grown, '<', 20 * 512 * 1024, 'bounded memory' unless $slow;
    ok HyperDerp::Test::wait_for(sub { streams_now() <= $streams }, 60), 'the write timeout ends them';
};

subtest 'one that goes in the middle' => sub {
    for (1 .. 20) {
        my $s = deaf(3);
        read $s, my $some, 1000;
        close $s;
    }
    is get($port, '/api/v1/peers')->{status}, 200, 'others are served';
};

subtest '200 scrapers at once' => sub {
    my @s = map { $hd->socket($port) } 1 .. 200;
    ask($_, 'GET', '/metrics') for @s;
    relays('relaying goes on');
    my @ok = grep { my $r = answer($_); $r->{status} == 200 && $r->{body} =~ /process_open_fds \d+/ } @s;
    is 0 + @ok, 200, 'all are answered';
};

# More than the output may hold; the client reads them all the same.
subtest '150 requests in advance' => sub {
    my $s = $hd->socket($port);
    ask($s, 'GET', '/status') for 1 .. 150;
    my @ok = grep { my $r = answer($s); $r->{status} == 200 && $r->{body} =~ m{</html>} } 1 .. 150;
    is 0 + @ok, 150, 'all are answered';
};

subtest 'slow and wrong heads' => sub {
    local $SIG{PIPE} = 'IGNORE';
    HyperDerp::Test::spew($hd->{file}, $hd->yaml =~ s/login_timeout: 60s/login_timeout: 2s/r);
    is $hd->ctl('reload'), "ok\n", 'login_timeout: 2s';
    my $s = $hd->socket($port);
    print {$s} "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
    ok HyperDerp::Test::wait_for(sub { print {$s} 'x'; eof_of($s) }), 'a head that never ends: closed';
    my %want = ("junk\r\n\r\n" => 400, "GET /metrics HTTP/1.1\r\n\r\n" => 400,
        "GET /metrics HTTP/3.0\r\nHost: localhost\r\n\r\n" => 505,
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" => 404,
        "DELETE /api/v1/peers HTTP/1.1\r\nHost: localhost\r\n\r\n" => 405,
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: " . 'x' x 9000 . "\r\n\r\n" => 431);
    for my $head (sort keys %want) {
        $s = $hd->socket($port);
        print {$s} $head;
        is answer($s)->{status}, $want{$head}, substr($head =~ s/\r\n.*//sr, 0, 40);
    }
};

subtest 'a reload and an unload in the middle' => sub {
    built_in('metrics');
    my @s = map { deaf(5) } 1 .. 10;
    ok ctl($hd, qw(module reload metrics))->{ok}, 'reload';
    is get($port, '/api/v1/peers')->{status}, 200, '... serves';
    push @s, map { deaf(5) } 1 .. 10;
    ok ctl($hd, qw(module unload metrics))->{ok}, 'unload';
    ok HyperDerp::Test::wait_for(sub { !$hd->socket($port) }), '... nobody listens';
    relays('relaying goes on');
    ok ctl($hd, qw(module load metrics))->{ok}, 'load';
    is get($port, '/metrics')->{status}, 200, '... serves';
};

# Turns above 33 ms so far.
sub long_turns () {
    my %v = samples(get($port, '/metrics')->{body});
    return $v{hyper_derp_loop_turn_seconds_count} - $v{'hyper_derp_loop_turn_seconds_bucket{le="0.032768"}'};
}

# A worker's turns while everything of all peers is asked for again and again. If
# one turn did it all there would be a long one for each answer, in each round; a
# machine that takes the CPU away does so in some.
subtest 'no worker stands still' => sub {
    plan skip_all => 'a sanitizer or an emulated processor is slow' if $slow;
    my @long;
    for (1 .. 5) {
        my $before = long_turns();
        get($port, $_) for ('/metrics', '/api/v1/peers') x 10;
        push @long, long_turns() - $before;
        last if $long[-1] <= 2;
    }
    cmp_ok $long[-1], '<=', 2, 'turns above 33 ms are rare' or diag "in each round: @long";
};

kill KILL => $crowd;
waitpid $crowd, 0;
undef $crowd;
$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/limits.t - limits that an operator sets, and those of the machine:
# too many bytes, too many connections, too few descriptors.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use List::Util qw(sum0);
use Time::HiRes qw(time);

use constant { CROWD => 8000, SPARE => 200 };

# A process cannot raise its own limit without a module that Perl has not.
my $nofile = qx(sh -c 'ulimit -Sn') =~ /(\d+)/ ? $1 : 'unlimited';
if ($nofile ne 'unlimited' && $nofile < CROWD + SPARE && !$ENV{HD_NOFILE_RAISED}) {
    $ENV{HD_NOFILE_RAISED} = 1;
    exec '/bin/sh', '-c', 'ulimit -Sn $(ulimit -Hn) && exec "$@"', 'sh', $^X,
        '-I', "$FindBin::Bin/../lib", $0;
}

subtest 'peer_rate_limit' => sub {
    use constant { RATE => 300_000, N => 700, SIZE => 1000 };
    my $hd = HyperDerp::Test->start(no_tls => 1,
        conf => 'peer_rate_limit: ' . RATE . "\nsockbuf: 64KiB\n");
    my ($from, $to, $other) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 3);
    my $all = join '', map { HyperDerp::Raw::packet_frame($to->key, pack('N', $_) . 'x' x (SIZE - 4)) } 1 .. N;
    my $start = time;
    my (@got, @waits);
    while (@got < N && time - $start < 60) {
        substr $all, 0, $from->write_some($all), '' if length $all;
        my $before = time;
        $other->ping or last;
        push @waits, time - $before;
        $to->fill;
        while (my ($type, $payload) = $to->take) {
            push @got, unpack 'x32 N', $payload if $type == HyperDerp::Raw::RECV_PACKET;
        }
    }
    my $took = time - $start;
    is_deeply \@got, [1 .. N], 'nothing is lost, all is in order';
    # beyond one burst and one read of 64 KiB each the rate holds
    my $least = (N * SIZE - 2 * 65568) / RATE;
    cmp_ok $took, '>', $least * 0.8, sprintf 'it took %.1f s, not less than about %.1f', $took, $least;
    cmp_ok $took, '<', $least * 4 + 20, '... and not for ever';
    cmp_ok +(sort { $a <=> $b } @waits)[@waits / 2], '<', 0.5, 'another client waits for nothing';
    ok $hd->log_like(qr/recv_paused: key=@{[substr $from->key, 0, 8]} pause_ms=\d+ .*peer_rate_limit/),
        'the log says recv_paused and why';
    $hd->finish;
    cmp_ok $hd->metric('hyper_derp_recv_paused_total'), '>', 3, 'pauses are counted';
    is $hd->metric('hyper_derp_send_drops_total'), 0, 'nothing was dropped';
};

subtest 'peer_rate_limit: of all connections of a key together' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1,
        conf => 'peer_rate_limit: ' . RATE . "\nsockbuf: 64KiB\n");
    my ($login, @others) = HyperDerp::Raw::logins($hd, 3);
    my @from = map { HyperDerp::Raw->login($hd, $login) } 1 .. 4;
    my ($to, $other) = map { HyperDerp::Raw->login($hd, $_) } @others;
    my @all = map { my $i = $_; join '', map { HyperDerp::Raw::packet_frame($to->key, "$i" x SIZE) } 1 .. N / 4 } 1 .. 4;
    my $start = time;
    my %got;
    while (sum0(values %got) < N && time - $start < 60) {
        for my $i (0 .. 3) {
            substr $all[$i], 0, $from[$i]->write_some($all[$i]), '' if length $all[$i];
        }
        $other->ping or last;
        $to->fill;
        while (my ($type, $payload) = $to->take) {
            $got{ substr $payload, 32, 1 }++ if $type == HyperDerp::Raw::RECV_PACKET;
        }
    }
    is_deeply \%got, { map { $_ => N / 4 } 1 .. 4 }, 'nothing is lost';
    # one burst, and a read of 64 KiB of each connection
    my $least = (N * SIZE - 5 * 65568) / RATE;
    cmp_ok time - $start, '>', $least * 0.9, sprintf 'it took not less than about %.1f s', $least;
    $hd->finish;
};

subtest 'peer_rate_limit: a client that comes back owes what it owed' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "peer_rate_limit: 100000\n");
    my ($login, $receiver) = HyperDerp::Raw::logins($hd, 2);
    my $to = HyperDerp::Raw->login($hd, $receiver);
    my $all = HyperDerp::Raw::packet_frame($to->key, 'x' x SIZE) x 60;
    my ($start, $n) = (time, 0);
    for (1 .. 30) {    # each would have a burst of 64 KiB
        my $from = HyperDerp::Raw->login($hd, $login);
        $from->write_some($all);
        $from->close;
    }
    my $until = time + 2;    # meanwhile what it owed is paid: then one goes on, not all
    while ((my $left = $until - time) > 0) {
        my ($type) = $to->next($left) or last;
        $n += SIZE if $type == HyperDerp::Raw::RECV_PACKET;
    }
    # one burst, what a read may bring beyond it, and the rate
    my $most = 65568 + 65536 + 100_000 * (time - $start);
    cmp_ok $n, '<', $most, sprintf '%.0f kB have come, not more than about %.0f', $n / 1e3, $most / 1e3;
    $hd->finish;
};

# Of a tenant, the relay and a rule: two senders, live.
subtest 'limits that many share' => sub {
    my $policy = sub ($rule, $more) {
        # a busy machine may bring all of a flood at once
        return "output_limit: 1MiB\npolicy: {rules: [{from: [127.0.0.0/8], tenant: office$rule}]$more}\n";
    };
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp policy)], conf => $policy->('', ''));
    my @logins = HyperDerp::Raw::logins($hd, 4);
    my ($to, $other, @from) = map { HyperDerp::Raw->login($hd, $_) } @logins;
    my $flood = sub ($n) {    # by each of the two; returns seconds
        my @all = map { my $i = $_; join '', map { HyperDerp::Raw::packet_frame($to->key, "$i" x SIZE) } 1 .. $n } 0, 1;
        my $start = time;
        my %got;
        while (sum0(values %got) < 2 * $n && time - $start < 60) {
            for my $i (0, 1) {
                substr $all[$i], 0, $from[$i]->write_some(substr $all[$i], 0, 20_000), '' if length $all[$i];
            }
            $other->ping or last;
            $to->fill;
            while (my ($type, $payload) = $to->take) {
                $got{ substr $payload, 32, 1 }++ if $type == HyperDerp::Raw::RECV_PACKET;
            }
        }
        is_deeply \%got, { 0 => $n, 1 => $n }, '... nothing is lost';
        return time - $start;
    };
    my $reload = sub ($conf) {
        $hd->{conf} = $conf;
        $hd->write_conf;
        return $hd->ctl('reload');
    };
    my $waits = sub ($whose) {
        return $hd->ctl('metrics') =~ /hyper_derp_limit_waits_total.*$whose\S*\s+(\d+)/ ? $1 : -1;
    };
    my $paused = sub { $hd->ctl('metrics') =~ /hyper_derp_recv_paused_total\s+-\s+(\d+)/ ? $1 : -1 };
    $flood->(200);
    is $waits->('tenant') + $waits->('relay'), 0, 'without limits nobody waits';
    for (
        ['of a tenant', sub { $waits->('tenant') }, 1.0,
            $policy->('', ', tenants: [{name: office, limits: {rate: 300000, burst: 1000}}]')],
        ['of the relay', sub { $waits->('relay') }, 0.6, $policy->('', '') . "relay_rate_limit: 300000\n"],
        ['of each key', $paused, 0.5, $policy->(', limits: {rate: 200000}', '')],
    ) {
        my ($what, $count, $least, $conf) = @$_;
        my $before = $count->();
        is $reload->($conf), "ok\n", "a limit $what, under peers that are connected";
        # workers ask the rules about them one after the other
        ok HyperDerp::Test::wait_for(sub { $flood->(100); $count->() > $before }), '... comes into force, and is counted';
        cmp_ok $flood->(250), '>', $least, '... and holds them back';
    }
    ok $hd->log_like(qr/recv_paused: tenant=office /), '... and in the log';
    is $reload->($policy->(', limits: {connections: 2}', ', tenants: [{name: office, limits: {connections: 6}}]')), "ok\n",
        'so many connections';
    my @more = map { HyperDerp::Raw->login($hd, $logins[2]) } 1 .. 2;
    ok $from[0]->closed, '... of a key: the oldest goes';
    ok $hd->log_like(qr/put out: key=@{[substr $from[0]->key, 0, 8]} .*more connections/), '... and the log says why';
    my @new = HyperDerp::Raw::logins($hd, 2);
    my $sixth = HyperDerp::Raw->start($hd, $new[0]);
    ok $sixth->admitted, '... of a tenant: the sixth comes in';
    ok HyperDerp::Raw->start($hd, $new[1])->closed, '... the seventh does not';
    ok $hd->log_like(qr/login refused: key=@{[substr $new[1]{key}, 0, 8]} .*its tenant has as many/), '... and the log says why';
    my $back = HyperDerp::Raw->start($hd, $new[0]);
    ok $back->admitted, '... a client that comes back takes the place';
    ok $sixth->closed, '... of its old connection';
    ok $hd->log_like(qr/put out: key=@{[substr $sixth->key, 0, 8]} .*come back/), '... and the log says why';
    ok HyperDerp::Raw->start($hd, $new[1])->closed, '... which makes room for nobody else';
    $back->close;
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Raw->start($hd, $new[1])->admitted }), '... until it has left';
    $hd->finish;
};

subtest 'who moves to another tenant leaves the limits of the old one alone' => sub {
    my $tenants = 'tenants: [{name: old, limits: {rate: 1MiB}}, {name: new, limits: {rate: 1000}}]';
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, load_module => [qw(derp policy)],
        conf => "policy: {rules: [{from: [127.0.0.0/8], tenant: old}], $tenants}\n");
    my ($from, $to, $moves) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 3);
    my $keys = HyperDerp::Test::spew("$hd->{dir}/keys", $moves->key . "\n");
    $hd->{conf} = "policy: {rules: [{keys: $keys, tenant: new}, {from: [127.0.0.0/8], tenant: old}], $tenants}\n";
    $hd->write_conf;
    is $hd->ctl('reload'), "ok\n", 'the rules move one';
    ok $moves->closed, '... which has to come again';
    my $n = 0;    # 300 kB, by 1000 bytes a second beyond the burst of 128 KiB: more than a minute
    for (1 .. 6) {
        $from->send($to->key, 'x' x 50_000);
        $n += defined $to->packet;
    }
    is $n, 6, 'the others send as before';
    $hd->finish;
};

subtest 'peer_rate_limit: what was said before the goodbye' => sub {
    my $hd = HyperDerp::Test->start(conf => "peer_rate_limit: 60000\n");
    my ($from, $to) = map { $hd->client } 1 .. 2;
    my $n = 0;
    $hd->signal('STOP');    # it finds all of it and close_notify at once
    $from->fill($to->key, 1000, 90);
    $from->bye;
    $from->quit;
    $hd->signal('CONT');
    $n++ while $n < 90 && defined $to->packet;
    is $n, 90, 'arrives';
    ok $hd->log_like(qr/closed: key=@{[substr $from->key, 0, 8]} .*why=closed by peer/), '... then it is closed';
    $hd->finish;
};

subtest 'max_accept_rate' => sub {
    my ($rate, $n) = (30, 90);
    my $hd = HyperDerp::Test->new(no_tls => 1);
    my @port = ($hd->{plain}, map { HyperDerp::Test::free_port() } 1 .. 3);
    my $more = join '', map { qq(, {addr: "127.0.0.1:$_"}) } @port[1 .. 3];
    $hd->{yaml} = $hd->yaml =~ s/^(listen: \[.*)\]$/$1$more]\nmax_accept_rate: $rate/mr;
    $hd->write_conf;
    $hd->run;
    $hd->ready or die 'the daemon does not start';
    my @logins = HyperDerp::Raw::logins($hd, $n);
    my $start = time;
    my @c = map { HyperDerp::Raw->start($hd, $logins[$_], port => $port[$_ % 4]) } 0 .. $#logins;
    is scalar(grep { !$_->admitted } @c), 0, "all $n log in, by four listeners";
    # they share it, and all workers; a burst of one second's worth is free
    cmp_ok time - $start, '>', ($n - $rate) / $rate * 0.8, '... but not at once';
    my ($old) = @c;
    ok $old->ping, 'old connections are served meanwhile';
    $hd->finish;
    cmp_ok $hd->metric('hyper_derp_accept_pauses_total'), '>', 0, 'pauses are counted';
};

subtest 'max_accept_rate: who looks and finds nobody pays nothing' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, conf => "max_accept_rate: 20\n");
    my @logins = HyperDerp::Raw::logins($hd, 15);
    # after each, the worker looks whether another one waits
    my @c = map { HyperDerp::Raw->login($hd, $_) } @logins;
    is $hd->ctl('metrics') =~ /hyper_derp_accept_pauses_total\s+-\s+(\d+)/ ? $1 : -1, 0,
        'fewer than the burst, one after the other, wait for nothing';
    $hd->finish;
};

subtest 'of one address' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "max_connections_per_address: 3\n");
    my @logins = HyperDerp::Raw::logins($hd, 12);
    my $refused = sub { $hd->ctl('metrics') =~ /hyper_derp_address_refused_total\s+-\s+(\d+)/ ? $1 : -1 };
    my $comes = sub {    # as soon as others have left
        my ($login, $c) = shift @logins;
        HyperDerp::Test::wait_for(sub { ($c = HyperDerp::Raw->start($hd, $login))->admitted }) or die "no login\n";
        return $c;
    };
    my $reload = sub ($conf) {
        $hd->{conf} = $conf;
        $hd->write_conf;
        is $hd->ctl('reload'), "ok\n", $conf =~ s/\n//r;
    };
    my @c = map { $comes->() } 1 .. 3;
    my $before = $refused->();
    ok HyperDerp::Raw->start($hd, $logins[0])->closed, 'one too many is closed' for 1 .. 2;
    is $refused->(), $before + 2, '... and counted';
    ok $hd->log_like(qr/connection refused: from=/), '... and said';
    my @lines = $hd->log_text =~ /connection refused: from=127.0.0.1:\d+ .*connections=3 limit=max_connections_per_address/g;
    is @lines, 1, '... and once in the log';
    (shift @c)->close;
    push @c, $comes->();
    pass 'who leaves makes room';

    $reload->("max_connections_per_address: 0\n");
    push @c, map { $comes->() } 1 .. 2;
    $reload->("max_connections_per_address: 6\n");
    push @c, $comes->();
    ok HyperDerp::Raw->start($hd, $logins[0])->closed, 'who came without a limit counts, too';

    $reload->("max_accept_rate_per_address: 1\n");
    $before = $refused->();
    my @fast = map { HyperDerp::Raw->open($hd) } 1 .. 300;
    ok HyperDerp::Test::wait_for(sub { $refused->() > $before }), 'too fast: some are closed';
    ok $hd->log_like(qr/connection refused: from=127.0.0.1:\d+ .*limit=max_/), '... and the log says why';
    ok $_->ping, 'who is here stays' for @c;
    $hd->finish;
};

subtest 'descriptors run out' => sub {
    plan skip_all => 'prlimit (util-linux) is not installed' if system('prlimit --version >/dev/null 2>&1');
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, conf => "login_timeout: 60s\n",
        wrap => ['prlimit', '--nofile=64:64']);
    my $start = time;
    my @logins = HyperDerp::Raw::logins($hd, 3);
    my $old = HyperDerp::Raw->login($hd, $logins[0]);
    my @crowd = map { HyperDerp::Raw->open($hd) } 1 .. 100;
    ok $hd->log_like(qr/error accept: Too many open files; accepting pauses.*LimitNOFILE/),
        'the log says so, and the remedy';
    ok $old->ping, 'who is connected is served';
    my $new = HyperDerp::Raw->start($hd, $logins[1]);
    ok !$new->admitted(0.3), 'a new client waits';
    # later there may be more: it works again, and then too many wait
    my @lines = $hd->log_text =~ /accept: Too many open files/g;
    is @lines, 1, 'one line in the log';
    $_->close for splice @crowd, 0, 90;
    ok $new->admitted, '... and is served once there is room';
    ok eval { HyperDerp::Raw->login($hd, $logins[2]) }, '... so is the next';
    $hd->finish;
    my $pauses = $hd->metric('hyper_derp_accept_pauses_total');
    cmp_ok $pauses, '>', 0, 'accepting paused';
    # each takes 100 ms
    cmp_ok $pauses, '<', 20 + 10 * (time - $start), "... $pauses times: it does not spin";
};

subtest '8,000 connections' => sub {
    my ($soft, $hard) = map { qx(sh -c 'ulimit -$_') =~ /(\d+)/ ? $1 : 1e9 } 'Sn', 'Hn';
    plan skip_all => "open files are limited to $hard, " . (CROWD + SPARE) . ' are needed (ulimit -n)'
        if $soft < CROWD + SPARE;
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "login_timeout: 60s\n");
    my $fds = sub { scalar(my @fds = glob "/proc/$hd->{pid}/fd/*") };
    my ($before, $rss) = ($fds->(), $hd->rss);
    my $start = time;
    my @logins = HyperDerp::Raw::logins($hd, CROWD);
    my @c;
    while (my @some = splice @logins, 0, 500) {
        push @c, map { HyperDerp::Raw->start($hd, $_) } @some;
    }
    is scalar(grep { !$_->admitted(30) } @c), 0, 'all log in';
    note sprintf '%.1f s, %d bytes of memory each', time - $start, ($hd->rss - $rss) / CROWD;
    cmp_ok +($hd->rss - $rss) / CROWD, '<', 16384, 'each takes less than 16 kB of memory'
        unless HyperDerp::Test::sanitized();
    $c[$_]->send($c[-1 - $_]->key, "packet $_") for 0 .. 99;
    is scalar(grep { ($c[-1 - $_]->packet // '') ne "packet $_" } 0 .. 99), 0, 'packets among them';
    my $new = HyperDerp::Raw->login($hd);
    ok $new->ping, 'and there is room for more';
    my $woken = sub {
        my $n = 0;
        $n += HyperDerp::Test::slurp("$_/status") =~ /^voluntary_ctxt_switches:\s+(\d+)/m ? $1 : 0
            for glob "/proc/$hd->{pid}/task/*";
        return $n;
    };
    my $n = $woken->();
    my $since = time;
    HyperDerp::Test::wait_for(sub { 0 }, 0.5);
    cmp_ok $woken->() - $n, '<', 100 * (time - $since), 'nobody wakes up while nothing happens';
    $_->close for @c;
    ok HyperDerp::Test::wait_for(sub { $fds->() <= $before + 10 }), 'descriptors are given back';
    ok $new->ping, 'the relay lives on';
    $hd->finish;
    is $hd->metric('hyper_derp_logins_total'), CROWD + 1, 'logins are counted';
};

done_testing;

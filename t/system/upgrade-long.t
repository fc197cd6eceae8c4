#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade-long.t - a hundred upgrades in a row under load, the new process
# killed 200 times, and thousands of clients that hardly say anything; nothing is lost.
# `./bootstrap check --long` runs it.
# HD_UPGRADES, HD_UPGRADE_KILLS (0: none), HD_UPGRADE_PAIRS, HD_UPGRADE_RATE,
# HD_UPGRADE_IDLE, HD_UPGRADE_IDLE_S (how long these are there), HD_UPGRADE_IDLE_RATE
# (their packets a second): other numbers. Times
# are told, not tested: the machine may be busy. In t/vm/run's guest a process may have
# more descriptors, so there may be 100,000 clients; HD_UPGRADE_IDLE_PLAIN of them
# without TLS, whose handshake takes most of an emulated processor's time.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade);
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'takes minutes: set HD_LONG=1, or ./bootstrap check --long' unless $ENV{HD_LONG};
plan skip_all => 'no subreaper here' unless can_upgrade();
my $slow = HyperDerp::Test::sanitized();    # ten times less of everything
my $upgrades = $ENV{HD_UPGRADES} // ($slow ? 10 : 100);
my $kills = $ENV{HD_UPGRADE_KILLS} // ($slow ? 20 : 200);
my $pairs = $ENV{HD_UPGRADE_PAIRS} // ($slow ? 50 : 500);
my $rate = $ENV{HD_UPGRADE_RATE} // ($slow ? 500 : 5000);
my $idle = $ENV{HD_UPGRADE_IDLE} // ($slow ? 1000 : 19_000);
my $idle_plain = $ENV{HD_UPGRADE_IDLE_PLAIN} // 0;
my $idle_rate = $ENV{HD_UPGRADE_IDLE_RATE} // 500;
my $idle_s = $ENV{HD_UPGRADE_IDLE_S} // 60;

sub relay (%o) {
    return HyperDerp::Test->start(workers => 2, load_module => [qw(derp)], conf => "write_timeout: 120s\n"
        . "login_timeout: @{[$o{login_timeout} // '120s']}\nderp: {keepalive: @{[$o{keepalive} // '60s']}}\n");
}

# hdbench, until stop(): its report is its output.
sub load_begin ($hd, $seconds, @args) {
    # its progress is not for the console of a guest, which is slow
    my $pid = open my $out, '-|', 'sh', '-c', 'exec "$@" 2>>"$0"', "$hd->{dir}/hdbench.log",
        "$HyperDerp::Test::build/hdbench", '--json', '--silence', '--duration', $seconds, @args,
        '127.0.0.1:' . (grep({ $_ eq '--plain' } @args) ? $hd->{plain} : $hd->{tls}) or die "hdbench: $!";
    HyperDerp::Children::keep($pid);
    return { pid => $pid, out => $out, log => "$hd->{dir}/hdbench.log" };
}

sub load_runs ($load, $within_s = 0) {
    my $bits = '';
    vec($bits, fileno $load->{out}, 1) = 1;
    return !scalar select $bits, undef, undef, $within_s;
}

sub load_ends ($load, $what) {
    local $/;
    my $text = readline $load->{out};
    HyperDerp::Children::ended($load->{pid});
    close $load->{out};
    my $r = eval { decode_json($text) } // { lost => $text . HyperDerp::Test::slurp($load->{log}) };
    is join(' ', map { "$_=" . ($r->{$_} // '?') } qw(lost reordered foreign closed)),
        'lost=0 reordered=0 foreign=0 closed=0', "$what: nothing is lost, doubled or out of order";
    diag sprintf '%s: of each client the longest silence: %.1f ms at most, %.1f median', $what,
        map { ($r->{silence_us}{$_} // 0) / 1000 } qw(max p50);
    return $r;
}

# Asks once a second: in a guest the question takes its time from the logins.
sub come ($hd, $n, $load) {
    my ($began, $told) = (time, 10_000);
    return HyperDerp::Test::wait_for(sub {
        my $here = ctl($hd, 'status')->{data}{peers};
        if ($here >= $told) {
            diag sprintf '%d clients after %d s', $here, time - $began;
            $told = $here + 10_000;
        }
        return $here >= $n || !load_runs($load, 1) && die 'hdbench has ended';
    }, 600 + $n / 10);
}

sub rss ($pid) { return HyperDerp::Test::slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 : 0 }
sub descriptors ($pid) { return scalar(() = glob "/proc/$pid/fd/*") }

# Another process is the relay; what it says.
sub changes ($hd) {
    my $said = try_upgrade($hd);
    return $said unless ref $said;
    $hd->wait_exit;
    $hd->adopt($said->{pid});
    return $said;
}

sub spread (@v) {
    @v = sort { $a <=> $b } @v;
    return sprintf '%.1f median, %.1f at most', $v[@v / 2], $v[-1];
}

subtest 'upgrades in a row, under load' => sub {
    my $hd = relay();
    my $peers = 2 * $pairs;
    my $load = load_begin($hd, 30, '--pairs', $pairs, '--rate', $rate);
    ok come($hd, $peers, $load), "$peers clients";
    my (@silent, @rss, @fds, @failed);
    for my $i (1 .. $upgrades) {
        if (!load_runs($load)) {
            load_ends($load, "until upgrade $i");
            $load = load_begin($hd, 30, '--pairs', $pairs, '--rate', $rate);
            come($hd, $peers, $load);
        }
        my $said = changes($hd);
        push(@failed, $said), next unless ref $said;
        push @silent, $said->{silent_us} / 1000;
        push @rss, rss($hd->{pid});
        push @fds, descriptors($hd->{pid});
    }
    is "@failed", '', 'all of them work';
    load_ends($load, 'to the end');
    diag "$upgrades upgrades, $peers TLS clients, $rate packets/s: workers stood for ", spread(@silent), ' ms';
    my ($first, $last) = @rss[0, -1];
    diag "resident: $first kB after the first, $last kB after the last, @{[spread(@rss)]}";
    cmp_ok abs($last - $first), '<=', 0.05 * $first + 1024, 'memory of the last as of the first, within 5 %';
    HyperDerp::Test::wait_for(sub { descriptors($hd->{pid}) <= $fds[0] });
    cmp_ok descriptors($hd->{pid}), '<=', $fds[0], 'no descriptor is left over';
    $hd->finish;
};

# At a moment of its short life, by chance.
sub kill_new ($hd, $within_s) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        srand $$;
        my $old = $hd->{pid};
        my $new;
        for (1 .. 2000) {
            ($new) = HyperDerp::Test::slurp("/proc/$old/task/$old/children") =~ /(\d+)/ and last;
            sleep 0.001;
        }
        sleep rand $within_s;
        kill 'KILL', $new if $new;
        POSIX::_exit(0);
    }
    return $pid;
}

subtest 'the new process is killed' => sub {
    plan skip_all => 'HD_UPGRADE_KILLS is 0' unless $kills;
    my $hd = relay();
    my $load = load_begin($hd, 20, '--pairs', 20, '--rate', 500);
    ok come($hd, 40, $load), '40 clients';
    my $t = time;
    changes($hd);
    my $takes_s = time - $t;
    my ($moved, %said) = (0);
    for my $i (1 .. $kills) {
        if (!load_runs($load)) {
            load_ends($load, "until kill $i");
            $load = load_begin($hd, 20, '--pairs', 20, '--rate', 500);
            come($hd, 40, $load);
        }
        my $killer = kill_new($hd, $takes_s);
        my $said = try_upgrade($hd);
        waitpid $killer, 0;
        $said{ ref $said ? 'it took over before' : $said =~ /(was killed|has gone|ended with)/ ? $1 : $said }++;
        next unless ref $said;
        # killed after GO: as if the relay had crashed
        $hd->wait_exit;
        $hd->adopt($said->{pid});
        my $is = HyperDerp::Test::wait_for(sub {
            return defined $hd->exited ? 'dead' : eval { ctl($hd, 'whoami')->{ok} } && 'alive';
        });
        if ($is eq 'dead') {
            $moved++;
            HyperDerp::Children::ended($load->{pid});
            close $load->{out};
            $hd->ports_free;
            $hd->run->ready or die $hd->log_text;
            $load = load_begin($hd, 20, '--pairs', 20, '--rate', 500);
            come($hd, 40, $load);
        }
    }
    diag "$kills kills: ", join(', ', map { "$_ $said{$_}" } sort keys %said), "; behind GO $moved";
    load_ends($load, 'to the end');
    $hd->finish;
};

# What is its own, and its part of what it shares with others, in kB.
sub pss ($pid) { return HyperDerp::Test::slurp("/proc/$pid/smaps_rollup") =~ /^Pss:\s+(\d+) kB/m ? $1 : 0 }

# The most that both have together, while one gives to the other: resident, which
# has twice what they share, and of that without.
sub watch_memory ($old) {
    pipe my $r, my $w or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    return ($r, $pid) if $pid;
    my ($most, $most_pss, $turns) = (0, 0, 0);
    while (kill 0, $old) {
        my ($new) = HyperDerp::Test::slurp("/proc/$old/task/$old/children") =~ /(\d+)/;
        my $both = rss($old) + ($new ? rss($new) : 0);
        $most = $both if $both > $most;
        $both = $turns++ % 10 ? 0 : pss($old) + ($new ? pss($new) : 0);
        $most_pss = $both if $both > $most_pss;
        sleep 0.002;
        last if HyperDerp::Test::slurp("/proc/$old/status") =~ /^State:\s+Z/m;
    }
    syswrite $w, "$most $most_pss";
    POSIX::_exit(0);
}

subtest 'clients that hardly say anything' => sub {
    my $hd = relay(login_timeout => '10m', keepalive => '100s');
    my @load = map { load_begin($hd, $idle_s, '--rate', $idle_rate, '--parallel', 64, @$_) } $idle ? ['--pairs', int $idle / 2] : (),
        $idle_plain ? ['--plain', '--pairs', int $idle_plain / 2] : ();
    ok come($hd, $idle + $idle_plain, $load[0]), "$idle clients with TLS, $idle_plain without" or return;
    diag "resident: @{[rss($hd->{pid})]} kB";
    for my $round (1 .. 3) {
        my $before = rss($hd->{pid});
        my ($r, $watcher) = watch_memory($hd->{pid});
        my $t = time;
        my $said = changes($hd);
        ok ref $said, 'they move' or diag $said;
        my $all = time - $t;
        waitpid $watcher, 0;
        sysread $r, my $peaks, 100;
        my ($most, $most_pss) = split ' ', $peaks;
        diag sprintf '%d clients move: %.2f s in all, workers stood for %.1f ms; memory %d kB before, %d kB of both at'
            . ' most (%.2f times; PSS %d kB)', $said->{moved}, $all, $said->{silent_us} / 1000, $before, $most, $most / $before,
            $most_pss;
        # what both map is there once
        cmp_ok $most_pss || $most, '<=', 2 * $before + 20 * 1024, 'at most twice the memory and 20 MB' unless $slow;
    }
    load_ends($_, 'all the time') for @load;
    $hd->finish;
};

done_testing;

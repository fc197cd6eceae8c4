#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/live-wait.t - a module that hangs, crashes or does not end holds up
# nobody but who asked for it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;
use Socket qw(SOCK_DGRAM);
use Time::HiRes qw(time);

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/live.so";
my $live = HyperDerp::Live->new;
my $udp_port = HyperDerp::Test::free_port(SOCK_DGRAM);
my $conf = qq(\nlive:\n  udp: "127.0.0.1:$udp_port"\n);

sub wait_for { goto &HyperDerp::Test::wait_for }

sub refused ($r, $want, $name) {
    return ok(!$r->{ok} && $r->{error}{message} =~ $want, $name) || diag explain $r;
}

# Others are served while a change of modules waits; $since: what it waits for
# goes on for five seconds more.
sub others_are_served ($hd, $change, $since) {
    is ctl($hd, 'whoami')->{data}{role}, 'admin', '... others are answered' for 1 .. 3;
    my $log = $hd->log_text;
    kill HUP => $hd->pid;
    ok wait_for(sub { substr($hd->log_text, length $log) =~ /configuration reloaded/ }),
        '... signals are served';
    my $bits = '';
    vec($bits, fileno $change, 1) = 1;
    my $ended = select $bits, undef, undef, 0;
    SKIP: {
        skip 'the machine has stalled for seconds', 1 if time - $since > 4;
        is $ended, 0, '... while it still waits';
    }
    return;
}

subtest 'the child runs all there is to run' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $live->make('live')],
        conf => $conf);
    ok ctl($hd, qw(module unload live))->{ok}, 'live is not loaded';
    my $file;
    for (['load', qr/load\(\) has a bad day/], ['cras', qr/crashes while it is loaded \(Aborted/],
        ['unlo', qr/crashes while it is loaded/]) {
        my ($mode, $want) = @$_;
        $file = $live->make('live', mode => $mode);
        refused ctl($hd, qw(module load), $file), qr/module live: \Q$file\E: $want/, "MODE=$mode";
    }
    $live->make('live');
    my $yaml = HyperDerp::Test::slurp($hd->{file});
    for (["  word: wrong\n", qr/check\(\) dislikes the word/],
        ["  wrod: good\n", qr/\Q$hd->{file}\E:(\d+): unknown key `wrod`.*`word`/]) {
        my ($line, $want) = @$_;
        HyperDerp::Test::spew($hd->{file}, $yaml . $line);
        ok ctl($hd, 'reload')->{ok}, 'a section that nobody can check yet';
        my $r = ctl($hd, qw(module load), $file);
        refused $r, $want, '... is the child\'s to refuse';
        is $1, 1 + $yaml =~ tr/\n//, '... with its line' if $r->{error}{message} =~ $want && $1;
    }
    HyperDerp::Test::spew($hd->{file}, $yaml);
    ok ctl($hd, 'reload')->{ok}, 'a good one';
    ok ctl($hd, qw(module load), $file)->{ok}, '... and it is loaded';
    is get($hd, '/live/build'), 'BUILD=000000', '... and answers';
    $live->make('live', mode => 'unlo');
    refused ctl($hd, qw(module reload live)), qr/crashes/, 'reload tries it, too';
    is get($hd, '/live/build'), 'BUILD=000000', '... nothing has changed';
    $hd->finish;
};

subtest 'the child changes nothing' => sub {
    my $state = File::Temp->newdir;
    my $strace = !system 'strace -o /dev/null true 2>/dev/null';
    my $run = "$HyperDerp::Test::build/hyper-derp --state-dir $state "
        . "--try-module $HyperDerp::Test::build/modules.d/derp.so";
    SKIP: {
        skip 'derp is built in', 2 unless -e "$HyperDerp::Test::build/modules.d/derp.so";
        is system($run), 0, 'derp, which makes its key in load(), is good';
        is scalar(() = glob "$state/*"), 0, '... and made no key';
    }
    SKIP: {
        skip 'strace is missing, or may not trace here', 2 unless $strace;
        skip 'a sanitizer does not like to be traced', 2
            if ($ENV{HD_SANITIZERS} // 'no') ne 'no';
        my $log = "$state/strace";
        my $file = $live->make('live');
        is system("strace -f -o $log $HyperDerp::Test::build/hyper-derp --try-module $file"), 0,
            'one that uses everything, under strace';
        my @bad = grep { /\b(?:socket|bind|clone3?|fork|io_uring_setup|O_WRONLY|O_RDWR|O_CREAT)\b/ }
            split /\n/, HyperDerp::Test::slurp($log);
        is_deeply \@bad, [], '... no socket, thread, or file that is written';
    }
};

subtest 'a file that hangs' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
    my $since = time;
    my $load = ctl_begin($hd, qw(module load), $live->make('live', mode => 'hang'));
    others_are_served($hd, $load, $since);
    refused ctl_end($load), qr/hangs while it is loaded/, 'it is given up';
    cmp_ok time - $since, '>=', 4.9, '... after five seconds';
    $hd->finish;
};

subtest 'work that does not end' => sub {
    my $file = $live->make('live', build => 1);
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', 'good', $file],
        conf => $conf);
    is get($hd, '/live/task?9000'), 'begun', 'a task of nine seconds';
    my $since = time;
    my $unload = ctl_begin($hd, qw(module unload live));
    ok wait_for(sub { ctl($hd, qw(module status live))->{data}[0]{state} eq 'leaving' }),
        'unload waits for it';
    my @then = (ctl_begin($hd, qw(module reload live)), ctl_begin($hd, qw(module unload good)));
    others_are_served($hd, $then[0], $since);
    refused ctl_end($unload), qr/busy: live: background work/, 'it is given up';
    is get($hd, '/live/build'), 'BUILD=000001', '... and nothing has changed';
    ok ctl_end($then[0])->{ok}, 'what was asked for meanwhile comes then, when the work has ended';
    ok ctl_end($then[1])->{ok}, '... each in its turn';
    ok ctl($hd, qw(module unload live))->{ok}, 'and it goes';
    $hd->finish;
};

subtest 'a client that takes nothing' => sub {
    plan skip_all => 'derp is built in' unless -e "$HyperDerp::Test::build/modules.d/derp.so";
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [$live->make('derp')],
        conf => "write_timeout: 5s\n");
    my $deaf = HyperDerp::Raw->login($hd, HyperDerp::Raw::logins($hd, 1));
    my $since = time;
    $hd->client->fill($deaf->key, 1400, 20000);
    ok wait_for(sub { ctl($hd, 'status')->{data}{drops}{queue_head} > 0 }), 'its queue is full';
    my $unload = ctl_begin($hd, qw(module unload derp));
    ok wait_for(sub { get($hd, '/derp/probe') eq '404' }), 'derp is on its way out';
    others_are_served($hd, $unload, $since);
    ok ctl_end($unload)->{ok}, 'it goes when the write timeout is over';
    $hd->finish;
};

subtest 'the relay stops meanwhile' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $live->make('live')],
        conf => $conf);
    is get($hd, '/live/task?900'), 'begun', 'a task';
    my @changes = map { ctl_begin($hd, 'module', $_, 'live') } qw(unload reload);
    # unless the machine stalls until it has ended
    wait_for(sub { (ctl($hd, qw(module status live))->{data}[0]{state} // '') eq 'leaving' }, 1);
    $hd->finish;
};

done_testing;

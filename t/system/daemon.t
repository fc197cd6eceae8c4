#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/daemon.t - the command line, exit codes, signals, reload, drain, the
# service manager, and messages that operators search for.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use Fcntl qw(F_DUPFD);
use POSIX ();
use Socket;
use Time::HiRes qw(time);

my $program = "$HyperDerp::Test::build/hyper-derp";

# Returns the exit code and what was printed on both.
sub run (@args) {
    my $pid = open my $f, '-|' // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec $program, @args or POSIX::_exit(127);
    }
    local $/;
    my $text = <$f> // '';
    close $f;
    return ($? >> 8, $text);
}

subtest 'command line' => sub {
    for my $args (['--no-such'], ['stray'], ['--port'], ['--port', 'x'], ['--port', '70000'],
        ['--workers', '-1']) {
        my ($code, $text) = run(@$args);
        is $code, 2, "@$args: exit 2";
        like $text, qr/^hyper-derp: .*(--help|allowed)/, '... with a reason';
    }
    my ($code, $text) = run('--help');
    is $code, 0, '--help: exit 0';
    like $text, qr/--\Q$_\E\b/, "it names --$_"
        for qw(config dev port workers verbose check-config print-config version help state-dir
        module-path event-backend log-level print-example);
    ($code, $text) = run('-V');
    is $code, 0, '-V: exit 0';
    like $text, $_, "it tells $_" for qr/^hyper-derp \d+\.\d+/, qr/module ABI +2\.\d+$/m,
        qr/OpenSSL 3/, qr/io_uring +\S/, qr/kTLS +\S/;
    is((run('--version'))[1], $text, '--version is the same');
};

subtest 'configuration files' => sub {
    my ($code, $text) = run('-c', '/nowhere/hd.yaml');
    is $code, 78, 'a missing file: exit 78';
    like $text, qr{/nowhere/hd\.yaml}, '... named';
    my $hd = HyperDerp::Test->new(conf => "wrokers: 3\n");
    ($code, $text) = run('-c', $hd->{file});
    is $code, 78, 'an unknown key: exit 78';
    like $text, qr/hd\.yaml:\d+.*wrokers.*workers/, '... with place and the nearest key';
    ($code, $text) = run('-t', '-c', $hd->{file});
    is $code, 78, '-t says the same';
    $hd = HyperDerp::Test->new;
    ($code, $text) = run('-t', '-c', $hd->{file});
    is $code, 0, 'a good one: -t exits 0';
    like $text, qr/configuration is good/, '... and says so';
    ok !-e $hd->dir . '/derp.key', '... and has made nothing';
    ($code, $text) = run('-T', '-c', $hd->{file}, '--workers', 7);
    is $code, 0, '-T: exit 0';
    like $text, qr/^workers: 7$/m, '... flags override the file';
};

subtest 'certificates' => sub {
    my $hd = HyperDerp::Test->new;
    unlink $hd->{crt};
    $hd->run;
    is $hd->wait_exit >> 8, 1, 'a missing certificate: exit 1';
    like $hd->log_text, qr/failed to open certificate.*\Q$hd->{crt}\E/, '... named';
    $hd = HyperDerp::Test->new;
    my (undef, $other) = HyperDerp::Test::certificate($hd->dir, 'other');
    rename $other, $hd->{key};
    $hd->run;
    is $hd->wait_exit >> 8, 1, 'a key of another certificate: exit 1';
    like $hd->log_text, qr/\Q$hd->{key}\E/, '... named';
};

subtest 'a second relay on the port' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1);
    my $second = HyperDerp::Test->new(no_tls => 1, plain => $hd->{plain});
    $second->run;
    is $second->wait_exit >> 8, 1, 'exit 1';
    like $second->log_text,
        qr/bind: Address already in use: 127\.0\.0\.1:$hd->{plain} \(\S+hd\.yaml:\d+\).*ss -ltnp/,
        'the log names address, place and remedy';
    $hd->finish;
};

subtest 'HUP' => sub {
    my $hd = HyperDerp::Test->start;
    my $alice = $hd->client;
    my $bob = $hd->client;
    my $serial = sub {
        my $t = `openssl s_client -connect 127.0.0.1:$hd->{tls} </dev/null 2>/dev/null | openssl x509 -noout -serial`;
        return $t;
    };
    my $before = $serial->();
    HyperDerp::Test::certificate($hd->dir);
    $hd->signal('HUP');
    ok $hd->log_like(qr/configuration reloaded/), 'is logged';
    isnt $serial->(), $before, 'a new certificate is served';
    my $new = $serial->();

    HyperDerp::Test::spew($hd->{crt}, "no certificate\n");
    $hd->signal('HUP');
    ok $hd->log_like(qr/error reload refused, nothing has changed: .*\Q$hd->{crt}\E/),
        'a bad certificate is refused';
    is $serial->(), $new, '... and the old one stays';

    HyperDerp::Test::certificate($hd->dir);
    $hd->{workers} = 5;
    $hd->write_conf;
    $hd->signal('HUP');
    ok $hd->log_like(qr/reload refused, nothing has changed: .*workers/),
        'a key that needs a restart is named';
    $hd->{workers} = 2;
    $hd->{conf} = "no_such_key: 1\n";
    $hd->write_conf;
    $hd->signal('HUP');
    ok $hd->log_like(qr/reload refused, nothing has changed: .*no_such_key/),
        'an unknown key is named';
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'connections stayed all the time';
    $hd->finish;
};

subtest 'USR1' => sub {
    my $hd = HyperDerp::Test->new(no_tls => 1);
    my $log = $hd->dir . '/hd.log';
    my $yaml = $hd->yaml;
    $yaml =~ s/log: \{/log: {target: $log, format: json, /;
    $hd->{yaml} = $yaml;
    $hd->{log} = $log;
    $hd->write_conf;
    $hd->run;
    ok $hd->ready, 'logs to a file';
    rename $log, "$log.1";
    $hd->signal('USR1');
    ok $hd->log_like(qr/"level":"notice","msg":"log reopened"/), 'a new file is there';
    like HyperDerp::Test::slurp("$log.1"), qr/"msg":"starting/, 'the old one has the old lines';
    $hd->finish;
};

# Until the drain is over, what a client sees; then the exit code.
subtest 'QUIT drains and exits' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 300ms\n");
    my $alice = $hd->client;
    my $start = time;
    $hd->signal('QUIT');
    ok $hd->log_like(qr/drain begins: streams=\d+ drain_time_ms=300 then=exit/), 'is logged';
    is $hd->wait_exit(30), 0, 'exit 0';
    cmp_ok time - $start, '>=', 0.29, 'not before drain_time';
    like $hd->log_text, qr/drained: streams=0/, 'all peers were closed';
};

subtest 'USR2 drains and stays, TERM ends it' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: 60s\n");
    my $alice = $hd->client;
    $hd->signal('USR2');
    ok $hd->log_like(qr/drain begins: .*then=stay/), 'is logged';
    my $s = $hd->socket;
    print $s "GET /derp/latency-check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    my $line = <$s> // '';
    like $line, qr/503/, 'latency-check answers 503';
    my $start = time;
    $hd->signal('TERM');
    is $hd->wait_exit, 0, 'TERM: exit 0';
    cmp_ok time - $start, '<', 30, '... before drain_time is over';
};

subtest 'TERM with stuck clients' => sub {
    my $hd = HyperDerp::Test->start(conf => "login_timeout: 60s\nwrite_timeout: 60s\n");
    my @stuck = map { $hd->socket($hd->{tls}) } 1 .. 20;
    push @stuck, map { $hd->socket } 1 .. 20;
    print $_ "GET /derp HTT" for @stuck[20 .. 39];
    my @clients = map { $hd->client } 1 .. 2;
    kill STOP => $clients[0]{pid};
    my $start = time;
    $hd->finish;
    cmp_ok time - $start, '<', 30, 'before their time is over';
    kill CONT => $clients[0]{pid};
};

subtest 'the exit report' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'one');
    is $bob->packet, 'one', 'a packet';
    $hd->finish;
    is $hd->metric('hyper_derp_logins_total'), 2, 'two logins';
    is $hd->metric('hyper_derp_send_packets_total'), 1, 'one packet';
};

subtest 'the service manager' => sub {
    my $dir = File::Temp->newdir;
    socket my $s, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
    bind $s, pack_sockaddr_un("$dir/notify") or die "bind: $!";
    my $said = sub ($want) {
        vec(my $r = '', fileno $s, 1) = 1;
        return unless select $r, undef, undef, 30;
        recv $s, my $text, 4096, 0;
        return $text =~ $want;
    };
    my $hd = HyperDerp::Test->start(no_tls => 1, env => { NOTIFY_SOCKET => "$dir/notify" });
    ok $said->(qr/^READY=1/), 'READY=1 once it serves';
    $hd->signal('HUP');
    ok $said->(qr/^RELOADING=1\nMONOTONIC_USEC=\d+/), 'RELOADING=1';
    ok $said->(qr/^READY=1/), 'READY=1 again';
    $hd->signal('TERM');
    ok $said->(qr/^STOPPING=1/), 'STOPPING=1';
    $hd->finish;
};

# The shell hands the socket over as descriptor 3, with its own pid: it execs.
subtest 'a socket of the service manager' => sub {
    my $l = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 16) or die "listen: $@";
    my $hd = HyperDerp::Test->new(no_tls => 1, plain => $l->sockport);
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>>', $hd->{log};
        my $other = fcntl $l, F_DUPFD, 10;    # 3 may be $l itself, close-on-exec
        POSIX::dup2($other, 3);
        local ($ENV{LISTEN_PID}, $ENV{LISTEN_FDS}) = ($$, 1);
        exec $program, '-c', $hd->{file} or POSIX::_exit(127);
    }
    close $l;
    $hd->adopt($pid);
    ok $hd->log_like(qr/listening: addr=127\.0\.0\.1:$hd->{plain} tls=no inherited=yes/),
        'is used instead of an own one';
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'hello');
    is $bob->packet, 'hello', '... by every worker';
    $hd->finish;
};

subtest 'privileges' => sub {
    plan skip_all => 'needs root' if $>;
    my $hd = HyperDerp::Test->new(no_tls => 1, conf => "user: nobody\n");
    chmod 0711, $hd->dir;
    $hd->run;
    ok $hd->ready, 'serves';
    my ($uid) = HyperDerp::Test::slurp("/proc/$hd->{pid}/status") =~ /^Uid:\s+(\d+\s+\d+\s+\d+)/m;
    my $nobody = getpwnam 'nobody';
    is_deeply [split ' ', $uid], [($nobody) x 3], 'as the user';
    is((stat $hd->dir . '/derp.key')[4], $nobody, 'who owns the key');
    $hd->client;
    $hd->finish;
    $hd = HyperDerp::Test->new(no_tls => 1, conf => "user: no-such-user\n");
    $hd->run;
    is $hd->wait_exit >> 8, 78, 'an unknown user: exit 78';
    like $hd->log_text, qr/no user no-such-user.*useradd/, '... with the remedy';
};

done_testing;

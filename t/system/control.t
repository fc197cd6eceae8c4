# SPDX-License-Identifier: MIT
# t/system/control.t - a running relay under hdctl, and under those who mean it
# ill.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json encode_json);

my $build = $HyperDerp::Test::build;
my $hd = HyperDerp::Test->start(workers => 2, conf => "drain_time: 0s\n");
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'hello');
$bob->packet;

sub connection () {
    return IO::Socket::UNIX->new(Peer => $hd->control) // die "control socket: $!";
}

# One line there, one line back.
sub ask ($s, $line) {
    local $SIG{PIPE} = 'IGNORE';
    print {$s} "$line\n";
    $s->flush;
    my $answer = readline $s;
    return defined $answer ? decode_json($answer) : undef;
}

sub json (@words) { return decode_json($hd->ctl('--json', @words)) }

sub still_works ($name) {
    $alice->send($bob->key, $name);
    is $bob->packet, $name, "$name: the relay goes on";
}

subtest 'status and peers' => sub {
    my $s = json('status');
    is $s->{state}, 'serving', 'state';
    is $s->{pid}, $hd->pid, 'pid';
    is $s->{peers}, 2, 'peers';
    is $s->{workers}, 2, 'workers';
    cmp_ok $s->{packets_in}, '>=', 1, 'packets';
    like $hd->ctl('status'), qr/^state +serving$/m, 'for people';
    is $?, 0, 'exit status 0';
    my %by = map { $_->{key} => $_ } json('peers')->@*;
    is_deeply [sort keys %by], [sort $alice->key, $bob->key], 'of every worker';
    like $hd->ctl(qw(peers ffffffff)), qr/^key +addr +proto .*\n\z/, 'of none the names of the columns';
    my $p = $by{ $alice->key };
    is $p->{proto}, 'derp', 'protocol';
    is $p->{tls}, 'own', 'who encrypts';
    like $p->{addr}, qr/^127\.0\.0\.1:\d+$/, 'address';
    cmp_ok $p->{bytes_in}, '>', 0, 'bytes';
    is scalar json('peers', substr $alice->key, 0, 8)->@*, 1, 'by the beginning of a key';
    is_deeply [grep { exists $p->{$_} } qw(congestion rtt_us)], [], 'the kernel is not asked for paths';
    my ($path) = grep { $_->{key} eq $alice->key } json('peers', '--paths')->@*;
    like $path->{congestion}, qr/^[a-z]+$/, '--paths: congestion control';
    cmp_ok $path->{rtt_us}, '>', 0, '... and the round trip';
    like $hd->ctl('peers', '--paths'), qr/^key .* drops +congestion +rtt_us +name/, '... as columns';
    like $hd->ctl('peers'), qr/^key .* drops +name/, '... which the table has only then';
    ok json('peers', $alice->key)->[0]{congestion}, '... as one who is asked for by key';
    my @sorted = map { $_->{bytes_in} + $_->{bytes_out} } json(qw(peers --sort bytes))->@*;
    cmp_ok $sorted[0], '>=', $sorted[1], '--sort bytes';
};

subtest 'what there is' => sub {
    my @words = map { $_->{words} } json('commands')->@*;
    is_deeply [grep { /^(?:derp|stun) info$/ } @words], ['derp info', 'stun info'],
        'modules have their commands';
    my $help = $hd->ctl('help');
    like $help, qr/^ +\Q$_\E /m, "help has $_" for @words;
    like json('derp', 'info')->{key}, qr/^[0-9a-f]{64}$/, 'derp info';
    is json('stun', 'info')->{port}, $hd->{stun}, 'stun info';
    my ($derp) = json('module', 'status', 'derp')->@*;
    ok $derp->{file}, 'module status: file';
    is $derp->{counters}{'hyper_derp_derp_clients'}, 2, '... counters';
    ok((grep { $_ eq '/derp' } $derp->{routes}->@*), '... routes');
    ok((grep { $_->{name} eq 'hyper_derp_peers_active' && $_->{value} == 2 } json('metrics')->@*),
        'metrics');
    like json('config', 'show'), qr/^drain_time: 0$/m, 'config show';
    like json('status')->{config}, qr{^/}, 'status: the file by its whole path';
    ok((grep { ($_->{section} // '') eq 'control' } json('config', 'schema')->@*), 'config schema');
    is json('whoami')->{role}, 'admin', 'whoami';
};

subtest 'operating' => sub {
    my $carol = $hd->client;
    is json('peer', 'close', $carol->key)->{closed}, 1, 'peer close';
    ok $carol->closed_within, '... and it is closed';
    ok $hd->log_like(qr/audit: uid=\d+ pid=\d+ role=admin command="peer close key=\w+" result=ok/),
        '... and in the audit log';
    my (@trace, $closed);
    HyperDerp::Test::wait_for(sub {
        @trace = json('trace')->@*;
        ($closed) = grep { $_->{what} eq 'closed' && ($_->{key} // '') eq $carol->key } @trace;
    });
    is scalar(grep { $_->{what} eq 'login' } @trace), 3, 'trace: logins';
    is $closed->{reason}, 'kicked', '... and why she was closed';
    $hd->ctl('peer', 'close', 'f' x 64);
    is $?, 1, 'nobody has the key: 1';
    is $hd->ctl('config', 'check'), "a reload would take it\n", 'config check';
    is $hd->ctl('reload'), "ok\n", 'reload';
    ok $hd->log_like(qr/configuration reloaded/), '... is one';
    HyperDerp::Test::spew($hd->{file}, $hd->yaml . "nonsense: 1\n");
    like $hd->ctl('config', 'check'), qr/nonsense/, 'config check: an error';
    is $?, 1, '... exit status 1';
    like $hd->ctl('reload'), qr/nonsense/, 'reload: an error';
    is $?, 1, '... exit status 1';
    $hd->write_conf;
    is $hd->ctl('log', 'level', 'debug'), "level             debug\n", 'log level';
    still_works('operating');
};

subtest 'events' => sub {
    my $s = connection;
    is ask($s, '{"cmd":["watch","peer"]}')->{ok}, JSON::PP::true, 'watch';
    my $dave = $hd->client;
    my $up = decode_json(scalar readline $s);
    is $up->{event}, 'peer.up', 'a login';
    is $up->{data}{key}, $dave->key, '... whose';
    $hd->ctl('peer', 'close', $dave->key);
    my $down = decode_json(scalar readline $s);
    is "$down->{event} $down->{data}{why}", 'peer.down kicked', 'and its end';
    my $erin = HyperDerp::Raw->login($hd);
    is decode_json(scalar readline $s)->{event}, 'peer.up', 'another login';
    $erin->frame(HyperDerp::Raw::WATCH_CONNS);
    is decode_json(scalar readline $s)->{data}{why}, 'frame_privileged', '... ends for a reason of a module';
    ok $hd->log_like(qr/closed: key=@{[substr $erin->key, 0, 8]} .* why=frame_privileged$/m), '... the log has it';
    my ($trace) = grep { $_->{what} eq 'closed' && ($_->{key} // '') eq $erin->key } json('trace')->@*;
    is $trace->{reason}, 'frame_privileged', '... and the trace';
    my $error = ask($s, '{"cmd":["watch","peer","drosp"]}')->{error};
    is $error->{code}, 'bad_argument', 'an event that there is not: refused';
    like $error->{message}, qr/no event "drosp"; is "drops" meant\?.* peer\.up/, '... with those there are';
    like ask($s, '{"cmd":["watch","pee"]}')->{error}{message}, qr/no event "pee"/, 'half a word is none';
    my %event = map { $_->{event} => $_ } json('events')->@*;
    ok $event{$_}, "events lists $_" for qw(peer.up peer.down drops module reload drain);
};

subtest 'exit codes of hdctl' => sub {
    for ([2, 'nonsense'], [2, 'peer', 'close'], [2, 'peer', 'close', 'xyz'],
        [2, 'drain', '--for', 'ever'], [2, 'module'], [2, 'trace', '--what', 'logins'],
        [2, qw(peers --sort nonsense)], [2, 'peers', '--no-such'], [2, '--sort'], [2]) {
        my ($code, @words) = @$_;
        ok length $hd->ctl(@words), "'@words' is explained";
        is $?, $code, "... and ends with $code";
    }
    like $hd->ctl('peerz'), qr/is "peers" meant/, 'the nearest command is named';
    for (['module relaod derp', 'module reload'], ['module enabel wg', 'module enable'], ['derpmpa', 'derpmap'],
        ['peer cloes ffff', 'peer close'], ['wacht', 'watch']) {
        my ($said, $meant) = @$_;
        like $hd->ctl(split / /, $said), qr/is "$meant" meant/, "$said: $meant";
        is $?, 2, '... and is not done';
    }
    like $hd->ctl(qw(peers --sort agnet)), qr/no such column; is "agent" meant\?; there are: key, addr/, '--sort: a slip';
    like $hd->ctl(qw(status --sort nosuch)), qr/not a table/, '... of what is no table';
    like $hd->ctl(qw(derpmap --sort nosuch)), qr/not a table/, '... of what hdctl does itself';
    like $hd->ctl(qw(peers ffffffff --sort nosuch)), qr/no such column; there are: key addr/, '... of an empty table';
    like ask(connection(), '{"cmd":["module","relaod","derp"]}')->{error}{message}, qr/is "module reload" meant/,
        'the relay knows too, with an argument behind';
    like $hd->ctl('module'), qr/expected next: load, reload, status, unload, disable, enable, new/,
        'the beginning of a command is known for one';
    like $hd->ctl('module status'), qr/words are separate/, 'a command in one word';
    for ('wg', 'wg peer list', 'wg client-config phone') {
        like $hd->ctl(split / /), qr/^hdctl: the module wg, .* is not loaded; .*: hdctl module enable wg$/,
            "$_: the module is missing";
        is $?, 2, '... exit 2';
    }
    my $out = qx($build/hdctl --socket /nowhere/at/all status 2>&1);
    is $? >> 8, 3, 'no relay: 3';
    like $out, qr/is the relay running/, '... says so';
    SKIP: {
        skip 'needs root', 3 if $>;
        chmod 0711, $hd->dir;
        my $nobody = getpwnam 'nobody';
        my $as = sub ($out) {
            my $pid = fork // die;
            if (!$pid) {
                open STDOUT, '>', $out;
                open STDERR, '>&', \*STDOUT;
                $( = $) = "65534 65534";
                ($<, $>) = ($nobody, $nobody);
                exec "$build/hdctl", '--socket', $hd->control, 'status' or POSIX::_exit(127);
            }
            waitpid $pid, 0;
            return $? >> 8;
        };
        skip 'nobody cannot run hdctl here', 3 if system('su', '-s', '/bin/sh', 'nobody', '-c', "test -x $build/hdctl");
        is $as->("$hd->{dir}/out"), 4, 'the socket is closed to others: 4';
        chmod 0666, $hd->control;
        is $as->("$hd->{dir}/out"), 4, '... and so is the relay';
        like HyperDerp::Test::slurp("$hd->{dir}/out"), qr/control group/, '... which says why';
        chmod 0660, $hd->control;
    }
};

subtest 'times are times' => sub {
    my ($login) = grep { $_->{name} eq 'hyper_derp_login_seconds' } json('metrics')->@*;
    is $login->{kind}, 'histogram', 'a histogram';
    cmp_ok $login->{mean_us}, '>', 0, '... has a mean';
    cmp_ok $login->{p99_us}, '>=', $login->{p50_us}, '... and percentiles';
};

# A relay that is made up: what it says is as bad as can be.
subtest 'control characters of an answer' => sub {
    my $path = $hd->dir . '/evil.sock';
    my $l = IO::Socket::UNIX->new(Local => $path, Listen => 5) // die "socket: $!";
    my $bad = '\u001b[31mred\u009b2J\u202e\r\u0007\u007f';
    my %data = (commands => '[{"words":"peers","args":"","help":"h","role":"read","arguments":[]},'
            . '{"words":"text","args":"","help":"h","role":"read","arguments":[]},'
            . '{"words":"one","args":"","help":"h","role":"read","arguments":[]}]',
        peers => qq([{"key":"00","agent":"$bad","$bad":1}]), text => qq("$bad\\nsecond line"),
        one => qq({"$bad":"$bad","list":["$bad"],"key":"$bad"}));
    my $pid = fork // die;
    if (!$pid) {
        while (my $c = $l->accept) {
            while (my $line = readline $c) {
                my ($id, $word) = $line =~ /"id":(\d+),"cmd":\["(\w+)"/;
                print {$c} $data{$word} ? qq({"id":$id,"ok":true,"data":$data{$word}}\n)
                    : qq({"id":$id,"ok":false,"error":{"code":"x","message":"$bad"}}\n);
                $c->flush;
            }
        }
        POSIX::_exit(0);
    }
    for my $word (qw(peers text one nosuch watch)) {
        my $out = qx($build/hdctl --socket $path $word 2>&1);
        unlike $out, qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae/, "$word: nothing that a terminal obeys";
        like $out, qr/\\u001b\[31mred\\u009b2J\\u202e/, '... but what it was' if $word ne 'nosuch';
    }
    like qx($build/hdctl --socket $path text), qr/\nsecond line\n/, 'a text has its lines';
    is decode_json(scalar qx($build/hdctl --socket $path --json peers))->[0]{agent},
        "\e[31mred\x{9b}2J\x{202e}\r\a\x7f", 'JSON has the same value';
    kill KILL => $pid;
    waitpid $pid, 0;
};

subtest 'commands of hdctl' => sub {
    like $hd->ctl('top', '-1'), qr/^serving .*peers 2.*packets\/s.*drops\/s/s, 'top -1';
    my $map = decode_json($hd->ctl('derpmap', '--host', 'relay.example.com') =~ s/^hdctl:.*\n//mgr);
    my $node = $map->{derpMap}{Regions}{900}{Nodes}[0];
    is $node->{HostName}, 'relay.example.com', 'derpmap: host';
    is $node->{DERPPort}, $hd->port, '... port';
    is $node->{STUNPort}, $hd->{stun}, '... STUN port';
    my $pin = qx(openssl x509 -in $hd->{crt} -outform DER | sha256sum) =~ s/ .*//sr;
    is $node->{CertName}, "sha256-raw:$pin", '... pin of the certificate';
    is $hd->ctl('complete', '--', 'pee'), "peer\npeers\n", 'completion: words';
    is $hd->ctl('complete', '--', 'peer', 'close', substr $alice->key, 0, 6),
        substr($alice->key, 0, 16) . "\n", '... keys';
    is $hd->ctl('complete', '--', 'drain', '--'), "--for\n--exit\n", '... options';
    like $hd->ctl('completion', $_), qr/hdctl complete/, "completion $_" for qw(bash zsh fish);
    is $hd->ctl('config', 'check', $hd->{file}), "the configuration is good\n", 'config check FILE';
    like $hd->ctl('config', 'check', '/nowhere'), qr/nowhere/, '... that is missing';
    is $?, 1, '... exit status 1';
};

subtest 'the shell' => sub {
    open my $f, '-|', 'bash', '-c',
        "export ASAN_OPTIONS=detect_leaks=0;"    # libedit keeps the names of added functions
            . "printf 'whoami\\nnonsense\\n  \\nexit\\nstatus\\n' | (HDCTL_SOCKET=${\$hd->control} HOME= exec -a hdcli $build/hdctl) 2>&1"
        or die "hdcli: $!";
    local $/;
    my $out = readline $f;
    close $f;
    is $?, 0, 'hdcli: exit status 0';
    like $out, qr/^role +admin$/m, 'a command';
    like $out, qr/no command "nonsense"/, 'a wrong one does not end it';
    unlike $out, qr/uptime/, 'exit does';
};

subtest 'bad input' => sub {
    my $s = connection;
    for (['no JSON', 'bad_json'], ['{"cmd":["status"', 'bad_json'], ['[1]', 'bad_request'],
        ['{"cmd":"status"}', 'bad_request'], ['{"cmd":["nothing"]}', 'unknown_command'],
        ['{"cmd":["peer","close"]}', 'bad_argument'],
        ['{"cmd":["peer","close"],"args":{"key":7}}', 'bad_argument'],
        ['{"cmd":["peers"],"args":{"key":[]}}', 'bad_argument'],
        ['[' x 30000, 'bad_json'], ["\xff\xfe", 'bad_json'], ["\0", 'bad_json']) {
        my ($line, $code) = @$_;
        is ask($s, $line)->{error}{code}, $code, substr($line, 0, 40) =~ s/[^ -~]/?/gr;
    }
    is ask($s, 'x' x (41 << 20))->{error}{code}, 'too_long', 'a line of 41 MiB';
    is ask($s, '{"id":1,"cmd":["whoami"]}')->{id}, 1, 'and the connection goes on';
    still_works('bad input');
};

subtest 'empty lines, without end' => sub {
    my $s = connection;
    local $SIG{ALRM} = sub { die 'the relay does not answer any more' };
    alarm 60;
    $s->autoflush(1);
    print {$s} "\n" x (2 << 20);
    is ask($s, '{"id":1,"cmd":["whoami"]}')->{id}, 1, 'are skipped';
    alarm 0;
};

subtest 'a client that never reads' => sub {
    my $s = connection;
    my $line = encode_json({ cmd => ['metrics'] }) . "\n";
    $s->blocking(0);
    local $SIG{PIPE} = 'IGNORE';
    my $sent = 0;
    while (defined(my $n = syswrite $s, $line x 100)) { $sent += $n }
    cmp_ok $sent, '>', 0, "$sent bytes of requests, then the kernel takes no more";
    is json('whoami')->{role}, 'admin', 'others are answered';
    still_works('never reads');
    ok HyperDerp::Test::wait_for(sub { json('status')->{control_clients} == 1 }, 60),
        'and in the end it is closed';
};

subtest '1,000 connections' => sub {
    my @s = map { connection } 1 .. 1000;
    ok HyperDerp::Test::wait_for(sub {
        my $s = IO::Socket::UNIX->new(Peer => $hd->control) or return;
        return (ask($s, '{"cmd":["whoami"]}')->{error}{code} // '') eq 'busy';
    }), 'one more is told that there are too many';
    is ask($s[$_], "{\"id\":$_,\"cmd\":[\"whoami\"]}")->{id}, $_, "connection $_ is answered"
        for 0, 499, 999;
    still_works('1,000 connections');
    @s = ();
    ok HyperDerp::Test::wait_for(sub { $hd->ctl('whoami'); $? == 0 }), 'then there is room';
};

subtest 'a second relay, a stale socket' => sub {
    my $other = HyperDerp::Test->new(conf => '');
    my $yaml = $other->yaml =~ s/^control:.*$/control: {socket: ${\$hd->control}}/mr;
    HyperDerp::Test::spew($other->{file}, $yaml);
    $other->run;
    is $other->wait_exit >> 8, 1, 'does not start on the same socket';
    like $other->log_text, qr/another relay answers/, '... and says why';
    is json('whoami')->{role}, 'admin', '... which still answers';
    my $stale = IO::Socket::UNIX->new(Local => $other->control, Listen => 1) or die "stale: $!";
    close $stale;
    HyperDerp::Test::spew($other->{file}, $other->yaml);
    delete $other->{status};
    unlink $other->{log};
    $other->run;
    ok $other->ready, 'a socket that a crash has left is replaced';
    $other->ctl('whoami');
    is $?, 0, '... and answered on';
    $other->finish;
    ok !-e $other->control, 'it is removed in the end';
};

subtest 'drain' => sub {
    $hd->ctl('undrain');
    is $?, 1, 'undrain without one is refused';
    is json('drain', '--for', '100ms')->{state}, 'draining', 'begins';
    ok $alice->closed_within, 'peers are closed';
    ok HyperDerp::Test::wait_for(sub { json('status')->{state} eq 'drained' }), 'drained';
    $hd->ctl('drain');
    is $?, 1, 'a second one is refused';
    open my $watch, '-|', "$build/hdctl --socket ${\$hd->control} watch module 2>&1" or die $!;
    ok HyperDerp::Test::wait_for(sub { json('status')->{control_clients} == 2 }), 'one watches';
    $hd->ctl('drain', '--exit');
    is $?, 0, '--exit';
    ok defined $hd->wait_exit, 'ends the relay';
    like scalar readline $watch, qr/closed the connection/, '... which a watcher is told';
    close $watch;
    is $? >> 8, 3, '... with exit status 3';
    $hd->finish;
    is $hd->metric('hyper_derp_closes_total', qr/protocol/), 1, 'a reason of a module counts as what it is like';
like $hd->log_text, qr/metric hyper_derp_login_seconds: count=\d+ mean_us=\d+ p50_us=\d+ p90_us=\d+ p99_us=\d+$/m,
    'at the stop times are logged as times';
};

# A call that workers gather for comes back when the relay has ended them.
subtest 'calls that are under way at the stop' => sub {
    my $last = HyperDerp::Test->start(workers => 4);
    my @s    = map { IO::Socket::UNIX->new(Peer => $last->control) // die "control socket: $!" } 1 .. 20;
    print {$_} qq({"id":1,"cmd":["module","status"]}\n) x 50 for @s;
    $_->flush for @s;
    readline $s[-1];    # by now the others wait
    $last->finish;
};

subtest 'a relay that hangs' => sub {
    my $dir = File::Temp->newdir('hd-hangs-XXXXXX', TMPDIR => 1);
    my $mute = IO::Socket::UNIX->new(Local => "$dir/mute.sock", Listen => 1) or die "listen: $!";
    local $ENV{HDCTL_TIMEOUT} = 1;
    like qx($build/hdctl --socket $dir/mute.sock status 2>&1), qr/does not answer/, 'hdctl says so';
    is $? >> 8, 3, '... and does not wait for ever';
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/configure.t - hdctl configure: a candidate, its commit and the way
# back, whoever is killed or restarted meanwhile.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Cwd qw(realpath);
use File::Copy qw(copy);
use HyperDerp::Terminal;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);
use JSON::PP qw(decode_json encode_json);
use POSIX ();
use Time::HiRes qw(sleep time);

my $hdctl = "$HyperDerp::Test::build/hdctl";

sub relay (%o) {
    my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1, load_module => ['derp'], %o);
    my $yaml = $hd->yaml =~ s/^log:.*\n/log: # what is said\n  # how much\n  level: info  # not too much\n/mr;
    HyperDerp::Test::spew($hd->{file}, "# mine\n$yaml" . "include: conf.d\/*.yaml\n# the end\n");
    mkdir $hd->dir . '/conf.d';
    HyperDerp::Test::spew($hd->dir . '/conf.d/rates.yaml', "# rates\npeer_rate_limit: 1MiB # each\n");
    $hd->run;
    $hd->ready or BAIL_OUT('the relay does not start: ' . $hd->log_text);
    return $hd;
}

sub text ($hd) { return HyperDerp::Test::slurp($hd->{file}) }
sub state_of ($hd, $name) { return realpath($hd->dir) . "/configure/$name" }

sub does ($hd, $code, $re, @words) {
    my $said = $hd->ctl('configure', @words);
    is $?, $code, "@words: exit $code" or diag $said;
    like $said, $re, '... and what it says';
    unlike $said, qr/Sanitizer|runtime error:/, '... no sanitizer report';
    return $said;
}

# What the relay does now.
sub level ($hd) { return $hd->ctl(qw(config show)) =~ /^  level: (\w+)/m ? $1 : '' }
sub json ($hd, @words) { return decode_json($hd->ctl('--json', 'configure', @words)) }

subtest 'step by step' => sub {
    my $hd = relay();
    my $was = text($hd);
    does($hd, 0, qr/^no changes$/, 'diff');
    does($hd, 0, qr/^no changes$/, 'check');
    does($hd, 0, qr/^nothing to commit$/, 'commit');
    does($hd, 0, qr/^no commits$/, 'history');
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    is text($hd), $was, 'the file is as it was';
    is level($hd), 'info', '... and the relay';
    does($hd, 0, qr/^debug$/, qw(show log.level));
    does($hd, 0, qr/^  level: debug  # not too much$/m, 'show');
    for my $words (['diff'], [qw(show | diff)]) {
        my $said = does($hd, 0, qr/^-  level: info  # not too much\n\+  level: debug  # not too much$/m, @$words);
        like $said, qr/^--- \S+\/conf.d\/rates.yaml$/m, '... in two files';
    }
    does($hd, 0, qr/^the relay would take it$/, 'check');
    is_deeply json($hd, 'check'), { ok => JSON::PP::true, restart => [], modules => [] }, 'check --json';
    does($hd, 0, qr/^committed, and in effect$/, qw(commit comment because of this));
    is text($hd), $was =~ s/level: info/level: debug/r, 'the file is what was committed, comments and all';
    is HyperDerp::Test::slurp($hd->dir . '/conf.d/rates.yaml'), "# rates\npeer_rate_limit: 2MiB # each\n",
        '... and the one it includes';
    is level($hd), 'debug', '... and the relay has it';
    my $all = json($hd, 'history');
    is scalar(@$all), 1, 'history';
    is $all->[0]{comment}, 'because of this', '... with the comment';
    like $all->[0]{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, '... the time';
    ok length $all->[0]{by}, '... and who';
    does($hd, 0, qr/^0 .*because of this$/m, 'history');

    does($hd, 0, qr/^the candidate is what it was then/, qw(rollback 1));
    does($hd, 0, qr/^\+  level: info  # not too much$/m, 'diff');
    does($hd, 0, qr/in effect/, 'commit');
    is text($hd), $was, 'rollback and commit: as it was';
    is level($hd), 'info', '... the relay, too';
    does($hd, 2, qr/rollback 3: expected 0 to 2;/, qw(rollback 3));
    does($hd, 2, qr/rollback x: expected 0 to 2;/, qw(rollback x));

    does($hd, 0, qr/^note: the comment in line 2 of \S+ goes with it$/m, qw(delete peer_rate_limit));
    does($hd, 0, qr/^\z/, qw(set workers 1));
    does($hd, 0, qr/^the candidate is gone/, qw(rollback 0));
    does($hd, 0, qr/^no changes$/, 'diff');
    does($hd, 1, qr/is not set$/, qw(show drain_time));
    $hd->finish;
};

subtest 'wrong words and values' => sub {
    my $hd = relay();
    my $file = $hd->{file};
    my $was = text($hd);
    for ([1, qr/\Q$file\E:10: `level: debgu` is not one of .*did you mean `debug`/, qw(set log.level debgu)],
        [1, qr/\Q$file\E:\d+: unknown key `workerz`; did you mean `workers`/, qw(set workerz 2)],
        [1, qr/unknown key `levle` in `log`; did you mean `level`/, qw(set log.levle debug)],
        [1, qr/is not a whole number/, qw(set workers many)],
        [1, qr/:\d+: `x` cannot stand in what has a value/, qw(set workers.x 1)],
        [1, qr/there is no item \[7\]/, qw(set listen[7].addr x)],
        [1, qr/it is there already/, qw(add load_module derp)],
        [1, qr/not an option's name/, qw(set a..b x)],
        [1, qr/in one line/, 'set', 'listen', '[{'],
        [1, qr/nosuch is not set there/, qw(delete nosuch)],
        [2, qr/has no command "sett"; is "set" meant/, qw(sett a b)],
        [2, qr/needs an option and its value/, qw(set workers)],
        [2, qr/not expected here/, qw(commit now)],
        [2, qr/do not go together/, qw(commit confirmed --no-reload)]) {
        my ($code, $re, @words) = @$_;
        does($hd, $code, $re, @words);
    }
    does($hd, 0, qr/^no changes$/, 'diff');
    is text($hd), $was, 'nothing has changed';
    does($hd, 0, qr/^\z/, qw(set workers 1));
    does($hd, 0, qr/^note: workers needs a restart$/m, qw(set workers 2));
    does($hd, 0, qr/^needs a restart: workers$/m, 'check');
    does($hd, 1, qr/needs a restart: workers; nothing is committed/, 'commit');
    does($hd, 1, qr/tries what a reload can take back/, qw(commit confirmed));
    does($hd, 0, qr/reads it at its next start/, qw(commit --no-reload));
    like text($hd), qr/^workers: 2$/m, 'written';
    $hd->finish;
    delete @$hd{qw(status pid)};
    does($hd, 1, qr/unknown key `levle`/, '-c', $file, qw(set log.levle warn));
    does($hd, 0, qr/^\z/, '-c', $file, qw(set log.level warn));
    does($hd, 3, qr/no relay runs with/, '-c', $file, qw(commit confirmed));
    does($hd, 0, qr/no relay runs with this file/, '-c', $file, 'commit');
    like text($hd), qr/level: warn  # not too much/, 'written without a relay';
    does($hd, 1, qr/there is no configuration at/, '-c', '/nosuch/x.yaml', 'show');
};

sub on_trial ($hd) { return $hd->ctl(qw(config trial)) =~ /^on_trial +yes$/m }

# Tries log.level debug. Returns the moment before.
sub try_it ($hd, $time) {
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    my $before = time;
    does($hd, 0, qr/^on trial for \Q$time\E, then the relay goes back by itself/, 'commit', 'confirmed', $time);
    return $before;
}

subtest 'commit confirmed' => sub {
    my $hd = relay();
    my $was = text($hd);
    my $before = try_it($hd, '2s');
    is text($hd), $was, 'on trial: the file stays';
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), 'nobody confirms: back';
    ok time - $before >= 2, '... not before its time';
    ok !on_trial($hd), '... it is over';
    is_deeply [glob $hd->dir . '/configure-trial*'], [], '... and not kept';
    does($hd, 0, qr/^\+  level: debug/m, 'diff');

    try_it($hd, '1h');
    is level($hd), 'debug', 'it is tried';
    ok on_trial($hd), '... on trial';
    $hd->ctl('reload');
    is level($hd), 'debug', 'a reload does not end it';
    does($hd, 0, qr/^committed/, 'commit');
    ok !on_trial($hd), 'confirmed';
    like text($hd), qr/level: debug/, '... the file has it';
    ok $hd->log_like(qr/the configuration on trial is confirmed/), '... the log says so';
    does($hd, 0, qr/candidate/, qw(rollback 1));
    does($hd, 0, qr/^committed/, 'commit');

    try_it($hd, '1h');
    does($hd, 0, qr/the candidate is gone/, 'discard');
    is level($hd), 'info', 'discard ends a trial';

    try_it($hd, '1s');
    HyperDerp::Test::spew($hd->{file}, $was =~ s/level: info/level: nosuch/r);
    ok $hd->log_like(qr/on trial is still in effect: the next attempt/),
        'its time is over, and the file is not good';
    ok on_trial($hd), '... it says that it is not back';
    HyperDerp::Test::spew($hd->{file}, $was);
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), '... it goes back once the file is';
    ok !on_trial($hd), '... and is over';

    try_it($hd, '1h');
    HyperDerp::Test::spew($hd->{file}, $was =~ s/level: info/level: warn/r);
    $hd->ctl('config', 'check');
    is level($hd), 'debug', 'a file changed by hand: until it is read';
    $hd->signal('HUP');
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'warn' }), '... the file wins';
    ok !on_trial($hd), '... and the trial is over';
    does($hd, 1, qr/was changed by hand since the candidate began/, 'commit');
    does($hd, 0, qr/^note: \S+ was changed by hand/m, 'update');
    does($hd, 0, qr/^-  level: warn  # not too much\n\+  level: debug/m, 'diff');
    does($hd, 0, qr/^committed/, 'commit');
    $hd->finish;
};

# The kernel gives the ports back a little later.
sub killed ($hd) {
    $hd->stop('KILL');
    delete @$hd{qw(status pid)};
    return $hd->ports_free;
}

subtest 'a trial, and a relay that comes anew' => sub {
    my $hd = relay();
    try_it($hd, '1h');
    killed($hd);
    $hd->run;
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'debug' }), 'killed and started: still on trial' or diag $hd->log_text;
    print { $hd->socket } "GET / HTTP/9.9\r\n\r\n";
    ok $hd->log_like(qr/ debug .*request refused: from=/), '... and at work: the log has what it did not have';
    like $hd->ctl(qw(config trial)), qr/^left_ms +3[0-5]\d{5}$/m, '... with the time that was left';
    killed($hd);
    my ($kept) = glob $hd->dir . '/configure-trial*';
    my $state = decode_json(HyperDerp::Test::slurp($kept));
    $state->{until_ms} = (time - 1) * 1000;
    HyperDerp::Test::spew($kept, encode_json($state));
    $hd->run;
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), 'its time passed while nothing ran: the file';
    ok !-e $kept, '... it is forgotten';

    # What is kept there, and somebody has changed.
    my $start_with = sub ($from, $to) {
        try_it($hd, '1h');
        killed($hd);
        $state = decode_json(HyperDerp::Test::slurp($kept));
        $_->{text} =~ s/$from/$to/ for @{ $state->{files} };
        HyperDerp::Test::spew($kept, encode_json($state));
        $hd->run;
    };
    # As another user, whom root does not believe. The clock of the trial is good.
    if ($> == 0) {
        my $section = sub ($uid) {
            try_it($hd, '1h');
            killed($hd);
            $state = decode_json(HyperDerp::Test::slurp($kept));
            $_->{text} =~ s/\z/derp: {keepalive: 50s}\n/ for grep { $_->{path} !~ /rates/ } @{ $state->{files} };
            HyperDerp::Test::spew($kept, encode_json($state));
            chown $uid, -1, $kept;
            $hd->run;
        };
        $section->(65534);
        ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), 'root takes no section of a module from there: the file'
            or diag $hd->log_text;
        ok $hd->log_like(qr/takes the sections of modules from the files/), '... and says why';
        $section->(0);
        ok HyperDerp::Test::wait_for(sub { level($hd) eq 'debug' }), '... but what root has written is still on trial'
            or diag $hd->log_text;
        does($hd, 0, qr/the candidate is gone/, 'discard');
    }
    my @bad = ([qr/127\.0\.0\.1:\d+/, '127.0.0.1:1', 'what needs a restart is not tried']);
    push @bad, [qr/^load_module:.*$/m, 'load_module: [derp, /tmp/nosuch.so]', 'root takes no code from there'],
        [qr/^module_path:.*$/m, 'module_path: [/tmp]', '... nor where it is']
        if $> == 0;
    for (@bad) {
        my ($from, $to, $what) = @$_;
        $start_with->($from, $to);
        ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), "$what: the file";
        ok !-e $kept, '... it is forgotten';
    }
    $start_with->(qr/\z/, "derp: {nosuch: 1}\n");
    is $hd->wait_exit >> 8, 1, 'a start that fails: not as with a bad file, which is for good';
    ok !-e $kept, '... is the end of the trial';
    delete @$hd{qw(status pid)};
    $hd->run;
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), '... the next one has the file';
    HyperDerp::Test::spew($kept, 'rubbish');
    killed($hd);
    $hd->run;
    ok HyperDerp::Test::wait_for(sub { level($hd) eq 'info' }), 'rubbish in its place: the file';
    $hd->finish;
};

subtest 'a trial, and an upgrade' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $hd = relay();
    try_it($hd, '1h');
    upgrade($hd);
    is level($hd), 'debug', 'still on trial';
    ok on_trial($hd), '... and says so';
    does($hd, 0, qr/the candidate is gone/, 'discard');
    is level($hd), 'info', '... it can be taken back';
    $hd->finish;
};

subtest 'a commit that fails' => sub {
    my $hd = relay();
    my $rates = $hd->dir . '/conf.d/rates.yaml';
    my @was = (text($hd), HyperDerp::Test::slurp($rates));
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    my $new = $hd->dir . '/conf.d/.rates.yaml.tmp';
    mkdir $new;    # where the second file is written first
    does($hd, 1, qr/^hdctl: nothing is committed$/m, 'commit');
    is_deeply [text($hd), HyperDerp::Test::slurp($rates)], \@was, 'both files are as they were';
    is level($hd), 'info', '... and the relay';
    ok !-e state_of($hd, 'commit.json'), '... nothing is left to be completed';
    does($hd, 0, qr/^\+  level: debug/m, 'diff');
    rmdir $new;
    does($hd, 0, qr/^committed/, 'commit');
    is level($hd), 'debug', 'in effect';
    $hd->finish;
};

subtest 'a file that fewer may read' => sub {
    my $hd = relay();
    my $rates = $hd->dir . '/conf.d/rates.yaml';
    my $mode = sub ($path) { sprintf '%o', (stat $path)[2] & 07777 };
    chmod 0644, $hd->{file};
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    is $mode->(state_of($hd, 'candidate.json')), '644', 'as the file';
    chmod 0600, $rates;
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    is $mode->(state_of($hd, 'candidate.json')), '600', 'as the strictest of two';
    does($hd, 0, qr/^committed/, 'commit');
    is $mode->(state_of($hd, 'history/1.json')), '600', '... the history, too';
    is $mode->($hd->{file}), '644', 'the files keep theirs';
    is $mode->($rates), '600', '... both';
    $hd->finish;
};

# Beside its text a file has more, which a commit leaves there.
subtest 'ACL and extended attributes' => sub {
    plan skip_all => 'no setfattr, getfattr, setfacl, getfacl: apt-get install attr acl'
        if grep { system("command -v $_ >/dev/null") } qw(setfattr getfattr setfacl getfacl);
    my $hd = relay();
    plan skip_all => 'no extended attributes or no ACLs there'
        if system "setfattr -n user.note -v mine '$hd->{file}' 2>/dev/null && setfacl -m u:65534:r '$hd->{file}' 2>/dev/null";
    my $about = sub { qx{getfattr -d '$hd->{file}' 2>/dev/null; getfacl -n '$hd->{file}' 2>/dev/null} };
    my $was = $about->();
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    is sprintf('%o', (stat state_of($hd, 'candidate.json'))[2] & 0077), '0', 'the candidate is not for those of the mask';
    does($hd, 0, qr/^committed/, 'commit');
    like $was, qr/user\.note="mine".*user:65534:r/s, 'what there was';
    is $about->(), $was, '... is there';
    system "setfacl -d -m u:65534:rw '" . $hd->dir . "/conf.d'";
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    does($hd, 0, qr/^committed/, 'commit');
    unlike qx{getfacl -n '${\$hd->dir}/conf.d/rates.yaml'}, qr/65534/, "the folder's default ACL is for new files";
    $hd->finish;
};

# What somebody killed has left is no configuration, whatever is included.
subtest 'a file that was not finished' => sub {
    my $hd = relay();
    my $left = $hd->dir . '/conf.d/.rates.yaml.tmp';
    HyperDerp::Test::spew($hd->{file}, text($hd) =~ s{conf\.d/\*\.yaml}{conf.d/*}r);
    HyperDerp::Test::spew($left, "nonsense: 1\n");
    like $hd->ctl('reload'), qr/^ok/, 'a reload does not read it';
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    does($hd, 0, qr/^committed/, 'commit');
    ok !-e $left, '... and the next commit takes its place';
    $hd->finish;
};

subtest 'a module that came with a trial' => sub {
    my $hd = relay();
    my $loaded = sub { $hd->ctl(qw(module status)) =~ /^stun /m };
    my $begin = sub {
        does($hd, 0, qr/^\z/, qw(add load_module stun));
        does($hd, 0, qr/^on trial/, qw(commit confirmed 1h));
        $hd->ctl(qw(module load stun));
        ok $loaded->(), 'a module is loaded in a trial';
    };
    HyperDerp::Test::spew($hd->{file}, text($hd) . "stun: {listen: '127.0.0.1:" . HyperDerp::Test::free_port() . "'}\n");
    $begin->();
    does($hd, 0, qr/the candidate is gone/, 'discard');
    ok HyperDerp::Test::wait_for(sub { !$loaded->() }), '... it goes with it' or diag $hd->log_text;
    ok $hd->log_like(qr/module stun goes with the configuration on trial/), '... which the log says';
    $begin->();
    does($hd, 0, qr/^committed/, 'commit');
    ok $loaded->(), '... it stays with what is confirmed';
    does($hd, 0, qr/candidate/, qw(rollback 1));
    does($hd, 0, qr/^committed/, 'commit');
    ok $loaded->(), '... and a commit unloads nothing';
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    does($hd, 0, qr/^on trial/, qw(commit confirmed 1h));
    does($hd, 0, qr/the candidate is gone/, 'discard');
    ok $loaded->(), '... nor a trial that did not bring it';
    $hd->finish;
};

subtest 'modules of a trial, of which one needs another' => sub {
    my $hd = relay();
    my @came = map { "$HyperDerp::Test::build/t/lib/modules/.libs/$_.so" } qw(good needs);
    does($hd, 0, qr/^\z/, qw(add load_module), $_) for @came;
    does($hd, 0, qr/^on trial/, qw(commit confirmed 1h));
    $hd->ctl(qw(module load), $_) for @came;
    my $loaded = sub { scalar(() = $hd->ctl(qw(module status)) =~ /^(?:good|needs) /mg) };
    is $loaded->(), 2, 'they are loaded';
    does($hd, 0, qr/the candidate is gone/, 'discard');
    ok HyperDerp::Test::wait_for(sub { $loaded->() == 0 }), '... and both go' or diag $hd->log_text;
    $hd->finish;
};

# The candidate becomes a commit that has come so far.
sub interrupted ($hd, $files, $has_candidate) {
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    does($hd, 0, qr/^\z/, qw(set peer_rate_limit 2MiB));
    my $cand = decode_json(HyperDerp::Test::slurp(state_of($hd, 'candidate.json')));
    HyperDerp::Test::spew(state_of($hd, 'commit.json'),
        encode_json({ %$cand, by => 'alice', time => 1, comment => 'cut off' }));
    my @paths = sort keys %{ $cand->{files} };
    HyperDerp::Test::spew($_, $cand->{files}{$_}{text}) for @paths[0 .. $files - 1];
    unlink state_of($hd, 'candidate.json') unless $has_candidate;
    return;
}

subtest 'killed at each step of a commit' => sub {
    my $hd = relay();
    my $rates = $hd->dir . '/conf.d/rates.yaml';
    my @was = (text($hd), HyperDerp::Test::slurp($rates));
    for my $files (0 .. 2) {
        for my $has (1, $files == 2 ? 0 : ()) {
            interrupted($hd, $files, $has);
            like $hd->ctl(qw(configure discard)), qr/^note: a commit by alice was interrupted; it is complete now/m,
                "$files written: it is completed";
            like text($hd), qr/level: debug/, '... one file';
            like HyperDerp::Test::slurp($rates), qr/2MiB # each/, '... and the other';
            is json($hd, 'history')->[0]{comment}, 'cut off', '... it is in the history';
            ok !-e state_of($hd, $_), "... no $_" for qw(commit.json candidate.json);
            does($hd, 0, qr/candidate/, qw(rollback 1));
            does($hd, 0, qr/committed/, 'commit');
            is_deeply [text($hd), HyperDerp::Test::slurp($rates)], \@was, '... and it can be rolled back';
        }
    }
    # Wherever it is hit: a file is whole, and what is done next works.
    my %seen;
    for my $i (1 .. 12) {
        $hd->ctl(qw(configure set log.level), $i % 2 ? 'warn' : 'info');
        my $pid = fork // die;
        if (!$pid) {
            open STDOUT, '>', '/dev/null';
            exec $hdctl, '--socket', $hd->control, qw(configure commit) or POSIX::_exit(127);
        }
        sleep rand 0.03;
        kill 'KILL', $pid;
        waitpid $pid, 0;
        my $now = text($hd);
        $seen{ $now =~ s/level: warn/level: info/r }++;
        my $said = $hd->ctl(qw(configure commit));
        is $?, 0, 'killed, and committed again' or diag $said, $hd->ctl(qw(configure diff));
        is text($hd), $was[0] =~ s/level: info/'level: ' . ($i % 2 ? 'warn' : 'info')/er, '... the file is as wished';
    }
    is scalar(keys %seen), 1, 'the file was always whole';
    $hd->finish;
};

subtest 'two editors' => sub {
    my $hd = relay();
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    my $cand = decode_json(HyperDerp::Test::slurp(state_of($hd, 'candidate.json')));
    $_->{by} = 'alice on pts/7' for @{ $cand->{ops} };
    HyperDerp::Test::spew(state_of($hd, 'candidate.json'), encode_json($cand));
    does($hd, 0, qr/^note: the candidate has a change by alice on pts\/7: set log.level debug$/m, qw(set peer_rate_limit 2MiB));
    my @pids = map {
        my $i = $_;
        my $pid = fork // die;
        if (!$pid) {
            open STDOUT, '>', '/dev/null';
            exec $hdctl, '--socket', $hd->control, qw(configure add trusted_proxies), "192.0.2.$i" or POSIX::_exit(127);
        }
        $pid;
    } 1 .. 4;
    waitpid $_, 0 for @pids;
    is_deeply [sort @{ json($hd, qw(show trusted_proxies)) }], [map { "192.0.2.$_" } 1 .. 4], 'none of four at once is lost';
    HyperDerp::Test::spew(state_of($hd, 'candidate.json'), '{');
    does($hd, 1, qr/candidate.json: .*to drop the candidate, remove this file/, 'diff');
    $hd->finish;
};

subtest 'in a shell' => sub {
    plan skip_all => HyperDerp::Terminal::missing() if HyperDerp::Terminal::missing();
    my $hd = relay();
    local $ENV{HOME} = $hd->dir;
    local $ENV{ASAN_OPTIONS} = 'detect_leaks=0';    # libedit keeps the names of added functions
    my $t = HyperDerp::Terminal->new(100, 40, $hdctl, '--socket', $hd->control, 'configure');
    ok $t->shows(qr/^configure#/m), 'a prompt';
    $t->keys('-l', 'set log.l');
    $t->keys('Tab');
    ok $t->shows(qr/^configure# set log\.level *$/m), 'Tab knows options' or diag $t->text;
    $t->keys('-l', 'de');
    $t->keys('Tab');
    ok $t->shows(qr/set log\.level debug/), '... and what they can be' or diag $t->text;
    $t->keys('Enter');
    $t->type('set workers 2');
    ok $t->shows(qr/^note: workers needs a restart$/m), 'notes';
    $t->type('commit');
    ok $t->shows(qr/workers: needs a restart; write the file now.*\[y\/N\]/s), 'a restart is asked for';
    does($hd, 0, qr/^note: workers needs a restart/m, qw(set peer_rate_limit 3MiB));
    $t->type('y');
    ok $t->shows(qr/somebody has changed the candidate meanwhile; nothing is committed/), '... others need not wait for the answer';
    $t->type('commit');
    ok $t->shows(qr/(?:\[y\/N\].*){2}/s), '... asked again';
    $t->type('n');
    ok $t->shows(qr/hdctl: nothing is committed/), '... no';
    $t->type('delete workers');
    $t->type('set workers 1');
    $t->type('commit comment by hand');
    ok $t->shows(qr/committed, and in effect/), 'commit' or diag $t->text;
    $t->type('exit');
    is $t->ended, 0, 'exit ends it';
    $t->close;
    is level($hd), 'debug', 'the relay has it';

    local $ENV{HDCTL_SOCKET} = $hd->control;
    $t = HyperDerp::Terminal->new(100, 40, $hdctl);
    ok $t->shows(qr/^hdctl>/m), 'a shell';
    $t->type("configure -c $hd->{file}");
    ok $t->shows(qr/^configure#/m), '... to configure a file';
    $t->type('show log.level');
    ok $t->shows(qr/^debug$/m), '... which the next line knows' or diag $t->text;
    $t->type('exit');
    ok $t->shows(qr/^hdctl>/m), '... and back';
    $t->type('exit');
    is $t->ended, 0, 'exit ends it';
    $t->close;
    $hd->finish;
};

subtest 'who may only read' => sub {
    my $nobody = getpwnam('nobody');
    plan skip_all => 'needs root, to be somebody else' if $> || !defined $nobody;
    my $hd = relay();
    $hd->stop;
    delete @$hd{qw(status pid)};
    HyperDerp::Test::spew($hd->{file}, text($hd) =~ s/^control:.*$/control: {socket: ${\$hd->control}, others: read}/mr);
    $hd->run;
    $hd->ready;
    does($hd, 0, qr/^\z/, qw(set log.level debug));
    chmod 0755, $hd->dir;
    chmod 0644, $hd->{file}, glob $hd->dir . '/conf.d/*';
    my $dir = File::Temp->newdir('hd-conf-XXXXXX', TMPDIR => 1);
    chmod 0755, "$dir";
    copy($hdctl, "$dir/hdctl") or die "hdctl: $!";
    chmod 0755, "$dir/hdctl";
    my $as = sub (@words) {
        my $pid = open(my $out, '-|') // die "fork: $!";
        if (!$pid) {
            open STDERR, '>&', \*STDOUT;
            $( = 65534;
            $) = '65534 65534';
            POSIX::setuid($nobody);
            exec "$dir/hdctl", '--socket', $hd->control, @words or POSIX::_exit(127);
        }
        local $/;
        my $said = readline $out;
        close $out;
        return ($? >> 8, $said);
    };
    my ($code, $said) = $as->(qw(configure show log.level));
    plan skip_all => "nobody cannot run hdctl here: $said" if $code == 127;
    like $said, qr/^debug$/m, 'show';
    for (['diff', qr/^\+  level: debug/m], ['history', qr/no commits/]) {
        my ($word, $re) = @$_;
        ($code, $said) = $as->('configure', $word);
        is $code, 0, $word;
        like $said, $re, '... what there is';
    }
    for ([qw(configure set log.level warn)], [qw(configure commit)], [qw(configure discard)],
        [qw(config try), '/etc/passwd'], [qw(config trial end)]) {
        ($code, $said) = $as->(@$_);
        is $code, 4, "@$_: not permitted" or diag $said;
    }
    is level($hd), 'info', 'nothing has changed';
    $hd->finish;
};

done_testing;

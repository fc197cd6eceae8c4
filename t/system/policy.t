#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy.t - who may use the relay: rules, files of keys that change
# under live clients, revocations that outlast a restart, and what is refused.
use v5.36;
use IO::Handle;
use Time::HiRes qw(time);
use Test::More;
use FindBin;
use IPC::Open2;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy)]);
my $keys = "$hd->{dir}/keys";

# Other relays of the region: no rule is asked about them.
my $mesh_key = '5a' x 32;
HyperDerp::Test::spew("$hd->{dir}/mesh.key", "$mesh_key\n");
chmod 0600, "$hd->{dir}/mesh.key" or die $!;

sub conf ($section) {
    $hd->{conf} = "derp: {mesh_key: $hd->{dir}/mesh.key}\npolicy:\n$section";
    return $hd->write_conf;
}

sub reload ($section) {
    conf $section;
    return ctl($hd, 'reload');
}

# By rename, as an editor and a script do it.
sub list (@lines) {
    HyperDerp::Test::spew("$keys.new", join '', map { "$_\n" } @lines);
    return rename "$keys.new", $keys;
}

# A denied client: what it is told before the end.
sub denied ($login) {
    my $c = HyperDerp::Raw->start($hd, $login);
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

sub admitted ($login) { return HyperDerp::Raw->login($hd, $login) }

sub explained (@words) {
    my $a = ctl($hd, qw(policy explain), @words);
    return $a->{ok} ? join ' ', map { $_ // '-' } @{ $a->{data} }{qw(verdict by rule)} : $a->{error}{message};
}

list();
conf "  rules:\n    - {name: friends, keys: $keys}\n";
$hd->run;
$hd->ready or die $hd->log_text;
my ($alice, $bob, $carol) = HyperDerp::Raw::logins($hd, 3);

subtest 'nobody is on the list' => sub {
    is denied($alice), "this key is not on the relay's list", 'the client hears why';
    ok $hd->log_like(qr/login refused: key=\w{8} .*reason=this key is not/), '... and the log';
    is explained($alice->{key}), 'deny default -', 'hdctl policy explain';
};

# core/relay/refused.h: a tailscaled that is told comes back at once.
subtest 'who comes again and again' => sub {
    my $why = "this key is not on the relay's list";
    my ($dave) = HyperDerp::Raw::logins($hd, 1);
    my $of = sub ($what) {
        my $key = substr $dave->{key}, 0, 8;
        return scalar(() = $hd->log_text =~ /$what: key=$key /g);
    };
    is denied($dave), $why, "hears why, time $_" for 1 .. 10;
    # a machine that stalls for a minute begins anew
    ok HyperDerp::Test::wait_for(sub { denied($dave) eq 'nothing' }), '... but not for ever';
    HyperDerp::Test::wait_for(sub { $of->('closed') > 10 });
    cmp_ok $of->('login refused'), '<', 5, '... and the log once a minute';
};

# Each has a key of its own, and comes at the same moment.
subtest 'what the log says of a crowd' => sub {
    my @crowd = HyperDerp::Raw::logins($hd, 30);
    my @c = map { HyperDerp::Raw->start($hd, $_) } @crowd;
    $_->closed for @c;
    my $of = sub ($what) {
        my $log = $hd->log_text;
        return scalar grep { my $key = substr $_->{key}, 0, 8; $log =~ /$what: key=$key / } @crowd;
    };
    HyperDerp::Test::wait_for(sub { $of->('closed') == 30 });
    is $of->('login refused'), 30, 'each login that is refused has a line';
    is $of->('closed'), 30, '... and each connection';
};

subtest 'the list changes' => sub {
    list "nodekey:$alice->{key} alice's laptop", $bob->{key};
    ok ctl($hd, qw(policy reread))->{ok}, 'read again';
    my ($a, $b) = map { admitted($_) } $alice, $bob;
    my ($relay) = map { admitted($_) } HyperDerp::Raw::logins($hd, 1, qq({"meshKey":"$mesh_key"}));
    $a->send($bob->{key}, 'hello');
    is $b->packet, 'hello', 'they talk';
    is denied($carol), "this key is not on the relay's list", '... others do not';
    my ($peer) = grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} };
    is $peer->{name}, "alice's laptop", 'peers shows the name';
    ok $hd->log_like(qr/ login: .* name="alice's laptop"$/m), '... and the log';
    is explained($alice->{key}), 'allow rule friends', 'explain names the rule';
    list $alice->{key};
    ok ctl($hd, qw(policy reread))->{ok}, 'bob is taken off';
    ok $b->closed, '... and leaves at once';
    ok $a->ping, '... alice does not';
    ok $relay->ping, '... nor another relay of the region, which is on no list';
    list $alice->{key}, 'nonsense';
    my $r = ctl($hd, qw(policy reread));
    like $r->{error}{message}, qr/\Q$keys\E:2: no key;/, 'a bad list names file and line';
    ok $a->ping, '... and nobody leaves';
    is denied($bob), "this key is not on the relay's list", '... or comes';
};

subtest 'the list is watched' => sub {
    list $alice->{key};
    ok $hd->log_like(qr/files of keys have changed and are in force/), 'a new file is read';
    is denied($bob), "this key is not on the relay's list", '... without a command';
    list map { $_->{key} } $alice, $bob;
    ok HyperDerp::Test::wait_for(sub { explained($bob->{key}) eq 'allow rule friends' }), '... each time';
    list 'nonsense';
    ok $hd->log_like(qr/files of keys .* cannot be taken; .* \Q$keys\E:1: no key/), 'a bad one is in the log';
    is explained($bob->{key}), 'allow rule friends', '... and nothing has changed';
};

# In place, as `echo >` does it; with the file open when $open.
sub overwrite ($text, $open = 0) {
    open my $f, '>', $keys or die "$keys: $!";
    $f->autoflush;
    print $f $text;
    return $f if $open;
    return close $f;
}

sub rereads () { return scalar(() = $hd->log_text =~ /have changed and are in force/g) }

subtest 'a list that is written in place' => sub {
    my $whole = join '', map { "$_->{key}\n" } $alice, $bob;
    list map { $_->{key} } $alice, $bob;
    ok ctl($hd, qw(policy reread))->{ok}, 'both are on the list';
    my ($a, $b) = map { admitted($_) } $alice, $bob;

    # it is waited for 10 s: a test that is held up for longer has seen nothing
    my $since = time;
    my $f = overwrite("$alice->{key}\n", 1);
    my @said = map { $_->{error}{message} // 'done' } ctl($hd, qw(policy reread)), ctl($hd, 'reload');
    my $n = rereads();
    print $f "$bob->{key}\n";
    close $f;
    ok HyperDerp::Test::wait_for(sub { rereads() > $n }), 'when it is closed it is read';
    my $late = time - $since > 9;
    ok $late || $_ =~ /\Q$keys\E is being written; try again/, "half of it is there: $_" for @said;
    ok $late || $_->ping, '... nobody has left' for $a, $b;

    ($a, $b) = map { admitted($_) } $alice, $bob;
    $since = time;
    overwrite('');
    overwrite($whole);
    ok time - $since > 1 || ($a->ping && $b->ping), 'empty for a moment: nobody leaves';
    overwrite('');
    ok $b->closed, 'empty and at rest: it is an empty list';

    $n = rereads();
    ok HyperDerp::Test::wait_for(sub { overwrite($whole . '#' x rand 50); select undef, undef, undef, 0.04; rereads() > $n + 1 }),
        'one that changes all the time is read';
    is explained($bob->{key}), 'allow rule friends', '... bob is on it';
};

subtest 'a list behind symbolic links' => sub {
    my $dir = "$hd->{dir}/map";
    mkdir $_ for $dir, "$dir/v1", "$dir/v2";
    HyperDerp::Test::spew("$dir/v1/keys", "$alice->{key}\n");
    HyperDerp::Test::spew("$dir/v2/keys", "$bob->{key}\n");
    symlink 'v1', "$dir/..data";
    symlink '..data/keys', "$dir/keys";    # as kubernetes mounts a ConfigMap
    ok reload("  rules:\n    - {name: friends, keys: $dir/keys}\n")->{ok}, 'it leads to the first version';
    is explained($alice->{key}), 'allow rule friends', '... alice is on it';
    symlink 'v2', "$dir/..new";
    rename "$dir/..new", "$dir/..data";
    ok HyperDerp::Test::wait_for(sub { explained($bob->{key}) eq 'allow rule friends' }), '... and now to the second';
    is explained($alice->{key}), 'deny default -', '... alice is not';
    unlink "$dir/..data";
    ok $hd->log_like(qr/cannot be taken; .* \Q$dir\E\/keys: No such file/), 'it leads nowhere: the log says so';
    is explained($bob->{key}), 'allow rule friends', '... and nothing has changed';
    ok reload("  rules:\n    - {name: friends, keys: $keys}\n")->{ok}, 'another file';
};

subtest 'revoked' => sub {
    list map { $_->{key} } $alice, $bob;
    ok ctl($hd, qw(policy reread))->{ok}, 'both are on the list';
    my ($a, $b) = map { admitted($_) } $alice, $bob;
    ok ctl($hd, qw(peer revoke), $alice->{key}, '--why', 'lost laptop')->{ok}, 'alice is revoked';
    ok $a->closed, '... and leaves at once';
    ok $b->ping, '... bob does not';
    is denied($alice), 'this key is revoked: lost laptop', '... and stays out';
    is explained($alice->{key}), 'deny revocation -', 'explain says so';
    ok ctl($hd, qw(peer revoke), $bob->{key}, '--for', '1h')->{ok}, 'bob for an hour';
    like ctl($hd, qw(peer revoke), $carol->{key}, '--for', $_)->{error}{message}, qr/--for $_: give a time from 1s/,
        "carol for $_: refused" for qw(0s 876001h);
    is scalar @{ ctl($hd, qw(policy revoked))->{data} }, 2, 'both are listed';
    like ctl($hd, qw(peer unrevoke), $carol->{key})->{error}{message}, qr/not revoked/, 'carol is not';
    ok ctl($hd, qw(peer unrevoke), $bob->{key})->{ok}, 'it is taken back';
    admitted($bob);
    is $hd->stop, 0, 'the relay stops';
    $hd->run;
    $hd->ready or die $hd->log_text;
    is denied($alice), 'this key is revoked: lost laptop', 'after a restart, too';
    admitted($bob);
    ok ctl($hd, qw(peer unrevoke), $alice->{key})->{ok}, 'alice is let in again';
    admitted($alice);
    like ctl($hd, qw(peer revoke), 'abcd')->{error}{message}, qr/not a whole key/, 'half a key is refused';

    my $file = "$hd->{dir}/policy.revoked";    # as on a disk that is full
    unlink $file;
    mkdir $_ or die "$_: $!" for $file, "$file/x";
    $b = admitted($bob);
    like ctl($hd, qw(peer revoke), $bob->{key})->{error}{message},
        qr/put out, but will be back after a restart: .*policy\.revoked.*; remove the cause, then revoke it again/,
        'what cannot be kept is said';
    ok $b->closed, '... and bob leaves all the same';
    is explained($bob->{key}), 'deny revocation -', '... and is revoked';
    like ctl($hd, qw(peer unrevoke), $bob->{key})->{error}{message}, qr/policy\.revoked/, 'nor can that be taken back';
    is explained($bob->{key}), 'deny revocation -', '... and is not';
    rmdir $_ or die "$_: $!" for "$file/x", $file;
    ok ctl($hd, qw(peer unrevoke), $bob->{key})->{ok}, 'the disk is well again';
    admitted($bob);
};

subtest 'the code is reloaded' => sub {
    my $a = admitted($alice);
    ok ctl($hd, qw(peer revoke), $carol->{key})->{ok}, 'carol is revoked';
    ok ctl($hd, qw(module reload policy))->{ok}, 'reloaded';
    is explained($carol->{key}), 'deny revocation -', '... and she still is';
    HyperDerp::Test::spew("$hd->{dir}/policy.revoked", "nonsense\n");
    like ctl($hd, qw(module reload policy))->{error}{message},
        qr/policy\.so: \Q$hd->{dir}\E\/policy\.revoked: line 1 is not a revocation/, 'a damaged file: the trial fails';
    is explained($carol->{key}), 'deny revocation -', '... nothing has changed';
    ok $a->ping, '... for nobody';
    ok ctl($hd, qw(peer unrevoke), $carol->{key})->{ok}, 'the file is written anew';
    is denied($carol), "this key is not on the relay's list", 'the rules decide';
};

subtest 'a reload' => sub {
    my $a = admitted($alice);
    my $r = reload "  rules:\n    - {name: friends, keys: $keys}\n    - {from: [127.0.0.1/8]}\n";
    like $r->{error}{message}, qr/hd\.yaml:\d+: from: 127\.0\.0\.1\/8 has bits set/, 'a bad prefix: place and remedy';
    ok $a->ping, '... nothing has changed';
    ok reload("  rules:\n    - {name: local, from: [127.0.0.0/8], action: deny, reason: go home}\n  default: allow\n")->{ok},
        'other rules';
    ok $a->closed, '... who is connected is asked again';
    is denied($alice), 'go home', 'the reason is the rule\'s';
    is explained($alice->{key}), 'allow default -', 'from no address: the default';
    is explained($alice->{key}, '--from', '127.0.0.9'), 'deny rule local', 'explain --from';
    ok reload("  default: allow\n")->{ok}, 'no rules';
    admitted($carol);
};

subtest 'tenants' => sub {
    HyperDerp::Test::spew("$keys.office", "$alice->{key} alice's laptop\n$bob->{key}\n");
    HyperDerp::Test::spew("$keys.home", "$carol->{key}\n");
    my $office = "    - {name: office, keys: $keys.office, tenant: Office.1}\n";
    my $home = "    - {name: home, keys: $keys.home, tenant: home}\n";
    ok reload("  rules:\n$office$home    - {from: [127.0.0.0/8]}\n")->{ok}, 'two, and others';
    my ($a, $b, $c) = map { admitted($_) } $alice, $bob, $carol;
    my $stranger = HyperDerp::Raw::logins($hd);
    my $other = $stranger->{key};
    my $common = admitted($stranger);
    $a->send($bob->{key}, 'hello');
    is $b->packet, 'hello', 'one of the tenant is reached';
    my $lost = sub { ctl($hd, 'status')->{data}{drops}{unknown_dest} };
    my $before = $lost->();
    for my $from ($c, $common) {
        $from->send($alice->{key}, 'hello');
        ok $from->ping, 'others send to it';
    }
    $a->send($_, 'hello') for $carol->{key}, $other;
    $a->send($bob->{key}, 'again');
    is $b->packet, 'again', '... and it sends to others';
    $b->send($alice->{key}, 'last');
    is $a->packet, 'last', '... and nothing of that has come';
    ok !$_->packet(0), '... to anybody' for $c, $common;
    ok HyperDerp::Test::wait_for(sub { $lost->() == $before + 4 }), '... as to keys that nobody has';
    my %tenant = map { $_->{key} => $_->{tenant} } @{ ctl($hd, 'peers')->{data} };
    is_deeply [@tenant{ map { $_->{key} } $alice, $carol }, $tenant{$other}], ['Office.1', 'home', ''], 'peers shows it';
    is ctl($hd, qw(policy explain), $carol->{key})->{data}{tenant}, 'home', '... and explain';

    ok reload("  rules:\n" . $office =~ s/Office.1/home/r . $home)->{ok}, 'the rules move alice';
    ok $_->closed, '... who is closed, and comes back' for $a, $b, $common;
    ok $hd->log_like(qr/ closed: key=@{[substr $alice->{key}, 0, 8]} .* tenant=Office\.1 why=.* name="alice's laptop"$/m),
        '... with name and tenant in the log';
    ok $c->ping, '... and carol stays';
    $a = admitted($alice);
    $a->send($carol->{key}, 'here I am');
    is $c->packet, 'here I am', '... now they talk';
    ok reload("  default: allow\n")->{ok}, 'no tenants any more';
    ok $_->closed, '... closed once more' for $a, $c;
};

subtest 'an admission service' => sub {
    my $file = "$hd->{dir}/service";
    my $pid = open2(my $said, undef, "$FindBin::Bin/../lib/client/verify_server.py", $file);
    HyperDerp::Children::keep($pid);
    my $port = <$said> =~ s/\s//gr;
    my $rules = "  rules:\n    - {name: service, url: 'http://127.0.0.1:$port/verify'}\n";
    my $ttl = "  deny_ttl: 1s\n";
    HyperDerp::Test::spew("$file.keys", $alice->{key});

    ok reload($rules . $ttl)->{ok}, 'a rule with a url';
    is explained($alice->{key}), 'ask service service', 'explain: it would be asked';
    my $a = admitted($alice);
    is <$said>, qq(POST /verify application/json {"NodePublic":"nodekey:$alice->{key}","Source":"127.0.0.1"}\n),
        'it is asked as derper asks';
    is denied($bob), "this key is not on the relay's list", 'whom it does not allow';
    like <$said>, qr/$bob->{key}/, '... after it was asked';
    my ($peer) = grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} };
    is $peer->{name}, 'of the service', 'the name is the one it says';

    HyperDerp::Test::spew($file, '500 broken');
    admitted($alice);
    is denied($carol), 'the relay cannot ask who you are; try again', 'it is broken: who is new stays out';
    like <$said>, qr/$carol->{key}/, '... and who is known was not asked about';
    ok $hd->log_like(qr/no answer of an admission service: .* why=HTTP status 500/), '... the log says why';
    for my $wrong ('200 {"Allow":"yes"}', '200 []', '200 nonsense', '302 elsewhere') {
        HyperDerp::Test::spew($file, $wrong);
        my $login = HyperDerp::Raw::logins($hd);
        is denied($login), 'the relay cannot ask who you are; try again', "no answer: $wrong";
    }

    HyperDerp::Test::spew($file, 'hang');
    ok reload("$rules$ttl  ask_timeout: 100ms\n  fail_open: true\n")->{ok}, 'fail_open';
    my @new = HyperDerp::Raw::logins($hd, 2);
    admitted($_) for @new;
    ok $hd->log_like(qr/no answer of an admission service: .*fail_open decides/), 'who is new is let in';

    my @same = map { HyperDerp::Raw->start($hd, $new[0]) } 1 .. 3;
    ok $_->admitted, 'several logins of a key' for @same;
    ok reload("$rules    - {from: [127.0.0.0/8]}\n$ttl")->{ok}, 'another rule behind it';
    unlink $file;
    admitted($bob);
    is ctl($hd, qw(policy explain), $bob->{key}, '--from', '127.0.0.1')->{data}{url},
        "http://127.0.0.1:$port/verify", 'explain names the service';

    HyperDerp::Test::spew($file, 'hang');
    ok reload("$rules$ttl  ask_timeout: 9s\n")->{ok}, 'it hangs';
    my $waits = HyperDerp::Raw->start($hd, scalar HyperDerp::Raw::logins($hd));
    1 while <$said> !~ /$waits->{key}/;
    like ctl($hd, qw(module unload policy))->{error}{message}, qr/more people may.*--force/, 'no unload by mistake';
    ok ctl($hd, qw(module unload policy --force))->{ok}, 'the module goes while a login waits';
    ok $waits->admitted, '... which is let in: there is no policy';
    ok ctl($hd, qw(module load policy))->{ok}, 'it comes back';
    kill 'KILL', $pid;
    waitpid $pid, 0;
};

subtest 'what stops a start' => sub {
    $hd->finish;
    for my $case (
        ["  rules: [{keys: $hd->{dir}/missing}]\n", qr{hd\.yaml:\d+: module policy: keys: \S+/missing: No such file.*relay's user}],
        ["  rules: [{from: [relay.example]}]\n",   qr{hd\.yaml:\d+: module policy: from: relay\.example is not an address}],
        ["  rules: [{key: $keys}]\n",              qr{hd\.yaml:\d+: .*keys}],
        ["  rules: [{url: relay.example}]\n",      qr{hd\.yaml:\d+: module policy: url: }],
        ["  rules: [{action: maybe}]\n",           qr{hd\.yaml:\d+: .*allow.*deny}],
        ["  rules: [{from: ['::1'], tenant: a b}]\n", qr{hd\.yaml:\d+: module policy: tenant: "a b" is not a tenant's name; write 1 to 63}],
        ["  rules: [{from: ['::1'], tenant: a, action: deny}]\n", qr{hd\.yaml:\d+: module policy: tenant: a rule that denies cannot have}],
        ["  rules: [{action: Deny}]\n",            qr{hd\.yaml:\d+: `action: Deny` .*did you mean `deny`}],
        ["  default: ALLOW\n",                     qr{hd\.yaml:\d+: `default: ALLOW` is not one of allow, deny}],
        ["  rules: [{}]\n",                        qr{hd\.yaml:\d+: module policy: a rule that matches everybody; name keys}],
        ["  rules: [{action: deny}]\n",            qr{hd\.yaml:\d+: module policy: a rule that matches everybody}],
        ["  rules: [{from: []}]\n",                qr{hd\.yaml:\d+: module policy: from is empty; write what}],
        ["  rules: [{listener: ''}]\n",            qr{hd\.yaml:\d+: module policy: listener is empty; write what}],
        (map { ["  rules: [{$_}]\n", qr{hd\.yaml:\d+: `\w+` has no value in an entry of `rules`; write one, or} ] }
            'keys: ', "keys: ''", 'url: ', 'from: ~', 'server_name: null, action: deny'),
    ) {
        conf $case->[0];
        my ($code, $text) = (run_check());
        is $code, 78, 'exit 78';
        like $text, $case->[1], '... with place and remedy';
    }
    my $other = HyperDerp::Test->new(no_tls => 1, conf => "policy:\n  default: deny\n");
    is run_check($other), 78, 'the module is not loaded: no start';
};

# Its package is removed, and the configuration stays.
subtest 'only the file of the module is gone' => sub {
    plan skip_all => 'it is built in' unless -e "$HyperDerp::Test::build/modules.d/policy.so";
    my $other = HyperDerp::Test->new(no_tls => 1, conf => "policy:\n  default: deny\n");
    my $dir = "$other->{dir}/modules.d";
    mkdir $dir or die $!;
    symlink $_, $dir . '/' . s{.*/}{}r for grep { !m{/policy\.} } glob "$HyperDerp::Test::build/modules.d/*.so";
    # beside its own build it would find them there
    my $program = "$other->{dir}/hyper-derp";
    system('cp', "$HyperDerp::Test::build/hyper-derp", $program) == 0 or die 'cp';
    my $yaml = $other->yaml =~ s/^module_path: .*/module_path: [$dir]/mr;
    for my $case (
        ['[derp, policy]',                           qr/no file policy\.so in \Q$dir\E; install the module/],
        ['[derp, {name: policy, optional: true}]',   qr/`policy` keeps peers out, and the module policy that would do it is not loaded/],
        ['[derp, {name: policy, optional: true}]',   qr/the module policy, which says who may log in, is not loaded, so everybody could/, 'no section'],
    ) {
        my $text = $yaml =~ s/^load_module: .*/load_module: $case->[0]/mr;
        $text =~ s/^policy:\n  default: deny\n//m or die if $case->[2];
        HyperDerp::Test::spew($other->{file}, $text);
        for my $words ('-t', '') {
            my $text = qx{timeout 60 $program $words -c $other->{file} 2>&1};
            like $? >> 8, qr/^(?:1|78)$/, "load_module: $case->[0], $words: no start";
            like $text, $case->[1], '... and why';
        }
    }
};

sub run_check ($of = $hd) {
    my $text = qx{$HyperDerp::Test::build/hyper-derp -t -c $of->{file} 2>&1};
    return wantarray ? ($? >> 8, $text) : $? >> 8;
}

done_testing;

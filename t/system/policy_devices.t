#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_devices.t - a rule matches the keys in a list that an API keeps:
# who is taken out of it leaves; an API that is slow, dead, huge, redirecting or
# talks nonsense changes nothing, after a restart too.
use v5.36;
use Test::More;
use FindBin;
use POSIX ();
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade;

my $hd = HyperDerp::Test->new(no_tls => 1, workers => 2, load_module => [qw(derp stun policy)]);
my $api  = api("$hd->{dir}/api");
my $list = "this key is not on the relay's list";
my $dead = 'the relay cannot ask who you are; try again';

sub api ($file) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$file.said";
        exec "$FindBin::Bin/../lib/client/verify_server.py", $file or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    my $port;
    HyperDerp::Test::wait_for(sub { ($port) = HyperDerp::Test::slurp("$file.said") =~ /^(\d+)\n/ }) or die 'no API';
    return { file => $file, pid => $pid, url => "http://127.0.0.1:$port/api/v2/tailnet/-/devices" };
}

# By rename: the API never sees half of it.
sub write_whole ($file, $text) {
    HyperDerp::Test::spew("$file.new", $text);
    return rename "$file.new", $file;
}
sub says ($what) { return write_whole($api->{file}, $what) }

# As Tailscale's API has them; "-KEY" waits for approval.
sub has (@keys) {
    my $n = 0;
    return says '200 ' . JSON::PP::encode_json({ devices => [
        map { { nodeKey => 'nodekey:' . s/^-//r, name => 'device' . $n++, authorized => /^-/ ? \0 : \1, id => "1$n" } } @keys
    ] });
}

my $name = 'tailnet';
sub configure ($rule, $more = '') {
    $hd->{conf} = "policy:\n  devices_every: 1h\n  rules:\n    - {name: $name, devices: '$api->{url}', $rule}\n$more";
    return $hd->write_conf;
}

sub reload (@conf) {
    configure(@conf);
    my $r = ctl($hd, 'reload');
    return $r->{ok} || diag $r->{error}{message};
}

sub row () { return ctl($hd, qw(policy devices))->{data}[0] // {} }

# Asked again now, until it has gone well or badly.
sub again () {
    ctl($hd, qw(policy reread));
    return HyperDerp::Test::wait_for(sub { my $r = row(); $r->{state} eq 'rests' && $r->{next_s} > 0 });
}

# A gauge: workers write it in their own time.
sub becomes ($name, $n, $why) {
    my $value = sub { (map { $_->{value} } grep { $_->{name} eq $name } ctl($hd, 'metrics')->{data}->@*)[0] // 'none' };
    HyperDerp::Test::wait_for(sub { $value->() eq $n });
    return is $value->(), $n, $why;
}

sub told ($c) {
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}
sub denied ($login)   { return told(HyperDerp::Raw->start($hd, $login)) }
sub admitted ($login) { return HyperDerp::Raw->login($hd, $login) }

sub explained ($login) {
    my ($d) = ctl($hd, qw(policy explain), $login->{key})->{data};
    return join ' ', map { $_ // '-' } @$d{qw(verdict by rule name)};
}

HyperDerp::Test::spew("$hd->{dir}/token", "tskey-api-1\n");
HyperDerp::Test::spew("$api->{file}.token", 'tskey-api-1');
my $token = "devices_token_file: $hd->{dir}/token";
says '500 not yet';
configure($token);
$hd->run;
$hd->ready or die $hd->log_text;
my ($alice, $bob, $carol) = HyperDerp::Raw::logins($hd, 3);

subtest 'a list that was never loaded' => sub {
    ok $hd->log_like(qr/no answer with a list of devices: .* why="HTTP status 500" \(no list: fail_open decides/), 'the log says why';
    is denied($alice), $dead, 'nobody is let in';
    is explained($alice), 'deny fail_open tailnet ', 'explain says so';
    is row()->{error}, 'HTTP status 500', 'and so does hdctl policy devices';
    reload($token, "  fail_open: true\n");
    ok admitted($alice)->ping, 'with fail_open she is';
    reload($token);
};

subtest 'who is in the list' => sub {
    has $alice->{key}, $bob->{key}, "-$carol->{key}";
    ok again(), 'it is asked for again';
    my ($a, $b) = map { admitted($_) } $alice, $bob;
    is denied($carol), $list, 'who waits for approval is not let in';
    is explained($bob), 'allow rule tailnet device1', 'explain has rule and name';
    is explained($carol), 'deny default - ', '... or that none matches';
    is join(' ', @{ row() }{qw(rule devices left_out without_key)}), 'tailnet 2 1 0', 'what was found';
    becomes 'hyper_derp_policy_devices', 2, '... also in the metrics';
    has $alice->{key};
    ok again();
    is told($b), $list, 'who is taken out leaves, without a login of anybody';
    ok $a->ping, '... the other one stays';
    has $alice->{key}, $carol->{key};
    again();
    ok admitted($carol)->ping, 'who was put in is let in';
};

subtest 'answers that are none change nothing' => sub {
    my $a = admitted($alice);
    for my $bad (['close'], ['short'], ['head'], ['huge'], ['204 '], ['500 {"devices":[]}'],
        ["redirect $api->{url}", qr/HTTP status 307: it leads elsewhere/],
        ['200 []', qr/there is no list/], ['200 {}'], ['200 <html>', qr/no JSON/],
        ['200 {"devices":[{"nodeKey":"nodekey:00","authorized":true}]}', qr/no key/],
        ['200 ' . '[' x 3000]) {
        my ($what, $why) = @$bad;
        says $what;
        ok again(), 'asked: ' . substr $what, 0, 40;
        like row()->{error} // 'none', $why // qr/./, '... it is said why';
    }
    becomes 'hyper_derp_policy_device_lists_failing', 1, 'the metrics know';
    ok $a->ping && admitted($carol)->ping, 'who is in the last list stays, and is let in';
    is denied($bob), $list, '... nobody else';
    cmp_ok $hd->rss, '<', 300_000_000, 'none of them fills the memory' unless HyperDerp::Test::sanitized();
    HyperDerp::Test::spew("$hd->{dir}/token", "tskey-api-0\n");
    again();
    like row()->{error}, qr/HTTP status 401: the token is refused/, 'a token that has expired';
    HyperDerp::Test::spew("$hd->{dir}/token", "two tokens\n");
    again();
    like row()->{error}, qr/no token/, 'a file that has none';
    HyperDerp::Test::spew("$hd->{dir}/token", "tskey-api-1\n");
    has $alice->{key}, $carol->{key};
    again();
    is row()->{error}, undef, 'and all is well again';
    ok $hd->log_like(qr/the list of devices is there again: rule="tailnet"/), '... the log says so';
};

subtest 'an API that takes its time' => sub {
    reload($token, "  devices_timeout: 300ms\n");
    for my $what (qw(hang drip)) {
        says $what;
        again();
        like row()->{error}, qr/time|late/i, "$what: it is not waited for longer";
    }
    ok admitted($alice)->ping, 'the last list stands';
    reload($token);
};

subtest 'a list that has not changed' => sub {
    write_whole("$api->{file}.etag", '"one"');
    has $alice->{key}, $carol->{key};
    again();
    again();
    like HyperDerp::Test::slurp("$api->{file}.said"), qr/devices \S+ "one"\n/, 'its ETag is sent back';
    is row()->{error}, undef, '... 304 is an answer';
    ok admitted($carol)->ping, '... and the list stands';
};

subtest 'new code without the API' => sub {
    says '500 gone';
    my $c = admitted($carol);
    ok ctl($hd, qw(module reload policy))->{ok}, 'the module is reloaded';
    ok admitted($alice)->ping, '... who is in the last list is let in';
    ok $c->ping, '... or stays';
    SKIP: {
        skip 'no upgrade: no subreaper here', 3 unless HyperDerp::Upgrade::can_upgrade();
        cmp_ok HyperDerp::Upgrade::upgrade($hd)->{moved}, '>=', 1, 'another process takes over';
        ok $c->ping, '... who is in the list stays';
        is denied($bob), $list, '... nobody else is let in';
    }
};

subtest 'a restart without the API' => sub {
    is $hd->stop, 0, 'the relay ends';
    my @files = glob "$hd->{dir}/policy.devices.*";
    is scalar @files, 1, 'the last list is in state_dir';
    is((stat $files[0])[2] & 07777, 0600, '... which nobody else reads') if @files;
    $hd->run->ready or die $hd->log_text;
    ok admitted($alice)->ping, 'who is in it is let in';
    is denied($bob), $list, '... nobody else';
    is row()->{devices}, 2, 'hdctl shows it';
};

subtest 'other APIs' => sub {
    unlink "$api->{file}.token", "$api->{file}.etag";
    says '200 ' . JSON::PP::encode_json({ Peer => { x => { PublicKey => "nodekey:$bob->{key}", HostName => 'of bob' } } });
    $name = 'others';
    reload("devices_path: 'Peer[*].PublicKey', devices_name_path: 'Peer[*].HostName'");
    ok $hd->log_like(qr/list of devices: rule="others" .* devices=1 /), 'a path leads to the keys';
    ok admitted($bob)->ping, 'who is there is let in';
    is explained($bob), 'allow rule others of bob', '... with the name';
    is denied($alice), $list, 'the list of another path is another one';
};

subtest 'a list of whom to keep out' => sub {
    has $bob->{key};
    $name = 'banned';
    reload('action: deny', "  default: allow\n");
    ok $hd->log_like(qr/list of devices: rule="banned" .* devices=1 /), 'it is loaded';
    is denied($bob), 'the rule banned denies it', 'who is in it is kept out';
    ok admitted($alice)->ping, '... nobody else';
};

subtest 'a list that no rule names any more' => sub {
    says '500 gone';
    again();
    becomes 'hyper_derp_policy_device_lists_failing', 1, 'one fails';
    $hd->{conf} = "policy:\n  default: allow\n";
    $hd->write_conf;
    ok ctl($hd, 'reload')->{ok}, 'the rule is gone';
    becomes 'hyper_derp_policy_device_lists_failing', 0, 'it fails no more';
    becomes 'hyper_derp_policy_devices', 0, '... and has no keys';
    # from state_dir, and not from memory
    unlink glob "$hd->{dir}/policy.devices.*";
    reload('action: deny', "  default: allow\n");
    again();
    is row()->{devices}, undef, 'its keys are out of memory';
    is denied($alice), $dead, '... so it is one that was never loaded';
};

subtest 'what is refused' => sub {
    for my $bad (["devices_path: 'a[0]'", qr/devices_path: "a\[0\]" is not a path/],
        ["devices_name_path: 'a[*].b'",                qr/devices_name_path: it must begin as devices_path does/],
        ["devices_token_file: $hd->{dir}/nothing",     qr/devices_token_file: .*No such file/]) {
        configure($bad->[0]);
        my $r = ctl($hd, 'reload');
        like $r->{error}{message} // 'taken', $bad->[1], $bad->[0];
    }
};

$hd->finish;
done_testing;

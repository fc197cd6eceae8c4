#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_decides.t - which rule decides when a service is dead, slow or
# has changed its mind, and whom of those who are here already it puts out.
use v5.36;
use Test::More;
use FindBin;
use IPC::Open2;
use Socket qw(AF_INET SOCK_STREAM INADDR_LOOPBACK inet_aton pack_sockaddr_in);
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy judge_a)]);
my ($x, $y) = map { service("$hd->{dir}/$_") } qw(a b);
my $dead = 'the relay cannot ask who you are; try again';
my $list = "this key is not on the relay's list";

sub conf ($section) {
    $hd->{conf} = "policy:\n$section";
    return $hd->write_conf;
}

sub reload ($section) {
    conf $section;
    my $r = ctl($hd, 'reload');
    return $r->{ok} || diag $r->{error}{message};
}

sub service ($file, @socket) {
    my $pid = open2(my $said, undef, "$FindBin::Bin/../lib/client/verify_server.py", $file, @socket);
    HyperDerp::Children::keep($pid);
    my $port = <$said> =~ s/\s//gr;
    return { file => $file, said => $said, url => "http://127.0.0.1:$port/", pid => $pid };
}

# By rename: the service never sees half of it.
sub write_whole ($file, $text) {
    HyperDerp::Test::spew("$file.new", $text);
    return rename "$file.new", $file;
}

sub allows ($s, @logins) {
    write_whole("$s->{file}.keys", join ' ', map { $_->{key} } @logins);
    unlink $s->{file};
}
sub says ($s, $what) { return write_whole($s->{file}, $what) }

sub denied ($login) {
    my $c = HyperDerp::Raw->start($hd, $login);
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

sub put_out ($c) {
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

sub admitted ($login) { return HyperDerp::Raw->login($hd, $login) }

sub explained (@words) {
    my $r = ctl($hd, qw(policy explain), @words)->{data};
    return join ' ', map { $_ // '-' } @$r{qw(verdict by rule)}, $r->{unanswered} ? @{ $r->{unanswered} }{qw(verdict by rule)} : ();
}

conf "  default: allow\n";
$hd->run;
$hd->ready or die $hd->log_text;
my ($alice, $bob, $carol, $dave) = HyperDerp::Raw::logins($hd, 4);
my $keys = "$hd->{dir}/keys";
HyperDerp::Test::spew($keys, "$carol->{key} carol\n");

subtest 'a dead service is passed over' => sub {
    my $two = "  rules:\n    - {name: a, url: '$x->{url}1'}\n    - {name: b, url: '$y->{url}1'}\n"
        . "    - {name: list, keys: $keys, action: ACTION, reason: listed}\n";
    says $x, '500 broken';
    allows $y, $bob;
    reload $two =~ s/ACTION/allow/r;
    admitted($bob);
    admitted($carol);
    is denied($dave), $dead, 'whom nobody matches stays out';
    is explained($carol->{key}), 'ask service a allow rule list', 'explain says what happens then';
    is explained($dave->{key}), 'ask service a deny fail_open a', '... at the end fail_open decides';
    reload $two =~ s/ACTION/deny/r . "  fail_open: true\n";
    admitted($dave);
    is denied($carol), 'listed', 'with fail_open a rule behind it still denies';
    is explained($dave->{key}), 'ask service a allow fail_open a', 'explain knows fail_open';
};

subtest 'a dead service of a rule that denies' => sub {
    my $ban = "  rules:\n    - {name: ban, url: '$x->{url}2', action: deny}\n    - {keys: $keys}\n";
    says $x, '500 broken';
    reload $ban;
    is denied($carol), $dead, 'it denies';
    reload "$ban  fail_open: true\n";
    admitted($carol);
    is explained($carol->{key}), 'ask service ban allow rule #2', 'unless fail_open';
};

subtest 'who is known does not wait' => sub {
    allows $x, $alice;
    reload "  rules: [{url: '$x->{url}3'}]\n  allow_ttl: 1s\n  ask_timeout: 9s\n";
    my $first = admitted($alice);
    1 while readline($x->{said}) !~ m{/3 .*$alice->{key}};
    says $x, 'wait';
    my $asked = 0;
    my $second;
    ok HyperDerp::Test::wait_for(sub {
        $second = admitted($alice);    # again and again, until the answer is old
        vec(my $r = '', fileno $x->{said}, 1) = 1;
        return select $r, undef, undef, 0.05;
    }), 'while the service thinks, an old answer is good enough';
    like scalar readline $x->{said}, qr{/3 .*$alice->{key}}, '... and it is asked behind it';
    allows $x;
    is put_out($second), $list, 'when it says no, the connection ends';
    is put_out($first), $list, '... and so does the other one';
    is denied($alice), $list, 'now it is known';
};

subtest 'a question behind an old answer fails' => sub {
    allows $x, $alice;
    reload "  rules: [{url: '$x->{url}5'}]\n  allow_ttl: 1s\n";
    my $c = eval { admitted($alice) } or do { diag substr $hd->log_text, -2500; return };
    says $x, '500 broken';
    ok HyperDerp::Test::wait_for(sub {
        admitted($alice);    # again and again, until the answer is old
        return $hd->log_text =~ m{no answer .*url=\Q$x->{url}\E5 .*what it said before stands};
    }), 'an old answer is good enough';
    allows $x;
    my $n = () = $hd->log_text =~ /put out/g;
    # not within a second of the failure
    ok HyperDerp::Test::wait_for(sub {
        ctl($hd, qw(peer revoke), $bob->{key});
        ctl($hd, qw(peer unrevoke), $bob->{key});
        return (() = $hd->log_text =~ /put out/g) > $n;
    }), 'it is asked again when all are gone through';
    is put_out($c), $list, '... and leaves';
};

subtest 'a service that hangs' => sub {
    my @crowd = map { admitted($_) } HyperDerp::Raw::logins($hd, 70) if reload "  default: allow\n";
    my $ban = "$hd->{dir}/ban";
    HyperDerp::Test::spew($ban, "$bob->{key}\n");
    my $c = eval { admitted($alice) } or do { diag substr $hd->log_text, -2500; return };
    says $x, 'wait';
    reload "  rules:\n    - {keys: $ban, action: deny, reason: banned}\n    - {url: '$x->{url}6'}\n  ask_timeout: 9s\n";
    1 while readline($x->{said}) !~ m{/6 };
    write_whole($ban, "$alice->{key}\n");
    ok ctl($hd, qw(policy reread))->{ok}, 'a list changes while many are asked about';
    is put_out($c), 'banned', 'who is on it leaves';
    unlike $hd->log_text, qr{no answer .*\Q$x->{url}\E6}, '... before the service has been given up';
    allows $x;
};

subtest 'who was here before' => sub {
    allows $x, $alice;
    conf "  rules: [{url: '$x->{url}4'}]\n";
    ok ctl($hd, qw(module unload policy --force))->{ok}, 'without a policy';
    my ($in, $out) = map { admitted($_) } $alice, $dave;
    ok ctl($hd, qw(module load policy))->{ok}, 'with one';
    is put_out($out), $list, 'the service is asked about who is here: out';
    ok $in->ping, '... or not';
    says $x, '500 broken';
    ok ctl($hd, qw(module unload policy --force))->{ok} && ctl($hd, qw(module load policy))->{ok}, 'what it said is forgotten';
    is denied($alice), $dead, 'a second connection stays out while it is broken';
    ok ctl($hd, qw(peer revoke), $bob->{key})->{ok}, 'somebody else is revoked';
    ok ctl($hd, qw(peer unrevoke), $bob->{key})->{ok}, '... and all are asked about twice';
    ok $in->ping, 'it puts nobody out';
};

subtest 'a tailscaled' => sub {
    my $socket = "$hd->{dir}/ts.sock";
    my ($erin, $frank) = (HyperDerp::Raw::logins($hd, 6))[ 4, 5 ];
    reload "  rules:\n    - {name: tailnet, tailscaled: $socket}\n";
    is denied($bob), $dead, 'it is not there';
    ok $hd->log_like(qr{url=unix:\S+ why=unix:\Q$socket\E: No such file or directory \(}), '... which the log says, of its socket';
    my $s = service("$hd->{dir}/ts", $socket);
    allows $s, $alice, $bob;
    my $c = admitted($alice);
    is scalar readline($s->{said}), "GET /localapi/v0/whois?addr=nodekey:$alice->{key} local-tailscaled.sock\n",
        'it is asked as derper asks it';
    my ($peer) = grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} };
    is $peer->{name}, 'of tailscaled', 'and says the name';
    is denied($dave), $list, 'whom it does not know is denied';
    for ([$carol, "200 {\"Node\": {\"Key\": \"nodekey:$dave->{key}\"}}", 'no JSON with this node'],
        [$erin, '200 {}', 'no JSON with this node'], [$frank, '403 no', 'HTTP status 403']) {
        my ($who, $what, $why) = @$_;
        says $s, $what;
        is denied($who), $dead, "$what is no answer";
        my $key = substr $who->{key}, 0, 8;
        ok $hd->log_like(qr{key=$key url=unix:\S+ts\.sock why=$why}), 'the log says so';
    }
    for (['tailscaled: ts.sock', qr{ts\.sock is not the path .*/run/tailscale/tailscaled\.sock}], ['tailscaled: ""', qr/tailscaled/],
        ['from: 10.0.0.0/8, quota: 5GiB', qr/`quota` must be a mapping, as in `quota: \{bytes: 50GiB, then: slow\}`/],
        ["tailscaled: $socket, url: 'http://a/'", qr/tailscaled and url in one rule/]) {
        my ($rule, $want) = @$_;
        conf "  rules:\n    - {$rule}\n";
        like ctl($hd, 'reload')->{error}{message}, $want, "$rule is refused";
    }
};

subtest 'the connection, not the key' => sub {
    reload "  default: allow\n";
    my ($one, $two) = map { from($alice, $_) } qw(127.0.0.1 127.0.0.2);
    reload "  rules: [{from: [127.0.0.2], action: deny, reason: not from there}]\n  default: allow\n";
    is put_out($two), 'not from there', 'one of them may not be here';
    ok $one->ping, '... the other one may';
};

subtest 'a login that waits for another module' => sub {
    reload "  rules: [{keys: $keys}]\n";
    ctl($hd, qw(judge_a mode pend));
    my $c = HyperDerp::Raw->start($hd, $carol);
    ok HyperDerp::Test::wait_for(sub { ctl($hd, qw(judge_a seen))->{data}{held} == 1 }), 'it waits';
    ok ctl($hd, qw(peer revoke), $carol->{key}, '--why', 'lost')->{ok}, 'it is revoked meanwhile';
    is put_out($c), 'this key is revoked: lost', '... and refused';
    ctl($hd, qw(judge_a answer pass));
    ctl($hd, qw(judge_a mode pass));
    ok ctl($hd, qw(peer unrevoke), $carol->{key})->{ok}, 'it is taken back';
    admitted($carol);
};

subtest 'what a client calls itself' => sub {
    my ($cat, $other) = map { scalar HyperDerp::Raw::logins($hd, 1, qq({"AppName":"$_"})) } 'cat', 'Cat';
    my $silent = HyperDerp::Raw::logins($hd);
    allows $x, $cat, $other, $silent;
    reload "  rules: [{name: cats, app_name: cat, url: '$x->{url}8'}]\n";
    my $c = admitted($cat);
    ok $c, 'that name, after the service was asked';
    is denied($_), "this key is not on the relay's list", 'another one, or none' for $other, $silent;
    is explained($silent->{key}, '--app-name', 'cat'), 'ask service cats deny fail_open cats', 'explain is told the name';
    is explained($silent->{key}), 'deny default -', '... or knows none';
    reload "  rules: [{name: dogs, app_name: dog}]\n";
    is put_out($c), "this key is not on the relay's list", 'who is here is asked about with its name';
};

subtest 'a listener with a name' => sub {
    my ($port, $metrics) = map { HyperDerp::Test::free_port() } 1, 2;
    my $other = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy metrics)]);
    my $yaml = $other->yaml =~ s/^listen:.*$/listen: [{addr: "127.0.0.1:$other->{plain}"}, {addr: "127.0.0.1:$port", name: friends}, {addr: "127.0.0.1:0", name: metrics}]/mr;
    my $rules = "policy:\n  rules:\n    - {listener: friends, from: [127.0.0.0/8], keys: $keys}\n"
        . "    - {listener: friends, action: deny, reason: friends only}\n  default: allow\n";
    $yaml .= "metrics: {port: $metrics}\n";
    $other->{yaml} = "$yaml$rules";
    $other->write_conf;
    $other->run;
    $other->ready or die $other->log_text;
    my ($anybody) = HyperDerp::Raw::logins($other);
    my $c = HyperDerp::Raw->start($other, $anybody, port => $port);
    is put_out($c), 'friends only', 'who is not on the list is no friend';
    ok(HyperDerp::Raw->login($other, $anybody)->ping, '... and may use the other listener');
    HyperDerp::Test::spew($keys, "$anybody->{key}\n");
    ok ctl($other, qw(policy reread))->{ok}, 'now it is on the list';
    ok(HyperDerp::Raw->login($other, $anybody, port => $port)->ping, '... and a friend');
    my ($private) = $other->log_text =~ /listening: addr=127\.0\.0\.1:(\d+) .*name=metrics/;
    $c = HyperDerp::Raw->start($other, $anybody, port => $private);
    ok $c->closed || $c->{in} =~ m{^HTTP/1\.1 404}, 'the one of a module serves no DERP';
    for my $case (
        [$rules =~ s/friends/freinds/r,                     qr/listener: no entry of `listen` has the name freinds; give/],
        ["login_timeout: 5s\npolicy: {rules: [{url: 'http://127.0.0.1:1/'}]}\n", qr/ask_timeout is 5000 ms; make it shorter than login_timeout, 5000 ms/],
    ) {
        $other->{yaml} = "$yaml$case->[0]";
        $other->write_conf;
        my $r = ctl($other, 'reload');
        like $r->{error}{message}, $case->[1], 'a reload refuses it';
        like qx{$HyperDerp::Test::build/hyper-derp -t -c $other->{file} 2>&1}, $case->[1], '... and -t';
    }
    $other->finish;
};

# As HyperDerp::Raw->login, from another address of this machine.
sub from ($login, $ip) {
    socket my $s, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    bind $s, pack_sockaddr_in(0, inet_aton($ip)) or die "bind $ip: $!";
    connect $s, pack_sockaddr_in($hd->{plain}, INADDR_LOOPBACK) or die "connect: $!";
    $s->blocking(0);
    my $c = bless { socket => $s, in => '', key => $login->{key} }, 'HyperDerp::Raw';
    $c->write($login->{head} . $login->{info});
    $c->admitted or die "no login from $ip\n";
    return $c;
}

for my $s ($x, $y) {
    kill 'KILL', $s->{pid};
    waitpid $s->{pid}, 0;
}
$hd->finish;
done_testing;

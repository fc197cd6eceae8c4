#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_services.t - admission services that are dead, slow, lying,
# huge, redirecting or talk nonsense let nobody in, and cost the relay nothing;
# what one says later counts for who is here already.
use v5.36;
use Test::More;
use FindBin;
use POSIX ();
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd   = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy)]);
my $dead = 'the relay cannot ask who you are; try again';
my $list = "this key is not on the relay's list";
my ($x, $y) = map { service("$hd->{dir}/$_") } qw(a b);

sub reload ($section) {
    $hd->{conf} = "policy:\n$section";
    $hd->write_conf;
    my $r = ctl($hd, 'reload');
    return $r->{ok} || diag $r->{error}{message};
}

sub service ($file) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$file.said";    # nobody reads all of it
        exec "$FindBin::Bin/../lib/client/verify_server.py", $file or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    my $port;
    HyperDerp::Test::wait_for(sub { ($port) = HyperDerp::Test::slurp("$file.said") =~ /^(\d+)\n/ }) or die 'no service';
    return { file => $file, url => "http://127.0.0.1:$port/" };
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

sub told ($c) {
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

sub probe () { return qx($HyperDerp::Test::build/hdprobe --plain --no-stun --known-only 127.0.0.1:@{[$hd->port]}) }
sub denied ($login) { return told(HyperDerp::Raw->start($hd, $login)) }
sub admitted ($login) { return HyperDerp::Raw->login($hd, $login) }

# The log's line about a key: why there is no answer.
sub why ($login, $re) {
    my $key = substr $login->{key}, 0, 8;
    return $hd->log_like(qr/no answer of an admission service: key=$key url=\S+ why=$re/);
}

# How often services had an answer, and none, as metrics have it.
sub asks () {
    return map { my $result = $_; map { $_->{value} } grep {
        $_->{name} eq 'hyper_derp_policy_service_asks_total' && $_->{labels} eq qq(result="$result")
    } @{ ctl($hd, 'metrics')->{data} } } qw(ok failed);
}

$hd->{conf} = "policy:\n  default: allow\n";
$hd->write_conf;
$hd->run;
$hd->ready or die $hd->log_text;
my @logins = HyperDerp::Raw::logins($hd, 40);
my ($alice, $bob, $carol) = splice @logins, 0, 3;

# What it says; why that is no answer, for the first few, since the log leaves out
# lines that are alike when there are many; ask_timeout: where only that ends it, it
# is short, else a machine that stalls would see the one for the other.
my @bad = (
    ["redirect $y->{url}", qr/HTTP status 307/],
    ['huge',               qr/.*(?:large|long|bytes|exceed)/],
    ['drip',               qr/.*(?:time|late)/, '500ms'],
    ['hang',               qr/.*(?:time|late)/, '500ms'],
    ['500 {"Allow":true}', qr/HTTP status 500/],
    ['200 {"Allow":1}',    qr/no JSON with a boolean Allow/],
    ['close'], ['short'], ['head'], ['204 '],
    map { ["200 $_"] } '', 'true', '[true]', '{}', '{"Allow":"true"}', '{"Allow":null}', '{"Allow":[true]}',
    '{"Allow":true,"Allow":true}', '{"Allow":true', '{"Allow":true}{"Allow":true}', '{"Answer":{"Allow":true}}',
    '"Allow":true', '[' x 3000, "{\"Allow\":true,\"Name\":\"\xff\"}",
);

subtest 'services that are no good' => sub {
    allows $y, @logins;
    for my $bad (@bad) {
        my ($what, $why, $timeout) = @$bad;
        my $who = shift @logins;
        says $x, $what;
        reload "  rules: [{url: '$x->{url}'}]\n  ask_timeout: " . ($timeout // '9s') . "\n";
        my $name = substr $what, 0, 40;
        is denied($who), $dead, "$name: nobody is let in";
        ok why($who, $why), '... the log says why' if $why;
    }
    my $port = HyperDerp::Test::free_port();
    reload "  rules: [{url: 'http://127.0.0.1:$port/'}]\n";
    is denied($alice), $dead, 'it is not there: nobody is let in';
    my ($ok, $failed) = asks();
    is $ok, 0, 'metrics: no answer';
    cmp_ok $failed, '>=', @bad + 1, '... to all that was asked';
    like probe(), qr/^FAIL  login +nobody new may log in; it says: \Q$dead\E$/m, '... and hdprobe --known-only says so';
    allows $x, $bob;
    reload "  rules: [{url: '$x->{url}there'}]\n";
    like probe(), qr/^skip  login +the relay refuses a key that it does not know/m, '... it skips a refusal';
    cmp_ok $hd->rss, '<', 200_000_000, 'none of them fills the memory' unless HyperDerp::Test::sanitized();
};

subtest 'who is known comes in by whatever is no good' => sub {
    my ($before) = asks();
    allows $x, $bob;
    reload "  rules: [{url: '$x->{url}known'}]\n  allow_ttl: 1s\n  ask_timeout: 9s\n";
    my $first = admitted($bob);
    for my $what (qw(hang close huge), '500 no', '200 []') {
        says $x, $what;
        ok admitted($bob)->ping, $what;
    }
    ok $first->ping, '... and stays';
    cmp_ok((asks())[0], '>', $before, 'metrics: there was an answer');
};

subtest 'who is here is asked about again' => sub {
    allows $x, $bob, $carol;
    reload "  rules: [{url: '$x->{url}again'}]\n  allow_ttl: 1s\n";
    my ($b, $c) = map { admitted($_) } $bob, $carol;
    allows $x, $carol;
    is told($b), $list, 'whom the service allows no longer leaves, without a login of anybody';
    ok $c->ping, '... the other one stays';
};

# Beside yes: tenant and limits, live; a rule's own tenant counts before it.
subtest 'tenant and limits that a service gives' => sub {
    my $peer = sub ($login) { (grep { $_->{key} eq $login->{key} } @{ ctl($hd, 'peers')->{data} })[0] };
    my ($one, $two) = map { qq(200 {"Allow":true,"Name":"b","Tenant":"$_","Limits":{"Rate":16}}) } qw(one two);
    says $x, $one;
    my $more = "  allow_ttl: 1s\n  tenants: [{name: one, limits: {connections: 1}}]\n";
    reload "  rules: [{url: '$x->{url}extra', quota: {bytes: 100GiB}}]\n$more";
    my $b = admitted($bob);
    is $peer->($bob)->{tenant}, 'one', 'the tenant';
    is told(HyperDerp::Raw->start($hd, $carol)), 'its tenant has as many connections as it may',
        '... with the limits that the configuration has for it';
    $b->write_some(HyperDerp::Raw::packet_frame($carol->{key}, 'x' x 32768)) for 1 .. 5;
    ok $hd->log_like(qr/recv_paused: key=@{[substr $bob->{key}, 0, 8]}/), 'the limits of the key';
    ok HyperDerp::Test::wait_for(sub {
        my $q = ctl($hd, qw(policy explain), $bob->{key})->{data}{quota};
        ($q->{tenant} // '') eq 'one' && $q->{used} > 0;
    }), 'explain finds what it has used in the tenant that the service gives';
    says $x, $two;
    is told($b), 'the rules have moved it to another tenant', 'another one, later: who is here leaves';
    $b = admitted($bob);
    is $peer->($bob)->{tenant}, 'two', '... and comes back into it';
    $b->close;
    reload "  rules: [{url: '$x->{url}extra', tenant: mine}]\n$more";
    $b = admitted($bob);
    is $peer->($bob)->{tenant}, 'mine', 'a tenant of the rule counts before it';
    says $x, '200 {"Allow":true,"Tenant":"two words"}';
    is denied(shift @logins), $dead, 'what is no tenant is no answer';
};

# What a service says is kept for the key: whether it counts is each login's own.
subtest 'a token beside a service' => sub {
    my $token = 'a' x 32;
    my $with = sub ($login, $text) {
        my $head = $login->{head} =~ s{\r\n}{\r\nAuthorization: Bearer $text\r\n}r;
        return HyperDerp::Raw->start($hd, { %$login, head => $head });
    };
    allows $x, $bob;
    reload "  rules: [{url: '$x->{url}token', token: $token}]\n  ask_timeout: 9s\n";
    my $in = $with->($bob, $token);
    ok $in->admitted, 'the service is asked, and allows';
    is denied($bob), $list, 'the same key without the token';
    my $c = $with->($bob, 'b' x 32);
    ok !$c->admitted && $c->closed, '... or with another one';
    ok $with->($bob, $token)->admitted, '... with it, by the kept answer';
    says $x, 'wait';
    my $waits = $with->($carol, $token);
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp("$x->{file}.said") =~ /\Q$carol->{key}\E.*\n\z/ }), 'one waits for an answer';
    is denied($carol), $list, '... the same key without the token does not';
    allows $x, $bob, $carol;
    ok $waits->admitted, '... and the first is let in';
    ok $in->ping, 'who was in stays';
};

$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/descriptors.t - with all descriptors used up by clients, whoever
# operates the relay still gets in; and one local user that may only look does
# not shut out the operator.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Metrics ();
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use IO::Socket::INET;
use IO::Socket::UNIX;

plan skip_all => 'prlimit (util-linux) is not installed' if system('prlimit --version >/dev/null 2>&1');

my $starved = qr/accept: Too many open files; accepting pauses/;

subtest 'a crowd of clients' => sub {
    my $port = HyperDerp::Test::free_port();
    my $hd = HyperDerp::Test->new(load_module => [qw(derp stun metrics)],
        wrap => ['prlimit', '--nofile=128:128'],
        conf => "login_timeout: 10m\nmetrics: {port: $port}\n");
    my $log = $hd->dir . '/relay.log';
    HyperDerp::Test::spew($hd->{file}, $hd->yaml);
    $hd->run->ready or BAIL_OUT($hd->log_text);
    my $old = HyperDerp::Raw->login($hd);
    my @crowd = map { HyperDerp::Raw->open($hd) } 1 .. 300;
    ok $hd->log_like($starved), '300 connections: accepting pauses';
    like $hd->ctl('status'), qr/^state +serving$/m, 'hdctl status';
    is HyperDerp::Metrics::get($port, '/metrics')->{status}, 200, 'metrics';
    my @more = map { HyperDerp::Test->socket($port) } 1 .. 3;
    is HyperDerp::Metrics::get($port, '/health')->{status}, 200, '... while others hold some';
    my @held = map { ctl_begin($hd, 'whoami') } 1 .. 3;
    HyperDerp::Test::certificate($hd->dir);
    like $hd->ctl('reload'), qr/ok|reloaded/i, 'hdctl reload, with a new certificate';
    is $?, 0, '... succeeds';
    $hd->signal('HUP');
    ok $hd->log_like(qr/reloaded.*reloaded/s), 'so does SIGHUP';
    ok ctl($hd, qw(module reload derp))->{ok}, 'a module is reloaded';
    ok ctl($hd, qw(module unload stun))->{ok}, '... unloaded';
    ok ctl($hd, qw(module load stun))->{ok}, '... and loaded';
    ok $old->ping, 'who was there is served';
    my $fds = () = glob "/proc/@{[$hd->pid]}/fd/*";
    cmp_ok $fds, '<', 128 - 16, "$fds descriptors are open: some are left";
    my $new = HyperDerp::Raw->start($hd, scalar HyperDerp::Raw::logins($hd));
    my $dry = try_upgrade($hd, '--dry-run');
    is ref $dry, 'HASH', 'another process could take over' or diag $dry;
    $_->close for splice @crowd;
    ok $new->admitted, 'when some leave, a new client logs in';
    $hd->finish;
};

# Whoever is here when there is no room for one more moves: to a process that opens
# more for itself, too.
subtest 'an upgrade with all descriptors used up' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1, load_module => ['derp'], wrap => ['prlimit', '--nofile=128:128']);
    $hd->write_conf;
    $hd->run->ready or BAIL_OUT($hd->log_text);
    my @in = map { HyperDerp::Raw->start($hd, $_) } HyperDerp::Raw::logins($hd, 100);
    ok $hd->log_like($starved), '100 clients: accepting pauses';
    my $peers = sub { scalar @{ ctl($hd, 'peers')->{data} } };
    my $n = 0;    # all that have been taken are logged in
    HyperDerp::Test::wait_for(sub { ($n = $peers->()) == ctl($hd, 'status')->{data}{streams} });
    $hd->{workers} = 3;
    $hd->write_conf;
    is upgrade($hd)->{moved}, $n, "$n clients move to a process of three workers";
    cmp_ok $peers->(), '>=', $n, '... and are there';
    like $hd->ctl('status'), qr/^state +serving$/m, 'hdctl status';
    $hd->finish;
};

subtest 'browsers of a web server behind it' => sub {
    my $web = IO::Socket::INET->new(Listen => 500, LocalAddr => '127.0.0.1') or BAIL_OUT("listen: $@");
    my $to = $web->sockport;    # the kernel takes connections, and nobody answers
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp fallback dials)],
        wrap => ['prlimit', '--nofile=128:128'], conf => "fallback: {http: '127.0.0.1:$to'}\n");
    $hd->write_conf;
    $hd->run->ready or BAIL_OUT($hd->log_text);
    my @crowd = map { HyperDerp::Raw->open($hd) } 1 .. 200;
    $_->write("GET /x HTTP/1.1\r\nHost: x\r\n\r\n") for @crowd;
    ok $hd->log_like(qr/the web server is not reached: .*descriptor|Too many open files/), 'they take all that is left';
    for (1 .. 8) {
        my $got = ctl($hd, qw(dials open), "host=127.0.0.1;;port=$to")->{data};
        ok !defined $got->{error}, 'what the relay dials for itself is reached' or diag explain $got;
    }
    $hd->finish;
};

# As another user for the moment of connecting: that is whom the kernel names.
sub as_user ($uid, $do) {
    my ($euid, $egid) = ($>, $));
    $) = "65534 65534";
    $> = $uid;
    my $v = $do->();
    $> = $euid;
    $) = $egid;
    return $v;
}

sub connect_to ($hd) { return IO::Socket::UNIX->new(Peer => $hd->control) }

sub answer ($s) {
    return '' unless $s;
    local $SIG{PIPE} = 'IGNORE';
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 60;
    syswrite $s, qq({"id":1,"cmd":["whoami"]}\n);
    my $line = readline($s) // '';
    alarm 0;
    return $line;
}

subtest 'readers of the control socket' => sub {
    plan skip_all => 'needs root, to be somebody else' if $>;
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp'],
        wrap => ['prlimit', '--nofile=256:256']);
    HyperDerp::Test::spew($hd->{file}, $hd->yaml =~ s/^(control: \{.*)\}$/$1, others: read}/mr);
    $hd->run->ready or BAIL_OUT($hd->log_text);
    chmod 0711, $hd->dir;
    my @mine = map { as_user(60_001, sub { connect_to($hd) }) } 1 .. 40;
    my @answers = map { answer($_) } @mine;
    like $answers[0], qr/"role":"read"/, 'a reader';
    is scalar(grep { /"role":"read"/ } @answers), 16, '... has 16 connections';
    is scalar(grep { /"code":"busy"/ } @answers), 24, '... and is told so';
    like answer(as_user(60_002, sub { connect_to($hd) })), qr/"role":"read"/, 'another user gets in';
    like answer(connect_to($hd)), qr/"role":"admin"/, 'so does the operator';
    $mine[0]->close;
    ok HyperDerp::Test::wait_for(sub { answer(as_user(60_001, sub { connect_to($hd) })) =~ /"role":"read"/ }),
        'when one is closed the next is taken';

    my @crowd = map { HyperDerp::Raw->open($hd) } 1 .. 400;
    ok $hd->log_like($starved), 'clients take all that is left';
    my @many;
    for my $uid (60_003 .. 60_030) {
        push @many, as_user($uid, sub { connect_to($hd) }) // ();
        answer($many[-1]) if @many;
    }
    like answer(connect_to($hd)), qr/"role":"admin"/, 'many users at once do not shut out the operator';
    $hd->finish;
};

done_testing;

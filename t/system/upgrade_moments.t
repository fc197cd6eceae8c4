#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_moments.t - hdctl upgrade at moments that do not suit: a login under
# way, half a record, a drain, a module that is being loaded; to another backend.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Line;
use HyperDerp::Live qw(ctl ctl_begin ctl_end);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

sub reach ($from, $to, $what) {
    $from->send($to->key, $what);
    return is $to->packet, $what, $what;
}

# Half of what a client says first. The rest comes when the upgrade has begun: there
# is a second for it, if the machine does not stall.
subtest 'a login under way' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, no_tls => 1, load_module => [qw(derp)]);
    my $alice = HyperDerp::Raw->login($hd);
    my $done;
    for my $try (1 .. 5) {
        my ($login) = HyperDerp::Raw::logins($hd);
        my $bob = HyperDerp::Raw->open($hd);
        $bob->{key} = $login->{key};
        $bob->write($login->{head} . substr $login->{info}, 0, 20);
        ok defined $bob->expect(HyperDerp::Raw::SERVER_KEY), "try $try: his login has begun";
        my $before = length $hd->log_text;
        my $asked = ctl_begin($hd, 'upgrade');
        HyperDerp::Test::wait_for(sub { substr($hd->log_text, $before) =~ /upgrade begins/ });
        $bob->write(substr $login->{info}, 20);
        my $said = ctl_end($asked);
        ok $said->{ok}, 'the upgrade' or diag explain $said;
        is $hd->wait_exit, 0, 'the old process ends';
        $hd->adopt($said->{data}{pid});
        last if $done = $said->{data}{moved} == 2;
        is $said->{data}{closed_others}, 1, 'too late: he is closed, and counted';
    }
    ok $done, 'he has logged in, and moves';
    $hd->finish;
};

subtest 'a login that does not come on' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1, load_module => [qw(derp)]);
    my ($login, $half) = HyperDerp::Raw::logins($hd, 2);
    my $alice = HyperDerp::Raw->login($hd, $login);
    my $bob = HyperDerp::Raw->open($hd);
    $bob->write($half->{head} . substr $half->{info}, 0, 20);
    ok defined $bob->expect(HyperDerp::Raw::SERVER_KEY), 'his login has begun';
    my $dry = try_upgrade($hd, '--dry-run');
    is join(',', map { "$_->{reason}: $_->{connections}" } @{ $dry->{why} }), 'not logged in: 1', '--dry-run names him';
    my $said = upgrade($hd);
    is "$said->{moved} $said->{closed_clients} $said->{closed_others}", '1 0 1', 'he is counted';
    ok $bob->closed, '... and closed';
    ok $alice->ping, 'who was there is there';
    $hd->finish;
};

# Bytes that have come to a port of ours and have not been read by the relay.
sub unread ($port) {
    my $n = 0;
    for my $line (split /\n/, HyperDerp::Test::slurp('/proc/net/tcp')) {
        $n += hex $1 if $line =~ sprintf '^ *\d+: \w+:%04X \w+:\w+ 01 \w+:(\w+) ', $port;
    }
    return $n;
}

# A record's head has 5 bytes.
subtest 'half a record of TLS' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, load_module => [qw(derp)]);
    my $line = HyperDerp::Line->new($hd->{tls});
    my $alice = HyperDerp::Client->new($line->{port}, build => $HyperDerp::Test::build);
    my $bob = $hd->client;
    for my $bytes (3, 5, 40) {
        reach($alice, $bob, 'before');
        $line->hold_after($bytes);
        $alice->send($bob->key, "behind $bytes bytes");
        ok HyperDerp::Test::wait_for(sub { $line->is_holding && unread($hd->{tls}) == 0 }), "$bytes bytes have come, and are read";
        is upgrade($hd)->{moved}, 2, 'both move';
        reach($bob, $alice, 'while it lasts');
        $line->go;
        is $bob->packet, "behind $bytes bytes", 'and then the rest';
    }
    $hd->finish;
};

subtest 'a relay that drains' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, load_module => [qw(derp)]);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $drain = $hd->ctl(qw(drain --for 1h));
    like try_upgrade($hd), qr/the relay is drain/, 'it is refused';
    like try_upgrade($hd, '--dry-run'), qr/the relay is drain/, '... a dry run, too';
    reach($alice, $bob, 'nothing has changed');
    $hd->ctl('undrain');
    is upgrade($hd)->{moved}, 2, 'and then it works' or diag $drain;
    reach($alice, $bob, 'after it');
    $hd->finish;
};

subtest 'a module that is being loaded' => sub {
    plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
        unless -e "$HyperDerp::Live::modules/live.so";
    my $live = HyperDerp::Live->new;
    my $hd = HyperDerp::Test->start(workers => 1, load_module => [qw(derp)]);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $refused;
    for (1 .. 5) {    # it is given up after five seconds: a machine may stall as long
        my $load = ctl_begin($hd, qw(module load), $live->make('live', mode => 'hang'));
        ctl($hd, 'whoami');    # it has begun
        my $said = ctl($hd, 'upgrade');
        ctl_end($load);
        $refused = !$said->{ok} && $said->{error}{message};
        last if $refused;
        $hd->wait_exit;
        $hd->adopt($said->{data}{pid});
    }
    like $refused, qr/a module is being loaded, unloaded or reloaded/, 'busy';
    reach($alice, $bob, 'nothing has changed');
    is upgrade($hd)->{moved}, 2, 'and then it works';
    reach($alice, $bob, 'after it');
    $hd->finish;
};

sub has_uring ($hd) { return !!grep { (readlink // '') =~ /io_uring/ } glob "/proc/$hd->{pid}/fd/*" }

subtest 'another backend, other CPUs' => sub {
    my $hd = HyperDerp::Test->new(workers => 2, load_module => [qw(derp)]);
    my ($cpu) = HyperDerp::Test::slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\d+)/m;
    my $yaml = $hd->yaml;
    my $becomes = sub ($backend, $pins) {
        $hd->{yaml} = $yaml =~ s/^event_backend: .*/event_backend: $backend\npin_cores: [$pins]/mr;
        $hd->write_conf;
    };
    $becomes->('auto', '');
    $hd->run->ready or die $hd->log_text;
    plan skip_all => 'no io_uring here' unless has_uring($hd);
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    for my $to (['epoll', "$cpu, $cpu"], ['io_uring', ''], ['epoll', ''], ['io_uring', "$cpu, $cpu"]) {
        $becomes->(@$to);
        is upgrade($hd)->{moved}, 2, "to @$to: both move";
        is has_uring($hd) ? 'io_uring' : 'epoll', $to->[0], '... to that';
        reach($alice, $bob, 'there');
        reach($bob, $alice, 'and back');
    }
    $hd->finish;
};

# As before Linux 6.7 (Debian 12 has 6.1), and in a container without io_uring.
subtest 'a kernel that shares no sealed memory' => sub {
    my @wrap = ("$HyperDerp::Test::build/t/lib/client/no-uring");
    plan skip_all => 'this kernel has no seccomp filters' if system(@wrap, '/bin/true') >> 8 == 77;
    my $hd = HyperDerp::Test->new(workers => 2, load_module => [qw(derp)], wrap => \@wrap);
    $hd->{yaml} = $hd->yaml =~ s/^event_backend: .*/event_backend: epoll/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    is upgrade($hd)->{moved}, 2, 'both move';
    reach($alice, $bob, 'there');
    $hd->finish;
};

done_testing;

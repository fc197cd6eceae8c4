#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-mesh.t - what people do with tunnels, by real WireGuard peers:
# three of them, two behind NATs, all linked with each other through one relay
# port. HD_LONG=1: also past REKEY_AFTER_TIME. t/vm/run: the kernel's peers,
# with loss.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Netns;
use HyperDerp::Test;
use POSIX qw(:sys_wait_h);
use Time::HiRes qw(sleep time);

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($nat1, $nat2) = map { $net->nat($_) } qw(nat1 nat2);
my %peer = (alice => $net->host('alice', behind => $nat1),
    bob => $net->host('bob', behind => $nat2), carol => $net->host('carol'));
my @names = sort keys %peer;
my @links = ([qw(alice bob)], [qw(alice carol)], [qw(bob carol)]);
my %ip;
@ip{@names} = map { "10.9.0.$_" } 1 .. 3;
$peer{$_}->wireguard(ip => "$ip{$_}/24", ip6 => $ip{$_} =~ s/.*\./fd09::/r . '/64') for @names;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap]);

# A command that must be done.
sub ctl (@words) {
    my $out = $hd->ctl(@words);
    is $?, 0, "hdctl @words" or diag $out;
    return;
}

sub start () { return $hd->run_elsewhere || BAIL_OUT($hd->log_text) }

# Each peer knows the others' keys and the relay's address, nothing else.
sub meet ($endpoint) {
    for my $l (@links) {
        my ($x, $y) = @peer{@$l};
        $x->wg_peer($y->{public}, "$ip{$l->[1]}/32", $endpoint);
        $y->wg_peer($x->{public}, "$ip{$l->[0]}/32", $endpoint);
    }
    return;
}

sub all_ping ($why, $seconds = 40) {
    for my $l (@links) {
        ok $peer{ $l->[0] }->pings($ip{ $l->[1] }, $seconds), "$why: $l->[0] reaches $l->[1]";
        ok $peer{ $l->[1] }->pings($ip{ $l->[0] }, $seconds), "$why: $l->[1] reaches $l->[0]";
    }
    return;
}

# A stream of echoes, five a second, while something happens. Returns how many
# were sent, how many came back, and the longest silence in seconds.
sub echoes_during ($from, $to, $happens, $for = 6) {
    my $log = $from->file('echoes');
    unlink $log;
    my $pid = $from->spawn('echoes', 'ping', '-n', '-D', '-i0.2', '-W1', '-w' . ($for + 40), $to);
    HyperDerp::Test::wait_for(sub { (() = HyperDerp::Test::slurp($log) =~ /bytes from/g) >= 3 });
    $happens->();
    my $had = () = HyperDerp::Test::slurp($log) =~ /bytes from/g;
    HyperDerp::Test::wait_for(
        sub { (() = HyperDerp::Test::slurp($log) =~ /bytes from/g) >= $had + 10 }, $for + 35);
    kill INT => $pid;
    waitpid $pid, 0;    # stop() sees that it has ended
    my $text = HyperDerp::Test::slurp($log);
    my @at = $text =~ /^\[([\d.]+)\] \d+ bytes from/mg;
    my $gap = 0;
    for (1 .. $#at) { $gap = $at[$_] - $at[$_ - 1] if $at[$_] - $at[$_ - 1] > $gap }
    my ($sent, $back) = $text =~ /(\d+) packets transmitted, (\d+) received/;
    return ($sent // 0, $back // 0, sprintf "%.1f", $gap);
}

start();
ctl(qw(wg peer add), $_, $peer{$_}{public}) for @names;
ctl(qw(wg link add), @$_) for @links;
meet("$relay->{ip}:51820");
all_ping('first contact');

subtest 'one relay port' => sub {
    for my $n (@names) {
        my @to = map { (split /\t/)[1] } split /\n/, $peer{$n}->out('wg', 'show', $peer{$n}{dev}, 'endpoints');
        is_deeply [map { chomp; $_ } @to], [("$relay->{ip}:51820") x 2], "$n speaks to the relay alone";
    }
};

SKIP: {
    skip 'iperf3 is not installed', 2 unless -x '/usr/bin/iperf3';
    my $server = $peer{carol}->spawn('iperf3', 'iperf3', '-s', '-1', '-B', $ip{carol});
    HyperDerp::Test::wait_for(sub { $peer{carol}->out(qw(ss -Hltn)) =~ /:5201/ });
    my $said = $peer{alice}->out('iperf3', '-c', $ip{carol}, '-n', $HyperDerp::Netns::netem ? '1M' : '64M', '-J');
    is $?, 0, 'iperf3 through the tunnel' or diag $said;
    unlike $said, qr/"error"/, '... without an error';
    $peer{carol}->stop($server);
}

subtest 'a datagram larger than the path' => sub {
    ok $peer{alice}->pings($ip{bob}, 40, qw(-M dont -s 4000)), 'fragments inside the tunnel pass';
};

subtest 'forced rekeys' => sub {
    my ($x, $y) = @peer{qw(alice bob)};
    for my $n (1 .. 3) {
        my $before = $x->handshake($y->{public});
        sleep 1.1 - (time - int time);    # the handshake's time is in whole seconds
        $x->run('wg', 'set', $x->{dev}, 'peer', $y->{public}, 'remove');
        $x->wg_peer($y->{public}, "$ip{bob}/32", "$relay->{ip}:51820");
        ok $x->pings($ip{bob}, 30), "alice forgets her session, $n: another one";
        isnt $x->handshake($y->{public}), $before, '... by a new handshake';
    }
};

subtest 'roaming' => sub {
    my ($sent, $back, $gap) = echoes_during($peer{carol}, $ip{alice}, sub { $nat1->new_mappings });
    # Her next packet is enough. A new handshake would take 15 s.
    cmp_ok $gap, '<', $HyperDerp::Netns::netem ? 45 : 10, "alice's NAT forgets its mappings: carol still reaches her ($back of $sent, silent for ${gap} s)";
    my ($x, $y) = @peer{qw(carol alice)};
    ($sent, $back, $gap) = echoes_during($y, $ip{carol}, sub {
        my ($ip) = $net->plug($x, 'eth1');
        $x->run(qw(ip address del), "$x->{ip}/24", qw(dev eth0));
        $x->run(qw(ip link set eth0 down));
        $x->{ip} = $ip;
        $x->out(qw(ping -n -c1 -W1), $ip{alice});
    });
    # This wireguard-go goes on sending from the address that is gone ("network is
    # unreachable") until it begins a new handshake: 15 s without an answer, and 5 s
    # (REKEY_TIMEOUT) for each that is lost.
    cmp_ok $gap, '<', $HyperDerp::Netns::netem ? 45 : 35, "carol moves to another address: alice still reaches her ($back of $sent, silent for ${gap} s)";
    # The kernel's WireGuard goes on with its session, so nothing tells the relay where
    # bob's calls should go until carol wants something of him (doc/internals/wireguard.md).
    ok $peer{carol}->pings($ip{bob}, 40), 'after roaming: carol speaks to bob first';
    all_ping('after roaming');
    ok $hd->log_like(qr/moved/), 'the log says that a session moved';
};

subtest 'the relay restarts under traffic' => sub {
    my ($sent, $back, $gap) = echoes_during($peer{alice}, $ip{bob}, sub {
        is $hd->stop, 0, 'it stops';
        start();
    });
    cmp_ok $gap, '<', 25, "within one keepalive the tunnel goes on ($back of $sent, silent for ${gap} s)";
    all_ping('after the restart');
    ($sent, $back, $gap) = echoes_during($peer{alice}, $ip{bob}, sub {
        $hd->signal('KILL');
        $hd->wait_exit;
        start();
    });
    cmp_ok $gap, '<', 25, "the same after kill -9 ($back of $sent, silent for ${gap} s)";
};

subtest 'the module is reloaded under traffic' => sub {
    my ($sent, $back, $gap) = echoes_during($peer{bob}, $ip{carol}, sub {
        ctl(qw(module reload wg)) for 1 .. 5;
    });
    # a lost one would be silent for 15 s
    cmp_ok $gap, '<', 10, "no tunnel is lost ($back of $sent, silent for ${gap} s)";
};

subtest 'a link is removed' => sub {
    $peer{alice}->spawn('flood', 'ping', '-n', '-i0.2', $ip{carol});
    ctl(qw(wg link remove alice carol));
    ok $peer{alice}->silent($ip{carol}, 4), 'cuts the tunnel at once';
    ok $peer{alice}->pings($ip{bob}), '... and no other';
    ctl(qw(wg link add alice carol));
    ok $peer{alice}->pings($ip{carol}, 60), 'added again, it works again';
};

subtest 'IPv6 outside' => sub {
    my ($dave, $erin) = map { $net->host($_) } qw(dave erin);
    $dave->wireguard(ip => '10.9.0.4/24');
    $erin->wireguard(ip => '10.9.0.5/24');
    ctl(qw(wg peer add), $_->{name}, $_->{public}) for $dave, $erin;
    ctl(qw(wg link add dave erin));
    $dave->wg_peer($erin->{public}, '10.9.0.5/32', "[$relay->{ip6}]:51820");
    $erin->wg_peer($dave->{public}, '10.9.0.4/32', "[$relay->{ip6}]:51820");
    ok $dave->pings('10.9.0.5', 40), 'dave reaches erin';
    ok $erin->pings('10.9.0.4', 40), 'erin reaches dave';
};

SKIP: {
    skip 'three minutes past REKEY_AFTER_TIME: HD_LONG=1', 1 unless $ENV{HD_LONG};
    my $first = $peer{alice}->handshake($peer{bob}{public});
    my ($sent, $back, $gap) = echoes_during($peer{alice}, $ip{bob}, sub {
        HyperDerp::Test::wait_for(sub { $peer{alice}->handshake($peer{bob}{public}) > $first }, 200);
    }, 220);
    cmp_ok $gap, '<', $HyperDerp::Netns::netem ? 5 : 1, "rekeyed by time, without a gap ($back of $sent, ${gap}s)";
}

$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/undrain.t - a drain is taken back, or changed, at each of its
# moments.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use List::Util qw(max);
use POSIX ();
use Time::HiRes qw(time);

use constant STAGGER_S => 10;    # over which clients are closed

sub start ($clients, $drain_time = '1h') {
    my $hd = HyperDerp::Test->start(no_tls => 1, conf => "drain_time: $drain_time\n");
    $hd->{logins} = [HyperDerp::Raw::logins($hd, $clients + 4)];
    return ($hd, map { HyperDerp::Raw->login($hd, shift @{ $hd->{logins} }) } 1 .. $clients);
}

sub doing ($hd) { return ctl($hd, 'status')->{data}{state} }

sub becomes ($hd, $state) { return HyperDerp::Test::wait_for(sub { doing($hd) eq $state }, 60) }

# Asked again and again: its socket may just be made.
sub stun_answers ($hd) {
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{stun}, Type => SOCK_DGRAM)
        or die "udp: $@";
    return HyperDerp::Test::wait_for(sub {
        send $s, pack('nnN', 1, 0, 0x2112a442) . 'undrain-test', 0;
        IO::Select->new($s)->can_read(0.2);
    });
}

# All that a client sees of a relay that serves.
sub serves ($hd, @c) {
    is doing($hd), 'serving', 'it serves';
    is get($hd, '/derp/latency-check') // '', '', 'latency-check: 200';
    ok stun_answers($hd), 'STUN answers';
    my $new = HyperDerp::Raw->start($hd, shift @{ $hd->{logins} });
    ok $new->admitted, 'a login is taken';
    for my $c (@c) {
        is $c->expect(HyperDerp::Raw::HEALTH), '', 'Health is cleared';
        $c->send($new->key, 'back');
        is $new->packet, 'back', '... and packets flow';
    }
    return;
}

subtest 'while clients are warned' => sub {
    my ($hd, @c) = start(4);
    is ctl($hd, 'undrain')->{ok}, JSON::PP::false, 'nothing to take back: refused';
    my $d = ctl($hd, 'drain', '--exit')->{data};
    is $d->{state}, 'draining', 'drains';
    cmp_ok $d->{closes_after_ms}, '>', 3_000_000, '... for long';
    like $_->expect(HyperDerp::Raw::HEALTH), qr/about to stop/, 'Health' for @c;
    is get($hd, '/derp/latency-check'), '503', 'latency-check: 503';
    ok ctl($hd, 'undrain')->{ok}, 'taken back';
    serves $hd, @c;
    ok $hd->log_like(qr/drain taken back: streams=\d+$/m), 'is logged';
    $_->close for @c;
    ctl($hd, 'drain', '--for', '0s');    # some may be leaving still
    ok becomes($hd, 'drained'), 'another drain';
    ok !defined $hd->exited, '... does not remember --exit';
    $hd->finish;
};

# On a machine that stalls for the whole stagger all may be closed before the drain is
# taken back: then once more.
sub taken_back_while_closing () {
    for (1 .. 10) {
        my ($hd, @c) = start(8);
        my $d = ctl($hd, 'drain', '--for', '0s');
        $c[0]->expect(HyperDerp::Raw::RESTARTING);
        ctl($hd, 'undrain');
        my @left = grep { $_->ping } @c;
        return ($hd, @left) if @left && doing($hd) eq 'serving';
        $hd->finish;
    }
    die 'never in time';
}

# Looked at in the end, when the stagger would be over.
my ($closing, @left) = taken_back_while_closing();
my $taken_back = time;

subtest 'when all have left' => sub {
    my ($hd, @c) = start(2, '0s');
    $_->close for @c;
    $hd->signal('USR2');
    ok becomes($hd, 'drained'), 'drained';
    ok ctl($hd, 'undrain')->{ok}, 'taken back';
    serves $hd;
    $hd->finish;
};

subtest 'another time' => sub {
    my ($hd, @c) = start(2);
    ok ctl($hd, 'drain', '--for', '30m')->{ok}, 'for half an hour';
    my $again = ctl($hd, 'drain');
    ok !$again->{ok}, 'again, the same: refused';
    like $again->{error}{message}, qr/--for.*undrain/, '... with what can be done';
    for my $long ('169h', '600h', '18446744073709551000ms', '18446744073709551615ms') {
        my $refused = ctl($hd, 'drain', '--for', $long);
        ok !$refused->{ok}, "--for $long: refused";
        like $refused->{error}{message}, qr/168 h at most/, '... with what can be';
    }
    my $d = ctl($hd, 'drain', '--for', '59m')->{data};
    cmp_ok $d->{closes_after_ms}, '>', 1_800_000, 'for an hour';
    $_->expect(HyperDerp::Raw::HEALTH) for @c;
    ok $_->silent, 'nobody is told anything new' for @c;
    ok ctl($hd, 'drain', '--for', '0s')->{ok}, 'now';
    ok defined $_->expect(HyperDerp::Raw::RESTARTING), 'Restarting' for @c;
    my $back = ctl($hd, 'drain', '--for', '1h');
    if ($back->{ok}) { # else all have been closed by then
        is $back->{data}{state}, 'draining', 'not now after all';
        ok !HyperDerp::Raw->start($hd, shift @{ $hd->{logins} })->admitted, '... logins are refused still';
    }
    ok ctl($hd, 'drain', '--for', '0s', '--exit')->{ok}, 'and end';
    is $hd->wait_exit(120), 0, 'it does';
};

# Both are there when it looks: it is stopped until they are.
subtest 'a drain that comes with TERM does not take the end back' => sub {
    my ($hd) = start(0);
    my $late = IO::Socket::UNIX->new(Peer => $hd->control) or die "control socket: $!";
    ok HyperDerp::Test::wait_for(sub { ctl($hd, 'status')->{data}{control_clients} == 2 }), 'one is connected';
    $hd->signal('STOP');
    ok HyperDerp::Test::wait_for(sub {
        HyperDerp::Test::slurp("/proc/@{[$hd->pid]}/stat") =~ /\) T /;
    }), 'it stands still';
    $hd->signal('TERM');
    syswrite $late, qq({"id":1,"cmd":["drain","--for","1h"]}\n);
    $hd->signal('CONT');
    is $hd->wait_exit(120), 0, 'it ends';
};

# It may be connected and not have asked yet: drains, until it tells of one.
subtest 'told over the control socket' => sub {
    my ($hd) = start(0);
    my $told = "$hd->{dir}/told";
    my $pid = fork // die "fork: $!";
    exec 'sh', '-c', 'exec "$0" --socket "$1" --json watch drain >"$2" 2>&1', "$HyperDerp::Test::build/hdctl",
        $hd->control, $told or POSIX::_exit(127) if $pid == 0;
    HyperDerp::Children::keep($pid);
    my $drains = sub {
        ctl($hd, 'drain', '--for', '0s');
        becomes($hd, 'drained') or die 'no drain';
        ctl($hd, 'undrain');
    };
    ok HyperDerp::Test::wait_for(sub { $drains->(); HyperDerp::Test::slurp($told) =~ /"serving"/ }), 'one watches';
    $drains->();
    $hd->finish;
    HyperDerp::Children::ended($pid);
    waitpid $pid, 0;
    my @said = HyperDerp::Test::slurp($told) =~ /"state": ?"(\w+)"/g;
    is "@said[-4 .. -1]", 'warning closing drained serving', 'each state is an event';
};

subtest 'while clients are closed' => sub {
    note scalar(@left) . ' of 8 were left';
    ok !$left[-1]->closed(max(1, $taken_back + STAGGER_S + 1 - time)), 'who is left stays';
    ok $_->ping, '... and is served' for @left;
    serves $closing;
    $closing->finish;
};
done_testing;

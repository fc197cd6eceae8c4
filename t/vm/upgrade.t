#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/upgrade.t - hdctl upgrade, and the kernel has the records: they go over with
# their sockets. Runs in the guest of t/vm/run.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade fake upgrade);
use JSON::PP qw(decode_json);
use POSIX qw(uname);

my $patience = 300;   # seconds; an emulated processor is slow
plan skip_all => 'this kernel has no kTLS' unless -e '/proc/net/tls_stat';
plan skip_all => 'no subreaper here' unless can_upgrade();
my ($major, $minor) = (uname)[2] =~ /^(\d+)\.(\d+)/;
my $rekeys = $major > 6 || ($major == 6 && $minor >= 14);

sub in_kernel () {
    my $stat = HyperDerp::Test::slurp('/proc/net/tls_stat');
    return join '/', map { $stat =~ /^TlsCurr${_}Sw\s+(\d+)/m ? $1 : '-' } qw(Tx Rx);
}

sub becomes ($want, $what) {
    HyperDerp::Test::wait_for(sub { in_kernel() eq $want }, $patience);
    is in_kernel(), $want, "$what: connections of the kernel, out/in";
}

sub relay (%o) {
    return HyperDerp::Test->start(workers => 2,
        conf => "login_timeout: 10m\nwrite_timeout: 10m\nsockbuf: 64KiB\ntls: {ktls: on}\n", %o);
}

sub reach ($from, $to, $what) {
    $from->send($to->key, $what);
    return is $to->packet($patience), $what, $what;
}

sub waiting ($hd) { return scalar grep { $_->{queued} > 0 } @{ ctl($hd, 'peers')->{data} } }

subtest 'records of the kernel, three upgrades' => sub {
    my $hd = relay();
    my @c = map { $hd->client(suite => "TLS_$_") }
        qw(AES_128_GCM_SHA256 AES_256_GCM_SHA384 CHACHA20_POLY1305_SHA256);
    my $plain = $hd->client(plain => 1);
    becomes('3/3', 'three clients');
    for my $round (1 .. 3) {
        my $sent = join ',', map { "$round-$_" } 1 .. 20;
        $c[0]->send($c[1]->key, "$round-$_") for 1 .. 10;
        is upgrade($hd)->{moved}, 4, "round $round: all have moved";
        becomes('3/3', 'they are still the kernel\'s');
        $c[0]->send($c[1]->key, "$round-$_") for 11 .. 20;
        is join(',', map { $c[1]->packet($patience) // 'nothing' } 1 .. 20), $sent,
            'nothing is lost, doubled or out of order';
        reach($c[$_], $c[($_ + 1) % 3], "$round: $_") for 0 .. 2;
        reach($c[2], $plain, "$round: to a plain one");
        reach($plain, $c[2], "$round: from it");
    }
    my $key = $c[0]->key;
    $c[0]->quit;
    ok $c[1]->expect(qr/^gone $key 0/, $patience), 'who has left is told as before';
    $hd->finish;
    becomes('0/0', 'after');
};

subtest 'what waits for a client that does not read' => sub {
    my $hd = relay();
    my ($from, $slow) = map { $hd->client } 1 .. 2;
    becomes('2/2', 'two clients');
    $slow->tell('stop');
    $from->fill($slow->key, 1400, 2000);
    $from->silent;
    ok HyperDerp::Test::wait_for(sub { waiting($hd) == 1 }, $patience), 'it waits in the relay';
    is upgrade($hd)->{moved}, 2, 'both move';
    is waiting($hd), 1, 'and in the new one';
    $slow->tell('go');
    $from->send($slow->key, 'last');
    my $p;
    do { $p = $slow->packet($patience) } while defined $p && $p ne 'last';
    is $p, 'last', 'the kernel\'s half of a record goes on where it was';
    $hd->finish;
};

subtest 'half a record, and a new one that fails' => sub {
    my $hd = relay(workers => 1);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    becomes('2/2', 'two clients');
    for my $mode (qw(prepared snapshot cannot ready)) {
        like fake($hd, $mode), qr/new process/, "$mode: hdctl says why";
        reach($alice, $bob, "$mode: there");
        reach($bob, $alice, "$mode: and back");
    }
    $alice->tell('wire', unpack 'H*', "\x17\3\3\0\x20" . 'x' x 10);
    is upgrade($hd)->{moved}, 2, 'both move';
    reach($bob, $alice, 'to the half of a record');
    $alice->tell('wire', unpack 'H*', 'x' x 22);
    like $alice->expect(qr/^closed/, $patience), qr/bad record mac/i, 'the rest of it comes: it does not open';
    my $key = $alice->key;
    ok $bob->expect(qr/^gone $key 0/, $patience), 'another connection is told';
    $hd->finish;
};

# A kernel that cannot rekey closes; one that can needs the secrets that moved.
for my $ktls (qw(on off)) {
    subtest "KeyUpdate afterwards, the new one has ktls: $ktls" => sub {
        my $hd = relay(workers => 1);
        my ($alice, $bob, $carol) = map { $hd->client } 1 .. 3;
        becomes('3/3', 'three clients');
        $hd->{conf} =~ s/ktls: \w+/ktls: $ktls/;
        $hd->write_conf;
        is upgrade($hd)->{moved}, 3, 'all move';
        becomes('3/3', 'they are still the kernel\'s');
        $alice->tell('update', 0);
        $bob->tell('update', 1);
        $_->ping('updated#') for $alice, $bob;
        if ($rekeys) {
            ok $_->expect(qr/^pong/, $patience), 'is followed' for $alice, $bob;
            reach($alice, $bob, 'packets flow');
        } else {
            ok $_->closed_within($patience), 'this kernel cannot follow: closed' for $alice, $bob;
        }
        ok $carol->silent, 'another connection is unharmed';
        $hd->finish;
    };
}

done_testing;

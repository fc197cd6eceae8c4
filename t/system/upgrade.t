# SPDX-License-Identifier: MIT
# t/system/upgrade.t - hdctl upgrade: another process takes over every connection.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade try_upgrade);
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

sub reach ($from, $to, $what) {
    $from->send($to->key, $what);
    return is $to->packet, $what, $what;
}

subtest 'plain, one worker' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    reach($alice, $bob, 'before');
    my $said = upgrade($hd);
    is $said->{moved}, 2, 'both have moved';
    reach($alice, $bob, 'after');
    reach($bob, $alice, 'back');
    my $carol = $hd->client;
    reach($carol, $bob, 'from a new client');
    $hd->finish;
};

# An object of numbered packets: what bob gets of them, in order.
sub numbers ($bob, $n) {
    return join ',', map { my $p = $bob->packet // last; $p } 1 .. $n;
}

subtest 'TLS, two workers, many upgrades' => sub {
    my $hd = HyperDerp::Test->start(workers => 2);
    my @c = map { $hd->client(plain => $_ % 3 == 2) } 0 .. 5;
    reach($c[0], $c[$_], "to $_") for 1 .. 5;
    my $fds = sub { scalar(() = glob "/proc/$hd->{pid}/fd/*") };
    my $before = 0;
    for my $round (1 .. 4) {
        my $half = pack 'CN', 4, 32 + 4;    # a frame in two parts
        $half .= pack('H*', $c[1]->key) . 'half';
        $c[0]->raw(substr $half, 0, 20);
        $c[0]->silent if 0;
        my $sent = join ',', map { "$round-$_" } 1 .. 20;
        $c[2]->send($c[3]->key, "$round-$_") for 1 .. 10;
        my $said = upgrade($hd);
        is $said->{moved}, 6, "round $round: all have moved";
        $c[2]->send($c[3]->key, "$round-$_") for 11 .. 20;
        is numbers($c[3], 20), $sent, 'nothing is lost, doubled or out of order';
        $c[0]->raw(substr $half, 20);
        is $c[1]->packet, 'half', 'a frame that came in two parts';
        reach($c[$_], $c[($_ + 1) % 6], "$round: $_") for 0 .. 5;
        $before = $fds->() if $round == 2;
    }
    HyperDerp::Test::wait_for(sub { $fds->() <= $before });
    cmp_ok $fds->(), '<=', $before, 'no descriptor is left over';
    $c[0]->quit;
    like $c[1]->expect(qr/^gone /), qr/^gone [0-9a-f]{64}/, 'who has left is told as before';
    $hd->finish;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/move.t - connections that move to their key's home worker at the
# login lose nothing: not what stands right behind the login, not what comes
# meanwhile.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use JSON::PP;

use constant N => 300;

my $hd = HyperDerp::Test->start(workers => 4);
my @logins = HyperDerp::Raw::logins($hd, N + 1);
my $sink = HyperDerp::Raw->login($hd, pop @logins);

# What every client says in one breath: the login, packets, a ping.
sub said ($i, $n = 3) {
    return $logins[$i]{head} . $logins[$i]{info}
        . join '', map { HyperDerp::Raw::packet_frame($sink->key, "$i.$_") } 1 .. $n;
}

# The packets of all arrive, those of each in order.
sub arrived ($want, $why, $n = 3) {
    my %got;
    for (1 .. $want * $n) {
        my ($data, $from) = $sink->packet or last;
        push @{ $got{$from} }, $data;
    }
    my @bad = grep {
        my $i = $_;
        join(' ', @{ $got{ $logins[$i]{key} } // [] }) ne join ' ', map { "$i.$_" } 1 .. $n;
    } 0 .. $want - 1;
    is_deeply \@bad, [], $why;
}

subtest 'packets in the same segment as the login' => sub {
    my @c = map { HyperDerp::Raw->open($hd) } 1 .. N;
    $c[$_]->write(said($_)) for 0 .. N - 1;
    arrived(N, 'each arrives, in order');
    is scalar(grep { !$_->admitted } @c), 0, 'each is admitted';
    my $login = sub { scalar(() = $hd->log_text =~ / login: key=/g) };
    ok HyperDerp::Test::wait_for(sub { $login->() > N }), '... and has a line in the log'
        or diag $login->(), ' lines of ', N + 1;
    is scalar(grep { !$_->ping } @c), 0, '... and lives';
    $_->close for @c;
};

subtest 'packets a moment later' => sub {
    my @c = map { HyperDerp::Raw->open($hd) } 1 .. N;
    for my $cut (0 .. N - 1) {
        my $all = said($cut);
        my $at = length($logins[$cut]{head} . $logins[$cut]{info}) - 50 + $cut % 100;
        $c[$cut]->write(substr $all, 0, $at);
        $c[$cut]{left} = substr $all, $at;
    }
    $c[$_]->write($c[$_]{left}) for 0 .. N - 1;
    arrived(N, 'cut before, in and behind the login');
    $_->close for @c;
};

subtest 'more than a buffer behind the login' => sub {
    my $n = 200;    # of 1 kB: while the login moves, reading must stop
    my @c = map { HyperDerp::Raw->open($hd) } 0 .. 7;
    my $bad = 0;
    for my $i (0 .. $#c) {
        $c[$i]->write($logins[$i]{head} . $logins[$i]{info} . join '',
            map { HyperDerp::Raw::packet_frame($sink->key, pack('N', $_) . 'y' x 1000) } 1 .. $n);
        for my $k (1 .. $n) {
            my $p = $sink->packet // '';
            length $p == 1004 && unpack('N', $p) == $k or $bad++;
        }
    }
    is $bad, 0, "8 clients with $n kB each";
    $_->close for @c;
};

subtest 'clients that leave while they move' => sub {
    for my $round (1 .. 3) {
        my @c = map { HyperDerp::Raw->open($hd) } 1 .. N;
        for my $i (0 .. N - 1) {
            $c[$i]->write($logins[$i]{head} . $logins[$i]{info});
            $c[$i]->close;
        }
    }
    ok $sink->ping, 'the relay lives';
    my $c = HyperDerp::Raw->login($hd, $logins[0]);
    $sink->{in} = '';
    $c->send($sink->key, 'after');
    is $sink->packet, 'after', '... and relays';
    $c->close;
};

subtest 'over TLS' => sub {
    my @c = map { $hd->client(no_wait => 1) } 1 .. 16;
    is scalar(grep { !$_->wait_ready } @c), 0, '16 logins at once';
    $_->send($sink->key, 'tls') for @c;
    my %from;
    for (@c) {
        my ($data, $from) = $sink->packet or last;
        $from{$from} = 1 if $data eq 'tls';
    }
    is keys %from, 16, 'a packet of each';
    $sink->send($_->key, 'back') for @c;
    is scalar(grep { ($_->packet // '') ne 'back' } @c), 0, '... and one to each';
    $_->quit for @c;
};

# Each peer sends packets to itself in the same breath as its login, cut in two
# anywhere, and waits until all are back, in order: hdbench fails otherwise.
# HD_LONG=1: more than 10,000 moves.
subtest 'data in flight behind many logins' => sub {
    my $n = $ENV{HD_LONG} ? 14000 : 1000;
    my $before = decode_json($hd->ctl('--json', 'status'))->{moves};
    for (["$n over TLS", '--logins', $n, '--behind', 3, $hd->{tls}],
        ['1,000 over TLS, 64 kB each', qw(--logins 1000 --behind 4 --size 16000), $hd->{tls}],
        ["$n in the clear", '--plain', '--logins', $n, '--behind', 8, $hd->{plain}]) {
        my ($what, @args) = @$_;
        my $port = pop @args;
        my $out = `$HyperDerp::Test::build/hdbench --fast-start @args 127.0.0.1:$port 2>&1`;
        is $?, 0, "$what: nothing is lost" or diag $out;
    }
    my $moves = decode_json($hd->ctl('--json', 'status'))->{moves};
    my $done = $moves->{done} - $before->{done};
    cmp_ok $done, '>', 1.4 * $n, "$done moves, mean $moves->{mean_us} us, "
        . "$moves->{over_200_us} of all above 200 us, the slowest $moves->{max_us} us";
    cmp_ok $moves->{max_us}, '>=', $moves->{mean_us}, 'the numbers of a move';
    cmp_ok $moves->{mean_us}, '>', 0, '... are there';
};

$hd->finish;
# three of four keys live elsewhere than their connection was accepted
my ($moves, $logins) = map { $hd->metric("hyper_derp_${_}_total") } qw(moves logins);
cmp_ok $moves, '>', $logins / 2, "$moves moves of $logins logins";
done_testing;

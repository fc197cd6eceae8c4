#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/top.t - hdctl top: who sends how much to whom.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use JSON::PP qw(decode_json);

my $hd = HyperDerp::Test->start(workers => 2);
my ($alice, $bob, $carol) = map { $hd->client } 1 .. 3;

sub pairs () {
    return map { ("$_->{src} $_->{dst}" => $_) } @{ ctl($hd, 'pairs')->{data} };
}

subtest 'pairs' => sub {
    $alice->send($bob->key, 'before anybody asks');
    $bob->packet;
    is_deeply { pairs() }, {}, 'nothing is counted before the first question';
    for (1 .. 3) {
        $alice->send($bob->key, 'x' x 1000);
        $bob->packet;
    }
    $bob->send($carol->key, 'hello');
    $carol->packet;
    my %p = pairs();
    is scalar keys %p, 2, 'two pairs' or diag explain \%p;
    is $p{ $alice->key . ' ' . $bob->key }{packets}, 3, 'packets';
    is $p{ $alice->key . ' ' . $bob->key }{bytes}, 3000, 'bytes, of the payload';
    is $p{ $bob->key . ' ' . $carol->key }{packets}, 1, 'whatever workers they have';
    my ($first) = @{ ctl($hd, 'pairs')->{data} };
    is $first->{src}, $alice->key, 'the busiest first';
    like $hd->ctl('pairs'), qr/^src +dst +packets +bytes/, 'for people';
};

subtest 'top -1' => sub {
    my $pid = open my $out, '-|', "$HyperDerp::Test::build/hdctl", '--json', '--socket',
        $hd->control, 'top', '-1' or die "hdctl: $!";
    vec(my $bits = '', fileno $out, 1) = 1;
    until (select my $ready = $bits, undef, undef, 0.01) {
        $alice->send($bob->key, 'x' x 1000);
        $bob->packet;
    }
    local $/;
    my $top = decode_json(readline $out);
    close $out;
    my ($p) = grep { $_->{src} eq $alice->key } @{ $top->{pairs} };
    cmp_ok $p->{'packets/s'}, '>', 0, "packets/s: $p->{'packets/s'}";
    cmp_ok $p->{'bytes/s'}, '>=', 900 * $p->{'packets/s'}, "bytes/s: $p->{'bytes/s'}";
    is scalar @{ $top->{peers} }, 3, 'peers';
    my $text = $hd->ctl(qw(top -1));
    like $text, qr/^src +dst +packets\/s +bytes\/s/m, 'for people';
    like $text, qr/^@{[substr $alice->key, 0, 12]} +@{[substr $bob->key, 0, 12]} /m, '... the pair';
};

subtest 'bounded' => sub {
    $alice->send(unpack('H*', pack 'NN x24', 1, $_), 'x') for 1 .. 3000;
    $alice->send($bob->key, 'after them');
    is $bob->packet, 'after them', 'packets to 3,000 keys';
    my $n = keys %{ { pairs() } };
    cmp_ok $n, '<=', 2 * 1024, "$n pairs are kept";
    cmp_ok $n, '>', 500, '... a table full';
};

$hd->finish;
done_testing;

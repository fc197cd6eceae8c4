#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/link.t - two relays whose links take 200 ms each way and lose 2 % of the
# kernel's packets: everything crosses, once and in order; a link that is lost is
# known, and comes back with who is there by then. Clients are near. Runs in
# t/vm/run's guest, whose kernel has netem.
use v5.36;
use Test::More;
use Time::HiRes qw(time);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;

my $netem = 'delay 200ms 5ms loss 2%';
my $far = '127.0.0.2';    # links are dialled there, clients are not
sub tc ($args) { return system('tc', split / /, $args) == 0 }    # busybox's shell would take its own
sub both_ways ($how) { return tc("qdisc replace dev lo parent 1:3 handle 30: netem $how limit 100000") }

plan skip_all => 'for t/vm/run: it slows loopback down' unless $ENV{HD_VM};
plan skip_all => 'no netem here' unless tc('qdisc add dev lo root handle 1: prio') && both_ways($netem);
tc("filter add dev lo parent 1: protocol ip prio 1 u32 match ip $_ $far/32 flowid 1:3") or die for qw(dst src);

my @hd = map { HyperDerp::Test->new(load_module => [qw(derp mesh)]) } 1 .. 2;
for my $i (0, 1) {
    my ($hd, $to) = @hd[$i, 1 - $i];
    HyperDerp::Test::spew($hd->dir . '/mesh.key', '6d' x 32 . "\n");
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh: {members: [{name: \"localhost:$to->{tls}\", "
        . "dial: $far, ca_file: $to->{dir}/relay.crt}]}\n";
    $hd->{yaml} = $hd->yaml =~ s/^listen: \[/listen: [{addr: "$far:$hd->{tls}", tls: true}, /mr;
    $hd->write_conf;
}
for (@hd) {
    $_->run;
    $_->ready or die $_->log_text;
}

sub link_of ($hd) { return ctl($hd, qw(mesh status))->{data}[0] // {} }

sub is_up ($hd, $keys, $name) {
    return ok(HyperDerp::Test::wait_for(sub {
        my $l = link_of($hd);
        ($l->{state} // '') eq 'up' && $l->{keys} == $keys;
    }, 120), $name) || diag explain link_of($hd), $hd->log_text;
}

my ($one, $two) = @hd;
my ($alice, $bob) = ($one->client, $two->client);
is_up $_, 1, 'a link that is far away' for @hd;
ok HyperDerp::Test::wait_for(sub { (link_of($one)->{latency_us} // 0) >= 400_000 }, 120), '... it is known how far'
    or diag explain link_of($one);

# none is lost, all in order
for my $pair ([$alice, $bob], [$bob, $alice]) {
    my ($from, $to) = @$pair;
    $from->send($to->key, "number $_ " . 'x' x 1000) for 1 .. 500;
    my @got = map { ($to->packet(120) // '') =~ /^number (\d+) / ? $1 : 'nothing' } 1 .. 500;
    is "@got", join(' ', 1 .. 500), '500 packets cross';
}

for my $round (1, 2) {
    my $began = time;
    both_ways('loss 100%') or die;
    ok $one->log_like(qr/(?:link lost: .*){$round}/s, 120), "nothing comes through any more: the link is lost";
    note sprintf 'known after %.1f s', time - $began;
    ok HyperDerp::Test::wait_for(sub { !@{ ctl($one, qw(mesh peers))->{data} } }, 60), '... and who was there';
    ok $alice->expect(qr/^gone \Q@{[$bob->key]}\E/), '... who has heard from him is told';
    $bob->quit;
    $bob = $two->client;    # another one comes
    $began = time;
    both_ways($netem) or die;
    is_up $_, 1, 'the link is back' for @hd;
    note sprintf 'back, with who is there, after %.1f s', time - $began;
    $alice->send($bob->key, 'hello');
    is $bob->packet(120), 'hello', '... and leads to who is there now';
    $bob->send($alice->key, 'and back');
    is $alice->packet(120), 'and back', '... both ways';
}

$_->finish for @hd;
tc('qdisc del dev lo root');
done_testing;

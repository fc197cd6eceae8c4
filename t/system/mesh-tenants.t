#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-tenants.t - tenants in a region. What a relay remembers of the way to
# a key ends when a reload of the rules moves that key, or who sends to it, into a
# tenant, and when it is revoked: nothing crosses by an old way.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Region qw(drops goes lost);
use HyperDerp::Test;

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';
my ($one, $two) = map { HyperDerp::Test->new(no_tls => 1, workers => 3, load_module => [qw(derp mesh policy)]) } 1 .. 2;

sub conf ($hd, $rules) {
    my $other = $hd == $one ? $two : $one;
    HyperDerp::Test::spew($hd->dir . '/mesh.key', "$mesh_key\n");
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  silence_max: 2m\n"
        . qq(  members: [{name: "127.0.0.1:$other->{plain}", tls: false}]\npolicy:\n  default: allow\n  rules: [$rules]\n);
    return $hd->write_conf;
}

# A key is of the tenant office from now on; '' none is.
sub office ($hd, $key) {
    my $file = HyperDerp::Test::spew($hd->dir . '/office', "$key\n");
    conf($hd, $key ? "{keys: $file, tenant: office}" : '');
    return ok ctl($hd, 'reload')->{ok}, $key ? '... is moved into a tenant' : '... and out of it';
}

# So many of no tenant.
sub reaches ($hd, $n, $name) {
    return ok(HyperDerp::Test::wait_for(sub {
        $n == grep { $_->{realm} eq '' } @{ ctl($hd, qw(mesh peers))->{data} };
    }), $name) || diag explain ctl($hd, qw(mesh status)), $hd->log_text;
}

conf($_, '') for $one, $two;
for ($one, $two) {
    $_->run;
    $_->ready or die $_->log_text;
}
# keys of several homes
my @secret = map { sprintf '%02x', $_ } 0x51 .. 0x56;
my @here = map { $one->client(secret => $_ x 32) } @secret[0 .. 2];
my @there = map { $two->client(secret => $_ x 32) } @secret[3 .. 5];
reaches $_, 3, 'each knows the other\'s' for $one, $two;

for my $i (0 .. 2) {
    my ($alice, $bob) = ($here[$i], $there[$i]);
    goes $alice, $bob, 'there';
    goes $bob, $alice, 'and back';

    office $two, $bob->key;
    ok $bob->closed_within, 'who was there is closed';
    $bob = $two->client(secret => $secret[ 3 + $i ] x 32);
    reaches $one, 2, '... and is in no list of those without a tenant';
    lost $alice, $bob, $one, 'what is sent to a tenant\'s key';
    lost $bob, $alice, $two, 'what a tenant\'s key sends';
    office $two, '';
    ok $bob->closed_within, 'it is closed once more';
    $bob = $there[$i] = $two->client(secret => $secret[ 3 + $i ] x 32);
    reaches $one, 3, '... and is known again';
    goes $alice, $bob, 'there again';
    goes $bob, $alice, 'and back again';

    office $one, $alice->key;
    ok $alice->closed_within, 'who sends is closed';
    $alice = $one->client(secret => $secret[$i] x 32);
    reaches $two, 2, '... and is in no list of those without a tenant';
    lost $alice, $bob, $one, 'what it sends';
    lost $bob, $alice, $two, 'what is sent to it';
    office $one, '';
    $alice->closed_within;
    $alice = $here[$i] = $one->client(secret => $secret[$i] x 32);
    reaches $two, 3, 'it is known again';
    goes $bob, $alice, 'at last';
    goes $alice, $bob, 'to the end';

    ok ctl($two, qw(peer revoke), $bob->key)->{ok}, 'a key is revoked';
    ok $bob->closed_within, '... is closed';
    reaches $one, 2, '... and is known no more';
    my $before = drops($one);
    $alice->send($bob->key, 'never');
    ok HyperDerp::Test::wait_for(sub { drops($one) > $before }), 'what is sent there goes nowhere';
    ok ctl($two, qw(peer unrevoke), $bob->key)->{ok}, 'it may come back';
    $bob = $there[$i] = $two->client(secret => $secret[ 3 + $i ] x 32);
    reaches $one, 3, '... and is known';
    goes $alice, $bob, 'back';
}
$_->finish for $one, $two;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/wg.t - two wireguard-go peers that know only the relay's address.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Netns;
use HyperDerp::Test;

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($alice, $bob) = map { $net->host($_) } qw(alice bob);
$alice->wireguard(ip => '10.9.0.1/24');
$bob->wireguard(ip => '10.9.0.2/24');

sub yaml ($links) {
    return <<~"END";
        wg:
          peers:
            - {name: alice, pubkey: "$alice->{public}"}
            - {name: bob, pubkey: "$bob->{public}"}
          links: [$links]
        END
}

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], wrap => [$relay->wrap],
    conf => yaml('{a: alice, b: bob}'));

# The relay is in another namespace: its log says when it runs.
sub start ($hd) {
    $hd->run;
    return $hd->log_like(qr/worker 0 started/) || (diag($hd->log_text), BAIL_OUT('no relay'));
}

start($hd);
my $endpoint = "$relay->{ip}:51820";
$alice->wg_peer($bob->{public}, '10.9.0.2/32', $endpoint);
$bob->wg_peer($alice->{public}, '10.9.0.1/32', $endpoint);
ok $alice->pings('10.9.0.2', 30), 'first contact: alice reaches bob';
ok $bob->pings('10.9.0.1'), 'bob reaches alice';
$hd->finish;
done_testing;

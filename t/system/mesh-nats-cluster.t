#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-nats-cluster.t - the directory in a cluster of three: one server
# is killed, and who is there is found all the same.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Directory qw(arrives begin configure directory goes has_published is_state relay);
use HyperDerp::Nats;
use HyperDerp::Test;

my $lacks = HyperDerp::Nats::lacks();
plan skip_all => $lacks if $lacks;

my @server = map { $_->run } HyperDerp::Nats->cluster(3);
my $urls = join ',', map { $_->url } @server;
my ($one, $two) = map { configure(relay($urls), $urls, more => 'replicas: 3') } 1 .. 2;
begin($one, $two);
my ($alice, $bob) = ($one->client, $two->client);
has_published $_, 1, 'a login is in the directory of three servers' for $one, $two;
arrives $alice, $bob, 'hello', 'a packet crosses';

$server[0]->stop('KILL');
goes $alice, $bob, 'still', 'a server is killed, and what is known goes on';
my $carol = $two->client;
has_published $two, 2, '... somebody new is published';
arrives $alice, $carol, 'new', '... and found';
$server[0]->run;
is_state $_, 'connected', '... all the time, or again' for $one, $two;
$carol->quit;
has_published $two, 1, 'with three again somebody leaves';
$_->finish for $one, $two;

done_testing;

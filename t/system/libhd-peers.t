#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd-peers.t - libhd beyond packets to one peer: groups of credentials, clients of DERP
# by their nodekey, and what two want of the path between them.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Say;
use HyperDerp::Test;
use JSON::PP ();

my $hd = HyperDerp::Test->start(workers => 3, load_module => [qw(derp hd)], conf => "hd: {enroll: anybody, bridge: yes}\n");
my $dir = $hd->dir;
my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
my @at = ("--relay-key=$relay_key", "localhost:$hd->{tls}");

sub say_new ($name, @args) {
    my $say = HyperDerp::Say->new($dir, $name, @args);
    ok $say->says(qr/^state open/), "$name is there" or diag $say->text;
    return $say;
}

sub credential ($group) {
    my $made = JSON::PP::decode_json($hd->ctl('--json', qw(hd credential new x --group), $group));
    return "--credential=$made->{credential}";
}

subtest 'a group' => sub {
    my ($ops, $dev) = map { credential($_) } qw(ops dev);
    my @in = map { say_new("ops$_", $ops, '--group=dev', @at) } 1, 2;
    my $out = say_new('other', $dev, '--group=dev', @at);
    my $sender = say_new('dev', $dev, '--to-group=ops', @at);
    $sender->line('to all of it');
    for my $say (@in) {
        ok $say->says(qr/^member nodekey:\w+/), 'the sender is a peer by its group' or diag $say->text;
        ok $say->says(qr/^packet nodekey:\w+ to all of it$/), '... and its packet comes' or diag $say->text;
    }
    is $hd->stop, 0, 'the relay ends';
    ok $_->says(qr/^state waiting ./), 'which is noticed' for @in, $sender;
    $hd->run->ready or BAIL_OUT($hd->log_text);
    ok $_->says(qr/^state open/), 'and comes back' for @in, $sender;
    my $late = say_new('late', $dev, '--to-group=ops', @at);
    $_->line('again') for $sender, $late;
    for my $say (@in) {
        ok $say->says(qr/^packet nodekey:\w+ again$/), 'packets pass again' or diag $say->text for 1, 2;
    }
    is $sender->end, 0, 'it goes';
    ok $_->says(qr/^peer gone nodekey:/), '... and the others hear of it' for @in;
    is $_->end, 0, 'they end' for @in, $late, $out;
    unlike $out->text, qr/^(?:packet|member) /m, 'who is in another group has got nothing';
    my $none = say_new('none', '--to-group=ops', @at);
    $none->line('unsigned');
    is $none->end, 0, 'without a credential it ends';
    like $none->text, qr/^say: Permission denied$/m, '... and says that it sends to no group';
};

subtest 'a client of DERP' => sub {
    my $derp = $hd->client;
    my $node = 'nodekey:' . $derp->key;
    my $say = say_new('bridged', '--no-udp', @at, $node);
    $say->line('by its nodekey');
    my ($of_say) = ($derp->expect(qr/^packet /) // '') =~ /^packet (\w+) 14 /;
    ok $of_say, 'it gets a packet' or return;
    $derp->send($of_say, 'and back');
    ok $say->says(qr/^packet \Q$node\E and back$/), '... and answers' or diag $say->text;
    my $host = say_new('host', '--allow', @at);
    my ($of_host) = grep { $_ ne $derp->key && $_ ne $of_say }
        map { $_->{key} } @{ JSON::PP::decode_json($hd->ctl(qw(--json peers))) };
    $derp->send($of_host, 'let me in');
    ok $host->says(qr/^visitor \Q$node/), 'who cannot knock is a visitor' or diag $host->text;
    $host->line('welcome');
    is $derp->packet, 'welcome', '... who is allowed';
    $derp->send($of_host, 'I am in');
    ok $host->says(qr/^packet \Q$node\E I am in$/), '... and let in' or diag $host->text;
    is $_->end, 0, 'they end' for $say, $host;
    my $bad = HyperDerp::Say->new($dir, 'bad', @at, substr $node, 0, -1);
    is $bad->end, 1, 'a nodekey that is cut off';
    like $bad->text, qr/no key: nodekey:/, '... is none';
};

subtest 'intents' => sub {
    my $b = say_new('b', @at);
    my $key = $b->key;
    is $b->end, 0, 'its key is known';
    for (['0', '0', 'direct'], ['0', '2', 'relay'], ['1', '3', 'none'], ['1', '', 'none'], ['0', '', 'relay'], ['2', '1', 'direct']) {
        my ($of_a, $of_b, $path) = @$_;
        my $a = say_new('a', "--intent=$of_a", @at, $key);
        my $listener = HyperDerp::Say->new($dir, 'b', '--allow', $of_b ne '' ? "--intent=$of_b" : (), @at, $a->key);
        ok $a->says(qr/^path \Q$key\E $path$/), "$of_a and " . ($of_b eq '' ? 'nothing' : $of_b) . " are $path" or diag $a->text;
        my $of = $a->key;
        ok $listener->says(qr/^path \Q$of\E $path$/), '... for both' or diag $listener->text;
        is $_->end, 0, 'they end' for $a, $listener;
    }
};

$hd->finish;
done_testing;

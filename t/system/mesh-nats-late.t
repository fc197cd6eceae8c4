#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-nats-late.t - one key at two relays, and which of them the directory
# has: the one that it has come to last, however late a write is done.
use v5.36;
use Test::More;
use Time::HiRes qw(time);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Directory qw(arrives begin configure directory has_published is_state relay);
use HyperDerp::Line;
use HyperDerp::Nats;
use HyperDerp::Test;

my $lacks = HyperDerp::Nats::lacks();
plan skip_all => $lacks if $lacks;

my $nats = HyperDerp::Nats->start;

my $writes = qr/^HPUB \$KV\.derp_keys\./m;
my $reads = qr/^PUB \$JS\.API\.DIRECT\.GET\.KV_derp_keys\./m;

# Two relays, the first of them over a line of its own, which may hold back $what.
sub two_relays ($what = $writes) {
    my $line = HyperDerp::Line->new($nats->{port}, $what);
    my @hd = map { relay($nats->url) } 1 .. 2;
    configure($hd[0], $line->url, more => 'refresh_time: 1s');
    begin(@hd);
    has_published $_, 0, 'it is connected' for @hd;
    return ($line, @hd);
}

sub name ($hd) { return 'localhost:' . $hd->port }

# Of whom is the entry of this key?
sub whose ($key) { return (split ' ', $nats->entry('derp_keys', $key))[0] // 'nobody' }

sub becomes ($key, $hd, $name) {
    my $who = $hd ? name($hd) : 'nobody';
    return ok(HyperDerp::Test::wait_for(sub { whose($key) eq $who }), $name) || diag 'it is ', whose($key);
}

sub has_elsewhere ($hd, $n, $name) {
    return ok(HyperDerp::Test::wait_for(sub { directory($hd)->{elsewhere} == $n }, 60), $name)
        || diag explain directory($hd), $hd->log_text;
}

subtest 'back where a connection was left' => sub {
    my ($line, $one, $two) = two_relays();
    my $secret = '31' x 32;
    my $ghost = $one->client(secret => $secret);
    becomes $ghost->key, $one, 'a login is in the directory';
    my $there = $two->client(secret => $secret);
    becomes $ghost->key, $two, 'it has moved';
    my $alice = $two->client;
    my $back = $one->client(secret => $secret);
    becomes $ghost->key, $one, 'it is back, and its first connection is still there';
    $there->quit;
    has_published $two, 1, 'the other relay knows that it has left';
    is whose($ghost->key), name($one), '... and has not deleted what is not its own';
    arrives $alice, $back, 'hello', 'it is found';
    $_->finish for $one, $two;
};

subtest 'a write is held back' => sub {
    my ($line, $one, $two) = two_relays();
    my $secret = '32' x 32;
    $line->hold;
    my $first = $one->client(secret => $secret);
    ok HyperDerp::Test::wait_for(sub { $line->is_holding }), 'the write of a login is on its way';
    my $then = $two->client(secret => $secret);
    becomes $then->key, $two, 'the key logs in at another relay';
    $line->go;
    has_elsewhere $one, 1, 'the first one finds that it has come too late';
    is whose($then->key), name($two), '... and the other one has the key';
    is directory($one)->{published}, 0, '... the first has not';
    my $alice = $one->client;
    arrives $two->client, $alice, 'hello', 'the line is good';
    $_->finish for $one, $two;
};

subtest 'it moves on at once' => sub {
    my ($line, $one, $two) = two_relays();
    my $secret = '36' x 32;
    my $first = $one->client(secret => $secret);
    becomes $first->key, $one, 'a login is in the directory';
    my $then = $two->client(secret => $secret);
    becomes $then->key, $two, 'and a second later it is elsewhere';
    has_elsewhere $one, 1, 'the first relay looks again, and leaves that as it is';
    is whose($then->key), name($two), '... and the other one has the key';
    $_->finish for $one, $two;
};

subtest 'a question is held back' => sub {
    my ($line, $one, $two) = two_relays($reads);
    my $secret = '37' x 32;
    $line->hold;
    my $first = $one->client(secret => $secret);
    ok HyperDerp::Test::wait_for(sub { $line->is_holding }), 'a login asks what stands there';
    my $then = $two->client(secret => $secret);
    becomes $then->key, $two, 'the key logs in at another relay';
    $line->go;
    has_elsewhere $one, 1, 'the first one finds that it has come too late';
    is whose($then->key), name($two), '... and the other one has the key';
    $_->finish for $one, $two;
};

# On a machine that stalls for 5 s a login is not of just now: then another one.
subtest 'a clock that is ahead' => sub {
    my ($line, $one, $two) = two_relays();
    my $client = $one->client(secret => '38' x 32);
    my $key = $client->key;
    my ($instance) = $nats->entry('derp_leases', 'localhost=' . $two->port) =~ /"instance":"(\w+)"/;
    for my $try (1 .. 10) {
        becomes $key, $one, 'a login is in the directory' if $try == 1;
        $client->quit;
        HyperDerp::Test::wait_for(sub { directory($one)->{keys} == 0 });
        $nats->write("\$KV.derp_keys.$key", name($two) . " $instance " . int(1000 * time + 3_600_000));
        $client = $one->client(secret => '38' x 32);
        last if HyperDerp::Test::wait_for(sub { whose($key) eq name($one) }, 5);
    }
    becomes $key, $one, 'who comes from a relay whose clock is an hour ahead is found here';
    $_->finish for $one, $two;
};

subtest 'a relay is away' => sub {
    my ($line, $one, $two) = two_relays();
    my ($secret, $other) = ('33' x 32, '34' x 32);
    $line->cut;
    is_state $one, 'away', 'the first relay has lost the directory';
    my ($first, $last) = ($one->client(secret => $secret), $two->client(secret => $other));
    my $then = $two->client(secret => $secret);
    becomes $_->key, $two, 'two keys log in at the other one' for $then, $last;
    my $back = $one->client(secret => $other);
    $line->mend;
    is_state $one, 'connected', 'the first one is back';
    has_elsewhere $one, 1, 'a key has moved on meanwhile';
    is whose($then->key), name($two), '... it is the other relay\'s';
    becomes $back->key, $one, 'one has come last to the first';
    $then->quit;
    becomes $first->key, $one, 'who leaves the other one is still at the first';
    has_elsewhere $one, 0, '... which knows';
    $_->finish for $one, $two;
};

subtest 'what others do to an entry' => sub {
    my ($line, $one, $two) = two_relays();
    my $client = $one->client;
    my $subject = '$KV.derp_keys.' . $client->key;
    becomes $client->key, $one, 'a login is in the directory';
    my ($instance) = $nats->entry('derp_leases', 'localhost=' . $two->port) =~ /"instance":"(\w+)"/;
    ok $instance, 'the lease of another relay';
    my $later = int(1000 * time) + 3_600_000;

    $nats->delete_entry('derp_keys', $client->key);
    becomes $client->key, $one, 'an entry that somebody deletes is made good';
    $nats->write($subject, name($two) . " $instance 1000");
    becomes $client->key, $one, '... and one of an older login';
    $nats->write($subject, name($two) . " $instance");
    becomes $client->key, $one, '... and one without a time';
    $nats->write($subject, name($two) . " 0123456789abcdef $later");
    becomes $client->key, $one, '... and of a relay that is dead';
    $nats->write($subject, "evil.example.com $instance $later");
    becomes $client->key, $one, '... and of one that nobody may dial';
    $nats->write($subject, "\x01\xff");
    becomes $client->key, $one, '... and what is no entry';
    my $same = (split ' ', $nats->entry('derp_keys', $client->key))[2];
    $nats->write($subject, name($two) . " $instance $same");
    if (name($two) gt name($one)) {
        has_elsewhere $one, 1, 'of two logins of the same time that of the later name stays';
        $nats->delete_entry('derp_keys', $client->key);
    }
    becomes $client->key, $one, 'of two logins of the same time one stays';
    $nats->write($subject, name($two) . " $instance $later");
    has_elsewhere $one, 1, 'that of a later login at a relay that lives, stays';
    is whose($client->key), name($two), '... there';
    my $again = $one->client(secret => '35' x 32);
    becomes $again->key, $one, 'others are published meanwhile';
    $_->finish for $one, $two;
};

# How large an entry may be; -1: as large as it likes.
sub entries_may_have ($bytes) {
    my $conf = '{"name":"KV_derp_keys","subjects":["$KV.derp_keys.>"],"max_msgs_per_subject":1,"max_age":86400000000000,'
        . '"retention":"limits","storage":"file","num_replicas":1,"discard":"new","allow_rollup_hdrs":true,'
        . qq("deny_delete":true,"allow_direct":true,"max_msg_size":$bytes});
    my $n = length $conf;
    return like $nats->ask("SUB x 1\r\nPUB \$JS.API.STREAM.UPDATE.KV_derp_keys x $n\r\n$conf\r\n", qr/stream_update_response/),
        qr/"max_msg_size":$bytes\b/, "entries may have $bytes bytes";
}

subtest 'the server says nothing, or no' => sub {
    my ($line, $one, $two) = two_relays();
    $line->hold;
    my @client = map { $one->client } 1 .. 4;
    ok $one->log_like(qr/mesh_nats: the server has not answered/), 'writes have no answer';
    $line->go;
    has_published $one, 4, 'they are done when it answers';
    is scalar(() = $one->log_text =~ /a key is not published: no answer/g), 0, '... and the log has none of each';

    my $key = $client[0]->key;
    entries_may_have(8);
    $client[0]->quit;
    ok $one->log_like(qr/mesh_nats: a key is not deleted: \S/), 'one that leaves cannot be deleted';
    is whose($key), name($one), '... so it is there still';
    entries_may_have(-1);
    becomes $key, undef, '... and is deleted later';
    has_published $one, 3, '... and forgotten';
    $_->finish for $one, $two;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-nats.t - relays that find each other's keys in a directory.
use v5.36;
use Test::More;
use Time::HiRes qw(time);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Directory qw(arrives begin configure directory goes has_published is_state links relay);
use HyperDerp::Line;
use HyperDerp::Live qw(ctl);
use HyperDerp::Nats;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);

my $lacks = HyperDerp::Nats::lacks();
plan skip_all => $lacks if $lacks;

# A machine that is busy may take longer than packets wait: then another key.
sub waits ($from, $relay) {
    for my $try (1 .. 10) {
        my $n = directory($relay)->{published};
        my $to = $relay->client;
        HyperDerp::Test::wait_for(sub { directory($relay)->{published} > $n });
        $from->send($to->key, "try $try");
        return 1 if $to->expect(qr/^packet /, 5);
    }
    return 0;
}

subtest 'two relays' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url) } 1 .. 2;
    begin($one, $two);
    my ($alice, $bob) = ($one->client, $two->client);
    has_published $one, 1, 'a login is in the directory';
    has_published $two, 1, '... and that of the other one';
    is_deeply [links($one)], [], 'no link yet';
    arrives $alice, $bob, 'hello', 'a packet goes to where its key is found';
    arrives $bob, $alice, 'and you', '... and one comes back';
    my ($l) = links($one);
    is "$l->{member} $l->{state} $l->{source} $l->{keys}", 'localhost:' . $two->port . ' up demand 1',
        'a link was made for it' or diag explain $l;
    goes $alice, $bob, 'again', 'it stays';
    is scalar(links($one)), 1, '... one';
    is directory($one)->{relays}[0]{state}, 'alive', 'the other relay has its lease' or diag explain directory($one);

    # who moves is found again
    my $secret = '42' x 32;
    my $carol = $two->client(secret => $secret);
    has_published $two, 2, 'one more';
    arrives $alice, $carol, 'there', 'it is found';
    $carol->quit;
    has_published $two, 1, 'a logout is in the directory';
    $carol = $one->client(secret => $secret);
    goes $alice, $carol, 'here', 'it has come here';
    $carol->quit;
    has_published $one, 1, '... and left';
    $carol = $two->client(secret => $secret);
    has_published $two, 2, '... and is there again';
    arrives $alice, $carol, 'there again', 'it is found again';
    ok waits($alice, $two), 'the first packet waits until it is found out where it goes';
    $_->finish for $one, $two;
};

subtest 'another process takes over' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url, workers => $_) } 2, 1;
    begin($one, $two);
    my ($alice, $bob) = ($one->client, $two->client);
    # who cannot move: TLS 1.2 has records that only OpenSSL knows
    my $carol = $one->client(tls12 => 1);
    has_published $one, 2, 'two logins are in the directory';
    arrives $bob, $alice, 'before', 'one is found';
    my $instance = sub { (grep { $_->{relay} =~ /:@{[$one->port]}$/ } @{ directory($two)->{relays} })[0] };
    is $instance->()->{state}, 'alive', 'the lease is known';
    # nothing but what was handed over can say that her key is to be deleted: NATS is
    # away while the old process ends
    $nats->stop;
    is_state $_, 'away', 'the directory is away' for $one, $two;
    my $said = upgrade($one, '--close-rest');
    is $said->{closed_clients}, 1, 'one cannot move' or diag explain $said;
    ok $carol->closed_within(30), '... and is to come back';
    $nats->run;
    is_state $_, 'connected', 'it is back' for $one, $two;
    has_published $one, 1, 'who has moved is in the directory, the other one is not' or diag explain directory($one);
    arrives $bob, $alice, 'after', 'it is found';
    my $nobody = sub { $two->ctl('metrics') =~ /mesh_nats_answers_total\s+result="nobody"\s+(\d+)/ ? $1 : 0 };
    my $was = $nobody->();
    $bob->send($carol->key, 'gone');
    ok HyperDerp::Test::wait_for(sub { $nobody->() > $was }), '... and the other one is nobody\'s' or diag $two->ctl('metrics');
    arrives $alice, $bob, 'and back', '... and finds';
    my $again = $one->client;
    has_published $one, 2, 'a new login';
    arrives $bob, $again, 'new', '... is found';
    $said = upgrade($one);
    is $said->{closed_clients}, 0, 'once more, while the directory is there';
    cmp_ok $said->{ahead}, '>=', 1, '... and who says nothing moves before the workers stand';
    has_published $one, 2, 'all are in the directory';
    arrives $bob, $_, 'at last', 'and are found' for $alice, $again;
    $_->finish for $one, $two;
};

subtest 'NATS is away' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url) } 1 .. 2;
    begin($one, $two);
    my ($alice, $bob) = ($one->client, $two->client);
    has_published $two, 1, 'a login is in the directory';
    arrives $alice, $bob, 'hello', 'a packet crosses';
    $nats->stop('KILL');
    is_state $_, 'away', 'the loss is known' for $one, $two;
    ok $one->log_like(qr/warn mesh_nats: /), '... and said';
    goes $alice, $bob, 'still', 'what is known goes on';
    my $carol = $two->client;
    $alice->send($carol->key, 'nobody knows');
    ok HyperDerp::Test::wait_for(sub { directory($two)->{keys} == 2 }), 'somebody new comes';
    is directory($two)->{published}, 1, '... who is not published';
    $nats->run;
    is_state $_, 'connected', 'it is back' for $one, $two;
    has_published $two, 2, '... and has the new one';
    arrives $alice, $carol, 'now', '... who is found';
    goes $alice, $bob, 'and still', 'what was known goes on';

    # all that it had is lost
    my $puts = directory($two)->{puts};
    $nats->stop;
    is_state $two, 'away', 'it is away again';
    system 'rm', '-rf', "$nats->{dir}/store";
    $nats->run;
    ok HyperDerp::Test::wait_for(sub { directory($two)->{puts} >= $puts + 2 }, 60), 'an empty one is filled again';
    has_published $two, 2, '... with all';
    my $dave = $two->client;
    has_published $two, 3, 'one more';
    arrives $alice, $dave, 'found', '... is found';
    $_->finish for $one, $two;
};

# Does the relay have a way to this client elsewhere?
sub has_way ($hd, $client) { return scalar @{ ctl($hd, qw(mesh peers), $client->key)->{data} } }

# Packets for 3 s. Returns how many are lost, and the longest time without one
# since $last: when a machine stalls that long, it is as if nobody had sent.
sub still ($from, $to, $last = time) {
    my ($start, $lost, $gap) = (time, 0, 0);
    while (time - $start < 3) {
        $from->send($to->key, 'still');
        my $now = time;
        $gap = $now - $last if $now - $last > $gap;
        $last = $now;
        $lost++ unless $to->expect(qr/^packet \S+ \S+ @{[unpack 'H*', 'still']}/);
    }
    return ($lost, $gap);
}

# In short: a minute of the region's life.
subtest 'what is known, and has not gone' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url) } 1 .. 2;
    configure($_, $nats->url, cache_time => '1s', idle_max => '1s') for $one, $two;
    begin($one, $two);
    my ($alice, $bob) = ($one->client, $two->client);
    has_published $two, 1, 'a login is in the directory';
    arrives $alice, $bob, 'hello', 'a packet crosses';
    arrives $bob, $alice, 'and you', '... and one comes back';
    my ($lost, $gap) = still($alice, $bob);
    is $lost, 0, 'what is used stays, longer than cache_time';
    ok HyperDerp::Test::wait_for(sub { !has_way($one, $bob) && !links($one) }), 'what is not used is forgotten, and its link closes';
    ok $alice->silent, '... and nobody is told that somebody has gone';
    arrives $alice, $bob, 'again', 'it is found again';
    arrives $bob, $alice, 'and I', '... both ways';

    my $last = time;
    $nats->stop('KILL');
    is_state $one, 'away', 'NATS is away';
    ($lost, $gap) = still($alice, $bob, $last);
    SKIP: {
        skip sprintf('nothing was sent for %.1f s', $gap), 2 if $lost && $gap > 0.5;
        is $lost, 0, '... what is known goes on, longer than cache_time' or diag explain directory($one), links($one);
        ok $alice->silent, '... and nobody is told that somebody has gone';
    }
    $nats->run;
    is_state $_, 'connected', 'it is back' for $one, $two;
    $bob->quit;
    has_published $two, 0, 'who leaves is deleted';
    $_->finish for $one, $two;
};

# A write is held back, so that it is given up, and goes on. Returns whether what was
# put late is deleted; undef: that took so long that the connection ended.
sub late_put ($line, $nats, $hd) {
    my $before = directory($hd);
    my $given_up = sub { scalar(() = $hd->log_text =~ /has not answered for/g) };
    my $was = $given_up->();
    $line->hold;
    my $client = $hd->client;
    HyperDerp::Test::wait_for(sub { $line->is_holding && $given_up->() > $was }, 8);
    $client->quit;
    HyperDerp::Test::wait_for(sub { directory($hd)->{keys} == 0 }, 8);
    $line->go;
    my $d;
    HyperDerp::Test::wait_for(sub {
        $d = directory($hd);
        $d->{connects} > $before->{connects} || ($d->{deletes} > $before->{deletes} && $d->{asked} == 0);
    });
    return if $d->{connects} > $before->{connects};
    return $nats->entry('derp_keys', $client->key) eq '';
}

subtest 'a put is done late' => sub {
    my $nats = HyperDerp::Nats->start;
    my $line = HyperDerp::Line->new($nats->{port}, qr/^HPUB \$KV\.derp_keys\./m);
    my $one = relay($line->url);
    begin($one);
    has_published $one, 0, 'it is connected';
    my $deleted;
    for (1 .. 5) {
        $deleted //= late_put($line, $nats, $one);
        is_state $one, 'connected', 'it goes on' unless defined $deleted;
    }
    ok $deleted, 'what was put late is deleted' or diag explain directory($one), $one->log_text;
    $one->finish;
};

subtest 'a relay dies' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two) = map { relay($nats->url) } 1 .. 2;
    begin($one, $two);
    my $secret = '17' x 32;
    my ($alice, $bob) = ($one->client, $two->client(secret => $secret));
    has_published $two, 1, 'a login is in the directory';
    arrives $alice, $bob, 'hello', 'a packet crosses';
    my $lease = sub { directory($one)->{relays}[0]{state} // '' };
    is $lease->(), 'alive', 'the lease counts';
    my $killed = time;
    $two->signal('KILL');
    ok defined $two->wait_exit, 'the relay is killed';
    ok HyperDerp::Test::wait_for(sub { $lease->() eq 'no lease' }, 60), 'its lease ends, and with it all its keys';
    cmp_ok time - $killed, '<=', 15, '... within 15 s';
    $bob->quit;

    # another one has the key by now: it counts, the old entry does not
    my $there = $one->client(secret => $secret);
    goes $alice, $there, 'here', 'the key has come here';
    $there->quit;
    $two->{log} .= '.2';
    $two->ports_free;
    begin($two);
    is_state $two, 'connected', 'the dead one is back';
    $bob = $two->client(secret => $secret);
    has_published $two, 1, '... and so is its client';
    arrives $alice, $bob, 'again', '... who is found';
    $_->finish for $one, $two;
};

subtest 'three relays, two kinds, and lies' => sub {
    my $nats = HyperDerp::Nats->start;
    my ($one, $two, $three) = map { relay($nats->url) } 1 .. 3;
    # the first two mesh in full as well
    configure($one, $nats->url, members => '"localhost:' . $two->port . '"');
    configure($two, $nats->url, members => '"localhost:' . $one->port . '"');
    begin($one, $two, $three);
    my @client = map { $_->client } $one, $two, $three;
    has_published $_, 1, 'a login is in the directory' for $one, $two, $three;
    ok HyperDerp::Test::wait_for(sub { grep { $_->{state} eq 'up' && $_->{keys} == 1 } links($one) }), 'the full link is up';
    for my $i (0 .. 2) {
        arrives $client[$i], $client[$_], "from $i to $_", "from $i to $_" for grep { $_ != $i } 0 .. 2;
    }
    my %source = map { $_->{member} => $_->{source} } links($one);
    is_deeply \%source, { 'localhost:' . $two->port => 'configuration', 'localhost:' . $three->port => 'demand' },
        'a link of each kind' or diag explain \%source;

    # a full link has the keys that the other relay tells, whatever the directory says
    my ($lease) = $nats->entry('derp_leases', 'localhost=' . $two->port) =~ /"instance":"(\w+)"/;
    ok $lease, 'the lease of the second relay' or diag explain directory($two);
    my $never = 'ef' x 32;
    $nats->write("\$KV.derp_keys.$never", 'localhost:' . $two->port . " $lease");
    my $unknown = sub { ctl($one, 'status')->{data}{drops}{unknown_dest} // 0 };
    my $before = $unknown->();
    $client[0]->send($never, 'x');
    ok HyperDerp::Test::wait_for(sub { $unknown->() > $before }), 'what goes there has no way';
    is_deeply [grep { $_->{key} =~ $never } @{ ctl($one, qw(mesh peers))->{data} }], [], '... none is left';

    my $nobody = 'ab' x 32;
    ok $nats->write("\$KV.derp_keys.$nobody", 'evil.example.com 0123456789abcdef'), 'somebody writes a lie';
    $client[0]->send($nobody, 'x');
    ok $one->log_like(qr/names the relay evil\.example\.com, which is not one of mesh_nats\.relays/),
        '... which is not followed' or diag $one->log_text;
    # a relay of the region by name, with a certificate that nobody trusts
    my $liar = HyperDerp::Test->start(load_module => ['derp']);
    my $name = 'localhost:' . $liar->port;
    $nats->write('$KV.derp_leases.' . $name =~ tr/:/=/r,
        qq({"name":"$name","dial":"127.0.0.1","instance":"0123456789abcdef","proto":1}));
    my $lie = 'cd' x 32;
    $nats->write("\$KV.derp_keys.$lie", "$name 0123456789abcdef");
    $client[0]->send($lie, 'x');
    ok $one->log_like(qr/no link: member=\Q$name\E reason=".*certificate/), 'an address is not enough'
        or diag $one->log_text;
    $_->finish for $one, $two, $three, $liar;
};

done_testing;

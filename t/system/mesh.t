#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh.t - several relays as one region: packets go from each to each,
# and what is wrong with a link is said and does no harm.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use JSON::PP ();

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';

# A relay that is not started yet: its ports are known.
sub relay (%o) {
    my $hd = HyperDerp::Test->new(load_module => [qw(derp mesh)], %o);
    HyperDerp::Test::spew($hd->dir . '/mesh.key', ($o{mesh_key} // $mesh_key) . "\n");
    return $hd;
}

# Its members, as text of the configuration. On a machine that stalls no link is
# taken for a silent one, unless a test wants that.
sub members ($hd, @members) {
    local $" = ', ';
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  members: [@members]\n"
        . ($hd->{more} // "  silence_max: 2m\n");
    $hd->write_conf;
    return $hd;
}

sub by_tls ($to)   { return qq({name: "localhost:@{[$to->port]}", ca_file: @{[$to->dir]}/relay.crt}) }
sub by_plain ($to) { return qq({name: "127.0.0.1:$to->{plain}", tls: false}) }

sub begin (@hd) {
    for my $hd (@hd) {
        $hd->run;
        $hd->ready or die "the daemon does not start: " . $hd->log_text;
    }
    return;
}

sub links ($hd) { return @{ ctl($hd, qw(mesh status))->{data} } }

# The one link of a relay, or the one to a port.
sub link_of ($hd, $port = '') {
    my ($l) = grep { $_->{member} =~ /\Q$port\E$/ } links($hd);
    return $l // {};
}

# Until a link has this state, and reaches so many keys.
sub is_up ($hd, $keys, $name, $port = '') {
    my $l;
    return ok(HyperDerp::Test::wait_for(sub {
        $l = link_of($hd, $port);
        ($l->{state} // '') eq 'up' && $l->{keys} == $keys;
    }), $name) || diag explain $l, $hd->log_text;
}

sub goes ($from, $to, $text, $name) {
    $from->send($to->key, $text);
    return is $to->packet, $text, $name;
}

subtest 'two relays' => sub {
    # the kernel takes little, and nothing goes from worker to worker
    my $more = "  silence_max: 2m\nsockbuf: 64KiB\n";
    my ($one, $two) = map { relay(more => $more, workers => 1) } 1 .. 2;
    members($one, by_tls($two));
    members($two, by_tls($one));
    begin($one, $two);
    my ($alice, $bob) = ($one->client, $two->client);
    is_up $one, 1, 'the first knows who is at the second';
    is_up $two, 1, '... and the other way round';
    goes $alice, $bob, 'hello', 'a packet crosses';
    goes $bob, $alice, 'and you', '... and one comes back';
    my $l = link_of($one);
    is "$l->{packets} $l->{bytes} $l->{tls}", '1 5 1', 'the link counts' or diag explain $l;
    like $l->{key}, qr/^[0-9a-f]{64}$/, '... and knows whom it leads to';
    my ($other) = $two->log_text =~ /relay key ([0-9a-f]{64})/;
    is $l->{key}, $other, '... the other relay';
    $two->signal('STOP');
    $alice->fill($bob->key, 1400, 1500);
    ok HyperDerp::Test::wait_for(sub { link_of($one)->{packets} == 1501 }), 'the link takes 2 MB at once';
    is link_of($one)->{drops}, 0, '... and drops none, since it is for many';
    $two->signal('CONT');
    ok HyperDerp::Test::wait_for(sub { link_of($one)->{queued} == 0 }), '... until the other end reads again';
    $alice->send($bob->key, 'last');
    ok $bob->expect(qr/^packet \S+ \S+ @{[unpack 'H*', 'last']}/), '... all of it';
    my ($way) = @{ ctl($one, qw(mesh peers), substr $bob->key, 0, 8)->{data} };
    is_deeply $way, { key => $bob->key, member => 'localhost:' . $two->port, realm => '', preferred => JSON::PP::true },
        'mesh peers shows the way to a key' or diag explain $way;
    is_deeply ctl($one, qw(mesh peers 00000000))->{data}, [], '... and none to one that nobody has';
    $bob->quit;
    is_up $one, 0, 'who leaves there is not known any more';
    ok $alice->expect(qr/^gone \Q@{[$bob->key]}\E/), '... and who heard from him is told';
    $_->finish for $one, $two;
};

# A log line that says why there is no link.
sub complains ($hd, $re, $name) {
    return ok($hd->log_like(qr/ (?:no link|link lost): member=\S+ reason="[^"]*$re/), $name) || diag $hd->log_text;
}

subtest 'three relays' => sub {
    my @hd = map { relay(no_tls => 1) } 1 .. 3;
    for my $hd (@hd) {
        # itself, too: derper's own -mesh-with is often the same on all
        members($hd, map { by_plain($_) } @hd);
    }
    begin(@hd);
    my @client = map { $_->client } @hd;
    for my $i (0 .. 2) {
        my $self = $hd[$i]{plain};
        is_up $hd[$i], 1, "relay $i knows who is at relay $_", $hd[$_]{plain} for grep { $_ != $i } 0 .. 2;
        ok HyperDerp::Test::wait_for(sub { (link_of($hd[$i], $self)->{state} // '') eq 'self' }), '... and itself';
        ok $hd[$i]->log_like(qr/member 127\.0\.0\.1:$self is this relay itself/), '... which it says once';
    }
    for my $i (0 .. 2) {
        goes $client[$i], $client[$_], "from $i to $_", "from $i to $_" for grep { $_ != $i } 0 .. 2;
    }

    my $old = $hd[1];
    $old->signal('KILL');
    ok defined $old->wait_exit, 'one is killed';
    ok $client[0]->expect(qr/^gone \Q@{[$client[1]->key]}\E/), 'who heard from a client there is told';
    ok $hd[0]->log_like(qr/link lost: member=\S+:$old->{plain} reason="./), 'the loss of the link is said';
    goes $client[0], $client[2], 'go on', '... and the other links carry on';
    $old->{log} .= '.2';
    $old->ports_free;
    begin($old);
    $client[1]->quit;
    $client[1] = $old->client;
    is_up $hd[$_], 1, "relay $_ is back at the one that was started again", $old->{plain} for 0, 2;
    is_up $old, 1, '... and it at relay ' . $_, $hd[$_]{plain} for 0, 2;
    goes $client[0], $client[1], 'again', 'packets go there';
    goes $client[1], $client[2], 'again', '... and from there';
    $_->finish for @hd;
};

# The local one wins, wherever the key came first.
subtest 'a key at both' => sub {
    my ($one, $two) = (relay(no_tls => 1), relay(no_tls => 1));
    members($one, by_plain($two));
    members($two);
    begin($one, $two);
    my $secret = '42' x 32;
    my ($alice, $there) = ($one->client, $two->client(secret => $secret));
    is_up $one, 1, 'it is known to be there';
    goes $alice, $there, 'far', 'a packet goes there';
    my $here = $one->client(secret => $secret);
    goes $alice, $here, 'near', 'now it is here, too';
    $here->quit;
    ok HyperDerp::Test::wait_for(sub { @{ ctl($one, 'peers')->{data} } == 1 }), 'it leaves';
    goes $alice, $there, 'far again', '... and the packet goes there again';
    $_->finish for $one, $two;
};

subtest 'what is wrong' => sub {
    my $right = relay;
    members($right);
    begin($right);
    my $web = HyperDerp::Test->start(no_tls => 1, load_module => ['stun']);
    my $silent = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
    my $port = $right->port;
    my %case = (
        'another mesh key' => [by_tls($right), qr/its mesh key is not that of derp\.mesh_key here/, 'f' x 64],
        'another CA' => [qq({name: "localhost:$port", ca_file: OWN}), qr/certificate is not trusted/],
        'another name' => [qq({name: "name.invalid:$port", dial: 127.0.0.1, ca_file: @{[$right->dir]}/relay.crt}),
            qr/not for the name name\.invalid/],
        'another pin' => [qq({name: "localhost:$port", pin: "sha256-raw:@{['0' x 64]}"}), qr/not the pinned one/],
        'no DERP' => [by_plain($web), qr/HTTP status 404/],
        'one that says nothing' => [qq({name: "127.0.0.1:@{[$silent->sockport]}", tls: false}), qr/says nothing that/],
        'no HTTP' => [qq({name: "127.0.0.1:$port", tls: false}), qr/does not speak HTTP|HTTP status 400/],
        'nobody' => [qq({name: "127.0.0.1:@{[HyperDerp::Test::free_port()]}", tls: false}), qr/Connection refused/],
    );
    for my $name (sort keys %case) {
        my ($member, $re, $key) = @{ $case{$name} };
        my $hd = relay(no_tls => 1, $key ? (mesh_key => $key) : ());
        my ($own) = HyperDerp::Test::certificate($hd->dir, 'own');
        $hd->{more} = "  silence_max: 1s\n  ping_interval: 100ms\n" if $name =~ /says nothing/;
        members($hd, $member =~ s/OWN/$own/r);
        begin($hd);
        complains $hd, $re, "$name is said";
        my $l;
        ok HyperDerp::Test::wait_for(sub { ($l = link_of($hd))->{error} =~ $re }), '... and shown';
        isnt $l->{state}, 'up', '... and there is no link';
        $hd->finish;
    }
    $_->finish for $right, $web;
};

# One was copied with its key: neither dials the other again, and each serves its
# own clients.
subtest 'two relays with one key' => sub {
    my ($one, $two) = (relay(no_tls => 1), relay(no_tls => 1));
    members($one, by_plain($two));
    members($two, by_plain($one));
    begin($one);
    system('cp', $one->dir . '/derp.key', $two->dir . '/derp.key') == 0 or die;
    begin($two);
    for my $hd ($one, $two) {
        ok HyperDerp::Test::wait_for(sub { (link_of($hd)->{state} // '') eq 'self' }), 'the link is none' or diag $hd->log_text;
        ok $hd->log_like(qr/member 127\.0\.0\.1:\d+ is this relay itself, or another one/), '... which is said, and why';
        my ($alice, $bob) = map { $hd->client } 1 .. 2;
        goes $alice, $bob, 'here', '... and clients here are served';
    }
    $_->finish for $one, $two;
};

# A relay that is stopped answers nothing, and its kernel keeps the connection.
subtest 'silence, and another configuration' => sub {
    my ($one, $two, $three) = map { relay(no_tls => 1, more => "  silence_max: 1s\n  ping_interval: 100ms\n") } 1 .. 3;
    members($one, by_plain($two));
    members($_) for $two, $three;
    begin($one, $two, $three);
    my ($alice, $bob) = ($one->client, $two->client);
    is_up $one, 1, 'a link';
    $two->signal('STOP');
    complains $one, qr/it has said nothing for \d+ ms/, 'one that says nothing any more is given up';
    ok HyperDerp::Test::wait_for(sub { link_of($one)->{keys} == 0 }), '... and who was there';
    $two->signal('CONT');
    delete $one->{more};
    members($one, by_plain($two));
    is $one->ctl('reload'), "ok\n", '(from now on it has patience)';
    is_up $one, 1, '... until it is back';
    goes $alice, $bob, 'hello', '... and packets go there';

    my $ups = sub ($to, $what = 'up') { return scalar(() = $one->log_text =~ /link $what: member=\S+:$to->{plain} /g) };
    # the last one is in the log, too
    HyperDerp::Test::wait_for(sub { $ups->($two) > $ups->($two, 'lost') });
    my $before = $ups->($two);
    members($one, by_plain($two), by_plain($three));
    is $one->ctl('reload'), "ok\n", 'one more member';
    is_up $one, 0, '... is dialled', $three->{plain};
    members($one, by_plain($two));
    is $one->ctl('reload'), "ok\n", 'one less';
    is scalar(links($one)), 1, '... is no link any more';
    is $ups->($two), $before, '... and the one that has not changed stays';
    goes $alice, $bob, 'still here', '... and carries on';
    members($one, '"localhost:99999"');
    like $one->ctl('reload'), qr{hd\.yaml:\d+: mesh\.members: .*1 to 65535}, 'what is no member is refused';

    members($one, by_plain($two));
    my $name = "127.0.0.1:$three->{plain}";
    is $one->ctl(qw(mesh add), $name, '--plain'), "ok\n", 'an operator adds one';
    is_up $one, 0, '... which is dialled', $name;
    like $one->ctl(qw(mesh add), $name, '--plain'), qr/is a member already/, '... once';
    like $one->ctl(qw(mesh add), 'a:b'), qr/1 to 65535/, 'a wrong name is refused';
    is $one->ctl('reload'), "ok\n", 'a reload';
    is scalar(links($one)), 2, '... keeps it';
    is $one->ctl(qw(mesh remove), $name), "ok\n", 'it is removed';
    is scalar(links($one)), 1, '... and gone';
    like $one->ctl(qw(mesh remove), $name), qr/there is no member/, '... once';
    is $ups->($two), $before, 'the other link stays all the time';

    my $r = ctl($one, qw(module reload mesh));
    SKIP: {
        skip 'it is built in', 2 if !$r->{ok} && $r->{error}{message} =~ /built in/;
        ok $r->{ok}, 'new code' or diag explain $r;
        is $ups->($two), $before, '... has the same links';
    }
    goes $alice, $bob, 'and still here', '... and packets go on';
    $r = ctl($one, qw(module unload mesh));
    SKIP: {
        skip 'it is built in', 2 if !$r->{ok} && $r->{error}{message} =~ /built in/;
        ok $r->{ok}, 'unloaded' or diag explain $r;
        ok HyperDerp::Test::wait_for(sub { @{ ctl($two, 'peers')->{data} } == 1 }), '... its connections have gone';
    }
    $_->finish for $one, $two, $three;
};

# Members that do not stand in the configuration.
subtest 'a file, and DNS' => sub {
    my ($one, $two, $three) = (relay, relay(no_tls => 1), relay);
    my $file = HyperDerp::Test::spew($one->dir . '/members', "none\n");
    $one->{more} = "  silence_max: 2m\n  members_file: $file\n  ca_file: @{[$three->dir]}/relay.crt\n";
    members($one);
    members($_) for $two, $three;
    begin($one, $two, $three);
    my ($alice, $bob) = ($one->client, $two->client);
    is_deeply [links($one)], [], 'a file that says none has no members';
    my $write = sub ($text) {
        HyperDerp::Test::spew("$file.new", $text);
        return rename "$file.new", $file;
    };
    $write->("127.0.0.1:$two->{plain} tls=false\n");
    is_up $one, 1, 'a line that comes is dialled';
    is link_of($one)->{source}, 'file', '... since the file says so';
    goes $alice, $bob, 'hello', '... and packets go there';
    $write->("127.0.0.1:$two->{plain} tls=false\nwhat is that\n");
    ok $one->log_like(qr{members cannot be taken, the old ones stay: \S+/members:2: `is` is not known}),
        'a wrong line is said';
    is link_of($one)->{state}, 'up', '... and changes nothing';
    like $one->ctl('reload'), qr{mesh\.members_file: .*members:2}, '... but a reload is refused';
    $write->('');
    ok $one->log_like(qr{the old ones stay: \S+/members:1: there is no member in it; a line `none` says}),
        'an empty file is said';
    $write->("# so it begins\nlocalhost:12");
    ok $one->log_like(qr{the old ones stay: \S+/members:2: it ends within this line}), '... and one that is cut off';
    goes $alice, $bob, 'still', '... and nothing is cut by them';
    $write->("none\n");
    ok HyperDerp::Test::wait_for(sub { !links($one) }), 'but one that says none ends the links';
    $write->("127.0.0.1:$two->{plain} tls=false\n");
    is_up $one, 1, '... until there is a member again';
    $write->("localhost:@{[$three->port]}\n");
    is_up $one, 0, 'another member, by the CAs for all', $three->port;
    is scalar(links($one)), 1, '... in place of the old one';

    $one->{more} = "  silence_max: 2m\n  members_dns: localhost:@{[$three->port]}\n  ca_file: @{[$three->dir]}/relay.crt\n";
    members($one);
    is $one->ctl('reload'), "ok\n", 'a name in DNS instead';
    is_up $one, 0, '... whose address is dialled', '127.0.0.1:' . $three->port;
    is link_of($one, '127.0.0.1:' . $three->port)->{source}, 'dns', '... since DNS says so';
    ok HyperDerp::Test::wait_for(sub { !grep { $_->{source} eq 'file' } links($one) }), '... and those of the file are gone';
    $_->finish for $one, $two, $three;
};

done_testing;

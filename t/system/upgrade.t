# SPDX-License-Identifier: MIT
# t/system/upgrade.t - hdctl upgrade: another process takes over every connection.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade fake upgrade try_upgrade);
use IO::Select;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw(SOCK_DGRAM);
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

sub reach ($from, $to, $what) {
    $from->send($to->key, $what);
    return is $to->packet, $what, $what;
}

sub number ($hd, $name) {
    my $n = 0;
    $n += $_->{value} for grep { $_->{name} eq $name } @{ ctl($hd, 'metrics')->{data} };
    return $n;
}

subtest 'plain, one worker' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1,
        conf => "max_connections_per_address: 3\n");
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    reach($alice, $bob, 'before');
    my @names = map { "hyper_derp_$_" } qw(logins_total recv_packets_total login_seconds derp_upgrades_total);
    my @was = map { number($hd, $_) } @names;
    is_deeply [grep { $_ > 0 } @was], \@was, 'they are counted' or diag "@was";
    my $said = upgrade($hd);
    is $said->{moved}, 2, 'both have moved';
    cmp_ok $said->{ahead}, '>=', 1, 'while the old one served';
    is_deeply [map { number($hd, $_) } @names], \@was, 'counters and histograms go on';
    is number($hd, 'hyper_derp_peers_active'), 2, 'who is here is counted anew';
    reach($alice, $bob, 'after');
    reach($bob, $alice, 'back');
    my $carol = $hd->client;
    reach($carol, $bob, 'from a new client');
    ok !eval { $hd->client }, 'a fourth connection of the address: the others count';
    $hd->finish;
};

# What bob gets, in order.
sub numbers ($bob, $n) {
    return join ',', map { my $p = $bob->packet // last; $p } 1 .. $n;
}

subtest 'TLS, two workers, several upgrades' => sub {
    my $hd = HyperDerp::Test->start(workers => 2);
    my @c = map { $hd->client(plain => $_ % 3 == 2) } 0 .. 5;
    my $raw = HyperDerp::Raw->login($hd);
    reach($c[0], $c[$_], "to $_") for 1 .. 5;
    my $fds = sub { scalar(() = glob "/proc/$hd->{pid}/fd/*") };
    my $before = 0;
    for my $round (1 .. 3) {
        my $frame = HyperDerp::Raw::packet_frame($c[1]->key, 'half');
        $raw->write(substr $frame, 0, 20);
        my $sent = join ',', map { "$round-$_" } 1 .. 20;
        $c[2]->send($c[3]->key, "$round-$_") for 1 .. 10;
        my $said = upgrade($hd);
        is $said->{moved}, 7, "round $round: all have moved";
        $c[2]->send($c[3]->key, "$round-$_") for 11 .. 20;
        is numbers($c[3], 20), $sent, 'nothing is lost, doubled or out of order';
        $raw->write(substr $frame, 20);
        is $c[1]->packet, 'half', 'a frame that came in two parts';
        reach($c[$_], $c[($_ + 1) % 6], "$round: $_") for 0 .. 5;
        $before = $fds->() if $round == 2;
    }
    HyperDerp::Test::wait_for(sub { $fds->() <= $before });
    cmp_ok $fds->(), '<=', $before, 'no descriptor is left over';
    my $key = $c[0]->key;
    $c[0]->quit;
    ok $c[1]->expect(qr/^gone $key 0/), 'who has left is told as before';
    $hd->finish;
};

subtest 'what waits for a client that does not read' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, conf => "sockbuf: 64KiB\nwrite_timeout: 10m\n");
    my ($from, @slow) = map { $hd->client(plain => $_ == 2) } 0 .. 2;
    $_->tell('stop') for @slow;
    $from->fill($_->key, 1400, 2000) for @slow;
    $from->silent;
    my $waits = sub { grep { $_->{queued} > 0 } @{ ctl($hd, 'peers')->{data} } };
    ok HyperDerp::Test::wait_for(sub { $waits->() == 2 }), 'it waits in the relay';
    cmp_ok upgrade($hd)->{ahead}, '<=', 1, 'it does not go twice';
    is scalar $waits->(), 2, 'and in the new one';
    $_->tell('go') for @slow;
    for my $c (@slow) {
        $from->send($c->key, 'last');
        my $p;
        do { $p = $c->packet } while defined $p && $p ne 'last';
        is $p, 'last', 'records and frames go on where they were';
    }
    $hd->finish;
};

# Who waits for a share of relay_rate_limit has no time at which it goes on: somebody
# says so. In the new process nobody knew of it.
subtest 'who is not read for a limit of all together goes on' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, conf => "relay_rate_limit: 300000\n");
    my ($alice, $bob) = map { $hd->client(plain => 1) } 1 .. 2;
    $alice->fill($bob->key, 1400, 600);
    ok HyperDerp::Test::wait_for(sub { $hd->ctl('metrics') =~ /hyper_derp_limit_waits_total.*relay\S*\s+[1-9]/ }), 'it waits';
    upgrade($hd);
    $alice->send($bob->key, 'last');
    my $p;
    do { $p = $bob->packet } while defined $p && $p ne 'last';
    is $p, 'last', 'all of it comes';
    $hd->finish;
};

# What the service manager hears, in a file.
sub manager ($dir) {
    my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die "notify: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open my $f, '>>', "$dir/heard" or POSIX::_exit(1);
        while (defined $s->recv(my $text, 4096)) { syswrite $f, "$text\n" }
        POSIX::_exit(0);
    }
    HyperDerp::Children::keep($pid);
    return "$dir/notify";
}

subtest 'another configuration, the service manager, STUN' => sub {
    my $hd = HyperDerp::Test->new(workers => 1);
    $hd->{env}{NOTIFY_SOCKET} = manager($hd->{dir});
    $hd->run->ready or die "no start\n";
    my $heard = sub ($re) { HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines("$hd->{dir}/heard") =~ $re }) };
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    for my $workers (3, 2, 1) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        upgrade($hd);
        ok $heard->(qr/^MAINPID=$hd->{pid}\nBARRIER=1\nREADY=1\n/m), "$workers workers: it is told";
        reach($alice, $bob, 'there');
        reach($bob, $hd->client, 'to a new client') for 1 .. 4;    # whichever worker accepts
        my $u = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{stun}, Proto => 'udp');
        my $answer = '';
        for (1 .. 5) {    # the first may meet the sockets of the process that ends
            $u->send(pack 'nnNa12', 1, 0, 0x2112A442, 'x' x 12);
            IO::Select->new($u)->can_read(2) or next;
            $u->recv($answer, 1500);
            last;
        }
        is unpack('n', $answer), 0x101, 'STUN answers';
    }
    $hd->finish;
};

# Who signals the relay when only the old process is the one to signal. It ends when
# the manager has read BARRIER, which comes behind MAINPID.
subtest 'signals that come while the old one ends are the new one\'s' => sub {
    my $hd = HyperDerp::Test->new(workers => 1, load_module => [qw(derp)]);
    my $path = "$hd->{dir}/notify";
    my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die "notify: $!";
    $hd->{env}{NOTIFY_SOCKET} = $path;
    $hd->run->ready or die "no start\n";
    my $old = $hd->{pid};
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my $then = $old;
        while (defined $s->recv(my $text, 4096)) {
            my ($new) = $text =~ /^MAINPID=(\d+)/ or next;
            kill 'HUP', $then;
            $then = $new;
        }
        POSIX::_exit(0);
    }
    HyperDerp::Children::keep($pid);
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    my $done;
    for (1 .. 4) {    # it waits 2 s for the manager, which may be stalled
        upgrade($hd);
        last if $done = $hd->log_like(qr/taken over: pid=$old.*signal: name=HUP.*configuration reloaded/s, 10);
    }
    ok $done, 'a reload';
    reach($alice, $bob, 'after it');
    $hd->finish;
};

subtest 'a command behind upgrade on the same connection' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, load_module => [qw(derp)]);
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    my $s = HyperDerp::Live::ctl_begin($hd, 'upgrade');
    print {$s} qq({"id":2,"cmd":["reload"]}\n);
    $s->flush;
    my $said = HyperDerp::Live::ctl_end($s);
    ok $said->{ok}, 'the upgrade';
    is $hd->wait_exit, 0, 'the old process does not begin it, and ends';
    $hd->adopt($said->{data}{pid});
    reach($alice, $bob, 'after it');
    $hd->finish;
};

subtest 'a unit that would end with the old process' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, load_module => [qw(derp)],
        wrap => ['sh', '-c', 'SYSTEMD_EXEC_PID=$$ exec "$@"', 'sh']);
    like try_upgrade($hd), qr/no Type=notify/, 'is refused';
    $hd->finish;
};

# Reads until it has come; what a WebSocket's frames carry stands in them as it is.
sub hears ($s, $what) {
    my $got = '';
    while (index($got, $what) < 0) {
        IO::Select->new($s)->can_read(30) && sysread($s, $got, 4096, length $got) or return 0;
    }
    return 1;
}

subtest 'a new binary that fails changes nothing' => sub {
    my $hd = HyperDerp::Test->start(workers => 2);
    my ($alice, $bob) = map { $hd->client(plain => $_ == 1) } 1 .. 2;
    my %says = (
        early => qr/ended with status 3/, hello => qr/ended with status 4/,
        refuses => qr/it does not like it/, garbage => qr/cannot be understood/,
        version => qr/snapshots of version 99/, older => qr/snapshots of version 4,/, state => qr/keeps other state/,
        (map { $_ => qr/the new process has gone/ } qw(prepared snapshot end ready)), cannot => qr/it cannot take them/,
        aheaddies => qr/the new process has gone/, aheadlies => qr/Bad message/, aheadcannot => qr/it cannot take them/,
        refused => qr/refused by the new process/, toomany => qr/Bad message/,
    );
    for my $mode (sort keys %says) {
        my $said = fake($hd, $mode);
        like $said, $says{$mode}, "$mode: hdctl says why";
        reach($alice, $bob, "$mode: there");
        reach($bob, $alice, "$mode: and back");
    }
    like fake($hd, 'older', '--dry-run'), qr/snapshots of version 4,.*restart instead/, 'a dry run says so, too';
    my $web = $hd->socket($hd->{plain});
    print {$web} "GET /robots.txt HTTP/1.1\r\nHost: x\r\n\r\n";
    ok hears($web, "\r\n\r\n"), 'a browser';
    like fake($hd, 'refused'), qr/of 2 clients cannot move \(refused by/, '... is not why clients stay';
    close $web;
    like try_upgrade($hd, '--binary', '/nowhere/hyper-derp'), qr/cannot be started/, 'no such file';
    like try_upgrade($hd, '--binary', '/bin/false'), qr/ended with status 1/, 'no hyper-derp';
    reach($alice, $hd->client, 'to a new client');
    my $said = upgrade($hd);
    is $said->{moved}, 2, 'and then it works';
    reach($alice, $bob, 'after it');
    $hd->finish;
};

# Packets go to the one that spoke last; when it has gone, to the one before.
subtest 'a key with several connections' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, no_tls => 1);
    my ($other, $login) = HyperDerp::Raw::logins($hd, 2);
    my $from = HyperDerp::Raw->login($hd, $other);
    my @c = map { HyperDerp::Raw->login($hd, $login) } 0 .. 2;
    for my $i (2, 0, 1) {
        $c[$i]->send($from->key, "from $i");
        is $from->packet, "from $i", "$i speaks";
    }
    my $there = sub ($i, $when) {
        $from->send($login->{key}, $when);
        is $c[$i]->packet, $when, "$when: to $i";
    };
    $there->(1, 'before');
    like fake($hd, 'cannot'), qr/it cannot take them/, 'it is written down, and taken back';
    $there->(1, 'still');
    upgrade($hd);
    $there->(1, 'after');
    for ([1, 0, 3], [0, 2, 2]) {
        my ($ends, $next, $n) = @$_;
        $c[$ends]->close;
        ok HyperDerp::Test::wait_for(sub { @{ ctl($hd, 'peers')->{data} } == $n }), "$ends has gone";
        $there->($next, "without $ends");
    }
    $hd->finish;
};

# A frame of a browser, whose mask changes nothing.
sub browser_frame ($data) { return pack('CCN', 0x82, 0x80 | length $data, 0) . $data }

subtest 'WebSocket' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, no_tls => 1);
    my ($alice, $bob) = HyperDerp::Raw::logins($hd, 2);
    my $b = HyperDerp::Raw->login($hd, $bob);
    my $s = $hd->socket($hd->{plain});
    print {$s} join "\r\n", 'GET /derp HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: derp', '', '';
    ok hears($s, "\r\n\r\n"), 'it is one';
    print {$s} browser_frame($alice->{info});
    ok HyperDerp::Test::wait_for(sub { grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} } }), 'she logs in';
    for my $round (1 .. 2) {
        my $frame = browser_frame(HyperDerp::Raw::packet_frame($bob->{key}, "halves $round"));
        print {$s} substr $frame, 0, my $half = 45 * $round - 42;    # within its head, and within its payload
        $b->send($alice->{key}, "before $round");
        ok hears($s, "before $round"), 'before';
        my $said = upgrade($hd);
        is "$said->{moved} $said->{closed_clients}", '2 0', "round $round: she moves";
        print {$s} substr $frame, $half;
        is $b->packet, "halves $round", 'a frame that came in two parts';
        $b->send($alice->{key}, "after $round");
        ok hears($s, "after $round"), 'after';
    }
    print {$s} pack('CCNn', 0x88, 0x82, 0, 1000);
    ok hears($s, pack 'CCn', 0x88, 2, 1000), 'her end is answered';
    $hd->finish;
};

subtest 'behind a proxy that names its clients' => sub {
    my $hd = HyperDerp::Test->new(workers => 2, no_tls => 1);
    $hd->{yaml} = $hd->yaml =~ s/^(listen: .*)\}\]$/$1, proxy_protocol: [127.0.0.1]}]/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($alice) = HyperDerp::Raw::logins($hd, 1);
    my $a = HyperDerp::Raw->open($hd);
    $a->write("PROXY TCP4 203.0.113.7 192.0.2.1 4711 443\r\n$alice->{head}$alice->{info}");
    ok $a->admitted, 'she logs in';
    my $about = sub { my ($p) = @{ ctl($hd, 'peers')->{data} }; return join ' ', map { $_ // '-' } @$p{qw(addr proxy)} };
    my $was = $about->();
    like $was, qr/^203\.0\.113\.7:4711 127\.0\.0\.1:/, 'her address, and the proxy\'s';
    is upgrade($hd)->{moved}, 1, 'she moves';
    is $about->(), $was, 'both are as before';
    ok $a->ping, 'and she is there';
    $hd->finish;
};

subtest 'a stop while the new one prepares' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, load_module => [qw(derp)]);
    my $waits = HyperDerp::Test::spew("$hd->{dir}/waits", "#!/bin/sh\nexec sleep 60\n");
    chmod 0755, $waits;
    open my $said, '-|', "$HyperDerp::Test::build/hdctl --socket @{[$hd->control]} upgrade --binary $waits 2>&1"
        or die "hdctl: $!";
    my $child = HyperDerp::Test::wait_for(sub {
        HyperDerp::Test::slurp("/proc/$hd->{pid}/task/$hd->{pid}/children") =~ /(\d+)/ && $1;
    });
    ok $child, 'the new one has been started';
    like try_upgrade($hd), qr/an upgrade is under way/, 'one at a time';
    $hd->finish;
    ok !kill(0, $child), 'it has ended with the old one';
    close $said;
};

subtest 'what cannot move is named, and not cut' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, load_module => [qw(derp stun good)]);
    my $alice = $hd->client;
    like try_upgrade($hd, '--dry-run'), qr/module good cannot hand over/, 'a module';
    $hd->ctl('module', 'unload', 'good');
    my $dry = try_upgrade($hd, '--dry-run');
    is ref $dry, 'HASH', 'without it' or diag $dry;
    is $dry->{moved}, 1, 'one client would move';
    ok !defined $dry->{pid}, 'nothing has been put in our place';
    reach($alice, $hd->client, 'after a dry run');
    @$hd{qw(load_module conf)} = (['derp'], '');
    $hd->write_conf;
    like try_upgrade($hd), qr/module stun is loaded, and the new process does not load it/,
        'a module that only a command has loaded';
    reach($alice, $hd->client, 'nothing has changed');
    $hd->finish;
};

# Records that another layer seals: nobody can write down where it is.
sub is_drained ($hd, $reason, @how) {
    my $alice = $hd->client(plain => 1);
    my $bob = $hd->client(@how);
    my $dry = try_upgrade($hd, '--dry-run');
    is join(', ', map { "$_->{reason}: $_->{connections}" } @{ $dry->{why} }), "$reason: 1", "$reason: is named";
    is "$dry->{moved} $dry->{closed_clients}", '1 1', '... and counted';
    like try_upgrade($hd), qr/1 of 2 clients cannot move \(\Q$reason\E\): nothing has changed/, 'it is not cut';
    reach($alice, $bob, 'nothing has changed');
    my $said = upgrade($hd, '--close-rest');
    is "$said->{moved} $said->{closed_clients}", '1 1', 'with --close-rest the other one moves';
    ok $bob->expect(qr/^restarting /), '... and this one is told';
    ok $bob->closed_within(30), '... and closed';
    reach($alice, $hd->client(@how), 'to a new one');
    return $hd->finish;
}

subtest 'TLS 1.2' => sub { is_drained(HyperDerp::Test->start(workers => 2), 'TLS by OpenSSL', tls12 => 1) };
subtest 'records of OpenSSL' => sub {
    is_drained(HyperDerp::Test->start(workers => 1, conf => "tls: {record_layer: openssl}\n"), 'TLS by OpenSSL');
};

# t/vm/upgrade.t has records of the kernel; upgrade_kept.t those that are kept.
subtest 'to a binary of another version, and back' => sub {
    my $hd = HyperDerp::Test->start(workers => 2, load_module => [qw(derp)]);
    my ($alice, $bob) = map { $hd->client(plain => $_ == 2) } 1 .. 2;
    my $own = readlink "/proc/$hd->{pid}/exe";
    my $bumped = "$HyperDerp::Test::build/t/lib/bumped";
    for my $binary ($bumped, $bumped, $own, $own) {
        my ($name) = $binary =~ m{([^/]+)$};
        is upgrade($hd, '--binary', $binary)->{moved}, 2, "to $name: both move";
        is readlink("/proc/$hd->{pid}/exe"), $binary, '... and it runs';
        reach($alice, $bob, "$name: there");
        reach($bob, $alice, "$name: and back");
    }
    $hd->finish;
};

done_testing;

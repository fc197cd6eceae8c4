#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_rest.t - what else goes over at hdctl upgrade: the trace, WebSockets of
# messages, limits that many share, ports that the kernel chose, keys that only root reads.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use IO::Select;
use JSON::PP ();
use POSIX ();
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

subtest 'the trace' => sub {
    my $hd = HyperDerp::Test->start(workers => 3, no_tls => 1);
    my @logins = HyperDerp::Raw::logins($hd, 12);
    my ($to, @others) = map { HyperDerp::Raw->login($hd, $_) } @logins;
    $to->send($logins[1]{key} =~ tr/0-9a-f/1-9a-f0/r, 'to nobody') for 1 .. 7;
    $to->ping;
    $_->close for @others[5 .. 10];
    # in order of time, which is in milliseconds
    my $json = JSON::PP->new->canonical;
    my $trace = sub { [sort { $a->{time} <=> $b->{time} or $json->encode($a) cmp $json->encode($b) } @{ ctl($hd, 'trace', '--last', '100')->{data} }] };
    my $drops = sub { grep { $_->{what} eq 'drops' } @{ $trace->() } };
    ok HyperDerp::Test::wait_for(sub { grep({ $_->{what} eq 'closed' } @{ $trace->() }) == 6 && $drops->() }), 'logins, ends, drops';
    my $was = $trace->();
    for my $workers (1, 2, 4) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        upgrade($hd);
        is_deeply $trace->(), $was, "$workers workers: the same";
    }
    my $one = HyperDerp::Raw->login($hd);
    is scalar @{ $trace->() }, @$was + 1, 'what happens afterwards is behind it';
    # what was counted as dropped before is not of the first second of the new process
    $to->send($logins[1]{key} =~ tr/0-9a-f/1-9a-f0/r, 'to nobody') for 1 .. 2;
    $to->ping;
    ok HyperDerp::Test::wait_for(sub { $drops->() > 1 }), 'more is dropped';
    is +($drops->())[-1]{packets}, 2, '... as many as were';
    $hd->finish;
};

# A client's frames, with a mask of zeroes.
sub frame ($first, $data) {
    my $n = length $data;
    return pack('C', $first) . ($n < 126 ? pack('C', 0x80 | $n) : pack('Cn', 0x80 | 126, $n)) . "\0" x 4 . $data;
}

sub browser ($hd, $name, $kind = 0x81) {
    my $s = $hd->socket;
    print {$s} join "\r\n", 'GET /messages/slow HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Protocol: v1', '', '';
    my $self = { socket => $s };
    my $head = '';
    $head .= take($self, 1) until $head =~ /\r\n\r\n\z/;
    syswrite $s, frame($kind, "login $name");
    return message($self) eq 'logged in' ? $self : undef;
}

sub take ($c, $n) {
    my $data = '';
    while (length $data < $n) {
        IO::Select->new($c->{socket})->can_read(60) or return 'nothing';
        sysread $c->{socket}, $data, $n - length $data, length $data or return 'the end';
    }
    return $data;
}

sub message ($c) {
    my ($first, $n) = unpack 'CC', take($c, 2);
    $n = unpack 'n', take($c, 2) if $n == 126;
    my $data = take($c, $n);
    return ($first & 15) == 8 ? 'a close frame' : $data;
}

subtest 'WebSockets of messages' => sub {
    plan skip_all => 'not built: t/lib/modules/messages.so' unless -e "$HyperDerp::Live::modules/messages.so";
    my $live = HyperDerp::Live->new;
    my $hd = HyperDerp::Test->start(workers => 2, no_tls => 1, load_module => [$live->make('messages', build => 1)]);
    my ($alice, $bob) = map { browser($hd, $_) } qw(alice bob);
    ok $alice && $bob, 'they are there';
    my $say = sub ($c, $bytes) { syswrite $c->{socket}, $bytes };
    my $text = join ' ', 1 .. 200;    # it comes back
    my $frames = frame(0x01, substr $text, 0, 300) . frame(0x89, 'ping') . frame(0x80, substr $text, 300);
    my $at = 0;
    # amid a head, a payload, a ping, and between frames
    for my $end (1, 150, 308, 311, 320, 400, length $frames) {
        $say->($alice, substr $frames, $at, $end - $at);
        $at = $end;
        # what is counted of its bytes is with the relay
        my $said = upgrade($hd);
        is "$said->{moved} $said->{closed_clients}", '2 0', "$end bytes: both move";
    }
    is message($alice), 'ping', 'the ping was answered';
    is message($alice), $text, 'the message is whole';
    $say->($alice, frame(0x81, 'to bob hello'));
    is message($bob), 'hello', 'they reach each other';
    $say->($bob, frame(0x81, 'build'));
    like message($bob), qr/messages=2$/, 'its state is what it was';
    $say->($bob, frame(0x81, 'subprotocol'));
    is message($bob), 'v1', '... and its subprotocol';
    $say->($alice, frame(0x81, 'hold'));
    upgrade($hd);
    is message($alice), 'goes on', 'its timer goes on';
    $hd->finish;
    is $hd->metric('hyper_derp_websocket_part_bytes'), 0, 'nothing is held of messages';
};

subtest 'a route of bytes becomes one of messages' => sub {
    plan skip_all => 'not built: t/lib/modules/messages.so' unless -e "$HyperDerp::Live::modules/messages.so";
    my $live = HyperDerp::Live->new;
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1, load_module => [$live->make('messages', mode => 'data')]);
    my $alice = browser($hd, 'alice', 0x82);
    ok $alice, 'she has logged in, by bytes';
    $live->make('messages');
    like try_upgrade($hd), qr/1 of 1 clients cannot move \(refused by the new process/, 'nobody there takes her bytes';
    ok $hd->log_like(qr/protocol messages takes no bytes here/), 'the log says why';
    syswrite $alice->{socket}, frame(0x82, 'bytes');
    is message($alice), 'bytes', 'she stays';
    $hd->finish;
};

# 128 KiB at once and then 16 bytes a second: all there is for hours.
subtest 'limits that many share' => sub {
    my $policy = "policy: {rules: [{from: [127.0.0.0/8], tenant: office}], tenants: [{name: office, limits: {rate: 16}}]}\n";
    for (['a tenant', $policy], ['the relay', "relay_rate_limit: 16\n"]) {
        my ($whose, $conf) = @$_;
        my $hd = HyperDerp::Test->start(workers => 2, no_tls => 1, conf => $conf,
            load_module => ['derp', $conf eq $policy ? 'policy' : 'stun']);
        my @logins = HyperDerp::Raw::logins($hd, 4);
        my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } @logins;
        my $waits = sub { my $n = 0; $n += $_->{value} for grep { $_->{name} eq 'hyper_derp_limit_waits_total' } @{ ctl($hd, 'metrics')->{data} }; $n };
        for (1 .. 40) { $a->write_some(HyperDerp::Raw::packet_frame($b->key, 'x' x 32000)); last if $waits->() }
        ok HyperDerp::Test::wait_for(sub { $waits->() }), "$whose has used up its limit";
        $a->close;
        ok HyperDerp::Test::wait_for(sub { @{ ctl($hd, 'peers')->{data} } == 1 }), '... and who did that has left';
        upgrade($hd);
        my $was = $waits->();
        my ($c, $d) = map { HyperDerp::Raw->login($hd, $_) } @logins[2, 3];
        for (1 .. 4) { $c->write_some(HyperDerp::Raw::packet_frame($d->key, 'x' x 32000)) }
        ok HyperDerp::Test::wait_for(sub { $waits->() > $was }), '... and another one of it waits in the new process';
        my ($row) = grep { $_->{key} eq $logins[2]{key} } @{ ctl($hd, 'peers')->{data} };
        cmp_ok $row->{bytes_in}, '<', 90_000, '... at once, not after another burst';
        $hd->finish;
    }
};

subtest 'what services have said' => sub {
    my $hd = HyperDerp::Test->new(workers => 2, no_tls => 1, load_module => [qw(derp policy)]);
    my $file = "$hd->{dir}/service";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$file.said";
        exec "$HyperDerp::Test::srcdir/t/lib/client/verify_server.py", $file or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    my $said = sub { HyperDerp::Test::slurp("$file.said") };
    my $port;
    HyperDerp::Test::wait_for(sub { ($port) = $said->() =~ /^(\d+)\n/ }) or die 'no service';
    $hd->{conf} = "policy: {rules: [{name: service, url: 'http://127.0.0.1:$port/'}], stale_ttl: 1h}\n";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my @logins = HyperDerp::Raw::logins($hd, 9);
    HyperDerp::Test::spew("$file.keys", join ' ', map { $_->{key} } @logins[0 .. 7]);
    my ($alice, @others) = map { HyperDerp::Raw->login($hd, $_) } @logins[0 .. 7];
    $_->close for @others;
    ok HyperDerp::Raw->start($hd, $logins[8])->closed, 'one is not allowed';
    my $asked = sub { scalar(() = $said->() =~ /POST/g) };
    is $asked->(), 9, 'it was asked of each';
    HyperDerp::Test::spew($file, '500 broken');
    for my $workers (1, 3) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        upgrade($hd);
        ok ctl($hd, qw(policy reread))->{ok}, "$workers workers: all who are here are looked at";
        ok $alice->ping, '... and stay';
        my @again = map { HyperDerp::Raw->login($hd, $_) } @logins[1 .. 7];
        ok $_->ping, 'who has left comes again' for @again;
        my ($p) = grep { $_->{key} eq $logins[3]{key} } @{ ctl($hd, 'peers')->{data} };
        is $p->{name}, 'of the service', '... with the name that it has';
        ok HyperDerp::Raw->start($hd, $logins[8])->closed, '... and not who is not allowed';
    }
    is $asked->(), 9, 'nobody was asked about again';
    kill 'KILL', $pid;
    waitpid $pid, 0;
    HyperDerp::Children::ended($pid);
    $hd->finish;
};

subtest 'ports that the kernel has chosen' => sub {
    my $hd = HyperDerp::Test->new(workers => 2);
    $hd->{yaml} = $hd->yaml =~ s/^listen:.*/listen: [{addr: "127.0.0.1:0", tls: true}, {addr: "127.0.0.1:0"}, {addr: "127.0.0.1:$hd->{plain}"}, {addr: "127.0.0.1:0"}]/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my $ports = sub { [map { $_->{addr} } @{ ctl($hd, qw(relay info))->{data}{listeners} }] };
    my $was = $ports->();
    my ($tls, $one, undef, $two) = map { /:(\d+)$/ } @$was;
    ok $tls && $one && $two, "they are $tls, $one and $two";
    $hd->{tls} = $tls;
    my @c = ($hd->client, map { HyperDerp::Raw->login($hd, scalar HyperDerp::Raw::logins($hd), port => $_) } $one, $two);
    for my $round (1 .. 2) {
        is upgrade($hd)->{moved}, 3, "round $round: their clients move";
        is_deeply $ports->(), $was, '... and they are the same';
        ok $_->ping, 'who came by it is there' for @c[1, 2];
        $c[1]->send($c[0]->key, "round $round");
        is $c[0]->packet, "round $round", '... by TLS, too';
        ok(HyperDerp::Raw->login($hd, scalar HyperDerp::Raw::logins($hd), port => $_)->ping, "port $_ takes new ones") for $one, $two;
        ok $hd->client, '... and so does that with TLS';
    }
    $hd->finish;
};

subtest 'keys that the relay may not read any more' => sub {
    plan skip_all => 'needs root' if $>;
    my $hd = HyperDerp::Test->new(workers => 1, conf => "user: nobody\n");
    chmod 0711, $hd->dir;
    mkdir "$hd->{dir}/live", 0700 or die $!;    # as certbot has it
    rename $hd->{$_}, "$hd->{dir}/live/$_" and $hd->{$_} = "$hd->{dir}/live/$_" for qw(crt key);
    chmod 0600, $hd->{key};
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $print = sub { return scalar `openssl s_client -connect 127.0.0.1:$hd->{tls} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint 2>&1` };
    my $was = $print->();
    for my $round (1 .. 2) {
        my $dry = try_upgrade($hd, '--dry-run');
        is ref $dry ? $dry->{moved} : $dry, 2, "round $round: both would move";
        is upgrade($hd)->{moved}, 2, '... and do';
        is $print->(), $was, 'the certificate is the same';
        $alice->send($bob->key, "round $round");
        is $bob->packet, "round $round", 'they talk';
        ok $hd->client, 'others come';
    }
    ok $hd->log_like(qr/may not read a file, so the process before this one has given it: path=\Q$hd->{key}\E/), 'the log says so';
    $hd->finish;
};

done_testing;

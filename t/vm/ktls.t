#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/ktls.t - `tls: {ktls: on}`: the kernel does the records, and nobody can
# tell. Runs in the guest of t/vm/run; elsewhere, with HD_KTLS=off, on our own
# record layer, which has to give the same answers.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use IO::Select;
use JSON::PP;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use POSIX qw(uname);
use Time::HiRes qw(time);

my $on = ($ENV{HD_KTLS} //= 'on') eq 'on';
my ($major, $minor) = (uname)[2] =~ /^(\d+)\.(\d+)/;
my $rekeys = $major > 6 || ($major == 6 && $minor >= 14);
my @suites = qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256);
my $patience = 60;    # seconds; an emulated processor is slow

sub stat_of ($name) {
    my ($n) = HyperDerp::Test::slurp('/proc/net/tls_stat') =~ /^\Q$name\E\s+(\d+)/m;
    return $n // 0;
}

sub in_kernel () { return join '/', map { stat_of("TlsCurr${_}Sw") } qw(Tx Rx) }

# The counters go down when the kernel has freed the last socket.
sub becomes ($want, $what) {
    return pass "$what: not the kernel's" unless $on;
    HyperDerp::Test::wait_for(sub { in_kernel() eq $want }, $patience);
    is in_kernel(), $want, "$what: connections of the kernel, out/in";
}

sub run ($status, $what, @cmd) {
    my $out = `@cmd 2>&1`;
    is $? >> 8, $status, $what or diag "@cmd\n$out";
    return $out;
}

sub bench ($hd, @args) {
    my $out = `$HyperDerp::Test::build/hdbench --json @args 127.0.0.1:$hd->{tls} 2>&1`;
    is $?, 0, "hdbench @args" or diag $out;
    return eval { decode_json($out) } // {};
}

my %conf = (workers => 4, conf => "login_timeout: 60s\nwrite_timeout: 60s\ntls: {ktls: $ENV{HD_KTLS}}\n");
my $hd = HyperDerp::Test->start(%conf);
my $rekey = $rekeys ? 'send and receive' : 'none';
like $hd->log_text, qr/kTLS enabled: directions=send and receive rekey=$rekey$/m,
    'the log says that the kernel does it' if $on;
becomes('0/0', 'before');

subtest 'hdprobe' => sub {
    my $out = run(0, 'is content', "$HyperDerp::Test::build/hdprobe --insecure"
        . " -t 30 --stun-port $hd->{stun} 127.0.0.1:$hd->{tls}");
    like $out, qr/websocket/i, 'WebSocket was looked at';
    like $out, qr/ 0 failed, 0 skipped/, 'nothing failed';
};
becomes('0/0', 'after');

for my $suite (@suites) {
    subtest $suite => sub {
        my @clients = map { $hd->client(suite => $suite) } 1 .. 4;
        my ($alice, $bob) = @clients;
        my @sizes = (0, 1, 31, 32, 1280, 16347, 16348, 16384, 65535, 65536);
        becomes('4/4', 'four clients');
        my $layer = $on ? 'kernel' : 'own';
        my $peers = eval { decode_json($hd->ctl('--json', 'peers')) } // [];
        is join(' ', map { @$_{qw(tls_rx tls_tx)} } @$peers), join(' ', ($layer) x 8),
            "hdctl peers: $layer, both ways";
        $alice->fill($bob->key, $_, 1) for @sizes;
        my @got = map { ($bob->expect(qr/^packet/, $patience) // '? ? ?') =~ /^\S+ \S+ (\S+)/ } @sizes;
        is "@got", "@sizes", 'packets of all sizes, in order';
        $alice->fill($bob->key, 1200, 100);
        my $n = 0;
        $n++ while $n < 100 && $bob->expect(qr/^packet/, $patience);
        is $n, 100, '100 at once';
        for my $c (@clients) {
            $c->send($_->key, 'to all') for @clients;
        }
        is_deeply [map { my $c = $_; scalar grep { defined $c->packet($patience) } @clients } @clients],
            [4, 4, 4, 4], 'each to each, over all workers';
        $_->bye for @clients[0, 1];
        ok $_->expect(qr/^closed notify$/, $patience), 'close_notify is answered' for @clients[0, 1];
        $_->quit for @clients;
        becomes('0/0', 'after');
    };
}

# Between the clients and the relay: passes on what clients send in small pieces.
sub in_pieces ($to, $bytes) {
    my $listen = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 8)
        or die "listen: $@";
    my $pid = fork // die "fork: $!";
    return ($listen->sockport, $pid) if $pid;
    my %other;
    my $sel = IO::Select->new($listen);
    while (1) {
        for my $s ($sel->can_read) {
            if ($s == $listen) {
                my $c = $listen->accept;
                my $r = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $to);
                setsockopt $r, IPPROTO_TCP, TCP_NODELAY, 1;
                @other{$c, $r} = ({ to => $r, bytes => $bytes }, { to => $c, bytes => 65536 });
                $sel->add($c, $r);
                next;
            }
            my $o = $other{$s};
            if (!sysread $s, my $data, $o->{bytes}) {
                $sel->remove($s);
                shutdown $o->{to}, 1;
            } else {
                syswrite $o->{to}, $data;
            }
        }
    }
}

subtest 'records in pieces' => sub {
    my ($port, $pid) = in_pieces($hd->{tls}, 7);
    my ($alice, $bob) = map { HyperDerp::Client->new($port, build => $HyperDerp::Test::build) } 1 .. 2;
    for my $n (10, 1000, 20000) {
        $alice->fill($bob->key, $n, 1);
        like $bob->expect(qr/^packet/, $patience), qr/^packet \S+ $n /, "a packet of $n bytes";
        $bob->send($alice->key, "got $n");
        like $alice->packet($patience), qr/^got $n/, '... and an answer';
    }
    diag 'in the kernel, out/in: ' . in_kernel();
    $_->bye for $alice, $bob;
    ok $_->expect(qr/^closed notify$/, $patience), 'close_notify' for $alice, $bob;
    $_->quit for $alice, $bob;
    kill 'KILL', $pid;
    waitpid $pid, 0;
    becomes('0/0', 'after');
};

subtest 'a slow reader' => sub {
    my ($alice, $bob, $carol) = map { $hd->client } 1 .. 3;
    $bob->tell('stop');
    $alice->fill($bob->key, 10000, 2000);
    ok $alice->expect(qr/^done/, $patience), 'nobody waits for it';
    $alice->send($carol->key, 'hello');
    like $carol->packet($patience), qr/^hello/, 'others are served';
    $bob->tell('go');
    $alice->send($bob->key, 'last');
    my $n = 0;
    while (defined(my $p = $bob->packet($patience))) {
        last if $p =~ /^last/;
        $n++;
    }
    cmp_ok $n, '>', 10, "it gets what its queue holds ($n of 2000)";
    cmp_ok $n, '<', 2000, '... and no more';
    ok $bob->silent, '... and lives';
    $_->quit for $alice, $bob, $carol;
};

# What the kernel still holds when the relay closes must come before the end.
subtest 'close behind a full queue' => sub {
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $bob->tell('stop');
    $alice->fill($bob->key, 60000, 100);
    $alice->expect(qr/^done/, $patience);
    $alice->silent;
    $bob->frame(0x04, 'SendPacket without a whole key');    # closes it
    $bob->tell('go');
    my @seen;
    while (defined(my $e = $bob->event($patience))) {
        push @seen, $e =~ s/^packet \S+ (\d+).*/packet $1/r;
        last if $e =~ /^closed/;
    }
    is $seen[-1], 'closed notify', 'close_notify comes last';
    cmp_ok scalar(grep { $_ eq 'packet 60000' } @seen), '>', 4, 'behind whole packets';
    $_->quit for $alice, $bob;
};

subtest 'a record that does not open' => sub {
    my ($alice, $bob, $carol) = map { $hd->client } 1 .. 3;
    becomes('3/3', 'three clients');
    $alice->tell('wire', unpack 'H*', "\x17\3\3\0\x20" . 'x' x 32);
    like $alice->expect(qr/^closed/, $patience), qr/bad record mac/i, 'its alert';
    $bob->tell('wire', unpack 'H*', "\x17\3\3\x48\0" . 'x' x 1000);
    like $bob->expect(qr/^closed/, $patience), qr/record overflow/i, 'the alert of one too long';
    ok $carol->silent, 'another connection is unharmed';
    $_->quit for $alice, $bob, $carol;
    becomes('0/0', 'after');
};

subtest 'KeyUpdate' => sub {
    my ($alice, $bob, $carol) = map { $hd->client } 1 .. 3;
    becomes('3/3', 'three clients');
    $alice->tell('update', 0);
    $bob->tell('update', 1);
    $_->ping('updated#') for $alice, $bob;
    if ($on && !$rekeys) {
        ok $_->closed_within($patience), 'this kernel cannot follow: closed' for $alice, $bob;
        ok $carol->silent, 'another connection is unharmed';
    } else {
        ok $_->expect(qr/^pong/, $patience), 'is followed' for $alice, $bob;
        $alice->send($bob->key, 'hello');
        like $bob->packet($patience), qr/^hello/, '... and packets flow';
    }
    $_->quit for $alice, $bob, $carol;
};

subtest 'many logins' => sub {
    for my $how ([], ['--fast-start']) {
        my $t = time;
        bench($hd, qw(--logins 200 --parallel 8), @$how);
        diag sprintf '200 logins in %.1f s', time - $t;
    }
    becomes('0/0', 'after');
};

subtest 'pairs on four workers' => sub {
    my $r = bench($hd, qw(--pairs 24 --rate 400 --duration 5));
    is $r->{lost}, 0, 'nothing is lost';
    is $r->{reordered} + $r->{foreign} + $r->{closed}, 0, 'nothing is odd';
    becomes('0/0', 'after');
};

subtest 'overload' => sub {
    my $r = bench($hd, qw(--pairs 8 --rate max --duration 5));
    is $r->{closed}, 0, 'no connection is lost' or diag explain $r;
    cmp_ok $r->{delivered_pps}, '>', 100, 'the relay relays';
    diag sprintf 'delivered %.0f packets/s', $r->{delivered_pps};
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'hello');
    like $bob->packet($patience), qr/^hello/, 'and goes on';
    $_->quit for $alice, $bob;
};

subtest 'the relay stops' => sub {
    my @clients = map { $hd->client } 1 .. 3;
    becomes('3/3', 'three clients');
    $hd->finish;
    ok $_->expect(qr/^closed notify$/, $patience), 'close_notify to all' for @clients;
    becomes('0/0', 'after');
};
is $hd->metric('hyper_derp_ktls_rekey_total'), $on && !$rekeys ? 2 : 0, 'counted: two had to be closed';
cmp_ok $hd->metric('hyper_derp_moves_total'), '>', 100, 'connections moved';
cmp_ok stat_of('TlsDecryptError'), '>', 0, 'the kernel has seen the record that does not open' if $on;

done_testing;

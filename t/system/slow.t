#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/slow.t - clients that do not read, or read slowly: what waits for
# them is bounded, nobody else waits, and only the one that takes nothing is
# closed.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use List::Util qw(max);
use Time::HiRes qw(time);

use constant {
    BYTES => 1400,
    DISCO => "TS\xf0\x9f\x92\xac" . 'x' x 94,
    MIB => 1024 * 1024,
};

# A small socket buffer: the kernel takes little before the relay must queue.
sub relay (%o) {
    return HyperDerp::Test->start(no_tls => 1, %o, conf => "sockbuf: 64KiB\n" . ($o{conf} // ''));
}

# What waits in the relay for each peer.
sub queued ($hd) { return map { $_->{queued} } @{ ctl($hd, 'peers')->{data} } }

# Sends packets to $to until $enough->(), in batches, never waiting for others.
# Returns how many.
sub flood ($from, $to, $enough, $data = 'z' x BYTES) {
    my $batch = HyperDerp::Raw::packet_frame($to, $data) x 64;
    my $n = 0;
    until ($enough->()) {
        $from->write($batch) or return $n;
        $n += 64;
    }
    return $n;
}

sub drops ($hd, $kind) {
    return $hd->metric('hyper_derp_send_drops_total', qr/reason="queue_head",kind="$kind"/);
}

# Floods one that never reads until it is closed, while two others talk. A
# hash: n sent, the others' packets and how long each took, the most memory.
sub flood_stuck ($hd, $from, $stuck, $alice, $bob) {
    my %r = (others => 0, max_rss => 0, start => time,
        closed => qr/closed: key=@{[substr $stuck->key, 0, 8]} .*why=/);
    $r{n} = flood($from, $stuck->key, sub {
        my $t = time;
        $alice->send($bob->key, "packet $r{others}");
        $bob->packet eq "packet $r{others}" or return 1;
        $r{others}++;
        push @{ $r{waits} }, time - $t;
        $r{max_rss} = max($r{max_rss}, $hd->rss);
        return $hd->log_text =~ $r{closed} || time - $r{start} > 60;
    });
    return \%r;
}

# Where the machine stalls for as long as write_timeout, another one is tried.
subtest 'a client that never reads' => sub {
    my $hd = relay(conf => "write_timeout: 2s\n");
    my ($from, $alice, $bob, @stuck) =
        map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 6);
    $alice->send($bob->key, 'warm up');
    $bob->packet;
    my $rss = $hd->rss;
    my ($stuck, $r);
    for (@stuck) {
        $stuck = $_;
        $r = flood_stuck($hd, $from, $stuck, $alice, $bob);
        last if max(@{ $r->{waits} }) < 0.5;
    }
    my ($n, $others, $max_rss, $start, $closed) = @$r{qw(n others max_rss start closed)};
    my @waits = @{ $r->{waits} };
    ok $hd->log_like($closed), 'is closed';
    like $hd->log_text, qr/closed: key=\w+ .* drops=[1-9]\d* .*why=.*slow|too slow|write/i,
        '... because it took nothing';
    cmp_ok time - $start, '>=', 1.9, '... not before write_timeout';
    cmp_ok time - $start, '<', 30, '... and not much later';
    cmp_ok $n * BYTES, '>', 4 * MIB, 'much was sent to it: ' . int($n * BYTES / MIB) . ' MiB';
    cmp_ok $max_rss - $rss, '<', 3 * MIB, '... but little kept' unless HyperDerp::Test::sanitized();
    cmp_ok $others, '>', 20, "others exchanged $others packets meanwhile";
    cmp_ok +(sort { $a <=> $b } @waits)[@waits / 2], '<', 0.2, '... half of them at once';
    ok $hd->log_like(qr/send_drop: key=@{[substr $stuck->key, 0, 8]} packets=\d+ reason=queue_head/),
        'the log says send_drop';
    is $from->expect(HyperDerp::Raw::PEER_GONE, 0.1), undef, 'the sender got nothing from it: no PeerGone';
    ok $from->ping, '... and stays';
    $hd->finish;
    cmp_ok drops($hd, 'other'), '>', 1000, 'drops are counted';
    is drops($hd, 'disco'), 0, '... as not disco';
};

# Disco finds direct paths: it has a queue of its own that bulk cannot fill.
subtest 'disco to a client that does not read' => sub {
    my $hd = relay(conf => "write_timeout: 60s\n");
    my ($from, $to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    flood($from, $to->key, sub { $hd->log_text =~ /send_drop/ });
    $from->send($to->key, DISCO . pack 'N', $_) for 1 .. 5;
    $from->ping;
    my ($bulk, @disco) = (0);
    while (my $p = $to->packet(@disco < 5 ? 30 : 2)) {
        push @disco, unpack 'N', substr $p, length DISCO if $p =~ /^TS/;
        $bulk++ if $p =~ /^z/;
        last if @disco == 5 && $bulk > 150;
    }
    is_deeply \@disco, [1 .. 5], 'none of five is lost behind a full queue of bulk';
    # what waits: at most output_limit and what the sockets hold
    $hd->finish;
    is drops($hd, 'disco'), 0, 'no disco drop';
};

subtest 'too much disco' => sub {
    my $hd = relay(conf => "write_timeout: 60s\n");
    my ($from, $to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    my $until = time + 60;
    flood($from, $to->key, sub { $hd->log_text =~ /send_drop/ || time > $until }, DISCO);
    $from->send($to->key, 'TSlast');
    ok $from->ping, 'the sender is not slowed';
    my $last;
    while (defined(my $p = $to->packet)) { $last = $p and last if $p eq 'TSlast' }
    is $last, 'TSlast', 'the newest is kept, the oldest go';
    $hd->finish;
    cmp_ok drops($hd, 'disco'), '>', 0, 'the drops are counted as disco';
    is drops($hd, 'other'), 0, '... only';
};

# tailscale's derpprobe keeps 30 packets of 64 KiB under way; derper queues 32.
subtest 'large packets to a client that does not read yet' => sub {
    my $hd = relay(workers => 1, conf => "write_timeout: 10m\n");
    my ($from, $to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    my @sent = map { pack('N', $_) . 'L' x (64 * 1024 - 4) } 1 .. 30;
    $from->send($to->key, $_) for @sent;
    ok $from->ping, 'thirty are sent';
    $from->send($to->key, 'end');
    my @got;
    while (defined(my $p = $to->packet)) { $p eq 'end' and last or push @got, unpack 'N', $p }
    is_deeply \@got, [1 .. 30], 'none is lost';
    $from->send($to->key, $_) for map { (pack('N', $_) . 'L' x (64 * 1024 - 4)) } 1 .. 240;    # sockets may hold 10 MB
    ok $from->ping, '240 are sent';
    cmp_ok +(sort { $a <=> $b } queued($hd))[-1], '<', 2.5 * MIB, '... but not all kept';
    $from->send($to->key, 'the last');
    my $last;
    while (defined(my $p = $to->packet)) { $last = $p and last if $p eq 'the last' }
    is $last, 'the last', '... the oldest go';
    $hd->finish;
    cmp_ok drops($hd, 'other'), '>', 0, 'the drops are counted';
};

subtest 'small packets to a client that does not read' => sub {
    my $hd = relay(workers => 1, conf => "write_timeout: 10m\n");
    my ($from, $to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
    $from->write(HyperDerp::Raw::packet_frame($to->key, 'z' x BYTES) x 100) for 1 .. 40;
    ok $from->ping, 'four thousand are sent';
    cmp_ok +(sort { $a <=> $b } queued($hd))[-1], '<', 0.7 * MIB, '... and few kept';
    $hd->finish;
};

# Each may keep 2 MiB, not all of them.
subtest 'large packets to many who do not read' => sub {
    my $hd = relay(workers => 1, conf => "write_timeout: 10m\n");
    my ($from, @to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 41);
    for my $to (@to) {
        $from->send($to->key, 'L' x (64 * 1024)) for 1 .. 36;
    }
    ok $from->ping, 'much is sent';
    my ($sum, @queued) = (0, queued($hd));
    $sum += $_ for @queued;
    cmp_ok $sum, '>', 24 * MIB, 'much waits: ' . int($sum / MIB) . ' MiB';
    cmp_ok $sum, '<', (32 + 40 * 0.6) * MIB, '... but beyond 256 KiB all of them share 32 MiB';
    $hd->{conf} .= "output_packets: 0\n";
    $hd->write_conf;
    $hd->ctl('reload');
    $from->send($_->key, 'one more') for @to;
    ok $from->ping, 'output_packets: 0';
    cmp_ok +(sort { $a <=> $b } queued($hd))[-1], '<', 0.7 * MIB, '... leaves 256 KiB to each';
    $hd->finish;
};

# Each may keep 256 KiB, a few hundred do; then each has 64 KiB, what is on its way
# to the kernel not counted.
subtest 'usual packets to many who do not read' => sub {
    my $n = 700;
    my $hd = relay(workers => 1, conf => "write_timeout: 10m\n");
    my ($from, @to) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, $n + 1);
    $from->write(HyperDerp::Raw::packet_frame($_->key, 'z' x BYTES) x 400) for @to;
    ok $from->ping(300), 'much is sent';
    my ($sum, @queued) = (0, queued($hd));
    $sum += $_ for @queued;
    cmp_ok $sum, '>', (64 + $n / 32) * MIB, 'much waits: ' . int($sum / MIB) . ' MiB';
    cmp_ok $sum, '<', (64 + $n / 8) * MIB, '... but all of them share 64 MiB';
    $from->send($to[-1]->key, $_) for 'end', map { "packet $_" } 1 .. 20;
    while (defined(my $p = $to[-1]->packet)) { last if $p eq 'end' }
    my @got = map { $to[-1]->packet // '' } 1 .. 20;
    is "@got", join(' ', map { "packet $_" } 1 .. 20), 'who reads loses nothing';
    $hd->finish;
};

# It takes in three seconds what it could take in a blink. (Loopback's window
# opens by 64 KiB: a smaller sip would be no progress for long.) Returns how many
# sips, and the longest time between two.
sub reads_slowly ($from, $slow) {
    my $start = my $last = time;
    my ($sips, $gap) = (0, 0);
    flood($from, $slow->key, sub {
        my $now = time;
        $gap = $now - $last if $now - $last > $gap;
        if ($now - $last > 0.05) {
            $last = $now;
            $sips++;
            sysread($slow->socket, my $sip, 32768);
        }
        return $now - $start > 3;
    });
    return ($sips, $gap);
}

# On a machine that stalls nobody reads: then it is tried again.
subtest 'a client that reads slowly' => sub {
    my $hd = relay(conf => "write_timeout: 1s\n");
    my ($from, $slow, $sips, $gap);
    for (1 .. 5) {
        ($from, $slow) = map { HyperDerp::Raw->login($hd, $_) } HyperDerp::Raw::logins($hd, 2);
        ($sips, $gap) = reads_slowly($from, $slow);
        last if $gap < 0.5;
        note sprintf 'not a sip for %.1f s', $gap;
    }
    cmp_ok $sips, '>', 10, "$sips sips in three times write_timeout";
    unlike $hd->log_text, qr/closed: key=@{[substr $slow->key, 0, 8]}/, 'it is not closed';
    $slow->{in} = '';
    ok defined sysread($slow->socket, my $more, 16384), '... and can read on';
    ok $hd->log_like(qr/send_drop: key=@{[substr $slow->key, 0, 8]}/), 'what it is too slow for is dropped';
    $hd->finish;
    cmp_ok drops($hd, 'other'), '>', 0, '... and counted';
};

subtest 'a TLS client that never reads' => sub {
    my $hd = HyperDerp::Test->start(conf => "sockbuf: 64KiB\nwrite_timeout: 1s\n");
    my $stuck = $hd->client;
    my ($from) = HyperDerp::Raw->login($hd);
    $stuck->tell('stop');
    my $key = substr $stuck->key, 0, 8;
    my $start = time;
    my $n = flood($from, $stuck->key, sub { $hd->log_text =~ /closed: key=$key/ || time - $start > 60 });
    ok $hd->log_like(qr/closed: key=$key .*drops=[1-9]/), "is closed after $n packets";
    ok $from->ping, 'the sender stays';
    $hd->finish;
};

done_testing;

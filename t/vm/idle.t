#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/idle.t - many idle TLS peers: HD_IDLE of them, and what each costs the
# relay and the kernel. Runs in t/vm/run's guest, whose descriptor limit allows
# it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use IO::Select;
use JSON::PP;

use constant STEP => 10000;    # a line for so many

my $peers = $ENV{HD_IDLE} // 1000;
my $hd = HyperDerp::Test->start(workers => 2, conf => "login_timeout: 600s\n"
    . "derp: {keepalive: 100s}\n" . 'tls: {ktls: ' . ($ENV{HD_KTLS} // 'off') . "}\n");

# What the kernel holds outside of programs, both ends of every connection.
sub kernel_kb () {
    my %kb = HyperDerp::Test::slurp('/proc/meminfo') =~ /^(\w+):\s+(\d+) kB/mg;
    return $kb{Slab} + $kb{Percpu};
}

sub peers_up () {
    my $status = eval { decode_json($hd->ctl('--json', 'status')) } // {};
    return $status->{peers} // 0;
}

sub idle ($n) {
    my $kernel = kernel_kb();
    my $most = $kernel;
    my $t = time;
    open my $out, '-|', "$HyperDerp::Test::build/hdbench --json --parallel 32 --idle $n --pid "
        . $hd->pid . " 127.0.0.1:$hd->{tls} 2>&1" or die "hdbench: $!";
    my $sel = IO::Select->new($out);
    my ($shown, $ask) = (0, $t + 20);
    while (!$sel->can_read(1)) {
        my $now = kernel_kb();
        $most = $now if $now > $most;
        next if time < $ask;
        $ask = time + 20;
        my $up = peers_up();
        next if $up < $shown + STEP;
        $shown = $up;
        printf "# %d of them after %d s: relay %d kB, kernel %d kB\n", $up, time - $t,
            $hd->rss / 1024, $now - $kernel;
    }
    my $text = do { local $/; <$out> };
    close $out;
    is $?, 0, "$n idle peers" or return diag $text;
    my $r = decode_json($text);
    is $r->{closed}, 0, '... none is lost';
    printf "# %d idle TLS peers (ktls %s): relay %.2f kB each (%d kB before, %d kB with them), "
        . "kernel %.2f kB for both ends; logged in and measured in %d s\n", $n, $ENV{HD_KTLS} // 'off',
        $r->{kb_per_peer}, $r->{rss_before_kb}, $r->{rss_after_kb},
        ($most - $kernel) / $n, time - $t;
    return $r;
}

idle(200);    # what is allocated once
idle($peers);
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'hello');
like $bob->packet(60), qr/^hello/, 'the relay relays afterwards';
$_->quit for $alice, $bob;
$hd->finish;
done_testing;

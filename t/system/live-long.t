#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/live-long.t - a thousand new builds of derp under a thousand clients
# that send at full rate, and a module with hooks that comes and goes between
# them; nothing is lost. `./bootstrap check --long` runs it.
# HD_LIVE_CYCLES, HD_LIVE_PAIRS, HD_LIVE_RATE: other numbers.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use Socket qw(SOCK_DGRAM);

plan skip_all => 'takes minutes: set HD_LONG=1, or ./bootstrap check --long'
    unless $ENV{HD_LONG};
my $slow   = HyperDerp::Test::sanitized();    # ten times less of everything
my $cycles = $ENV{HD_LIVE_CYCLES} // ($slow ? 100 : 1000);
my $pairs  = $ENV{HD_LIVE_PAIRS} // ($slow ? 50 : 500);
my $rate   = $ENV{HD_LIVE_RATE} // ($slow ? 1000 : 10000);
my $udp    = HyperDerp::Test::free_port(SOCK_DGRAM);

my $live = HyperDerp::Live->new;
my $hd = HyperDerp::Test->start(workers => 2, load_module => [$live->make('derp'), 'stun'],
    conf => qq(login_timeout: 60s\nlive: {udp: "127.0.0.1:$udp"}\n));
my ($done, $runs, @wrong, %sum) = (0, 0);

# A load of 20 s; its report is its output.
sub load_begin () {
    my $pid = open my $out, '-|', "$HyperDerp::Test::build/hdbench", '--json', '--pairs', $pairs,
        '--rate', $rate, '--duration', 20, "127.0.0.1:$hd->{tls}"
        or die "hdbench: $!";
    return { pid => $pid, out => $out };
}

sub load_ended ($load) {
    my $bits = '';
    vec($bits, fileno $load->{out}, 1) = 1;
    return scalar select $bits, undef, undef, 0;
}

sub load_count ($load) {
    local $/;
    my $text = readline $load->{out};
    close $load->{out} or push @wrong, "hdbench: status $?";
    my $report = eval { JSON::PP::decode_json($text) }
        or return push @wrong, "hdbench said: $text";
    $sum{$_} += $report->{$_} for qw(lost closed foreign reordered);
    $sum{packets} += int $report->{delivered_pps} * $report->{duration_s};
    return ++$runs;
}

sub build_answers () {
    my $s = $hd->socket or return 'no connection';
    print {$s} "GET /derp HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    local $/;
    return <$s> =~ /connection b(\d+)/ ? $1 + 0 : 'none';
}

# A module comes with a new build number, is asked for it, is reloaded, and goes.
sub come_and_go ($n) {
    my $file = $live->make('live', build => $n);
    for my $step (['load', $file], ['reload', 'live'], ['unload', 'live']) {
        my $r = ctl($hd, 'module', @$step);
        return "cycle $n: $step->[0]: $r->{error}{message}" unless $r->{ok};
        next if $step->[0] eq 'unload';
        my $build = get($hd, '/live/build');
        return "cycle $n: live is $build" unless $build eq sprintf 'BUILD=%06d', $n;
    }
    my $left = get($hd, '/live/build');
    return $left eq '404' ? () : "cycle $n: $left is still there";
}

while ($done < $cycles && @wrong < 10) {
    my $load = load_begin();
    while (!load_ended($load) && @wrong < 10) {
        $live->make('derp', build => ++$done);
        my $r = ctl($hd, qw(module reload derp));
        push @wrong, "cycle $done: $r->{error}{message}" unless $r->{ok};
        my $build = build_answers();
        push @wrong, "cycle $done: build $build answers" unless $build eq $done;
        push @wrong, come_and_go($done);
    }
    load_count($load);
}
is_deeply \@wrong, [], "$done cycles, each answered by its own build";
my $drops = ctl($hd, 'status')->{data}{drops};
is_deeply { map { $drops->{$_} ? ($_ => $drops->{$_}) : () } keys %$drops }, {},
    'the relay drops nothing';
is $sum{lost}, 0, "of $sum{packets} packets none is lost";
is $sum{reordered}, 0, '... nor reordered';
is $sum{foreign}, 0, '... nor changed';
is $sum{closed}, 0, 'no connection is closed';
my @pauses = sort { $a <=> $b } $hd->log_text =~ /module reloaded: name=derp.*pause_us=(\d+)/g;
diag sprintf '%d reloads in %d runs of %d clients, %d packets/s; pause: median %d us, '
    . '99 %% %d us, worst %d us', $done, $runs, 2 * $pairs, $rate, $pauses[@pauses / 2],
    $pauses[@pauses * 0.99], $pauses[-1];
my $rss = $hd->rss;
cmp_ok $rss, '<', ($slow ? 1000e6 : 100e6), sprintf 'memory: %d MB', $rss / 1e6;
$hd->finish;
done_testing;

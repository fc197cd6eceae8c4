# SPDX-License-Identifier: MIT
# t/bench/Counted.pm - groups of t/bench/run that callgrind counts: hooks and policy.
package Counted;
use v5.36;

use constant HOOK_SECONDS => [ 2, 10 ];

# Instructions in user space, from two runs of different length, one packet at
# a time: else the number of packets per turn would decide.
sub instructions ($opt, $who, $tls, $seconds, $rate = 'max') {
    my $out   = "$opt->{tmp}/callgrind";
    my $relay = Relay->start(%$who, tls => $tls, backend => 'epoll',
        under => [ qw(valgrind --tool=callgrind -q),
            "--callgrind-out-file=$out" ]);
    $relay->bench_once(qw(--pairs 1 --in-flight 1 --rate), $rate,
        qw(--warmup 0 --duration), $seconds, ($who->{load} // [])->@*);
    my $packets = $relay->status->{packets_in};
    $relay->stop;
    open my $fh, '<', $out or die "$out: $!\n";
    my ($ir) = map { /^(?:summary|totals): (\d+)/ ? $1 : () } <$fh>;
    return ($ir, $packets);
}

# The same of one packet, from a run with many and one with few of the same
# length. Under callgrind packets are some fifty times slower, and the clock is
# not: what is done each second would count for fifty times as many packets.
sub per_packet ($opt, $who, $tls) {
    my ($few, $many) = map { [ instructions($opt, $who, $tls, HOOK_SECONDS->[1], $_) ] } 20, 'max';
    return ($many->[0] - $few->[0]) / ($many->[1] - $few->[1]);
}

sub hook ($tls) {
    my $stack = $tls ? 'TLS' : 'plain TCP';
    my %row   = (metric => 'ir', unit => '', goal => 1.01);
    return {
        name => 'hook', once => 1,
        who  => {
            'derp' => { kind => 'ours' },
            'idle' => { kind => 'ours', modules => ['idle'] },
            'hook' => { kind => 'ours', modules => ['nullhook'] },
        },
        rows => [
            { %row, label => "$stack, idle module, user instructions per packet",
                pair => [qw(idle derp)] },
            { %row, label => "$stack, packet hook that does nothing, user instructions per packet",
                pair => [qw(hook derp)] },
        ],
        measure => sub ($opt, $who, $run) {
            my ($short, $long)
                = map { [ instructions($opt, $who, $tls, $_) ] }
                HOOK_SECONDS->@*;
            return { ir => ($long->[0] - $short->[0]) /
                    ($long->[1] - $short->[1]) };
        },
    };
}

# Who may use the relay and how much: 10,000 keys in a list, limits of the key,
# its tenant and the relay, which nobody reaches, and accounting.
sub policy_conf ($opt) {
    my $list = "$opt->{tmp}/10000.keys";
    if (!-e $list) {
        open my $fh, '>', $list or die "$list: $!\n";
        printf {$fh} "nodekey:%064x name-%d\n", $_ * 7919, $_ for 1 .. 10_000;
        close $fh;
    }
    my $much = '{rate: 100GiB, packet_cost: 20}';
    return "policy: {rules: [{keys: $list, action: deny}, {from: [127.0.0.0/8], tenant: t, limits: $much}],"
        . " tenants: [{name: t, limits: $much, quota: {bytes: 1000TiB}}]}\nrelay_rate_limit: 100GiB\n";
}

my %policy_who = (
    ours => { kind => 'ours', policy => 1 },
    none => { kind => 'ours' },
);

sub with_policy ($opt, $who) {
    return $who->{policy} ? { kind => 'ours', modules => ['policy'], conf => policy_conf($opt) } : $who;
}

sub policy ($tls) {
    my $stack = $tls ? 'TLS' : 'plain TCP';
    my @pair  = (pair => [qw(ours none)], goal => 1.03);
    my $label = "$stack, 10,000 keys listed, limits, quota, accounting; other: none";
    return {
        name => 'policy', who => \%policy_who,
        rows => [ { label => "$label: CPU per packet at 40000/s", metric => 'cpu', unit => 'us', @pair } ],
        measure => sub ($opt, $who, $run) {
            my $r = Relay->start(with_policy($opt, $who)->%*, tls => $tls)
                ->bench('--duration', $opt->{duration}, qw(--rate 40000));
            return { cpu => $r->{cpu_us_per_packet} };
        },
    }, {
        name => 'policy', once => 1, who => \%policy_who,
        rows => [ { label => 'the same: user instructions per packet', metric => 'ir', unit => '', @pair } ],
        measure => sub ($opt, $who, $run) {
            return { ir => per_packet($opt, with_policy($opt, $who), $tls) };
        },
    };
}

sub groups { return (hook(1), hook(0), policy(1), policy(0)) }

1;

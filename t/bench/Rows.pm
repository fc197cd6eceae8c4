# SPDX-License-Identifier: MIT
# t/bench/Rows.pm - what is measured, and the goal of each figure.
package Rows;
use v5.36;
use Counted;
use List::Util ();

use constant {
    BATCH   => 16,     # see doc/measured/benchmarks.md: what the load can offer
    NOISE   => 1.03,   # "at least equal" allows for that much
    HOG_NICE => -17,    # beside a relay of -15: the relay has 39 % of the core
    HALF     => -15,
    KIB          => 1.024,    # kB: the kernel counts in KiB
};

my %vs_derper = (
    ours   => { kind => 'ours' },
    derper => { kind => 'derper' },
);
my %vs_epoll = (
    io_uring => { kind => 'ours', backend => 'io_uring' },
    epoll    => { kind => 'ours', backend => 'epoll' },
);

sub rate ($relay, $opt, @args) {
    return $relay->bench('--duration', $opt->{duration}, '--warmup', 0.5, @args);
}

# The highest loss-free rate and what a packet costs there. Later groups ask
# for the same relay's capacity again: measured once per run.
my (%capacity, %about);    # about: of the run before, where the search begins

# Bursts overflow derper's queues of 32 packets, and a write for each record
# is load enough for it: it is measured in its best conditions.
sub batch ($who) { return $who->{kind} eq 'derper' ? 1 : BATCH }

sub find ($opt, $who, $tls, $run) {
    my $key = join '/', $who->{kind}, $who->{backend} // '', $tls,
        $who->{hog} // 0, $who->{records} // '', $who->{crypto} // '', $who->{batch} // '';
    return $capacity{"$key/$run"} //= do {
        my $relay = Relay->start(%$who, tls => $tls);
        my @from  = $about{$key} ? ('--near', '--rate', $about{$key}) : qw(--rate 100000);
        my $r     = $relay->bench(qw(--find --resolution 2 --warmup 0.3), @from,
            '--batch', $who->{batch} // batch($who), '--duration', $opt->{duration} * 0.6);
        $about{$key} = int $r->{found_pps};
        {
            rate => $r->{found_pps},
            cpu  => $r->{cpu_us_per_packet},
            p99  => $r->{latency_us}{p99},
            busy => $r->{load_busy},
        };
    };
}

sub finds ($name, $label, $tls, %goal) {
    my %busy = (metric => 'busy', unit => 'share');
    my %rate = (metric => 'rate', unit => 'packets/s', is_high => 1);
    my @rows;
    push @rows, { %rate, label => "$label, highest rate with 99.5 % delivered", goal => $goal{rate} } if $goal{rate};
    push @rows, { label => "$label, CPU per packet there", metric => 'cpu', unit => 'us', goal => $goal{cpu} },
        { %busy, label => "$label, hdbench was busy" };
    my @each = (pair => [qw(each derper)]);
    push @rows, { %rate, @each, label => "$label, a write for each record, highest rate" },
        { %busy, @each, label => "$label, a write for each record, hdbench was busy" } if $goal{rate};
    return {
        name => $name, rows => \@rows,
        who => { %vs_derper, $goal{rate} ? (each => { kind => 'ours', batch => 1 }) : () },
        measure => sub ($opt, $who, $run) { find($opt, $who, $tls, $run) },
    };
}

sub at_rate ($name, $label, $who, $rows, $tls, @args) {
    return {
        name => $name, who => $who,
        rows => [ map { +{ %$_, label => "$label, $_->{label}" } } @$rows ],
        measure => sub ($opt, $relay, $run) {
            my $r = rate(Relay->start(%$relay, tls => $tls), $opt, @args);
            return {
                cpu   => $r->{cpu_us_per_packet},
                p99   => $r->{latency_us}{p99},
                sent  => $r->{since_sent_us}{p99},
                late  => $r->{late_us}{p99},
                busy  => $r->{load_busy},
                share => 100 * $r->{delivered_share},
                rate  => $r->{delivered_pps},
            };
        },
    };
}

# "No row behind by more than 3 %" is asked of a rate that is fixed; without a limit
# a relay may take more, which is no loss. A run costs one of two things, whichever
# backend it is (doc/measured/limit.md): of five the median is either, the lower
# quartile the cheaper one in both.
sub backends {
    my @cpu = ({ label => 'CPU per packet', metric => 'cpu', unit => 'us',
            goal => NOISE });
    my @p99 = ({ label => 'p99', metric => 'p99', unit => 'us', goal => NOISE });
    my @groups;
    for my $set ([ 1, 40000 ], [ 1, 150000 ], [ 0, 40000 ], [ 0, 160000 ], [ 0, 'max' ]) {
        my ($tls, $rate) = @$set;
        for my $pairs (10, 100) {
            push @groups, at_rate('backend',
                ($tls ? 'TLS' : 'plain') . ", $pairs pairs, " . ($rate eq 'max' ? 'unlimited' : "$rate/s")
                    . ', io_uring beside epoll, lower quartiles',
                \%vs_epoll, [ @cpu, $rate eq 'max' ? () : @p99 ], $tls,
                '--pairs', $pairs, '--rate', $rate, $rate eq '40000' ? () : ('--batch', BATCH));
            $groups[-1]{part} = 1 / 4;
        }
    }
    return @groups;
}

# Two namespaces and a cable, with GSO and GRO: the relay's cost has its receiving
# in it (Veth.pm).
sub veth {
    my $cpu = { label => 'CPU per packet, with receiving', metric => 'cpu', unit => 'us' };
    my $sent = { label => 'p99, without what hdbench was late', metric => 'sent', unit => 'us' };
    my $share = { label => 'delivered', metric => 'share', unit => '%', is_high => 1 };
    my %who  = map { ($_ => { kind => $_, veth => 1 }) } qw(ours derper);
    return map { my ($label, @args) = @$_; at_rate('veth', "TLS, veth with GSO and GRO, $label", \%who, [ $cpu, $sent, $share ], 1, @args) }
        [ '40000/s', qw(--rate 40000) ],
        [ '100000/s, a write for each record', qw(--rate 100000) ],
        [ '150000/s, 8 of a pair at a time', qw(--rate 150000 --burst 8 --batch 8) ];
}

sub before ($opt) { return $opt->{before} // die "no build of ourselves before: --before DIR\n" }

# A relay that gets 40 % of a core has more load than it can take, whoever it is:
# so what a packet costs is the relay's own and not the load's. derper drops
# what is too much, so what a packet costs it is taken where it still delivers all.
sub saturated {
    my %half = (kind => 'ours', hog => HOG_NICE);
    my %who  = (
        ours   => {%half},
        plain  => { %half, plain => 1 },
        EVP    => { %half, crypto => 'openssl' },
        epoll  => { %half, backend => 'epoll' },
        AVX2   => { %half, crypto => 'ipsec-mb-avx2' },
        SSE    => { %half, crypto => 'ipsec-mb-sse' },
        before => { %half, before => 1 },
        derper => { kind => 'derper' },
    );
    my %cpu = (metric => 'cpu', unit => 'us');
    return {
        name => 'saturated', who => \%who,
        rows => [
            { label => 'TLS, 40 % of a core, unlimited: CPU per packet', %cpu, goal => 0.1 },
            { label => 'the same: the cost itself; other: plain TCP', %cpu, own_max => 0.55, pair => [qw(ours plain)] },
            { label => 'the same, beside plain TCP', %cpu, goal => 1.7, pair => [qw(ours plain)] },
            { label => 'the same, with the AES of OpenSSL', %cpu, goal => 0.8, pair => [qw(ours EVP)] },
            { label => 'the same, io_uring beside epoll', %cpu, goal => NOISE, pair => [qw(ours epoll)] },
            { label => 'the same, beside ourselves before libipsec-mb (1a5d038)', %cpu, goal => 1 / 1.6, pair => [qw(ours before)] },
            { label => 'the same, by its AES-NI code for AVX2, beside ourselves before', %cpu, goal => 1 / 1.25, pair => [qw(AVX2 before)] },
            { label => 'the same, by its AES-NI code for SSE, beside ourselves before', %cpu, goal => 1 / 1.25, pair => [qw(SSE before)] },
            { label => 'delivered, with the AES of OpenSSL', metric => 'rate', unit => 'packets/s',
                is_high => 1, pair => [qw(ours EVP)] },
        ],
        measure => sub ($opt, $who, $run) {
            return find($opt, $who, 1, $run) if $who->{kind} eq 'derper';
            my @from = $who->{before} ? (builddir => before($opt)) : ();
            my $r = rate(Relay->start(%$who, @from, tls => !$who->{plain}), $opt, '--rate', 'max', '--batch', BATCH);
            return { cpu => $r->{cpu_us_per_packet}, rate => $r->{delivered_pps} };
        },
    };
}

sub overload {
    my %who = map { ($_ => { kind => $_, hog => HALF }) } qw(ours derper);
    return {
        name => 'overload', who => \%who,
        rows => [
            { label => 'TLS, half a core, offered 2 x its capacity: delivered of it',
                metric => 'share', unit => '%', own_min => 95 },
            { label => 'the same, taken from the senders of capacity',
                metric => 'sent', unit => '%' },
        ],
        measure => sub ($opt, $who, $run) {
            my $cap   = find($opt, $who, 1, $run)->{rate};
            my $relay = Relay->start(%$who, tls => 1);
            my $r     = rate($relay, $opt, '--rate', int 2 * $cap, '--batch',
                batch($who));
            return { share => 100 * $r->{delivered_pps} / $cap,
                sent => 100 * $r->{sent_pps} / $cap };
        },
    };
}

sub peers {
    my %who = map {
        ("$_->{kind} $_->{peers}" => $_)
    } map { my $k = $_; map { +{ kind => $k, peers => $_ } } 20, 1000 }
        qw(ours derper);
    return {
        name => 'peers', who => \%who,
        rows => [
            { label => 'TLS, 40000/s, 1,000 peers (other: 20), CPU per packet',
                metric => 'cpu', unit => 'us', goal => 1.1,
                pair => [ 'ours 1000', 'ours 20' ] },
            { label => 'the same, derper', metric => 'cpu', unit => 'us',
                pair => [ 'derper 1000', 'derper 20' ] },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            my $r     = rate($relay, $opt, qw(--rate 40000 --peers),
                $who->{peers});
            return { cpu => $r->{cpu_us_per_packet} };
        },
    };
}

# More clients than a worker keeps expanded keys for.
sub active {
    return {
        name => 'active', who => \%vs_derper,
        rows => [
            { label => 'TLS, 40000/s, 10,000 active peers, CPU per packet', metric => 'cpu', unit => 'us' },
            { label => 'the same, p99', metric => 'p99', unit => 'us' },
            { label => 'the same, delivered', metric => 'share', unit => '%', is_high => 1 },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            my $r     = rate($relay, $opt, qw(--rate 40000 --peers 10000 --parallel 32));
            return { cpu => $r->{cpu_us_per_packet}, p99 => $r->{latency_us}{p99},
                share => 100 * $r->{delivered_share} };
        },
    };
}

sub memory ($opt) {
    my ($n, $many) = @$opt{qw(idle many)};
    return {
        name => 'memory', runs => 3, who => \%vs_derper,
        rows => [
            { label => 'RSS after start, one worker', metric => 'start',
                unit => 'MB', own_max => 12 },
            { label => "idle TLS peer, growth of RSS, $n peers", metric => 'peer',
                unit => 'kB', own_max => 2 },
            { label => "idle TLS peer, growth of RSS, $many peers", metric => 'many',
                unit => 'kB', own_max => 2 },
            { label => 'the slope between them', metric => 'slope',
                unit => 'kB', own_max => 2 },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            my $start = $relay->rss_kb;
            my @r = $relay->bench('--idle', $n, '--fast-start');
            $relay->stop;
            push @r, Relay->start(%$who, tls => 1)->bench('--idle', $many, '--fast-start');
            return {
                start => $start * KIB / 1000,
                peer  => $r[0]{kb_per_peer} * KIB,
                many  => $r[1]{kb_per_peer} * KIB,
                slope => ($r[1]{rss_after_kb} - $r[0]{rss_after_kb}) / ($many - $n) * KIB,
            };
        },
    };
}

# Connections that move to another worker at their login, with packets right
# behind it; hdbench fails if one is lost. Three of four move.
sub moves {
    return {
        name => 'moves', once => 1, who => { ours => { kind => 'ours', workers => 4 } },
        rows => [
            { label => 'TLS login that moves to its home worker: time of the move',
                metric => 'mean', unit => 'us', own_max => 200 },
            { label => 'the same, of those within 200 us', metric => 'within', unit => '%' },
            { label => 'the same, moves with 3 packets behind each login, none lost',
                metric => 'done', unit => '', own_min => 10000 },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            $relay->bench(qw(--logins 14000 --login-rate 500 --behind 3 --fast-start));
            my $m = $relay->status->{moves};
            return { mean => $m->{mean_us}, done => $m->{done},
                within => 100 - 100 * $m->{over_200_us} / $m->{done} };
        },
    };
}

# The same rate through our record layer and through SSL_read and SSL_write:
# the highest that the latter carries, and one far below, where waking up is
# most of the cost.
sub records {
    my %who = (
        ours   => { kind => 'ours' },
        'SSL_*' => { kind => 'ours', records => 'openssl' },
    );
    my @pair = (pair => [ 'ours', 'SSL_*' ]);
    my $cpu = { label => 'CPU per packet', metric => 'cpu', unit => 'us', @pair };
    my $share = { label => 'delivered', metric => 'share', unit => '%', is_high => 1, @pair };
    my $near = {
        name => 'records', who => \%who,
        rows => [
            { label => 'TLS, the highest rate that SSL_* carries', metric => 'rate',
                unit => 'packets/s', is_high => 1, @pair },
            map { +{ %$_, label => "there, $_->{label}" } } { %$cpu, goal => 0.9 }, $share,
        ],
        measure => sub ($opt, $who, $run) {
            my $rate = find($opt, $who{'SSL_*'}, 1, $run)->{rate};
            my $r = rate(Relay->start(%$who, tls => 1), $opt, '--rate', int $rate, '--batch', BATCH);
            return { cpu => $r->{cpu_us_per_packet}, share => 100 * $r->{delivered_share},
                rate => $r->{offered_pps} };
        },
    };
    return ($near, at_rate('records', 'TLS, 200000/s', \%who, [ $cpu, $share ], 1,
            '--rate', 200000, '--batch', BATCH));
}

sub logins {
    return {
        name => 'login', who => \%vs_derper,
        rows => [
            { label => 'TLS login with fast start, CPU', metric => 'cpu',
                unit => 'us', goal => 0.7 },
            { label => 'the same: the cost itself', metric => 'cpu', unit => 'us', own_max => 300 },
            { label => 'TLS logins, as fast as they go', metric => 'rate',
                unit => '1/s', is_high => 1 },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            my $r = $relay->bench(qw(--logins 3000 --fast-start));
            return { cpu => 1000 * $r->{cpu_ms_per_login},
                rate => $r->{logins_per_s} };
        },
    };
}

# hdctl upgrade, three times in each run, while clients send: both processes share
# the relay's core. "none": the same load without an upgrade. Five packets of a pair
# at a time: else hdbench is what limits.
sub upgrades ($opt, $label, $n, $rate, %max) {
    return {
        name => 'upgrade', runs => 3, is_long => $n > 1000, who => {
            map { ($_ => { kind => 'ours', conf => "login_timeout: 120s\n", upgrades => $_ eq 'ours' ? 3 : 0 }) } 'ours', $n > 1000 ? () : 'none'
        },
        rows => [ map { { %$_, pair => [ 'ours', $n > 1000 ? '' : 'none' ] } }
            { label => "hdctl upgrade, $label: the longest that no packet moves", metric => 'stands',
                unit => 'ms', own_max => $max{stands} },
            { label => 'the same, in all', metric => 'all', unit => 'ms', own_max => $max{all} },
            { label => 'the same, the latest packet', metric => 'late', unit => 'ms' },
            { label => 'the same, hdbench was busy', metric => 'busy', unit => 'share' },
            { label => 'the same, the longest silence of one client', metric => 'silence', unit => 'ms', own_max => $max{silence} },
        ],
        measure => sub ($opt, $who, $run) {
            my $relay = Relay->start(%$who, tls => 1);
            my $load  = $relay->load('--silence', '--peers', $n, '--rate', $rate, '--duration', 6, '--parallel', 64,
                qw(--burst 5 --batch 5));
            $relay->await_peers($n);
            sleep 2;    # hdbench warms up for one
            my @said = map { $relay->upgrade } 1 .. $who->{upgrades};
            my $r = $load->();
            die "packets were lost\n" if grep { $r->{$_} } qw(lost reordered foreign closed);
            return { stands => List::Util::max(map { $_->{silent_us} / 1000 } @said),
                all => List::Util::max(map { $_->{took_ms} } @said), late => $r->{latency_us}{max} / 1000,
                busy => $r->{load_busy},
                silence => $r->{silence_us}{max} / 1000 };
        },
    };
}

# Without --quick: all. What is left out there no figure of issue 16 asks for.
my %long = map { $_ => 1 } qw(plain records memory moves hook policy);
sub groups ($opt) { return grep { !$opt->{quick} || !($long{ $_->{name} } || $_->{is_long}) } all_groups($opt) }

sub all_groups ($opt) {
    my @cpu = ({ label => 'CPU per packet', metric => 'cpu', unit => 'us',
            goal => 0.8 }, { label => 'p99', metric => 'p99', unit => 'us' });
    my @most = ({ label => 'CPU per packet', metric => 'cpu', unit => 'us', goal => 0.7 },
        { label => 'p99', metric => 'p99', unit => 'us' },
        { label => 'p99, without what hdbench was late', metric => 'sent', unit => 'us', goal => 1 / 3 },
        { label => 'hdbench was late, p99', metric => 'late', unit => 'us' },
        { label => 'hdbench was busy', metric => 'busy', unit => 'share' },
        { label => 'delivered', metric => 'share', unit => '%',
            is_high => 1 });
    # what matters most stands first: a run that is ended early has it
    return (
        finds('tls', 'TLS, 10 pairs, 1400 B', 1, rate => 10, cpu => 0.1),
        at_rate('rate150k', 'TLS, 150000/s, a write for each record', \%vs_derper, \@most, 1,
            qw(--rate 150000)),
        at_rate('rate150k', 'TLS, 150000/s, up to 16 in a write', \%vs_derper, \@most, 1,
            qw(--rate 150000 --batch), BATCH),
        at_rate('rate150k', 'TLS, 150000/s, 8 of a pair at a time', \%vs_derper, \@most, 1,
            qw(--rate 150000 --burst 8 --batch 8)),
        saturated(), overload(), backends(), peers(), active(), logins(),
        upgrades($opt, '1,000 TLS clients, 50,000 packets/s', 1000, 50_000, stands => 50, all => 1000, silence => 50),
        at_rate('rate40k', 'TLS, 40000/s', \%vs_derper, \@cpu, 1,
            qw(--rate 40000)),
        veth(),
        finds('plain', 'plain TCP, 10 pairs, 1400 B', 0, rate => 0,
            cpu => 1 / 7),
        records(), memory($opt), moves(),
        upgrades($opt, "$opt->{many} idle TLS clients, 500 packets/s", $opt->{many}, 500, stands => 100, all => 1000),
        Counted::groups(),
    );
}

1;

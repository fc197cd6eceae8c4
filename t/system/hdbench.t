#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdbench.t - hdbench measures, and its exit status says whether it
# could. How fast the relay is belongs to `make bench`, not here.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use JSON::PP;
use Socket ();

my $hdbench = "$HyperDerp::Test::build/hdbench";

# Returns the exit status, standard output and standard error.
sub run_bench (@args) {
    my $errors = File::Temp->new;
    my $pid    = open my $out, '-|' // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', $errors;
        exec $hdbench, @args or POSIX::_exit(127);
    }
    local $/;
    my $text = <$out> // '';
    close $out;
    return ($? >> 8, $text, HyperDerp::Test::slurp("$errors"));
}

sub measured (@args) {
    my ($status, $text, $errors) = run_bench('--json', @args);
    is $status, 0, "measured: @args" or diag $errors;
    return $status == 0 ? decode_json($text) : {};
}

# The same of a rate. When a machine stalls for half a second hdbench takes what
# is late for lost, and there may be nothing in so short a window: then it is
# measured again.
sub rate (@args) {
    my $may_lose = grep { $_ eq 'max' } @args;
    my $r;
    for (1 .. 5) {
        $r = measured(@args);
        last if $r->{delivered_pps} && ($may_lose || !$r->{lost});
        note 'again: ' . encode_json($r);
    }
    return $r;
}

my ($status, $text, $errors) = run_bench('--help');
is $status, 0, '--help';
like $text, qr/--rate N\|max/, 'the help names the options';
($status, $text) = run_bench('--version');
like $text, qr/^hdbench \d+\.\d+/, '--version';
for my $wrong ([], ['a', 'b'], ['--pairs', '0', 'x'], ['--rate', '1.5', 'x'],
    ['--size', '31', 'x'], ['--nosuch', 'x'], ['--idle', '5', 'x'],
    ['--behind', '5', 'x'], ['--crypto', 'none', 'x'], [qw(--threads 2 --idle 5 --pid 1 x)],
    [qw(--threads 3 --pairs 2 x)], [qw(--threads 2 --in-flight 2 --rate max x)], ['--cpu', 'x'], ['--cpu'],
    [qw(--pid 1 --cpu-command true x)], ['--hd', '--silence', 'x'], [qw(--identities 2 x)], ['--hd', '--plain', 'x'], ['--hd-udp', '--size', '1201', 'x']) {
    ($status, $text, $errors) = run_bench(@$wrong);
    is $status, 2, "usage: @$wrong";
    ok length $errors, '... and says why';
}
($status, $text, $errors)
    = run_bench('--plain', '127.0.0.1:' . HyperDerp::Test::free_port());
is $status, 1, 'nobody listens';
like $errors, qr/Connection refused/, '... and says so';

my $hd = HyperDerp::Test->start;
my $tls   = "127.0.0.1:$hd->{tls}";
my $plain = "127.0.0.1:$hd->{plain}";
my @brief = qw(--pairs 3 --rate 2000 --duration 0.3 --warmup 0.1);

for my $how ([$tls], ['--fast-start', $tls], ['--ca', $hd->{crt}, $tls],
    ['--plain', $plain], ['--plain', '--fast-start', $plain],
    [qw(--size 1500 --batch 4), $tls], [qw(--burst 5 --batch 5), $tls], [qw(--size 32 --plain), $plain]) {
    my $r = rate(@brief, @$how);
    is $r->{lost}, 0, '... nothing lost';
    is $r->{foreign} + $r->{reordered} + $r->{closed}, 0, '... nothing odd';
    is $r->{offered_pps}, 2000, '... offered what was asked for';
    cmp_ok $r->{latency_us}{p50}, '>', 0, '... with a latency';
    cmp_ok $r->{since_sent_us}{p50}, '<=', $r->{latency_us}{p50}, '... of which some is since it was sent';
}

# Both ends encrypt by whom they like.
is rate(@brief, qw(--crypto openssl), $tls)->{load_crypto}, 'openssl', 'by OpenSSL';
($status, $text, $errors) = run_bench(qw(--json --crypto ipsec-mb), @brief, $tls);
my $has_mb = $status == 0;
$has_mb ? like $text, qr/"load_crypto": "ipsec-mb \d/, 'by ipsec-mb' : like $errors, qr/libipsec-mb/, 'no ipsec-mb here: said';
is rate(@brief, $tls)->{load_crypto} =~ /^ipsec-mb/ ? 1 : 0, $has_mb ? 1 : 0, '... which auto takes where it is';
ok !exists rate(@brief, '--plain', $plain)->{load_crypto}, 'nobody without TLS';
my $r = rate(@brief, '--pid', $hd->pid, $tls);
cmp_ok $r->{load_cores}, '>', 0, 'CPU of hdbench itself';
cmp_ok $r->{cpu_us_per_packet}, '>', 0, 'CPU per packet of a process';

# Several threads: together they offer and measure the same.
for my $how ([$tls], ['--plain', $plain], [qw(--burst 5 --batch 5 --silence), $tls]) {
    my $r = rate(qw(--pairs 5 --threads 3 --rate 2000 --duration 0.5 --warmup 0.1), '--pid', $hd->pid, @$how);
    is $r->{threads}, 3, 'three threads';
    is $r->{lost} + $r->{foreign} + $r->{reordered} + $r->{closed}, 0, '... nothing lost, nothing odd';
    cmp_ok abs($r->{offered_pps} - 2000), '<=', 30, '... offered what was asked for' or diag $r->{offered_pps};
    cmp_ok $r->{cpu_us_per_packet}, '>', 0, '... CPU per packet of all';
    ok abs($r->{cpu_us_per_packet} * $r->{delivered_pps} / 1e6 - $r->{cpu_cores}) < 0.01 * $r->{cpu_cores}, '... of all packets';
}
$r = measured(qw(--find --rate 20000 --share 1 --duration 0.05 --warmup 0 --pairs 4 --threads 2 --plain), $plain);
cmp_ok $r->{found_pps}, '>', 200, 'a rate is found by two';
$r = rate(qw(--rate max --pairs 4 --threads 2 --duration 0.3 --warmup 0.1), $tls);
cmp_ok $r->{delivered_pps}, '>', 0, 'as fast as two go';

# A relay on another machine: who is there says what it has used.
my $pid = $hd->pid;
($status, $text) = run_bench('--cpu', '--pid', $pid);
like $text, qr/^\d+\.\d{9} \d+\.\d{9}$/, '--cpu';
is +(run_bench(qw(--cpu --pid 4194304)))[0], 1, '... of nobody';
$r = rate(@brief, '--cpu-command', "$hdbench --cpu --pid $pid", $tls);
cmp_ok $r->{cpu_us_per_packet}, '>', 0, 'CPU by a command';
ok !exists $r->{others_cores}, '... which does not say what others use';
$r = rate(@brief, '--cpu-command', 'echo 7 5', $tls);
ok !exists $r->{cpu_cores}, '... nothing where no time has passed';
my $told = "$hd->{dir}/told";
$r = rate(@brief, '--cpu-command', "echo >>$told; grep -c '' $told", $tls);
ok abs($r->{cpu_cores} - 1 / 0.3) < 0.5, '... a second used in 0.3, by our clock' or diag $r->{cpu_cores};
ok !exists rate(@brief, '--cpu-command', "echo >>$told; expr 99 - \$(grep -c '' $told)", $tls)->{cpu_cores},
    '... nothing of a relay that has begun anew';
ok !exists rate(@brief, '--cpu-command', "echo >>$told; echo \$(grep -c '' $told)e300", $tls)->{cpu_cores}, '... nor of no time';
($status, $text, $errors) = run_bench(@brief, '--cpu-command', 'false', $tls);
is $status, 0, '... one that fails is no reason not to measure';
like $errors, qr/--cpu-command/, '... and is said';

# 64 KiB are four records each; a queue of the relay holds four of them
$r = rate(qw(--size 65536 --rate 100 --duration 0.3 --warmup 0), $tls);
is $r->{lost}, 0, 'packets of 64 KiB';
$r = rate(qw(--rate max --pairs 2 --duration 0.3 --warmup 0.1), $tls);
cmp_ok $r->{delivered_pps}, '>', 0, 'as fast as it goes';
$r = rate(qw(--rate max --in-flight 1 --duration 0.3 --warmup 0), $tls);
cmp_ok $r->{delivered_pps}, '>', 0, 'one packet at a time';
$r = measured(qw(--find --rate 20000 --share 1 --duration 0.05 --warmup 0),
    '--pairs', 2, '--plain', $plain);
cmp_ok $r->{found_pps}, '>', 200, 'a rate is found';
for my $step ([2], [1.1, '--near']) {
    my ($factor, @near) = @$step;
    $r = measured(qw(--find --rate 20000 --share 1 --duration 0.05 --warmup 0 --resolution 50), @near, '--pairs', 2, '--plain', $plain);
    my $ratio = $r->{failed_pps} / $r->{found_pps};
    ok abs($ratio - $factor) < 0.05 * $factor, "... by steps of $factor, and no smaller one than the resolution" or diag $ratio;
}
$r = measured('--idle', 20, '--pid', $hd->pid, $tls);
is $r->{closed}, 0, 'idle peers stay';
$r = measured('--logins', 40, '--pid', $hd->pid, '--fast-start', $tls);
is $r->{logins}, 40, 'logins';
$r = measured(qw(--logins 40 --behind 8 --size 10000), @$_, $tls) for [], ['--fast-start'];
is $r->{logins}, 40, '... with packets behind them';
$r = measured(qw(--logins 40 --identities 5 --fast-start), $tls);
is $r->{logins}, 40, 'logins of keys that take turns';
my $logins = decode_json($hd->ctl(qw(--json status)))->{logins};
my (@keys, %times);
HyperDerp::Test::wait_for(sub { (@keys = $hd->log_text =~ /login: key=(\S+)/g) >= $logins });
$times{$_}++ for @keys;
is scalar(grep { $_ > 1 } values %times), 5, '... of so many keys';
$r = measured(qw(--logins 20 --login-rate 200), $tls);
cmp_ok $r->{logins_per_s}, '<=', 220, 'logins by the clock';

# Stopped for 300 ms, with packets under way.
sub packets_in () { return decode_json($hd->ctl(qw(--json status)))->{packets_in} }
for my $to ([$tls], ['--plain', $plain]) {
    my $before = packets_in();
    my $stopper = fork // die "fork: $!";
    if ($stopper == 0) {
        HyperDerp::Test::wait_for(sub { packets_in() > $before + 100 });
        $hd->signal('STOP');
        select undef, undef, undef, 0.3;
        $hd->signal('CONT');
        POSIX::_exit(0);
    }
    $r = measured(qw(--pairs 2 --rate 2000 --duration 2 --warmup 0 --silence), @$to);
    waitpid $stopper, 0;
    cmp_ok $r->{silence_us}{$_}, '>=', 250_000, "the relay is stopped: $_ of the silences" for qw(p50 max);
}
ok !exists rate(@brief, $tls)->{silence_us}, 'who does not ask is not told';

# Told to end, it measures no longer, and says what it has.
{
    my $pid = open my $out, '-|', $hdbench, qw(--json --pairs 2 --rate 500 --duration 3600 --warmup 0), $tls or die "hdbench: $!";
    my $sent = sub { (grep { $_->{name} eq 'hyper_derp_send_packets_total' } @{ decode_json($hd->ctl(qw(--json metrics))) })[0]{value} };
    my $before = $sent->();
    HyperDerp::Test::wait_for(sub { $sent->() >= $before + 100 });
    kill INT => $pid;
    local $/;
    $r = decode_json(<$out>);
    close $out;
    is $?, 0, 'SIGINT';
    cmp_ok $r->{duration_s}, '<', 3600, '... how long it has measured';
    cmp_ok $r->{delivered_pps} * $r->{duration_s}, '>=', 50, '... what has come';
    is $r->{lost}, 0, '... what was under way, too';
}

($status, $text, $errors) = run_bench(@brief, $plain);
is $status, 1, 'TLS to a plain port';
like $errors, qr/--plain/, '... names the remedy';
($status, $text, $errors) = run_bench(@brief, '--sni', 'other', '--ca',
    $hd->{crt}, $tls);
is $status, 1, 'the certificate has another name';
($status, $text) = run_bench(@brief, $tls);
like $text, qr/not verified/, 'the table says what was not verified';

$hd->finish;
my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $relay = HyperDerp::Test->start(load_module => ['hd'], workers => 2, conf => "hd: {enroll: anybody, udp: '127.0.0.1:$port'}\n");
my $to = "127.0.0.1:$relay->{tls}";
sub by_udp {
    my ($m) = grep { $_->{name} eq 'hyper_derp_hd_udp_packets_received_total' } @{ decode_json($relay->ctl(qw(--json metrics))) };
    return $m->{value};
}
for my $how (['--hd'], ['--hd', '--ca', $relay->{crt}], [qw(--hd --size 20000 --rate 200)], ['--hd-udp', '--size', '1200']) {
    my $before = by_udp();
    my $r = rate(@brief, @$how, $to);
    is $r->{lost}, 0, '... nothing lost';
    is $r->{foreign} + $r->{closed}, 0, '... nothing odd';
    my $n = by_udp() - $before;
    $how->[0] eq '--hd-udp' ? cmp_ok($n, '>', 0, '... by UDP') : is($n, 0, '... by TCP');
}
$r = measured('--hd', '--logins', 20, $to);
is $r->{logins}, 20, 'logins';
$r = measured('--hd-udp', '--idle', 20, '--pid', $relay->pid, $to);
is $r->{closed}, 0, 'idle peers stay';
$relay->finish;
done_testing;

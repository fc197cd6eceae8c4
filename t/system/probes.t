#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/probes.t - static probes: doc/guides/tracing.md lists what the program has,
# and bpftrace sees through them what a live relay does.
use v5.36;
no warnings qw(portable);    # addresses have 64 bits
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use POSIX qw(WNOHANG);

my $build = $HyperDerp::Test::build;
my $doc = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/guides/tracing.md");
my $scripts = "$HyperDerp::Test::srcdir/contrib/bpftrace";

plan skip_all => 'built without USDT probes: sys/sdt.h (systemtap-sdt-dev) is missing'
    unless HyperDerp::Test::slurp("$build/config.h") =~ /^#define HAVE_SDT 1$/m;
plan skip_all => 'readelf (binutils) is missing' unless `readelf --version 2>&1`;

# What the notes of the program say: name => { args, at => [offset in the file] }
sub probes () {
    my (%p, $name);
    for (`readelf -nW $build/hyper-derp`) {
        $name = $1 if /^\s+Name: (\w+)/;
        push @{ $p{$name}{at} }, hex $1 if /Location: 0x([0-9a-f]+)/;
        $p{$name}{args} = () = $1 =~ /@/g if /Arguments: (.*)/;
    }
    return \%p;
}

my $probes = probes();
my ($table) = $doc =~ /^## The probes(.*?)^In `packet_in`/ms;
my %documented = $table =~ /^\| `(\w+)` \| ([^|]*) \|/mg;
is_deeply { map { $_ => $probes->{$_}{args} } keys %$probes },
    { map { $_ => scalar split /, (?!1 )|, (?=1 )/, $documented{$_} } keys %documented },
    'doc/guides/tracing.md lists the probes, each with its arguments';

my $hd = HyperDerp::Test->start(workers => 2, load_module => [qw(derp stun)],
    conf => "output_limit: 128KiB\n");
my @reasons = do {
    my %seen;
    grep { !$seen{$_}++ } $hd->ctl('metrics') =~ /send_drops_total\s+reason="(\w+)"/g;
};
is_deeply [$doc =~ /^\| \d \| `(\w+)` \|/mg], \@reasons, 'reasons of drops in doc/guides/tracing.md';
is_deeply [HyperDerp::Test::slurp("$scripts/drops.bt") =~ /\@reason\[\d\] = "(\w+)"/g], \@reasons,
    '... and in drops.bt';

# ---- live ----

sub mem ($at) {
    open my $f, '<:raw', '/proc/' . $hd->pid . '/mem' or return '';
    sysseek $f, $at, 0;
    sysread $f, my $b, 4;
    return $b;
}

my ($base) = HyperDerp::Test::slurp('/proc/' . $hd->pid . '/maps') =~ /^([0-9a-f]+)-\S+ \S+ 0+ .*hyper-derp$/m;
my %nop = map { $_ => mem(hex($base) + $_) } map { @{ $_->{at} } } values %$probes;

# Attached when every place has the kernel's breakpoint.
sub attached (@names) {
    return !grep { mem(hex($base) + $_) eq $nop{$_} } map { @{ $probes->{$_}{at} } } @names;
}

# bpftrace at work; dies with what it said when it does not attach.
sub trace (@args) {
    my $source = $args[0] eq '-e' ? $args[1] : HyperDerp::Test::slurp($args[0]);
    my %names = map { $_ => 1 } $source =~ /hyper_derp:(\w+)/g;
    my $out = "$hd->{dir}/bpftrace";
    open my $to, '>', $out or die "$out: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>&', $to;
        open STDERR, '>&', $to;
        exec 'bpftrace', '-p', $hd->pid, @args or POSIX::_exit(127);
    }
    my $end;
    HyperDerp::Test::wait_for(sub {
        $end = waitpid($pid, WNOHANG) == $pid;
        return $end || attached(keys %names);
    }, 60) && !$end and return { pid => $pid, out => $out };
    kill 'KILL', $pid;
    waitpid $pid, 0;
    die HyperDerp::Test::slurp($out) || "nothing said\n";
}

# All that it has seen.
sub seen ($t) {
    for (1 .. 6) {
        # Elsewhere than in epoll_wait() it does not notice the signal.
        HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp("/proc/$t->{pid}/wchan") =~ /poll/ }, 1);
        kill 'INT', $t->{pid};
        HyperDerp::Test::wait_for(sub { waitpid($t->{pid}, WNOHANG) == $t->{pid} }, 5)
            and return HyperDerp::Test::slurp($t->{out});
    }
    kill 'KILL', $t->{pid};
    waitpid $t->{pid}, 0;
    die "bpftrace does not end\n";
}

sub sum ($text, $re) {
    my $n = 0;
    $n += $_ for $text =~ /$re/g;
    return $n;
}

sub name ($client) { return substr $client->key, 0, 8 }

sub why_not () {
    return 'the plain build is traced' if HyperDerp::Test::sanitized;
    return 'bpftrace is not installed' unless `bpftrace --version 2>&1`;
    return 'bpftrace needs root' if $>;
    my $t = eval { trace('-e', 'usdt:*:hyper_derp:turn_begin { @ = count(); }') };
    return 'bpftrace cannot attach to probes here: ' . $@ =~ s/\s+/ /gr unless $t;
    seen($t);
    return;
}

SKIP: {
    my $why = why_not();
    skip $why, 4 if $why;
    subtest 'drops.bt' => sub {
        my ($alice, $bob) = map { $hd->client } 1 .. 2;
        my $t = trace("$scripts/drops.bt");
        $alice->fill('ab' x 32, 1000, 50);
        $bob->tell('stop');
        $alice->fill($bob->key, 10000, 1500);
        $alice->ping('12345678');
        ok $alice->expect(qr/^pong/), 'traffic';
        # Bob's worker may still be at it.
        my $queue_head = sub { sum($hd->ctl('metrics'), qr/reason="queue_head",kind="\w+"\s+(\d+)/) };
        my $last = -1;
        HyperDerp::Test::wait_for(sub {
            my $before = $last;
            $last = $queue_head->();
            return $last > 0 && $last == $before;
        });
        my $out = seen($t);
        is sum($out, qr/^\@packets\[unknown_dest\]: (\d+)/m), 50, 'to nobody';
        is sum($out, qr/^\@peers\[unknown_dest, (?:@{[name $alice]})?\]: (\d+)/m), 50,
            '... and who sent it, unless that is known to another worker';
        my $dropped = sum($out, qr/^\@packets\[queue_head\]: (\d+)/m);
        cmp_ok $dropped, '>', 100, 'to one that does not read';
        is $dropped, $queue_head->(), '... as many as the metrics say';
        is sum($out, qr/^\@peers\[queue_head, @{[name $bob]}\]: (\d+)/m), $dropped, '... all of it to Bob';
        $_->quit for $alice, $bob;
    };
    subtest 'top-talkers.bt' => sub {
        my ($alice, $bob) = map { $hd->client } 1 .. 2;
        my $t = trace("$scripts/top-talkers.bt");
        $alice->fill($bob->key, 1000, 100);
        $bob->packet for 1 .. 100;
        my $out = seen($t);
        is sum($out, qr/^\@sent\[@{[name $alice]}\]: (\d+)/m), 100_000, 'Alice sends';
        is sum($out, qr/^\@received\[@{[name $bob]}\]: (\d+)/m), 100_000, 'Bob receives';
        like $out, qr/^\@size: *\n\[512, 1K\) +100 /m, 'sizes';
        $_->quit for $alice, $bob;
    };
    subtest 'login-latency.bt' => sub {
        my $t = trace("$scripts/login-latency.bt");
        $_->quit for map { $hd->client } 1 .. 5;
        my $plain = $hd->socket($hd->{tls});
        print {$plain} "no TLS\r\n\r\n";
        { local $/; my $alert = <$plain>; }
        my $out = seen($t);
        my ($tls) = $out =~ /^\@tls_us: *\n((?:\[.*\n)+)/m;
        my ($login) = $out =~ /^\@login_us\[derp\]: *\n((?:\[.*\n)+)/m;
        is sum($tls // '', qr/\)\s+(\d+) \|/), 5, 'handshakes';
        is sum($login // '', qr/\)\s+(\d+) \|/), 5, 'logins';
        like $out, qr/^\@tls_failed: 1$/m, 'one handshake failed';
    };
    subtest 'the other probes' => sub {
        my $t = trace('-e', <<~'END');
            usdt:*:hyper_derp:peer_up { printf("up %llu %s %r %s\n", arg0, str(arg2), buf(arg3, 4), str(arg4)); }
            usdt:*:hyper_derp:peer_down { printf("down %llu %s %d\n", arg0, str(arg2), arg4); }
            usdt:*:hyper_derp:closed { printf("closed %llu %d %d\n", arg0, arg2, arg4); }
            usdt:*:hyper_derp:login_refused { printf("refused %s: %s\n", str(arg2), str(arg3)); }
            usdt:*:hyper_derp:module_loaded { printf("loaded %s\n", str(arg0)); }
            usdt:*:hyper_derp:module_unloaded { printf("unloaded %s\n", str(arg0)); }
            usdt:*:hyper_derp:module_reloaded { printf("reloaded %s %d\n", str(arg0), arg2); }
            usdt:*:hyper_derp:turn_begin { @begun = count(); }
            usdt:*:hyper_derp:turn_end { @ended = count(); }
            END
        my $alice = $hd->client;
        my $name = name $alice;
        $alice->quit;
        HyperDerp::Test::wait_for(sub { $hd->ctl('peers') !~ /$name/ });
        $hd->ctl('module', $_, 'stun') for qw(reload unload load);
        my ($login, $waits) = (scalar HyperDerp::Raw::logins($hd), HyperDerp::Raw->open($hd));
        $waits->write($login->{head});
        $waits->expect(HyperDerp::Raw::SERVER_KEY);
        $hd->signal('USR2');
        $hd->log_like(qr/drain begins/);
        HyperDerp::Test::wait_for(sub { !HyperDerp::Raw->start($hd, $login)->admitted });
        $waits->write($login->{info});
        ok $waits->closed, 'one that had begun is refused';
        my $late = $hd->client(may_fail => 1);
        ok !$late->ok, 'a login is refused';
        my $out = seen($t);
        my ($conn) = $out =~ /^up (\d+) $name .+ derp$/m;    # a byte of the key may be a space
        ok $conn, 'peer_up' or diag $out;
        $conn //= 0;
        like $out, qr/^down $conn $name 5$/m, 'peer_down: it left';
        like $out, qr/^closed $conn 5 [1-9]/m, 'closed, the same connection';
        like $out, qr/^refused [0-9a-f]{8}: the relay is draining$/m, 'login_refused';
        like $out, qr/^reloaded stun 1\nunloaded stun\nloaded stun$/m, 'modules';
        my ($begun, $ended) = map { $out =~ /^\@$_: (\d+)$/m ? $1 : 0 } qw(begun ended);
        cmp_ok $begun, '>', 10, 'turns';
        cmp_ok $ended, '>', 10, '... end';
    };
}
$hd->finish;
done_testing;

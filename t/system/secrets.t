#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/secrets.t - what a core dump of a relay with live connections holds.
use v5.36;
use Test::More;
use Digest::SHA qw(hmac_sha256 hmac_sha384);
use HyperDerp::Test;
use IPC::Open2;

my $pattern = HyperDerp::Test::slurp('/proc/sys/kernel/core_pattern') =~ s/\s+\z//r;
plan skip_all => "core dumps go elsewhere: kernel.core_pattern is $pattern"
    if $pattern =~ m{^\||/};
plan skip_all => 'a sanitizer handles SIGABRT and maps too much for a dump'
    if $ENV{HD_SANITIZERS} && $ENV{HD_SANITIZERS} ne 'no';
plan skip_all => 'the hard limit forbids core dumps (ulimit -H -c)'
    if qx(sh -c 'ulimit -H -c') =~ /^0/;

# A daemon that may leave a core file in its folder.
sub daemon ($conf) {
    my $hd = HyperDerp::Test->new(conf => $conf);
    $hd->{wrap} = ['sh', '-c', 'ulimit -c unlimited; cd "$0" && exec "$@"', $hd->dir];
    $hd->run;
    $hd->ready or die $hd->log_text;
    return $hd;
}

# A client that has made a request and stays; its key log.
sub client ($hd, @options) {
    state $n = 0;
    my $log = $hd->dir . '/keys' . $n++;
    my $pid = open2(my $out, my $in, qw(sh -c), 'exec openssl s_client "$@" 2>/dev/null', 'sh',
        '-quiet', '-keylogfile', $log,
        @options, '-connect', "127.0.0.1:" . $hd->{tls});
    $in->autoflush(1);
    print $in "GET /derp/probe HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $head = <$out> // '';
    like $head, qr/^HTTP\/1.1 200/, "a client with @options";
    return { pid => $pid, in => $in, out => $out, log => $log };
}

sub leave ($c) {
    kill 'KILL', $c->{pid};
    waitpid $c->{pid}, 0;
}

sub keys_of ($c) {
    return map { /^(\S+) \S+ (\S+)/ ? ($1 => pack('H*', $2)) : () }
        split /\n/, HyperDerp::Test::slurp($c->{log});
}

sub private_key ($hd) {
    my ($hex) = qx(openssl pkey -in $hd->{key} -text -noout) =~ /priv:\s*((?:[0-9a-f]{2}[:\s]*)+)pub/
        or die;
    return substr pack('H*', $hex =~ s/[^0-9a-f]//gr), -32;
}

sub core_of ($hd) { return (glob $hd->dir . '/core*')[0] }

# RFC 8446, 7.3; one block is enough.
sub derived ($secret, $label, $n) {
    my $info = pack('n C/a C/a', $n, "tls13 $label", '') . "\1";
    my $hmac = length $secret == 48 ? \&hmac_sha384 : \&hmac_sha256;
    return substr $hmac->($info, $secret), 0, $n;
}

# Each: does the dump hold it, as bytes or as text?
sub holds ($core, $what) {
    return index($core, $what) >= 0 || index($core, unpack 'H*', $what) >= 0;
}

# What lies in malloc's memory of a live process.
sub heap ($pid) {
    my $heap = '';
    no warnings 'portable';    # numbers of 64 bits
    open my $mem, '<:raw', "/proc/$pid/mem" or return;
    for (split /\n/, HyperDerp::Test::slurp("/proc/$pid/smaps") =~ s/\n(?![0-9a-f]+-)/ /gr) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ 00:00/ or next;
        next if /VmFlags:.*\bdd\b/;
        sysseek $mem, hex $from, 0;
        sysread $mem, $heap, hex($to) - hex($from), length $heap;
    }
    return $heap;
}

subtest 'core_dumps: off, the default' => sub {
    my $hd = daemon('');
    my $c  = client($hd);
    my %k  = keys_of($c);
  SKIP: {
        my $heap = heap($hd->pid) // skip 'not root: cannot read the memory of a protected process', 3;
        cmp_ok length $heap, '>', 1e5, 'a heap of ' . length($heap) . ' bytes';
        ok !holds($heap, $k{"${_}_TRAFFIC_SECRET_0"}), "... has not the ${_}'s traffic secret"
            for qw(CLIENT SERVER);
    }
    $hd->signal('ABRT');
    my $status = $hd->wait_exit;
    is $status & 127, 6, 'ended by SIGABRT';
    is $status & 128, 0, 'nothing was dumped';
    is core_of($hd), undef, 'no core file';
    leave($c);
};

subtest 'core_dumps: on' => sub {
    my $hd = daemon("core_dumps: on\n");
    my @suites = qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256);
    my %live = map { $_ => client($hd, '-ciphersuites', $_) } @suites;
    my $old  = client($hd, '-tls1_2');
    my $gone = client($hd);
    leave($gone);
    $hd->log_like(qr/closed/, 2);
    $hd->signal('ABRT');
    my $status = $hd->wait_exit(60);
    plan skip_all => 'the kernel wrote no core file' unless $status & 128 && core_of($hd);
    my $core = HyperDerp::Test::slurp(core_of($hd));
    cmp_ok length $core, '>', 1e5, 'a core file of ' . length($core) . ' bytes';
    ok holds($core, 'hd_worker') || holds($core, 'GET /derp/probe'), 'with the memory of the relay';
    for my $c ([$gone, 'a connection that is gone'], map { [$live{$_}, $_] } @suites) {
        my %k = keys_of($c->[0]);
        for my $end (qw(CLIENT SERVER)) {
            my $secret = $k{"${end}_TRAFFIC_SECRET_0"} // die;
            my $n = $c->[1] =~ /128/ ? 16 : 32;
            ok !holds($core, $secret), "$c->[1]: not the ${end}'s traffic secret";
            ok !holds($core, derived($secret, 'key', $n)), '... nor its key';
        }
        ok !holds($core, $k{$_}), "... nor $_" for grep { /HANDSHAKE/ } sort keys %k;
    }
    my $d = private_key($hd);
    ok !holds($core, $d) && !holds($core, scalar reverse $d), "not the certificate's key";
    my %k = keys_of($old);
    ok !holds($core, $k{CLIENT_RANDOM}), 'TLS 1.2: not its master secret';
    leave($_) for values %live, $old;
};

done_testing;

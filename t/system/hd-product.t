#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-product.t - HD's clients and the rest of the relay: tenants, accounting, quotas,
# limits, trace and top, over an upgrade; behind proxies that pass TLS on, or end it; while the relay drains.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade);
use Socket qw(SOCK_DGRAM);

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;

local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";

# Each line of its TAP becomes one of ours.
sub python_ok ($hd, $kind, $port = $hd->{tls}, @more) {
    my $pid;
    subtest lc $kind => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_product.py", $port, $hd->control, $kind, @more
            or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# (.*)/) { diag $1 }
            elsif ($line =~ /^pid (\d+)/) { $pid = $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
    return $pid;
}

SKIP: {
    skip 'the module policy is not built', 4 unless -e "$HyperDerp::Test::build/modules.d/policy.so";
    my $udp = HyperDerp::Test::free_port(SOCK_DGRAM);
    my $asked = HyperDerp::Test::free_port();
    my $conf = <<~"END";
        hd: {enroll: invited, udp: '127.0.0.1:$udp'}
        policy:
          default: allow
          rules:
            - {app_name: ours, tenant: ours, limits: {connections: 1}}
            - {app_name: asked, url: 'http://127.0.0.1:$asked/'}
          tenants:
            - {name: small, quota: {bytes: 200KiB}}
            - {name: few, limits: {connections: 1}}
            - {name: slow, limits: {rate: 128KiB, burst: 64KiB}}
        END
    for my $order ([qw(policy hd)], [qw(hd policy)]) {
        my $ruled = HyperDerp::Test->start(workers => 2, load_module => $order, conf => $conf);
        python_ok $ruled, 'RULED', $ruled->{tls}, $asked;
        $ruled->finish;
    }
    my $waiting = HyperDerp::Test->start(load_module => [qw(policy hd judge_a)], conf => $conf);
    python_ok $waiting, 'WAITING';
    $waiting->finish;
    skip 'no subreaper here', 1 unless can_upgrade();
    my $upgraded = HyperDerp::Test->start(workers => 2, load_module => [qw(policy hd)], conf => $conf);
    my $pid = python_ok $upgraded, 'UPGRADED', $upgraded->{tls}, $upgraded->{file};
    is $upgraded->wait_exit, 0, 'the old process ends';
    $upgraded->adopt($pid);
    $upgraded->finish;
}

my $proxied = HyperDerp::Test->new(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
$proxied->{yaml} = $proxied->yaml =~ s/(\{addr: "127[^}]*)\}/$1, proxy_protocol: [127.0.0.1]}/gr;
$proxied->write_conf;
$proxied->run->ready or BAIL_OUT($proxied->log_text);
python_ok $proxied, 'PROXIED';
python_ok $proxied, 'PLAIN', $proxied->{plain};
$proxied->finish;

my $drained = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
python_ok $drained, 'DRAINED';
$drained->finish;
done_testing;

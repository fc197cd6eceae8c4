#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-groups.t - groups that credentials of HD's clients name: consent, and packets to all
# of one, by the implementation in t/hd/, which shares no line with the relay's.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade);

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
plan skip_all => 'the module policy is not built' unless -e "$HyperDerp::Test::build/modules.d/policy.so";

local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";

# Of an operator of another relay: of the seed 7, 32 times.
my $operator = qx(/usr/bin/python3 -B -c "import sys; sys.path.insert(0, '$FindBin::Bin/../hd'); import hd; from nacl.signing import SigningKey; print(hd.to_text(bytes(SigningKey(bytes([7]) * 32).verify_key)), end='')");

for my $bridge (qw(no yes)) {
    my $hd = HyperDerp::Test->start(workers => 3, load_module => [qw(policy derp hd)],
        conf => "max_accept_rate: 0\nhd: {keepalive: 1s, bridge: $bridge, operators: [$operator]}\npolicy: {default: allow}\n");
    subtest "bridge: $bridge" => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_groups.py", $hd->{tls}, $hd->control, can_upgrade() ? 1 : 0, $bridge or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# taken over by (\d+)/) { $hd->wait_exit; $hd->adopt($1) }
            elsif ($line =~ /^# (.*)/) { diag $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
    $hd->finish;
}

done_testing;

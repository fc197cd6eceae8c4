#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-bridge.t - HD's and DERP's clients reach each other where `hd.bridge` is on, at one
# relay and at two that mesh; by implementations in t/hd/ that share no line with the relay's.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;

local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";

# Each line of its TAP becomes one of ours.
sub python_ok ($what, $one, $two, $which) {
    subtest $what => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_bridge.py", $one->{tls}, $two->{tls}, $one->control, $which
            or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# (.*)/) { diag $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
}

my $bridge = "hd: {enroll: anybody, bridge: yes}\n";

my $hd = HyperDerp::Test->start(workers => 3, load_module => [qw(derp hd)], conf => $bridge);
python_ok 'one relay', $hd, $hd, 'BRIDGE';
$hd->finish;

my $apart = HyperDerp::Test->start(load_module => [qw(derp hd)], conf => "hd: {enroll: anybody}\n");
python_ok 'without it', $apart, $apart, 'APART';
$apart->finish;

SKIP: {
    skip 'the module policy is not built', 1 unless -e "$HyperDerp::Test::build/modules.d/policy.so";
    my $ruled = HyperDerp::Test->start(load_module => [qw(policy derp hd)], conf => $bridge . "policy: {default: allow}\n");
    python_ok 'rules of policy', $ruled, $ruled, 'RULED';
    $ruled->finish;
}

# The relays know each other as DERP's do; what HD's clients say to each other crosses all the
# same, since both have the operator's key.
SKIP: {
    skip 'the module mesh is not built', 1 unless -e "$HyperDerp::Test::build/modules.d/mesh.so";
    my @relay = map { HyperDerp::Test->new(workers => 2, load_module => [qw(derp mesh hd)]) } 1 .. 2;
    for my $i (0, 1) {
        my ($own, $other) = @relay[ $i, 1 - $i ];
        my $mesh = HyperDerp::Test::spew($own->dir . '/mesh.key', '6d' x 32 . "\n");
        my $operator = HyperDerp::Test::spew($own->dir . '/operator.key', 'hdseed:' . '07' x 32 . "\n");
        chmod 0600, $mesh, $operator;
        $own->{conf} = "derp: {mesh_key: $mesh}\nmesh: {silence_max: 2m, members: [{name: '127.0.0.1:$other->{plain}', tls: false}]}\n"
            . "hd: {enroll: anybody, bridge: yes, operator_key: $operator}\n";
        $own->write_conf;
    }
    for (@relay) {
        $_->run;
        $_->ready or BAIL_OUT($_->log_text);
    }
    python_ok 'two relays', @relay, 'BRIDGE';
    $_->finish for @relay;
}

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/rekey.t - `tls: {ktls: auto}` leaves a kernel alone that cannot change
# a connection's key (before 6.14), and `off` any kernel. Runs in t/vm/run's
# guest.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use POSIX qw(uname);

my ($major, $minor) = (uname)[2] =~ /^(\d+)\.(\d+)/;
my $rekeys = $major > 6 || ($major == 6 && $minor >= 14);
my $patience = 60;

plan skip_all => "this kernel has no kTLS" unless -e "/proc/net/tls_stat";



sub in_kernel () {
    return join ' ', map { s/^(TlsCurr..Sw)\s+(\d+)\n/$1=$2/r }
        grep { /^TlsCurr[TR]xSw/ } split /^/, HyperDerp::Test::slurp('/proc/net/tls_stat');
}

sub serves ($hd, $kernel) {
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'hello');
    like $bob->packet($patience), qr/^hello/, 'packets flow';
    is in_kernel(), "TlsCurrTxSw=$kernel TlsCurrRxSw=$kernel", "$kernel connections are the kernel's";
    for my $type (0, 1) {
        $alice->tell('update', $type);
        $alice->send($bob->key, "key $type");
        like $bob->packet($patience), qr/^key $type/, "KeyUpdate $type from a sender";
        $bob->tell('update', $type);
        ok $bob->silent, "KeyUpdate $type from a receiver";
        $alice->send($bob->key, "then $type");
        like $bob->packet($patience), qr/^then $type/, '... which goes on receiving';
    }
    $_->quit for $alice, $bob;
    $hd->finish;
    is $hd->metric('hyper_derp_ktls_rekey_total'), 0, 'nobody was closed for a key';
}

subtest 'auto' => sub {
    my $hd = HyperDerp::Test->start(conf => "tls: {ktls: auto}\n");
    like $hd->log_text, $rekeys ? qr/kTLS enabled: / : qr/kTLS not available: this kernel cannot rekey/,
        'the log says why not';
    serves($hd, $rekeys ? 2 : 0);
};

subtest 'off' => sub {
    my $hd = HyperDerp::Test->start(conf => "tls: {ktls: off}\n");
    unlike $hd->log_text, qr/kTLS/, 'not a word';
    serves($hd, 0);
};

subtest 'on, but without our record layer' => sub {
    my $hd = HyperDerp::Test->start(conf => "tls: {ktls: on, record_layer: openssl}\n");
    serves($hd, 0);
};

done_testing;

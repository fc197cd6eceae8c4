#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/derpmap.t - the entry that hdctl prints for a relay: what it warns
# of, and what it takes from the one who asks. hdprobe's is in
# t/system/hdprobe.t.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use JSON::PP qw(decode_json);

# The node, and what was said beside it.
sub map_of ($hd, @words) {
    my $text = $hd->ctl('derpmap', '--host', 'relay.example.net', @words);
    my $remarks = join '', $text =~ /^hdctl: .*\n/mg;
    my $map = eval { decode_json($text =~ s/^hdctl: .*\n//mgr) } // {};
    return ($map->{derpMap}{Regions}{900}{Nodes}[0] // {}, $remarks);
}

subtest 'a relay without TLS' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1);
    my ($node, $remarks) = map_of($hd);
    is $node->{DERPPort}, $hd->{plain}, 'its port';
    like $remarks, qr/port $hd->{plain} speaks no TLS.*proxy/, 'a warning';
    is $node->{CanPort80}, undef, 'nothing on port 80';
    ($node, $remarks) = map_of($hd, '--port', 443);
    is $node->{DERPPort}, 443, '--port: that of the proxy';
    is $remarks, '', '... and no warning';
    (undef, $remarks) = map_of($hd, '--port', 443, '--region-id', 5);
    like $remarks, qr/region 5 may be one of Tailscale's, .*: 900 to 999 are yours$/m, 'a number of Tailscale: a warning';
    for (['--port', 0], ['--port', 'x'], ['--port', 65536], ['--region-id', 'x']) {
        my (undef, $refused) = map_of($hd, @$_);
        is $?, 2, "@$_: refused";
        like $refused, qr/a number from 1 to 65535/, '... with the reason';
    }
    $hd->finish;
};

subtest 'into a file' => sub {
    my $hd = HyperDerp::Test->start(workers => 1);
    my $file = $hd->dir . '/map.json';
    my (undef, $remarks) = map_of($hd, '--output', $file);
    is $?, 0, 'written';
    unlike $remarks, qr/no TLS/, 'TLS: no warning';
    my $text = HyperDerp::Test::slurp($file);
    is decode_json($text)->{derpMap}{Regions}{900}{Nodes}[0]{DERPPort}, $hd->{tls}, '... whole';
    map_of($hd, '--output', $file, '--format', 'nonsense');
    is $?, 2, 'no such format';
    is HyperDerp::Test::slurp($file), $text, '... and the file is left as it was';
    $hd->finish;
    map_of($hd, '--output', $file);
    is $?, 3, 'no relay';
    is HyperDerp::Test::slurp($file), $text, '... and the file is left as it was';
};

subtest 'a name that the certificate has not' => sub {
    my $hd = HyperDerp::Test->new(workers => 1);
    $hd->{yaml} = $hd->yaml =~ s/^tls_(?:cert|key): .*\n//mgr . "tls: {self_signed: true}\n";
    $hd->write_conf;
    $hd->run;
    ok $hd->ready, 'a self-signed certificate';
    my (undef, $remarks) = map_of($hd);
    like $remarks, qr/the certificate is not for relay\.example\.net but for \S+, and/, 'a warning';
    unlike $hd->ctl('derpmap'), qr/is not for/, 'none for its own name';
    unlike $hd->ctl('derpmap', '--host', 'LOCALHOST'), qr/is not for/, '... in any letters';
    (undef, $remarks) = map_of($hd, '--port', 443);
    unlike $remarks, qr/is not for/, '--port: the certificate is that of a proxy';
    $hd->finish;
};

# In a network of its own, where port 80 is free.
subtest 'port 80' => sub {
    plan skip_all => 'no namespaces here (be root)' if system 'unshare -n true 2>/dev/null';
    for (['0.0.0.0:80', 1], ['127.0.0.1:80', 0]) {
        my ($addr, $is) = @$_;
        my $hd = HyperDerp::Test->new(workers => 1, wrap => ['unshare', '-n']);
        $hd->{yaml} = $hd->yaml =~ s/^listen: .*/listen: [{addr: "0.0.0.0:443", tls: true}, {addr: "$addr"}]/mr;
        $hd->write_conf;
        $hd->run_elsewhere or diag $hd->log_text;
        my ($node) = map_of($hd);
        is $node->{DERPPort}, 443, "$addr beside TLS: the port with TLS";
        is !!$node->{CanPort80}, !!$is, '... CanPort80: ' . ($is ? 'yes' : 'this machine only, no');
        $hd->finish;
    }
};

done_testing;

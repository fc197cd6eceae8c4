#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd-fake.t - what libhd tells a relay that has not proven its key: nothing by which
# its own can be known.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Say;
use HyperDerp::Test;

plan skip_all => 'needs python3-nacl' if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;

my $hd = HyperDerp::Test->start(load_module => ['hd']);    # for its certificate
my $dir = $hd->dir;

for my $what (qw(silent signature)) {
    subtest $what => sub {
        my $pid = open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/fake_relay.py", $hd->{crt}, $hd->{key}, $what
            or die "python3: $!";
        HyperDerp::Children::keep($pid);
        my ($port, $key) = split ' ', <$out> // '';
        my $say = HyperDerp::Say->new($dir, 'a', "--relay-key=$key", "127.0.0.1:$port");
        ok $say->says(qr/^state waiting .*has not proven its key/), 'it is not believed' or diag $say->text
            if $what eq 'signature';
        my $got = <$out> // '';
        is pack('H*', $got =~ s/\s//gr), "GET /hd HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nUpgrade: HD\r\nConnection: Upgrade\r\n\r\n",
            'the request is all that it has been told';
        close $out;
        HyperDerp::Children::ended($pid);
        is $say->end, 0, 'say ends';
    };
}
$hd->finish;
done_testing;

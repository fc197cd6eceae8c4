#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-udp.t - datagrams of every size through the module, between two
# peers that the configuration pins to addresses: no key, no handshake, no root.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use IO::Socket::IP;
use Socket qw(SOCK_DGRAM SOL_SOCKET SO_RCVBUF);

sub udp ($ip) {
    my $s = IO::Socket::IP->new(LocalHost => $ip, LocalPort => 0, Type => SOCK_DGRAM)
        or return;
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 4 << 20;
    return $s;
}

sub at ($s) {
    my $ip = $s->sockhost;
    return ($ip =~ /:/ ? "[$ip]" : $ip) . ':' . $s->sockport;
}

my ($a, $b) = map { udp('127.0.0.1') } 1 .. 2;
my ($c, $d) = map { udp('::1') } 1 .. 2;
my $port = HyperDerp::Test::free_port(SOCK_DGRAM);
my $six  = $c && $d ? ", {name: c, endpoint: '" . at($c) . "'}, {name: d, endpoint: '" . at($d) . "'}" : '';
my $link = $six ? ', {a: c, b: d}' : '';
my $hd   = HyperDerp::Test->start(no_tls => 1, load_module => ['wg'], conf => <<~"END");
    wg:
      port: $port
      peers: [{name: a, endpoint: '${\ at($a)}'}, {name: b, endpoint: '${\ at($b)}'}$six]
      links: [{a: a, b: b}$link]
    END

sub relay ($s) {
    return Socket::pack_sockaddr_in($port, Socket::inet_aton('127.0.0.1')) if $s->sockhost !~ /:/;
    return Socket::pack_sockaddr_in6($port, Socket::inet_pton(Socket::AF_INET6, '::1'));
}

sub say_to ($s, $data) { return send $s, $data, 0, relay($s) }

# What comes next, or nothing after 30 s.
sub hear ($s) {
    my $bits = '';
    vec($bits, fileno $s, 1) = 1;
    return unless select $bits, undef, undef, 30;
    recv $s, my $data, 65536, 0;
    return $data;
}

sub message ($n, $size) { return pack('VVQ<', 4, 4711, $n) . chr($n % 256) x ($size - 16) }

subtest 'every size' => sub {
    for my $size (32, 33, 1452, 1500, 2048, 2049, 9000, 16384, 16385, 40000, 65507) {
        my $m = message($size, $size);
        say_to($a, $m);
        ok +(hear($b) // '') eq $m, "$size bytes arrive whole";
    }
};

# The kernel joins what comes and cuts what goes, where it can: nobody sees it.
for my $case ([64, 1400], [300, 1400], [40, 9000], [200, 32]) {
    my ($n, $size) = @$case;
    my @sent = map { message($_, $_ % 17 == 16 ? $size / 2 + 16 : $size) } 1 .. $n;
    my (@got, $m);
    for my $i (0 .. $#sent) {
        say_to($a, $sent[$i]);
        next if $i % 16 != 15;    # more at once may not fit into the sockets
        while (@got <= $i && defined($m = hear($b))) { push @got, $m }
    }
    while (@got < @sent && defined($m = hear($b))) { push @got, $m }
    is_deeply \@got, \@sent, "$n datagrams of $size bytes, some shorter, in order" or diag scalar @got;
}

subtest 'IPv6' => sub {
    plan skip_all => 'there is no ::1 here' unless $six;
    say_to($c, message(1, 1000));
    is hear($d), message(1, 1000), 'c to d';
    say_to($d, message(2, 65000));
    is hear($c), message(2, 65000), 'd to c';
};

subtest 'what is not WireGuard' => sub {
    say_to($a, $_) for '', 'x', 'x' x 148, pack('VV', 4, 1), pack('V', 1) . 'x' x 143;
    say_to($a, message(9, 100));
    is hear($b), message(9, 100), 'is not forwarded; what comes behind it is';
};

$hd->finish;
is $hd->metric('hyper_derp_wg_drops_total', qr/not_wg_shaped/), 5, 'five were counted';
cmp_ok $hd->metric('hyper_derp_wg_fwd_bytes_total'), '<=', $hd->metric('hyper_derp_wg_rx_bytes_total'),
    'not more bytes out than in';
done_testing;

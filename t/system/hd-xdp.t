#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-xdp.t - HD's datagrams by AF_XDP: in and out, IPv4 and IPv6, what is left to the kernel,
# STUN beside it, reload, upgrade, kill, and where it cannot be.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Netns;
use HyperDerp::Say;
use HyperDerp::Test;
use HyperDerp::Upgrade;
use HyperDerp::Xdp;
use JSON::PP ();

my $missing = HyperDerp::Xdp::missing_here('hd_xdp');
plan skip_all => $missing if $missing;

my $net = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($alice, $bob) = map { $net->host($_) } qw(alice bob);
my $udp = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $port = HyperDerp::Test::free_port();

sub conf (%o) {
    my $hd = "hd: {enroll: anybody, udp: '@{[$o{udp} // '[::]']}:$udp'}\n";
    my $mode = $o{mode} // 'drv';
    return $hd . "hd_xdp: {interfaces: [@{[$o{interface} // 'eth0']}], mode: $mode}\n";
}

sub relay (%o) {
    my $hd = HyperDerp::Test->new(load_module => $o{load_module} // [qw(hd hd_xdp)], conf => conf(%o) . ($o{more} // ''),
        workers => $o{workers} // 1, stun => $udp, wrap => $o{wrap} // [$relay->wrap]);
    $hd->{yaml} = $hd->yaml =~ s/^listen: \[/listen: [{addr: "[::]:$port", tls: true}, /mr =~ s/"127.0.0.1:$udp"/"[::]:$udp"/r;
    $hd->write_conf;
    $hd->run_elsewhere or BAIL_OUT('no relay: ' . $hd->log_text);
    return $hd;
}

sub numbers ($hd) {
    my %n;
    for my $m (@{ JSON::PP::decode_json($hd->ctl(qw(--json metrics))) }) {
        my $name = $m->{name} =~ s/^hyper_derp_hd_//r or next;
        $name .= ":$1" if ($m->{labels} // '') =~ /reason="(\w+)"/;
        $n{$name} = $m->{value} if $m->{name} =~ /^hyper_derp_hd_/;
    }
    return \%n;
}

sub two ($hd, $addr) {
    my ($key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
    my @relay = ("--relay-key=$key", "$addr:$port");
    state $n = 0;
    $n++;
    my $b = HyperDerp::Say->new($hd->dir, "b$n", [$bob->wrap], '--allow', @relay);
    ok $b->says(qr/^state open/), 'bob is there' or diag $b->text, $hd->log_text;
    my $a = HyperDerp::Say->new($hd->dir, "a$n", [$alice->wrap], @relay, $b->key);
    ok $a->says(qr/^peer here/), 'alice finds him' or diag $a->text;
    ok HyperDerp::Test::wait_for(sub { 2 == (() = $hd->ctl(qw(--json peers)) =~ /"transport":\s*"udp"/g) }), 'both have UDP'
        or diag $hd->ctl('peers');
    return ($a, $b);
}

# Lines one by one, until that is true of what the numbers have grown by.
sub until_grown ($hd, $a, $b, $what, $cond) {
    my ($before, $n, $grown) = (numbers($hd), 0);
    state $round = 0;
    $round++;
    my $ok = HyperDerp::Test::wait_for(sub {
        $a->line("line $round " . $n++);
        my $now = numbers($hd);
        $grown = { map { $_ => $now->{$_} - ($before->{$_} // 0) } keys %$now };
        return $cond->($grown);
    });
    ok $ok, $what or diag explain { map { $_ => $grown->{$_} } grep { $grown->{$_} } keys %$grown }, $hd->ctl(qw(hd_xdp show)), $hd->log_text;
    # those of the first second after a change may have gone the old way
    ok HyperDerp::Test::wait_for(sub { $a->line("line $round " . $n++) && $b->text =~ /^packet \w+ line $round /m }), '... and lines arrive'
        or diag $b->text;
    return $grown;
}

sub both_ways ($g) { return ($g->{xdp_received_total} // 0) > 20 && ($g->{xdp_sent_total} // 0) > 20 }
sub attached () { return (HyperDerp::Xdp::attached($relay))[0] // '' }

my $hd = relay(load_module => [qw(stun hd hd_xdp)]);
is attached(), 'drv', 'the program is there';
ok $hd->log_like(qr/hd_xdp: attached: iface=eth0 mode=drv queues=\d+ zero_copy=no/), 'the log says so';

for my $family ([IPv4 => $relay->{ip}], [IPv6 => "[$relay->{ip6}]"]) {
    subtest $family->[0] => sub {
        my ($a, $b) = two($hd, $family->[1]);
        until_grown($hd, $a, $b, 'datagrams come and leave by AF_XDP', \&both_ways);
            is numbers($hd)->{"udp_dropped_total:$_"} // 0, 0, "none is dropped as $_" for qw(forged shape);
        is numbers($hd)->{xdp_received_bad_total}, 0, 'no frame is bad';
        is $_->end, 0, 'they end' for $a, $b;
    };
}

subtest 'show' => sub {
    my $show = JSON::PP::decode_json($hd->ctl(qw(--json hd_xdp show)));
    is_deeply $show->{interfaces}[0], { interface => 'eth0', attached => JSON::PP::true, queues => 1, zero_copy => 0 }, 'the interface'
        or diag explain $show;
    cmp_ok $show->{taken}, '>', 40, 'what its program counts';
};

# A binding request from alice, until one is answered.
my $stun = <<'END';
my $u = IO::Socket::IP->new(PeerHost => $ARGV[0], PeerPort => $ARGV[1], Type => Socket::SOCK_DGRAM) or exit 2;
for (1 .. 100) {
    $u->send(pack 'nnNa12', 1, 0, 0x2112A442, 'transaction!');
    vec(my $in = '', fileno $u, 1) = 1;
    next if !select $in, undef, undef, 0.2;
    $u->recv(my $answer, 1500);
    exit(unpack('n', $answer) == 0x101 ? 0 : 3);
}
exit 4;
END

subtest 'STUN on the same port' => sub {
    $alice->out($^X, '-MIO::Socket::IP', '-e', $stun, $relay->{ip}, $udp);
    is $?, 0, 'it answers';
    ok HyperDerp::Test::wait_for(sub { numbers($hd)->{'xdp_passed_total:odd'} > 0 }), '... through the kernel';
};

# The neighbour may be asked for anew, and is somebody else then: a router that has been replaced.
subtest 'another MAC address' => sub {
    my ($a, $b) = two($hd, $relay->{ip});
    until_grown($hd, $a, $b, 'by AF_XDP', \&both_ways);
    $bob->run(qw(ip link set dev eth0 address 02:00:00:00:00:77));
    $relay->run(qw(ip neigh replace), $bob->{ip}, qw(lladdr 02:00:00:00:00:77 dev eth0 nud reachable));    # as by ARP
    until_grown($hd, $a, $b, 'after it has changed', \&both_ways);
    $relay->run(qw(ip neigh flush dev eth0));
    until_grown($hd, $a, $b, 'after the neighbours are forgotten', \&both_ways);
    $_->end for $a, $b;
};

subtest 'a smaller MTU' => sub {
    my ($a, $b) = two($hd, $relay->{ip});
    until_grown($hd, $a, $b, 'by AF_XDP', \&both_ways);
    $relay->run(qw(ip route change 10.77.0.0/24 dev eth0 mtu 800));
    my $long = 'x' x 1100;
    my $g = until_grown($hd, $a, $b, 'what is too long leaves by the socket', sub ($g) { $a->line($long); ($g->{'xdp_by_socket_total:too_long'} // 0) > 0 });
    ok HyperDerp::Test::wait_for(sub { $b->text =~ /^packet \w+ x{1100}$/m }), '... in fragments, and arrives';
    $relay->run(qw(ip route change 10.77.0.0/24 dev eth0));
    $_->end for $a, $b;
};

subtest 'reload' => sub {
    my ($a, $b) = two($hd, $relay->{ip});
    for my $module (qw(hd_xdp hd)) {
        is $hd->ctl(qw(module reload), $module), "ok\n", "$module is reloaded";
        until_grown($hd, $a, $b, '... AF_XDP goes on', \&both_ways);
    }
    is $hd->ctl(qw(module unload hd_xdp)), "ok\n", 'hd_xdp is unloaded';
    is attached(), '', '... and its program';
    my $g = until_grown($hd, $a, $b, '... sockets go on', sub ($g) { $g->{udp_packets_sent_total} > 10 && $g->{udp_packets_received_total} > 10 });
    is $hd->ctl(qw(module load hd_xdp)), "ok\n", 'it is loaded';
    until_grown($hd, $a, $b, '... AF_XDP is back', \&both_ways);
    $_->end for $a, $b;
};

subtest 'upgrade' => sub {
    plan skip_all => 'no upgrade here' if !HyperDerp::Upgrade::can_upgrade();
    my ($a, $b) = two($hd, $relay->{ip});
    until_grown($hd, $a, $b, 'by AF_XDP', \&both_ways);
    HyperDerp::Upgrade::upgrade($hd) for 1 .. 2;
    ok HyperDerp::Test::wait_for(sub { attached() eq 'drv' }), 'the new process has the interface' or diag $hd->log_text;
    until_grown($hd, $a, $b, '... AF_XDP goes on', \&both_ways);
    is +(() = $a->text =~ /^state/mg), 1, 'nobody was cut';
    $_->end for $a, $b;
};

subtest 'kill -9' => sub {
    is $hd->stop('KILL'), 9, 'it is gone';
    ok HyperDerp::Test::wait_for(sub { attached() eq '' }), '... and its program';
    $hd->run_elsewhere;
    ok HyperDerp::Test::wait_for(sub { attached() eq 'drv' }), 'a new one has it, once the kernel has ended the sockets' or diag $hd->log_text;
    my ($a, $b) = two($hd, $relay->{ip});
    until_grown($hd, $a, $b, 'by AF_XDP', \&both_ways);
    $_->end for $a, $b;
};

$hd->finish;
is attached(), '', 'nothing is left';

subtest 'a program of somebody else' => sub {
    HyperDerp::Xdp::receptive($relay->{ns}, 'eth0');
    my (undef, $id) = HyperDerp::Xdp::attached($relay);
    my $other = relay();
    my ($a, $b) = two($other, $relay->{ip});
    ok $other->log_like(qr/warn hd_xdp: eth0: another XDP program is there .*; all goes by the socket/), 'a warning';
    until_grown($other, $a, $b, 'sockets have it', sub ($g) { $g->{udp_packets_sent_total} > 10 });
    $_->end for $a, $b;
    $other->finish;
    is +(HyperDerp::Xdp::attached($relay))[1], $id, 'the program is still there';
    $relay->run(qw(ip link set dev eth0 xdp off));
};

subtest 'no such interface' => sub {
    my $other = relay(interface => 'eth9');
    like $other->log_text, qr/warn hd_xdp: eth9: there is no such interface; all goes by the socket/, 'a warning';
    $other->finish;
};

subtest 'no rights' => sub {
    my $other = relay(wrap => [$relay->wrap, 'capsh', '--drop=cap_net_raw,cap_bpf,cap_sys_admin', '--', '-c', 'exec "$0" "$@"']);
    like $other->log_text, qr/warn hd_xdp: .*CAP_NET_RAW.*; all goes by the socket/, 'a warning';
    $other->finish;
};

subtest 'no UDP port' => sub {
    my $other = HyperDerp::Test->new(load_module => [qw(hd hd_xdp)], conf => "hd: {enroll: anybody}\nhd_xdp: {interfaces: [eth0]}\n");
    ok $other->run->log_like(qr/warn hd_xdp: it does nothing, since hd\.udp is not set; remedy: /), 'a warning';
    ok $other->ready, '... and the relay serves';
    $other->finish;
};

# The rights of the start are given up, what was opened by them stays.
subtest 'two workers, one queue' => sub {
    my $other = relay(workers => 2);
    ok $other->log_like(qr/notice hd_xdp: worker 1 has no receive queue: /), 'a line says so';
    my ($a, $b) = two($other, $relay->{ip});
    until_grown($other, $a, $b, 'what comes does so by AF_XDP', sub ($g) { ($g->{xdp_received_total} // 0) > 20 });
    $_->end for $a, $b;
    $other->finish;
};

subtest 'another user' => sub {
    my $other = HyperDerp::Test->new(load_module => [qw(hd hd_xdp)], conf => conf() . "user: nobody\n", wrap => [$relay->wrap]);
    plan skip_all => 'nobody may read the test folder' if !-r $other->dir;
    chmod 0755, $other->dir;
    $other->{yaml} = $other->yaml =~ s/^workers: 2/workers: 1/mr =~ s/^listen: \[/listen: [{addr: "[::]:$port", tls: true}, /mr;
    $other->write_conf;
    system 'chown', '-R', 'nobody', $other->dir;
    $other->run_elsewhere or BAIL_OUT('no relay: ' . $other->log_text);
    my ($a, $b) = two($other, $relay->{ip});
    until_grown($other, $a, $b, 'by AF_XDP', \&both_ways);
    my $since = time;
    HyperDerp::Test::wait_for(sub { $a->line('on'); time > $since + 7 });
    until_grown($other, $a, $b, '... and when addresses would have lapsed', \&both_ways);
    $_->end for $a, $b;
    $other->finish;
};

subtest 'one address' => sub {
    my $other = relay(udp => $relay->{ip});
    my ($a, $b) = two($other, $relay->{ip});
    until_grown($other, $a, $b, 'by AF_XDP', \&both_ways);
    $_->end for $a, $b;
    $other->finish;
};

subtest 'an interface that goes' => sub {
    $net->plug($relay, 'eth1');
    my $other = relay(interface => 'eth1');
    my $show = sub { JSON::PP::decode_json($other->ctl(qw(--json hd_xdp show)))->{interfaces}[0]{attached} };
    ok $show->(), 'it is there';
    $relay->run(qw(ip link del eth1));
    ok $other->log_like(qr/warn hd_xdp: eth1 has gone, .*; remedy, .*hdctl module reload hd_xdp/), 'a warning';
    ok !$show->(), '... and hdctl says so';
    $net->plug($relay, 'eth1');
    is $other->ctl(qw(module reload hd_xdp)), "ok\n", 'the remedy';
    ok HyperDerp::Test::wait_for($show), '... is one';
    $other->finish;
    $relay->run(qw(ip link del eth1));
};

subtest 'generic, two workers, two queues' => sub {
    $relay->run(qw(ethtool -L eth0 rx 2 tx 2));
    my $other = relay(mode => 'skb', workers => 2);
    ok $other->log_like(qr/attached: iface=eth0 mode=skb queues=2 /), 'a socket for each queue';
    my ($a, $b) = two($other, $relay->{ip});
    until_grown($other, $a, $b, 'by AF_XDP', \&both_ways);
    $_->end for $a, $b;
    $other->finish;
};

is attached(), '', 'nothing is left';
done_testing;

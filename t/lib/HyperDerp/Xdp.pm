# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Xdp.pm - what runs on the interfaces of a HyperDerp::Netns
# host, asked of the kernel, not of the relay.
package HyperDerp::Xdp;
use v5.36;
use HyperDerp::Netns;
use HyperDerp::Test;
use JSON::PP qw(decode_json);

# '' or what this machine lacks.
sub missing () {
    return HyperDerp::Netns::missing() || missing_bpf();
}

# Without WireGuard, for that module.
sub missing_here ($module) {
    return HyperDerp::Netns::missing_nat() || missing_bpf()
        || (-e "$HyperDerp::Test::build/modules.d/$module.so" ? '' : "$module is not built as a file of its own");
}

sub missing_bpf () {
    return 'hyper-derp was built without XDP, or without t/unit/xdp_other.bpf.o' unless -e "$HyperDerp::Test::build/t/unit/xdp_other.bpf.o";
    for my $p (qw(bpftool ethtool)) {
        return "not installed: $p" unless grep { -x "$_/$p" } qw(/usr/sbin /sbin /usr/bin);
    }
    return 'this kernel, or container, has no bpf()' if system 'bpftool prog show >/dev/null 2>&1';
    return '';
}

# What goes out carries whole checksums: a card would add them, veth has none.
sub whole_checksums ($host, $dev = 'eth0', $whole = 1) {
    $host->out(qw(ethtool -K), $dev, 'tx', $whole ? 'off' : 'on');
    return;
}

# A veth takes back what its other end sends by XDP_TX only while it has a
# program, too; a network card has no such end. `ns` is a namespace's name.
sub receptive ($ns, $dev) {
    return HyperDerp::Netns::run('ip', '-n', $ns, qw(link set dev), $dev, qw(xdpdrv obj),
        "$HyperDerp::Test::build/t/unit/xdp_other.bpf.o", qw(sec xdp));
}

# Routes are looked up where forwarding is on; lo lets nothing of others through.
sub forwarding ($host) {
    return $host->run(qw(sysctl -qw net.ipv4.conf.lo.forwarding=1 net.ipv6.conf.lo.forwarding=1));
}

# The mode and the id of the program on an interface; () if there is none.
sub attached ($host, $dev = 'eth0') {
    my ($link) = @{ decode_json($host->out(qw(ip -d -j link show dev), $dev)) };
    my $xdp = $link->{xdp} or return;
    my %mode = (1 => 'drv', 2 => 'skb', 3 => 'hw');
    return ($mode{ $xdp->{mode} }, $xdp->{prog}{id});
}

sub maps ($id) {
    my $prog = decode_json(qx(bpftool -j prog show id $id));
    return map { $_->{name} => $_->{id} }
        map { decode_json(qx(bpftool -j map show id $_)) } @{ $prog->{map_ids} };
}

sub bytes ($list) { return pack 'C*', map { hex } @$list }

# The counters of the program, summed over the CPUs, in their order.
sub counters ($host, $dev = 'eth0') {
    my (undef, $id) = attached($host, $dev) or return;
    my %map = maps($id);
    my ($row) = @{ decode_json(qx(bpftool -j map dump id $map{wg_xdp_stats})) };
    my @sum;
    for my $cpu (@{ $row->{values} }) {
        my @v = unpack 'Q<*', bytes($cpu->{value});
        $sum[$_] += $v[$_] for keys @v;
    }
    my @names = qw(rx fwd fwd_bytes blocked shape handshake no_peer no_mac no_route no_forwarding
        too_big checksum odd lapsed);
    return { map { $names[$_] => $sum[$_] } keys @names };
}

# How many directions of sessions it forwards.
sub paths ($host, $dev = 'eth0') {
    my (undef, $id) = attached($host, $dev) or return 0;
    my %map = maps($id);
    return scalar @{ decode_json(qx(bpftool -j map dump id $map{wg_paths})) };
}

1;

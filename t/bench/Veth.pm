# SPDX-License-Identifier: MIT
# t/bench/Veth.pm - two network namespaces and a cable between them (veth), with
# GSO and GRO, as between two machines: the relay's end receives in a thread of
# CPU 0, the load's in one of CPU 1. Over loopback whoever sends does the other's
# receiving, too. Needs root, Linux 5.12, ip, ethtool.
package Veth;
use v5.36;

my ($relay, $load) = ("hdbench$$-r", "hdbench$$-l");
my ($at, $from) = qw(10.97.0.1 10.97.0.2);
my ($owner, @napi, @load_napi);

sub address { return $at }
sub in_relay (@cmd) { return ('ip', 'netns', 'exec', $relay, @cmd) }
sub in_load (@cmd) { return ('ip', 'netns', 'exec', $load, @cmd) }
sub receivers { return @napi }
sub load_receivers { return @load_napi }
sub devices { return ("hdr$$", "hdl$$") }
sub from { return $from }

# What address resolution would find, for who does not answer it.
sub know_each_other () {
    my ($a, $b) = devices();
    for ([ $relay, $a, $at, $load, $b, $from ], [ $load, $b, $from, $relay, $a, $at ]) {
        my ($ns, $dev, undef, $other_ns, $other, $addr) = @$_;
        run("ip -n $ns neigh replace $addr lladdr", mac($other_ns, $other), "dev $dev nud permanent");
    }
    return;
}

sub mac ($ns, $dev) {
    my ($mac) = qx(ip -n $ns link show $dev 2>/dev/null) =~ m{link/ether (\S+)};
    return $mac;
}
sub relay_mac { return mac($relay, "hdr$$") }

# What comes is received by the relay's end: by its thread, on the relay's CPU, as
# from a card. Where the load's end has TSO the kernel receives a datagram in the
# sender's own time instead (veth_skb_is_eligible_for_gro()).
sub receives ($on) {
    my (undef, $dev) = devices();
    run("ip netns exec $load ethtool -K $dev tso", $on ? 'off' : 'on');
    return;
}

# Frames gather for so long before the relay's end is woken, as a card's
# interrupts do (ethtool's rx-usecs), which a veth has none of; 0: each wakes it.
# Only with a program there, and without GRO: that would hold them for
# milliseconds.
sub gather ($usecs) {
    my ($dev) = devices();
    my $sys = "/sys/class/net/$dev";
    run("ip netns exec $relay ethtool -K $dev gro", $usecs ? 'off' : 'on');
    run("ip netns exec $relay", "sh -c 'echo @{[$usecs ? 1000 : 0]} >$sys/napi_defer_hard_irqs; "
        . "echo @{[1000 * $usecs]} >$sys/gro_flush_timeout'");
    return;
}

# The threads that receive, before everything else: as Relay::favour() does with
# those that they receive for, and a step before these. A device without GRO makes
# its own when a program comes.
sub favour ($priority) {
    @napi = placed(0, threads($relay, (devices())[0]));
    system 'chrt', '-r', '-p', $priority + 1, $_ for @napi, @load_napi;
    return;
}

# A program at the relay's end that passes all, of a build folder; '': none.
sub passes ($build) {
    my ($dev) = devices();
    my $file = "$build/t/unit/xdp_other.bpf.o";
    die "make $file first\n" if $build && !-e $file;
    run("ip -n $relay link set dev $dev xdpdrv", $build ? "obj $file sec xdp" : 'off');
    return;
}

sub run (@cmd) {
    system("@cmd >/dev/null 2>&1") == 0 or die "no cable between namespaces: failed: @cmd\n";
    return;
}

# The kernel's threads that receive for a device; its name is unique.
sub threads ($ns, $dev) {
    run('ip netns exec', $ns, qq(sh -c 'echo 1 >/sys/class/net/$dev/threaded'));
    my @pids;
    for my $comm (glob '/proc/[0-9]*/comm') {
        open my $fh, '<', $comm or next;
        push @pids, $comm =~ /(\d+)/ if (<$fh> // '') =~ m{^napi/\Q$dev\E-};
    }
    die "no threaded NAPI for $dev: Linux 5.12 or later\n" unless @pids;
    return @pids;
}

sub placed ($cpu, @pids) {
    run("taskset -pc $cpu $_"), run("renice -n -15 -p $_") for @pids;
    return @pids;
}

sub up () {
    return if $owner;
    $owner = $$;
    my ($a, $b) = devices();
    run('ip netns add', $_) for $relay, $load;
    run("ip -n $relay link add $a type veth peer name $b netns $load");
    run("ip -n $_ link set lo up") for $relay, $load;
    run("ip -n $relay addr add $at/24 dev $a");
    run("ip -n $load addr add $from/24 dev $b");
    for my $end ([ $relay, $a, 0 ], [ $load, $b, 1 ]) {
        my ($ns, $dev, $cpu) = @$end;
        run("ip netns exec $ns ethtool -K $dev gro on gso on tso on");
        run("ip -n $ns link set $dev up");
        ($ns eq $relay ? @napi : @load_napi) = placed($cpu, threads($ns, $dev));
    }
    return;
}

sub answers ($port) {
    return system(in_load('bash', '-c', "exec 2>/dev/null; : >/dev/tcp/$at/$port")) == 0;
}

sub down () {
    return if !$owner || $owner != $$;
    local ($?, $!);
    system "ip netns del $_ 2>/dev/null" for $relay, $load;
    undef $owner;
    return;
}
END { down() }

1;

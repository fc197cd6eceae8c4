# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Netns.pm - a small internet of network namespaces, with real
# WireGuard peers in it.
#
#   my $net   = HyperDerp::Netns->new;          # a bridge, 10.77.0.0/24, fd77::/64
#   my $relay = $net->host('relay');            # ->{ip} 10.77.0.2, ->{ip6} fd77::2
#   my $nat   = $net->nat('nat1');              # masquerades what is behind it
#   my $alice = $net->host('alice', behind => $nat);
#   $alice->wireguard(ip => '10.9.0.1/24');     # wireguard-go; ->{public}
#   $alice->wg_peer($bob->{public}, '10.9.0.2/32', "$relay->{ip}:51820");
#   ok $alice->pings('10.9.0.2');
#
# A daemon in a host: HyperDerp::Test->start(wrap => [$relay->wrap], …).
# Needs root, ip, nft (for nat), wireguard-go, wg: missing() names what is not
# there. All is gone with the object; processes are stopped by their ids.
#
# HD_WG_KERNEL=1: the kernel's wireguard instead of wireguard-go. HD_NETEM=1:
# every host behind the bridge loses and reorders packets. (t/vm/run sets them.)
package HyperDerp::Netns;
use v5.36;
use File::Temp;
use HyperDerp::Test;
use POSIX qw(:sys_wait_h);
use Scalar::Util qw(weaken);

our $kernel_wg = $ENV{HD_WG_KERNEL};
our $netem = $ENV{HD_NETEM} ? 'loss 5% delay 5ms 2ms reorder 20% 50%' : '';
my $count = 0;
my %made;    # weak, so that a dying test leaves nothing

# What this machine lacks to make one: '' or a sentence for skip_all.
sub missing () {
    my $absent = absent(qw(wg ping), $kernel_wg ? () : 'wireguard-go', $netem ? 'tc' : ());
    return $absent if $absent;
    return '/dev/net/tun is missing' unless $kernel_wg || -e '/dev/net/tun';
    return missing_nat();
}

# Without WireGuard.
sub missing_nat () {
    return 'network namespaces need root' if $>;
    my $absent = absent(qw(ip nft), $netem ? 'tc' : ());
    return $absent if $absent;
    my $said = qx({ ip netns add hd-probe-$$ && ip netns exec hd-probe-$$ nft list ruleset && ip netns del hd-probe-$$; } 2>&1);
    return $? ? "no network namespaces here: $said" : '';
}

sub absent (@programs) {
    my @absent = grep { my $p = $_; !grep { -x "$_/$p" } qw(/usr/bin /bin /usr/sbin /sbin) } @programs;
    return @absent ? "not installed: @absent" : '';
}

sub run (@cmd) {
    system(@cmd) == 0 or die "failed ($?): @cmd\n";
    return;
}

sub new ($class) {
    my $self = bless { prefix => sprintf('hd%d-%d', $$, $count++), next => 2, hosts => [],
        dir => File::Temp->newdir('hd-net-XXXXXX', TMPDIR => 1), owner => $$ }, $class;
    $self->{hub} = $self->namespace('hub');
    run('ip', '-n', $self->{hub}, 'link', 'add', 'br0', 'type', 'bridge');
    run('ip', '-n', $self->{hub}, 'link', 'set', 'br0', 'up');
    weaken($made{$self->{prefix}} = $self);
    return $self;
}

sub namespace ($self, $name) {
    my $ns = "$self->{prefix}-$name";
    run('ip', 'netns', 'add', $ns);
    push @{ $self->{namespaces} }, $ns;
    run('ip', '-n', $ns, 'link', 'set', 'lo', 'up');
    return $ns;
}

# A veth pair between two namespaces.
sub cable ($self, $ns, $dev, $other, $otherdev) {
    run('ip', '-n', $ns, 'link', 'add', 'name', $dev, 'type', 'veth', 'peer', 'name', $otherdev, 'netns', $other);
    run('ip', '-n', $ns, 'link', 'set', $dev, 'up');
    run('ip', '-n', $other, 'link', 'set', $otherdev, 'up');
    return;
}

sub address ($ns, $dev, @addr) {
    run('ip', '-n', $ns, 'address', 'add', $_, 'dev', $dev, /:/ ? 'nodad' : ()) for @addr;
    return;
}

# A further interface of the host towards the hub, with the next free address.
sub plug ($self, $host, $dev) {
    my $n = $self->{next}++;
    $self->cable($host->{ns}, $dev, $self->{hub}, "p$n");
    run('ip', '-n', $self->{hub}, 'link', 'set', "p$n", 'master', 'br0');
    address($host->{ns}, $dev, "10.77.0.$n/24", "fd77::$n/64");
    return ("10.77.0.$n", "fd77::$n");
}

sub host ($self, $name, %o) {
    my $h = bless { name => $name, net => $self, ns => $self->namespace($name), pids => [] },
        'HyperDerp::Netns::Host';
    push @{ $self->{hosts} }, $h;
    if (my $nat = $o{behind}) {
        my $n = ++$nat->{inside};
        $self->cable($h->{ns}, 'eth0', $nat->{ns}, "in$n");
        address($nat->{ns}, "in$n", "192.168.$n.1/24");
        address($h->{ns}, 'eth0', "192.168.$n.2/24");
        run('ip', '-n', $h->{ns}, 'route', 'add', 'default', 'via', "192.168.$n.1");
        $h->{ip} = "192.168.$n.2";
        return $h;
    }
    @$h{qw(ip ip6)} = $self->plug($h, 'eth0');
    $h->run(qw(tc qdisc add dev eth0 root netem), split / /, $netem) if $netem;
    return $h;
}

# A home router: what is behind it leaves with its address and another port.
sub nat ($self, $name) {
    my $h = $self->host($name);
    run(qw(ip netns exec), $h->{ns}, qw(sysctl -qw net.ipv4.ip_forward=1));
    $h->masquerade;
    return $h;
}

sub remove ($self) {
    return if $$ != $self->{owner};
    local ($?, $!);
    $_->stop_all for splice @{ $self->{hosts} };
    system('ip', 'netns', 'del', $_) for splice @{ $self->{namespaces} };
    return;
}

sub DESTROY ($self) { return $self->remove }

END { $_ && $_->remove for values %made }

package HyperDerp::Netns::Host;
use v5.36;
use POSIX qw(:sys_wait_h);

my $devices = 0;

# The words before a command that is to run here.
sub wrap ($self) { return ('ip', 'netns', 'exec', $self->{ns}) }

# Its output; $? is its status.
sub out ($self, @cmd) {
    open my $f, '-|', $self->wrap, @cmd or die "@cmd: $!";
    local $/;
    my $text = <$f> // '';
    close $f;
    return $text;
}

sub run ($self, @cmd) { return HyperDerp::Netns::run($self->wrap, @cmd) }

# A program that goes on; its output is in a file. Returns the process id.
sub spawn ($self, $log, @cmd) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $self->file($log);
        open STDERR, '>&', \*STDOUT;
        exec $self->wrap, @cmd or POSIX::_exit(127);
    }
    push @{ $self->{pids} }, $pid;
    return $pid;
}

# Its number may be another's once somebody has waited for it: -1.
sub stop ($self, $pid) {
    my $ended = waitpid($pid, WNOHANG) != 0;
    kill TERM => $pid unless $ended;
    $ended ||= HyperDerp::Test::wait_for(sub { waitpid($pid, WNOHANG) != 0 });
    kill KILL => $pid and waitpid $pid, 0 unless $ended;
    $self->{pids} = [grep { $_ != $pid } @{ $self->{pids} }];
    return;
}

sub stop_all ($self) {
    $self->stop($_) for @{ $self->{pids} };
    return;
}

sub file ($self, $name) { return "$self->{net}{dir}/$self->{name}-$name" }

# nft: new ports for what leaves, as a NAT that maps by destination does.
sub masquerade ($self) {
    $self->run('nft', 'table ip hdnat { chain post { type nat hook postrouting priority 100; '
        . 'oifname "eth0" masquerade random; }; }');
    return;
}

# All mappings are forgotten: the next packets leave from other ports.
sub new_mappings ($self) {
    $self->run(qw(nft delete table ip hdnat));
    $self->run(qw(conntrack -F)) if -x '/usr/sbin/conntrack';
    $self->masquerade;
    return;
}

# A WireGuard device that wg can speak to.
sub device ($self, $dev) {
    return $self->run(qw(ip link add), $dev, qw(type wireguard)) if $HyperDerp::Netns::kernel_wg;
    local $ENV{LOG_LEVEL} = 'verbose';
    my $up = sub { system($self->wrap, 'sh', '-c', "wg show $dev >/dev/null 2>&1") == 0 };
    for (1 .. 3) {    # /run/wireguard belongs to all: it may be gone for a moment
        my $pid = $self->{wg_pid} = $self->spawn('wireguard-go', 'wireguard-go', '-f', $dev);
        my $ended = 0;
        HyperDerp::Test::wait_for(sub { $up->() || ($ended = waitpid($pid, WNOHANG) != 0) });
        return if !$ended && $up->();
        $self->stop($pid) unless $ended;
        $self->{pids} = [grep { $_ != $pid } @{ $self->{pids} }];
    }
    die 'wireguard-go does not start: ' . HyperDerp::Test::slurp($self->file('wireguard-go'));
}

# wireguard-go with a new key, or `private`; ->{public} is its public key. Its
# sockets stand in one folder for all namespaces, so the device has a name of
# its own: ->{dev}.
sub wireguard ($self, %o) {
    my $dev = $self->{dev} //= "w$$-" . ++$devices;
    my $key = $self->file('key');
    $self->{private} = $o{private} // $self->{private} // chomped(qx(wg genkey));
    HyperDerp::Test::spew($key, "$self->{private}\n");
    $self->{public} = chomped(qx(wg pubkey <'$key'));
    $self->device($dev);
    $self->run('wg', 'set', $dev, 'private-key', $key, $o{port} ? ('listen-port', $o{port}) : ());
    HyperDerp::Netns::address($self->{ns}, $dev, grep { defined } $o{ip}, $o{ip6});
    $self->run('ip', 'link', 'set', 'mtu', $o{mtu} // 1420, 'up', 'dev', $dev);
    return $self;
}

sub chomped ($text) { return $text =~ s/\n\z//r }

sub wg_peer ($self, $public, $allowed, $endpoint = undef, %o) {
    $self->run('wg', 'set', $self->{dev}, 'peer', $public, 'allowed-ips', $allowed,
        'persistent-keepalive', $o{keepalive} // 25, $endpoint ? ('endpoint', $endpoint) : ());
    return;
}

# Seconds since 1970 of the last handshake with that peer, 0: none yet.
sub handshake ($self, $public) {
    my %at = map { split } split /\n/, $self->out('wg', 'show', $self->{dev}, 'latest-handshakes');
    return $at{$public} // 0;
}

# Whether an echo comes back within so many seconds.
sub pings ($self, $ip, $seconds = 20, @options) {
    return HyperDerp::Test::wait_for(
        sub { system($self->wrap, 'sh', '-c', "ping -n -c1 -W1 @options $ip >/dev/null 2>&1") == 0 }, $seconds);
}

# That none comes back, in so many tries of a second.
sub silent ($self, $ip, $tries = 2) {
    return system($self->wrap, 'sh', '-c', "ping -n -c$tries -i0.5 -W1 $ip >/dev/null 2>&1") != 0;
}

1;

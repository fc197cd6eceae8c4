# SPDX-License-Identifier: MIT
# t/packages/Fresh.pm - a fresh, minimal Debian 12 for t/packages/first-hour.t:
# a root in memory, a network in which relay.example.net and hs.example.net are,
# and what stands for systemd and for Let's Encrypt.
package Fresh;
use v5.36;
use File::Path qw(make_path);
use HyperDerp::Test;
use POSIX ();
use Root;

sub enter ($debs) {
    return Root::enter('a fresh Debian is made', $debs,
        programs => [qw(mmdebstrap tar ip chroot openssl setsid)]);
}

my $net = 'hd-fresh';

sub new ($class, %o) {
    my $self = bless { %o, out => '', root => '/mnt' }, $class;
    Root::must('mount --make-rprivate /');
    Root::must("mount -t tmpfs -o size=3g hd-fresh $self->{root}");
    my $tar = $o{tar};
    if (!$tar) {
        $tar = "$self->{root}/root.tar";
        Root::must('mmdebstrap --quiet --mode=root --variant=minbase --dpkgopt=force-unsafe-io'
            . " --include=ca-certificates bookworm $tar");
    }
    make_path("$self->{root}/debian");
    Root::must("tar -C $self->{root}/debian -xf $tar");
    $self->{root} .= '/debian';
    Root::must("mount --rbind /dev $self->{root}/dev");
    Root::must("mount -t proc proc $self->{root}/proc");
    Root::must("mount -t tmpfs -o mode=755 tmpfs $self->{root}/run");
    Root::must("cp -L /etc/resolv.conf $self->{root}/etc/; mkdir -p $self->{root}/root/hyper-derp/build-deb");
    Root::must("cp $o{debs}/*.deb $self->{root}/root/hyper-derp/build-deb/");
    Root::must('mount -t tmpfs -o mode=755 tmpfs /run');    # ip's names, ours alone
    Root::must("ip netns add $net && ip -n $net link set lo up"
        . " && ip netns add hd-hs && ip -n hd-hs link set lo up"
        . " && ip -n $net link add e0 type veth peer name e0 netns hd-hs"
        . " && ip -n $net address add 203.0.113.9/24 dev e0 && ip -n hd-hs address add 203.0.113.10/24 dev e0"
        . " && ip -n $net link set e0 up && ip -n hd-hs link set e0 up"
        . " && ip netns exec $net sysctl -qw net.ipv4.ip_unprivileged_port_start=0"
        . " && touch $self->{root}/run/net && mount --bind /run/netns/$net $self->{root}/run/net");
    return $self;
}

sub install ($self, %program) {
    Root::must("cp $program{$_} $self->{root}/usr/bin/$_") for keys %program;
    symlink 'tailscaled', "$self->{root}/usr/bin/tailscale";
    return;
}

# @where  world: with the network of this machine, for apt; net: the relay's and the
# clients'; hs: Headscale's
sub run ($self, $where, $cmd) {
    my $script = HyperDerp::Test::spew("$self->{root}/tmp/command", "cd /root/hyper-derp\n$cmd\n");
    my @in = $where eq 'world' ? () : (qw(ip netns exec), $where eq 'hs' ? 'hd-hs' : $net);
    my $pid = open(my $f, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        %ENV = (PATH => '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C.UTF-8', HOME => '/root', DEBIAN_FRONTEND => 'noninteractive');
        exec @in, 'chroot', $self->{root}, 'bash', '-e', '/tmp/command' or POSIX::_exit(127);
    }
    local $/;
    $self->{out} = <$f> // '';
    close $f;
    return $? == 0;
}

sub out ($self) { return $self->{out} }

# A service of the room: goes on until the test ends.
sub begin ($self, $name, $cmd) {
    return $self->run('net', "setsid $cmd >>/tmp/$name.log 2>&1 </dev/null &");
}

sub up ($self, $what, $cmd) {
    HyperDerp::Test::wait_for(sub { $self->run('net', "$cmd >/dev/null 2>&1") }, 120)
        or die "$what does not start:\n" . `tail -n 20 $self->{root}/tmp/*.log`;
    return;
}

# In the place of systemd: enough for hdctl setup and the packages' scripts.
my $systemctl = <<'END';
#!/bin/sh
case " $* " in
*' cat '*) exit 0 ;;
*hyper-derp.service*) unit=hyper-derp ;;
*headscale*) unit=headscale ;;
*) exit 0 ;;
esac
case " $* " in
*' start '* | *' restart '* | *' enable --now '*) ;;
*) exit 0 ;;
esac
if test -e /run/$unit.pid; then # a zombie has ended
	pid=$(cat /run/$unit.pid)
	kill $pid
	while test -e /proc/$pid/status && ! grep -q '^State:.Z' /proc/$pid/status; do sleep 0.1; done
fi
case $unit in
hyper-derp)
	install -d -o hyper-derp -g hyper-derp /run/hyper-derp /var/lib/hyper-derp /var/log/hyper-derp
	# apt starts it outside of the network that it is for
	set -- nsenter --net=/run/net setpriv --reuid=hyper-derp --regid=hyper-derp --init-groups /usr/sbin/hyper-derp ;;
headscale) set -- headscale --config /etc/headscale/config.yaml serve ;;
esac
setsid sh -c 'echo $$ >/run/'$unit'.pid; exec "$@"' sh "$@" >>/tmp/$unit.log 2>&1 </dev/null &
END

# What is there before the first command: names, an authority that is trusted,
# Headscale with its certificate, a user and a key for nodes.
sub before ($self) {
    my $r = $self->{root};
    HyperDerp::Test::spew("$r/etc/hosts", "127.0.0.1 localhost\n203.0.113.9 relay.example.net\n203.0.113.10 hs.example.net\n");
    make_path("$r/run/systemd/system", "$r/etc/headscale", "$r/etc/hyper-derp/conf.d", "$r/ca");
    # before the one of systemd, which apt brings and which would find no bus
    chmod 0755, HyperDerp::Test::spew("$r/usr/local/sbin/systemctl", $systemctl);
    for (['ca', 'localhost', 'DNS:localhost'], ['hs', 'hs.example.net', 'DNS:hs.example.net']) {
        my ($name, $cn, $san) = @$_;
        Root::must("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=$cn"
            . " -addext subjectAltName=$san -keyout $r/ca/$name.key -out $r/ca/$name.crt 2>/dev/null"
            . " && cat $r/ca/$name.crt >>$r/etc/ssl/certs/ca-certificates.crt");
    }
    HyperDerp::Test::spew("$r/ca/pebble.json", <<'END');
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
 "certificate": "/ca/ca.crt", "privateKey": "/ca/ca.key", "httpPort": 80, "tlsPort": 443}}
END
    HyperDerp::Test::spew("$r/etc/hyper-derp/conf.d/authority.yaml", qq(acme: {directory: "https://localhost:14000/dir"}\n));
    HyperDerp::Test::spew("$r/etc/headscale/config.yaml", <<'END');
server_url: https://hs.example.net
listen_addr: 203.0.113.10:443
tls_cert_path: /ca/hs.crt
tls_key_path: /ca/hs.key
metrics_listen_addr: ""
noise: {private_key_path: /etc/headscale/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48"}
derp:
  server: {enabled: false}
  urls: []
  paths: [/etc/headscale/derp.yaml]
  auto_update_enabled: false
disable_check_updates: true
database: {type: sqlite, sqlite: {path: /etc/headscale/db.sqlite}}
dns: {magic_dns: false, override_local_dns: false, base_domain: tail.example}
policy: {mode: file, path: ""}
unix_socket: /run/headscale.sock
unix_socket_permission: "0700"
END
    # a map of Headscale's before: a relay that is not there
    HyperDerp::Test::spew("$r/etc/headscale/derp.yaml", "regions:\n  999: {regionid: 999, regioncode: old, regionname: Old,"
        . " nodes: [{name: 999a, regionid: 999, hostname: old.example.net}]}\n");
    $self->begin('pebble', 'env PEBBLE_VA_NOSLEEP=1 PEBBLE_WFE_NONCEREJECT=0 pebble -config /ca/pebble.json');
    $self->up('pebble', 'exec 3<>/dev/tcp/127.0.0.1/14000');
    Root::must("printf 'GET /roots/0 HTTP/1.0\\r\\n\\r\\n' | ip netns exec $net openssl s_client -quiet -connect 127.0.0.1:15000 2>/dev/null"
        . " | sed -n '/-BEGIN/,/-END/p' >>$r/etc/ssl/certs/ca-certificates.crt");
    $self->run('hs', 'systemctl restart headscale');
    $self->up('Headscale', 'headscale --config /etc/headscale/config.yaml users list');
    $self->run('net', 'headscale --config /etc/headscale/config.yaml users create test') or die $self->out;
    return;
}

# A tailscaled without a device, and no direct way to others. Returns its address.
sub join ($self, $name) {
    $self->up('Headscale', 'headscale --config /etc/headscale/config.yaml users list');
    $self->run('net', 'headscale --config /etc/headscale/config.yaml preauthkeys create --user 1 --reusable');
    my ($key) = $self->out =~ /(\S+)\s*\z/;
    my $env = 'env TS_NO_LOGS_NO_SUPPORT=true TS_DISABLE_PORTMAPPER=1 TS_DEBUG_ALWAYS_USE_DERP=1'
        . ' TS_DEBUG_NEVER_DIRECT_UDP=1 TS_ASSUME_NETWORK_UP_FOR_TEST=1';
    $self->run('net', "mkdir -p /tmp/$name");
    $self->begin($name, "$env tailscaled --tun=userspace-networking --port=0 --statedir=/tmp/$name"
            . " --socket=/tmp/$name/sock --no-logs-no-support");
    my $cli = "tailscale --socket=/tmp/$name/sock";
    $self->up($name, "test -S /tmp/$name/sock");
    $self->run('net', "$cli up --login-server=https://hs.example.net --hostname=$name --accept-dns=false"
            . " --auth-key=$key --timeout=60s") or return;
    $self->run('net', "$cli ip -4");
    return $self->out =~ /^(100\.\S+)/m ? $1 : undef;
}

1;

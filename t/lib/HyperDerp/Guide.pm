# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Guide.pm - the blocks of a page for operators, and a room to
# run them in: the machine's own files, but what is written to /etc, /var and
# /run goes away, and the network is a loopback of its own. With `installed` it
# is as after the installation of the packages: their configuration is there,
# derp and stun are enabled, and `hdctl setup` has somebody who starts the relay.
package HyperDerp::Guide;
use v5.36;
use File::Temp;
use HyperDerp::Pebble;
use HyperDerp::Test;
use IPC::Open2;
use POSIX qw(:sys_wait_h);

my $srcdir = $HyperDerp::Test::srcdir;
my $build  = $HyperDerp::Test::build;

# What this machine lacks to make a room.
sub missing () {
    return 'a room of its own needs root' if $>;
    my $try = 'mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w && '
        . 'mount -t overlay o -o lowerdir=/etc,upperdir=/mnt/u,workdir=/mnt/w /etc';
    return 'this kernel has no overlay file system or no namespaces'
        if system("unshare -mn sh -c '$try' >/dev/null 2>&1");
    return '';
}

# The fenced blocks of a page, each with the comment above it.
sub blocks ($path) {
    my (@blocks, $marker, $in);
    my $line = 0;
    for (split /^/, HyperDerp::Test::slurp($path)) {
        $line++;
        if ($in) {
            if (/^```/) { undef $in; undef $marker }
            else { $in->{text} .= $_ }
        } elsif (/^```/) {
            push @blocks, $in = { line => $line, text => '', kind => 'unmarked', %{ $marker // {} } };
        } elsif (/^<!-- (run in the background|run|file|not run)(?::? (.*?))? *-->/) {
            $marker = { kind => $1, what => $2 // '' };
        } elsif (/\S/) {
            undef $marker;
        }
    }
    return @blocks;
}

my $no_pebble = 'the ACME server pebble could not be built (Go 1.26, its proxy)';

# Why a block cannot run here, '' if it can.
sub lacks ($self, $text) {
    for my $client (qw(certbot lego uacme)) {
        next unless $text =~ /^$client\b/m;
        return "$client is not installed" unless grep { -x "$_/$client" } split /:/, $ENV{PATH};
        return $no_pebble unless HyperDerp::Pebble::program();
    }
    return $no_pebble if $text =~ /--acme\b|\bacme status\b/ && !HyperDerp::Pebble::program();
    return 'ssh and sshd are not installed' if $text =~ /^ssh /m && !(-x '/usr/bin/ssh' && -x '/usr/sbin/sshd');
    return '';
}

my $room_sh = <<'END';
set -eu
room=$1 build=$2 src=$3 pebble=$4 installed=$5
mount -t tmpfs room "$room"
for d in etc var run; do
    mkdir -p "$room/up/$d" "$room/work/$d"
    mount -t overlay o -o "lowerdir=/$d,upperdir=$room/up/$d,workdir=$room/work/$d" "/$d"
done
ip link set lo up
echo '127.0.0.1 relay.example.net localhost' >/etc/hosts
mkdir "$room/bin" "$room/home"
# hdctl would find a relay that somebody tries with --dev
export HOME="$room/home" XDG_STATE_HOME=
prefix() { # NAME REST... - a command that calls ours with something before
    name=$1
    shift
    printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$room/bin/$name"
    chmod +x "$room/bin/$name"
}
prefix hyper-derp "$build/hyper-derp" --config /etc/hyper-derp/hyper-derp.yaml --module-path "$build/modules.d"
for p in hdcat hdctl hdprobe hdbench; do prefix $p "$build/$p"; done
prefix hyper-derp-cert "$src/contrib/acme/hyper-derp-cert"
export PATH="$room/bin:$PATH"
patiently() { # COMMAND... - until it is well, for a minute
    n=0
    until "$@" >/dev/null 2>&1 </dev/null; do
        n=$((n + 1))
        test $n -lt 600 || return 1
        sleep 0.1
    done
}
if test -n "$pebble"; then
    mkdir "$room/acme"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost \
        -keyout "$room/acme/key" -out "$room/acme/crt" 2>/dev/null
    cat "$room/acme/crt" >>/etc/ssl/certs/ca-certificates.crt
    cat >"$room/acme/conf" <<CONF
{"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
 "certificate": "$room/acme/crt", "privateKey": "$room/acme/key", "httpPort": 80, "tlsPort": 5001}}
CONF
    PEBBLE_VA_ALWAYS_VALID=1 PEBBLE_WFE_NONCEREJECT=0 "$pebble" -config "$room/acme/conf" >"$room/acme/log" 2>&1 &
    patiently openssl s_client -connect 127.0.0.1:14000
    url=https://localhost:14000/dir
    for c in lego uacme certbot; do
        p=$(command -v $c) || continue
        case $c in
        lego) prefix lego "LEGO_CA_CERTIFICATES=$room/acme/crt $p --server $url" ;;
        uacme) prefix uacme "$p --acme-url $url" ;;
        certbot) prefix certbot "REQUESTS_CA_BUNDLE=$room/acme/crt $p --server $url" ;;
        esac
        sed -i 's/^exec \([A-Z_]*=[^ ]*\) /export \1\nexec /' "$room/bin/$c"
    done
    # what it signs is trusted, as Let's Encrypt's is
    printf 'GET /roots/0 HTTP/1.0\r\n\r\n' | openssl s_client -quiet -connect 127.0.0.1:15000 2>/dev/null |
        sed -n '/-BEGIN/,/-END/p' >>/etc/ssl/certs/ca-certificates.crt
fi
if test -n "$installed"; then
    rm -rf /etc/hyper-derp /var/lib/hyper-derp /run/hyper-derp
    mkdir -p /etc/hyper-derp/conf.d /etc/hyper-derp/modules-enabled /etc/hyper-derp/tls \
        /var/lib/hyper-derp /run/hyper-derp
    ip address add 203.0.113.9/32 dev lo
    conf=/etc/hyper-derp/hyper-derp.yaml
    { cat "$src/contrib/packaging/hyper-derp.yaml"; echo "module_path: [$build/modules.d]"; } >$conf
    for m in derp stun; do echo "load_module: [$m]" >/etc/hyper-derp/modules-enabled/$m.yaml; done
    export HDCTL_MODULES_ENABLED=/etc/hyper-derp/modules-enabled HDCTL_MODULES_AVAILABLE=/nonexistent
    # instead of systemd: setup sees a relay that runs when it is called again
    cat >"$room/bin/hdctl" <<HDCTL
#!/bin/sh
case \${1-} in
doctor) shift; exec $build/hdctl doctor -c $conf "\$@" ;;
setup)
    shift
    $build/hdctl setup -c $conf "\$@" || exit
    $build/hdctl status >/dev/null 2>&1 && exit
    setsid hyper-derp >>$room/relay.log 2>&1 &
    n=0
    until $build/hdctl status >/dev/null 2>&1; do
        n=\$((n + 1))
        test \$n -lt 300 || { cat $room/relay.log; exit 1; }
        sleep 0.1
    done
    exec $build/hdctl setup -c $conf "\$@" ;;
*) exec $build/hdctl "\$@" ;;
esac
HDCTL
fi
cd "$HOME"
echo ready
while read -r mode file what; do
    case $mode in
    run) if sh -eu "$file" >"$file.out" 2>&1 </dev/null; then echo ok; else echo failed; fi ;;
    background)
        sh -eu "$file" >"$file.out" 2>&1 </dev/null &
        if test -n "$what"; then set -- grep -q "$what" "$file.out"; else set -- hdctl status; fi
        if patiently "$@"; then echo ok; else echo failed; fi ;;
    esac
done
END

sub new ($class, %o) {
    my $self = bless { dir => File::Temp->newdir('hd-guide-XXXXXX', TMPDIR => 1), n => 0 }, $class;
    my $script = HyperDerp::Test::spew("$self->{dir}/room.sh", $room_sh);
    mkdir "$self->{dir}/room";
    # --kill-child, --pid: whatever was started ends with the room
    $self->{pid} = open2($self->{from}, $self->{to}, 'unshare', '-mn', '--pid', '--fork', '--kill-child',
        '--mount-proc', 'sh', $script, "$self->{dir}/room", $build, $srcdir, HyperDerp::Pebble::program(), $o{installed} // '');
    my $said = readline $self->{from};
    die "no room: $?\n" unless ($said // '') eq "ready\n";
    return $self;
}

# A block has "hdticket1..." where people put what an earlier one has printed.
sub filled ($self, $text) {
    return $text =~ s{\b(hd[a-z]*1)\.\.\.}{$self->{printed}{$1} // $&}gre;
}

# Runs one block. Returns whether it ended well, and what it printed.
sub take ($self, $b) {
    my $file = HyperDerp::Test::spew("$self->{dir}/block" . $self->{n}++, $self->filled($b->{text}));
    my ($mode, $until) = ('run', '');
    if ($b->{kind} eq 'file') {
        my $to = $b->{what};
        $file = HyperDerp::Test::spew("$file.sh",
            qq(mkdir -p "\$(dirname '$to')" && cp '$file' '$to'\n));
    } elsif ($b->{kind} eq 'run in the background') {
        $mode = 'background';
        ($until) = ($b->{what} // '') =~ /^until it says (.*)/;
    }
    $self->{to}->print("$mode $file ", $until // '', "\n");
    $self->{to}->flush;
    my $answer = readline $self->{from};
    my $said   = HyperDerp::Test::slurp("$file.out");
    $self->{printed}{$1} = "$1$2" while $said =~ /\b(hd[a-z]*1)([a-z0-9]{20,})/g;
    return (($answer // '') eq "ok\n", $said);
}

# Whether the certificate that clients see is the ACME server's.
sub serves_pebble ($self) {
    my ($ok) = $self->take({ kind => 'run', text => 'openssl s_client -connect relay.example.net:443 '
            . "</dev/null 2>/dev/null | openssl x509 -noout -issuer | grep -i pebble\n" });
    return $ok;
}

sub finish ($self) {
    return unless $self->{pid};
    close $self->{to};
    kill KILL => $self->{pid};
    waitpid delete $self->{pid}, 0;
    return;
}

sub DESTROY ($self) {
    local ($?, $!);
    return $self->finish;
}

1;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/guide.t [PAGE]... - what the operations guide, the pages of doc/start
# and README tell people to type works. Each block of those pages has a marker
# above it:
#
#   <!-- run -->                    by sh -e, must end with 0
#   <!-- run in the background -->  goes on until the page ends; the next one has
#                                   its turn when the relay answers, or
#   <!-- run in the background: until it says TEXT -->
#   <!-- file PATH -->              becomes that file
#   <!-- not run: REASON -->
#
# All of it runs as root in namespaces of its own: /etc, /var/lib and /run are
# overlays, the network is loopback. An ACME server (pebble, from the Go proxy)
# stands for Let's Encrypt.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Guide;
use HyperDerp::Test;

my $missing = HyperDerp::Guide::missing();
plan skip_all => $missing if $missing;

# What a machine has on which derper ran, and an authority in place of Let's
# Encrypt.
my %before = (
    'start/derper' => <<'END',
mkdir -p /var/lib/derper/certs
printf '{"PrivateKey":"privkey:%s"}\n' $(openssl rand -hex 32) >/var/lib/derper/derper.key
cd /var/lib/derper/certs
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 \
    -subj /CN=relay.example.net -addext subjectAltName=DNS:relay.example.net \
    -keyout relay.example.net.key -out relay.example.net.crt
cat relay.example.net.crt >>/etc/ssl/certs/ca-certificates.crt
END
    map { ("start/$_" => <<'END') } qw(headscale tailscale tailcat),
echo 'acme: {directory: "https://localhost:14000/dir"}' >/etc/hyper-derp/conf.d/authority.yaml
END
);
# ... and Headscale on a machine of its own, as far as the relay asks it.
$before{'start/headscale'} .= <<'END';
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 -subj /CN=hs.example.net \
    -addext subjectAltName=DNS:hs.example.net -keyout hs.key -out hs.crt
cat hs.crt >>/etc/ssl/certs/ca-certificates.crt
echo '198.51.100.2 hs.example.net' >>/etc/hosts
cat >hs.py <<'PY'
import http.server, json, ssl
class Verify(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        json.loads(self.rfile.read(int(self.headers["Content-Length"])))["NodePublic"]
        self.send_response(200 if self.path == "/verify" else 404)
        self.end_headers()
        self.wfile.write(b'{"Allow":false}')
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("hs.crt", "hs.key")
server = http.server.HTTPServer(("", 443), Verify)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
PY
mkfifo cable
unshare -n sh -c 'read x; ip address add 198.51.100.2/24 dev hs1; ip link set hs1 up; exec python3 hs.py' <cable &
ip link add hs0 type veth peer name hs1
exec 3>cable
here=$(readlink /proc/self/ns/net)
while test "$(readlink /proc/$!/ns/net)" = "$here"; do sleep 0.1; done
ip link set hs1 netns $!
ip address add 198.51.100.1/24 dev hs0
ip link set hs0 up
echo plugged >&3
n=0
until curl -m 5 -sd '{"NodePublic":"nobody"}' https://hs.example.net/verify; do
    n=$((n + 1))
    test $n -lt 300
    sleep 0.1
done
END
# ... and a box with ssh, a folder, and a printer's web page.
$before{'guides/hdcat'} = $before{'start/tailcat'} . <<'END';
echo '127.0.0.1 printer.example.net' >>/etc/hosts
mkdir -p folder /run/sshd
echo contents >folder/file
test -x /usr/sbin/sshd || exit 0
ssh-keygen -q -N '' -t ed25519 -f hostkey
ssh-keygen -q -N '' -t ed25519 -f id
cat >/etc/ssh/ssh_config <<CONF
IdentityFile $PWD/id
StrictHostKeyChecking no
UserKnownHostsFile /dev/null
CONF
/usr/sbin/sshd -f /dev/null -h "$PWD/hostkey" -o ListenAddress=127.0.0.1 -o PidFile=none \
    -o AuthorizedKeysFile="$PWD/id.pub" -o StrictModes=no
END

my @pages = qw(guides/operations guides/configure guides/hdcat guides/troubleshooting
    start/derper start/headscale start/ip-only start/tailcat start/tailscale);
for my $page (@ARGV ? @ARGV : @pages) {
    my @blocks = HyperDerp::Guide::blocks("$HyperDerp::Test::srcdir/doc/$page.md");
    is_deeply [map { "line $_->{line}" } grep { $_->{kind} eq 'unmarked' } @blocks], [],
        "$page.md: every block says whether it is run";
    is_deeply [map { "line $_->{line}" } grep { $_->{kind} eq 'not run' && $_->{what} !~ /\w\w/ } @blocks],
        [], "$page.md: what is not run says why";
    my $room = HyperDerp::Guide->new(installed => scalar($page =~ /^start|hdcat/));
    unshift @blocks, { kind => 'run', line => 0, text => $before{$page} } if $before{$page};
    for my $b (@blocks) {
        next if $b->{kind} =~ /^(?:unmarked|not run)$/;
        my $lacks = $room->lacks($b->{text});
        SKIP: {
            skip "line $b->{line}: $lacks", 1 if $lacks;
            my ($ok, $said) = $room->take($b);
            ok $ok, "$page.md, line $b->{line}: " . ($b->{text} =~ /\A(.*)/)[0] or diag $said;
            ok $room->serves_pebble, '... and the relay serves what the ACME server signed'
                if $b->{text} =~ /^(?:certbot|lego .*\n.* run|uacme)\b/m;
        }
    }
    $room->finish;
}

# README's configuration, with what its commands and the package do before: a
# certificate from hyper-derp-cert, a user.
subtest 'README.md' => sub {
    plan skip_all => 'pages are named' if @ARGV;
    my @blocks = HyperDerp::Guide::blocks("$HyperDerp::Test::srcdir/README.md");
    is_deeply [map { $_->{kind} } @blocks], ['not run', 'file', 'not run'], 'its blocks';
    my $room = HyperDerp::Guide->new;
    my $take = sub ($kind, $text) {
        my ($ok, $said) = $room->take({ kind => $kind, text => $text });
        ok $ok, $text =~ s/.*\n(?=.)//sr =~ s/\n//r or diag $said;
        return $said;
    };
    $take->('run', <<'END');
grep -q ^hyper-derp: /etc/passwd || {
    echo hyper-derp:x:64123:64123::/:/usr/sbin/nologin >>/etc/passwd
    echo hyper-derp:x:64123: >>/etc/group
}
mkdir -p /etc/hyper-derp/tls /run/hyper-derp /var/lib/hyper-derp
chown hyper-derp /run/hyper-derp /var/lib/hyper-derp
cd "$HOME"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 90 \
    -subj /CN=relay.example.net -addext subjectAltName=DNS:relay.example.net \
    -keyout privkey.pem -out fullchain.pem
hyper-derp-cert fullchain.pem privkey.pem
END
    my ($ok) = $room->take($blocks[1]);
    ok $ok, 'the configuration is in its place';
    $take->('run', "hyper-derp -t\n");
    $take->('run in the background', "hyper-derp\n");
    $take->('run', "hdctl status\n");
    like $take->('run', "hdprobe relay.example.net\n"), qr/: ok - \d+ ok, 0 warnings, 0 failed/, '... is well';
    $take->('run', "mkdir -p /etc/headscale\n"
            . "hdprobe --derpmap relay.example.net --format yaml --output /etc/headscale/derp.yaml\n");
    $room->finish;
};

# The messages that the page explains are those of the sources, whose strings
# are often cut into lines.
my $sources = join "\n", map { HyperDerp::Test::slurp($_) =~ s/"\s*\n\s*"//gr }
    glob "$HyperDerp::Test::srcdir/{core,modules,tools}/*/*.c";
my $explained = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/guides/troubleshooting.md");
my %errno = map { $_ => 1 } 'Address already in use', 'Permission denied';
for my $message ($explained =~ /^### `(.*)`$/mg) {
    ok $errno{$message} || index($sources, $message) >= 0, "troubleshooting.md: \"$message\" is still said";
}
done_testing;

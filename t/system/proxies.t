#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/proxies.t - the configurations of doc/guides/proxies.md, run from there:
# nginx, haproxy and Caddy in front of a relay, with hdprobe as the client of
# each (login, packets, WebSocket), and Tailscale's own client, derpprobe, which
# ./bootstrap check builds; and a relay in front of nginx. Each has a room of its
# own, as in t/system/guide.t.
use v5.36;
use Cwd qw(abs_path);
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Guide;
use HyperDerp::Test;

my $missing = HyperDerp::Guide::missing();
plan skip_all => $missing if $missing;
plan skip_all => 'the plain build is tried' if HyperDerp::Test::sanitized();

my $page = "$HyperDerp::Test::srcdir/doc/guides/proxies.md";
my @blocks = HyperDerp::Guide::blocks($page);
is_deeply [map { "line $_->{line}" } grep { $_->{kind} eq 'unmarked' } @blocks], [], 'every block is run';

# Heading => its blocks, in order.
my (%blocks, @headings);
my $line = 0;
for (split /^/, HyperDerp::Test::slurp($page)) {
    $line++;
    push @headings, [$1, $line] if /^## (.*)$/;
}
for my $b (@blocks) {
    my ($heading) = map { $_->[0] } grep { $_->[1] < $b->{line} } reverse @headings;
    push @{ $blocks{$heading} }, $b;
}

# What the packages of the proxies make when they are installed, and a certificate
# that is trusted here.
my $before = <<'END';
mkdir -p /var/lib/nginx /var/log/nginx /var/lib/haproxy /etc/ssl/relay.example.net
cd /etc/ssl/relay.example.net
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj /CN=relay.example.net -addext subjectAltName=DNS:relay.example.net \
    -keyout privkey.pem -out fullchain.pem
cat fullchain.pem >>/etc/ssl/certs/ca-certificates.crt
# clients have another address than the proxy
ip address add 203.0.113.9/32 dev lo
echo '203.0.113.9 relay.example.net' >/etc/hosts
echo '127.0.0.1 localhost' >>/etc/hosts
END

sub walk ($room, $b) {
    my ($ok, $said) = $room->take($b);
    ok $ok, "line $b->{line}: " . ($b->{text} =~ /\A(.*)/)[0] or diag $said;
    return $said;
}

# Tailscale's client with the map that we print: TLS, and packets from one
# connection to another ("mesh").
my $derpprobe = "$HyperDerp::Test::build/t/derpprobe";
my $tailscale = <<"END";
hdprobe --derpmap --format tailcat relay.example.net >"\$HOME/map.json"
$derpprobe -once -spread=false -derp-map="file://\$HOME/map.json" 2>&1
END

sub tailscale_likes ($room) {
  SKIP: {
        skip "there is no $derpprobe: ./bootstrap check builds it with Go 1.26", 2 unless -x $derpprobe;
        my ($ok, $said) = $room->take({ kind => 'run', text => $tailscale });
        ok $ok, 'derpprobe' or diag $said;
        like $said, qr{^\S+ \S+ good: derp/hd/900a/900a/mesh: }m, '... packets';
    }
    return;
}

# nginx's module for TCP is a package of its own, and may stand elsewhere than
# nginx looks for it.
sub with_stream_module ($b) {
    my ($nginx) = map { "$_/../lib/nginx/modules/ngx_stream_module.so" } grep { -x "$_/nginx" } split(/:/, $ENV{PATH}), '/usr/sbin';
    return $b->{text} =~ s{modules/ngx_stream_module\.so}{abs_path($nginx) // return}er;
}

# What each proxy is for: ends TLS, or passes it on.
for my $proxy ([nginx => 'nginx', 1], [haproxy => 'haproxy', 1], [caddy => 'Caddy', 1],
    [nginx => 'nginx, TLS passed through', 0], [haproxy => 'haproxy, TLS passed through', 0]) {
    my ($program, $heading, $ends_tls) = @$proxy;
    subtest $heading => sub {
        plan skip_all => "$program is missing: apt-get install $program"
            unless grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin';
        my @steps = (@{ $blocks{ $ends_tls ? 'The relay' : 'TLS passed through' } }, @{ $blocks{$heading} });
        for my $b (grep { $_->{text} =~ /ngx_stream_module/ } @steps) {
            my $text = with_stream_module($b) // plan skip_all => 'apt-get install libnginx-mod-stream';
            $b = { %$b, text => $text };
        }
        my $room = HyperDerp::Guide->new;
        walk($room, { kind => 'run', line => 0, text => $before });
        my $said = '';
        $said .= walk($room, $_) for @steps;
        for my $check (qw(upgrade login relay big-packet websocket stun generate-204)) {
            like $said, qr/^ok +$check\b/m, "hdprobe: $check";
        }
        if ($ends_tls) {
            like $said, qr/^skip +meta-cert .*proxy/m, '... and it was the proxy that answered';
        } else {
            like $said, qr/^ok +meta-cert\b/m, '... and the certificate is the relay\'s';
        }
        tailscale_likes($room);
        my (undef, $peers) = $room->take({ kind => 'run', text => "hdctl --json status\n" });
        like $peers, qr/"login/, 'the relay had the logins' or diag $peers;
        my (undef, $trace) = $room->take({ kind => 'run', text => "hdctl trace --what login\n" });
        my $port = $ends_tls ? qr/0/ : qr/[1-9]\d*/;    # no header of theirs has it
        like $trace, qr/ 203\.0\.113\.9:$port /, '... of the client, not of the proxy' or diag $trace;
        unlike $trace, qr/ 127\.0\.0\.1:/, '... all of them' or diag $trace;
        $room->finish;
    };
}

# The other way round: the relay in front of a web server.
subtest 'A web server on the same port' => sub {
    for my $program (qw(nginx curl)) {
        plan skip_all => "$program is missing: apt-get install $program"
            unless grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin';
    }
    my $room = HyperDerp::Guide->new;
    my $www = $before =~ s/relay(?=\.example)/www/gr =~ s/^ip .*//mr =~ s/(?<!>)>\/etc\/hosts/>>\/etc\/hosts/gr;
    walk($room, { kind => 'run', line => 0, text => $_ }) for $before, $www;
    my $said = '';
    $said .= walk($room, $_) for @{ $blocks{'A web server on the same port'} };
    for my $check (qw(upgrade login relay big-packet websocket stun meta-cert generate-204)) {
        like $said, qr/^ok +$check\b/m, "hdprobe: $check";
    }
    is(() = $said =~ /^<h1>A website<\/h1>$/mg, 2, 'curl: by name and by path');
    tailscale_likes($room);
    my (undef, $log) = $room->take({ kind => 'run', text => "cat /var/log/nginx/access.log\n" });
    like $log, qr{^203\.0\.113\.9 "GET / HTTP/2\.0" 200$}m, 'nginx: HTTP/2, and who the client is' or diag $log;
    like $log, qr{^203\.0\.113\.9 "GET / HTTP/1\.1" 200$}m, '... after the relay\'s TLS, too' or diag $log;
    $room->finish;
};
done_testing;

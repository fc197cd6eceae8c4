#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/proxies.t - the configurations of doc/proxies.md, run from there: nginx,
# haproxy and Caddy in front of a relay, with hdprobe as the client of each (login,
# packets, WebSocket). Each proxy has a room of its own, as in t/guide.t.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Guide;
use HyperDerp::Test;

my $missing = HyperDerp::Guide::missing();
plan skip_all => $missing if $missing;
plan skip_all => 'the plain build is tried' if HyperDerp::Test::sanitized();

my $page = "$HyperDerp::Test::srcdir/doc/proxies.md";
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

# What the packages of the proxies make when they are installed, a certificate,
# and ports below 1024 for all.
my $before = <<'END';
mkdir -p /var/lib/nginx /var/log/nginx /var/lib/haproxy /etc/ssl/relay.example.net
cd /etc/ssl/relay.example.net
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj /CN=relay.example.net -addext subjectAltName=DNS:relay.example.net \
    -keyout privkey.pem -out fullchain.pem
END

sub walk ($room, $b) {
    my ($ok, $said) = $room->take($b);
    ok $ok, "line $b->{line}: " . ($b->{text} =~ /\A(.*)/)[0] or diag $said;
    return $said;
}

for my $proxy ([nginx => 'nginx'], [haproxy => 'haproxy'], [caddy => 'Caddy']) {
    my ($program, $heading) = @$proxy;
    subtest $heading => sub {
        plan skip_all => "$program is missing: apt-get install $program"
            unless grep { -x "$_/$program" } split(/:/, $ENV{PATH}), '/usr/sbin';
        my $room = HyperDerp::Guide->new;
        walk($room, { kind => 'run', line => 0, text => $before });
        my $said = '';
        $said .= walk($room, $_) for @{ $blocks{'The relay'} }, @{ $blocks{$heading} };
        for my $check (qw(upgrade login relay big-packet websocket stun generate-204)) {
            like $said, qr/^ok +$check\b/m, "hdprobe: $check";
        }
        like $said, qr/^skip +meta-cert .*proxy/m, '... and it was the proxy that answered';
        my (undef, $peers) = $room->take({ kind => 'run', text => "hdctl --json status\n" });
        like $peers, qr/"login/, 'the relay had the logins' or diag $peers;
        $room->finish;
    };
}
done_testing;

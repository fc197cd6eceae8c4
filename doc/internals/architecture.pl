#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# doc/internals/architecture.pl - draws doc/internals/architecture.svg from the
# text at its end:
#
#     doc/internals/architecture.pl >doc/internals/architecture.svg
#
# Lines there: `box X Y WIDTH HEIGHT KIND | line | line...`, where the first line
# is the title; `arrow X Y X Y KIND | text`. t/lint draws it again and compares.
use v5.36;

my ($width, $height) = (1160, 630);

sub text ($x, $y, $class, $s) {
    $s = $s =~ s/&/&amp;/gr =~ s/</&lt;/gr;
    return qq(  <text x="$x" y="$y" class="$class">$s</text>\n);
}

sub box ($x, $y, $w, $h, $kind, $title, @lines) {
    my $svg = qq(  <rect x="$x" y="$y" width="$w" height="$h" rx="6" class="$kind"/>\n);
    my ($tx, $ty) = ($x + 10, $y + 20);
    $svg .= text($tx, $ty, 'title', $title) if $title ne '';
    $svg .= text($tx, $ty += 17, 'line', $_) for @lines;
    return $svg;
}

sub arrow ($x1, $y1, $x2, $y2, $kind, $text = '') {
    my $svg = qq(  <line x1="$x1" y1="$y1" x2="$x2" y2="$y2" class="arrow $kind" marker-end="url(#head)")
        . ($kind eq 'both' ? ' marker-start="url(#head)"' : '') . "/>\n";
    return $svg if $text eq '';
    my ($x, $y) = (($x1 + $x2) / 2, ($y1 + $y2) / 2 - 5);
    return $svg . text($x, $y, 'label', $text);
}

print <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" role="img" aria-labelledby="t">
  <!-- made by doc/internals/architecture.pl: do not edit -->
  <title id="t">Hyper-DERP: clients, listeners, workers, modules, and whom the relay asks</title>
  <defs>
    <marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">
      <path d="M0 0 L8 4 L0 8 z" fill="#444"/>
    </marker>
  </defs>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #222 }
    .title { font-weight: 600 }
    .line { font-size: 12px; fill: #444 }
    .label { font-size: 11px; fill: #444; text-anchor: middle }
    rect { stroke: #667; fill: #fff }
    .page { stroke: none }
    .relay { fill: #f4f6fa; stroke: #335; stroke-width: 1.5 }
    .worker { fill: #e3edf9 }
    .module { fill: #e7f4e4 }
    .main { fill: #fbf3dc }
    .outside { fill: #fff; stroke-dasharray: 4 3 }
    .arrow { stroke: #444; fill: none }
  </style>
  <rect width="$width" height="$height" class="page"/>
END
while (my $line = <DATA>) {
    chomp $line;
    next if $line =~ /^\s*(?:#|$)/;
    my ($head, @texts) = map { s/^\s+|\s+$//gr } split /\|/, $line;
    my ($what, @args) = split ' ', $head;
    print $what eq 'box' ? box(@args, @texts) : $what eq 'arrow' ? arrow(@args, @texts) : die "$.: $line\n";
}
print "</svg>\n";

__DATA__
# clients
box 15 60 195 80 outside | Tailscale's clients | tailscaled, tailcat | Headscale's nodes
box 15 170 195 63 outside | WireGuard | wg-quick, phones, routers
box 15 263 195 63 outside | your programs | HD: packets to keys
box 15 356 195 63 outside | browsers | a website, the status page

# the relay
box 280 20 590 590 relay | hyper-derp: one process
box 300 60 120 80 worker | listeners | TCP 443: TLS | TCP 80: pages
box 300 150 120 46 worker | UDP 3478 | STUN
box 300 206 120 46 worker | UDP 51820 | WireGuard

box 440 60 410 192 worker | workers: a thread for each core, with its own peers
box 455 92 380 40 main | io_uring, else epoll
box 455 138 380 40 main | TLS records: our own, OpenSSL or the kernel
box 455 184 380 56 main | peers by key: login, queues, delivery | to a peer of another worker: a ring between threads

box 300 270 550 150 module | modules: loaded, replaced and unloaded while it runs
box 315 302 122 48 module | derp, stun | Tailscale
box 447 302 122 48 module | wg | WireGuard
box 579 302 122 48 module | hd | programs
box 711 302 124 48 module | mesh | other relays
box 315 358 122 48 module | policy | who may, limits
box 447 358 122 48 module | acme | certificates
box 579 358 122 48 module | fallback | a website
box 711 358 124 48 module | metrics; yours | one C file

box 300 438 550 76 main | main thread | configuration, all or nothing; signals; drain; hand-over | control socket: hdctl, by role
box 300 532 550 60 worker | in the network driver (XDP, optional) | data of confirmed WireGuard sessions, past all of the above

# whom it asks, who asks it
box 960 60 185 63 outside | other relays | of the region; derper
box 960 153 185 63 outside | Headscale, tailscaled | may this key log in?
box 960 246 185 63 outside | Let's Encrypt | the certificate
box 960 339 185 63 outside | Prometheus | metrics, alerts
box 960 446 185 63 outside | you | hdctl, hdprobe

arrow 210 100 298 100 both | DERP
arrow 210 215 298 229 both | UDP
arrow 210 290 298 118 both
arrow 210 380 298 130 both
arrow 872 310 958 92 both
arrow 872 350 958 185 to
arrow 872 370 958 278 to
arrow 958 370 872 385 to
arrow 958 478 852 478 to | control

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

my ($width, $height) = (1000, 640);

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
box 15 60 165 80 outside | Tailscale's clients | tailscaled, tailcat | Headscale's nodes
box 15 170 165 63 outside | WireGuard | wg-quick, phones, routers
box 15 263 165 63 outside | your programs | HD: packets to keys
box 15 356 165 63 outside | browsers | a website, the status page

# the relay
box 250 20 500 600 relay | hyper-derp: one process
box 270 60 110 80 worker | listeners | TCP 443: TLS | TCP 80: pages
box 270 150 110 46 worker | UDP 3478 | STUN
box 270 206 110 46 worker | UDP 51820 | WireGuard

box 400 60 330 192 worker | workers: one thread for each core, each with its own peers
box 415 92 300 40 main | wait: io_uring, else epoll
box 415 138 300 40 main | TLS records: our own, OpenSSL, or the kernel
box 415 184 300 56 main | peers by key: login, queues, delivery | to another worker's peer: a ring between threads

box 270 270 460 150 module | modules: loaded, replaced and unloaded while it runs
box 285 302 100 48 module | derp, stun | Tailscale
box 393 302 100 48 module | wg | WireGuard
box 501 302 100 48 module | hd | programs
box 609 302 106 48 module | mesh | other relays
box 285 358 100 48 module | policy | who may, limits
box 393 358 100 48 module | acme | certificates
box 501 358 100 48 module | fallback | a website
box 609 358 106 48 module | metrics, yours | one C file

box 270 438 460 80 main | main thread | configuration, all or nothing; signals; drain; hand-over to a new process | control socket: hdctl, by role
box 270 536 460 66 worker | in the network driver (XDP, optional) | WireGuard's data of confirmed sessions, past all of the above

# whom it asks
box 820 60 165 63 outside | other relays | of the region, derper
box 820 153 165 63 outside | Headscale, tailscaled | may this key log in?
box 820 246 165 63 outside | Let's Encrypt | the certificate
box 820 339 165 63 outside | Prometheus | metrics, alerts
box 820 446 165 63 outside | you | hdctl, hdprobe

arrow 180 100 268 100 both | DERP
arrow 180 215 268 228 both | UDP
arrow 180 290 268 125 both
arrow 180 380 268 138 both
arrow 752 325 818 95 both | mesh
arrow 752 372 818 190 to
arrow 752 384 818 280 to
arrow 818 372 752 390 to
arrow 818 478 732 478 to | control

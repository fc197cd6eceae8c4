# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Qr.pm - what a QR code that is drawn on a terminal says, by a
# reader that knows nothing of us: zbarimg.
package HyperDerp::Qr;
use v5.36;
use utf8;
use HyperDerp::Test;

# Why it cannot be read here; nothing: it can.
sub missing () {
    return `which zbarimg` eq '' ? 'the machine lacks zbarimg (apt-get install zbar-tools)' : undef;
}

# Half blocks become a picture: light is drawn.
sub picture ($drawn) {
    my @rows;
    for my $line (grep { /[█▀▄]/ } split /\n/, $drawn) {
        push @rows, join(' ', map { /[█▀]/ ? 0 : 1 } split //, $line),
            join(' ', map { /[█▄]/ ? 0 : 1 } split //, $line);
    }
    my @scaled = map { my $r = join ' ', map { ($_) x 4 } split / /; ($r) x 4 } @rows;
    my $width = () = ($scaled[0] // '') =~ /\d/g;
    return "P1\n$width ${\scalar @scaled}\n" . join("\n", @scaled) . "\n";
}

# Of bytes in UTF-8, in which other lines may stand. $file is written.
sub decoded ($file, $drawn) {
    utf8::decode($drawn);
    HyperDerp::Test::spew($file, picture($drawn));
    return `zbarimg --raw -q $file 2>/dev/null` =~ s/\n+\z//r;
}

1;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/guide.t - what the operations guide tells people to type works. Each block
# of doc/operations.md and doc/troubleshooting.md has a marker above it:
#
#   <!-- run -->                    by sh -e, must end with 0
#   <!-- run in the background -->  goes on until the page ends
#   <!-- file PATH -->              becomes that file
#   <!-- not run: REASON -->
#
# All of it runs as root in namespaces of its own: /etc, /var/lib and /run are
# overlays, the network is loopback. An ACME server (pebble, from the Go proxy)
# stands for Let's Encrypt.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Guide;
use HyperDerp::Test;

my $missing = HyperDerp::Guide::missing();
plan skip_all => $missing if $missing;

for my $page (qw(operations troubleshooting)) {
    my @blocks = HyperDerp::Guide::blocks("$HyperDerp::Test::srcdir/doc/$page.md");
    is_deeply [map { "line $_->{line}" } grep { $_->{kind} eq 'unmarked' } @blocks], [],
        "$page.md: every block says whether it is run";
    is_deeply [map { "line $_->{line}" } grep { $_->{kind} eq 'not run' && $_->{what} !~ /\w\w/ } @blocks],
        [], "$page.md: what is not run says why";
    my $room = HyperDerp::Guide->new;
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

# The messages that the page explains are those of the sources, whose strings
# are often cut into lines.
my $sources = join "\n", map { HyperDerp::Test::slurp($_) =~ s/"\s*\n\s*"//gr }
    glob "$HyperDerp::Test::srcdir/{core,modules/*,tools/*}/*.c";
my $explained = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/troubleshooting.md");
my %errno = map { $_ => 1 } 'Address already in use', 'Permission denied';
for my $message ($explained =~ /^### `(.*)`$/mg) {
    ok $errno{$message} || index($sources, $message) >= 0, "troubleshooting.md: \"$message\" is still said";
}
done_testing;

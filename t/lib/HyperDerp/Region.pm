# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Region.pm - packets in a region of several relays: they arrive, or
# a relay drops them.
package HyperDerp::Region;
use v5.36;
use Exporter qw(import);
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use Test::More;

our @EXPORT_OK = qw(drops goes lost);

sub goes ($from, $to, $name) {
    for my $i (1 .. 5) { # the last ones by what is remembered
        $from->send($to->key, "$name $i");
        is $to->packet, "$name $i", "$name, $i" or return;
    }
    return;
}

# The drops of a relay, of whatever reason.
sub drops ($hd) {
    my $n = 0;
    $n += $_ for values %{ ctl($hd, 'status')->{data}{drops} };
    return $n;
}

# Packets that $where drops: so nobody is waited for who gets nothing.
sub lost ($from, $to, $where, $name) {
    my $before = drops($where);
    $from->send($to->key, 'never') for 1 .. 5;
    ok HyperDerp::Test::wait_for(sub { drops($where) >= $before + 5 }), "$name goes nowhere" or diag explain ctl($where, 'status')->{data}{drops};
    ok !$to->expect(qr/^packet/, 0), '... and nobody gets it';
    return;
}

1;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Far.pm - a relay between a peer that is near and one that is
# far: tcp_congestion.
#
#   my ($hd, $near, $far) = pair(wrap => [...], host => '10.8.0.1', conf => '...');
#   ok load($near, $far, 40, sub { switched($hd) });
package HyperDerp::Far;
use v5.36;
use Exporter qw(import);
use HyperDerp::Children;
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use List::Util qw(max sum0);
use Time::HiRes qw(time);
our @EXPORT_OK = qw(load pair peer queued switched);

use constant BYTES => 1400;

# The near one sends, the far one comes by `host`, with `wrap` in front of it.
sub pair (%o) {
    my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1, conf => "write_timeout: 1m\n" . ($o{conf} // ''));
    $hd->{yaml} = $hd->yaml =~ s/^listen:.*127\.0\.0\.1/listen: [{addr: "0.0.0.0/r;
    $hd->write_conf;
    $hd->run->ready or die 'the relay does not start: ', $hd->log_text;
    my $near = HyperDerp::Raw->login($hd);
    my $far = $hd->client(wrap => $o{wrap} // [], host => $o{host});
    return ($hd, $near, $far);
}

# $mbit are sent, more than its line takes, and all of it read, until $enough->(n),
# which gets how many packets have come. Returns false: that takes too long.
sub load ($near, $far, $mbit, $enough) {
    my $batch = HyperDerp::Raw::packet_frame($far->key, 'x' x BYTES) x 32;
    my ($n, $next) = (0, 0);
    return HyperDerp::Test::wait_for(sub {
        $near->write($batch);
        $next = max($next, time - 0.1) + 8e-6 / $mbit * length $batch;
        while (defined(my $e = $far->event(max(0, $next - time)))) {
            $n++ if $e =~ /^packet /;
        }
        return $enough->($n);
    }, 6 * $HyperDerp::Children::patience);
}

# Connections that were given BBR.
sub switched ($hd) {
    return sum0 map { $_->{value} } grep { $_->{name} eq 'hyper_derp_tcp_bbr_total' } @{ ctl($hd, 'metrics')->{data} };
}

sub peer ($hd, $client) { return (grep { $_->{key} eq $client->key } @{ ctl($hd, 'peers', $client->key)->{data} })[0] }
sub queued ($hd, $client) { return peer($hd, $client)->{queued} }

1;

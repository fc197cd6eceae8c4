# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Live.pm - module files that change, and a relay that is told
# to take them.
#
#   my $live = HyperDerp::Live->new;
#   my $file = $live->make('live', build => 7);         # DIR/live.so
#   ok ctl($hd, qw(module load), $file)->{ok};
#   is $live->get($hd, '/live/build'), 'BUILD=000007';
package HyperDerp::Live;
use v5.36;
use Exporter 'import';
use File::Temp;
use HyperDerp::Test;
use IO::Socket::IP;
use IO::Socket::UNIX;
use JSON::PP ();

our @EXPORT = qw(ctl ctl_begin ctl_end get);
our $modules = "$HyperDerp::Test::build/t/lib/modules/.libs";

# One request over a connection of its own; ctl_end() waits for its answer.
sub ctl_begin ($hd, @cmd) {
    my $s = IO::Socket::UNIX->new(Peer => $hd->control) or die "control socket: $!";
    print {$s} JSON::PP::encode_json({ id => 1, cmd => \@cmd }), "\n";
    $s->flush;
    return $s;
}

sub ctl_end ($s) {
    local $SIG{ALRM} = sub { die "no answer on the control socket\n" };
    alarm 60;
    my $line = <$s> // die "the control socket closed\n";
    alarm 0;
    return JSON::PP::decode_json($line);
}

sub ctl ($hd, @cmd) { return ctl_end(ctl_begin($hd, @cmd)) }

# The body of a page, or its status when that is not 200.
sub get ($hd, $path) {
    my $s = $hd->socket or return 'no connection';
    print {$s} "GET $path HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    local $/;
    my $text = <$s> // '';
    my ($status) = $text =~ m{^HTTP/1.1 (\d+)};
    my ($body) = $text =~ /\r\n\r\n(.*)/s;
    return ($status // 0) == 200 ? $body : $status;
}

sub new ($class) {
    return bless { dir => File::Temp->newdir('hd-live-XXXXXX', TMPDIR => 1) }, $class;
}

sub dir ($self) { return "$self->{dir}" }

# A module file, installed as packages do it: by rename. Options: build, mode,
# state_version and abi_major (others than those of the source).
sub make ($self, $name, %o) {
    my $file = $o{from} // ($name eq 'derp' ? "$HyperDerp::Test::build/modules.d/derp.so"
        : "$modules/$name.so");
    my $code = HyperDerp::Test::slurp($file);
    length $code or die "$file is not built\n";
    if (defined $o{build}) {
        # derp has no number: what it says to who does not upgrade gets one
        my ($old, $new) = $name eq 'derp'
            ? ('DERP requires connection upgrade', sprintf 'DERP requires connection b%06d', $o{build})
            : ('BUILD=000000', sprintf 'BUILD=%06d', $o{build});
        $code =~ s/\Q$old\E/$new/ or die "$file has no build number\n";
    }
    if (defined $o{mode}) {
        $code =~ s/MODE=fine/sprintf 'MODE=%-4s', $o{mode}/e or die "$file has no mode\n";
    }
    if (defined $o{state_version}) {
        $code =~ s/EVIL/pack 'V', $o{state_version}/e or die "$file has no state_version\n";
    }
    if (defined $o{abi_major}) {
        $code =~ s/1MDH\K../pack 'v', $o{abi_major}/es or die "$file is no module\n";
    }
    HyperDerp::Test::spew("$self->{dir}/$name.new", $code);
    rename "$self->{dir}/$name.new", "$self->{dir}/$name.so" or die "rename: $!";
    return "$self->{dir}/$name.so";
}

1;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Client.pm - a DERP client: t/lib/client/derp_client.c on a
# leash.
package HyperDerp::Client;
use v5.36;
use HyperDerp::Children;
use IO::Select;
use IPC::Open2;
use Time::HiRes qw(time);

my $patience = $HyperDerp::Children::patience;

# Options: plain, upgrade (101), secret (hex), suite (of TLS 1.3), tls12; wrap, host: elsewhere. Dies unless it logs in; with
# `may_fail` check ->ok.
sub new ($class, $port, %o) {
    my @cmd = (@{ $o{wrap} // [] }, "$o{build}/t/lib/client/derp-client");
    push @cmd, '--plain' if $o{plain};
    push @cmd, '--101' if $o{upgrade};
    push @cmd, '--secret', $o{secret} if $o{secret};
    push @cmd, '--suite', $o{suite} if $o{suite};
    push @cmd, '--tls12' if $o{tls12};
    push @cmd, $o{host} // '127.0.0.1', $port;
    my $pid = open2(my $out, my $in, @cmd);
    $in->autoflush(1);
    HyperDerp::Children::keep($pid);
    my $self = bless { pid => $pid, in => $in, out => $out, buf => '', events => [] }, $class;
    return $self if $o{no_wait};
    $self->wait_ready or $o{may_fail} or die "no login: $self->{failed}\n";
    return $self;
}

sub wait_ready ($self, $seconds = 2 * $patience) {
    my $first = $self->event($seconds) // 'nothing said';
    if ($first !~ /^key ([0-9a-f]{64})$/) {
        $self->{failed} = $first;
        return 0;
    }
    $self->{key} = $1;
    $self->event;    # ready
    return 1;
}

sub ok ($self)  { return defined $self->{key} }
sub key ($self) { return $self->{key} }

sub tell ($self, @words) {
    local $SIG{PIPE} = 'IGNORE';
    return print { $self->{in} } "@words\n";
}

sub send ($self, $key, $data)      { return $self->tell('send', $key, unpack('H*', $data)) }
sub fill ($self, $key, $bytes, $n) { return $self->tell('fill', $key, $bytes, $n) }
sub raw ($self, $bytes)            { return $self->tell('raw', unpack('H*', $bytes)) }
sub frame ($self, $type, $payload = '') { return $self->raw(pack('CN', $type, length $payload) . $payload) }
sub bye ($self)                    { return $self->tell('bye') }
sub ping ($self, $bytes)           { return $self->tell('ping', unpack('H*', $bytes)) }

# The next event as a line, or nothing after $seconds.
sub event ($self, $seconds = $patience) {
    my $until = time + $seconds;
    while (index($self->{buf}, "\n") < 0) {
        my $left = $until - time;    # who was stalled takes what is there
        return unless IO::Select->new($self->{out})->can_read($left > 0 ? $left : 0);
        sysread($self->{out}, $self->{buf}, 65536, length $self->{buf}) or return;
    }
    $self->{buf} =~ s/^(.*)\n//;
    return $1;
}

# The first event that matches; those before it are passed over.
sub expect ($self, $re, $seconds = $patience) {
    my $until = time + $seconds;
    while (defined(my $e = $self->event($until - time))) {
        return $e if $e =~ $re;
    }
    return;
}

# The first 32 bytes of the next packet.
sub packet ($self, $seconds = $patience) {
    my $e = $self->expect(qr/^packet /, $seconds) // return;
    return pack 'H*', (split / /, $e)[3] // '';
}

sub closed_within ($self, $seconds = $patience) { return defined $self->expect(qr/^closed/, $seconds) }

# Nothing but a pong comes: what was sent before had no effect here.
sub silent ($self) {
    my $mark = pack 'a8', 'mark' . ++$self->{marks};
    $self->ping($mark);
    my $e = $self->event // return 0;
    return $e eq 'pong ' . unpack 'H*', $mark;
}

sub quit ($self) {
    return unless HyperDerp::Children::ended($self->{pid});
    local $SIG{PIPE} = 'IGNORE';    # close() writes what an ended client did not take
    $self->tell('quit');
    close $self->{in};
    waitpid $self->{pid}, 0;
    return;
}

1;

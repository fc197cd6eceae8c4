# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Raw.pm - DERP on a plain connection, byte by byte: for input
# that no client sends, and for thousands of clients in one process.
#
#   my ($alice, $bob) = map { HyperDerp::Raw->login($hd, $_) }
#       HyperDerp::Raw::logins($hd, 2);
#   $alice->send($bob->key, 'hello');
#   is $bob->packet, 'hello';
package HyperDerp::Raw;
use v5.36;
use Errno qw(EAGAIN EINTR);
use HyperDerp::Children;
use IO::Select;
use Time::HiRes qw(time);

use constant {
    SERVER_KEY => 1,   CLIENT_INFO => 2,   SERVER_INFO => 3, SEND_PACKET => 4, RECV_PACKET => 5,
    KEEP_ALIVE => 6,   NOTE_PREFERRED => 7, PEER_GONE => 8,  PEER_PRESENT => 9, FORWARD => 10,
    WATCH_CONNS => 16, CLOSE_PEER => 17,   PING => 18,       PONG => 19,       HEALTH => 20,
    RESTARTING => 21,
};
my $patience = $HyperDerp::Children::patience;

# $n logins for this relay: { key, head, info }.
sub logins ($hd, $n = 1, @json) {
    my ($relay) = $hd->log_text =~ /derp: relay key ([0-9a-f]{64})/ or die "no relay key in the log";
    open my $f, '-|', "$HyperDerp::Test::build/t/lib/client/derp-logins", $relay, $n, @json
        or die "derp-logins: $!";
    my @logins = map {
        my ($key, $head, $info) = split;
        { key => $key, head => pack('H*', $head), info => pack('H*', $info) };
    } <$f>;
    close $f or die "derp-logins: $?";
    return wantarray ? @logins : $logins[0];
}

# A connection on which nothing has been said. Options of IO::Socket::IP.
sub open ($class, $hd, %o) {
    my $s = $hd->socket($o{port} // $hd->{plain}) or die "connect: $@";
    $s->blocking(0);
    return bless { socket => $s, in => '' }, $class;
}

# What a client says first: request head and ClientInfo at once.
sub start ($class, $hd, $login, %o) {
    my $self = $class->open($hd, %o);
    $self->{key} = $login->{key};
    $self->write($login->{head} . $login->{info});
    return $self;
}

sub login ($class, $hd, $login = scalar logins($hd), %o) {
    my $self = $class->start($hd, $login, %o);
    $self->admitted or die "no login\n";
    return $self;
}

sub admitted ($self, $seconds = $patience) { return defined $self->expect(SERVER_INFO, $seconds) }
sub key ($self)    { return $self->{key} }
sub socket ($self) { return $self->{socket} }

sub close ($self) { return close $self->{socket} }

# Writes all of it. Returns false when the relay takes no more.
sub write ($self, $bytes, $seconds = $patience) {
    local $SIG{PIPE} = 'IGNORE';
    my $until = time + $seconds;
    while (length $bytes) {
        my $n = syswrite $self->{socket}, $bytes;
        if (defined $n) {
            substr $bytes, 0, $n, '';
            next;
        }
        return 0 unless $! == EAGAIN || $! == EINTR;
        return 0 if time > $until || !IO::Select->new($self->{socket})->can_write($until - time);
    }
    return 1;
}

# One write that may be partial; for writers that must not wait.
sub write_some ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    return syswrite($self->{socket}, $bytes) // 0;
}

sub frame ($self, $type, $payload = '') {
    return $self->write(pack('CN', $type, length $payload) . $payload);
}

sub packet_frame ($key, $data) {
    return pack('CN', SEND_PACKET, 32 + length $data) . pack('H*', $key) . $data;
}

sub send ($self, $key, $data) { return $self->write(packet_frame($key, $data)) }

# Reads what is there. Returns false at the end.
sub fill ($self) {
    state $buf = '';    # one for all: thousands of their own would cost gigabytes
    while (1) {
        my $n = sysread $self->{socket}, $buf, 65536;
        if ($n) {
            $self->{in} .= $buf;
            next if $n == 65536;
            return 1;
        }
        return 1 if !defined $n && ($! == EAGAIN || $! == EINTR);
        $self->{ended} = defined $n ? 'end' : "$!";
        return 0;
    }
}

# A whole frame that is here: (type, payload).
sub take ($self) {
    return if length $self->{in} < 5;
    my ($type, $len) = unpack 'CN', $self->{in};
    return if length $self->{in} < 5 + $len;
    my $payload = substr $self->{in}, 5, $len;
    substr $self->{in}, 0, 5 + $len, '';
    return ($type, $payload);
}

# The next frame, or nothing after $seconds or at the end.
sub next ($self, $seconds = $patience) {
    my $until = time + $seconds;
    while (1) {
        my @frame = $self->take;
        return @frame if @frame;
        return if $self->{ended};
        my $had = length $self->{in};
        $self->fill;
        next if length $self->{in} > $had || $self->{ended};
        my $left = $until - time;
        return if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
    }
}

# The payload of the next frame of a type; those before it are passed over.
sub expect ($self, $type, $seconds = $patience) {
    my $until = time + $seconds;
    while (my ($t, $payload) = $self->next($until - time)) {
        return $payload if $t == $type;
    }
    return;
}

# The next packet; in list context its source, too.
sub packet ($self, $seconds = $patience) {
    my $p = $self->expect(RECV_PACKET, $seconds) // return;
    my $data = substr $p, 32;
    return wantarray ? ($data, unpack 'H*', substr $p, 0, 32) : $data;
}

# Everything that was sent before has been dealt with once this comes back.
sub ping ($self, $seconds = $patience) {
    state $n = 0;
    my $mark = pack 'NN', 0x6d61726b, ++$n;
    $self->frame(PING, $mark) or return 0;
    my $until = time + $seconds;
    while (defined(my $pong = $self->expect(PONG, $until - time))) {
        return 1 if $pong eq $mark;
    }
    return 0;
}

# Nothing but the answer to a ping comes.
sub silent ($self) {
    my $mark = pack 'a8', 'silence' . ++$self->{marks};
    $self->frame(PING, $mark) or return 0;
    my ($type, $payload) = $self->next or return 0;
    return $type == PONG && $payload eq $mark;
}

# All that the relay says until it closes, or nothing if it does not.
sub rest ($self, $seconds = $patience) {
    my $until = time + $seconds;
    while (!$self->{ended} && $self->fill) {
        my $left = $until - time;
        return if $left <= 0 || !IO::Select->new($self->{socket})->can_read($left);
    }
    return $self->{in};
}

sub closed ($self, $seconds = $patience) { return defined $self->rest($seconds) }

1;

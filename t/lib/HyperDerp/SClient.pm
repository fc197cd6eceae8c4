# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/SClient.pm - openssl s_client on a leash: another TLS than
# that of our own client, with its commands (k, K: KeyUpdate; R; Q).
package HyperDerp::SClient;
use v5.36;
use HyperDerp::Children;
use IO::Select;
use IPC::Open2;
use Time::HiRes qw(time);

my $patience = $HyperDerp::Children::patience;

# @args  options of s_client; -connect is ours
sub new ($class, $port, @args) {
    my $pid = open2(my $out, my $in, '/bin/sh', '-c', 'exec openssl s_client "$@" 2>&1', 'sh',
        '-connect', "127.0.0.1:$port", @args);
    $in->autoflush(1);
    binmode $_ for $in, $out;
    HyperDerp::Children::keep($pid);
    return bless { pid => $pid, in => $in, out => $out, text => '' }, $class;
}

sub text ($self) { return $self->{text} }

# s_client takes what it reads at once for one command or for data, so say one
# thing and wait for what comes of it.
sub say ($self, $bytes) {
    local $SIG{PIPE} = 'IGNORE';
    return syswrite $self->{in}, $bytes;
}

# Until all that it has said matches; from $self->{at} on, if that is set.
sub expect ($self, $re, $seconds = $patience) {
    my $until = time + $seconds;
    my $s = IO::Select->new($self->{out});
    while (substr($self->{text}, $self->{at} // 0) !~ $re) {
        my $left = $until - time;    # who was stalled takes what is there
        return 0 if $self->{ended} || !$s->can_read($left > 0 ? $left : 0);
        sysread($self->{out}, $self->{text}, 65536, length $self->{text}) or $self->{ended} = 1;
    }
    return 1;
}

# Forgets what was said, so that expect() looks at what comes.
sub mark ($self) { return $self->{at} = length $self->{text} }

sub connected ($self, $seconds = $patience) { return $self->expect(qr/Verify return code|read R BLOCK/, $seconds) }

# All that it says until it ends; nothing if it does not.
sub rest ($self, $seconds = $patience) {
    $self->expect(qr/(?!)/, $seconds);
    return $self->{ended} ? $self->{text} : undef;
}

sub end ($self, $signal = 'KILL') {
    return unless HyperDerp::Children::ended($self->{pid});
    kill $signal => $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;

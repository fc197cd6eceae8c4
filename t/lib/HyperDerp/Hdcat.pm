# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Hdcat.pm - hdcat through a relay of its own.
#
#   my $hdcat = HyperDerp::Hdcat->new;    # and the relay, $hdcat->{hd}; undef: not built
#   my $l = $hdcat->listener('--allow', 'localhost:80');
#   my $f = $hdcat->start('forward', '0:localhost:80', $l->{ticket});
#   $f->says(qr/.../)    # waits for it on standard error; what it has in brackets
#   $f->status           # waits for its end
#   my ($status, $out, $err) = $hdcat->run('ping', $l->{ticket});
package HyperDerp::Hdcat;
use v5.36;
use HyperDerp::Children;
use HyperDerp::Test;
use IO::Socket::IP;
use POSIX ();

my $program = "$HyperDerp::Test::build/hdcat";

sub new ($class, %opt) {
    return undef if !-x $program;
    return $class->around(HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n", %opt));
}

# With a relay that runs, which those who use hdcat know by another address.
sub around ($class, $hd, $host = 'localhost') {
    return undef if !-x $program;
    my ($key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
    return bless { hd => $hd, dir => $hd->dir, key => $key, relay => "$host:$hd->{tls}", n => 0 }, $class;
}

# The same with hdcat in a host of HyperDerp::Netns.
sub in ($self, $host) {
    return bless { %$self, name => $host->{name}, wrap => [$host->wrap] }, ref $self;
}

sub file ($self, $what) { return "$self->{dir}/$what" . ($self->{name} // '') . ++$self->{n} }

# In, out: a file's name, or a handle that is open.
sub start_with ($self, $in, $out, @args) { return $self->start_all($in, $out, @{ $self->{wrap} // [] }, $program, @args) }

sub start_all ($self, $in, $out, @command) {
    my $err = $self->file('err');
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        ref $in  ? open STDIN,  '<&', $in  : open STDIN,  '<', $in;
        ref $out ? open STDOUT, '>&', $out : open STDOUT, '>', $out;
        open STDERR, '>', $err;
        exec @command or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    return bless { pid => $pid, err => $err }, 'HyperDerp::Hdcat::Process';
}

sub start ($self, @args) { return $self->start_with('/dev/null', '/dev/null', @args) }

# Of another program, which starts hdcat: strace, ip netns exec.
sub start_program ($self, @command) { return $self->start_all('/dev/null', '/dev/null', @command) }

sub run ($self, @args) {
    my $out = $self->file('out');
    my $p = $self->start_with('/dev/null', $out, @args);
    my $status = $p->status;
    return ($status, HyperDerp::Test::slurp($out), $p->err);
}

# Any command that prints a ticket; ->{ticket} is it.
sub listener ($self, @args) { return $self->listener_to('/dev/null', @args) }

sub listener_to ($self, $out, @args) {
    my $file = $self->file('ticket');
    my @command = @args && $args[0] !~ /^-/ ? shift @args : 'listen';
    my $p = $self->start_with('/dev/null', $out, @command, '--ticket-file', $file, "--relay-key=$self->{key}", @args,
        $self->{relay});
    HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($file) || !$p->lives })
        && HyperDerp::Test::whole_lines($file)
        or die "hdcat has no ticket: " . $p->err;
    $p->{ticket} = HyperDerp::Test::whole_lines($file) =~ s/\n//r;
    $p->{ticket_file} = $file;
    return $p;
}

# A server at a free port of localhost; also its port.
sub server ($self) {
    my $s = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 128, ReuseAddr => 1)
        or die "listen: $@";
    return ($s, $s->sockport);
}

sub connect ($self, $port) {
    return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) // die "connect: $@";
}

sub finish ($self) { return $self->{hd}->finish }

package HyperDerp::Hdcat::Process;
use v5.36;

sub err ($self) { return HyperDerp::Test::slurp($self->{err}) }

sub lives ($self) {
    return 0 if defined $self->{status};
    return 1 if waitpid($self->{pid}, POSIX::WNOHANG()) == 0;
    HyperDerp::Children::ended($self->{pid});
    $self->{status} = $? >> 8;
    return 0;
}

sub status ($self) {
    HyperDerp::Test::wait_for(sub { !$self->lives }) or return 'does not end';
    return $self->{status};
}

sub says ($self, $what) {
    HyperDerp::Test::wait_for(sub { $self->err =~ $what || !$self->lives });
    return $self->err =~ $what ? $1 // 1 : undef;
}

sub stop ($self, $signal = 'TERM') {
    kill $signal => $self->{pid} if $self->lives;
    return $self->status;
}

1;

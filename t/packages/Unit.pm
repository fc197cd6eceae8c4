# SPDX-License-Identifier: MIT
# t/packages/Unit.pm - the installed relay as its unit would start it, where no
# systemd runs: folders, user, socket and NOTIFY_SOCKET.
package Unit;
use v5.36;
use HyperDerp::Test;
use IO::Handle;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Socket qw(SOCK_DGRAM);

sub new ($class, $root) {
    return bless { root => $root, log => $root->path('/tmp/relay.log'), told => $root->path('/tmp/relay.told') }, $class;
}

# systemd-socket-activate starts it with the first connection.
sub start ($self) {
    my $root = $self->{root};
    $root->run('install -d -o hyper-derp -g hyper-derp /run/hyper-derp'
        . ' && install -d -m 700 -o hyper-derp -g hyper-derp /var/lib/hyper-derp');
    my $path = $root->path('/run/notify');
    $self->{notify} = IO::Socket::UNIX->new(Local => $path, Type => SOCK_DGRAM) or die "$path: $!";
    chmod 0666, $path;
    $self->listen;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        chroot $root->path('') or POSIX::_exit(126);
        chdir '/';
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin');
        exec qw(systemd-socket-activate -l [::]:3340 -E NOTIFY_SOCKET=/run/notify),
            qw(setpriv --reuid=hyper-derp --regid=hyper-derp --init-groups --no-new-privs --bounding-set=-all),
            '/usr/sbin/hyper-derp' or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    HyperDerp::Test::wait_for(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => 3340) });
    return $self;
}

# What the relay tells its manager, into a file; the child ends with the
# namespace.
sub listen ($self) {
    my $pid = fork // die "fork: $!";
    return if $pid;
    open my $out, '>>', $self->{told} or POSIX::_exit(1);
    $out->autoflush;
    print {$out} "$_\n" while defined recv($self->{notify}, $_, 4096, 0);
    POSIX::_exit(0);
}

sub told ($self, $re) {
    return HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp($self->{told}) =~ $re }, 60);
}

# Another process has taken its place: `hdctl upgrade`. Orphans are ours: the test
# is process 1 here.
sub becomes ($self, $pid) {
    my $old = $self->{pid};
    HyperDerp::Test::wait_for(sub { waitpid($old, WNOHANG) != 0 });
    $self->{pid} = $pid;
    return $self;
}

sub pid ($self)      { return waitpid($self->{pid}, WNOHANG) == 0 ? $self->{pid} : 0 }
sub log_text ($self) { return HyperDerp::Test::log_text($self) }

# Lines are written by a thread of their own.
sub log_like ($self, $re) { return HyperDerp::Test::log_like($self, $re, 60) }

sub stop ($self) {
    kill TERM => $self->{pid};
    HyperDerp::Test::wait_for(sub { waitpid($self->{pid}, WNOHANG) == $self->{pid} });
    return $?;
}

1;

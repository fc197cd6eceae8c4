# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Nats.pm - a nats-server with JetStream on ports of its own, its
# store in a temporary folder; ended by its process id.
package HyperDerp::Nats;
use v5.36;
use File::Temp ();
use HyperDerp::Test;
use IO::Socket::INET;

# What the machine lacks; '' nothing.
sub lacks () {
    return 'the module mesh_nats has not been built: it needs libnats'
        unless -e "$HyperDerp::Test::build/modules.d/mesh_nats.so";
    return qx(sh -c 'command -v nats-server') ? '' : 'there is no nats-server';
}

# conf: more lines of its configuration.
sub new ($class, %o) {
    my $dir = File::Temp->newdir;
    my $self = bless { dir => $dir, port => HyperDerp::Test::free_port(), %o }, $class;
    $self->{name} //= 'one';
    HyperDerp::Test::spew("$dir/nats.conf", <<~"END" . ($self->{conf} // ''));
        server_name: $self->{name}
        listen: 127.0.0.1:$self->{port}
        jetstream { store_dir: "$dir/store", max_mem: 64M, max_file: 256M }
        END
    return $self;
}

# Servers that know each other; none runs yet.
sub cluster ($class, $n) {
    my @port = map { HyperDerp::Test::free_port() } 1 .. $n;
    my $routes = join ', ', map { "nats://127.0.0.1:$_" } @port;
    return map {
        $class->new(name => "server$_", conf => "cluster { name: region, listen: 127.0.0.1:$port[$_], routes: [$routes] }\n")
    } 0 .. $n - 1;
}

sub start ($class, %o) { return $class->new(%o)->run }

sub run ($self) {
    my $pid = fork // die;
    if ($pid == 0) {
        open STDOUT, '>>', "$self->{dir}/log" or die;
        open STDERR, '>&', \*STDOUT or die;
        exec 'nats-server', '-c', "$self->{dir}/nats.conf" or die;
    }
    $self->{pid} = $pid;
    HyperDerp::Test::wait_for(sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) })
        or die 'nats-server does not start: ' . $self->log;
    return $self;
}

sub stop ($self, $signal = 'TERM') {
    my $pid = delete $self->{pid} or return;
    kill $signal, $pid;
    waitpid $pid, 0;
    return;
}

sub url ($self) { return "nats://127.0.0.1:$self->{port}" }
sub log ($self) { return HyperDerp::Test::slurp("$self->{dir}/log") }

sub DESTROY ($self) {
    local $?;
    $self->stop('KILL');
    return;
}

1;

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

# Commands of a client; the line that is like $until.
sub ask ($self, $commands, $until) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) or die;
    print $s "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\n$commands";
    while (defined(my $line = <$s>)) { return $line if $line =~ $until }
    return '';
}

# What nobody should write.
sub write ($self, $subject, $text) {
    return $self->ask("PUB $subject " . length($text) . "\r\n$text\r\nPING\r\n", qr/^PONG/);
}

sub delete_entry ($self, $bucket, $key) {
    my $head = "NATS/1.0\r\nKV-Operation: DEL\r\n\r\n";
    my $n = length $head;
    return $self->ask("HPUB \$KV.$bucket.$key $n $n\r\n$head\r\nPING\r\n", qr/^PONG/);
}

# What a bucket has: '' nothing, or a marker that it was deleted.
sub entry ($self, $bucket, $key) {
    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}) or die;
    print $s "CONNECT {\"verbose\":false,\"headers\":true,\"no_responders\":true}\r\nSUB x 1\r\n"
        . "PUB \$JS.API.DIRECT.GET.KV_$bucket.\$KV.$bucket.$key x 0\r\n\r\n";
    while (defined(my $line = <$s>)) {
        my ($head_n, $n) = $line =~ /^HMSG x 1 +(\d+) (\d+)\r$/ or next;
        read $s, (my $data), $n;
        return '' if $data =~ /^NATS\/1\.0 404|^KV-Operation: (?:DEL|PURGE)/m;
        return substr $data, $head_n;
    }
    return '';
}

sub DESTROY ($self) {
    local $?;
    $self->stop('KILL');
    return;
}

1;

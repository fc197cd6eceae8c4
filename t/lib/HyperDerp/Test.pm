# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Test.pm - a real daemon in a temporary folder, on free ports.
#
#   my $hd = HyperDerp::Test->start(workers => 2, conf => "drain_time: 1s\n");
#   my ($alice, $bob) = map { $hd->client } 1 .. 2;
#   $alice->send($bob->key, 'hello');
#   is $bob->packet, 'hello';
#   $hd->finish;    # tests too: exit 0, no "bug:", no sanitizer report
package HyperDerp::Test;
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp;
use HyperDerp::Children;
use HyperDerp::Client;
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h strftime);
use Socket qw(AF_INET INADDR_LOOPBACK IPPROTO_TCP SOCK_STREAM TCP_NODELAY pack_sockaddr_in);
use Test::More ();
use Time::HiRes qw(time sleep);

our $srcdir = abs_path(dirname(__FILE__) . '/../../..');
our $build  = abs_path($ENV{HD_BUILD} // $ENV{HD_BUILDDIR} // (-x 'hyper-derp' ? '.' : "$srcdir/build"));
my $patience = $HyperDerp::Children::patience;

# Memory and times mean little then.
sub sanitized () { return ($ENV{HD_SANITIZERS} // 'no') !~ /^(?:no)?$/ }

# Below the ports that the kernel gives away by itself: nobody's connection has
# it before the daemon does. None twice, and none that another test has taken: as
# long as this process lives, an abstract socket has the port's number.
sub free_port ($type = SOCK_STREAM) {
    state $n = $$ * 127;
    state @taken;
    for (1 .. 1000) {
        my $port = 10_000 + $n++ % 22_000;
        my $mine = IO::Socket::UNIX->new(Local => "\0hd-port-$port", Listen => 1) or next;
        push(@taken, $mine), return $port if IO::Socket::IP->new(
            LocalHost => '127.0.0.1', LocalPort => $port, Type => $type,
            ($type == SOCK_STREAM ? (Listen => 1) : ()),
        );
    }
    die "no free port: $@";
}

# Waits until $cond->() is true. Returns its value, or nothing after $seconds.
# Who was stalled until then looks once more.
sub wait_for ($cond, $seconds = $patience) {
    my $until = time + $seconds;
    while (1) {
        my $late = time > $until;
        my $v = $cond->();
        return $v if $v;
        return if $late;
        sleep 0.01;
    }
}

sub slurp ($path) {
    open my $f, '<', $path or return '';
    local $/;
    return <$f> // '';
}

# A reader can meet a line that is being written: without that one.
sub whole_lines ($path) { return slurp($path) =~ s/[^\n]+\z//r }

sub spew ($path, $text) {
    open my $f, '>', $path or die "$path: $!";
    print $f $text;
    close $f or die "$path: $!";
    return $path;
}

# A self-signed certificate; returns the paths of certificate and key.
sub certificate ($dir, $name = 'relay', $host = 'localhost') {
    my ($crt, $key) = ("$dir/$name.crt", "$dir/$name.key");
    system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
        . "-days 30 -subj /CN=$host -addext subjectAltName=DNS:$host,IP:127.0.0.1 "
        . "-keyout $key -out $crt 2>/dev/null") == 0
        or die 'openssl req failed';
    return ($crt, $key);
}

# One that began in 2024 and ends in so many seconds.
sub certificate_ending ($dir, $name, $host, $seconds) {
    my ($crt, $key) = certificate($dir, $name, $host);
    my $end = strftime('%Y%m%d%H%M%SZ', gmtime(time + $seconds));
    spew("$dir/ca.conf", "[ca]\ndefault_ca = a\n[a]\ndatabase = $dir/index\nserial = $dir/serial\n"
        . "new_certs_dir = $dir\ndefault_md = sha256\npolicy = p\nunique_subject = no\nx509_extensions = x\n"
        . "[p]\ncommonName = supplied\n[x]\nsubjectAltName = DNS:$host\n");
    spew("$dir/index", '');
    spew("$dir/serial", "01\n");
    system("openssl req -new -key $key -subj /CN=$host -out $dir/csr 2>/dev/null && openssl ca -batch -config $dir/ca.conf "
        . "-selfsign -keyfile $key -in $dir/csr -startdate 20240101000000Z -enddate $end -out $crt -notext 2>$dir/err") == 0
        or die slurp("$dir/err");
    return ($crt, $key);
}

sub new ($class, %o) {
    my $dir = File::Temp->newdir('hd-test-XXXXXX', TMPDIR => 1);
    my $self = bless {
        dir => $dir, tls => free_port(), plain => free_port(),
        stun => free_port(SOCK_DGRAM), log => "$dir/stderr", %o,
    }, $class;
    ($self->{crt}, $self->{key}) = certificate($dir) unless $o{no_tls};
    $self->write_conf;
    return $self;
}

# The default configuration; `conf` appends, `yaml` replaces all of it.
sub yaml ($self) {
    return $self->{yaml} if defined $self->{yaml};
    my $backend = $ENV{HD_EVENT_BACKEND} // 'auto';
    my $modules = join ', ', @{ $self->{load_module} // [qw(derp stun)] };
    my $stun = $modules =~ /stun/ ? qq(stun: {listen: "127.0.0.1:$self->{stun}"}\n) : '';
    my $tls = $self->{no_tls} ? '' : qq({addr: "127.0.0.1:$self->{tls}", tls: true}, );
    my $cert = $self->{no_tls} ? '' : "tls_cert: $self->{crt}\ntls_key: $self->{key}\n";
    # For t/vm: every test on a kernel that has kTLS.
    my $ktls = $ENV{HD_KTLS} && ($self->{conf} // '') !~ /^tls:/m ? "tls: {ktls: $ENV{HD_KTLS}}\n" : '';
    return <<~"END" . ($self->{conf} // '');
        listen: [$tls\{addr: "127.0.0.1:$self->{plain}"}]
        ${cert}workers: @{[$self->{workers} // 2]}
        event_backend: $backend
        load_module: [$modules]
        module_path: [$build/modules.d, $build/t/lib/modules/.libs]
        state_dir: $self->{dir}
        log: {level: info}
        control: {socket: $self->{dir}/control.sock}
        $stun$ktls
        END
}

sub write_conf ($self) {
    return $self->{file} = spew("$self->{dir}/hd.yaml", $self->yaml);
}

# How often it has said that it serves; with another log.level than the default
# it does not.
sub starts ($self) { return scalar(() = $self->log_text =~ /(?: notice |"msg":")ready\b/g) }

sub run ($self) {
    $self->{starts_before} = $self->starts;
    my @cmd = (@{ $self->{wrap} // [] }, "$build/hyper-derp", '--config', $self->{file},
        @{ $self->{args} // [] });
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>>', "$self->{dir}/stdout";
        open STDERR, '>>', $self->{log};
        $ENV{$_} = $self->{env}{$_} for keys %{ $self->{env} // {} };
        delete $ENV{NOTIFY_SOCKET} unless $self->{env}{NOTIFY_SOCKET};
        exec @cmd or POSIX::_exit(127);
    }
    return $self->adopt($pid);
}

# After kill -9: the kernel closes the sockets of a killed ring a little later.
sub ports_free ($self) {
    return wait_for(sub {
        for my $port (grep { $_ } @$self{qw(plain tls)}) {
            IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1, ReuseAddr => 1)
                or return 0;
        }
        return 1;
    });
}

# Runs it in another network namespace, where nobody can connect from here: its log
# says when it serves. Returns false if that does not come. Its ports cannot be
# looked at from here: after kill -9 it is started until they are free.
sub run_elsewhere ($self) {
    return wait_for(sub {
        $self->run;
        my $up = sub { $self->starts > $self->{starts_before} };
        wait_for(sub { $up->() || defined $self->exited });
        return $up->() || $self->log_text !~ /bind: Address already in use[^\n]*\n\z/;
    }) && $self->starts > $self->{starts_before};
}

# A child of this process is the daemon.
sub adopt ($self, $pid) {
    $self->{pid} = $pid;
    HyperDerp::Children::keep($pid, $self);
    delete $self->{status};
    return $self;
}

sub start ($class, %o) {
    my $self = $class->new(%o)->run;
    $self->ready or do {
        Test::More::diag($self->log_text);
        Test::More::BAIL_OUT('the daemon does not start') if $ENV{HD_BAIL};
        die "the daemon does not start";
    };
    return $self;
}

sub ready ($self, $port = $self->{plain}) {
    my $serves;
    wait_for(sub {
        return 1 if defined $self->exited;
        return $serves = $self->starts > $self->{starts_before}
            && IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port);
    }, 2 * $patience);
    return $serves;
}

# The wait status once it has ended, else nothing.
sub exited ($self) {
    return $self->{status} if defined $self->{status};
    return unless $self->{pid};
    return if waitpid($self->{pid}, WNOHANG) != $self->{pid};
    $self->{status} = $?;
    HyperDerp::Children::ended($self->{pid});
    return $self->{status};
}

sub wait_exit ($self, $seconds = $patience) {
    wait_for(sub { defined $self->exited }, $seconds);
    return $self->exited;
}

sub signal ($self, $name) { return kill $name, $self->{pid} }
sub pid ($self)       { return $self->{pid} }
sub control ($self)   { return "$self->{dir}/control.sock" }

# What hdctl prints, both ways; its exit status in $?.
sub ctl ($self, @words) {
    open my $f, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', "$build/hdctl", '--socket',
        $self->control, @words or die "hdctl: $!";
    local $/;
    my $out = <$f> // '';
    close $f;
    $? >>= 8;
    return $out;
}

sub port ($self)      { return $self->{no_tls} ? $self->{plain} : $self->{tls} }
sub dir ($self)       { return "$self->{dir}" }

sub log_text ($self)  { return whole_lines($self->{log}) }

sub log_like ($self, $re, $seconds = $patience) {
    return wait_for(sub { $self->log_text =~ $re }, $seconds);
}

sub client ($self, %o) {
    my $port = $o{plain} || $self->{no_tls} ? $self->{plain} : $self->{tls};
    return HyperDerp::Client->new($port, plain => $self->{no_tls}, %o, build => $build);
}

# A bare TCP connection, for bad input.
sub socket ($self, $port = $self->{plain}) {
    socket my $s, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    connect $s, pack_sockaddr_in($port, INADDR_LOOPBACK) or return;
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
    $s->autoflush(1);
    return $s;
}

# A number of the exit report, over all labels that match; after finish().
sub metric ($self, $name, $labels = qr//) {
    my $log = $self->log_text;
    my $sum = 0;
    while ($log =~ /metric \Q$name\E(?:\{([^}]*)\})?=(\d+)$/mg) {
        my ($where, $n) = ($1 // '', $2);
        $sum += $n if $where =~ $labels;
    }
    return $sum;
}

# Resident memory in bytes.
sub rss ($self) {
    return slurp("/proc/$self->{pid}/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 * 1024 : 0;
}

sub stop ($self, $signal = 'TERM', $seconds = $patience) {
    $self->signal($signal) unless defined $self->exited;
    my $status = $self->wait_exit($seconds);
    kill 'KILL', $self->{pid} unless defined $status;
    return $status;
}

sub finish ($self, $signal = 'TERM') {
    my $status = $self->stop($signal);
    my $log    = $self->log_text;
    Test::More::is($status, 0, 'the daemon ends with exit status 0') or Test::More::diag($log);
    Test::More::unlike($log, qr/bug:|assertion failed/, 'no bug: line in the log');
    Test::More::unlike($log, qr/Sanitizer|runtime error:/, 'no sanitizer report')
        or Test::More::diag($log);
    return;
}

1;

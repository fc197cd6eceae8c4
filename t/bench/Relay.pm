# SPDX-License-Identifier: MIT
# t/bench/Relay.pm - starts a relay on CPU 0, loads it from CPU 1.
package Relay;
use v5.36;
use IO::Socket::INET;
use JSON::PP qw(decode_json);
use POSIX    qw(:sys_wait_h setsid);
use Time::HiRes ();
use Veth;

use constant {
    RELAY_CPU => 0, LOAD_CPU => 1, START_S => 30,
    NICE => -15, SCHED_RR => 2, SYS_SCHED_SETATTR => 314, SYS_PRCTL => 157,    # x86-64
    PR_SET_CHILD_SUBREAPER => 36,
    SLICE_NS => 100_000, QUIET_CORES => 0.05, STUCK_S => 300,
};

my %alive;             # pids, which die with us
END { local $?; kill TERM => keys %alive if %alive }
$SIG{$_} = sub { exit 1 } for qw(INT TERM HUP);

our $disturbed = 0;    # measurements that other programs disturbed
our $measured  = 0;    # of so many
our $spare_s   = 1e9;  # for measuring again what they disturbed
my %build;    # bin => derper, builddir, srcdir, tmp

sub setup ($class, %args) {
    %build = %args;
    my $crt = "$build{tmp}/127.0.0.1.crt";
    my $r   = system "openssl req -x509 -newkey ec -nodes -days 30"
        . " -pkeyopt ec_paramgen_curve:P-256 -subj /CN=127.0.0.1"
        . " -addext subjectAltName=IP:127.0.0.1 -out $crt"
        . " -keyout $build{tmp}/127.0.0.1.key 2>$build{tmp}/openssl.log";
    die "openssl req failed, see $build{tmp}/openssl.log\n" if $r != 0;
    return;
}

# A session of its own has a scheduling group of its own: so root can put the
# measured programs before whatever else runs here.
sub favour ($nice = NICE) {
    setsid();
    return if $> != 0;
    if (my $priority = $ENV{HD_BENCH_REALTIME}) {    # before everything else; the hog by turns
        my $rr = pack 'LLQlLQQQ', 48, SCHED_RR, 0, 0, $priority, 0, 0, 0;
        return if syscall(SYS_SCHED_SETATTR, 0, $rr, 0) == 0;
    }
    if (open my $fh, '>', '/proc/self/autogroup') { print $fh NICE; close $fh }
    POSIX::nice($nice);
    # a short slice may preempt a longer one that is running (EEVDF)
    my $attr = pack 'LLQlLQQQ', 48, 0, 0, $nice, 0, SLICE_NS, 0, 0;
    syscall SYS_SCHED_SETATTR, 0, $attr, 0
        if (POSIX::uname())[4] eq 'x86_64';
    return;
}

sub free_port {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1)
        or die "no free port: $!\n";
    return $s->sockport;
}

sub spawn ($self, @cmd) {
    my $pid = fork // die "fork: $!\n";
    @cmd = Veth::in_relay(@cmd) if $self->{veth};
    if ($pid == 0) {
        favour();
        open STDIN,  '<',  '/dev/null';
        open STDOUT, '>>', $self->{log};
        open STDERR, '>&', \*STDOUT;
        exec 'taskset', '-c', RELAY_CPU, @cmd or POSIX::_exit(127);
    }
    $alive{$pid} = 1;
    return $pid;
}

# Where it listens.
sub place ($self) { return ($self->{veth} ? Veth::address() : '127.0.0.1') . ":$self->{port}" }

# Where this relay was built: another folder than hdbench, when two builds are
# compared.
sub dir ($self) { return $self->{builddir} // $build{builddir} }

my %command = (
    derper => sub ($self) {
        my @tls = $self->{tls}
            ? (qw(-certmode manual -certdir), $build{tmp},
            qw(-hostname 127.0.0.1)) : ();
        return ($build{derper}, '-c', "$build{tmp}/derper.json",
            '-a', $self->place, qw(-http-port -1 -stun=false),
            @tls);
    },
    ours => sub ($self) {
        my $file    = "$build{tmp}/$self->{port}.yaml";
        my $modules = join ', ', 'derp', ($self->{modules} // [])->@*;
        my $tls     = $self->{tls} ? 'true' : 'false';
        my $crypto  = $self->{crypto} ? ", crypto: $self->{crypto}" : '';    # older builds have none
        open my $fh, '>', $file or die "$file: $!\n";
        print $fh <<~"END";
            listen: [ {addr: "@{[$self->place]}", tls: $tls} ]
            workers: @{[$self->{workers} // 1]}
            event_backend: $self->{backend}
            tls: {record_layer: @{[$self->{records} // 'auto']}$crypto}
            max_accept_rate: 0
            load_module: [$modules]
            module_path: [@{[$self->dir]}/modules.d, $build{tmp}]
            state_dir: $build{tmp}/state
            control: {socket: $build{tmp}/$self->{port}.sock}
            END
        print $fh $self->{conf} // '';
        print $fh "tls_cert: $build{tmp}/127.0.0.1.crt\n",
            "tls_key: $build{tmp}/127.0.0.1.key\n" if $self->{tls};
        close $fh;
        mkdir "$build{tmp}/state";
        return (($self->{under} // [])->@*, $self->dir . '/hyper-derp',
            '--config', $file);
    },
);

# A busy loop beside the relay, of the niceness `hog`; of the relay's own, -15, it
# leaves half a core: so the load can offer twice of what the relay takes.
sub add_hog ($self) {
    my $pid = fork // die "fork: $!\n";
    if ($pid == 0) {
        favour($self->{hog});
        exec 'taskset', '-c', RELAY_CPU, $^X, '-e', '1 while 1'
            or POSIX::_exit(127);
    }
    $alive{$pid} = 1;
    return $self->{hog_pid} = $pid;
}

# start(kind => derper|ours, tls => 0|1, veth => 0|1 (Veth.pm), backend => ..., modules => [...],
# receives => 0|1, passes => 0|1, gather => us: Veth.pm, conf => what stands in the configuration, too,
# under => [valgrind...]): returns when it takes connections.
sub start ($class, %args) {
    my $self = bless {
        backend => 'io_uring', %args, port => free_port(),
        log => "$build{tmp}/$args{kind}.log"
    }, $class;
    unlink $self->{log};
    if ($self->{veth}) {
        Veth::up();
        Veth::receives($self->{receives});
        Veth::gather($self->{gather} // 0);
    }
    Veth::passes($self->{passes} ? $self->dir : '') if $self->{veth};
    $self->{pid} = $self->spawn($command{ $self->{kind} }->($self));
    $self->add_hog if $self->{hog};
    for (1 .. START_S * 20) {
        die "$self->{kind} did not start:\n" . $self->log_tail
            if waitpid($self->{pid}, WNOHANG) != 0;
        return $self if $self->{veth} ? $self->reached
            : IO::Socket::INET->new(PeerAddr => "127.0.0.1:$self->{port}");
        select undef, undef, undef, 0.05;
    }
    die "$self->{kind} takes no connections:\n" . $self->log_tail;
}

sub reached ($self) {
    return 0 if !Veth::answers($self->{port});
    Veth::favour($ENV{HD_BENCH_REALTIME}) if $ENV{HD_BENCH_REALTIME};
    return 1;
}

sub log_tail ($self) {
    open my $fh, '<', $self->{log} or return '';
    my @lines = <$fh>;
    return join '', @lines > 10 ? @lines[ -10 .. -1 ] : @lines;
}

sub stop ($self) {
    if (my $hog = delete $self->{hog_pid}) {
        kill KILL => $hog;
        waitpid $hog, 0;
        delete $alive{$hog};
    }
    my $pid = delete $self->{pid} // return;
    kill TERM => $pid;
    waitpid $pid, 0;
    delete $alive{$pid};
    return;
}

sub DESTROY ($self) {
    local ($?, $@);
    $self->stop;
    return;
}

# What hdctl says about ours.
sub status ($self) {
    my $json = `$build{builddir}/hdctl --json --socket $build{tmp}/$self->{port}.sock status`;
    return decode_json($json);
}

sub await_peers ($self, $n) {
    for (1 .. 6000) {
        return if $self->status->{peers} >= $n;
        select undef, undef, undef, 0.1;
    }
    die "$n peers do not come:\n" . $self->log_tail;
}

# hdctl upgrade: what it says, and how long it took, in ms.
sub upgrade ($self) {
    syscall SYS_PRCTL, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0;    # whose parent ends is our child
    my $began = Time::HiRes::time;
    my $said  = `$build{builddir}/hdctl --json --socket $build{tmp}/$self->{port}.sock upgrade`;
    die "no upgrade:\n" . $self->log_tail if $? != 0;
    my $took = Time::HiRes::time - $began;
    $said = decode_json($said);
    waitpid $self->{pid}, 0;
    delete $alive{ $self->{pid} };
    $alive{ $self->{pid} = $said->{pid} } = 1;
    return { %$said, took_ms => 1000 * $took };
}

sub rss_kb ($self) {
    open my $fh, '<', "/proc/$self->{pid}/status" or return;
    my ($kb) = map { /^VmRSS:\s+(\d+)/ ? $1 : () } <$fh>;
    return $kb;
}

# hdbench against this relay: the decoded JSON. What other programs disturbed
# is measured again, a few times.
sub bench ($self, @args) {
    my ($best, $r);
    my $tries = $self->{hog} || grep({ $_ eq '--find' } @args)
        ? 1 : $build{tries};
    for my $try (1 .. $tries) {
        my $began = Time::HiRes::time;
        $r    = $self->bench_once(@args);
        $best = $r
            if !$best || ($r->{others_cores} // 0) < $best->{others_cores};
        $spare_s -= Time::HiRes::time - $began if $try > 1;
        last if ($r->{others_cores} // 0) <= QUIET_CORES || $spare_s <= 0;
    }
    $measured++;
    $disturbed++
        if !$self->{hog} && ($best->{others_cores} // 0) > QUIET_CORES;
    return $best;
}

# With a cable between them the thread that receives for the relay is its cost, too.
sub bench_once ($self, @args) {
    my @pids = ($self->{pid}, $self->{veth} ? Veth::receivers() : ());
    return $self->load((map { ('--pid', $_) } @pids), @args)->();
}

# The same, beside what the caller does: call what is returned for the JSON.
sub load ($self, @args) {
    my @cmd = (
        'timeout', '-k', 5, STUCK_S,
        'taskset', '-c', LOAD_CPU, "$build{builddir}/hdbench", '--json',
        $self->{tls} ? () : '--plain', @args, $self->place
    );
    @cmd = Veth::in_load(@cmd) if $self->{veth};
    my $pid = open(my $out, '-|') // die "fork: $!\n";
    if ($pid == 0) {
        favour();
        exec @cmd or POSIX::_exit(127);
    }
    $alive{$pid} = 1;
    return sub {
        local $/;
        my $json = <$out>;
        close $out;
        delete $alive{$pid};
        die "failed: @cmd\n" if $? != 0;
        return decode_json($json);
    };
}

1;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/start.t - how a relay starts, and what it says when it cannot.
# (t/system/daemon.t: the command line and the service manager;
# t/system/modules.t: modules; t/system/tls.t: certificates.)
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::IP;
use POSIX ();

my $build = $HyperDerp::Test::build;
my $have_v6 = IO::Socket::IP->new(LocalHost => '::1', Listen => 1);

my @nobody = qw(setpriv --reuid 65534 --regid 65534 --clear-groups);

# Why nothing can be run as nobody; '': it can.
sub not_somebody_else () {
    return 'needs root and setpriv (util-linux), to be somebody else'
        if $> != 0 || system('setpriv --version >/dev/null 2>&1');
    return system(@nobody, 'test', '-x', "$build/hyper-derp") ? "$build is not for everybody to read" : '';
}

sub relays ($hd, @clients) {
    my ($alice, $bob) = @clients ? @clients : map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'hello');
    is $bob->packet, 'hello', '... relays';
}

# Starts a relay that must not start. Returns exit code and log.
sub refused (%o) {
    my $hd = HyperDerp::Test->new(no_tls => 1, %o)->run;
    return (($hd->wait_exit(20) // -1) >> 8, $hd->log_text);
}

# Options of a relay, whose files are in the folder of `of`: gone with it.
sub backend ($name) {
    my $hd = HyperDerp::Test->new(no_tls => 1);
    my $yaml = $hd->yaml =~ s/^event_backend: .*/event_backend: $name/mr;
    return (yaml => $yaml, plain => $hd->{plain}, stun => $hd->{stun}, of => $hd);
}

my $no_uring;
subtest 'the backend that was asked for' => sub {
    for my $name (qw(epoll io_uring)) {
        my $hd = HyperDerp::Test->new(no_tls => 1, backend($name))->run;
        if (!$hd->ready && $hd->log_text =~ /(io_uring_setup: .*|this build has no io_uring.*)/) {
            $no_uring = $1;
            SKIP: { skip $no_uring, 3 }
            next;
        }
        like $hd->log_text, qr/worker $_ started \($name\)/, "$name: worker $_" for 0, 1;
        relays($hd);
        $hd->finish;
    }
};

# As Docker's default profile does.
subtest 'io_uring is forbidden' => sub {
    my @wrap = (wrap => ["$build/t/lib/client/no-uring"]);
    plan skip_all => $no_uring if $no_uring;
    plan skip_all => 'this kernel has no seccomp filters'
        if system("$build/t/lib/client/no-uring", '/bin/true') >> 8 == 77;
    my $hd = HyperDerp::Test->start(no_tls => 1, backend('auto'), @wrap);
    like $hd->log_text, qr/warn io_uring_setup: Operation not permitted .*io_uring_disabled.*seccomp.*using epoll/,
        'auto: the log says so, with remedies';
    like $hd->log_text, qr/worker \d started \(epoll\)/, '... and falls back';
    relays($hd);
    $hd->finish;
    my ($code, $log) = refused(backend('io_uring'), @wrap);
    is $code, 1, 'io_uring demanded: exit 1';
    like $log, qr/error io_uring_setup: Operation not permitted .*io_uring_disabled.*event_backend: epoll/,
        '... and the remedy';
    ($code, $log) = refused(backend('io_uring'), @wrap, args => ['-t']);
    is $code, 1, '-t says so before';
    like $log, qr/io_uring_setup: Operation not permitted/, '... with the reason';
    $hd = HyperDerp::Test->start(no_tls => 1, backend('epoll'), @wrap);
    unlike $hd->log_text, qr/io_uring_setup/, 'epoll demanded: not a word';
    $hd->finish;
};

subtest 'the relay\'s key' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1);
    my ($key) = $hd->log_text =~ /derp: relay key ([0-9a-f]{64})/;
    ok $key, 'is made at the first start';
    my @stat = stat $hd->dir . '/derp.key';
    is sprintf('%04o', $stat[2] & 07777), '0600', '... for its owner only';
    $hd->finish;
    $hd->run->ready or die $hd->log_text;
    my @keys = $hd->log_text =~ /derp: relay key ([0-9a-f]{64})/g;
    is $keys[-1], $key, 'the next start has the same';
    $hd->finish;
    HyperDerp::Test::spew($hd->dir . '/derp.key', "no key\n");
    $hd->run;
    isnt $hd->wait_exit(20), 0, 'a file that holds none: no start, no new key';
    like $hd->log_text, qr/error .*derp\.key/, '... and the log names it';
    is HyperDerp::Test::slurp($hd->dir . '/derp.key'), "no key\n", '... the file is as it was';
};

subtest 'the state folder' => sub {
    my $tmp = File::Temp->newdir;
    my $with = sub ($dir) {
        my $hd = HyperDerp::Test->new(no_tls => 1);
        $hd->{yaml} = $hd->yaml =~ s/^state_dir: .*/state_dir: $dir/mr;
        $hd->write_conf;
        return $hd->run;
    };
    my $hd = $with->("$tmp/new");
    ok $hd->ready, 'is made if it is not there' or diag $hd->log_text;
    ok -e "$tmp/new/derp.key", '... and used';
    is sprintf('%04o', (stat "$tmp/new")[2] & 07777), '0700', '... for its owner only';
    $hd->finish;
    HyperDerp::Test::spew("$tmp/file", '');
    for my $dir ("$tmp/file", "$tmp/file/below") {
        $hd = $with->($dir);
        is +($hd->wait_exit(20) // -1) >> 8, 1, 'a file in its place: exit 1';
        like $hd->log_text, qr/error .*\Q$tmp\E\/file.*Not a directory/, '... named';
    }
};

subtest 'IPv6' => sub {
    plan skip_all => 'this machine has no IPv6 loopback' unless $have_v6;
    my $hd = HyperDerp::Test->new(no_tls => 1);
    $hd->{yaml} = $hd->yaml =~ s/"127\.0\.0\.1:$hd->{plain}"/"[::1]:$hd->{plain}"/r
        =~ s/"127\.0\.0\.1:$hd->{stun}"/"[::1]:$hd->{stun}"/r;
    $hd->write_conf;
    $hd->run;
    ok $hd->log_like(qr/ready/), '[::1] is served';
    my $s = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $hd->{plain});
    ok $s, '... TCP';
    print $s "GET /derp/probe HTTP/1.0\r\n\r\n";
    like <$s>, qr/ 200 /, '... answers';
    ok !$hd->socket, '... and not 127.0.0.1';
    my $u = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $hd->{stun}, Type => SOCK_DGRAM);
    send $u, pack('nnN', 1, 0, 0x2112a442) . 'x' x 12, 0;
    ok IO::Select->new($u)->can_read(10), '... STUN';
    $hd->finish;
};

subtest 'dual stack' => sub {
    plan skip_all => 'this machine has no IPv6 loopback' unless $have_v6;
    my $hd = HyperDerp::Test->new(no_tls => 1);
    $hd->{yaml} = $hd->yaml =~ s/"127\.0\.0\.1:$hd->{plain}"/"[::]:$hd->{plain}"/r;
    $hd->write_conf;
    $hd->run->ready or diag $hd->log_text;
    relays($hd);
    my $s = IO::Socket::IP->new(PeerHost => '::1', PeerPort => $hd->{plain});
    ok $s, '[::] serves both';
    ok $hd->log_like(qr/login: key=\w+ addr=127\.0\.0\.1:/), 'IPv4 addresses look like such in the log';
    $hd->finish;
};

subtest 'several listeners' => sub {
    my @ports = map { HyperDerp::Test::free_port() } 1 .. 5;
    my $hd = HyperDerp::Test->new;
    my $more = join '', map { qq(, {addr: "127.0.0.1:$_"}) } @ports;
    $hd->{yaml} = $hd->yaml =~ s/^(listen: \[.*)\]/$1$more]/mr;
    $hd->write_conf;
    $hd->run->ready or diag $hd->log_text;
    my ($login, @logins) = HyperDerp::Raw::logins($hd, 6);
    my $sink = HyperDerp::Raw->login($hd, $login);
    my @got;
    for my $port (@ports) {
        my $c = HyperDerp::Raw->login($hd, shift @logins, port => $port);
        $c->send($sink->key, $port);
        push @got, scalar $sink->packet;
    }
    is_deeply \@got, \@ports, 'five more: each is a way in';
    relays($hd, $hd->client, $hd->client(plain => 1));
    $hd->finish;
};

subtest 'no listener' => sub {
    my $hd = HyperDerp::Test->new(no_tls => 1);
    $hd->{yaml} = $hd->yaml =~ s/^listen: .*/listen: []/mr;
    $hd->write_conf;
    $hd->run;
    ok $hd->log_like(qr/ready/), 'is no mistake: another module may have its own';
    $hd->finish;
};

subtest 'ports that are taken' => sub {
    my $l = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 1) or die "listen: $@";
    my ($code, $log) = refused(plain => $l->sockport);
    is $code, 1, 'by another program: exit 1';
    like $log, qr/error bind: Address already in use: 127\.0\.0\.1:@{[$l->sockport]} .*ss -ltnp/, 'the contract\'s message and the remedy';
    my $first = HyperDerp::Test->start(no_tls => 1);
    for my $workers (1, 4) {
        ($code, $log) = refused(plain => $first->{plain}, workers => $workers);
        is $code, 1, "by a relay, $workers worker(s): exit 1";
        like $log, qr/error bind: Address already in use: 127\.0\.0\.1:$first->{plain}/, 'the contract\'s message';
    }
    ($code, $log) = refused(stun => $first->{stun});
    is $code, 1, 'the STUN port: exit 1';
    like $log, qr/error .*bind: Address already in use.*127\.0\.0\.1:$first->{stun}/, 'the contract\'s message';
    unlike $log, qr/^\S+ \w+ ready/m, 'it has never been ready';
    relays($first);
    $first->finish;
    ok $first->run->ready, 'the port is free again at once' or diag $first->log_text;
    $first->finish;
};

subtest 'ports that one may not have' => sub {
    my ($code, $log) = refused(yaml => "listen: ['192.0.2.1:3340']\nload_module: []\nstate_dir: /tmp\n");
    is $code, 1, 'an address of no interface: exit 1';
    like $log, qr/error bind: Cannot assign requested address: 192\.0\.2\.1:3340 .*ip address/, '... and the remedy';
};

subtest 'a certificate of its own' => sub {
    my $dir = File::Temp->newdir;
    my $port = HyperDerp::Test::free_port();
    my $stun = HyperDerp::Test::free_port(Socket::SOCK_DGRAM());
    my $yaml = sub ($more) { return <<~"END" };
        listen: [{addr: "127.0.0.1:$port", tls: true}]
        stun: {listen: "127.0.0.1:$stun"}
        module_path: [$HyperDerp::Test::build/modules.d]
        state_dir: $dir
        control: {socket: $dir/control.sock}
        $more
        END
    my ($code, $log) = refused(yaml => $yaml->(''));
    is $code, 78, 'is not made unless asked for';
    like $log, qr/needs a certificate.*self_signed: true/, '... and the log says how';
    my $hd = HyperDerp::Test->new(no_tls => 1, plain => $port, yaml => $yaml->('tls: {self_signed: true}'));
    qx{$HyperDerp::Test::build/hyper-derp -t -c $hd->{file}};
    is $?, 0, 'a check';
    ok !-e "$dir/self-signed.crt", '... makes none';
    my $pin = sub {
        $hd->run->ready($port) or diag $hd->log_text;
        my $out = qx{$HyperDerp::Test::build/hdctl --socket $dir/control.sock derpmap 2>&1};
        like $out, qr/"CertName": "sha256-raw:[0-9a-f]{64}"/, 'hdctl derpmap prints the pin';
        $hd->signal('HUP');
        ok $hd->log_like(qr/configuration reloaded/), 'a reload keeps it';
        $hd->finish;
        return $out =~ /(sha256-raw:\w+)/ ? $1 : $out;
    };
    my $first = $pin->();
    is((stat "$dir/self-signed.key")[2] & 0777, 0600, 'the key is nobody else\'s');
    is $pin->(), $first, 'the next start serves the same';
    for (['crt', qr/crt is no certificate that can be read/], ['key', qr/key is no key that can be read/]) {
        my ($file, $why) = ("$dir/self-signed.$_->[0]", $_->[1]);
        my $good = HyperDerp::Test::slurp($file);
        HyperDerp::Test::spew($file, 'damaged');
        ($code, $log) = refused(yaml => $yaml->('tls: {self_signed: true}'));
        is $code, 1, "a damaged $_->[0] is not replaced";
        like $log, qr/$why: put the right files back, or remove both .*hdctl derpmap/s, '... for clients have its pin';
        like qx{$HyperDerp::Test::build/hyper-derp -t -c $hd->{file} 2>&1}, $why, '... which a check says, too';
        HyperDerp::Test::spew($file, $good);
    }
    is $pin->(), $first, 'put back, it is as before';
    SKIP: {
        my $not = not_somebody_else();
        skip $not, 2 if $not;
        chmod 0755, $dir, $hd->dir;
        my $said = qx{@nobody $HyperDerp::Test::build/hyper-derp -t -c $hd->{file} 2>&1};
        isnt $?, 0, 'who may not read it';
        like $said, qr/cannot read \S+self-signed\.crt: Permission denied$/m, '... is not told to remove it';
    }
    my $made = sub { return scalar(() = $hd->log_text =~ /notice new self-signed certificate.* pin.*self-signed\.crt$/mg) };
    is $made->(), 1, 'that it was made is said, once';
    unlink "$dir/self-signed.crt";
    isnt $pin->(), $first, 'a lost one is made anew';
    is $made->(), 2, '... which is said';
};

subtest '--dev without root' => sub {
    my $not = not_somebody_else();
    plan skip_all => $not if $not;
    my $home = File::Temp->newdir;
    chown 65534, 65534, "$home";
    my $hd = HyperDerp::Test->new;
    $hd->{wrap} = [@nobody];
    $hd->{args} = ['--dev', '--port', $hd->{tls}];
    $hd->{env} = { XDG_STATE_HOME => "$home" };
    HyperDerp::Test::spew($hd->{file}, "stun: {listen: '127.0.0.1:$hd->{stun}'}\n");
    chmod 0755, $hd->dir;
    chmod 0644, $hd->{file};
    $hd->run;
    ok $hd->log_like(qr/listening: addr=127\.0\.0\.1:$hd->{tls} tls=yes/), 'serves TLS on loopback'
        or diag $hd->log_text;
    ok $hd->log_like(qr/ready/), 'is ready';
    relays($hd);
    my @kept = map { (stat)[4] } glob "$home/hyper-derp-dev/*";
    cmp_ok @kept, '>=', 3, 'key and certificate are kept under XDG_STATE_HOME';
    is scalar(grep { $_ != 65534 } @kept), 0, '... as the user\'s own';
    $hd->finish;
};

# The service manager's way: clients connect before the relay is there, TLS, with
# a UDP socket beside; t/system/daemon.t has plain TCP.
subtest 'inherited sockets' => sub {
    my $tcp = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 16) or die "listen: $@";
    my $udp = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Type => SOCK_DGRAM) or die "udp: $@";
    my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 16) or die "listen: $@";
    my $hd = HyperDerp::Test->new(tls => $tcp->sockport, stun => $udp->sockport);
    my @early = map { $hd->client(no_wait => 1) } 1 .. 2;
    ok IO::Select->new($tcp)->can_read(10), 'a client waits for the relay';
    my @fds = map { fileno $_ } $tcp, $udp, $other;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>>', $hd->{log};
        POSIX::dup2($fds[$_], 20 + $_) for 0 .. 2;    # out of the way of 3, 4, 5
        POSIX::dup2(20 + $_, 3 + $_) for 0 .. 2;
        POSIX::close(20 + $_) for 0 .. 2;
        $^F = 5;
        local ($ENV{LISTEN_PID}, $ENV{LISTEN_FDS}) = ($$, 3);
        exec "$build/hyper-derp", '-c', $hd->{file} or POSIX::_exit(127);
    }
    close $_ for $tcp, $udp, $other;
    $hd->adopt($pid);
    ok $hd->log_like(qr/listening: addr=127\.0\.0\.1:$hd->{tls} tls=yes inherited=yes/), 'TCP';
    ok $hd->log_like(qr/an inherited socket is in no listen entry, closed/), 'one too many is named';
    ok $_->wait_ready, 'who waited is served' for @early;
    relays($hd, @early);
    relays($hd);
    my $u = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{stun}, Type => SOCK_DGRAM);
    send $u, pack('nnN', 1, 0, 0x2112a442) . 'x' x 12, 0;
    ok IO::Select->new($u)->can_read(10), 'UDP: STUN answers on it';
    $hd->finish;
};

subtest 'LISTEN_FDS for another process' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, env => { LISTEN_PID => 1, LISTEN_FDS => 7 });
    unlike $hd->log_text, qr/inherited/, 'is ignored';
    relays($hd);
    $hd->finish;
};

done_testing;

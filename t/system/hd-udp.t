#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-udp.t - HD over UDP: by the implementation in t/hd/, which shares
# no line with ours; and by libhd and hdcat, where UDP passes, where it does not,
# and where it ends in the middle.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA ();
use HyperDerp::Children;
use HyperDerp::Netns;
use HyperDerp::Say;
use HyperDerp::Test;
use IO::Socket::IP ();
use JSON::PP ();
use POSIX ();
use Socket ();

my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $conf = "hd: {enroll: anybody, udp: '127.0.0.1:$port'}\n";
local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";

sub json ($hd, @words) { return JSON::PP::decode_json($hd->ctl('--json', @words)) }

# Each line of its TAP becomes one of ours.
sub python_ok ($hd, $what, @only) {
    subtest $what => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_udp.py", $hd->{tls}, $hd->control, @only
            or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# (.*)/) { diag $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
    return;
}

# A client that offers that one only.
sub openssl_conf ($suite) {
    return <<~"END";
        openssl_conf = all
        [all]
        ssl_conf = ssl
        [ssl]
        system_default = tls
        [tls]
        Ciphersuites = $suite
        END
}

SKIP: {
    skip 'needs python3-nacl and python3-openssl', 6
        if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
    for my $how (['our records', ''], ["OpenSSL's records", "tls: {record_layer: openssl}\n"]) {
        my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => $conf . $how->[1]);
        python_ok $hd, $how->[0];
        $hd->finish;
    }
    my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "peer_rate_limit: 20000\n$conf");
    python_ok $hd, 'limits', 'limited';
    $hd->finish;
    $hd = HyperDerp::Test->start(load_module => ['hd'], conf => $conf);
    for my $suite (qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256)) {
        local $ENV{OPENSSL_CONF} = $hd->dir . "/$suite.cnf";
        HyperDerp::Test::spew($ENV{OPENSSL_CONF}, openssl_conf($suite));
        local $ENV{HD_SUITE} = $suite;
        python_ok $hd, "$suite for TLS and UDP", 'test_packets_go_by_udp';
    }
    $hd->finish;
}

# So many clients with that transport, all there are.
sub by ($hd, $transport, $n) {
    return HyperDerp::Test::wait_for(sub {
        my @peers = @{ json($hd, 'peers') };
        return $n == grep { $_->{transport} eq $transport } @peers;
    });
}

sub metric ($hd, $name) {
    my ($m) = grep { $_->{name} eq "hyper_derp_hd_udp_$name" } @{ json($hd, 'metrics') };
    return $m->{value};
}

# Lines, until one arrives: before that some may be lost.
sub arrives ($from, $to, $what) {
    my $n = 0;
    return HyperDerp::Test::wait_for(sub {
        $from->line("$what " . ++$n);
        return $to->text =~ /^packet \w+ \Q$what\E \d/m;
    });
}

subtest 'libhd' => sub {
    my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => $conf);
    my $dir = $hd->dir;
    my @relay = ("--ca=$hd->{crt}", "127.0.0.1:$hd->{tls}");
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', @relay);
    $b->says(qr/^state open/);
    my $a = HyperDerp::Say->new($dir, 'a', @relay, $b->key);
    ok $a->says(qr/^peer here/), 'both are there' or diag $a->text;
    ok by($hd, 'udp', 2), 'both have UDP' or diag $hd->log_text;
    my $before = metric($hd, 'packets_received_total');
    ok arrives($a, $b, 'hello'), 'packets pass';
    ok HyperDerp::Test::wait_for(sub { $a->line('more') && metric($hd, 'packets_received_total') > $before }),
        '... by UDP: after a stall they go by TCP for a while';
    if (-e "$HyperDerp::Test::build/modules.d/hd.so") {
        $hd->ctl(qw(module reload hd));
        ok arrives($a, $b, 'reloaded'), 'after a reload packets pass';
        ok by($hd, 'udp', 2), '... by UDP';
    }
    $_->end for $a, $b;
    my $c = HyperDerp::Say->new($dir, 'b', '--allow', '--no-udp', @relay);
    $c->says(qr/^state open/);
    $a = HyperDerp::Say->new($dir, 'a', @relay, $c->key);
    ok by($hd, 'udp', 1), 'one that wants no UDP' or diag $hd->ctl('peers');
    ok arrives($a, $c, 'hello'), '... gets packets from one that does';
    ok by($hd, 'tcp', 1), '... by TCP';
    $_->end for $a, $c;
    $hd->finish;
};

# With both transports, while the relay says three times that it is there.
subtest 'an idle libhd sends nothing' => sub {
    plan skip_all => 'strace is missing, or may not trace here' if system('strace -o /dev/null true 2>/dev/null') != 0;
    plan skip_all => 'a sanitizer does not like to be traced' if HyperDerp::Test::sanitized();
    my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => $conf =~ s/\{enroll/{keepalive: 1s, enroll/r);
    my $dir = $hd->dir;
    my @relay = ("--ca=$hd->{crt}", "127.0.0.1:$hd->{tls}");
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', @relay);
    $b->says(qr/^state open/);
    my $a = HyperDerp::Say->new($dir, 'a', ['strace', '-qq', '-o', "$dir/trace", '-e', 'trace=sendto,sendmsg,sendmmsg,write'],
        @relay, $b->key);
    ok by($hd, 'udp', 2), 'both have UDP' or diag $a->text;
    ok arrives($a, $b, 'hello'), 'a packet passes';
    my $sent = sub { scalar(() = HyperDerp::Test::slurp("$dir/trace") =~ /^(?:send|write\((?![012],))/mg) };
    my ($begin, $since, $before) = (0, 0, -1);
    ok HyperDerp::Test::wait_for(sub {
        my $now = $sent->();
        my @peers = @{ json($hd, 'peers') };
        my $told = $peers[0]{bytes_out} + $peers[1]{bytes_out};
        ($begin, $since, $before) = ($told, $peers[0]{seconds}, $now) if $now != $before;
        return $peers[0]{seconds} - $since > 3.2 && $told - $begin >= 2 * 3 * 4;    # bytes: KeepAlive, to two
    }), 'nothing has been sent';
    cmp_ok $sent->(), '>', 3, '... but before';
    ok arrives($a, $b, 'again'), 'it is there still';
    $_->end for $a, $b;
    $hd->finish;
};

# By first bytes: each module's datagrams come to it, whoever opened the port.
sub stun_answers ($hd) {
    my $u = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{stun}, Type => Socket::SOCK_DGRAM) or die "socket: $@";
    return HyperDerp::Test::wait_for(sub {
        $u->send(pack 'nnNa12', 1, 0, 0x2112A442, 'transaction!');
        my $in = '';
        vec($in, fileno $u, 1) = 1;
        return 0 if !select $in, undef, undef, 0.2;
        $u->recv(my $answer, 1500);
        return unpack('n', $answer) == 0x101;
    });
}

for my $order ([qw(stun hd)], [qw(hd stun)]) {
    subtest "a port shared with STUN: @$order" => sub {
        my $hd = HyperDerp::Test->start(load_module => $order, stun => $port, conf => $conf);
        my @relay = ("--ca=$hd->{crt}", "127.0.0.1:$hd->{tls}");
        my $b = HyperDerp::Say->new($hd->dir, 'b', '--allow', @relay);
        $b->says(qr/^state open/);
        my $a = HyperDerp::Say->new($hd->dir, 'a', @relay, $b->key);
        ok $a->says(qr/^peer here/), 'both are there' or diag $a->text;
        my $both = sub ($when) {
            ok by($hd, 'udp', 2), "$when: both have UDP" or diag $hd->log_text;
            my $before = metric($hd, 'packets_received_total');
            ok HyperDerp::Test::wait_for(sub { $a->line($when) && metric($hd, 'packets_received_total') > $before }), '... packets pass';
        };
        $both->('at first');
        ok stun_answers($hd), '... STUN answers';
        if (-e "$HyperDerp::Test::build/modules.d/hd.so") {
            $hd->ctl(qw(module reload hd));
            $both->('hd is reloaded');
            ok stun_answers($hd), '... STUN answers';
            $hd->ctl(qw(module unload stun));
            $both->('stun is gone');
            $hd->ctl(qw(module load stun));
            ok stun_answers($hd), '... and is back';
            $both->('and again');
        }
        $_->end for $a, $b;
        $hd->finish;
    };
}

subtest 'another port for clients' => sub {
    my $other = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
    my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody, udp: '127.0.0.1:$port', udp_port: $other}\n");
    my $nat = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $other, Type => Socket::SOCK_DGRAM) or die "socket: $@";
    my $c = HyperDerp::Say->new($hd->dir, 'c', "--ca=$hd->{crt}", "127.0.0.1:$hd->{tls}");
    ok $c->says(qr/^state open/), 'it is there' or diag $c->text;
    my $in = '';
    vec($in, fileno $nat, 1) = 1;
    ok select($in, undef, undef, 60), 'it tries the port that it is told';
    $nat->recv(my $probe, 2000);
    is length $probe, 1231, '... with a Probe';
    $c->end;
    $hd->finish;
};

# A network of its own, to drop UDP in.
my $missing = HyperDerp::Netns::missing_nat();

subtest 'UDP blocked, passing, ending in the middle' => sub {
    plan skip_all => $missing if $missing;
    my $net = HyperDerp::Netns->new;
    my $host = $net->host('all');
    my $drop = sub { $host->run('nft', "table inet hd { chain in { type filter hook input priority 0; udp dport $port drop; udp sport $port drop; }; }") };
    my $pass = sub { $host->run(qw(nft delete table inet hd)) };
    $drop->();
    my $hd = HyperDerp::Test->new(load_module => ['hd'], conf => $conf, wrap => [$host->wrap]);
    $hd->run_elsewhere or BAIL_OUT($hd->log_text);
    my $dir = $hd->dir;
    my @relay = ("--ca=$hd->{crt}", "127.0.0.1:$hd->{tls}");
    my $b = HyperDerp::Say->new($dir, 'b', [$host->wrap], '--allow', @relay);
    $b->says(qr/^state open/);
    my $a = HyperDerp::Say->new($dir, 'a', [$host->wrap], @relay, $b->key);
    ok $a->says(qr/^peer here/), 'UDP is blocked: both are there' or diag $a->text;
    $a->line('blocked');
    ok $b->says(qr/^packet \w+ blocked$/), '... and packets pass, none is lost';
    is metric($hd, 'paths_found_total'), 0, '... by TCP';
    $pass->();
    ok by($hd, 'udp', 2), 'UDP passes: it is found';
    ok arrives($a, $b, 'passes'), '... and packets go on';
    $drop->();
    my $since = time;
    ok arrives($a, $b, 'ends'), 'UDP ends: packets go on';
    note 'after ' . (time - $since) . ' s';
    ok arrives($b, $a, 'back'), '... both ways';
    ok by($hd, 'tcp', 2), '... by TCP';
    $_->end for $a, $b;
    $pass->();

    SKIP: {
        my $hdcat = "$HyperDerp::Test::build/hdcat";
        skip 'hdcat is not built: ngtcp2 was not there', 5 if !-x $hdcat;
        my ($key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
        my $block = join '', map { pack 'N', rand 2**32 } 1 .. 262144;
        my $half = sub ($h) { return join '', map { pack('N', $h * 100 + $_) . $block } 1 .. 8 };
        my @sent;
        POSIX::mkfifo("$dir/in", 0600) or die "mkfifo: $!";
        my $start = sub ($in, $out, @args) {
            my $pid = fork // die "fork: $!";
            if ($pid == 0) {
                open STDIN, '<', $in;
                open STDOUT, '>', $out;
                open STDERR, '>', "$out.err";
                exec $host->wrap, $hdcat, @args or POSIX::_exit(127);
            }
            return HyperDerp::Children::keep($pid) && $pid;
        };
        my $listens = $start->('/dev/null', "$dir/out", 'listen', '--ticket-file', "$dir/ticket", "--relay-key=$key", "127.0.0.1:$hd->{tls}");
        HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines("$dir/ticket") });
        ok by($hd, 'udp', 1), 'hdcat has UDP';
        my $sends = $start->("$dir/in", "$dir/said", HyperDerp::Test::whole_lines("$dir/ticket") =~ s/\n//r);
        my $before = metric($hd, 'packets_received_total');
        open my $in, '>', "$dir/in" or die "in: $!";
        ok HyperDerp::Test::wait_for(sub {    # again: a stall at the beginning, and all went by TCP
            push @sent, $half->(1 + @sent);
            print $in $sent[-1];
            return metric($hd, 'packets_received_total') > $before + 500;
        }), 'a stream has it';
        push @sent, $half->(0);
        $drop->();
        print $in $sent[-1];
        close $in or die "in: $!";
        for my $pid ($sends, $listens) {
            waitpid $pid, 0;
            is $? >> 8, 0, 'hdcat ends well';
            HyperDerp::Children::ended($pid);
        }
        is +Digest::SHA->new(256)->addfile("$dir/out")->hexdigest, Digest::SHA->new(256)->add(@sent)->hexdigest,
            'UDP ends in its middle: all has arrived' or diag HyperDerp::Test::slurp("$dir/out.err"), HyperDerp::Test::slurp("$dir/said.err");
    }
    $hd->finish;
};

done_testing;

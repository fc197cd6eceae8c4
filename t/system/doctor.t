#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/doctor.t - hdctl doctor: each thing that is wrong is named, and what
# to do about it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use IO::Socket::IP;
use JSON::PP;
use POSIX qw(strftime);

my $hdctl  = "$HyperDerp::Test::build/hdctl";
my $nobody = getpwnam 'nobody';

# The lines, as [name, result, detail, remedy]; what it ends with.
sub doctor ($hd, @more) {
    open my $f, '-|', $hdctl, 'doctor', '-c', $hd->{file}, '--json', @more or die "hdctl: $!";
    local $/;
    my $json = <$f>;
    close $f;
    my $code = $? >> 8;
    my $all  = eval { decode_json($json) } or die "no JSON: $json";
    is $all->{exit}, $code, 'JSON has the exit status';
    return ($code, [map { [@$_{qw(name result detail remedy)}] } @{ $all->{checks} }]);
}

# There is a line of the check that has the result and reads so.
sub has ($lines, $name, $result, $re, $remedy = qr//) {
    my @found = grep { $_->[0] eq $name && $_->[1] eq $result && $_->[2] =~ $re && ($_->[3] // '') =~ $remedy } @$lines;
    ok @found, "$name: $result: $re" or diag join "\n", map { join ' | ', map { $_ // '' } @$_ } @$lines;
    return;
}

sub rewrite ($hd, $change) {
    local $_ = HyperDerp::Test::slurp($hd->{file});
    $change->();
    HyperDerp::Test::spew($hd->{file}, $_);
    return;
}

my $hd = HyperDerp::Test->new(workers => 1);

subtest 'before the start' => sub {
    my ($code, $lines) = doctor($hd);
    has($lines, configuration => ok => qr/\Q$hd->{file}\E is good/);
    has($lines, modules => ok => qr/^derp, stun$/);
    has($lines, certificate => ok => qr/\Q$hd->{crt}\E: for localhost, 127\.0\.0\.1, \d+ days left; self-signed/);
    has($lines, ports => ok => qr/^TCP 127\.0\.0\.1:$hd->{tls} \(TLS\) is free/);
    has($lines, ports => ok => qr/^UDP 127\.0\.0\.1:$hd->{stun} \(stun\) is free/);
    has($lines, relay => skip => qr/none runs/, qr/hyper-derp/);
    has($lines, reach => skip => qr/no relay runs/);
    cmp_ok $code, '<', 2, 'nothing is wrong';
};

subtest 'a relay that runs' => sub {
    $hd->run;
    ok $hd->ready, 'it starts' or diag $hd->log_text;
    my ($code, $lines) = doctor($hd, '--host', 'localhost');
    has($lines, relay => ok => qr/^serving, 0 peers, pid $hd->{pid}$/);
    has($lines, ports => ok => qr/^TCP 127\.0\.0\.1:$hd->{tls} .* is the relay's \(hyper-derp, pid $hd->{pid}\)/);
    has($lines, certificate => ok => qr/the relay serves it with \d+ days left/);
    has($lines, reach => ok => qr/localhost answers from here at 127\.0\.0\.1 port $hd->{tls}; .*hdprobe localhost:$hd->{tls}/);
    has($lines, name => warn => qr/localhost is .*what others get was not checked/);
    cmp_ok $code, '<', 2, 'nothing is wrong';
    my ($crt, $key) = map { HyperDerp::Test::slurp($_) } @$hd{qw(crt key)};
    HyperDerp::Test::certificate($hd->dir);
    (undef, $lines) = doctor($hd);
    has($lines, certificate => warn => qr/serves another certificate than \Q$hd->{crt}\E now has/, qr/hdctl reload/);
    HyperDerp::Test::spew($hd->{crt}, $crt);
    HyperDerp::Test::spew($hd->{key}, $key);
    $hd->ctl(qw(drain --for 1h));
    (undef, $lines) = doctor($hd);
    has($lines, relay => warn => qr/draining|drained/, qr/hdctl undrain/);
    $hd->ctl('undrain');
    my $other = HyperDerp::Test::spew($hd->dir . '/other.yaml', HyperDerp::Test::slurp($hd->{file}));
    (undef, $lines) = doctor({ %$hd, file => $other });
    has($lines, relay => warn => qr/reads \Q$hd->{file}\E, not \Q$other\E/, qr/doctor -c \Q$hd->{file}\E/);
    $hd->finish;
};

subtest 'certificates' => sub {
    my $hd = HyperDerp::Test->new(workers => 1);
    my ($code, $lines) = doctor($hd, '--host', 'other.example.net');
    has($lines, certificate => FAIL => qr/is not for other\.example\.net but for localhost/, qr/get one for other/);
    is $code, 2, 'exit 2';
    my (undef, $wrong) = HyperDerp::Test::certificate($hd->dir, 'wrong');
    rewrite($hd, sub { s/^tls_key: .*/tls_key: $wrong/m });
    ($code, $lines) = doctor($hd);
    has($lines, certificate => FAIL => qr/\Q$wrong\E: is the key of another certificate/, qr/hyper-derp-cert/);
    has($lines, configuration => FAIL => qr/./, qr/hyper-derp -t -c \Q$hd->{file}\E/);
    has($lines, ports => ok => qr/^TCP 127\.0\.0\.1:$hd->{tls} \(TLS\) is free/);
    unlink $wrong;
    (undef, $lines) = doctor($hd);
    has($lines, certificate => FAIL => qr/\Q$wrong\E: there is no such file/);
    my $dir = $hd->dir;
    system("cd $dir && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca "
        . '-keyout ca.key -out ca.crt 2>/dev/null && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes '
        . '-subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout leaf.key -out leaf.csr 2>/dev/null && '
        . 'openssl x509 -req -days 3 -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial -copy_extensions copy '
        . '-out leaf.crt 2>/dev/null') == 0 or die 'openssl failed';
    rewrite($hd, sub { s/^tls_cert: .*/tls_cert: $dir\/leaf.crt/m; s/^tls_key: .*/tls_key: $dir\/leaf.key/m });
    (undef, $lines) = doctor($hd);
    has($lines, certificate => FAIL => qr/one certificate and not those above it/, qr/fullchain/);
    my ($crt, $key) = HyperDerp::Test::certificate_ending($dir, 'old', 'localhost', 3 * 86400);
    rewrite($hd, sub { s/^tls_cert: .*/tls_cert: $crt/m; s/^tls_key: .*/tls_key: $key/m });
    (undef, $lines) = doctor($hd);
    has($lines, certificate => warn => qr/old\.crt: expires in [23] days/, qr/renew it/);
};

subtest 'modules' => sub {
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp nosuch)]);
    my ($code, $lines) = doctor($hd);
    has($lines, configuration => FAIL => qr/nosuch/);
    has($lines, modules => FAIL => qr/nosuch is to be loaded, and no file nosuch\.so/, qr/hdctl module disable nosuch/);
    is $code, 2, 'exit 2';
    mkdir $hd->dir . '/modules-enabled';
    my $link = $hd->dir . '/modules-enabled/gone.yaml';
    symlink '/nonexistent/gone.yaml', $link;
    (undef, $lines) = doctor($hd);
    has($lines, modules => FAIL => qr/\Q$link\E leads nowhere/, qr/rm \Q$link\E/);
    unlink $link;
    rewrite($hd, sub { s/^load_module: .*/load_module: []/m });
    (undef, $lines) = doctor($hd);
    has($lines, modules => warn => qr/none is loaded/, qr/module enable derp/);
};

subtest 'a port that somebody else has' => sub {
    my $hd    = HyperDerp::Test->new(no_tls => 1);
    my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $hd->{plain}, Listen => 1) or die "listen: $@";
    my ($code, $lines) = doctor($hd);
    has($lines, ports => FAIL => qr/^TCP 127\.0\.0\.1:$hd->{plain} \(plain\) is taken by \S+ \(pid $$\)/, qr/another port/);
    is $code, 2, 'exit 2';
    close $other;
    rewrite($hd, sub { s/127\.0\.0\.1:$hd->{plain}/203.0.113.77:$hd->{plain}/ });
    (undef, $lines) = doctor($hd);
    has($lines, ports => FAIL => qr/203\.0\.113\.77:$hd->{plain} .*no such address/, qr/all addresses/);
};

subtest 'files' => sub {
    my $hd = HyperDerp::Test->new(workers => 1);
    chmod 0666, $hd->{file};
    my (undef, $lines) = doctor($hd);
    has($lines, files => FAIL => qr/\Q$hd->{file}\E: everybody may change it/, qr/chmod o-w/);
    chmod 0644, $hd->{file};
    SKIP: {
        skip 'needs root and a user nobody', 5 if $> || !$nobody;
        mkdir $hd->dir . '/state', 0700;
        chmod 0711, $hd->dir;
        chmod 0600, $hd->{key};
        rewrite($hd, sub { s/^state_dir: .*/state_dir: @{[$hd->dir]}\/state\nuser: nobody/m });
        (my $code, $lines) = doctor($hd);
        has($lines, user => ok => qr/^nobody, of the key `user`/);
        has($lines, files => FAIL => qr/state_dir \S+ is root's: the user nobody cannot write there/, qr/chown -R nobody/);
        has($lines, certificate => FAIL => qr/the user nobody cannot read \Q$hd->{key}\E: Permission denied/, qr/hyper-derp-cert/);
        is $code, 2, 'exit 2';
        rewrite($hd, sub { s/^user: .*/user: no-such-user/m });
        (undef, $lines) = doctor($hd);
        has($lines, user => FAIL => qr/there is no user no-such-user/, qr/useradd .* no-such-user/);
    }
};

# A server that answers once, an hour late.
subtest 'the clock' => sub {
    my $server = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 2) or die "listen: $@";
    for ([3600, 'FAIL'], [0, 'ok']) {
        my ($late, $want) = @$_;
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            my $c = $server->accept or POSIX::_exit(1);
            1 while ($c->getline // "\r\n") ne "\r\n";
            my $date = strftime '%a, %d %b %Y %H:%M:%S GMT', gmtime(time - $late);
            print $c "HTTP/1.1 200 OK\r\nDate: $date\r\nContent-Length: 0\r\n\r\n";
            close $c;
            POSIX::_exit(0);
        }
        my (undef, $lines) = doctor($hd, '--time-from', '127.0.0.1:' . $server->sockport);
        has($lines, clock => $want => qr/^\d+ s from that of 127\.0\.0\.1:/, $late ? qr/set this machine's clock/ : qr//);
        kill KILL => $pid;
        waitpid $pid, 0;
    }
};

subtest 'kernel, descriptors, sysctls' => sub {
    my $allowed = '/proc/sys/net/ipv4/tcp_allowed_congestion_control';
    my $hd = HyperDerp::Test->new(workers => 1);
    rewrite($hd, sub { s/^event_backend: .*/event_backend: epoll/m });
    my (undef, $lines) = doctor($hd);
    has($lines, kernel => ok => qr/^epoll, as event_backend says/);
    has($lines, sysctl => ok => qr/as the operations guide advises|enough for some thousand peers; for more: /);
    has($lines, kernel => ok => qr/^TCP has bbr/) if HyperDerp::Test::slurp($allowed) =~ /\bbbr\b/;
    rewrite($hd, sub { s/^event_backend: .*/tcp_congestion: nosuch\n$&/m });
    (undef, $lines) = doctor($hd);
    has($lines, kernel => warn => qr/^tcp_congestion: TCP has no nosuch/) if -e $allowed;
    my $text = qx(sh -c 'ulimit -n 500; exec $hdctl doctor -c $hd->{file}' 2>&1);
    like $text, qr/^warn  limits +descriptors: 500 of this shell.*\n +-> LimitNOFILE=1048576 in the unit/m, 'few descriptors' or diag $text;
};

subtest 'for people' => sub {
    my $text = qx($hdctl doctor -c /nonexistent/hd.yaml 2>&1);
    is $? >> 8, 2, 'a file that is not there: exit 2';
    like $text, qr{^FAIL  configuration /nonexistent/hd\.yaml: No such file.*\n +-> hdctl setup}m, '... with a remedy';
    like $text, qr{^/nonexistent/hd\.yaml: failed - \d+ ok, \d+ warnings, \d+ failed, \d+ skipped$}m, '... and a sum';
    $text = qx($hdctl doctor --nosuch x 2>&1);
    is $? >> 8, 3, 'usage: exit 3';
    like $text, qr/--nosuch: no such option/, '... says which';
    like qx($hdctl doctor --help), qr/^usage: hdctl doctor \[-c FILE\]/, '--help';
};

done_testing;

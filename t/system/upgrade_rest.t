#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_rest.t - what else goes over at hdctl upgrade: the trace, WebSockets of
# messages, limits that many share, ports that the kernel chose, keys that only root reads.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use IO::Select;
use JSON::PP ();
use POSIX ();
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

subtest 'what services have said' => sub {
    my $hd = HyperDerp::Test->new(workers => 2, no_tls => 1, load_module => [qw(derp policy)]);
    my $file = "$hd->{dir}/service";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$file.said";
        exec "$HyperDerp::Test::srcdir/t/lib/client/verify_server.py", $file or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    my $said = sub { HyperDerp::Test::slurp("$file.said") };
    my $port;
    HyperDerp::Test::wait_for(sub { ($port) = $said->() =~ /^(\d+)\n/ }) or die 'no service';
    $hd->{conf} = "policy: {rules: [{name: service, url: 'http://127.0.0.1:$port/'}], stale_ttl: 1h}\n";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my @logins = HyperDerp::Raw::logins($hd, 9);
    HyperDerp::Test::spew("$file.keys", join ' ', map { $_->{key} } @logins[0 .. 7]);
    my ($alice, @others) = map { HyperDerp::Raw->login($hd, $_) } @logins[0 .. 7];
    $_->close for @others;
    ok HyperDerp::Raw->start($hd, $logins[8])->closed, 'one is not allowed';
    my $asked = sub { scalar(() = $said->() =~ /POST/g) };
    is $asked->(), 9, 'it was asked of each';
    HyperDerp::Test::spew($file, '500 broken');
    for my $workers (1, 3) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        upgrade($hd);
        ok ctl($hd, qw(policy reread))->{ok}, "$workers workers: all who are here are looked at";
        ok $alice->ping, '... and stay';
        my @again = map { HyperDerp::Raw->login($hd, $_) } @logins[1 .. 7];
        ok $_->ping, 'who has left comes again' for @again;
        my ($p) = grep { $_->{key} eq $logins[3]{key} } @{ ctl($hd, 'peers')->{data} };
        is $p->{name}, 'of the service', '... with the name that it has';
        ok HyperDerp::Raw->start($hd, $logins[8])->closed, '... and not who is not allowed';
    }
    is $asked->(), 9, 'nobody was asked about again';
    kill 'KILL', $pid;
    waitpid $pid, 0;
    HyperDerp::Children::ended($pid);
    $hd->finish;
};

subtest 'ports that the kernel has chosen' => sub {
    my $hd = HyperDerp::Test->new(workers => 2);
    $hd->{yaml} = $hd->yaml =~ s/^listen:.*/listen: [{addr: "127.0.0.1:0", tls: true}, {addr: "127.0.0.1:0"}, {addr: "127.0.0.1:$hd->{plain}"}, {addr: "127.0.0.1:0"}]/mr;
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my $ports = sub { [map { $_->{addr} } @{ ctl($hd, qw(relay info))->{data}{listeners} }] };
    my $was = $ports->();
    my ($tls, $one, undef, $two) = map { /:(\d+)$/ } @$was;
    ok $tls && $one && $two, "they are $tls, $one and $two";
    $hd->{tls} = $tls;
    my @c = ($hd->client, map { HyperDerp::Raw->login($hd, scalar HyperDerp::Raw::logins($hd), port => $_) } $one, $two);
    for my $round (1 .. 2) {
        is upgrade($hd)->{moved}, 3, "round $round: their clients move";
        is_deeply $ports->(), $was, '... and they are the same';
        ok $_->ping, 'who came by it is there' for @c[1, 2];
        $c[1]->send($c[0]->key, "round $round");
        is $c[0]->packet, "round $round", '... by TLS, too';
        ok(HyperDerp::Raw->login($hd, scalar HyperDerp::Raw::logins($hd), port => $_)->ping, "port $_ takes new ones") for $one, $two;
        ok $hd->client, '... and so does that with TLS';
    }
    $hd->finish;
};

subtest 'keys that the relay may not read any more' => sub {
    plan skip_all => 'needs root' if $>;
    my $hd = HyperDerp::Test->new(workers => 1, conf => "user: nobody\n");
    chmod 0711, $hd->dir;
    mkdir "$hd->{dir}/live", 0700 or die $!;    # as certbot has it
    rename $hd->{$_}, "$hd->{dir}/live/$_" and $hd->{$_} = "$hd->{dir}/live/$_" for qw(crt key);
    chmod 0600, $hd->{key};
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $print = sub { return scalar `openssl s_client -connect 127.0.0.1:$hd->{tls} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint 2>&1` };
    my $was = $print->();
    for my $round (1 .. 2) {
        my $dry = try_upgrade($hd, '--dry-run');
        is ref $dry ? $dry->{moved} : $dry, 2, "round $round: both would move";
        is upgrade($hd)->{moved}, 2, '... and do';
        is $print->(), $was, 'the certificate is the same';
        $alice->send($bob->key, "round $round");
        is $bob->packet, "round $round", 'they talk';
        ok $hd->client, 'others come';
    }
    ok $hd->log_like(qr/may not read a file, so the process before this one has given it: path=\Q$hd->{key}\E/), 'the log says so';
    $hd->finish;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/metrics.t - the metrics module: both formats, what they say, its listener.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Metrics;
use HyperDerp::Test;

my $port = HyperDerp::Test::free_port();
my $hd = HyperDerp::Test->start(load_module => [qw(derp stun metrics)],
    conf => "metrics: {port: $port}\n");
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'x' x 100);
$bob->packet;

subtest 'Prometheus text' => sub {
    my $r = get($port, '/metrics');
    is $r->{status}, 200, 'answered';
    is $r->{type}, 'text/plain; version=0.0.4; charset=utf-8', 'the content type';
    promtool_likes($r->{body}, 'promtool');
    my %v = samples($r->{body});
    is $v{hyper_derp_peers_active}, 2, 'two peers';
    is $v{hyper_derp_recv_packets_total}, 1, 'a packet in';
    is $v{hyper_derp_workers}, 2, 'the name of the predecessor';
    ok exists $v{'hyper_derp_send_drops_total{reason="queue_head",kind="disco"}'}, 'drops by reason and kind';
    ok exists $v{'hyper_derp_stun_answers_total{family="ipv4"}'}, 'a table of another module';
    ok scalar(grep { /^hyper_derp_module_info\{module="derp",version="[^"]+",state="loaded"\}$/ } keys %v), 'modules';
    ok scalar(grep { /^hyper_derp_build_info\{version="\d/ } keys %v), 'what runs';
    my ($cert) = grep { /^hyper_derp_tls_certificate_expiry_seconds\{subject="CN=localhost",names="localhost,127\.0\.0\.1"\}$/ } keys %v;
    ok $cert && abs($v{$cert} - time - 30 * 86400) < 3600, 'when the certificate expires';
    my $rss = HyperDerp::Test::sanitized() ? $v{process_resident_memory_bytes} : $hd->rss;
    ok abs($v{process_resident_memory_bytes} - $rss) < 4e6, 'memory';
    my @fds = glob "/proc/$hd->{pid}/fd/*";
    ok abs($v{process_open_fds} - @fds) <= 2, 'descriptors';
    ok abs($v{process_start_time_seconds} - time) < 300, 'start';
    ok $v{process_cpu_seconds_total} >= 0, 'CPU time';
    is $v{hyper_derp_login_seconds_count}, 2, 'two logins took their time';
    is $v{'hyper_derp_login_seconds_bucket{le="+Inf"}'}, 2, '... all of them in the last bucket';
    my $sum = $v{hyper_derp_login_seconds_sum};
    ok $sum > 0 && $sum < 20, '... in seconds';
    is $v{hyper_derp_tls_handshake_seconds_count}, $v{hyper_derp_tls_handshakes_total}, 'handshakes';
    is $v{hyper_derp_queue_delay_seconds_count}, 1, 'the first packet was timed';
    ok $v{hyper_derp_loop_turn_seconds_count} > 10, 'turns';
    my @le = map { /^hyper_derp_loop_turn_seconds_bucket\{le="(\d.*)"\}$/ ? $1 : () } keys %v;
    is 0 + @le, 21, '21 buckets';
    my @n = map { $v{"hyper_derp_loop_turn_seconds_bucket{le=\"$_\"}"} } sort { $a <=> $b } @le;
    ok !(grep { $n[$_] < $n[$_ - 1] } 1 .. $#n), '... that grow';
    ok !(grep { /^derp_/ } keys %v), 'no names of derper unless asked for';
};

subtest 'OpenMetrics' => sub {
    my $r = get($port, '/metrics', Accept =>
        'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1');
    is $r->{type}, 'application/openmetrics-text; version=1.0.0; charset=utf-8', 'the content type';
    like $r->{body}, qr/\n# EOF\n\z/, '# EOF';
    like $r->{body}, qr/^# TYPE hyper_derp_recv_bytes counter\n# UNIT hyper_derp_recv_bytes bytes\nhyper_derp_recv_bytes_total \d+\n/m,
        'a family without _total, its sample with it';
    like $r->{body}, qr/^# TYPE hyper_derp_build info$/m, 'an info';
    parser_likes($r->{body}, 'the parser of prometheus_client');
    my %a = samples($r->{body});
    my %b = samples(get($port, '/metrics')->{body});
    is_deeply [sort keys %a], [sort keys %b], 'the same series in both formats';
};

subtest 'health' => sub {
    my $r = get($port, '/health');
    is $r->{status}, 200, 'healthy';
    my $h = HyperDerp::Metrics::json($r->{body});
    is $h->{status}, 'ok', 'ok';
    is $h->{peers_active}, 2, 'peers';
    is $h->{workers}, 2, 'workers';
    ok defined $h->{$_}, $_ for qw(uptime_seconds recv_bytes send_bytes);
};

subtest 'methods and other listeners' => sub {
    is request($port, 'POST', $_)->{status}, 405, "POST $_" for qw(/metrics /health);
    is request($port, 'HEAD', '/metrics')->{body}, '', 'HEAD';
    is get($hd->{plain}, '/metrics')->{status}, 404, 'not on the port of the relay';
    is get($port, '/derp')->{status}, 404, 'no relay on the port of the metrics';
};

subtest 'live' => sub {
    my $kept = $hd->socket($port);
    ask($kept, 'GET', '/health');
    is answer($kept)->{status}, 200, 'a connection that stays open';
    ok ctl($hd, qw(module reload metrics))->{ok}, 'reload';
    ask($kept, 'GET', '/health');
    is answer($kept)->{status}, 200, '... keeps it';
    is get($port, '/metrics')->{status}, 200, '... and the listener';
    my $status = ctl($hd, 'status')->{data};
    ok scalar(grep { ($_->{name} // '') eq 'metrics' && $_->{addr} eq "127.0.0.1:$port" } @{ $status->{listeners} }),
        'status lists it';
    ok ctl($hd, qw(module unload metrics))->{ok}, 'unload';
    ok !$hd->socket($port), '... nobody listens';
    ok HyperDerp::Test::wait_for(sub { eof_of($kept) }), '... the connection is closed';
    my $thief = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1,
        ReuseAddr => 1) or die "port $port: $@";
    my $r = ctl($hd, qw(module load metrics));
    ok !$r->{ok}, 'load while somebody has the port';
    like $r->{error}{message} // $r->{error}, qr/127\.0\.0\.1:$port.*ss -ltnp/, '... names address and remedy';
    close $thief;
    ok ctl($hd, qw(module load metrics))->{ok}, 'load';
    is get($port, '/metrics')->{status}, 200, '... serves';
    ok ctl($hd, qw(module unload stun))->{ok}, 'another module goes';
    unlike get($port, '/metrics')->{body}, qr/hyper_derp_stun/, '... and its table';
    ok ctl($hd, qw(module load stun))->{ok}, '... comes';
    like get($port, '/metrics')->{body}, qr/^hyper_derp_stun_answers_total/m, '... with it';
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'relaying went on';
};

subtest 'names of derper' => sub {
    $hd->{conf} = "metrics: {port: $port, compat: derper}\n";
    $hd->write_conf;
    $hd->signal('HUP');
    ok HyperDerp::Test::wait_for(sub { get($port, '/metrics')->{body} =~ /^derp_accepts/m }), 'after a reload';
    my $text = get($port, '/metrics')->{body};
    my %v = samples($text);
    is $v{derp_current_connections}, 2, 'connections';
    is $v{derp_packets_received}, 2, 'packets';
    is $v{'derp_packets_received_kind{kind="other"}'}, 2, '... by kind';
    ok exists $v{'derp_packets_dropped{kind="disco",reason="queue_head"}'}, 'drops';
    like $text, qr/^# TYPE derp_packets_dropped counter$/m, 'the type';
    parser_likes(get($port, '/metrics', Accept => 'application/openmetrics-text')->{body}, 'OpenMetrics');
};

subtest 'draining' => sub {
    $hd->signal('USR2');
    ok HyperDerp::Test::wait_for(sub { get($port, '/health')->{status} == 503 }), '/health is 503';
    is HyperDerp::Metrics::json(get($port, '/health')->{body})->{status}, 'draining', '... and says why';
    is { samples(get($port, '/metrics')->{body}) }->{hyper_derp_serving}, 0, '... as does /metrics';
};

$hd->finish;

subtest 'a port in use at the start' => sub {
    my $thief = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1,
        ReuseAddr => 1) or die "port $port: $@";
    my $other = HyperDerp::Test->new(load_module => [qw(derp metrics)], conf => "metrics: {port: $port}\n")->run;
    is $other->wait_exit >> 8, 1, 'stops it';
    like $other->log_text, qr/metrics.*bind: Address already in use: 127\.0\.0\.1:$port.*ss -ltnp/, 'with address and remedy';
};

done_testing;

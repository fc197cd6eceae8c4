#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/metrics.t - the metrics module: both formats, what they say, its
# listener.
use v5.36;
use Test::More;
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Metrics;
use HyperDerp::Test;
use JSON::PP ();
use POSIX ();
use Socket qw(SOCK_DGRAM);

my $port = HyperDerp::Test::free_port();
my $hd = HyperDerp::Test->start(load_module => [qw(derp stun metrics)],
    conf => "metrics: {port: $port}\n");
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'x' x 100);
$bob->packet;
# counted when the kernel has it, which may be later than bob
HyperDerp::Test::wait_for(sub { +{ samples(get($port, "/metrics")->{body}) }->{hyper_derp_queue_delay_seconds_count} });

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

# Counted with the broom of the cache, every two seconds while keys are in use.
subtest 'expanded keys' => sub {
    plan skip_all => 'the record layer here is not ours' unless ctl($hd, 'peers')->{data}[0]{tls} eq 'own';
    my %v;
    ok HyperDerp::Test::wait_for(sub {
        # one after the other: of a slow machine's packets each may come too late
        $alice->send($bob->key, 'again') for 1 .. 2;
        $bob->packet for 1 .. 2;
        %v = samples(get($port, '/metrics')->{body});
        $v{hyper_derp_tls_key_cache_misses_total} >= 4 && $v{hyper_derp_tls_key_cache_hits_total} > 0;
    }), 'two directions of two connections; records that found theirs';
    is $v{hyper_derp_tls_key_cache_evictions_total}, 0, 'there is room';
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

subtest 'peers and relay' => sub {
    my $r = get($port, '/api/v1/peers');
    is $r->{type}, 'application/json', 'JSON';
    my $p = HyperDerp::Metrics::json($r->{body});
    is $p->{count}, 2, 'two';
    is_deeply [sort map { $_->{key} } @{ $p->{peers} }], [sort map { $_->key } $alice, $bob], 'the keys';
    my ($to) = grep { $_->{key} eq $bob->key } @{ $p->{peers} };
    is $to->{proto}, 'derp', 'protocol';
    is $to->{tls}, 'own', 'TLS';
    cmp_ok $to->{bytes_out}, '>', 100, 'bytes';
    ok !exists $to->{addr}, 'no address of a client';
    my $relay = HyperDerp::Metrics::json(get($port, '/api/v1/relay')->{body});
    is $relay->{state}, 'serving', '/api/v1/relay';
    is_deeply [map { $_->{name} } @{ $relay->{modules} }], [qw(derp stun metrics)], '... modules';
    is $relay->{certificates}[0]{names}, 'localhost,127.0.0.1', '... certificates';
    is $relay->{times}{login}{count}, 2, '... times';
    my $s = $hd->socket($port);
    print {$s} "GET /api/v1/peers HTTP/1.0\r\n\r\n";
    $r = answer($s);
    is HyperDerp::Metrics::json($r->{body})->{count}, 2, 'HTTP/1.0: up to the end of the connection';
    unlike $r->{head}, qr/chunked/, '... without chunks';
    $s = $hd->socket($port);
    ask($s, 'GET', $_) for '/api/v1/peers', '/metrics', '/api/v1/relay';
    is answer($s)->{status}, 200, "pipelined: $_" for 1 .. 3;
};

subtest 'debug endpoints' => sub {
    for my $path (qw(/debug/peers /debug/workers)) {
        my $r = get($port, $path);
        is $r->{status}, 404, "$path is off";
        like $r->{body}, qr/metrics\.debug_endpoints/, '... and says how to have it';
    }
    $hd->{conf} = "metrics: {port: $port, debug_endpoints: true}\n";
    $hd->write_conf;
    reload($hd);
    ok HyperDerp::Test::wait_for(sub { get($port, '/debug/peers')->{status} == 200 }), 'on, after a reload';
    my $p = HyperDerp::Metrics::json(get($port, '/debug/peers')->{body});
    like $p->{peers}[0]{addr}, qr/^127\.0\.0\.1:\d+$/, 'addresses';
    my $w = HyperDerp::Metrics::json(get($port, '/debug/workers')->{body})->{workers};
    is 0 + @$w, 2, 'both workers';
    is $w->[0]{peers_active} + $w->[1]{peers_active}, 2, '... with their numbers';
    is $w->[0]{send_drops} + $w->[1]{send_drops}, 0, '... summed over labels';
};

subtest 'methods and other listeners' => sub {
    is request($port, 'POST', $_)->{status}, 405, "POST $_" for qw(/metrics /health /api/v1/relay /api/v1/peers /debug/workers /debug/peers);
    is request($port, 'HEAD', '/metrics')->{body}, '', 'HEAD';
    is get($hd->{plain}, '/metrics')->{status}, 404, 'not on the port of the relay';
    is get($port, '/derp')->{status}, 404, 'no relay on the port of the metrics';
};

# What a page from elsewhere could do whose own name has become 127.0.0.1.
subtest 'names that are not ours' => sub {
    for my $path (qw(/metrics /health /status /status.json /api/v1/peers /api/v1/relay /debug/peers /debug/workers)) {
        is get($port, $path, Host => "evil.example:$port")->{status}, 403, "$path: refused";
    }
    like get($port, '/metrics', Host => 'evil.example')->{body}, qr/localhost.*metrics\.hosts/, '... with the remedy';
    is get($port, '/health', Host => $_)->{status}, 403, $_
        for qw(localhost.evil.example 127.0.0.1.evil.example evil.example:127.0.0.1 x 127.0.0.1.1 EVIL.example.);
    my $name = qx{uname -n} =~ s/\s+\z//r;
    is get($port, '/health', Host => $_)->{status}, 200, $_ || 'none'
        for ('localhost', "LOCALHOST:$port", 'localhost.', "127.0.0.1:$port", '192.0.2.7', "[::1]:$port", $name, '');
    $hd->{conf} = "metrics: {port: $port, debug_endpoints: true, hosts: [mine.example]}\n";
    $hd->write_conf;
    reload($hd);
    ok HyperDerp::Test::wait_for(sub { get($port, '/health', Host => 'mine.example:80')->{status} == 200 }),
        'metrics.hosts, after a reload';
    is get($port, '/health', Host => 'evil.example')->{status}, 403, '... and no other';
};

subtest 'live' => sub {
    built_in(qw(metrics stun));
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
    ok HyperDerp::Test::wait_for(sub { !$hd->socket($port) }), '... nobody listens';
    ok HyperDerp::Test::wait_for(sub { eof_of($kept) }), '... the connection is closed';
    my $thief = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1,
        ReuseAddr => 1) or die "port $port: $@";
    my $r = ctl($hd, qw(module load metrics));
    ok !$r->{ok}, 'load while somebody has the port';
    like $r->{error}{message} // $r->{error}, qr/127\.0\.0\.1:$port.*ss -ltnp/, '... names address and remedy';
    close $thief;
    ok ctl($hd, qw(module load metrics))->{ok}, 'load';
    is get($port, '/metrics')->{status}, 200, '... serves';
    ok ctl($hd, qw(module unload metrics))->{ok}, 'another address: unload';
    my $moved = HyperDerp::Test::free_port();
    $hd->{conf} = qq(metrics: {addr: "0.0.0.0:$moved"}\n);
    $hd->write_conf;
    ok ctl($hd, $_ eq 'reload' ? $_ : qw(module load metrics))->{ok}, "... $_" for qw(reload load);
    is get($moved, '/health')->{status}, 200, '... serves there';
    is get($moved, '/health', Host => 'evil.example')->{status}, 403, '... from this machine only under its names';
    ok ctl($hd, qw(module unload metrics))->{ok}, '... and back';
    $hd->{conf} = "metrics: {port: $port}\n";
    $hd->write_conf;
    ok ctl($hd, $_ eq 'reload' ? $_ : qw(module load metrics))->{ok}, "... $_" for qw(reload load);
    ok ctl($hd, qw(module unload stun))->{ok}, 'another module goes';
    unlike get($port, '/metrics')->{body}, qr/hyper_derp_stun/, '... and its table';
    ok ctl($hd, qw(module load stun))->{ok}, '... comes';
    like get($port, '/metrics')->{body}, qr/^hyper_derp_stun_answers_total/m, '... with it';
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'relaying went on';
};

# Of the test module: a link `echo` for its connections, and what /live/link says.
sub links ($metrics) {
    my %v = samples(get($metrics, '/metrics')->{body});
    return { map { /^live_link_(\w+?)(?:_total)?\{link="(.*)"\}$/ ? ("$2 $1" => $v{$_})
            : /^hyper_derp_series_refused_total\{module="live",family="links"\}$/ ? (refused => $v{$_}) : () } keys %v };
}

sub echoes ($s, $text) {
    syswrite $s, $text;
    return HyperDerp::Test::wait_for(sub { sysread $s, my $answer, 4096; $answer =~ /\Q$text\E/ });
}

subtest 'label values that come at run time' => sub {
    my $live = HyperDerp::Live->new;
    my $at = HyperDerp::Test::free_port();
    my $udp = HyperDerp::Test::free_port(SOCK_DGRAM);
    my $relay = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', 'metrics', $live->make('live')],
        conf => qq(metrics: {port: $at}\nlive: {udp: "127.0.0.1:$udp"}\n));
    my $link = sub ($what) { is HyperDerp::Live::get($relay, "/live/link?$what"), 'done', "link $what" };
    is_deeply links($at), { 'other bytes' => 0, 'other begun' => 0, refused => 0 }, 'none yet';
    my $s = $relay->socket;
    syswrite $s, "GET /live/echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    my $head = '';
    while ($head !~ /\r\n\r\n/) { sysread($s, $head, 1, length $head) or last }
    ok echoes($s, 'hello'), 'a connection counts';
    $link->($_) for '+a', '+a', '+b', '+c';
    my %want = ('echo bytes' => 5, 'echo begun' => 0, '\\"a\\\\ bytes' => 0, '\\"a\\\\ begun' => 2,
        'other bytes' => 0, 'other begun' => 2, refused => 2);
    is_deeply links($at), \%want, 'two, and the others as one' or diag explain links($at);
    promtool_likes(get($at, '/metrics')->{body}, 'promtool');
    $relay->log_like(qr/links has 2 series in use/);
    is 0 + (() = $relay->log_text =~ /links has 2 series in use/g), 1, 'said once';
    like JSON::PP::encode_json(ctl($relay, 'metrics')->{data}), qr/link=.{1,4}echo/, 'hdctl metrics has them';
    $live->make('live', build => 2);
    ok ctl($relay, qw(module reload live))->{ok}, 'new code';
    ok echoes($s, 'again'), '... the connection counts on';
    is_deeply links($at), { %want, 'echo bytes' => 10 }, '... as all do';
    $link->('-a') for 1, 2;
    $link->('+b');
    delete @want{ grep { /a/ } grep { !/other/ } keys %want };
    is_deeply links($at), { %want, 'echo bytes' => 10, '\\"b\\\\ bytes' => 0, '\\"b\\\\ begun' => 1 },
        'one that has ended makes room' or diag explain links($at);
    ok ctl($relay, qw(module unload live))->{ok}, 'unload';
    is_deeply links($at), {}, '... and none is left';
    ok ctl($relay, qw(module load), $live->make('live'))->{ok}, 'load';
    is_deeply links($at), { 'other bytes' => 0, 'other begun' => 0, refused => 0 }, '... begins anew';
    is HyperDerp::Live::get($relay, '/live/link?+z'), 'done', '... and counts';
    $relay->finish;
    like $relay->log_text, qr/metric live_link_begun\{link="\\"z\\\\"\}=1/, 'the log at the stop has them';
};

subtest 'names of derper' => sub {
    $hd->{conf} = "metrics: {port: $port, compat: derper}\n";
    $hd->write_conf;
    reload($hd);
    ok HyperDerp::Test::wait_for(sub { get($port, '/metrics')->{body} =~ /^derp_accepts/m }), 'after a reload';
    my $text = get($port, '/metrics')->{body};
    my %v = samples($text);
    is $v{derp_current_connections}, 2, 'connections';
    is $v{derp_current_home_connections}, 0, '... of which nobody has its home here';
    my $n = $v{hyper_derp_recv_packets_total};
    is $v{derp_packets_received}, $n, 'packets';
    is $v{'derp_packets_received_kind{kind="other"}'}, $n, '... by kind';
    ok exists $v{'derp_packets_dropped{kind="disco",reason="queue_head"}'}, 'drops';
    like $text, qr/^# TYPE derp_packets_dropped counter$/m, 'the type';
    parser_likes(get($port, '/metrics', Accept => 'application/openmetrics-text')->{body}, 'OpenMetrics');
};

# What is dropped is seen without Prometheus, too.
subtest 'hdctl status' => sub {
    my $s = { samples(get($port, '/metrics')->{body}) };
    my %sum;
    $sum{ $_ =~ /reason="(\w+)"/ ? $1 : '' } += $s->{$_} for grep { /^hyper_derp_send_drops_total\{/ } keys %$s;
    my $drops = ctl($hd, 'status')->{data}{drops};
    is_deeply $drops, \%sum, 'drops: what /metrics has, by reason';
    is $drops->{xfer_full}, $s->{hyper_derp_xfer_drops_total}, '... between workers as xfer_full';
    like $hd->ctl('status'), qr/^drops\n(?:  .*\n)*  xfer_full +$drops->{xfer_full}$/m, '... also for people';
};

# doc/reference/metrics.md has exactly what there is, and its types, but for modules that are
# not loaded here.
subtest 'doc/reference/metrics.md' => sub {
    my %doc = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/reference/metrics.md")
        =~ /^\| `((?:hyper_derp|process|derp)_\w+)` \| (\w+) \|/mg;
    my %is = get($port, '/metrics')->{body} =~ /^# TYPE (\S+) (\S+)$/mg;
    delete @doc{ grep { /^hyper_derp_(?:acme|fallback|hd|key|mesh|mesh_nats|policy|tenant|wg)_/ } keys %doc };
    is_deeply \%is, \%doc, 'what it lists is what is exported';
};

subtest 'a reload that is refused' => sub {
    my $now = sub { +{ samples(get($port, '/metrics')->{body}) } };
    my ($ok, $at) = map { "hyper_derp_config_last_reload_$_" } qw(successful success_timestamp_seconds);
    my $good = $hd->{conf};
    is $now->()->{$ok}, 1, 'the start went well';
    ok abs($now->()->{$at} - time) < 300, '... then';
    my $since = $now->()->{$at};
    $hd->{conf} = "$good\nlog: {level\n";
    $hd->write_conf;
    is ctl($hd, 'reload')->{ok}, JSON::PP::false, 'half a file is refused';
    is $now->()->{$ok}, 0, '... as /metrics says';
    is $now->()->{$at}, $since, '... and since when';
    $hd->{conf} = $good;
    $hd->write_conf;
    is ctl($hd, 'reload')->{ok}, JSON::PP::true, 'the whole one is not';
    is $now->()->{$ok}, 1, '... and all is well';
    is $now->()->{hyper_derp_locked}, 0, 'it is not locked';
    is get($port, '/health')->{status}, 200, 'nor ill';
};

subtest 'draining' => sub {
    $hd->signal('USR2');
    ok HyperDerp::Test::wait_for(sub { get($port, '/health')->{status} == 503 }), '/health is 503';
    is HyperDerp::Metrics::json(get($port, '/health')->{body})->{status}, 'draining', '... and says why';
    is { samples(get($port, '/metrics')->{body}) }->{hyper_derp_serving}, 0, '... as does /metrics';
};

$hd->finish;

subtest 'TLS' => sub {
    my $dir = File::Temp->newdir;
    my ($crt, $key) = HyperDerp::Test::certificate("$dir", 'metrics', 'metrics.example');
    my $tls = HyperDerp::Test->start(load_module => [qw(derp metrics)],
        conf => "metrics: {port: $port, tls_cert: $crt, tls_key: $key}\n");
    my $sees = sub { qx{openssl s_client -connect 127.0.0.1:$port </dev/null 2>/dev/null} =~ /^subject=(.*)$/m ? $1 : '' };
    is $sees->(), 'CN = metrics.example', 'a certificate of its own';
    like qx{openssl s_client -connect 127.0.0.1:$tls->{tls} </dev/null 2>/dev/null}, qr/CN = localhost/,
        '... beside that of the relay';
    my $page = qx{(printf 'GET /health HTTP/1.0\r\n\r\n') | openssl s_client -quiet -connect 127.0.0.1:$port 2>/dev/null};
    like $page, qr/"status":"ok"/, 'it serves';
    subtest 'reload of the module' => sub {
        built_in('metrics');
        ok ctl($tls, qw(module reload metrics))->{ok}, 'reload';
        is $sees->(), 'CN = metrics.example', '... keeps TLS';
    };
    HyperDerp::Test::certificate("$dir", 'metrics', 'renewed.example');
    $tls->signal('HUP');
    ok HyperDerp::Test::wait_for(sub { $sees->() eq 'CN = renewed.example' }), 'HUP reads the certificate again';
    HyperDerp::Test::spew($crt, 'junk');
    $tls->signal('HUP');
    ok $tls->log_like(qr/metrics\.crt/), 'junk is refused';
    is $sees->(), 'CN = renewed.example', '... and the old one stays';
    $tls->finish;
};

# Every worker has the new configuration, and not only the one that is asked first.
sub reload ($hd) {
    my $count = sub { scalar(() = $hd->log_text =~ /configuration reloaded/g) };
    my $before = $count->();
    $hd->signal('HUP');
    return HyperDerp::Test::wait_for(sub { $count->() > $before });
}

sub health () {
    my $r = get($port, '/health');
    return ($r->{status}, HyperDerp::Metrics::json($r->{body}));
}

sub certificate_for (@args) {
    my ($crt, $key) = HyperDerp::Test::certificate_ending(@args);
    return "{cert: $crt, key: $key}";
}

# RSA and ECDSA for the same names, say: one of them ends soon.
sub relay_with_two ($dir, $seconds) {
    my @cert = (certificate_for($dir, 'long', 'a.example', 3600), certificate_for($dir, 'short', 'a.example', $seconds));
    my $relay = HyperDerp::Test->new(load_module => [qw(derp metrics)],
        conf => "metrics: {port: $port}\ntls: {certificates: [$cert[0], $cert[1]]}\n");
    $relay->{yaml} = $relay->yaml =~ s/^tls_(?:cert|key):.*\n//mgr;
    $relay->write_conf;
    ok $relay->run->ready, 'a relay with two' or diag($relay->log_text);
    return $relay;
}

subtest 'certificates that end' => sub {
    my $dir = File::Temp->newdir;
    my ($relay, $status, $h, @series);
    for my $seconds (4, 15, 60) {    # more where the machine stalls
        $relay = relay_with_two("$dir", $seconds);
        ($status, $h) = health();
        cmp_ok $h->{certificate_expiry_seconds}, '<', time + $seconds + 1, '/health says when one ends';
        @series = get($port, '/metrics')->{body} =~ /^(hyper_derp_tls_certificate_expiry_seconds.*a\.example.*)$/mg;
        last if time < $h->{certificate_expiry_seconds};
        $relay->finish;
    }
    my $end = $h->{certificate_expiry_seconds};
    is $status, 200, 'one of two ends in seconds: well';
    is_deeply \@series, [qq(hyper_derp_tls_certificate_expiry_seconds{subject="CN=a.example",names="a.example"} $end)],
        'the same names are one series: the first end';
    ok HyperDerp::Test::wait_for(sub { (health())[0] == 503 }, 60), 'then it has ended: 503';
    is +(health())[1]{status}, 'certificate expired', '... and says why';
    cmp_ok time, '>=', $end, '... not before';
    certificate_for("$dir", 'short', 'a.example', 3600);
    $relay->signal('HUP');
    ok HyperDerp::Test::wait_for(sub { (health())[0] == 200 }), 'renewed and reloaded: well again';
    $relay->finish;
};

subtest 'a port in use at the start' => sub {
    my $thief = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $port, Listen => 1,
        ReuseAddr => 1) or die "port $port: $@";
    my $other = HyperDerp::Test->new(load_module => [qw(derp metrics)], conf => "metrics: {port: $port}\n")->run;
    is $other->wait_exit >> 8, 1, 'stops it';
    like $other->log_text, qr/metrics.*bind: Address already in use: 127\.0\.0\.1:$port.*ss -ltnp/, 'with address and remedy';
};

done_testing;

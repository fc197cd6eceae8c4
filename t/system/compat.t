# SPDX-License-Identifier: MIT
# t/system/compat.t - files that were written for the predecessor start
# unchanged, or say why they must not. Only ports and paths are this test's own.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use Socket ();

sub text_of ($name) { return HyperDerp::Test::slurp("$FindBin::Bin/compat/$name.yaml") }

# The module path and the STUN address are not in such files; flags give the
# rest.
sub daemon ($name, %o) {
    my $hd = HyperDerp::Test->new(no_tls => 1, yaml => '', %o);
    my $yaml = text_of($name);
    $yaml =~ s{^tls_cert: \S+$}{tls_cert: $hd->{crt}}m if $hd->{crt};
    $yaml =~ s{^tls_key: \S+$}{tls_key: $hd->{key}}m   if $hd->{crt};
    $yaml =~ s{stun_port: 3478}{stun_port: $hd->{stun}}
        or $yaml .= qq(stun: {listen: "127.0.0.1:$hd->{stun}"}\n);
    $yaml =~ s{/var/log/hyper-derp}{$hd->{dir}};
    my $metrics = HyperDerp::Test::free_port();
    $yaml =~ s{^  port: 9090$}{  port: $metrics}m;
    $hd->{yaml} = $yaml;
    $hd->{args} = [
        '--port', $hd->{plain}, '--state-dir', $hd->dir,
        '--module-path', "$HyperDerp::Test::build/modules.d",
    ];
    $hd->write_conf;
    return $hd->run;
}

sub built ($module) { return -e "$HyperDerp::Test::build/modules.d/$module.so" }

sub relays ($hd) {
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'still the same');
    return $bob->packet eq 'still the same';
}

subtest 'derp.yaml: TLS, limits, pinned workers' => sub {
    my $hd = daemon('derp', no_tls => 0);
    $hd->{tls} = $hd->{plain};    # --port replaced it
    ok $hd->ready, 'it starts' or diag $hd->log_text;
    ok relays($hd), 'and relays';
    # its control socket has the default's place, where another relay may be
    my @warn = grep { !/another relay answers at/ } $hd->log_text =~ /(?<= warn )(.*)/g;
    is_deeply \@warn, [], 'without a warning';
    $hd->finish;
};

subtest 'full.yaml: every section' => sub {
    my $hd = daemon('full');
    # its log_level is warn: nothing says that workers have started
    ok HyperDerp::Test::wait_for(sub { $hd->socket }), 'it starts' or diag $hd->log_text;
    ok relays($hd), 'and relays';
    my $log = $hd->log_text;
    for my $section (grep { !built($_) } qw(metrics hd)) {
        my @lines = $log =~ /:(\d+: the section `$section` has no effect)/g;
        is @lines, 1, "one warning for the section $section, with its line";
    }
    for my $key (qw(level2.turn.realm einheit.ctl_endpoint hd.relay_key hd.relay_policy.default_mode)) {
        my @lines = $log =~ /:(\d+: `\Q$key\E` has no effect here)/g;
        is @lines, 1, "one warning for $key, with its line";
    }
    unlike $log, qr/6b1f0e7c/, 'the relay key is not in the log';
    ok -e "$hd->{dir}/audit.log", 'hd.audit_log_path is audit.file';
    $hd->finish;
};

subtest 'plain.yaml: without TLS' => sub {
    my $hd = daemon('plain');
    ok $hd->ready, 'it starts' or diag $hd->log_text;
    ok relays($hd), 'and relays';
    like $hd->log_text, qr/warn no listener has TLS/, 'and says what is missing';
    $hd->finish;
};

# Each has its effect, or one warning; the last of the two tables is what comes out.
subtest 'flags' => sub {
    my $hd = HyperDerp::Test->new(yaml => '');
    my $metrics = HyperDerp::Test::free_port();
    $hd->{yaml} = <<~"END";
        port: $hd->{tls}
        sockbuf: 0
        buf_ring_size: 512
        buf_size: 4096
        state_dir: $hd->{dir}
        module_path: [$HyperDerp::Test::build/modules.d]
        control: {socket: ${\$hd->control}}
        END
    $hd->write_conf;
    $hd->{args} = [
        '--sqpoll', '--tls-cert', $hd->{crt}, '--tls-key', $hd->{key}, '--metrics-port', $metrics,
        '--pin-workers', '0', '--workers', 1, '--sockbuf', 65536, '--max-accept-rate', 1000,
        '--log-level', 'info', '--debug-endpoints', '--level2', '--stun-port', $hd->{stun},
        '--xdp-interface', 'eth0', '--xdp-mode', 'native', '--trace-forward-hashes',
        '--hd-enroll-mode', 'auto', '--hd-relay-id', 1, '--hd-seed-relay=192.0.2.1:1', '--hd-seed-relay=192.0.2.2:1',
    ];
    my $args = join ' ', map { "'$_'" } @{ $hd->{args} };
    my $t = qx{$HyperDerp::Test::build/hyper-derp -T -c $hd->{file} $args 2>&1};
    is $?, 0, 'are taken' or diag $t;
    like $t, qr/^\Q$_\E$/m, $_
        for 'sqpoll: true', 'pin_cores: [0]', 'sockbuf: 64KiB', 'max_accept_rate: 1000', "    - {cert: $hd->{crt}, key: $hd->{key}}";
    like $t, qr/^  listen: "?\[::\]:$hd->{stun}"?$/m, 'STUN has its port';
    SKIP: {
        skip 'the module metrics is not built', 1 unless built('metrics');
        like $t, qr/^metrics:\n(?:  .*\n)*?  debug_endpoints: true$/m, 'metrics has what it asked for';
    }
    my @warn = $t =~ / warn (.*)/g;
    for my $what ('--level2', '--xdp-interface', '--xdp-mode', '--trace-forward-hashes', 'buf_ring_size', 'buf_size') {
        is scalar(grep { /(?:^|`)\Q$what\E\b.*has no effect here/ } @warn), 1, "$what: one warning" or diag $t;
    }
    $hd->{args} = [grep { $_ ne '--sqpoll' } @{ $hd->{args} }];    # not every kernel lets us
    ok $hd->run->ready($hd->{tls}), 'it starts' or diag $hd->log_text;
    ok relays($hd), 'and relays';
    $hd->finish;
};

sub refused ($name, $re) {
    my $hd = daemon($name);
    my $status = $hd->wait_exit;
    ok defined $status && $status != 0, "$name.yaml does not start";
    like $hd->log_text, $re, 'and says why';
    return;
}

refused 'denylist', qr/yaml:5: `hd\.denylist_path` keeps peers out, and has no effect here: write/;

subtest 'wireguard.yaml: peers and links, no TCP port' => sub {
    unless (built('wg')) {
        refused 'wireguard', qr/yaml:2: module wg: no file wg\.so/;
        return;
    }
    my $hd   = HyperDerp::Test->new(no_tls => 1, yaml => '');
    my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
    $hd->{yaml} = text_of('wireguard') =~ s{port: 51820}{port: $port}r
        =~ s{/var/lib/hyper-derp/roster}{$hd->{dir}/roster}r
        . "control: {socket: ${\$hd->control}}\n";
    $hd->{args} = [
        '--state-dir', $hd->dir, '--module-path', "$HyperDerp::Test::build/modules.d",
    ];
    $hd->write_conf;
    # as the predecessor left it: with what the configuration lists, too
    my $key = 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=';
    my $roster = HyperDerp::Test::spew("$hd->{dir}/roster", <<~"END");
        peer alice 192.0.2.9:51820
        peer bob 192.0.2.2:51820
        peer carol 192.0.2.3:51820 $key her phone
        link alice bob
        link bob carol
        nic alice lo
        END
    $hd->run;
    ok HyperDerp::Test::wait_for(sub { $hd->ctl('wg', 'show') =~ /^port +$port$/m }), 'it starts'
        or diag $hd->log_text;
    my $peers = $hd->ctl(qw(wg peer list));
    like $peers, qr/^alice +192\.0\.2\.1:51820 .* bob +home$/m, 'the configuration beats the roster';
    like $peers, qr/^carol +192\.0\.2\.3:51820 .* bob +her phone$/m, 'the roster is read where it was';
    $hd->ctl(qw(wg link add alice carol));
    is $?, 0, 'a change';
    like HyperDerp::Test::slurp($roster), qr/^nic alice lo\npeer carol .*\nlink alice carol\nlink bob carol$/ms,
        '... goes there, without what the configuration lists';
    $hd->finish;
};

done_testing;

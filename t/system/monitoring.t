#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/monitoring.t - rules, alerts and dashboard of contrib/ fit what a
# running relay exports; each alert has a test of its own and says what to do.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Metrics;
use HyperDerp::Test;
use JSON::PP ();
use POSIX ();

my $contrib = "$HyperDerp::Test::srcdir/contrib";
my $rules = HyperDerp::Test::slurp("$contrib/prometheus/hyper-derp.rules.yaml");
my $tests = HyperDerp::Test::slurp("$contrib/prometheus/hyper-derp.test.yaml");
my $doc = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/guides/alerts.md");
my $board = JSON::PP->new->utf8->decode(HyperDerp::Test::slurp("$contrib/grafana/hyper-derp.json"));

# ---- alerts ----

my @alerts = $rules =~ /^ +- alert: (\w+)$/mg;
cmp_ok scalar @alerts, '>', 10, 'alerts';
is_deeply [$doc =~ /^## (\w+)$/mg], \@alerts, 'doc/guides/alerts.md: a section for each, in the same order';
is_deeply [$rules =~ /^ +runbook: (\S+)$/mg], [map { "doc/guides/alerts.md#\L$_" } @alerts],
    'each names its section';
is scalar(() = $rules =~ /^ +labels: \{severity: (?:critical|warning|info)\}$/mg), scalar @alerts, '... and how bad it is';
for my $alert (@alerts) {
    like $tests, qr/alertname: $alert\n +exp_alerts:\n/, "$alert is seen to fire";
}

# ---- the dashboard ----

my @panels = @{ $board->{panels} };
my @targets = map { @{ $_->{targets} // [] } } @panels;
my @variables = map { $_->{name} } @{ $board->{templating}{list} };
is_deeply \@variables, [qw(datasource job instance)], 'variables of the dashboard';
is_deeply [map { $_->{title} } grep { $_->{type} eq 'row' } @panels],
    ['Overview', 'Peers', 'Traffic', 'Drops by reason', 'Latency', 'Workers', 'TLS and certificates', 'Modules',
        'Links to other relays'],
    'rows';
my %ids;
is scalar(grep { $ids{ $_->{id} }++ } @panels), 0, 'each panel has a number of its own';
is scalar(grep { $_->{type} !~ /^(?:row|timeseries|stat|table|heatmap)$/ } @panels), 0, 'kinds of panels';
is scalar(grep { ($_->{datasource}{uid} // '') ne '${datasource}' } @targets), 0, 'all ask the chosen data source';
my $overlaps = 0;
for my $p (map { $_->{gridPos} } @panels) {
    $overlaps++ if $p->{x} + $p->{w} > 24;
    $overlaps += grep {
        my $o = $_->{gridPos};
        $o != $p && $o->{x} < $p->{x} + $p->{w} && $p->{x} < $o->{x} + $o->{w}
            && $o->{y} < $p->{y} + $p->{h} && $p->{y} < $o->{y} + $o->{h}
    } @panels;
}
is $overlaps, 0, 'panels do not overlap';

# With values for Grafana's variables, as a rules file that promtool reads.
my @exprs = map { $_->{expr} } @targets, grep { defined $_->{expr} } @{ $board->{annotations}{list} };
# (Steps of a second, as the test's scrapes.)
sub filled_in ($expr) {
    return $expr =~ s/:15s\]/:1s]/r =~ s/\$__(?:rate_)?interval\b/5m/gr =~ s/\$(?:job|instance)\b/.+/gr;
}
my $as_rules = JSON::PP->new->canonical->encode({ groups => [{ name => 'dashboard', rules => [map {
    { record => "panel:expr:$_", expr => filled_in($exprs[$_]) };
} 0 .. $#exprs] }] });
my $dir = File::Temp->newdir('hd-monitoring-XXXXXX', TMPDIR => 1);
HyperDerp::Test::spew("$dir/dashboard.yaml", $as_rules);

SKIP: {
    skip 'promtool is missing: apt-get install prometheus', 3 if system('promtool --version >/dev/null 2>&1');
    for (['PromQL of the dashboard', 'check', 'rules', "$dir/dashboard.yaml"],
        ['rules', 'check', 'rules', "$contrib/prometheus/hyper-derp.rules.yaml"],
        ['tests of the rules', 'test', 'rules', "$contrib/prometheus/hyper-derp.test.yaml"]) {
        my ($name, @args) = @$_;
        my $out = `promtool @args 2>&1`;
        is $?, 0, "promtool: $name" or diag $out;
    }
}

# ---- names ----

# Metrics that an expression asks for; what our own rules record has colons.
sub names ($expr) {
    my $bare = $expr =~ s/\{[^}]*\}//gr =~ s/"[^"]*"//gr =~ s/\b(?:by|without|on|ignoring) *\([^)]*\)//gr;
    return $bare =~ /(?<![\w:])((?:hyper_derp|process)_\w+)(?![\w:])/g;
}

my $port = HyperDerp::Test::free_port();
HyperDerp::Test::spew("$dir/mesh.key", 'ab' x 32);
chmod 0600, "$dir/mesh.key";
# a member that is not there
# and no NATS either
my $nats = -e "$HyperDerp::Test::build/modules.d/mesh_nats.so";
my $hd = HyperDerp::Test->start(load_module => [qw(derp stun mesh metrics acme policy), $nats ? 'mesh_nats' : ()], conf => <<~"END");
    metrics: {port: $port}
    derp: {mesh_key: $dir/mesh.key}
    mesh: {members: [{name: "127.0.0.1:1", tls: false}]}
    policy: {default: allow}
    @{[ $nats ? 'mesh_nats: {server: "nats://127.0.0.1:1", name: localhost}' : '' ]}
    END
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'hello');
$bob->packet;
my %series = samples(get($port, '/metrics')->{body});
my %exported = map { s/\{.*//r => 1 } keys %series;
$exported{"hyper_derp_mesh_nats_$_"} //= 1 for $nats ? () : qw(away keys keys_published keys_elsewhere); # not built
cmp_ok scalar keys %exported, '>', 30, 'names that a relay exports';
my $plain = $rules =~ s/^ *#.*$//mgr =~ s/\{\{.*?\}\}//gr =~ s/^ +(?:summary|description|runbook|- record):.*$//mgr;
is_deeply [sort grep { !$exported{$_} } names($plain)], [], 'all names in the rules are among them';
is_deeply [sort grep { !$exported{$_} } map { names($_) } @exprs], [], '... and all in the dashboard';
my %recorded = map { $_ => 1 } $rules =~ /^ +- record: (\S+)$/mg;
is_deeply [grep { !$recorded{$_} } $plain =~ /\b(instance\w*:\w+:\w+)/g], [], 'what alerts look at is recorded';

# metrics.t looks at the tables of the core, derp and stun, hd.t at that of hd.
my $reference = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/reference/metrics.md");
for my $module (qw(mesh acme policy), $nats ? 'mesh_nats' : ()) {
    my ($part) = $reference =~ /^## Module $module\n(.*?)^## /ms;
    my %doc = map { $_ => 1 } $part =~ /^\| `(\w+)` \|/mg;
    my @are = grep { /^hyper_derp_${module}_/ && !($module eq 'mesh' && /_mesh_nats_/) }
        map { s/_(?:bucket|sum|count)\z//r } keys %exported;
    is_deeply [sort grep { !$doc{$_} } @are], [], "$module: doc/reference/metrics.md lists what there is";
}

# Labels that the rules and panels choose by or print.
my @reasons = map { /^hyper_derp_send_drops_total\{reason="(\w+)"/ } keys %series;
my %reason = map { $_ => 1 } @reasons;
is_deeply [grep { !$reason{$_} } $plain =~ /reason="(\w+)"/g], [], 'reasons of drops';
for my $label (qw(subject names)) {
    ok scalar(grep { /^hyper_derp_tls_certificate_expiry_seconds\{.*\b$label="/ } keys %series),
        "certificates have the label $label";
}

# ---- Prometheus itself ----

# promtool sees how an expression is written, not that two series of its result
# have the same labels. Prometheus asks the relay each second, then every panel
# asks Prometheus.
sub prometheus ($dir, $port, $relay) {
    HyperDerp::Test::spew("$dir/prometheus.yml", <<~"END");
        global: {scrape_interval: 1s, evaluation_interval: 1s}
        rule_files: [$contrib/prometheus/hyper-derp.rules.yaml]
        scrape_configs:
          - job_name: hyper-derp
            static_configs: [{targets: ["127.0.0.1:$relay"]}]
        END
    my $pid = fork // die "fork: $!";
    return $pid if $pid;
    open STDOUT, '>', "$dir/prometheus.log";
    open STDERR, '>&', \*STDOUT;
    exec 'prometheus', "--config.file=$dir/prometheus.yml", "--storage.tsdb.path=$dir/data",
        "--web.listen-address=127.0.0.1:$port" or POSIX::_exit(127);
}

subtest 'Prometheus' => sub {
    plan skip_all => 'prometheus is missing: apt-get install prometheus'
        if system('prometheus --version >/dev/null 2>&1');
    my $web = HyperDerp::Test::free_port();
    my $pid = prometheus($dir, $web, $port);
    my $query = sub ($expr) {
        my $r = get($web, '/api/v1/query?query=' . $expr =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger);
        return eval { HyperDerp::Metrics::json($r->{body}) } // { status => "no answer ($r->{status})" };
    };
    my ($numbers) = map { filled_in($_->{targets}[0]{expr}) } grep { $_->{title} eq 'Numbers of modules' } @panels;
    my $last;
    ok HyperDerp::Test::wait_for(sub {
        $last = $query->($numbers);
        return @{ $last->{data}{result} // [] } > 3 || $last->{error};
    }), 'the numbers of modules are there' or diag HyperDerp::Test::slurp("$dir/prometheus.log");
    my @names = map { $_->{metric}{name} // '' } @{ $last->{data}{result} // [] };
    ok scalar(grep { $_ eq 'hyper_derp_derp_upgrades_total' } @names), '... by their names';
    for my $expr (@exprs) {
        my $r = $query->(filled_in($expr));
        is $r->{status}, 'success', $expr =~ s/\s+/ /gr or diag $r->{error} // '';
    }
    my $rules = HyperDerp::Metrics::json(get($web, '/api/v1/rules')->{body});
    is_deeply [map { "$_->{name}: $_->{lastError}" } grep { $_->{lastError} } map { @{ $_->{rules} } } @{ $rules->{data}{groups} }],
        [], 'no rule fails';
    kill 'TERM', $pid;
    waitpid $pid, 0;
};
$_->quit for $alice, $bob;
$hd->finish;
done_testing;

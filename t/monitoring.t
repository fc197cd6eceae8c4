#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/monitoring.t - rules, alerts and dashboard of contrib/ fit what a running
# relay exports; each alert has a test of its own and says what to do.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Metrics;
use HyperDerp::Test;
use JSON::PP ();

my $contrib = "$HyperDerp::Test::srcdir/contrib";
my $rules = HyperDerp::Test::slurp("$contrib/prometheus/hyper-derp.rules.yaml");
my $tests = HyperDerp::Test::slurp("$contrib/prometheus/hyper-derp.test.yaml");
my $doc = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/alerts.md");
my $board = JSON::PP->new->utf8->decode(HyperDerp::Test::slurp("$contrib/grafana/hyper-derp.json"));

# ---- alerts ----

my @alerts = $rules =~ /^ +- alert: (\w+)$/mg;
cmp_ok scalar @alerts, '>', 10, 'alerts';
is_deeply [$doc =~ /^## (\w+)$/mg], \@alerts, 'doc/alerts.md: a section for each, in the same order';
is_deeply [$rules =~ /^ +runbook: (\S+)$/mg], [map { "doc/alerts.md#\L$_" } @alerts],
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
    ['Overview', 'Peers', 'Traffic', 'Drops by reason', 'Latency', 'Workers', 'TLS and certificates', 'Modules'],
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
my $as_rules = JSON::PP->new->canonical->encode({ groups => [{ name => 'dashboard', rules => [map {
    my $expr = $exprs[$_] =~ s/\$__(?:rate_)?interval\b/5m/gr =~ s/\$(?:job|instance)\b/.+/gr;
    { record => "panel:expr:$_", expr => $expr };
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
my $hd = HyperDerp::Test->start(load_module => [qw(derp stun metrics)],
    conf => "metrics: {port: $port}\n");
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->send($bob->key, 'hello');
$bob->packet;
my %series = samples(get($port, '/metrics')->{body});
my %exported = map { s/\{.*//r => 1 } keys %series;
cmp_ok scalar keys %exported, '>', 30, 'names that a relay exports';
my $plain = $rules =~ s/^ *#.*$//mgr =~ s/\{\{.*?\}\}//gr =~ s/^ +(?:summary|description|runbook|- record):.*$//mgr;
is_deeply [sort grep { !$exported{$_} } names($plain)], [], 'all names in the rules are among them';
is_deeply [sort grep { !$exported{$_} } map { names($_) } @exprs], [], '... and all in the dashboard';
my %recorded = map { $_ => 1 } $rules =~ /^ +- record: (\S+)$/mg;
is_deeply [grep { !$recorded{$_} } $plain =~ /\b(instance\w*:\w+:\w+)/g], [], 'what alerts look at is recorded';

# Labels that the rules and panels choose by or print.
my @reasons = map { /^hyper_derp_send_drops_total\{reason="(\w+)"/ } keys %series;
my %reason = map { $_ => 1 } @reasons;
is_deeply [grep { !$reason{$_} } $plain =~ /reason="(\w+)"/g], [], 'reasons of drops';
for my $label (qw(subject names)) {
    ok scalar(grep { /^hyper_derp_tls_certificate_expiry_seconds\{.*\b$label="/ } keys %series),
        "certificates have the label $label";
}
$_->quit for $alice, $bob;
$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/acme-loops.t - a server, or a clock, that is wrong never makes the relay
# ask again and again without waiting.
use v5.36;
use Test::More;
use FindBin;
use IPC::Open2;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Metrics;
use HyperDerp::Test;

plan skip_all => 'the relay was built without libcurl'
    unless HyperDerp::Test::slurp("$HyperDerp::Test::build/config.h") =~ /^#define HAVE_CURL 1/m;

my $hd = HyperDerp::Test->new(load_module => [qw(derp acme)]);
my $pid = open2(my $from, my $to, '/usr/bin/python3', '-B', "$FindBin::Bin/../lib/acme_liar.py", $hd->{dir});
HyperDerp::Children::keep($pid);
my ($port) = (<$from> // '') =~ /(\d+)/ or BAIL_OUT('the server does not start');
my $listen = qq({addr: "127.0.0.1:$hd->{tls}", tls: true}, {addr: "127.0.0.1:$hd->{plain}"});

sub configure ($hosts) {
    $hd->{yaml} = <<~"END";
        listen: [$listen]
        load_module: [derp, acme]
        module_path: [$HyperDerp::Test::build/modules.d]
        state_dir: $hd->{dir}
        log: {level: info}
        control: {socket: $hd->{dir}/control.sock}
        acme: {hosts: $hosts, directory: "http://127.0.0.1:$port/directory", retry: 1h}
        END
    return $hd->write_conf;
}

sub asked ($path) {
    return HyperDerp::Test::whole_lines("$hd->{dir}/asked") =~ m{^(\S+) \Q$path\E\n}mg;
}
sub status () { return HyperDerp::Metrics::json($hd->ctl('--json', 'acme', 'status')) }

configure('[a.example]');
$hd->run->ready or BAIL_OUT($hd->log_text);

ok $hd->log_like(qr/warn acme: no certificate: .*URL/), "an order's URL that is none" or diag $hd->log_text;
$hd->ctl(qw(acme renew));

# 250, 500, 1000, 2000 ms
ok HyperDerp::Test::wait_for(sub { asked('/certificate') >= 1 }, 120), 'an order that stays "ready" is gone on with'
    or diag $hd->log_text;
my @at = asked('/finalize');
cmp_ok $at[5] - $at[1], '>=', 3, '... and is not asked about without waiting';

ok HyperDerp::Test::wait_for(sub {
    $hd->log_text =~ /warn acme: the certificate was renewed soon after it had come: is the clock right\?/ }, 120),
    'a certificate that is due as soon as it comes' or diag $hd->log_text;
my $said = status();
cmp_ok $said->{tried_again_in}, '>', 3000, '... has the next one wait';
is $said->{doing}, 'waiting', '... and nothing is done meanwhile';
is scalar(() = asked('/new-order')), 3, '... after the one that the server wanted';

configure('[]');
$hd->ctl('reload');
like $hd->ctl(qw(acme renew)), qr/`acme.hosts` is empty/, 'hdctl acme renew without hosts says so';
$hd->finish;
done_testing;

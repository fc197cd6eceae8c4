#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/setup-acme.t - hdctl setup --acme with a real authority: one that
# refuses is no success, and what is temporary is given to nobody. In a network
# of its own, where port 80 is free.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Pebble;
use HyperDerp::Test;
use JSON::PP qw(decode_json);

plan skip_all => 'the relay was built without libcurl'
    unless HyperDerp::Test::slurp("$HyperDerp::Test::build/config.h") =~ /^#define HAVE_CURL 1/m;
plan skip_all => 'a network of its own needs root and ip' if system 'unshare -n ip link set lo up >/dev/null 2>&1';
plan skip_all => 'pebble could not be built: it needs Go 1.26 and its module proxy' unless HyperDerp::Pebble::program();
if (!$ENV{HD_SETUP_ACME}) {
    local $ENV{HD_SETUP_ACME} = 1;
    exec qw(unshare -n sh -c), 'ip link set lo up && exec "$@"', 'sh', $^X, $0;
}

my ($port, $stun) = (HyperDerp::Test::free_port(), HyperDerp::Test::free_port(Socket::SOCK_DGRAM));
my $ca = HyperDerp::Pebble->start(http => 80, tls => $port, conf => { domainBlocklist => ['blocked.example'],
    profiles => { map { $_ => { description => $_, validityPeriod => 518400 } } qw(default shortlived) } });
my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1);
$hd->{file} = "$hd->{dir}/setup.yaml";
$hd->{log}  = "$hd->{dir}/log";
my $backend = $ENV{HD_EVENT_BACKEND} // 'auto';
HyperDerp::Test::spew($hd->{file}, <<~"END");
    module_path: [$HyperDerp::Test::build/modules.d]
    state_dir: $hd->{dir}
    workers: 1
    event_backend: $backend
    control: {socket: $hd->{dir}/control.sock}
    stun: {listen: "127.0.0.1:$stun"}
    acme: {directory: "@{[$ca->url]}", ca_file: $ca->{crt}, retry: 1h}
    END
$ENV{SSL_CERT_FILE} = $ca->root;    # hdprobe trusts it

sub setup (@words) {
    my $said = qx($HyperDerp::Test::build/hdctl setup -c $hd->{file} --yes @words 2>&1 </dev/null);
    unlike $said, qr/Sanitizer|runtime error:/, 'no sanitizer report';
    return ($? >> 8, $said);
}

sub derpmap (@words) {
    my $text = $hd->ctl('derpmap', @words);
    my $remarks = join '', $text =~ /^hdctl: .*\n/mg;
    return (decode_json($text =~ s/^hdctl: .*\n//mgr)->{derpMap}{Regions}{900}{Nodes}[0], $remarks);
}

my @blocked = ('--host', 'blocked.example', '--acme', '--accept-tos', '--port', $port);
my ($code, $said) = setup(@blocked, '--no-start');
plan skip_all => 'without acme' if $said =~ /acme is not installed/;
is $code, 0, 'it is written' or diag $said;
my $doctor = "$HyperDerp::Test::build/hdctl doctor -c $hd->{file}";
like $said, qr/^ok    certificate   acme gets it once the relay runs, for blocked\.example$/m, 'before the first start' or diag $said;
unlike $said, qr/self-signed/, '... nothing of a certificate that the relay makes';
$hd->run;
ok $hd->ready($port), 'the relay starts' or BAIL_OUT($hd->log_text);

subtest 'an authority that refuses' => sub {
    ($code, $said) = setup(@blocked);
    is $code, 1, 'exit 1' or diag $said;
    like $said, qr/^no certificate, and it is tried again later: .*blocked\.example/m, 'its reason';
    like $said, qr/^usual reasons: blocked\.example does not lead here \(DNS\), or TCP 80 and $port are closed/m, '... and those it may have';
    like $said, qr/^firewall: open TCP $port and 80, UDP $stun$/m, 'the ports';
    like $said, qr/the relay runs, but has no certificate yet, .*run hdctl setup again.*\Z/, 'what to do is said last';
    unlike $said, qr/HostName|sha256-raw|certname/i, 'no entry, and no pin';
    ($code, $said) = setup();
    is $code, 1, 'again, without words' or diag $said;
    like $said, qr/nothing to change.*no certificate, and it is tried/s, '... the same';
    $said = qx($doctor 2>&1);
    like $said, qr/^warn  certificate   there is none yet, and clients refuse the temporary one: .*blocked\.example.*\n +-> hdctl acme status/m,
        'hdctl doctor says so, too' or diag $said;
    unlike $said, qr/^\S+ +certificate .*serves it/m, '... and counts no days of the temporary one';
    my @failures = $hd->log_text =~ /acme: no certificate: /g;
    cmp_ok scalar @failures, '>=', 2, 'the authority was asked once more';
};

subtest 'hdctl derpmap' => sub {
    my ($node, $remarks) = derpmap();
    is $node->{HostName}, 'blocked.example', 'the name that there will be a certificate for';
    is $node->{CertName}, undef, '... and not the pin of the temporary one';
    like $remarks, qr/temporary certificate only.*hdctl acme status/, 'it is said';
    unlike $remarks, qr/pinned: after each renewal/, '... and nothing of a pin';
    ($node) = derpmap('--host', 'localhost');
    like $node->{CertName}, qr/^sha256-raw:/, 'a certificate for a name that acme is not asked for is pinned';
    (undef, $remarks) = derpmap('--port', 443);
    is $remarks, '', '--port: the certificate is that of a proxy';
};

subtest 'a name that it accepts' => sub {
    ($code, $said) = setup('--host', '127.0.0.1', '--acme', '--accept-tos');
    is $code, 0, 'set up, though the attempt before has failed' or diag $said, $hd->log_text;
    like $said, qr/^ok +cert-chain /m, 'hdprobe saw the certificate';
    like $said, qr/"HostName": "127\.0\.0\.1"/, 'the entries';
    unlike $said, qr/sha256-raw|no certificate/, '... without a pin';
    my (undef, $remarks) = derpmap();
    unlike $remarks, qr/temporary/, 'hdctl derpmap has no doubt';
    $said = qx($doctor 2>&1);
    like $said, qr/^ok    certificate   acme has it, for 127\.0\.0\.1\nok    certificate   the relay serves it with [56] days left$/m,
        "hdctl doctor's two lines" or diag $said;
};

$hd->finish;
like qx($doctor 2>&1), qr{^ok    certificate   \Q$hd->{dir}\E/acme\.certificate: acme renews it while the relay runs$}m,
    'a relay that is stopped';
done_testing;

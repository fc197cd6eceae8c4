#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/acme.t - certificates by themselves, from a real ACME server: what is
# served before, after and while one is fetched; what fails, and what survives.
use v5.36;
use Test::More;
use FindBin;
use IO::Select;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Metrics;
use HyperDerp::Pebble;
use HyperDerp::Test;
use JSON::PP ();

plan skip_all => 'the relay was built without libcurl'
    unless HyperDerp::Test::slurp("$HyperDerp::Test::build/config.h") =~ /^#define HAVE_CURL 1/m;

my ($web, $relay_tls) = map { HyperDerp::Test::free_port() } 1 .. 2;
my $port_80 = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $web, Listen => 16, ReuseAddr => 1)
    or die "port 80: $@";
my %profiles = (default => { description => 'd', validityPeriod => 7776000 },
    shortlived => { description => 's', validityPeriod => 518400 });
my $ca = HyperDerp::Pebble->start(http => $web, tls => $relay_tls,
    conf => { profiles => \%profiles, domainBlocklist => ['blocked.example'] },
    env => { PEBBLE_WFE_NONCEREJECT => 30 })
    or plan skip_all => 'pebble could not be built: it needs Go 1.26 and its module proxy';

# TLS on two ports: one for clients, and one for challenges alone.
my $hd = HyperDerp::Test->new(load_module => [qw(derp acme)], tls_only => $relay_tls);
my %section = (hosts => '[a.example, B.example, 127.0.0.1]', directory => qq("@{[$ca->url]}"),
    ca_file => $ca->{crt}, accept_tos => 'false', profile => 'shortlived', retry => '1s',
    challenges => '[http-01, tls-alpn-01]', email => 'a@example.net');

sub configure (%change) {
    %section = (%section, %change);
    my $acme = join ', ', map { "$_: $section{$_}" } grep { defined $section{$_} } sort keys %section;
    my $backend = $ENV{HD_EVENT_BACKEND} // 'auto';
    $hd->{yaml} = <<~"END";
        listen: [{addr: "127.0.0.1:$hd->{tls}", tls: true},
                 {addr: "127.0.0.1:$relay_tls", tls: true, only: [acme]},
                 {addr: "127.0.0.1:$hd->{plain}", only: [acme]}]
        workers: 2
        event_backend: $backend
        load_module: [derp, acme]
        module_path: [$HyperDerp::Test::build/modules.d]
        state_dir: $hd->{dir}
        log: {level: info}
        control: {socket: $hd->{dir}/control.sock}
        acme: {$acme}
        END
    return $hd->write_conf;
}

sub reload (%change) {
    configure(%change);
    like $hd->ctl('reload'), qr/^ok/, "reload: @{[map { $_ // 'none' } %change]}";
    return;
}

# Port 80 of the relay's names. Returns a connection of a validator.
sub validator ($seconds = 60) {
    IO::Select->new($port_80)->can_read($seconds) or return;
    return $port_80->accept;
}

my $visits = 0;

sub serve_web () {
    while (my $from = validator(0)) { pass_on($from); $visits++ }
    return;
}

# The validator sees the relay, which runs.
sub pass_on ($from) {
    my $to = $hd->socket or die 'the relay does not listen';
    my $request = '';
    while ($request !~ /\r\n\r\n/) { sysread $from, $request, 4096, length $request or last }
    syswrite $to, $request =~ s/\r\n\r\n/\r\nConnection: close\r\n\r\n/r;
    while (sysread $to, my $bytes, 4096) { syswrite $from, $bytes }
    return $request;
}

# What clients are shown for a name: all that s_client says, and its certificate.
sub shown ($name = 'a.example', $port = $hd->{tls}, @more) {
    my $said = qx(openssl s_client -connect 127.0.0.1:$port -servername $name -CAfile $ca->{root} \\
        -verify_hostname $name @more </dev/null 2>&1);
    return $said;
}

sub serial ($said) {
    my $file = HyperDerp::Test::spew("$hd->{dir}/shown.pem", $said =~ /(-----BEGIN CERT.*?END CERT[^\n]*\n)/s ? $1 : '');
    return qx(openssl x509 -in $file -noout -serial 2>/dev/null);
}

sub is_good ($what, @args) {
    ok HyperDerp::Test::wait_for(sub { shown(@args) =~ /Verify return code: 0 \(ok\)/ }), $what
        or diag shown(@args);
    return;
}

# A moment after the log says so.
sub another_than ($serial, $what) {
    ok HyperDerp::Test::wait_for(sub { (serial(shown()) || $serial) ne $serial }), $what;
    return;
}

sub state_of ($name) { return HyperDerp::Metrics::json(HyperDerp::Test::slurp("$hd->{dir}/acme.$name")) }
sub status () { return HyperDerp::Metrics::json($hd->ctl('--json', 'acme', 'status')) }
sub said_times ($re) { my @n = $hd->log_text =~ /$re/g; return scalar @n }

# Until the log has it once more than before.
sub once_more ($re, $do, $what) {
    my $n = said_times($re);
    $do->();
    ok HyperDerp::Test::wait_for(sub { serve_web(); said_times($re) > $n }, 60), $what
        or diag $hd->log_text, $ca->log;
    return;
}
my $renewed = qr/notice acme: new certificate: /;

# ---- the first one

configure();
$hd->run;
ok $hd->ready, 'it starts without a certificate' or BAIL_OUT($hd->log_text);
ok $hd->log_like(qr/notice acme: no certificate yet: until it is there, TLS listeners serve/), 'it says so';
like shown(), qr/self-signed certificate/, 'a self-signed one stands in';
ok $hd->log_like(qr/the server has terms of service, data:.*: read them and set `accept_tos: true`/),
    'the terms of service must be accepted';
unlike $ca->log, qr/new-order|POST/i, 'nobody was asked for anything before';

configure(accept_tos => 'true');
once_more(qr/ account=\S+ \(new\)/, sub { $hd->ctl('reload') }, 'who mends the configuration does not wait');
my $held = validator() or BAIL_OUT($hd->log_text . $ca->log);
$hd->stop('KILL');
$hd->ports_free;
$hd->run->ready or BAIL_OUT($hd->log_text);
my $asked = pass_on($held);
like $asked, qr{^GET /\.well-known/acme-challenge/\S+ HTTP/1\.1\r\n}, 'HTTP-01';
close $held;
once_more($renewed, sub { }, 'killed in the middle, it goes on');
# Unless Pebble has given that one up, which it does after 15 s.
my ($orders, $lost) = map { scalar(() = $ca->log =~ /$_/g) } qr/Added order/, qr/order \S+ set INVALID/;
is $orders, 1 + $lost, '... with the same order' or diag $hd->log_text, $ca->log;
is said_times(qr/ account=/), 1, '... and account';
like $hd->log_text, qr/new certificate: host=a\.example and others days=6\.0\b/, '... of six days';
is_good 'every client gets it', $_ for qw(a.example b.example);
is_good '... also on the listener for challenges', 'a.example', $relay_tls;
like shown('x', $hd->{tls}, '-verify_ip', '127.0.0.1'), qr/Verify return code/, 'and it is for the address';
my $first = shown();
is sprintf('%o', (stat "$hd->{dir}/acme.$_")[2] & 07777), '600', "acme.$_ is for the relay alone"
    for qw(account order certificate);
my $info = HyperDerp::Metrics::json($hd->ctl('--json', 'relay', 'info'))->{certificate};
ok !$info->{self_signed}, 'hdctl relay info: it is not self-signed';
is_deeply [sort @{ $info->{names} }], [qw(a.example b.example)], '... and has the names';
my $said = status();
is $said->{certificate}, 1, 'hdctl acme status: there is one';
cmp_ok $said->{days_left}, '>', 5, '... for days';
is $said->{failures}, 0, '... after no failure';

# ---- renewal

my $alice = $hd->client;
my $bob = $hd->client;
reload(challenges => '[tls-alpn-01]');
once_more($renewed, sub { is $hd->ctl('acme', 'renew'), "ok\n", 'hdctl acme renew' }, 'TLS-ALPN-01');
another_than(serial($first), 'another one is served');
is_good 'it is good, too';
SKIP: {
    # DER puts 0 before them; Pebble 2.8 looks for the serial without it, and answers 500
    skip 'Pebble finds no serial number that begins with 8 to F', 1 if serial($first) =~ /^serial=[89A-F]/;
    like $ca->log, qr/ARI: order "\S+" is a replacement of/, 'the server is told which one it replaces';
}
$alice->send($bob->key, 'still here');
is $bob->packet, 'still here', 'connections stay';
like shown('a.example', $relay_tls, '-alpn acme-tls/1'), qr/ALPN protocol: acme-tls\/1/,
    'acme-tls/1 without a challenge';
SKIP: {
    skip 'acme is built in', 2 unless -e "$HyperDerp::Test::build/modules.d/acme.so";
    my $before = serial(shown());
    like $hd->ctl('module', 'reload', 'acme'), qr/^ok/, 'new code';
    is serial(shown()), $before, '... serves the certificate that was there';
}

# ---- failures

my $good = serial(shown());
reload(hosts => '[blocked.example]');
ok $hd->log_like(qr/warn acme: no certificate: order: .*\(rejectedIdentifier\) \(tried again in \d+ s; the one before is served/),
    'a name that the server refuses';
reload(hosts => '[bad.example]');
once_more(qr/no certificate: the server refuses: .*bad\.example/, sub { }, 'a name that leads nowhere');
like status()->{error}, qr/^the server refuses: /, 'hdctl acme status has the reason';
cmp_ok status()->{failures}, '>=', 1, '... and how often';
is serial(shown()), $good, 'the old one is served';
reload(hosts => '[a.example, b.example, 127.0.0.1]', profile => 'nosuch');
ok $hd->log_like(qr/the server has no profile `nosuch`; it has: (?:default, shortlived|shortlived, default) /),
    'a profile that the server does not have';
is serial(shown()), $good, 'the old one is served';

# ---- after a restart: what the server says about renewal

$hd->stop;
configure(profile => 'shortlived', hosts => '[a.example, B.example, 127.0.0.1]', challenges => '[http-01, tls-alpn-01]');
$visits = 0;
$ca->wants_renewed(state_of('certificate')->{pem} =~ s/.*?(?=-----BEGIN CERT)//sr);
once_more($renewed, sub { $hd->run->ready }, 'the server wants it renewed (RFC 9773)');
is $visits, 0, 'by the challenge that went well last time';
another_than($good, 'another one is served');

# ---- another server: it wants an account that it knows

my $other = HyperDerp::Pebble->start(http => $web, tls => $relay_tls, conf => {
    externalAccountBindingRequired => JSON::PP::true(),
    externalAccountMACKeys => { 'kid-1' => 'zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W' } });
my $key = HyperDerp::Test::spew("$hd->{dir}/eab", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W\n");
chmod 0600, $key;
reload(directory => qq("@{[$other->url]}"), ca_file => $other->{crt}, hosts => '[a.example]', profile => undef);
ok $hd->log_like(qr/wants an account that it knows already: set `eab_kid` and `eab_key_file`/), 'it says what is missing';
configure(eab_kid => 'kid-1', eab_key_file => $key);
once_more($renewed, sub { $hd->ctl('reload') }, 'with the key of that account');
$ca = $other;
is_good 'the certificate of the other server is served';
isnt state_of('account')->{key}, undef, 'a key for it';

$hd->finish;
# of each of its lives; what is 0 is not listed
is $hd->metric('hyper_derp_acme_renewals_total'), said_times($renewed), 'certificates are counted';

# ---- what is wrong in the configuration

for ([{ hosts => '["*.example"]' }, qr/:\d+: module acme: `\*\.example`: names with \* need DNS challenges/],
    [{ hosts => '[a_b]' }, qr/`a_b` is neither a host name nor an address/],
    [{ hosts => '[a, A]' }, qr/`A` is there twice/],
    [{ directory => '"ftp://x"' }, qr/`directory`: /],
    [{ eab_key_file => undef }, qr/`eab_kid` and `eab_key_file` go together/]) {
    my ($change, $want) = @$_;
    my %good = %section;
    configure(%$change);
    %section = %good;
    like qx($HyperDerp::Test::build/hyper-derp -t --config $hd->{file} 2>&1), $want, "-t: $want";
}
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/cert-hook.t - contrib/acme/hyper-derp-cert gives a running relay a
# new certificate: connections stay, and what does not fit changes nothing.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $hook = "$HyperDerp::Test::srcdir/contrib/acme/hyper-derp-cert";
my $etc  = File::Temp->newdir('hd-etc-XXXXXX', TMPDIR => 1);
my $new  = File::Temp->newdir('hd-acme-XXXXXX', TMPDIR => 1);
my ($first_crt, $first_key) = HyperDerp::Test::certificate($new, 'first');

sub cert_hook ($env, @args) {
    local @ENV{keys %$env} = values %$env;
    local $ENV{HD_TLS_DIR} = "$etc";
    open my $f, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'sh', $hook, @args or die "$hook: $!";
    local $/;
    my $out = <$f> // '';
    close $f;
    $? >>= 8;
    return $out;
}

like cert_hook({}, $_), qr/^usage: hyper-derp-cert CERT KEY \[NAME\]/, "$_" for '--help', '-h';
is $?, 0, '... and no failure';
cert_hook({}, 'only-one');
is $?, 2, 'wrong usage is one';

my $no_relay = "$HyperDerp::Test::build/hdctl --socket $new/none.sock";
like cert_hook({ HDCTL => $no_relay }, $first_crt, $first_key, 'relay'), qr/no relay is running/,
    'without a relay: for its next start';
is $?, 0, '... and no failure';
ok -s "$etc/relay.$_", "relay.$_ is there" for qw(crt key);
is sprintf('%o', (stat "$etc/relay.key")[2] & 07777), '640', 'nobody else may read the key';

my $hd = HyperDerp::Test->new;
$hd->{$_} = "$etc/relay.$_" for qw(crt key);
$hd->write_conf;
$hd->run->ready or BAIL_OUT($hd->log_text);
my ($alice, $bob) = map { $hd->client } 1 .. 2;
my $hdctl = "$HyperDerp::Test::build/hdctl --socket " . $hd->control;

sub served () {
    my $port = $hd->port;
    return qx(openssl s_client -connect 127.0.0.1:$port </dev/null 2>/dev/null | openssl x509 -noout -fingerprint);
}

sub fingerprint ($crt) { return qx(openssl x509 -in '$crt' -noout -fingerprint) }

sub connected ($when) {
    $alice->send($bob->key, $when);
    is $bob->packet, $when, "$when: connections stay";
}

is served(), fingerprint($first_crt), 'the relay serves it';
my ($crt, $key) = HyperDerp::Test::certificate($new, 'second', 'relay');
is cert_hook({ HDCTL => $hdctl }, $crt, $key), '', 'another certificate, named by itself';
is served(), fingerprint($crt), '... is served';
connected('renewed');

($crt, $key) = HyperDerp::Test::certificate($new, 'third', 'relay');
mkdir "$new/lineage";
rename $crt, "$new/lineage/fullchain.pem";
rename $key, "$new/lineage/privkey.pem";
is cert_hook({ HDCTL => $hdctl, RENEWED_LINEAGE => "$new/lineage" }), '', "as certbot's hook";
is served(), fingerprint("$new/lineage/fullchain.pem"), '... is served';

my $before = served();
like cert_hook({ HDCTL => $hdctl }, "$new/lineage/fullchain.pem", $first_key, 'relay'),
    qr/is not the key of/, 'a key of another certificate';
is $?, 1, '... is refused';
like cert_hook({ HDCTL => $hdctl }, $hook, $first_key, 'relay'), qr/not a certificate in PEM/, 'a file that is none';
HyperDerp::Test::spew($hd->{file}, $hd->yaml . "nonsense: 1\n");
like cert_hook({ HDCTL => $hdctl }, $first_crt, $first_key, 'relay'),
    qr/the relay refused: .*nonsense/, 'a relay that cannot reload says why';
is fingerprint("$etc/relay.crt"), $before, '... and the files before are back';
is served(), $before, 'the relay serves what it served';
is_deeply [sort map { s/.*\///r } glob "$etc/*"], [qw(relay.crt relay.key)], 'no file is left behind';
connected('refused');
like cert_hook({}), qr/hyper-derp-cert CERT KEY/, 'without anything: how it is used';
is $?, 2, '... exit status 2';

$hd->finish;
done_testing;

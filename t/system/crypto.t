#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/crypto.t - who encrypts TLS records: the option, and what says so.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::SClient;
use HyperDerp::Test;
use JSON::PP qw(decode_json);

my $build = $HyperDerp::Test::build;
my ($auto, $why) = qx($build/hyper-derp -V) =~ /^TLS records   (\S+)(.*)/m;

ok defined $auto, '-V says who encrypts here: ' . ($auto // 'no line');
note "$auto$why";

my @suites = qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256);

# Packets through the relay, and a request with each suite past a KeyUpdate.
sub serves ($hd) {
    my ($one, $two) = ($hd->client, $hd->client);
    $one->send($two->key, 'hello');
    is $two->packet, 'hello', '... a packet';
    for my $suite (@suites) {
        my $c = HyperDerp::SClient->new($hd->{tls}, '-tls1_3', '-ciphersuites', $suite);
        $c->connected;
        my $login = HyperDerp::Raw::logins($hd);
        $c->say($login->{head} . $login->{info});
        ok $c->expect(qr/\x03\0\0\0\x35/), "... $suite: a login";
        $c->mark;
        $c->say("K\n");
        $c->expect(qr/KEYUPDATE/);
        ok ping($c), '... also past a KeyUpdate';
        $c->end;
    }
    return;
}

sub ping ($c) {
    $c->mark;
    $c->say("\x12\0\0\0\x08abcdefgh");
    return $c->expect(qr/\x13\0\0\0\x08abcdefgh/);
}

my @mb = map { "ipsec-mb$_" } '', qw(-avx2 -sse);
for my $want ('auto', 'openssl', $auto eq 'ipsec-mb' ? @mb : ()) {
    subtest "crypto: $want" => sub {
        my $hd  = HyperDerp::Test->start(conf => "tls: {crypto: $want}\n");
        my $got = $want eq 'auto' ? $auto : $want =~ s/-(avx2|sse)$//r;
        like $hd->log_text, qr/notice TLS records: crypto="\Q$got\E/, "the log: $got";
        like $hd->log_text, qr/crypto="ipsec-mb [\d.]+ \($1\)"/, "... its code: $1" if $want =~ /-(avx2|sse)$/;
        my $by = $want eq 'openssl' ? 'openssl' : 'own';
        like $hd->log_text, qr/notice TLS records: .* key_schedule=$by$/m, "... secrets: $by";
        like decode_json($hd->ctl(qw(--json status)))->{crypto}, qr/^\Q$got\E/, 'hdctl status';
        serves($hd);
        $hd->finish;
    };
}

subtest 'ipsec-mb where it cannot be had' => sub {
    plan skip_all => "it is here$why" if $auto eq 'ipsec-mb';
    my $hd = HyperDerp::Test->new(conf => "tls: {crypto: ipsec-mb}\n")->run;
    isnt $hd->wait_exit, 0, 'the relay does not start';
    my $says = qr/tls: \{crypto: ipsec-mb\}: .*libipsec-mb.*auto/;
    like $hd->log_text, qr/error $says/, '... and says why';
    like qx{$build/hyper-derp -t --config $hd->{file} 2>&1}, $says, '... and a check says it before';
    isnt $?, 0, '... with a status';
};
done_testing;

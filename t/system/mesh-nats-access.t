#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-nats-access.t - ways to get into NATS: users, tokens, nkeys,
# accounts, credentials, TLS; and who is refused says why.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Directory qw(begin configure directory is_state relay secret_file);
use HyperDerp::Nats;
use HyperDerp::NatsJwt;
use HyperDerp::Test;

my $lacks = HyperDerp::Nats::lacks();
plan skip_all => $lacks if $lacks;

my $dir = File::Temp->newdir;

# Until it says why it is not let in.
sub is_refused ($hd, $re, $name) {
    return ok(HyperDerp::Test::wait_for(sub { (directory($hd)->{error} // '') =~ $re }, 60), $name)
        || diag explain directory($hd), $hd->log_text;
}

# As in the documentation of NATS; not a secret.
my $seed = 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY';
my $public = 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4';

subtest 'users, tokens, nkeys' => sub {
    my %case = (
        'user and password' => ['authorization { user: relay, password: "s3cret" }',
            sub ($hd) { 'user: relay, password: ' . secret_file($hd, 'password', 's3cret') }],
        'token' => ['authorization { token: "t0ken" }', sub ($hd) { 'token: ' . secret_file($hd, 'token', 't0ken') }],
        'nkey'  => ["authorization { users: [{nkey: $public}] }", sub ($hd) { 'nkey: ' . secret_file($hd, 'nkey', $seed) }],
    );
    my $wrong = relay('nats://127.0.0.1:1');
    begin($wrong);
    for my $name (sort keys %case) {
        my ($conf, $more) = @{ $case{$name} };
        my $nats = HyperDerp::Nats->start(conf => "$conf\n");
        my $hd = relay($nats->url);
        configure($hd, $nats->url, more => join "\n  ", split /, /, $more->($hd));
        begin($hd);
        is_state $hd, 'connected', $name;
        $hd->finish;
    }
    ok HyperDerp::Test::wait_for(sub { (directory($wrong)->{error} // '') =~ /127\.0\.0\.1:1/ }), 'no server: it says so'
        or diag explain directory($wrong);
    $wrong->finish;

    my $hd = relay('nats://127.0.0.1:1');
    $hd->{conf} = "mesh_nats: {name: a.example.com, server: 'nats://a:s3cret\@127.0.0.1'}\n";
    $hd->write_conf;
    my $said = qx($HyperDerp::Test::build/hyper-derp -t --config $hd->{file} 2>&1);
    like $said, qr/:\d+: module mesh_nats: server is logged and shown/, '-t: a password in server';
    unlike $said, qr/s3cret/, '... which is not said again';
    for (['name: "a.example.com:x"', 'name: `a.example.com:x` is no host'], ['name: a.example.com, dial: "b c"', 'dial: `b c`']) {
        $hd->{conf} = "mesh_nats: {$_->[0]}\n";
        $hd->write_conf;
        like qx($HyperDerp::Test::build/hyper-derp -t --config $hd->{file} 2>&1), qr/:\d+: .*mesh_nats\.\Q$_->[1]\E/, "-t: $_->[0]";
    }
    for (['user: a', qr/user and password go together/], ['region: "a.b"', qr/region: `a\.b`/],
        ['relays: ["*.example.com"]', qr/mesh_nats\.relays does not have this relay's own name/]) {
        configure($hd, 'nats://127.0.0.1:1', more => $_->[0]);
        like qx($HyperDerp::Test::build/hyper-derp -t --config $hd->{file} 2>&1), $_->[1], "-t: $_->[0]";
    }
};


# As large sites have it: an account for relays, and users by JWT.
subtest 'accounts' => sub {
    my $nats = HyperDerp::Nats->start(conf => <<~'END');
        accounts {
            RELAYS: {jetstream: enabled, users: [{user: relay, password: s3cret}]}
            OTHERS: {users: [{user: other, password: s3cret}]}
        }
        END
    my %word = (relay => 's3cret', other => 's3cret', nobody => 'guess');
    my %hd = map {
        my $hd = relay($nats->url);
        $_ => configure($hd, $nats->url, more => "user: $_\n  password: " . secret_file($hd, 'password', $word{$_}));
    } keys %word;
    begin(values %hd);
    is_state $hd{relay}, 'connected', 'a user of the account with JetStream';
    is_refused $hd{other}, qr/bucket derp_keys.*JetStream not enabled for account/i, 'another account has none: it says so';
    is_refused $hd{nobody}, qr/Authorization|not authorized/i, 'another password: it says so';
    $_->finish for values %hd;

    my ($conf, $creds) = HyperDerp::NatsJwt::region("$dir");
    my ($other, $strange) = HyperDerp::NatsJwt::region("$dir");
    $nats = HyperDerp::Nats->start(conf => $conf);
    my ($one, $two) = (relay($nats->url), relay($nats->url));
    configure($one, $nats->url, more => 'creds: ' . secret_file($one, 'creds', $creds));
    configure($two, $nats->url, more => 'creds: ' . secret_file($two, 'creds', $strange));
    begin($one, $two);
    is_state $one, 'connected', 'a file of credentials';
    is_refused $two, qr/Authorization|not authorized/i, "another operator's are refused";
    is directory($two)->{state}, 'away', '... and nothing is had there';
    $nats->stop('KILL');
    is_state $one, 'away', 'the server is gone';
    $nats->run;
    is_state $one, 'connected', '... and they are good for a second time';
    $_->finish for $one, $two;
};

subtest 'TLS' => sub {
    my ($crt, $key) = HyperDerp::Test::certificate($dir, 'server');
    my ($own, $own_key) = HyperDerp::Test::certificate($dir, 'client');
    my ($elsewhere, $elsewhere_key) = HyperDerp::Test::certificate($dir, 'elsewhere', 'nats.example.com');
    my $nats = HyperDerp::Nats->start(conf => qq(tls { cert_file: "$crt", key_file: "$key" }\n));
    my $url = "tls://localhost:$nats->{port}";
    my $strict = HyperDerp::Nats->start(conf =>
        qq(tls { cert_file: "$crt", key_file: "$key", ca_file: "$own", verify: true }\n));
    my $other = HyperDerp::Nats->start(conf => qq(tls { cert_file: "$elsewhere", key_file: "$elsewhere_key" }\n));
    my $plain = HyperDerp::Nats->start;
    my $at = sub ($server, @more) { configure(relay($url), $server, more => join "\n  ", @more) };
    my $strict_url = "tls://localhost:$strict->{port}";
    my %hd = (
        right     => $at->($url, "tlsca: $crt"),
        nats      => $at->("nats://localhost:$nats->{port}", "tlsca: $crt"),
        unknown   => $at->($url),
        elsewhere => $at->("tls://localhost:$other->{port}", "tlsca: $elsewhere"),
        none      => $at->("tls://localhost:$plain->{port}", "tlsca: $crt"),
        own       => $at->($strict_url, "tlsca: $crt", "tlscert: $own", "tlskey: $own_key"),
        without   => $at->($strict_url, "tlsca: $crt"),
    );
    begin(values %hd);
    is_state $hd{right}, 'connected', 'tls:// and the CA';
    is_state $hd{nats}, 'connected', 'nats:// and the CA: TLS, too';
    is_state $hd{own}, 'connected', 'a server that wants a certificate of ours';
    is_refused $hd{unknown}, qr/certificate verify failed|self.signed/i, 'a CA that nobody knows';
    is_refused $hd{elsewhere}, qr/verify failed|hostname|host name/i, 'a certificate for another name';
    is_refused $hd{none}, qr/secure|TLS/i, 'a server without TLS';
    is_refused $hd{without}, qr/TLS|SSL|certificate|PONG|closed/i, 'without a certificate of ours';
    isnt directory($hd{$_})->{state}, 'connected', "... $_: it is away" for qw(unknown elsewhere none without);
    $_->finish for values %hd;
};

done_testing;

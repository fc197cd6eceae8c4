#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/tls.t - TLS as others speak it: versions, suites, names, KeyUpdate,
# ends, broken records; and certificates that are not.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::SClient;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::IP;
use JSON::PP qw(decode_json);

use constant { PING => "\x12\0\0\0\x08", PONG => qr/\x13\0\0\0\x08/ };

my $hd = HyperDerp::Test->start(conf => "login_timeout: 30s\n");
my @logins = HyperDerp::Raw::logins($hd, 40);
my $no_rekey = 'the kernel does the records and cannot rekey: t/vm/ktls.t';
my ($alice, $bob) = ($hd->client, $hd->client(plain => 1));

sub unharmed ($why) {
    $alice->send($bob->key, $why);
    is $bob->packet, $why, "$why: others are not harmed";
}

sub s_client (@args) {
    my $c = HyperDerp::SClient->new($hd->{tls}, @args);
    $c->connected;
    return $c;
}

# Logs in through s_client. Returns true once the relay answers.
sub login ($c, $login = shift @logins) {
    $c->say($login->{head} . $login->{info});
    return $c->expect(qr/\x03\0\0\0\x35/s);
}

my $pings = 0;
sub ping ($c) {
    my $mark = pack 'a8', 'ping' . ++$pings;
    $c->mark;
    $c->say(PING . $mark);
    return $c->expect(qr/@{[PONG]}\Q$mark\E/);
}

# What hdctl says about who opens and who makes a peer's records.
sub layers ($key) {
    my ($row) = @{ decode_json($hd->ctl('--json', 'peers', $key)) };
    return join ' ', map { $row->{$_} // 'none' } qw(tls tls_rx tls_tx);
}

subtest 'versions and suites' => sub {
    my $tls13 = $hd->log_text =~ /kTLS enabled/ ? 'ktls kernel kernel' : 'own own own';
    my @sessions = (
        (map { ['TLSv1.3', $_, '-tls1_3', '-ciphersuites', $_] }
            qw(TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256)),
        (map { ['TLSv1.2', $_, '-tls1_2', '-cipher', $_] }
            qw(ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
            ECDHE-ECDSA-CHACHA20-POLY1305)),
    );
    for (@sessions) {
        my ($version, $suite, @args) = @$_;
        my $c = s_client(@args);
        like $c->text, qr/$version, Cipher is \Q$suite\E/, "$version $suite";
        my $key = $logins[0]{key};
        ok login($c), '... a login';
        ok ping($c), '... a pong';
        is layers($key), $version eq 'TLSv1.2' ? 'openssl openssl openssl' : $tls13, '... hdctl peers';
        $alice->send($logins[0]{key}, 'x');    # nobody: nothing happens
        $c->end;
    }
    my $c = s_client('-tls1_1', '-cipher', 'ALL@SECLEVEL=0');
    like $c->rest, qr/alert protocol version|no protocols available/, 'TLS 1.1 is refused';
};

subtest 'large packets' => sub {
    for my $version ('-tls1_3', '-tls1_2') {
        my $c = s_client($version);
        my $login = shift @logins;
        login($c, $login);
        $bob->fill($login->{key}, 60000, 3);
        ok $c->expect(qr/(?:\x05\0\0\xea\x80.{32}\0{60000}){3}/s), "$version: 3 of 60,000 bytes come whole";
        $c->end;
    }
};

subtest 'ALPN' => sub {
    my $c = s_client('-alpn', 'h2,http/1.1');
    like $c->text, qr/ALPN protocol: http\/1\.1/, 'http/1.1 is chosen';
    $c->end;
    $c = s_client('-alpn', 'h2');
    like $c->rest, qr/alert no application protocol|alert number 120/, 'only others: alert 120';
    unharmed('ALPN');
};

subtest 'KeyUpdate' => sub {
    plan skip_all => $no_rekey if $hd->log_text =~ /kTLS enabled.*rekey=none/;
    my $c = s_client('-tls1_3');
    ok login($c), 'a login';
    my $bad = 0;
    for my $i (1 .. 20) {
        $c->mark;
        $c->say($i % 2 ? "K\n" : "k\n");    # K asks for ours, too
        $c->expect(qr/KEYUPDATE/) or $bad++;
        ping($c) or $bad++;
    }
    is $bad, 0, '20 of the client\'s, 10 answered: the session goes on';
    $c->end;
    unharmed('KeyUpdate');
};

subtest 'renegotiation' => sub {
    my $c = s_client('-tls1_2');
    ok login($c), 'TLS 1.2';
    $c->say("R\n");
    ok $c->expect(qr/RENEGOTIATING/), 'asks for it';
    unharmed('renegotiation');
    $c->end;
};

subtest 'close_notify' => sub {
    for my $version ('-tls1_3', '-tls1_2') {
        my $login = shift @logins;
        my $c = s_client($version);
        login($c, $login);
        $c->say("Q\n");
        ok $hd->log_like(qr/closed: key=@{[substr $login->{key}, 0, 8]} .*why=closed by peer/),
            "$version: the client's end is an end";
        $c = s_client($version, '-msg');
        my $next = shift @logins;
        login($c, $next);
        $c->mark;
        $c->say("\x12\0\0\0\x03abc");    # a ping that is too short
        ok $c->expect(qr/<<< .*Alert.*close_notify/), "$version: the relay says close_notify";
        ok defined $c->rest, '... and closes';
    }
};

# Between a client and the relay, with fingers in what the client says.
sub through ($mangle, @args) {
    my $l = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 1) or die "listen: $@";
    my $c = HyperDerp::SClient->new($l->sockport, '-msg', @args);
    my $client = $l->accept;
    my $relay = $hd->socket($hd->{tls});
    my $s = IO::Select->new($client, $relay);
    return {
        c => $c,
        # Carries bytes until s_client says $re or the relay closes.
        until => sub ($re) {
            my $end = time + 60;
            while ($c->expect($re, 0.01) == 0) {
                my @ready = $s->can_read(0.1);
                last if time > $end;
                for my $from (@ready) {
                    my $to = $from == $client ? $relay : $client;
                    my $n = sysread $from, my $bytes, 65536;
                    $bytes = $mangle->($bytes) if $n && $from == $client;
                    if ($n) { syswrite $to, $bytes }
                    else { $s->remove($from); shutdown $to, 1 }
                }
                last if !$s->count;
            }
            return $c->expect($re);
        },
    };
}

subtest 'a record that was changed' => sub {
    my $bite = 0;
    my $p = through(sub ($bytes) {
        return $bytes unless $bite;
        substr($bytes, -1, 1) ^.= "\x01";
        return $bytes;
    });
    ok $p->{until}->(qr/Verify return code/), 'a handshake through a proxy';
    my $login = shift @logins;
    $p->{c}->say($login->{head} . $login->{info});
    ok $p->{until}->(qr/\x03\0\0\0\x35/s), 'a login';
    $p->{c}->mark;
    $bite = 1;
    $p->{c}->say(PING . 'changed!');
    ok $p->{until}->(qr/<<< .*Alert.*bad_record_mac/), 'alert bad_record_mac';
    $p->{c}->end;
    ok $hd->log_like(qr/closed: key=@{[substr $login->{key}, 0, 8]} /), 'is closed';
    unharmed('a changed record');
};


subtest 'a handshake that is cut' => sub {
    my $hello = '';
    my $l = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 1) or die "listen: $@";
    my $c = HyperDerp::SClient->new($l->sockport);
    my $s = $l->accept;
    sysread $s, $hello, 65536;
    $c->end;
    my $n = length $hello;
    cmp_ok $n, '>', 100, "a ClientHello of $n bytes";
    my @c = map {
        my $c = HyperDerp::Raw->open($hd, port => $hd->{tls});
        $c->write(substr $hello, 0, $_);
        shutdown $c->socket, 1;
        $c;
    } 0 .. $n;
    is scalar(grep { !$_->closed } @c), 0, 'is closed wherever it ends';
    my $bad = 0;
    for my $at (0 .. $n - 1) {
        my $c = HyperDerp::Raw->open($hd, port => $hd->{tls});
        substr(my $wrong = $hello, $at, 1) ^.= "\x80";
        $c->write($wrong);
        shutdown $c->socket, 1;
        $c->closed or $bad++;
    }
    is $bad, 0, '... and whichever byte is wrong';
    unharmed('cut handshakes');
};

subtest 'certificates by name' => sub {
    my $hd2 = HyperDerp::Test->new;
    my @a = HyperDerp::Test::certificate($hd2->dir, 'a', 'a.example');
    my @b = HyperDerp::Test::certificate($hd2->dir, 'b', 'b.example');
    $hd2->{yaml} = $hd2->yaml =~ s/^tls_cert:.*\ntls_key:.*\n//mr =~ s/^tls:.*\n//mr
        . "tls: {certificates: [{cert: $a[0], key: $a[1]}, {cert: $b[0], key: $b[1]}]}\n";
    $hd2->write_conf;
    $hd2->run->ready or BAIL_OUT($hd2->log_text);
    my $subject = sub ($name) {
        my $c = HyperDerp::SClient->new($hd2->{tls}, $name ? ('-servername', $name) : '-noservername');
        $c->connected;
        my ($cn) = $c->text =~ /^subject=CN ?= ?(\S+)/m;
        $c->end;
        return $cn;
    };
    is $subject->('a.example'), 'a.example', 'the first by its name';
    is $subject->('b.example'), 'b.example', 'the second by its';
    is $subject->('B.Example'), 'b.example', '... in any case';
    is $subject->('c.example'), 'a.example', 'another name: the first';
    is $subject->(''), 'a.example', 'no name: the first';
    $hd2->finish;
};

subtest 'a new certificate while clients are connected' => sub {
    my $subject = sub {
        my $c = s_client();
        my ($cn) = $c->text =~ /^subject=CN ?= ?(\S+)/m;
        $c->end;
        return $cn;
    };
    my $c = s_client('-tls1_3');
    my $c12 = s_client('-tls1_2');
    login($_) for $c, $c12;
    my $begun = HyperDerp::Raw->open($hd, port => $hd->{tls});    # a handshake under way
    is $subject->(), 'localhost', 'the old one';
    HyperDerp::Test::certificate($hd->dir, 'relay', 'new.example');
    $hd->signal('HUP');
    ok $hd->log_like(qr/configuration reloaded/), 'HUP';
    is $subject->(), 'new.example', 'the new one is served';
    ok ping($c), 'a TLS 1.3 session goes on';
    ok ping($c12), '... and one of TLS 1.2';
    SKIP: {
        skip $no_rekey, 1 if $hd->log_text =~ /kTLS enabled.*rekey=none/;
        $c->mark;
        $c->say("K\n");
        $c->expect(qr/KEYUPDATE/);
        ok ping($c), '... also past a KeyUpdate';
    }
    unharmed('a new certificate');
    $_->end for $c, $c12;
};

subtest 'OpenSSL\'s record layer' => sub {
    my $hd2 = HyperDerp::Test->start(conf => "tls: {record_layer: openssl}\n");
    my ($one, $two) = ($hd2->client, $hd2->client);
    $one->send($two->key, 'hello');
    is $two->packet, 'hello', 'serves as well';
    my $c = HyperDerp::SClient->new($hd2->{tls}, '-tls1_3');
    $c->connected;
    ok login($c, scalar HyperDerp::Raw::logins($hd2)), 's_client logs in';
    my $bad = 0;
    for my $i (1 .. 4) {
        $c->mark;
        $c->say($i % 2 ? "K\n" : "k\n");
        $c->expect(qr/KEYUPDATE/);
        ping($c) or $bad++;
    }
    is $bad, 0, 'KeyUpdate';
    $c->end;
    $hd2->finish;
};

like $hd->log_text, qr/kTLS (?:enabled|not available)/, 'the log says about kTLS'
    if ($ENV{HD_KTLS} // 'auto') ne 'off';
$hd->finish;

# ---- certificates that are not ----

# Starts a relay that must not start. Returns its log.
sub refused ($what, $break) {
    my $hd = HyperDerp::Test->new;
    $break->($hd);
    $hd->run;
    my $status = $hd->wait_exit // -1;
    is $status >> 8, 1, "$what: exit 1";
    like $hd->log_text, qr/error .*\Q$hd->{dir}\E/, '... names the file';
    return $hd;
}

subtest 'a certificate that is missing' => sub {
    my $hd = refused('missing', sub ($hd) { unlink $hd->{crt} });
    like $hd->log_text, qr/failed to open certificate.*\Q$hd->{crt}\E.*No such file/, 'the contract\'s message';
};

subtest 'a key that is missing' => sub {
    my $hd = refused('missing', sub ($hd) { unlink $hd->{key} });
    like $hd->log_text, qr/\Q$hd->{key}\E.*No such file/, 'which and why';
};

subtest 'a certificate that cannot be read' => sub {
    my $hd = refused('a folder', sub ($hd) { unlink $hd->{crt}; mkdir $hd->{crt} });
    like $hd->log_text, qr/failed to open certificate.*\Q$hd->{crt}\E/, 'the contract\'s message';
};

subtest 'no permission' => sub {
    plan skip_all => 'needs root and setpriv (util-linux)'
        if $> != 0 || system('setpriv --version >/dev/null 2>&1');
    my $hd = HyperDerp::Test->new(wrap => [qw(setpriv --reuid 65534 --regid 65534 --clear-groups)]);
    chmod 0755, $hd->dir;
    mkdir $hd->dir . '/state';
    chown 65534, 65534, $hd->dir . '/state', $hd->{file};
    chmod 0600, $hd->{crt};
    $hd->{yaml} = $hd->yaml =~ s/^state_dir: .*/state_dir: $hd->{dir}\/state/mr;
    $hd->write_conf;
    $hd->run;
    is +($hd->wait_exit // -1) >> 8, 1, 'exit 1';
    like $hd->log_text, qr/failed to open certificate.*\Q$hd->{crt}\E.*Permission denied/,
        'the contract\'s message';
};

subtest 'files that hold something else' => sub {
    my $hd = refused('no PEM', sub ($hd) { HyperDerp::Test::spew($hd->{crt}, "hello\n") });
    like $hd->log_text, qr/\Q$hd->{crt}\E/, 'which';
    refused('an empty file', sub ($hd) { HyperDerp::Test::spew($hd->{crt}, '') });
    refused('a key that is none', sub ($hd) { HyperDerp::Test::spew($hd->{key}, "hello\n") });
    refused('half a certificate', sub ($hd) {
        my $pem = HyperDerp::Test::slurp($hd->{crt});
        HyperDerp::Test::spew($hd->{crt}, substr $pem, 0, length($pem) / 2);
    });
    $hd = refused('another\'s key', sub ($hd) {
        my (undef, $other) = HyperDerp::Test::certificate($hd->dir, 'other');
        rename $other, $hd->{key};
    });
    like $hd->log_text, qr/\Q$hd->{key}\E/, 'which';
};

done_testing;

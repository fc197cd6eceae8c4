# SPDX-License-Identifier: MIT
# t/system/wg-ops.t - the WireGuard relay's operator: peers and links by hdctl,
# durable whatever happens; imports; a client's configuration as text and as QR
# code.
use v5.36;
use utf8;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Qr;
use HyperDerp::Test;
use IO::Socket::INET;
use IO::Socket::UNIX;
use IPC::Open2;
use JSON::PP;
use MIME::Base64;
use Socket qw(SOCK_DGRAM);

$ENV{LC_ALL} = 'C.UTF-8';
plan skip_all => 'the module wg is not built' unless -e "$HyperDerp::Test::build/modules.d/wg.so";

sub key ($n) { return encode_base64(chr($n) x 32, '') }

my $port = HyperDerp::Test::free_port(SOCK_DGRAM);
my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['wg'], conf => <<~"END");
    wg:
      listen: "127.0.0.1:$port"
      peers:
        - {name: office, pubkey: "@{[key 200]}", label: the office}
        - {name: gate, endpoint: "localhost:51820", pubkey: ""}
      links:
        - {a: office, b: gate}
    END
my $roster = $hd->dir . '/wg-roster';

sub run () {
    $hd->run;
    HyperDerp::Test::wait_for(sub { IO::Socket::UNIX->new(Peer => $hd->control) }, 30)
        or do { diag $hd->log_text; BAIL_OUT('no relay') };
    return;
}
sub json (@words) { return decode_json($hd->ctl('--json', @words)) }
sub file ($text) { return HyperDerp::Test::spew($hd->dir . '/import', $text) }
sub saved () { return -e $roster ? HyperDerp::Test::slurp($roster) =~ s/^#.*\n//gmr : '' }
sub connection () { return IO::Socket::UNIX->new(Peer => $hd->control) // die "control socket: $!" }

# The answer to a line of the protocol.
sub ask ($s, @words) {
    local $SIG{PIPE} = 'IGNORE';
    print {$s} encode_json({ cmd => \@words }) . "\n";
    $s->flush;
    my $answer = readline $s;
    return defined $answer ? decode_json($answer) : undef;
}

# The code and text of a refusal.
sub refusal (@words) {
    my $error = ask(connection(), @words)->{error} // {};
    return ($error->{code} // 'ok', $error->{message} // '');
}

sub refused ($want, @words) {
    my $before = saved();
    my ($code, $text) = refusal(@words);
    is $code, $want, "$want: " . ($text =~ s/;.*//sr);
    is saved(), $before, '... and nothing is written';
    return;
}

run();

# What is almost a key or an address is refused as that, whatever it is meant for.
sub looks () {
    my $key = key(9);
    my %why = map { $_->[0] => $_->[1] } (
        [substr($key, 1) => '44 characters, .* this has 43'], [substr($key, 0, 43) => 'this has 43'],
        ["A$key" => 'this has 45'], [substr($key, 0, 20) . '=' => 'this has 21'],
        ['!' . substr($key, 1) => 'a character is wrong'], [substr($key, 0, 42) . 'l=' => 'a character is wrong'],
        ['A' x 43 . '=' => 'all zeros'], ['09' x 32 => 'in hex'],
    );
    for my $bad (sort keys %why) {
        refused 'invalid_key', qw(wg peer add dave), $bad;
        like +(refusal(qw(wg peer add dave), $bad))[1], qr/$why{$bad}/, "... $why{$bad}";
        refused 'bad_args', qw(wg peer add), $bad, key(9);
    }
    unlike +(refusal(qw(wg peer add dave), substr($key, 0, 42) . 'l='))[1], qr/44 characters,/, 'it has them';
    refused 'bad_args', qw(wg peer add dave), $key, key(10);
    for my $bad (qw(1.2.3.4 1.2.3.4:5x 1.2.3.4: 1.2.3.400:5 1.2.3.4:0 1.2.3.4:65536 2001:db8::1 2001:db8::1/64
        [2001:db8::1] [2001:db8::1]:5x relay.example:51820)) {
        refused 'bad_args', qw(wg peer add dave), $key, $bad;
        refused 'bad_args', qw(wg peer add), $bad, $key;
    }
    for my $nobody (qw(0.0.0.0:5 255.255.255.255:5 224.0.0.1:5 239.255.0.1:5 [::]:5 [ff02::1]:5), "127.0.0.1:$port") {
        refused 'bad_args', qw(wg peer add dave), $key, $nobody;
        refused 'bad_args', qw(wg peer update bob --endpoint), $nobody;
        refused 'bad_args', qw(wg import), "peer dave $nobody $key\n";
    }
    like +(refusal(qw(wg peer add dave), "127.0.0.1:$port"))[1], qr/the relay's own address: write the peer's own/, 'a remedy';
    return;
}

subtest 'peers' => sub {
    $hd->ctl(qw(wg peer add alice), key(1), qw(her phone));
    is $?, 0, 'a key and a label';
    $hd->ctl(qw(wg peer add bob 192.0.2.1:51820 home));
    is $?, 0, 'an endpoint and a label, as the predecessor had it';
    $hd->ctl(qw(wg peer add carol), '[2001:db8::1]:51820', key(3));
    is saved(), "peer alice - ${\key 1} her phone\npeer bob 192.0.2.1:51820 - home\n"
        . "peer carol [2001:db8::1]:51820 ${\key 3}\n", 'each is in the file when the answer comes';
    refused 'wg_peer_add_failed', qw(wg peer add alice), key(9);
    refused 'wg_key_duplicate', qw(wg peer add dave), key(1);
    refused 'wg_endpoint_duplicate', qw(wg peer add dave 192.0.2.1:51820);
    refused 'invalid_key', qw(wg peer pubkey bob short);
    refused 'missing_arg', qw(wg peer add dave);
    refused 'bad_args', qw(wg peer add), 'dave x', key(9);
    refused 'bad_args', qw(wg peer add), 'dave#1', key(9);
    refused 'wg_peer_nic_failed', qw(wg peer nic bob a/b);
    looks();
    refused 'wg_peer_unknown', qw(wg peer remove nobody);
    refused 'wg_peer_fixed', qw(wg peer remove office);
    is $hd->ctl(qw(wg peer pubkey bob), key(2)) =~ /${\quotemeta key 2}/, 1, 'pubkey';
    $hd->ctl(qw(wg peer nic bob lo));
    $hd->ctl(qw(wg peer update alice --label), 'new phone');
    like saved(), qr/^peer alice - ${\quotemeta key 1} new phone$/m, 'update --label';
    like saved(), qr/^peer bob 192\.0\.2\.1:51820 ${\quotemeta key 2} home\nnic bob lo$/m, 'nic';
    $hd->ctl(qw(wg peer update carol --endpoint -));
    like saved(), qr/^peer carol - /m, 'a - takes away';
    is saved() =~ /office|gate/, '', 'what the configuration lists is not repeated';
};

subtest 'events' => sub {
    my $s = connection();
    ok ask($s, qw(watch wg))->{ok}, 'watch wg';
    my $error = ask(connection(), qw(watch wg.mvoed))->{error};
    like $error->{message}, qr/is "wg\.moved" meant\?.* wg\.confirmed/, 'the module has told its events';
    $hd->ctl(qw(wg peer add eve), key(40));
    my $event = decode_json(scalar readline $s);
    is $event->{event}, 'wg.peer_added', 'and they come';
    ok((grep { $_->{event} eq $event->{event} && $_->{module} eq 'wg' } @{ json('events') }), '... by a name that is listed');
    $hd->ctl(qw(wg peer remove eve));
};

subtest 'links' => sub {
    for ([qw(alice bob)], [qw(alice carol)], [qw(office alice)]) {
        $hd->ctl(qw(wg link add), @$_);
        is $?, 0, "@$_";
    }
    refused 'wg_link_duplicate', qw(wg link add bob alice);
    refused 'wg_link_self', qw(wg link add bob bob);
    refused 'wg_peer_unknown', qw(wg link add bob nobody);
    refused 'wg_link_unknown', qw(wg link remove bob carol);
    refused 'wg_link_fixed', qw(wg link remove office gate);
    like saved(), qr/^link $_$/m, "$_: in the file" for 'alice bob', 'alice carol', 'office alice';
};

subtest 'what is shown' => sub {
    my $show = json(qw(wg show));
    is $show->{$_->[0]}, $_->[1], $_->[0] for [port => $port], [peer_count => 5], [link_count => 4];
    ok exists $show->{$_}, $_ for qw(rx_packets fwd_packets drop_unknown_src drop_no_link drop_not_wg_shaped
        drop_handshake_pubkey_mismatch drop_handshake_no_pubkey_match drop_relearn_unconfirmed xdp_attached);
    my ($bob) = grep { $_->{name} eq 'bob' } @{ json(qw(wg peer list)) };
    is $bob->{endpoint}, '192.0.2.1:51820', 'the endpoint of a peer';
    is_deeply $bob->{linked_to}, ['alice'], 'its links';
    ok exists $bob->{$_}, $_ for qw(pubkey label nic last_seen_ns rx_bytes fwd_bytes drop_no_link
        drop_pubkey_mismatch handshake_s path);
    is_deeply [map { "$_->{a} $_->{b}" } @{ json(qw(wg link list carol)) }], ['carol alice'], 'links of one';
    is scalar @{ json(qw(wg show alice))->{links} }, 3, 'one peer and its links';
    like $hd->ctl(qw(wg peer list)), qr/^name +endpoint +handshake_s +rx_bytes .*\nalice +-/, 'a table for people';
    like json(qw(wg peer list gate))->[0]{endpoint}, qr/^(?:127\.0\.0\.1|\[::1\]):51820$/,
        "a host's name in the configuration is looked up";
    is_deeply json(qw(wg blocklist list)), [], 'the blocklist';
    is json(qw(wg blocklist clear))->{cleared}, 0, '... is cleared';
    like $hd->ctl(qw(wg blocklist clear nonsense)), qr/not an address/, '... by address';
    is_deeply json(qw(wg show drop-sources)), [], 'no drops yet';
    my $udp = IO::Socket::INET->new(Proto => 'udp', PeerAddr => "127.0.0.1:$port") or die "socket: $@";
    ok HyperDerp::Test::wait_for(sub { $udp->send('of no WireGuard'); json(qw(wg show drop-sources))->@* }), 'then one';
    my ($of) = json(qw(wg show drop-sources))->@*;
    is $of->{ip}, '127.0.0.1', '... its address';
    cmp_ok $of->{drops}, '>', 0, '... how many packets of it';
    my $sum = 0;
    $sum += $of->{$_} for grep { /^drop_/ } keys %$of;
    is $sum, $of->{drops}, '... which is the sum of the reasons';
    like $hd->ctl(qw(complete -- wg p)), qr/^peer$/m, 'completion knows the words';
};

subtest 'after a restart and after a reload' => sub {
    my $before = saved();
    is $hd->stop, 0, 'it stops';
    run();
    is json(qw(wg show))->{link_count}, 4, 'the same links';
    is $hd->ctl(qw(module reload wg)), "ok\n", 'reloaded';
    is json(qw(wg show))->{peer_count}, 5, 'the same peers';
    $hd->ctl(qw(wg link remove carol alice));
    is $?, 0, 'and commands go on';
    $hd->ctl(qw(wg link add alice carol));
    is join('', sort split /^/, saved()), join('', sort split /^/, $before), 'the file says so';
};

subtest 'a file that cannot be written' => sub {
    my $temporary = $hd->dir . '/.wg-roster.new';
    mkdir $temporary;
    refused 'wg_roster_failed', qw(wg peer add dave), key(4);
    refused 'wg_roster_failed', qw(wg peer remove alice);
    refused 'wg_roster_failed', qw(wg peer update bob --label x);
    refused 'wg_roster_failed', qw(wg link remove bob alice);
    my $show = json(qw(wg show));
    is "$show->{peer_count} $show->{link_count}", '5 4', 'nothing has changed';
    rmdir $temporary;
    $hd->ctl(qw(wg link remove bob alice));
    is $?, 0, 'and once it can be, all goes on';
    $hd->ctl(qw(wg link add alice bob));
};

# Five times: changes one after another without a pause, and a kill among them.
subtest 'killed in a stream of changes' => sub {
    my $n = 0;
    for my $round (1 .. 5) {
        my $s = connection();
        my ($asked, $done, $after) = (0, 0, 5 + int rand 30);
        while ($asked < 200) {
            my $key = encode_base64(pack('nNx26', $round, ++$asked), '');
            print {$s} encode_json({ cmd => [qw(wg peer add), "k$round-$asked", $key, 'x' x 200] }) . "\n";
        }
        $s->flush;
        while (my $answer = readline $s) {
            $done++ if decode_json($answer)->{ok};
            $hd->signal('KILL') if $done == $after;
        }
        $hd->stop('KILL');
        $hd->ports_free;
        run();
        my %there = map { $_->{name} => 1 } @{ json(qw(wg peer list)) };
        my @lost = grep { !$there{"k$round-$_"} } 1 .. $done;
        is_deeply \@lost, [], "$done changes were answered and none is lost";
        my $more = grep { /^k$round-/ } keys %there;
        cmp_ok $more, '<=', $done + 200, "$more are there";
        $n += $more;
    }
    is saved() =~ tr/\n//, json(qw(wg show))->{peer_count} - 2 + 1 + 3, 'the file is whole';
    $hd->ctl(qw(wg peer remove), $_->{name}) for grep { $_->{name} =~ /^k[1-5]-/ } @{ json(qw(wg peer list)) };
};

# An admin edits the file: it is no longer sealed then.
sub edited ($text) { return $text =~ s/\A#.*\n//r }

sub does_not_start ($what, $text, $why) {
    HyperDerp::Test::spew($roster, $text);
    is $hd->stop, 0, 'the relay stops';
    $hd->run;
    isnt $hd->wait_exit, 0, "$what: it does not start";
    like $hd->log_text, $why, '... and says where';
    is HyperDerp::Test::slurp($roster), $text, '... and leaves the file alone';
    return;
}

subtest 'a roster that cannot be read' => sub {
    my $good = HyperDerp::Test::slurp($roster);
    for (['a line', "peer dave\n"], ['a key twice', "peer dave - ${\key 1}\n"],
        ['a link to nobody', "link alice dave\n"]) {
        my ($what, $more) = @$_;
        my $text = edited($good) . $more;
        my $line = $text =~ tr/\n//;
        does_not_start($what, $text, qr{\Q$roster\E:$line: .*});
        HyperDerp::Test::spew($roster, $good);
        run();
    }
};

subtest 'a roster is whole or refused' => sub {
    my $good = HyperDerp::Test::slurp($roster);
    my $peers = json(qw(wg show))->{peer_count};
    my $cut = $good =~ s/(?:.*\n){2}\z//r;
    my $lines = $cut =~ tr/\n//;
    my $remedy = qr{take its first line away; else put the copy before it back: cp -p \Q$roster.before $roster\E};
    for (['0 bytes', '', qr{wg-roster:1: the roster is empty, of 0 bytes; .*$remedy}],
        ['cut off at the end of a line', $cut, qr{wg-roster:$lines: the roster is cut off: .*$remedy}],
        ['one letter is another', $good =~ s/^peer a/peer A/mr, qr{wg-roster:\d+: the roster is damaged.*$remedy}]) {
        my ($what, $text, $why) = @$_;
        does_not_start($what, $text, $why);
        HyperDerp::Test::spew($roster, HyperDerp::Test::slurp("$roster.before"));
        run();
        cmp_ok abs(json(qw(wg show))->{peer_count} - $peers), '<=', 1, 'with the copy before it starts';
    }
    HyperDerp::Test::spew($roster, $good);
    is $hd->stop, 0, 'the relay stops';
    run();

    HyperDerp::Test::spew($roster, $cut);
    like $hd->ctl(qw(module reload wg)), qr{wg-roster:$lines: the roster is cut off}, 'a reload of the module is refused';
    is json(qw(wg show))->{peer_count}, $peers, '... the relay goes on with what it has';
    is HyperDerp::Test::slurp($roster), $cut, '... and leaves the file to whoever cut it';
    HyperDerp::Test::spew($roster, edited($good) . "peer reloaded - ${\key 119}\n");
    is $hd->ctl(qw(module reload wg)), "ok\n", 'an edited one is taken';
    is json(qw(wg show))->{peer_count}, $peers + 1, '... by a reload, too';
    $hd->ctl(qw(wg peer remove reloaded));
    my ($code, $text) = refusal(qw(wg import), $cut);
    like "$code $text", qr/bad_args line $lines: the file is cut off: .*take its first line away/, 'so is an import';
    like join(' ', refusal(qw(wg import), '')), qr/^(?!ok)\S+ .*1 to \d+ bytes/, '... of nothing';

    my $edited = edited($good) . "peer edited - ${\key 120}\n"
        . "peer old 0.0.0.0:7\npeer 192.0.2.9 - ${\key 121}\n";
    HyperDerp::Test::spew($roster, $edited);
    is $hd->stop, 0, 'it stops';
    run();
    is json(qw(wg show))->{peer_count}, $peers + 3, 'an edited one is taken';
    like $hd->log_text, qr{\Q$roster\E: an earlier relay wrote it, or somebody edited it}, '... with a warning';
    like $hd->log_text, qr/the roster's peer old: 0\.0\.0\.0:7 is not the address of one host/,
        '... what could not be entered is named';
    like $hd->log_text, qr/the roster's peer 192\.0\.2\.9: the name .* looks like a key or an address/, '... each';
    $hd->ctl(qw(wg peer update old --label), 'has it as it was');
    is $?, 0, 'and may stay';
    $hd->ctl(qw(wg peer update old --label -));
    $hd->ctl(qw(wg peer remove), $_) for qw(192.0.2.9 old);
    my $before = HyperDerp::Test::slurp($roster);
    $hd->ctl(qw(wg peer remove edited));
    is HyperDerp::Test::slurp("$roster.before"), $before, 'the copy before is what was there';
    my $warned = () = $hd->log_text =~ /somebody edited it/g;
    is $hd->stop, 0, 'it stops';
    run();
    is +(() = $hd->log_text =~ /somebody edited it/g), $warned, '... once: the next write sealed it';
    is json(qw(wg show))->{peer_count}, $peers, 'all is as it was';
};

subtest 'import of a roster' => sub {
    my $text = "# from the predecessor\npeer i1 198.51.100.1:51820 ${\key 11} label of one\n"
        . "peer i2 198.51.100.2:51820\nnic i1 lo\nlink i1 i2\nlink i1 alice\n";
    my $before = saved();
    for (["$text\nlink i1 nobody\n", qr/line 8: there is no peer "nobody"/],
        ["${text}peer i3 - ${\key 1}\n", qr/line 7: this public key belongs to the peer alice/],
        ["${text}peer alice - ${\key 12}\n", qr/line 7: there is a peer alice already/]) {
        like $hd->ctl(qw(wg import), file($_->[0])), $_->[1], 'all or nothing';
        is saved(), $before, '... nothing';
        is json(qw(wg show))->{peer_count}, 5, '... nor at work';
    }
    my $answer = json(qw(wg import), file($text));
    is "$answer->{format} $answer->{peers_added} $answer->{links_added}", 'roster 2 2', 'all';
    is json(qw(wg show))->{link_count}, 6, '... at work too';
    is json(qw(wg import), file($text))->{peers_added}, 0, 'twice changes nothing';
    like $hd->ctl(qw(wg import /nowhere/roster)), qr{/nowhere/roster: No such file}, 'hdctl opens the file';
    my $many = join '', map { "peer m$_ - " . encode_base64(pack('Nx28', $_), '') . "\nlink m$_ office\n" } 1 .. 2000;
    is json(qw(wg import), file($many))->{links_added}, 2000, '180 KB of peers';
    is json(qw(wg show))->{peer_count}, 2007, '... at work';
};

subtest 'import of a wg-quick configuration' => sub {
    my $quick = sub ($first) { return <<~"END" };
        # hub
        [Interface]
        $first
        Address = 10.0.0.1/24
        ListenPort = 51820

        [Peer]
        # Name = laptop
        PublicKey = ${\key 21}
        PresharedKey = ${\key 99}
        AllowedIPs = 10.0.0.2/32
        Endpoint = 198.51.100.9:51820

        # tablet
        [Peer]
        PublicKey = ${\key 22}
        AllowedIPs = 10.0.0.3/32

        [peer]
        publickey=${\key 1}
        [Peer]
        PublicKey = ${\key 23}
        END
    my ($code, $text) = refusal(qw(wg import), $quick->("PrivateKey = ${\key 5}"));
    like "$code $text", qr/bad_args line 3: a private key: the relay takes none/, 'the relay takes no private key';
    SKIP: {
        skip 'the machine lacks wg (apt-get install wireguard-tools)', 1 if `which wg` eq '';
        my $pid = open2(my $out, my $in, qw(wg pubkey));
        print {$in} key(5);
        close $in;
        chomp(my $public = <$out>);
        waitpid $pid, 0;
        my $answer = json(qw(wg import), file($quick->("PrivateKey = ${\key 5}")));
        is "$answer->{format} $answer->{peers_added} $answer->{links_added}", 'wg-quick 4 4', 'hdctl sends the public key';
        like saved(), qr/^peer hub - \Q$public\E$/m, '... which is that of wg pubkey';
    }
    my ($hub) = grep { $_->{name} eq 'hub' } @{ json(qw(wg peer list)) };
    is_deeply [sort @{ $hub->{linked_to} }], [qw(alice laptop tablet), 'wg-FxcXFxcX'],
        'names from comments, of known keys, of new ones';
    unlike $hd->log_text . saved(), qr/\Q${\key 5}\E|\Q${\key 99}\E/, 'no secret in log or file';
    like saved(), qr/^peer laptop - /m, 'endpoints are learned: they may be the relay\'s own';
};

# As the predecessor had it: the configuration links peers of the roster.
subtest 'links of the configuration' => sub {
    $hd->finish;
    my $conf = $hd->dir . '/hd.yaml';
    my $text = HyperDerp::Test::slurp($conf);
    my $more = sub (@links) { HyperDerp::Test::spew($conf, $text =~ s/^(.*links:\n)/$1 . join '', map { "    - {$_}\n" } @links/emr) };
    $more->('a: carol, b: office', 'a: bob, b: alice');
    run();
    refused 'wg_link_fixed', qw(wg link remove carol office);
    refused 'wg_link_fixed', qw(wg link remove alice bob);
    refused 'wg_link_fixed', qw(wg peer remove carol);
    like $hd->ctl(qw(module reload wg)), qr/^(?!hdctl)/, 'a reload takes it too';
    $hd->finish;
    HyperDerp::Test::spew($conf, $text);
    run();
    refused 'wg_link_unknown', qw(wg link remove carol office);
    $hd->ctl(qw(wg link add alice bob));
};

subtest 'a configuration with an endpoint that is nobody\'s' => sub {
    my $text = HyperDerp::Test::slurp($hd->dir . '/hd.yaml');
    for (['0.0.0.0:7' => 'not the address of one host'], ["127.0.0.1:$port" => 'the relay\'s own address']) {
        my ($endpoint, $why) = @$_;
        my $conf = HyperDerp::Test::spew($hd->dir . '/bad.yaml', $text =~ s/localhost:51820/$endpoint/r);
        my $said = `$HyperDerp::Test::build/hyper-derp -t -c $conf 2>&1`;
        isnt $?, 0, "$endpoint is refused";
        like $said, qr/bad\.yaml:\d+: module wg: the peer gate: .*$why/, '... with place and reason';
    }
};

# The client's configuration of alice, but for where it is read.
my $private = HyperDerp::Test::spew($hd->dir . '/alice.key', key(77) . "\n");
my $public = '8koUUNf4TrYRLfyADI7jPddBOfa2bvK18D0s1952+Ts=';    # wg pubkey

subtest 'client-config' => sub {
    my $text = $hd->ctl(qw(wg client-config alice --endpoint relay.example.com));
    like $text, qr/^\[Interface\]\n# Name = alice\nPrivateKey = \(.*\)\nAddress = (fd68:6477:6700:\S+)\/128$/m,
        'an interface without a key';
    my ($own) = $text =~ /^Address = (\S+)$/m;
    my @peers = split /\n\n/, $text;
    shift @peers;
    my %of = map { /^# Name = (\S+)$/m ? ($1, $_) : () } @peers;
    is_deeply [sort keys %of], [qw(bob carol hub i1 office)], 'a [Peer] for each link';
    like $of{bob}, qr/^PublicKey = \Q${\key 2}\E\nAllowedIPs = fd68:\S+\/128\nEndpoint = relay\.example\.com:$port\nPersistentKeepalive = 25$/m,
        'bob, by the relay';
    like $hd->ctl(qw(wg client-config bob)), qr/^AllowedIPs = \Q$own\E$/m, 'bob knows alice\'s address';
    like $hd->ctl(qw(wg client-config alice --endpoint 2001:db8::1)), qr/^Endpoint = \[2001:db8::1\]:$port$/m, 'IPv6';
    like $hd->ctl(qw(wg client-config alice --endpoint 192.0.2.1:7)), qr/^Endpoint = 192\.0\.2\.1:7$/m, 'with a port';
    like $hd->ctl(qw(wg client-config alice --address 10.9.0.1/24)), qr/^Address = 10\.9\.0\.1\/24$/m, '--address';
    like $hd->ctl(qw(wg client-config alice --address), '10.9.0.1/24, fd00::1/64'), qr/^Address = 10\.9\.0\.1\/24, fd00::1\/64$/m, '... two';
    for (qw(relay:99999 relay:0 relay: relay:x -relay 1.2.3 1.2.3.4.5 0.0.0.0 [::] [2001:db8::1 [relay]:5 ff02::1), 'a b') {
        my $text = $hd->ctl(qw(wg client-config alice --endpoint), $_);
        isnt $?, 0, "--endpoint '$_' is refused";
        like $text, qr/is not an endpoint for clients: write/, '... with a remedy';
    }
    for (qw(notip 10.9.0.1/33 10.9.0.1/ fd00::1/129 10.9.0.1,), '10.9.0.1 10.9.0.2') {
        my $text = $hd->ctl(qw(wg client-config alice --address), $_);
        isnt $?, 0, "--address '$_' is refused";
        like $text, qr/is not an address in the tunnel: write/, '... with a remedy';
    }
    for (qw(relay relay_1.example. 192.0.2.1 [2001:db8::1]:7 2001:db8::1 xn--bcher-kva.example:1)) {
        $hd->ctl(qw(wg client-config alice --endpoint), $_);
        is $?, 0, "--endpoint $_";
    }
    like $hd->ctl(qw(wg client-config i2)), qr/^# Address = /m, 'a peer without a key';
    like $hd->ctl(qw(wg client-config nobody)), qr/no peer "nobody"/, 'an unknown one';
    like $hd->ctl(qw(wg client-config alice --private-key), $private), qr/not the private key of alice, but of \Q$public\E$/m,
        'another peer\'s private key';
    $hd->ctl(qw(wg peer pubkey alice), $public);
    like $hd->ctl(qw(wg client-config alice --private-key), $private), qr/^PrivateKey = \Q${\key 77}\E$/m, '--private-key';
    like $hd->ctl(qw(wg client-config alice --private-key), $roster), qr/no private key/, '... that is none';
    unlike $hd->log_text, qr/\Q${\key 77}\E/, 'which the relay never sees';
};

# What belongs to a private key.
sub public_of ($private) {
    my $pid = open2(my $out, my $in, qw(wg pubkey));
    print {$in} $private;
    close $in;
    chomp(my $public = <$out>);
    waitpid $pid, 0;
    return $public;
}

subtest 'a key pair on the spot' => sub {
    plan skip_all => 'the machine lacks wg (apt-get install wireguard-tools)' if `which wg` eq '';
    my @new = (qw(wg client-config watch --endpoint relay.example.com --new-key));
    my $text = $hd->ctl(@new);
    is $?, 0, 'a peer that is not there';
    my ($private) = $text =~ /^PrivateKey = (\S{44})$/m;
    my $public = public_of($private);
    ok saved() =~ /^peer watch - \Q$public\E$/m, '... is, by the public key of what was printed';
    like $text, qr/^hdctl: watch: public key \Q$public\E registered\nhdctl: watch is linked with nobody/m, '... says so';
    $text = $hd->ctl(@new, qw(--link alice --link bob));
    my ($second) = $text =~ /^PrivateKey = (\S{44})$/m;
    isnt $second, $private, 'again: another one';
    is json(qw(wg peer list watch))->[0]{pubkey}, public_of($second), '... which the relay knows';
    like $text, qr/no longer valid: \Q$public\E$/m, '... in place of the first';
    like $text, qr/new configurations are due for alice, bob, which/, '... and who has to hear of it';
    is scalar(() = $text =~ /^\[Peer\]$/mg), 2, '--link: both are in the configuration';
    my $before = saved();
    for (['--link', 'nobody'], ['--private-key', $private]) {
        $hd->ctl(@new, @$_);
        isnt $?, 0, "@$_[0]: refused";
        ok saved() eq $before, '... and the old key stays';
    }
    SKIP: {
        skip 'no /dev/full', 10 unless -c '/dev/full';
        my $key = sub ($name) { $hd->ctl(qw(wg peer list), $name) =~ m{([A-Za-z0-9+/]{43}=)} ? $1 : '' };
        my $before = $key->('watch');
        $hd->ctl(qw(wg peer add camera 192.0.2.77:51820));
        $hd->ctl(qw(wg link add camera watch));
        for (['watch', qr/the one before it is registered again/],
            ['lost', qr/the peer is removed again/], ['camera', qr/it has none again/]) {
            my ($name, $says) = @$_;
            my $hdctl = "$HyperDerp::Test::build/hdctl --socket " . $hd->control;
            my $said = qx($hdctl wg client-config $name --endpoint relay.example.com --new-key 2>&1 >/dev/full);
            isnt $?, 0, "--new-key on a full disk, $name: refused";
            like $said, $says, '... and says what became of the keys';
        }
        is $key->('watch'), $before, '... the key before it is valid';
        is $key->('lost'), '', '... who was not there is not there';
        is $key->('camera'), '', '... who had no key has none';
        is_deeply json(qw(wg peer list camera))->[0]{linked_to}, ['watch'], '... and its link';
        $hd->ctl(qw(wg peer remove camera));
    }
    like $hd->ctl(qw(wg client-config office --new-key)), qr/configuration/, 'a peer of the configuration: refused';
    like $hd->ctl(qw(wg client-config alice --link bob)), qr/--link goes with --new-key/, '--link alone';
    unlike $hd->log_text, qr/\Q$second\E/, 'the relay never saw a private key';
    $hd->ctl(qw(wg peer remove watch));
};

subtest 'a QR code without a key' => sub {
    my $said = $hd->ctl(qw(wg client-config alice --qr));
    is $?, 2, 'is refused';
    like $said, qr/--private-key FILE puts in that of alice, --new-key makes/, '... with what to do';
    unlike $said, qr/[█▀▄]/, '... and not drawn';
};

subtest 'as a QR code' => sub {
    plan skip_all => HyperDerp::Qr::missing() if HyperDerp::Qr::missing();
    $hd->ctl(qw(wg peer remove), $_) for qw(hub office2 i1);
    my @words = (qw(wg client-config alice --endpoint relay.example.com --private-key), $private);
    my $drawn = $hd->ctl(@words, '--qr');
    plan skip_all => 'built without libqrencode' if $drawn =~ /built without/;
    is HyperDerp::Qr::decoded($hd->dir . '/qr.pbm', $drawn), $hd->ctl(@words) =~ s/\n+\z//r, 'a camera reads the same text';
};

$hd->finish;
done_testing;

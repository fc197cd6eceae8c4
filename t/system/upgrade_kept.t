# SPDX-License-Identifier: MIT
# t/system/upgrade_kept.t - snapshots of other versions: those that t/system/kept has,
# and the newest as a later relay might write it. This test is the old process.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::TakeOver
    qw(AHEAD ALL_SENT DESCRIPTORS FAILED GO READY SECRETS SNAPSHOT TAKEN can_take_over format_number items new_process
    receive sealed send_it tag text);
use HyperDerp::Test;
use IO::Socket::IP;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

plan skip_all => 'no numbers of system calls for this machine' unless can_take_over();
my ($format, $oldest) = map { format_number($_) } qw(HD_SNAP_FORMAT HD_SNAP_FORMAT_OLDEST);
my $dir = "$FindBin::Bin/kept";

sub read_kept ($path) {
    open my $f, '<:raw', $path or die "$path: $!";
    my $about = decode_json(scalar <$f>);
    read $f, $about->{snapshot}, $about->{plain};
    read $f, my $secrets, $about->{secrets};
    $about->{secret} = $secrets;
    return $about;
}

# In each stream.
sub streams ($bytes, $change) {
    return items($bytes, sub ($tag, $in) { return ($tag, $tag == tag('STREAM') ? items($in, $change) : $in) });
}

# What is of the machine that it was kept on: ports of listeners, times to come.
sub here ($hd, $bytes) {
    my $soon = int(clock_gettime(CLOCK_MONOTONIC) * 1000) + 3_600_000;
    return streams($bytes, sub ($tag, $in) {
        substr($in, 0, 2) = pack 'n', ord(substr $in, 2, 1) ? $hd->{tls} : $hd->{plain} if $tag == tag('STREAM_LISTENER');
        substr($in, 0, 8) = pack 'Q', $soon if $tag == tag('STREAM_DEADLINE');
        return ($tag, $in);
    });
}

# Of whom the connection of each index is.
sub names ($kept) {
    my %name = reverse %{ $kept->{keys} };
    my @names;
    items($kept->{snapshot}, sub ($tag, $in) {
        return () if $tag != tag('STREAM');
        my ($index, $key);
        items($in, sub ($tag, $in) {
            $index = unpack 'Q', $in if $tag == tag('STREAM_INDEX');
            items($in, sub ($tag, $in) { $key = unpack 'H*', $in if $tag == tag('PEER_KEY'); () }) if $tag == tag('PEER');
            return ();
        });
        $names[$index] = $name{$key};
        return ();
    });
    return @names;
}

# A connection: the relay's end, and a client's.
sub connection () {
    my $l = IO::Socket::IP->new(LocalHost => '127.0.0.1', Listen => 1) or die "listen: $@";
    my $client = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $l->sockport) or die "connect: $@";
    my $relay = $l->accept;
    $_->blocking(0) for $relay, $client;
    return ($relay, bless { socket => $client, in => '' }, 'HyperDerp::Raw');
}

sub give ($s, $type, $n, $snapshot, $secrets, $relays) {
    send_it($s, $type, n => $n, data => pack('QQ', length $secrets, 0), fds => [sealed($snapshot)]);
    send_it($s, SECRETS, data => $secrets) if length $secrets;
    send_it($s, DESCRIPTORS, fds => $relays) if @$relays;
    send_it($s, ALL_SENT);
    return;
}

# Its head and connections, as they go ahead.
sub part ($snapshot) {
    my %in = map { tag($_) => 1 } qw(VERSION OLDEST RELAY_VERSION MODULE STREAM);
    return items($snapshot, sub ($tag, $in) { return $in{$tag} ? ($tag, $in) : () });
}

# What comes then: what has become of each, and those that come again.
sub since ($since, @again) {
    my $said = pack 'C*', @$since;
    return sub ($snapshot, $secrets) {
        my $s = items($snapshot, sub ($tag, $in) {
            return ($tag, $in) if $tag != tag('STREAM');
            my $index;
            items($in, sub ($tag, $in) { $index = unpack 'Q', $in if $tag == tag('STREAM_INDEX'); () });
            return ($since->[$index] // 0) == 1 ? ($tag, $in) : ();
        });
        return ($s . text(tag('AHEAD'), $said), $secrets);
    };
}

# Hands it over. Returns the answer, the clients by name, and, if it is READY, a GO
# was said.
sub hand_over ($hd, $kept, %o) {
    my $s = new_process($hd);
    my @names = names($kept);
    my (@relays, %clients);
    for my $name (@names) {
        my ($relay, $client) = connection();
        push @relays, $relay;
        $client->{key} = $kept->{keys}{$name};
        $clients{$name} = $client;
    }
    my $snapshot = here($hd, $kept->{snapshot});
    $snapshot = $o{change}->($snapshot) if $o{change};
    my $secrets = $o{secrets} // $kept->{secret};
    if ($o{ahead}) {
        my $part = part($snapshot);
        $part = $o{part}->($part) if $o{part};
        give($s, AHEAD, scalar @names, $part, $secrets, \@relays);
        my $m = receive($s) // { type => 0, data => 'it has gone' };
        return $m if $m->{type} != TAKEN;
        ($snapshot, $secrets) = $o{ahead}->($snapshot, $secrets);
        @relays = ();
    }
    give($s, SNAPSHOT, scalar @names, $snapshot, $secrets, \@relays);
    my $m = receive($s) // { type => 0, data => 'it has gone' };
    send_it($s, GO) if $m->{type} == READY;
    close $s;
    $m->{refused} = [map { $names[$_] } grep { vec $m->{data}, $_, 8 } 0 .. $#names] if $m->{type} == READY;
    return ($m, \%clients);
}

sub relay () { return HyperDerp::Test->new(workers => 2) }

# They go on where they were.
sub go_on ($kept, $clients) {
    my ($alice, $bob, $carol, $dave) = @$clients{qw(alice bob carol dave)};
    my %next = map { $_ => pack 'H*', $kept->{next}{$_} } keys %{ $kept->{next} };
    $alice->write($next{alice});
    is $bob->packet, 'half a frame', 'the half of a frame that came before is there';
    $carol->write($next{carol});
    is $bob->packet, 'the next record', 'keys and numbers of records are';
    if ($dave) {
        $dave->write($next{dave});
        is $bob->packet, 'by WebSocket', 'a WebSocket goes on within its frame';
        $bob->send($dave->key, 'to a WebSocket');
        ok HyperDerp::Test::wait_for(sub { $dave->fill; $dave->{in} =~ /^\x82.*to a WebSocket/s }), '... and back';
    }
    $bob->send($alice->key, 'and back');
    is $alice->packet, 'and back', 'to her who was half heard';
    $bob->send($carol->key, 'sealed');
    my $record = 5 + 5 + 32 + 6 + 1 + 16;    # its head, a frame's, whose, what, its type, its tag
    ok HyperDerp::Test::wait_for(sub { $carol->fill; length $carol->{in} >= $record }), 'a record';
    is unpack('H6', $carol->{in}), '170303', '... of data';
    $alice->close;
    ok defined $bob->expect(HyperDerp::Raw::PEER_GONE), 'who has left is told as before';
    return;
}

my %kept;
for my $path (sort glob "$dir/*.kept") {
    my $kept = read_kept($path);
    my $version = $kept->{version};
    $kept{$version} = $kept;
    subtest "version $version" => sub {
        my $hd = relay();
        my ($m, $clients) = hand_over($hd, $kept);
        if ($version < $oldest) {
            is $m->{type}, FAILED, 'it is refused';
            like $m->{data}, qr/writes snapshots of version $version, this one reads $oldest to $format/, '... by name';
            is $hd->wait_exit >> 8, 1, '... and the new process ends';
            return;
        }
        is $m->{type}, READY, 'it is understood' or diag $m->{data}, $hd->log_text;
        is "@{ $m->{refused} // ['all'] }", '', 'nobody stays behind' or diag $hd->log_text;
        ok $hd->ready, 'the relay serves';
        go_on($kept, $clients);
        $hd->finish;
    };
}
my $newest = $kept{$format};
ok $newest, "version $format is kept, too" or done_testing, exit;

sub version ($format, $oldest) {
    return sub ($snapshot) {
        return items($snapshot, sub ($tag, $in) {
            return ($tag, pack 'Q', $format) if $tag == tag('VERSION');
            return ($tag, pack 'Q', $oldest) if $tag == tag('OLDEST');
            return ($tag, $in);
        });
    };
}

subtest 'a later version that this one understands' => sub {
    my $hd = relay();
    my $later = sub ($snapshot) {
        my $s = version($format + 1, $format)->($snapshot);
        return streams($s, sub ($tag, $in) {
            return ($tag, $in, 0xeeee, 'what may be passed over');
        }) . text(0xeeef, 'the same');
    };
    my ($m, $clients) = hand_over($hd, $newest, change => $later);
    is $m->{type}, READY, 'it is understood' or diag $m->{data};
    is "@{ $m->{refused} // ['all'] }", '', 'nobody stays behind' or diag $hd->log_text;
    go_on($newest, $clients);
    $hd->finish;
};

subtest 'a later version that says that this one does not understand it' => sub {
    my $hd = relay();
    my ($m) = hand_over($hd, $newest, change => version($format + 1, $format + 1));
    is $m->{type}, FAILED, 'it is refused';
    like $m->{data}, qr/version @{[$format + 1]}, this one reads/, '... by name';
    is $hd->wait_exit >> 8, 1, '... and the new process ends';
};

# What modules have counted: those who are here, once.
sub clients ($hd) {
    my ($row) = grep { $_->{name} eq 'hyper_derp_derp_clients' } @{ ctl($hd, 'metrics')->{data} };
    return $row->{value};
}

# SAME 0, AGAIN 1, GONE 2
subtest 'connections come ahead' => sub {
    my @names = names($newest);
    my ($carol) = grep { $names[$_] eq 'carol' } 0 .. $#names;
    for my $since ([(0) x @names], [(1) x @names], [map { $_ == $carol ? 1 : 0 } 0 .. $#names]) {
        my $hd = relay();
        my ($m, $clients) = hand_over($hd, $newest, ahead => since($since));
        is $m->{type}, READY, "@$since: understood" or diag $m->{data};
        is "@{ $m->{refused} // ['all'] }", '', 'nobody stays behind' or diag $hd->log_text;
        ok $hd->ready, 'the relay serves';
        is clients($hd), scalar @names, 'each is counted once';
        go_on($newest, $clients);
        $hd->finish;
    }
};

# Its records have become the kernel's, say, since it was written down.
subtest 'what cannot be taken ahead is taken as it has become' => sub {
    my $hd = relay();
    my $broken = sub ($part) {
        return streams($part, sub ($tag, $in) { return ($tag, $tag == tag('STREAM_STATE') ? "$in?" : $in) });
    };
    my ($m, $clients) = hand_over($hd, $newest, part => $broken, ahead => since([map { 1 } names($newest)]));
    is $m->{type}, READY, 'understood' or diag $m->{data};
    is "@{ $m->{refused} // ['all'] }", '', 'nobody stays behind' or diag $hd->log_text;
    go_on($newest, $clients);
    $hd->finish;
};

subtest 'one that has come ahead ends in the old process' => sub {
    my @names = names($newest);
    my $hd = relay();
    my ($m, $clients) = hand_over($hd, $newest, ahead => since([map { $_ eq 'alice' ? 2 : 0 } @names]));
    is $m->{type}, READY, 'understood' or diag $m->{data};
    is "@{ $m->{refused} // ['all'] }", 'alice', 'she has not come';
    ok $hd->ready, 'the relay serves';
    is join(' ', sort map { $_->{key} } @{ ctl($hd, 'peers')->{data} }),
        join(' ', sort map { $newest->{keys}{$_} } grep { $_ ne 'alice' } @names), 'the others are there';
    is clients($hd), @names - 1, '... and are counted';
    ok $clients->{alice}->closed, 'nothing holds her socket';
    $hd->finish;
};

subtest 'what is said of those that have come ahead is broken' => sub {
    my @names = names($newest);
    my %broken = (
        'one too few' => since([(0) x $#names]), 'one too many' => since([(0) x (@names + 1)]),
        'none' => sub ($snapshot, $secrets) { return (items($snapshot, sub ($tag, $in) { $tag == tag('STREAM') ? () : ($tag, $in) }), $secrets) },
        'a strange word' => since([(3) x @names]),
    );
    for my $what (sort keys %broken) {
        my $hd = relay();
        my ($m) = hand_over($hd, $newest, ahead => $broken{$what});
        is $m->{type}, FAILED, "$what: refused" or diag $m->{data};
        is $hd->wait_exit >> 8, 1, '... and the new process ends';
    }
    my $hd = relay();
    my ($m) = hand_over($hd, $newest, change => sub ($s) { return $s . text(tag('AHEAD'), "\0") });
    is $m->{type}, FAILED, 'nothing has come ahead: refused';
};

# One connection of it: @$refused stay behind, the others go on.
sub some_stay ($what, $refused, $log, %o) {
    subtest $what => sub {
        my $hd = relay();
        my ($m, $clients) = hand_over($hd, $newest, %o);
        is $m->{type}, READY, 'it is understood' or diag $m->{data};
        is join(' ', sort @{ $m->{refused} // [] }), $refused, "$refused: refused";
        ok $hd->log_like($log), 'the log says why' or diag $hd->log_text;
        my ($bob, $dave) = @$clients{qw(bob dave)};
        if ($refused !~ /bob/) {
            $dave->write(pack 'H*', $newest->{next}{dave});
            is $bob->packet, 'by WebSocket', 'the others go on';
        }
        $hd->finish;
    };
    return;
}

# In the stream of somebody.
sub of ($name, $change) {
    my $key = pack 'H*', $newest->{keys}{$name};
    return sub ($snapshot) {
        return items($snapshot, sub ($tag, $in) {
            return ($tag, $tag == tag('STREAM') && index($in, $key) > 0 ? $change->($in) : $in);
        });
    };
}

some_stay('an item that must be understood, in a connection', 'alice', qr/does not know: field 0x0eee/,
    change => of('alice', sub ($in) { return $in . text(0x0eee, '?') }));
some_stay('a connection without its keys', 'carol', qr/a connection stays behind/, secrets => '');
some_stay('records that are said to be the kernel\'s', 'carol', qr/a connection stays behind/,
    change => of('carol', sub ($in) {
        return items($in, sub ($tag, $in) { return ($tag, $tag == tag('TLS') ? $in . pack('SSLQ', tag('TLS_KERNEL'), 0, 8, 1) : $in) });
    }));
some_stay('a queue of another name', 'alice', qr/has a queue that this one has not: strange/,
    change => of('alice', sub ($in) { return $in . text(tag('STREAM_QUEUE'), text(tag('QUEUE_NAME'), 'strange')) }));
for my $much (['STREAM_KEPT', 'x' x (448 * 1024 + 1)], ['STREAM_WANT', pack 'Q', 448 * 1024 + 1]) {
    my ($what, $value) = @$much;
    some_stay("$what: another read has no room behind it", 'alice', qr/a connection stays behind/,
        change => of('alice', sub ($in) { return items($in, sub ($tag, $in) { return ($tag, $tag == tag($what) ? $value : $in) }) }));
}
some_stay('a module that keeps other state', 'alice bob carol dave', qr/module derp keeps other state/,
    change => sub ($snapshot) {
        return items($snapshot, sub ($tag, $in) {
            return ($tag, $tag != tag('MODULE') ? $in : items($in, sub ($tag, $in) {
                return ($tag, $tag == tag('MODULE_STATE') ? pack 'Q', 99 : $in);
            }));
        });
    });

subtest 'what is broken' => sub {
    my %broken = (
        'an item that must be understood' => sub ($s) { return $s . text(0x0eee, '?') },
        'no version' => sub ($s) { return items($s, sub ($tag, $in) { return $tag == tag('VERSION') ? () : ($tag, $in) }) },
        'two versions' => sub ($s) { return text(tag('VERSION'), pack 'Q', $format) . $s },
        'cut off' => sub ($s) { return substr $s, 0, -3 },
    );
    for my $what (sort keys %broken) {
        my $hd = relay();
        my ($m) = hand_over($hd, $newest, change => $broken{$what});
        is $m->{type}, FAILED, "$what: refused" or diag $m->{data};
        is $hd->wait_exit >> 8, 1, '... and the new process ends';
    }
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/live.t - modules come, go and are replaced while clients are
# connected.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Metrics ();
use HyperDerp::Raw;
use HyperDerp::Test;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_DGRAM);

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/live.so";
my $live = HyperDerp::Live->new;
my $udp_port = HyperDerp::Test::free_port(SOCK_DGRAM);
my $conf = qq(live: {udp: "127.0.0.1:$udp_port", word: configured}\n);

sub spew { goto &HyperDerp::Test::spew }
sub wait_for { goto &HyperDerp::Test::wait_for }

# Refused, with a message that matches.
sub refused ($r, $want, $name) {
    return ok(!$r->{ok} && $r->{error}{message} =~ $want, $name) || diag explain $r;
}

sub taken ($r, $name) { return ok($r->{ok}, $name) || diag explain $r }

sub loaded ($hd) { return map { $_->{name} } @{ ctl($hd, qw(module status))->{data} } }

sub mapped ($hd, $name) {
    return scalar grep { /memfd:\Q$name\E\b/ }
        split /\n/, HyperDerp::Test::slurp('/proc/' . $hd->pid . '/maps');
}

# An echo connection of the test module.
sub echo_open ($hd) {
    my $s = $hd->socket;
    syswrite $s, "GET /live/echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    my $head = '';
    while ($head !~ /\r\n\r\n/) { sysread($s, $head, 1, length $head) or last }
    return $head =~ /101/ ? $s : undef;
}

sub echo ($s, $text) {
    syswrite $s, $text;
    sysread $s, my $answer, 4096;
    return $answer;
}

sub datagram (%how) {
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $udp_port, Type => SOCK_DGRAM);
    $s->send($how{text} // 'x');
    my $bits = '';
    vec($bits, fileno $s, 1) = 1;
    return 'silence' unless select $bits, undef, undef, $how{seconds} // 30;
    defined $s->recv(my $answer, 100) or return "refused";
    return $answer;
}

# The kernel closes a socket when the ring has let go of it.
sub no_socket () { return wait_for(sub { datagram(seconds => 0.2) eq 'refused' }) }

# A relay that knows the section of the module, which is not loaded.
sub without_live () {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $live->make('live')],
        conf => $conf);
    taken ctl($hd, qw(module unload live)), 'a module of the start can go';
    return $hd;
}

subtest 'derp, twenty times, while packets flow' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 0, load_module => [$live->make('derp'), 'stun']);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $carol = $hd->client(plain => 1);
    my ($n, @wrong, @builds) = (0);
    for my $build (1 .. 20) {
        $live->make('derp', build => $build);
        my @on_the_way = map { ++$n } 1 .. 50;
        $alice->send($bob->key, "number $_") for @on_the_way;
        my $reload = ctl_begin($hd, qw(module reload derp));
        my @then = map { ++$n } 1 .. 50;
        $alice->send($bob->key, "number $_") for @then;
        $bob->send($alice->key, "back $build");
        $carol->send($alice->key, "carol $build");
        push @wrong, "reload $build" unless ctl_end($reload)->{ok};
        for my $want (@on_the_way, @then) {
            my $got = $bob->packet // 'nothing';
            push @wrong, "$got for number $want" if $got ne "number $want";
        }
        my %got = map { $alice->packet // 'nothing' => 1 } 1, 2;
        push @wrong, "alice: @{[%got]}" unless $got{"back $build"} && $got{"carol $build"};
        my $s = $hd->socket;
        print {$s} "GET /derp HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        local $/;
        push @builds, <$s> =~ /connection b(\d+)/ ? $1 + 0 : 'none';
    }
    is_deeply \@wrong, [], "$n numbered packets, none lost, in order";
    is_deeply \@builds, [1 .. 20], 'each time the new code answers';
    my $dave = $hd->client;
    $dave->send($bob->key, 'new here');
    is $bob->packet, 'new here', 'a new client logs in over TLS';
    is mapped($hd, 'derp') > 0, 1, 'the code is in memory';
    my %regions = map { /memfd:derp.*/ ? ((split ' ')[4] => 1) : () }
        split /\n/, HyperDerp::Test::slurp('/proc/' . $hd->pid . '/maps');
    is keys %regions, 1, '... once';
    my @pauses;
    wait_for(sub { (@pauses = $hd->log_text =~ /module reloaded: name=derp.*pause_us=(\d+)/g) == 20 });
    @pauses = sort { $a <=> $b } @pauses;
    is @pauses, 20, 'the log has the pause of each';
    diag "pause of a reload: median $pauses[10] us, worst $pauses[-1] us";
    $hd->finish;
    is $hd->metric('hyper_derp_derp_clients'), 4, 'the numbers went on';
};

subtest 'load and unload' => sub {
    my $hd = without_live();
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    my $file = $live->make('live', build => 1);
    is get($hd, '/live/build'), 404, 'nothing is there';
    taken ctl($hd, qw(module load), $file), 'the module is loaded';
    is get($hd, '/live/build'), 'BUILD=000001', 'its page is there';
    is datagram(), 'BUILD=000001', 'its UDP socket answers';
    like get($hd, '/live/numbers'), qr/starts=1 .*word=configured/, 'it has its section';
    is ctl($hd, qw(live hello))->{data}, 'BUILD=000001', 'its command is there';
    $alice->send($bob->key, 'hello');
    is $bob->packet, 'hello', 'packets pass its hook';
    ok wait_for(sub { get($hd, '/live/numbers') =~ /ticks=[1-9]/ }), 'its timers tick';
    my ($status) = @{ ctl($hd, qw(module status live))->{data} };
    is_deeply [sort @{ $status->{hooks} }], [qw(admit packet)], 'module status shows its hooks';
    is $status->{counters}{live_packets_total}, 1, '... and its numbers';
    my $s = echo_open($hd);
    is echo($s, 'abc'), 'BUILD=000001 3 abc', 'it speaks its protocol';
    refused ctl($hd, qw(module load live)), qr/is loaded.*module reload live/, 'twice is refused';

    taken ctl($hd, qw(module unload live)), 'the module is unloaded';
    is sysread($s, my $buf, 10), 0, 'its connection is closed';
    is get($hd, '/live/build'), 404, 'its page is gone';
    ok no_socket(), 'its UDP socket is closed';
    is ctl($hd, qw(live hello))->{ok}, JSON::PP::false, 'its command is gone';
    is_deeply [loaded($hd)], ['derp'], 'it is not in the list';
    is mapped($hd, 'live'), 0, 'its code is not in memory';
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'derp did not notice';
    refused ctl($hd, qw(module unload live)), qr/not loaded/, 'unloading twice is refused';
    for (1 .. 5) {
        $live->make('live', build => 100 + $_);
        ctl($hd, qw(module load), $file)->{ok} or fail "load $_";
        is get($hd, '/live/build'), 'BUILD=' . sprintf('%06d', 100 + $_), "again, build $_";
        ctl($hd, qw(module unload live))->{ok} or fail "unload $_";
    }
    $hd->finish;
};

subtest 'reload keeps what there is' => sub {
    my $file = $live->make('live', build => 1);
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 2, load_module => ['derp', $file],
        conf => $conf);
    my @s = map { echo_open($hd) } 1 .. 4;
    is echo($_, 'abc'), 'BUILD=000001 3 abc', 'a connection' for @s;
    $live->make('live', build => 2);
    taken ctl($hd, qw(module reload live)), 'reloaded';
    is echo($_, 'de'), 'BUILD=000002 5 de', 'its state, and the new code' for @s;
    like get($hd, '/live/numbers'), qr/starts=2 /, 'the data of workers is kept';
    is datagram(), 'BUILD=000002', 'the UDP socket, too';
    is ctl($hd, qw(live hello))->{data}, 'BUILD=000002', 'the command is the new one';
    my ($status) = @{ ctl($hd, qw(module status live))->{data} };
    is $status->{counters}{live_starts_total}, 4, 'numbers go on';
    is_deeply [sort @{ $status->{hooks} }], [qw(admit packet)], 'hooks are there once';

    $live->make('live', build => 3, mode => 'load');
    refused ctl($hd, qw(module reload live)), qr/load\(\) has a bad day/, 'load() fails';
    is echo($s[0], 'f'), 'BUILD=000002 6 f', '... the connection and the old code are there';
    is get($hd, '/live/build'), 'BUILD=000002', '... the page, too';
    $live->make('live', build => 4, mode => 'star');
    refused ctl($hd, qw(module reload live)), qr/start\(\) has a bad day/, 'start() fails in one worker';
    is echo($s[1], 'f'), 'BUILD=000002 6 f', '... nothing has changed';
    is datagram(), 'BUILD=000002', '... UDP answers';

    spew("$file.new", "not an ELF file\n");
    rename "$file.new", $file;
    refused ctl($hd, qw(module reload live)), qr/not a module/, 'junk is refused';
    my $whole = HyperDerp::Test::slurp("$HyperDerp::Live::modules/live.so");
    spew($file, substr $whole, 0, 5000);
    ok !ctl($hd, qw(module reload live))->{ok}, 'half a file, overwritten in place, is refused';
    is echo($s[2], 'f'), 'BUILD=000002 6 f', '... nothing has changed';
    unlink $file;
    refused ctl($hd, qw(module reload live)), qr/No such file/, 'a missing file is refused';
    $live->make('live', abi_major => 3);
    refused ctl($hd, qw(module reload live)), qr/built for ABI 3\.\d+/, 'another ABI is refused';
    $live->make('live', from => "$HyperDerp::Live::modules/crashes.so");
    refused ctl($hd, qw(module reload live)), qr/crashes/, 'a crash is the child\'s';
    is echo($s[3], 'f'), 'BUILD=000002 6 f', '... nothing has changed';

    $live->make('live', build => 5);
    my @both = map { ctl_begin($hd, qw(module reload live)) } 1, 2;
    taken ctl_end($_), 'two at once: one after the other' for @both;
    is echo($s[0], 'g'), 'BUILD=000005 7 g', '... the connection stays';
    taken ctl($hd, qw(module reload)), 'all modules';

    $live->make('live', build => 6, state_version => 2);
    taken ctl($hd, qw(module reload live)), 'another state_version';
    is sysread($s[0], my $buf, 10), 0, '... closes its connections';
    is get($hd, '/live/build'), 'BUILD=000006', '... the new code answers';
    like get($hd, '/live/numbers'), qr/starts=1 /, '... with fresh data';
    is datagram(), 'BUILD=000006', '... on UDP, too';
    is_deeply [sort(loaded($hd))], [qw(derp live)], 'the list is as before';
    $hd->finish;
};

subtest 'load() or start() fails' => sub {
    my $hd = without_live();
    for my $mode (qw(load star)) {
        my $file = $live->make('live', build => 1, mode => $mode);
        refused ctl($hd, qw(module load), $file), qr/module live: .* has a bad day/, "$mode";
        is get($hd, '/live/build'), 404, '... no page';
        ok no_socket(), '... no socket';
        is_deeply [loaded($hd)], ['derp'], '... not in the list';
        is mapped($hd, 'live'), 0, '... not in memory';
    }
    taken ctl($hd, qw(module load), $live->make('live', build => 2)), 'then a good one';
    is get($hd, '/live/build'), 'BUILD=000002', '... answers';
    $hd->finish;
};

subtest 'timers and descriptors of the main thread' => sub {
    my $file = $live->make('onmain', build => 1);
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $file]);
    my $numbers = sub { ctl($hd, qw(onmain numbers))->{data} // {} };
    # bytes come as often as ticks: both go on
    my $go_on = sub ($build) {
        my $first = $numbers->();
        return wait_for(sub {
            my $now = $numbers->();
            return $now->{build} eq $build && $now->{bytes} > ($first->{bytes} // 0) + 5
                && $now->{ticks} > 5 && !$now->{once};
        });
    };
    ok $go_on->('BUILD=000001'), 'they begin with the relay';
    $live->make('onmain', build => 2, mode => 'tidy');
    taken ctl($hd, qw(module reload onmain)), 'reloaded';
    ok $go_on->('BUILD=000002'), '... load() has made them anew';
    $live->make('onmain', build => 3, mode => 'load');
    refused ctl($hd, qw(module reload onmain)), qr/load\(\) has a bad day/, 'load() fails';
    ok $go_on->('BUILD=000002'), '... those of the old code are back';
    for my $mode (qw(fine tidy)) {
        taken ctl($hd, qw(module unload onmain)), "$mode: unloaded";
        is mapped($hd, 'onmain'), 0, '... and out of memory';
        taken ctl($hd, qw(module load), $live->make('onmain', build => 4, mode => $mode)), '... loaded';
        ok $go_on->('BUILD=000004'), '... they begin';
    }
    $hd->finish;
};

subtest 'a UDP address' => sub {
    my $hd = without_live();
    my $file = $live->make('live', build => 1);
    ok ctl($hd, qw(module load), $file)->{ok} && ctl($hd, qw(module unload live))->{ok},
        'it was bound, and is not any more';
    my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $udp_port,
        Type => SOCK_DGRAM, ReusePort => 1);
    ok $other, 'another program takes it';
    refused ctl($hd, qw(module load), $file), qr/Address already in use: udp 127.0.0.1:$udp_port/,
        '... and is not robbed of its datagrams';
    close $other;
    taken ctl($hd, qw(module load), $file), 'when that has gone it is ours again';
    is datagram(), 'BUILD=000001', '... and answers';
    is datagram(text => 'reopen'), 'BUILD=000001', 'a callback may close its socket and open it again';
    is datagram(), 'BUILD=000001', '... which answers';
    $hd->finish;

    $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', 'stun'], stun => $udp_port,
        conf => $conf);
    refused ctl($hd, qw(module load), $file), qr/the module stun serves it/,
        'two modules do not share one';
    $hd->finish;
};

# A process that reads pages over and over; what it returns stops it and says
# how many answers were good.
sub reader ($port, @paths) {
    pipe my $count, my $write or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my ($n, $on) = (0, 1);
        local $SIG{TERM} = sub { $on = 0 };
        while ($on) {
            $n += HyperDerp::Metrics::get($port, $paths[$_ % @paths])->{status} == 200 for 0 .. $#paths;
        }
        syswrite $write, "$n\n";
        POSIX::_exit(0);
    }
    close $write;
    return sub {
        kill TERM => $pid;
        chomp(my $n = <$count> // 0);
        waitpid $pid, 0;
        return $n;
    };
}

subtest 'pages about modules, while one comes and goes' => sub {
    my $port = HyperDerp::Test::free_port();
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', 'metrics'],
        conf => $conf . "metrics: {port: $port, status_page: true}\n");
    my $file = $live->make('live', build => 1);
    my @stop = map { reader($port, qw(/status.json /metrics /api/v1/relay)) } 1, 2;
    my @wrong;
    for my $turn (1 .. 10) {
        push @wrong, "load $turn" unless ctl($hd, qw(module load), $file)->{ok};
        push @wrong, "reload $turn" unless ctl($hd, qw(module reload live))->{ok};
        push @wrong, "unload $turn" unless ctl($hd, qw(module unload live))->{ok};
    }
    my @n = map { $_->() } @stop;
    is_deeply \@wrong, [], 'it comes and goes';
    ok $n[0] > 0 && $n[1] > 0, "the pages answer: @n";
    $hd->finish;
};

subtest 'busy' => sub {
    my $file = $live->make('live', build => 1);
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $file], conf => $conf);
    is get($hd, '/live/task?1000'), 'begun', 'a task of one second';
    taken ctl($hd, qw(module reload live)), '... is waited for';
    is get($hd, '/live/task?9000'), 'begun', 'one of nine seconds';
    refused ctl($hd, qw(module unload live)), qr/busy: live/, '... is not';
    is get($hd, '/live/build'), 'BUILD=000001', '... nothing has changed';
    is get($hd, '/live/task?1'), 'begun', '... tasks are taken';
    ok wait_for(sub { ctl($hd, qw(module unload live))->{ok} }), 'once it has ended, the module goes';
    taken ctl($hd, qw(module load), $file), 'and comes';
    is get($hd, '/live/spin'), 'begun', 'posts that go round for ever';
    refused ctl($hd, qw(module reload live)), qr/busy: live/, '... are busy, too';
    is get($hd, '/live/build'), 'BUILD=000001', '... nothing has changed';
    taken ctl($hd, qw(module unload live)), '... an unload ends them';
    is get($hd, '/live/build'), '404', '... and it has gone';
    $hd->finish;
};

subtest 'refusals' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp good needs resident)]);
    refused ctl($hd, qw(module unload good)), qr/good is required by needs/,
        'a module that is required';
    refused ctl($hd, qw(module unload resident)), qr/resident.*restart/, 'a resident one';
    refused ctl($hd, qw(module reload resident)), qr/resident.*restart/, '... reload, too';
    taken ctl($hd, qw(module unload needs)), 'the one that requires it goes';
    taken ctl($hd, qw(module unload good)), 'then it can go';
    refused ctl($hd, qw(module load needs)), qr/requires the module good/, 'in this order only';
    taken ctl($hd, qw(module load good)), 'loaded by name';
    taken ctl($hd, qw(module load needs)), 'and what requires it';
    refused ctl($hd, qw(module load missing)), qr/no file missing\.so/, 'a file that is not there';
    refused ctl($hd, qw(module load ../x)), qr/not a module's name/, 'no name';
    refused ctl($hd, qw(module reload nothere)), qr/not loaded/, 'reload of what is not loaded';
    refused ctl($hd, 'module', 'load', "$HyperDerp::Live::modules/crashes.so"),
        qr/crashes/, 'a file that crashes';
    ok kill(0, $hd->pid), '... the relay lives';
    $hd->finish;
};

subtest 'one that says who may log in' => sub {
    my $loads = "$live->{dir}/loads";
    spew($loads, "1\n");
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp guard)],
        conf => "guard: {loads: $loads}\n");
    my ($alice, $bob) = HyperDerp::Raw::logins($hd, 2);
    my $a = HyperDerp::Raw->login($hd, $alice);
    my $state = sub { join ' ', map { $_->{state}, @{ $_->{lost_modules} } } ctl($hd, 'status')->{data} };
    my $lose = sub {
        spew($loads, "1\n");    # for the trial
        refused ctl($hd, qw(module reload guard)),
            qr/enough; its old code does not start either.*nobody can: mend it, then `hdctl module load guard`/,
            'a reload fails in the new code and in the old';
        is $state->(), 'locked guard', '... the relay is locked';
    };

    refused ctl($hd, qw(module unload guard)), qr/more people may.*module unload guard --force/,
        'an unload must be forced';
    refused ctl($hd, qw(module reload guard)), qr/guard\.so: load\(\) has had enough$/, 'a trial fails';
    is $state->(), 'serving', '... nothing has changed';
    $lose->();
    my $b = HyperDerp::Raw->start($hd, $bob);
    like $b->expect(HyperDerp::Raw::HEALTH), qr/module guard is missing, which says who may log in/,
        'a login is refused, and told why';
    ok $b->closed, '... closed';
    ok $a->ping, 'who is in stays';
    ok $hd->log_like(qr/error .*module guard: neither its new nor its old code starts.*nobody can: mend it/),
        'the log says so';
    refused ctl($hd, qw(module unload guard)), qr/lost in a reload/, 'to go on without it must be forced';
    refused ctl($hd, qw(module load guard)), qr/has had enough/, 'a load that fails changes nothing';
    is $state->(), 'locked guard', '... it is locked as before';
    spew($loads, "2\n");
    taken ctl($hd, qw(module load guard)), 'it is loaded';
    is $state->(), 'serving', '... and that is over';
    HyperDerp::Raw->login($hd, $bob);
    $lose->();
    taken ctl($hd, qw(module unload guard --force)), 'given up';
    is $state->(), 'serving', '... the relay goes on without it';
    HyperDerp::Raw->login($hd, $bob);
    spew($loads, "2\n");
    taken ctl($hd, qw(module load guard)), 'loaded once more';
    taken ctl($hd, qw(module unload guard --force)), 'unloaded';
    HyperDerp::Raw->login($hd, $bob);
    $hd->finish;
};

subtest 'pointers into the code' => sub {
    plan skip_all => 'the relay was built without --enable-debug-checks'
        unless HyperDerp::Test::slurp("$HyperDerp::Test::build/config.h") =~ /^#define HD_DEBUG_CHECKS 1/m;
    my $file = $live->make('live', build => 1, mode => 'ptr ');
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $file], conf => $conf);
    my $s = echo_open($hd);
    $live->make('live', build => 2);
    ctl($hd, qw(module reload live));
    ok $hd->log_like(qr/bug: module live keeps a pointer into its code: echo, offset 8/), 'in a stream';
    unlike $hd->log_text, qr/pointer into its code: worker data/, 'start() has set that of the workers';
    $hd->stop;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/module-status.t - what `module status` says of the modules is what
# they do.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use IO::Socket::IP;
use Socket qw(SOCK_DGRAM);

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/live.so";
my $live = HyperDerp::Live->new;
my $udp_port = HyperDerp::Test::free_port(SOCK_DGRAM);
my $hd = HyperDerp::Test->start(workers => 2,
    load_module => ['derp', 'stun', 'resident', $live->make('live')],
    conf => qq(live: {udp: "127.0.0.1:$udp_port"}\n));

sub status ($name) { return ctl($hd, qw(module status), $name)->{data}[0] }
sub wait_for { goto &HyperDerp::Test::wait_for }

subtest 'what a module is and provides' => sub {
    my $s = status('live');
    my ($major, $minor) = map { HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/include/hyper-derp/module.h")
            =~ /^#define HD_ABI_$_ (\d+)$/m } qw(MAJOR MINOR);
    is $s->{state}, 'loaded', 'state';
    like $s->{abi}, qr/^$major\.\d+$/, 'ABI';
    like $s->{file}, qr{/live\.so$}, 'file';
    ok((grep { $_ eq '/live/build' } @{ $s->{routes} }), 'routes');
    is_deeply [sort @{ $s->{hooks} }], [qw(admit packet)], 'hooks';
    is_deeply $s->{commands}, ['live hello'], 'commands';
    is $s->{timers}, 2, 'timers, one in each worker';
    ok((grep { $_ eq "udp 127.0.0.1:$udp_port" } @{ $s->{listeners} }), 'a UDP socket, once')
        or diag explain $s->{listeners};
    is scalar(grep { $_ eq "tls 127.0.0.1:$hd->{tls}" } @{ $s->{listeners} }), 1,
        'the listeners of its routes';
    like $s->{provides}, qr/^\d routes, 2 hooks, 3 listeners, 1 command, 2 timers$/, 'in short';
    is status('resident')->{state}, 'resident', 'a resident module says so';
};

subtest 'what it carries' => sub {
    my ($alice, $bob) = map { $hd->client } 1, 2;
    is status('derp')->{peers}, 2, 'peers';
    for (1 .. 10) {
        $alice->send($bob->key, 'x' x 1000);
        $bob->packet;
    }
    my $s = status('derp');
    is $s->{packets_in}, 10, 'packets in';
    is $s->{packets_out}, 10, 'packets out';
    cmp_ok $s->{bytes_in}, '>', 10000, 'bytes in';
    cmp_ok $s->{bytes_out}, '>', 10000, 'bytes out';
    is $s->{connections}, 2, 'connections';
    is $s->{errors}, 0, 'no errors';
    is status('live')->{packets_in}, 0, 'its hook sees packets, they are not its own';

    my $raw = $hd->client(plain => 1);
    $raw->frame(4, "x");    # a SendPacket shorter than a key
    ok $raw->closed_within, 'a peer breaks the protocol';
    ok wait_for(sub { status('derp')->{errors} == 1 }), '... which is an error';
    ok wait_for(sub { status('derp')->{peers} == 2 }), '... and no peer any more';

    my $before = status('live');
    is get($hd, '/live/build'), 'BUILD=000000', 'a page of a module';
    is status('live')->{requests} - $before->{requests}, 1, '... is a request';
    my $udp = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $udp_port, Type => SOCK_DGRAM);
    $udp->send('hello');
    $udp->recv(my $answer, 100);
    ok wait_for(sub { status('live')->{packets_out} == 1 }), 'a datagram out';
    is status('live')->{packets_in}, 1, '... and in';
    is status('live')->{bytes_in} - $before->{bytes_in}, 5, '... of five bytes';
};

subtest 'what it costs' => sub {
    my ($alice, $bob) = map { $hd->client } 1, 2;
    ok wait_for(sub {
        $alice->send($bob->key, 'x' x 1000) for 1 .. 100;
        $bob->packet for 1 .. 100;
        return status('derp')->{cpu_s} > 0 && status('live')->{cpu_s} > 0;
    }, 60), 'CPU time of both that see packets';
    cmp_ok status('derp')->{cpu_s}, '<', 30, '... is no nonsense';
    is status('stun')->{cpu_s}, 0, '... and of nobody else';
};

subtest 'for people' => sub {
    my ($head, @rows) = split /\n/, $hd->ctl(qw(module status));
    like $head, qr/\b$_\b/, "a column $_"
        for qw(name version abi state peers packets_in bytes_out errors cpu_s provides file);
    is scalar @rows, 4, 'a row for each module';
    my $text = $hd->ctl(qw(module status live));
    like $text, qr/^summary +one of everything$/m, 'one module: all that is known';
    like $text, qr/^ +live_starts_total +2$/m, '... and its counters';
};

subtest 'a reload' => sub {
    plan skip_all => 'derp is built into this daemon'
        unless -e "$HyperDerp::Test::build/modules.d/derp.so";
    my ($alice, $bob) = map { $hd->client } 1, 2;
    my $before = status('derp');
    ok ctl($hd, qw(module reload derp))->{ok}, 'derp is reloaded';
    is status('derp')->{$_}, $before->{$_}, "... $_ as before" for qw(peers packets_in connections);
    ok ctl($hd, qw(module unload derp))->{ok}, 'derp goes';
    ok ctl($hd, qw(module load derp))->{ok}, '... and comes';
    is status('derp')->{$_}, 0, "... $_ from zero" for qw(peers packets_in bytes_in errors);
};

$hd->finish;
done_testing;

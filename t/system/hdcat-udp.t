#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-udp.t - UDP through hdcat, both ways: questions and answers as a
# name server has them, flows that do not mix, more of them than fit, and their
# end; what a listener does not allow is not reached.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Hdcat;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::IP;
use POSIX ();
use Socket qw(SOCK_DGRAM);

my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';

sub udp (@o) { return IO::Socket::IP->new(Type => SOCK_DGRAM, @o) // die "socket: $@" }

sub at ($port) { return udp(PeerHost => '127.0.0.1', PeerPort => $port) }

# RFC 1035: a question of that number for the A record of a name.
sub question ($id, $name) {
    return pack('n6', $id, 0x100, 1, 0, 0, 0) . pack('(C/a)*x n2', split(/\./, $name), 1, 1);
}

# 127.0.0.1, and the port that the question came from as its time to live.
sub answer ($query, $port) {
    my ($id) = unpack 'n', $query;
    return pack('n6', $id, 0x8180, 1, 1, 0, 0) . substr($query, 12) . pack('n3 N n C4', 0xc00c, 1, 1, $port, 4, 127, 0, 0, 1);
}

# A name server; what does not look like a question comes back as it is.
sub server () {
    my $s = udp(LocalHost => '127.0.0.1', LocalPort => 0);
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        while (defined $s->recv(my $query, 65535)) {
            $s->send(length $query > 12 && length $query < 512 ? answer($query, $s->peerport) : $query);
        }
        POSIX::_exit(0);
    }
    HyperDerp::Children::keep($pid);
    return $s->sockport;
}

# Asked again as resolvers do: UDP may be lost. What is left of earlier questions
# is passed over.
sub ask ($s, $text) {
    my $got;
    my $is_it = sub { length $text > 12 && length $text < 512 ? unpack('n', $got) == unpack('n', $text) : $got eq $text };
    return HyperDerp::Test::wait_for(sub {
        $s->send($text);
        while (IO::Select->new($s)->can_read(2)) {
            $s->recv($got, 65535);
            return 1 if $is_it->();
        }
        return 0;
    }) ? $got : undef;
}

# What came from which port of the far end, of a name's answer.
sub far_port ($answer) { return unpack 'N', substr $answer // '', -10, 4 }

sub leads ($p) { return $p->says(qr/udp:localhost:(\d+) leads to/) // BAIL_OUT('no way: ' . $p->err) }

sub sockets ($p) { return scalar grep { (readlink $_ // '') =~ /^socket:/ } glob "/proc/$p->{pid}/fd/*" }

my $port = server();
my $l = $hdcat->listener('--allow', "udp:localhost:$port", '--allow-listen', 'udp:0', '--max-connections', 40);
my $f = $hdcat->start('forward', "udp:0:localhost:$port", '--max-connections', 40, $l->{ticket});
my $at = leads($f);

subtest 'a name server' => sub {
    my $s = at($at);
    my $q = question(4711, 'www.example.org');
    my $a = ask($s, $q);
    is $a, answer($q, far_port($a)), 'a question and its answer';
    my $again = ask($s, $q);
    is far_port($again), far_port($a), 'the same address is the same flow';
    isnt far_port(ask(at($at), $q)), far_port($a), '... another one another';
};

subtest 'sizes' => sub {
    my $s = at($at);
    for my $n (1, 12, 1472, 9000, 32766) {
        my $text = join '', map { chr rand 256 } 1 .. $n;
        is ask($s, $text), $text, "$n bytes";
    }
    is ask($s, ''), '', 'none';
    $s->send('x' x 32767);
    is ask($s, 'then'), 'then', 'one that is too long is lost, alone';
};

subtest 'more flows than there is room for' => sub {
    my @s = map { at($at) } 1 .. 120;
    my @wrong;
    for my $round (1, 2) {
        for my $i (0 .. $#s) {
            my $q = question($i, "n$i.example.org");
            my $a = ask($s[$i], $q) // '';
            push @wrong, $i if $a ne answer($q, far_port($a));
        }
    }
    is_deeply \@wrong, [], '120 flows where 40 fit, twice: each has its answers';
    cmp_ok sockets($l), '<=', 60, 'the listener has no more sockets than that' or diag sockets($l);
};

subtest 'silence' => sub {
    my $l2 = $hdcat->listener('--allow', "udp:*:$port", '--udp-idle', 1);
    my $before = sockets($l2);
    my $f2 = $hdcat->start('forward', "udp:0:127.0.0.1:$port", '--udp-idle', 1, $l2->{ticket});
    my $s = at(leads($f2));
    my $q = question(1, 'example.org');
    my $first = far_port(ask($s, $q));
    ok HyperDerp::Test::wait_for(sub { sockets($l2) == $before }), 'a flow ends, and its socket';
    isnt far_port(ask($s, $q)), $first, 'the next datagram begins another';
    $_->stop for $f2, $l2;
};

subtest 'expose' => sub {
    my $e = $hdcat->start('expose', "udp:0:localhost:$port", $l->{ticket});
    my $there = $e->says(qr/udp:localhost:(\d+) over there leads to udp:localhost:$port here/) or diag $e->err;
    my $q = question(7, 'example.net');
    my @s = map { at($there) } 1 .. 10;
    my %ports = map { far_port(ask($_, $q)) => 1 } @s;
    is scalar keys %ports, 10, 'ten from over there have their answers';
    is $e->stop, 0, 'it ends';
    ok HyperDerp::Test::wait_for(sub { eval { udp(LocalHost => '127.0.0.1', LocalPort => $there) } }),
        '... and its socket over there, with its flows';
    is ask(at($at), $q) ? 1 : 0, 1, '... the listener goes on';
};

subtest 'what is not allowed' => sub {
    my ($web, $tcp) = $hdcat->server;
    my $l2 = $hdcat->listener('--allow', "localhost:$port", '--allow', "udp:localhost:$tcp");
    my $f2 = $hdcat->start('forward', "udp:0:localhost:$port", "0:localhost:$tcp", $l2->{ticket});
    my $s = at(leads($f2));
    $s->send('x');
    ok $f2->says(qr/(the listener does not allow that)/), 'UDP, where TCP is allowed';
    my ($tcp_at) = $f2->err =~ / localhost:(\d+) leads to/;
    $hdcat->connect($tcp_at);
    ok $f2->says(qr/(?:does not allow that.*){2}/s), 'TCP, where UDP is allowed';
    ok $l2->says(qr/no --allow has it: udp:localhost:$port/), 'the listener says which';
    $_->stop for $f2, $l2;
    my ($status, undef, $err) = $hdcat->run('expose', "udp:1:localhost:$port", $l->{ticket});
    is $status, 4, 'a place to listen that is not allowed';
    for my $wrong ('udp:/tmp/x:localhost:53', 'udp:53:udp:localhost:53', 'udp:53') {
        ($status, undef, $err) = $hdcat->run('forward', $wrong, $l->{ticket});
        is $status, 2, "usage: $wrong";
    }
};

is $f->stop, 0, 'forward ends';
is $l->stop, 0, 'the listener ends';
unlike $_->err, qr/ERROR: |runtime error/, 'nothing was found' for $f, $l;
$hdcat->finish;
done_testing;

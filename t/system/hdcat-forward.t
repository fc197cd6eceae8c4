#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-forward.t - connections through hdcat, as ssh -L, -R and -D have
# them: all bytes, half-closes and resets arrive, many at once; what a listener
# does not allow cannot be reached, whatever its guests send.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA ();
use HyperDerp::Hdcat;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::UNIX;
use Socket qw(SOL_SOCKET SO_LINGER SHUT_WR);

my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';

sub until_end ($s) {
    my $text = '';
    while (1) {
        IO::Select->new($s)->can_read(30) or return "$text(nothing more comes)";
        my $n = sysread $s, $text, 65536, length $text;
        return defined $n ? $text : "$text($!)" if !$n;
    }
}

sub all_written ($s, $text) {
    my $at = 0;
    while ($at < length $text) {
        $at += syswrite($s, $text, 65536, $at) // return 0;
    }
    return 1;
}

# What comes to the server, and who came.
sub accepted ($server) {
    IO::Select->new($server)->can_read(30) or return;
    return $server->accept;
}

sub leads ($p) { return $p->says(qr/localhost:(\d+) leads to/) // BAIL_OUT('no way: ' . $p->err) }

my ($web, $port) = $hdcat->server;
my $l = $hdcat->listener('--allow', "localhost:$port", '--allow-listen', '0');
my $f = $hdcat->start('forward', "0:localhost:$port", $l->{ticket});
my $at = leads($f);

subtest 'one connection' => sub {
    my $near = $hdcat->connect($at);
    my $far = accepted($web) or return fail 'nobody came';
    my $request = join '', map { pack 'N', rand 2**32 } 1 .. 200_000;
    my $pid = fork // die;
    if ($pid == 0) {
        all_written($near, $request);
        $near->shutdown(SHUT_WR);
        POSIX::_exit(0);
    }
    is Digest::SHA::sha256_hex(until_end($far)), Digest::SHA::sha256_hex($request), 'one way, and its end';
    waitpid $pid, 0;
    ok all_written($far, 'after the end of the other way'), 'the other way is open still';
    close $far;
    is until_end($near), 'after the end of the other way', '... and arrives, with its end';
};

subtest 'many connections' => sub {
    my @near = map { $hdcat->connect($at) } 1 .. 100;
    my @far = map { accepted($web) // () } @near;
    is scalar @far, 100, '100 at once';
    all_written($near[$_], "$_\n") for 0 .. $#near;
    my @said = map { scalar readline $_ } @far;
    is_deeply [sort { $a <=> $b } @said], [map { "$_\n" } 0 .. 99], 'each has its own';
    print { $far[$_] } "for $said[$_]" and close $far[$_] for 0 .. $#far;
    is_deeply [map { until_end($_) } @near], [map { "for $_\n" } 0 .. 99], '... and its answer';
};

subtest 'one who does not read' => sub {
    my $slow = $hdcat->connect($at);
    my $to_slow = accepted($web);
    $to_slow->blocking(0);
    my ($sent, $block) = (0, 'x' x 65536);
    # until nothing moves: buffers of TCP, windows of QUIC, and no more
    while ($sent < 200e6 && IO::Select->new($to_slow)->can_write(1)) {
        $sent += syswrite($to_slow, $block) // last;
    }
    cmp_ok $sent, '<', 100e6, 'is not sent more than fits' or diag $sent;
    my $near = $hdcat->connect($at);
    my $far = accepted($web);
    all_written($far, 'meanwhile');
    close $far;
    is until_end($near), 'meanwhile', '... and holds up nobody';
    close $to_slow;
    is length until_end($slow), $sent, '... and has all of it in the end';
};

subtest 'resets' => sub {
    my $reset = sub ($s) {
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        close $s;
    };
    my $near = $hdcat->connect($at);
    my $far = accepted($web);
    all_written($near, 'x');
    sysread $far, my $x, 1;
    $reset->($near);
    like until_end($far), qr/\(Connection reset/, 'from here to there';
    $near = $hdcat->connect($at);
    $far = accepted($web);
    all_written($far, 'x');
    sysread $near, $x, 1;
    $reset->($far);
    like until_end($near), qr/\(Connection reset/, '... and back';
};

subtest 'what is not allowed' => sub {
    my ($secret, $secret_port) = $hdcat->server;
    my $f2 = $hdcat->start('forward', "0:localhost:$secret_port", "0:127.0.0.1:$port", '0:/etc/passwd', $l->{ticket});
    $f2->says(qr{leads to /etc/passwd});
    my @at = $f2->err =~ /localhost:(\d+) leads/g;
    is scalar @at, 3, 'three ways';
    for my $i (0 .. 2) {
        like until_end($hdcat->connect($at[$i])), qr/^\(Connection reset|^$/, 'is refused';
        ok $f2->says(qr/(?:the listener does not allow that.*){@{[ $i + 1 ]}}/s), '... with a reason';
    }
    ok !IO::Select->new($secret)->can_read(0), '... and not reached';
    ok $l->says(qr/no --allow has it: localhost:$secret_port/), 'the listener is told';
    is $f2->stop, 0, 'a signal is a good end';
    my ($status, undef, $err) = $hdcat->run('expose', "1:localhost:$port", $l->{ticket});
    is $status, 4, 'a place to listen that is not allowed';
    like $err, qr/does not allow/, '... is said';
    my $any = $hdcat->listener('--allow-listen', '*:*');
    ($status, undef, $err) = $hdcat->run('expose', "name.invalid:0:localhost:$port", $any->{ticket});
    like $err, qr/does not allow/, '* has no names, which would be looked up';
    is $status, 4, '... and it ends';
    $any->stop;
    my $nothing = $hdcat->listener;
    $f2 = $hdcat->start('forward', "0:localhost:$port", $nothing->{ticket});
    like until_end($hdcat->connect(leads($f2))), qr/^\(Connection reset|^$/, 'a listener without --allow';
    ok $f2->says(qr/not what the listener is for/), '... says so';
    $_->stop for $f2, $nothing;
};

subtest 'nobody there' => sub {
    close $web;
    like until_end($hdcat->connect($at)), qr/^\(Connection reset|^$/, 'a server that is not there';
    ok $f->says(qr/hdcat: \S+:\d+: the other end: Connection refused/), '... is said';
};

subtest 'expose' => sub {
    my ($here, $here_port) = $hdcat->server;
    my $e = $hdcat->start('expose', "0:localhost:$here_port", $l->{ticket});
    my $there = $e->says(qr/localhost:(\d+) over there leads to localhost:$here_port here/) or diag $e->err;
    my $s = $hdcat->connect($there);
    my $c = accepted($here) or return fail 'nobody came';
    print $s "from there\n";
    $s->flush;
    is scalar readline $c, "from there\n", 'one way';
    print $c "from here\n";
    close $c;
    is until_end($s), "from here\n", '... and the other';
    is $e->stop, 0, 'it ends';
    ok HyperDerp::Test::wait_for(sub { !IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $there) }),
        '... and its socket over there';
};

subtest 'unix sockets' => sub {
    my $path = "$hdcat->{dir}/far.sock";
    my $server = IO::Socket::UNIX->new(Local => $path, Listen => 1) or die;
    my $u = $hdcat->listener('--allow', $path);
    my $w = $hdcat->start('forward', "$hdcat->{dir}/near.sock:$path", $u->{ticket});
    ok $w->says(qr/near.sock leads to/), 'a way' or diag $w->err;
    is((stat "$hdcat->{dir}/near.sock")[2] & 0777, 0600, 'its owner\'s only');
    my $s = IO::Socket::UNIX->new(Peer => "$hdcat->{dir}/near.sock") or die;
    my $c = accepted($server);
    print $c "hello\n";
    close $c;
    is until_end($s), "hello\n", 'passes';
    $w->stop;
    ok !-e "$hdcat->{dir}/near.sock", 'and is removed';
    $u->stop;
};

# RFC 1928, by hand: a client's bytes, and what they are answered.
subtest 'socks' => sub {
    my ($server, $p) = $hdcat->server;
    my $u = $hdcat->listener('--allow', "localhost:$p", '--allow', "127.0.0.1:$p", '--allow', '*:1');
    my $w = $hdcat->start('socks', '0', $u->{ticket});
    my $proxy = $w->says(qr/SOCKS5 at localhost:(\d+)/) or return fail $w->err;
    my $ask = sub ($type, $address, $port, $also = '') {
        my $s = $hdcat->connect($proxy);
        print $s "\5\2\2\0", "\5\1\0", $type, $address, pack('n', $port), $also;
        $s->flush;
        read $s, my $said, 12;
        return ($s, unpack 'H*', $said);
    };
    for (["\3", "\x09localhost", 'a name'], ["\1", "\x7f\0\0\1", 'an address']) {
        my ($s, $said) = $ask->($_->[0], $_->[1], $p, "early\n");
        is $said, '05000500000100000000' . '0000', "$_->[2]: well";
        my $c = accepted($server);
        is scalar readline $c, "early\n", '... and what came with it';
        close $c;
        is until_end($s), '', '... to the end';
    }
    my ($s, $said) = $ask->("\3", "\x0bexample.com", 80);
    is $said, '05000502000100000000' . '0000', 'what is not allowed';
    ($s, $said) = $ask->("\1", "\x7f\0\0\1", 1);
    is $said, '05000505000100000000' . '0000', 'nobody there';
    $s = $hdcat->connect($proxy);
    print $s "\4\1\0\x50\x7f\0\0\1\0";
    $s->flush;
    like until_end($s), qr/^(?:\(Connection reset.*)?$/, 'SOCKS4 is not spoken';
    $_->stop for $w, $u;
};

# The listener's ticket stays good when it is started again; who forwards waits
# for it.
subtest 'the listener starts again' => sub {
    my ($server, $p) = $hdcat->server;
    my @keep = ("--identity=$hdcat->{dir}/id", '--keep-ticket', '--allow', "localhost:$p");
    my $u = $hdcat->listener(@keep);
    my $w = $hdcat->start('forward', "0:localhost:$p", '@' . $u->{ticket_file});
    my $near = leads($w);
    $u->stop('KILL');
    ok $w->says(qr/the listener is gone/), 'it is gone' or diag $w->err;
    my $u2 = $hdcat->start('listen', '--ticket-file', $u->{ticket_file}, "--relay-key=$hdcat->{key}", @keep,
        $hdcat->{relay});
    ok $w->says(qr/the listener is here/), '... and here again' or diag $w->err, $u2->err;
    my $s = $hdcat->connect($near);
    my $c = accepted($server) or return fail 'nobody came: ' . $w->err . $u2->err;
    print $c "again\n";
    close $c;
    is until_end($s), "again\n", 'the same ticket';
    $_->stop for $w, $u2;
};

subtest 'the relay restarts' => sub {
    my ($server, $p) = $hdcat->server;
    my $u = $hdcat->listener('--allow', "*:$p");
    my $w = $hdcat->start('forward', "0:localhost:$p", $u->{ticket});
    my $s = $hdcat->connect(leads($w));
    my $c = accepted($server);
    all_written($s, "before\n");
    is scalar readline $c, "before\n", 'before';
    is $hdcat->{hd}->stop, 0, 'the relay ends';
    all_written($s, "meanwhile\n");
    $hdcat->{hd}->run->ready or BAIL_OUT($hdcat->{hd}->log_text);
    is scalar readline $c, "meanwhile\n", 'what was sent meanwhile arrives';
    print $c "back\n";
    close $c;
    is until_end($s), "back\n", '... both ways';
    $_->stop for $w, $u;
};

is $f->stop, 0, 'forward ends';
is $l->stop, 0, 'the listener ends';
unlike $_->err, qr/ERROR: |runtime error/, 'nothing was found' for $f, $l;
$hdcat->finish;
done_testing;

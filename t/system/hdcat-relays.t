#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-relays.t - a listener with two relays: when one dies, those who
# are there go on through the other, and who comes finds it where it is.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Hdcat;
use HyperDerp::Test;
use IO::Select;

my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
my $other = HyperDerp::Hdcat->new;

my ($web, $port) = $hdcat->server;
my $file = $hdcat->file('ticket');
my $l = $hdcat->start(
    'listen', '--allow', "localhost:$port", '--ticket-file', $file,
    "--relay-key=$hdcat->{key}", "--relay-key=$other->{key}",
    $hdcat->{relay}, $other->{relay}
);
HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($file) }) or BAIL_OUT($l->err);
my $ticket = HyperDerp::Test::whole_lines($file) =~ s/\n//r;

my $f = $hdcat->start('forward', "0:localhost:$port", $ticket);
my $way = $f->says(qr/localhost:(\d+) leads to/) // BAIL_OUT($f->err);

sub passes ($name) {
    my $near = $hdcat->connect($way);
    IO::Select->new($web)->can_read(60) or return fail "$name: nobody came: " . $f->err . $l->err;
    my $far = $web->accept;
    print {$near} "hello\n";
    $near->flush;
    is scalar readline $far, "hello\n", $name;
}

sub pings ($name) {
    my ($status, $out, $err) = $hdcat->run('ping', '-c', '1', $ticket);
    is $status, 0, $name or diag $err;
}

passes('a connection, by the first relay');
pings('... and a ping');

is $hdcat->{hd}->stop, 0, 'the first relay ends';
passes('a connection of the forward that was there, by the other relay');
pings('who comes goes to the other relay, too');

$hdcat->{hd}->run->ready or BAIL_OUT($hdcat->{hd}->log_text);
pings('the first relay is back, the listener is at the other: it is found there');
passes('... and the forward is, too');

subtest 'nobody at either' => sub {
    is $l->stop, 0, 'the listener ends';
    my ($status, undef, $err) = $hdcat->run('ping', '-c', '1', $ticket);
    is $status, 4, 'it is not found';
    like $err, qr/nobody listens with this ticket/, '... which is said';
};

subtest 'what is wrong' => sub {
    my ($status, undef, $err) = $hdcat->run('listen', ('localhost') x 5);
    is $status, 2, 'five relays';
    like $err, qr/one to four relays/, '... are too many';
    ($status, undef, $err) = $hdcat->run('listen', ("--relay-key=$hdcat->{key}") x 2, 'localhost');
    is $status, 2, 'a key too many';
    like $err, qr/more --relay-key than relays/, '... is said';
};

is $f->stop, 0, 'the forward ends';
$_->finish for $hdcat, $other;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/misuse.t - calls of a module that its headers forbid, where a client or an
# operator may cause them: they are refused, and the relay serves on.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use IO::Socket::IP;
use POSIX qw(EBUSY EINVAL ENOENT);
use Test::More;

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/misuse.so";
my ($port, $no_peer) = map { HyperDerp::Test::free_port() } 1 .. 2;
my $hd = HyperDerp::Test->new(workers => 1, no_tls => 1, load_module => [qw(derp misuse)],
    conf => qq(misuse: {listen: "127.0.0.1:$port"}\n));
$hd->{yaml} = $hd->yaml =~ s/^listen: \[/listen: [{addr: "127.0.0.1:$no_peer", protocol: misuse_no_peer}, /mr;
$hd->write_conf;
$hd->run->ready or die $hd->log_text;
my @clients = map { $hd->client } 1 .. 2;

sub connected ($to = $port) {
    return IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $to, Timeout => 60) // die "connect: $@";
}

# What a client hears: a number, or undef: it was closed.
sub after ($s, $letter) {
    syswrite $s, $letter;
    my $line = <$s> // return undef;
    return 0 + $line;
}

subtest 'a pipe' => sub {
    is after(connected(), 's'), -EINVAL, 'of one stream: refused';
    my ($one, $two, $three) = map { connected() } 1 .. 3;
    is after($one, 'k'), 0, 'one stream is kept';
    is after($two, 'p'), 0, '... and is a pipe with another';
    is after($three, 'p'), -EBUSY, '... and is in no other pipe';
    my ($in, $out) = map { connected() } 1 .. 2;
    is after($in, 'l'), 1, 'one logs in';
    is after($in, 'k'), 0, '... and is kept';
    is after($out, 'p'), -EBUSY, '... but is in no pipe';
};

subtest 'a login' => sub {
    is after(connected($no_peer), 'l'), undef, 'by a protocol that has no peers: closed';
    is after(connected(), 'r'), undef, 'in a realm that there is not: closed';
    ok $hd->log_like(qr/bug: a login without admitted\(\), deliver\(\) or gone\(\), or in no realm: proto=misuse_no_peer/),
        'the log has the protocol';
};

subtest 'a command' => sub {
    my $r = ctl($hd, qw(misuse argument));
    is $r->{data}{result}, 0, 'an argument that it does not have is not there';
    ok $hd->log_like(qr/bug: command "misuse" has no argument "waht"/), '... and the log says so';
    $r = ctl($hd, qw(misuse address));
    is $r->{data}{result}, -EINVAL, 'a listener without an address is refused';
    like $r->{data}{text}, qr/the module has a bug, report it to its author/, '... and says whose fault that is';
    is ctl($hd, qw(misuse tls))->{data}{result}, -ENOENT, 'so is a certificate for a listener that there is not';
};

$clients[0]->send($clients[1]->key, 'still here');
is $clients[1]->packet, 'still here', 'the clients of others have not noticed';
is $hd->stop, 0, 'the relay ends with status 0';
unlike $hd->log_text, qr/assertion failed|Sanitizer|runtime error:/, '... and nothing has failed';
done_testing;

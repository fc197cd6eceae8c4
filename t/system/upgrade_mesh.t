#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_mesh.t - hdctl upgrade of a relay of a mesh, and with the modules
# fallback and acme: what of theirs cannot move is named, closed and comes back.
use v5.36;
use FindBin;
use IO::Socket::IP;
use Test::More;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);

plan skip_all => 'no subreaper here' unless can_upgrade();

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';

sub relay (@modules) {
    my $hd = HyperDerp::Test->new(workers => 2, no_tls => 1, load_module => ['derp', 'mesh', @modules]);
    HyperDerp::Test::spew("$hd->{dir}/mesh.key", "$mesh_key\n");
    return $hd;
}

sub begin ($hd, $to, $more = '') {
    my $members = $to ? qq({name: "127.0.0.1:$to->{plain}", tls: false}) : '';
    $hd->{conf} = "derp: {mesh_key: $hd->{dir}/mesh.key}\nmesh:\n  members: [$members]\n  silence_max: 2m\n$more";
    $hd->write_conf;
    $hd->run->ready or die $hd->log_text;
    return;
}

sub is_up ($hd, $keys, $name) {
    my $l;
    return ok(HyperDerp::Test::wait_for(sub {
        ($l) = @{ ctl($hd, qw(mesh status))->{data} };
        $l && $l->{state} eq 'up' && $l->{keys} == $keys;
    }), $name) || diag explain $l, $hd->log_text;
}

# A packet that comes in the end: at first the way may not be known.
sub arrives ($from, $to, $name) {
    return ok HyperDerp::Test::wait_for(sub {
        $from->send($to->key, $name);
        ($to->packet(0.2) // '') eq $name;
    }), $name;
}

subtest 'a relay of a mesh' => sub {
    my ($one, $two) = (relay('acme'), relay());
    begin($one, $two);
    begin($two, undef);
    ok ctl($two, qw(mesh add), "127.0.0.1:$one->{plain}", '--plain')->{ok}, 'an operator adds a member';
    my ($alice, $bob) = map { HyperDerp::Raw->login($_) } $one, $two;
    is_up $one, 1, 'the one knows who is at the other';
    is_up $two, 1, '... and the other way round';
    arrives $alice, $bob, 'before';
    for my $round (1 .. 2) {
        for my $hd ($two, $one) {
            my $dry = try_upgrade($hd, '--dry-run');
            is ref $dry ? "$dry->{moved} $dry->{closed_clients}" : $dry, '1 0', 'the client would move, and nothing refuses';
            like join(' ', map { $_->{reason} } @{ $dry->{why} }), qr/another relay of the mesh, which dials again/,
                '... but links do not';
            is upgrade($hd)->{moved}, 1, "round $round";
            is_up $_, 1, 'the link is back' for $one, $two;
            my ($l) = @{ ctl($two, qw(mesh status))->{data} };
            is $l->{source}, 'operator', 'a member that only memory knows' if $hd == $two;
            arrives $alice, $bob, 'there';
            arrives $bob, $alice, 'and back';
        }
    }
    ok $_->ping, 'a client that has moved' for $alice, $bob;
    $_->finish for $one, $two;
};

# The way to a key elsewhere comes anew with the link; what that key owes goes over.
subtest 'who leaves at the other relay' => sub {
    my ($one, $two) = (relay(), relay());
    begin($two, undef);
    begin($one, $two);
    ok ctl($two, qw(mesh add), "127.0.0.1:$one->{plain}", '--plain')->{ok}, 'an operator adds a member';
    my ($alice, $bob) = map { HyperDerp::Raw->login($_) } $one, $two;
    is_up $one, 1, 'the one knows who is at the other';
    arrives $bob, $alice, 'bob says something';
    is upgrade($one)->{moved}, 1, 'alice moves';
    is_up $one, 1, 'the link is back';
    ok $alice->ping, 'alice is there';
    $bob->close;
    my $gone = $alice->expect(HyperDerp::Raw::PEER_GONE);
    is unpack('H*', substr $gone // '', 0, 32), $bob->key, 'bob leaves, and alice is told';
    $_->finish for $one, $two;
};

subtest 'what is passed on to a web server' => sub {
    my $www = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Listen => 5) or die $!;
    my $hd = relay('fallback');
    begin($hd, undef, "fallback: {http: {to: \"127.0.0.1:@{[$www->sockport]}\"}}\n");
    my $alice = HyperDerp::Raw->login($hd);
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{plain}) or die $!;
    print {$s} "GET /long HTTP/1.1\r\nHost: x\r\n\r\n";
    my $server = $www->accept;
    my $got = '';
    sysread $server, $got, 4096, length $got while $got !~ /\r\n\r\n/;
    like $got, qr{^GET /long }, 'the server has the request';
    my $dry = try_upgrade($hd, '--dry-run');
    is join(', ', map { "$_->{reason}: $_->{connections}" } @{ $dry->{why} }),
        'passed on or dialled by a module: 2', 'the pipe is named';
    my $said = upgrade($hd);
    is "$said->{moved} $said->{closed_others}", '1 2', '... and counted';
    is sysread($s, my $rest, 100), 0, '... and closed';
    ok $alice->ping, 'the client of the relay has moved';
    my $again = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $hd->{plain}) or die $!;
    print {$again} "GET /again HTTP/1.1\r\nHost: x\r\n\r\n";
    $server = $www->accept;
    like scalar(readline $server), qr{^GET /again }, 'the new process passes on';
    $hd->finish;
};

done_testing;

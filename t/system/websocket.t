#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/websocket.t - WebSocket as messages, with a client that is not ours:
# t/lib/client/websocket.py.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use IPC::Open2;

my $python = '/usr/bin/python3';
plan skip_all => 'not installed: python3-websockets'
    if system("$python -c 'import websockets' 2>/dev/null") != 0;
plan skip_all => 'not built: t/lib/modules/messages.so'
    unless -e "$HyperDerp::Live::modules/messages.so";

my $live = HyperDerp::Live->new;

my %does = (
    reload => sub ($hd) {
        $live->make('messages', build => 2);
        my $r = ctl($hd, qw(module reload messages));
        ok $r->{ok}, 'module reload' or diag explain $r;
    },
    drain => sub ($hd) { ok ctl($hd, 'drain')->{ok}, 'drain' },
);

# The client's lines become tests.
sub talk ($hd, $url, @parts) {
    my $pid = open2(my $out, my $in, $python, "$HyperDerp::Test::srcdir/t/lib/client/websocket.py", $url, @parts);
    $in->autoflush(1);
    my $ended;
    while (my $line = readline $out) {
        chomp $line;
        if ($line =~ /^(not )?ok (.*)/) { ok !$1, $2 }
        elsif ($line =~ /^do (\w+)/) { $does{$1}->($hd); print {$in} "done\n" }
        else { $ended = $line eq 'end' }
    }
    waitpid $pid, 0;
    ok $ended && $? == 0, 'the client has come to its end';
}

subtest plain => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [$live->make('messages', build => 1)],
        conf => "drain_time: 0s\n");
    talk($hd, "ws://127.0.0.1:$hd->{plain}/messages");
    ok $hd->log_like(qr/messages: closed why=closed by peer code=4002 reason=their reason/),
        'the module hears the code and reason of the peer';
    ok $hd->log_like(qr/messages: closed why=$_ /), "... and its own reason: $_" for qw(room_full flood unknown);
    $hd->finish;
    is $hd->metric('hyper_derp_websocket_part_bytes'), 0, 'nothing is held of messages';
};

# Both record layers.
for my $layer (qw(own openssl)) {
    subtest "TLS: $layer" => sub {
        my $hd = HyperDerp::Test->start(load_module => [$live->make('messages', build => 1)],
            conf => "tls: {record_layer: $layer}\n");
        talk($hd, "wss://127.0.0.1:$hd->{tls}/messages", qw(borders closing relayed reload));
        $hd->finish;
    };
}

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_hd.t - hdctl upgrade with clients of HD: whom each allows goes
# over, and who waits to be approved.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Say;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade fake try_upgrade upgrade);
use Socket ();
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

sub number ($hd, $name) {
    my $n = 0;
    $n += $_->{value} for grep { $_->{name} eq $name } @{ ctl($hd, 'metrics')->{data} };
    return $n;
}

subtest 'clients, and whom they allow' => sub {
    my $hd = HyperDerp::Test->start(load_module => [qw(derp hd)], workers => 2, conf => "hd: {enroll: anybody}\n");
    my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
    my @relay = ("--relay-key=$relay_key", "localhost:$hd->{tls}");
    my $b = HyperDerp::Say->new($hd->dir, 'b', '--allow', @relay);
    ok $b->says(qr/^state open/), 'one' or diag $b->text;
    my $a = HyperDerp::Say->new($hd->dir, 'a', @relay, $b->key);
    ok $a->says(qr/^peer here \Q@{[$b->key]}/), 'another one, which the first allows' or diag $a->text;
    my $derp = $hd->client;
    my $was = number($hd, 'hyper_derp_hd_contacts');
    is $was, 2, 'two contacts';
    like fake($hd, 'cannot'), qr/it cannot take them/, 'it is written down, and taken back';
    like fake($hd, 'packs'), qr/^hdctl: 2 of 3 clients cannot move \(a module keeps data beside it/,
        'a binary that reads no contacts of this version';
    for my $workers (3, 1) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        my $dry = try_upgrade($hd, '--dry-run');
        is ref $dry ? "$dry->{moved} $dry->{closed_clients}" : $dry, '3 0', 'all would move';
        my $said = upgrade($hd);
        is $said->{moved}, 3, "$workers workers: they do";
        cmp_ok $said->{ahead}, '>=', 2, '... while the old process serves, but for who has just said something';
        $a->line("there $workers");
        ok $b->says(qr/^packet \w+ there $workers$/), 'a packet, by the handle of before' or diag $b->text, $hd->log_text;
        $b->line("and back $workers");
        ok $a->says(qr/^packet \w+ and back $workers$/), '... and back' or diag $a->text;
        is number($hd, 'hyper_derp_hd_contacts'), $was, 'contacts are counted';
        is number($hd, 'hyper_derp_hd_clients'), 2, '... and clients';
    }
    unlike $_->text, qr/^state (?!open)/m, 'nobody has connected again' for $a, $b;
    my $c = HyperDerp::Say->new($hd->dir, 'c', @relay, $b->key);
    ok $b->says(qr/^knock \Q@{[$c->key]}/), 'a new client knocks' or diag $b->text;
    $c->line('hello');
    ok $b->says(qr/^packet \Q@{[$c->key]}\E hello$/), '... and its packet comes';
    is $_->end, 0, 'it ends' for $a, $c;
    ok $b->says(qr/^peer gone/), 'who has left is told';
    is $b->end, 0, 'the last one ends';
    ok HyperDerp::Test::wait_for(sub { number($hd, 'hyper_derp_hd_contacts') == 0 }), 'nothing is left of them';
    $hd->finish;
};

# Its keys, counters and ids go over: nothing is agreed anew, whatever worker a
# client is at home in then. A stall of 700 ms ends a way as well: that is tried
# again.
subtest 'clients that use UDP' => sub {
    my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
    my $hd = HyperDerp::Test->start(load_module => ['hd'], workers => 2,
        conf => "hd: {enroll: anybody, udp: '127.0.0.1:$port'}\n");
    my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
    my @relay = ("--relay-key=$relay_key", "127.0.0.1:$hd->{tls}");
    my $by = sub ($transport, $n) {
        return HyperDerp::Test::wait_for(sub { $n == grep { $_->{transport} eq $transport } @{ ctl($hd, 'peers')->{data} } });
    };
    my $n = 0;
    my $arrives = sub ($from, $to, $what) {    # until the client has noticed a stall, what it sends by UDP is lost
        return HyperDerp::Test::wait_for(sub { my $line = "$what " . ++$n; $from->line($line); return $to->text =~ /^packet \w+ \Q$what\E \d/m });
    };
    my $b = HyperDerp::Say->new($hd->dir, 'ub', '--allow', @relay);
    ok $b->says(qr/^state open/), 'one' or diag $b->text;
    my $a = HyperDerp::Say->new($hd->dir, 'ua', @relay, $b->key);
    ok $a->says(qr/^peer here/), 'another one' or diag $a->text;
    ok $by->('udp', 2), 'both by UDP' or diag $hd->log_text;
    my ($found, $went_on, $ahead) = (2, 0, 0);
    for my $round (1 .. 12) {
        $hd->{workers} = (3, 1, 2, 4)[$round % 4];
        $hd->write_conf;
        my %was = map { $_ => number($hd, "hyper_derp_hd_udp_$_") } qw(packets_received_total packets_sent_total);
        my $said = upgrade($hd);
        is $said->{moved}, 2, 'they move';
        $ahead += $said->{ahead};
        ok $arrives->($a, $b, "there $round"), 'packets pass' or diag $hd->log_text;
        ok $arrives->($b, $a, "back $round"), '... and back' or diag $hd->log_text;
        my $same = number($hd, 'hyper_derp_hd_udp_paths_found_total') == $found;
        $went_on += $same && !grep { number($hd, "hyper_derp_hd_udp_$_") <= $was{$_} } keys %was;
        last if $went_on == 4;
        ok $by->('udp', 2), 'both by UDP again' or diag $hd->log_text;
        $found = number($hd, 'hyper_derp_hd_udp_paths_found_total');
    }
    is $went_on, 4, 'four times they have gone on by the same ways by UDP' or diag $hd->log_text;
    cmp_ok $ahead, '>', 0, '... and some while the old process served' or diag $hd->log_text;
    is number($hd, 'hyper_derp_hd_udp_clients'), 2, 'they are counted';
    is number($hd, 'hyper_derp_hd_udp_dropped_total'), 0, 'no datagram was forged, or another one again';
    unlike $_->text, qr/^state (?!open)/m, 'nobody has connected again' for $a, $b;
    my $c = HyperDerp::Say->new($hd->dir, 'uc', @relay, $b->key);
    ok $by->('udp', 3), 'a new client has UDP, and another id' or diag $hd->log_text, $c->text;
    is $_->end, 0, 'it ends' for $a, $b, $c;
    ok HyperDerp::Test::wait_for(sub { number($hd, 'hyper_derp_hd_udp_clients') == 0 }), 'nothing is left of them';
    $hd->finish;
};

subtest 'who waits for a person' => sub {
    my $hd = HyperDerp::Test->start(load_module => [qw(derp hd)], workers => 1, conf => "hd: {enroll: approved}\n");
    my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
    my $a = HyperDerp::Say->new($hd->dir, 'w', "--relay-key=$relay_key", "localhost:$hd->{tls}");
    my $key = $a->key;
    my $waits = sub { grep { $_->{identity} eq $key } @{ ctl($hd, qw(hd pending))->{data} } };
    ok HyperDerp::Test::wait_for($waits), 'it waits' or diag $hd->ctl(qw(hd pending)), $a->text;
    my $said = upgrade($hd);
    is $said->{closed_clients}, 0, 'it is no client yet';
    ok HyperDerp::Test::wait_for($waits), 'the new process knows of it' or diag $hd->ctl(qw(hd pending));
    ok ctl($hd, qw(hd approve), $key)->{ok}, 'it is approved';
    ok $a->says(qr/^state open/), '... and comes in' or diag $a->text, $hd->log_text;
    is upgrade($hd)->{moved}, 1, 'it moves';
    is $a->end, 0, 'it ends';
    $hd->finish;
};

done_testing;

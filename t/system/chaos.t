#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/chaos.t - many clients that do whatever comes to their mind, all at
# once, while two behave and must not notice. HD_SEED repeats a run, HD_SECONDS
# makes it longer.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use constant { KEYS => 40, CLIENTS => 120, DISCO => "TS\xf0\x9f\x92\xac" . 'd' x 60 };

my $seed = $ENV{HD_SEED} // time ^ $$;
srand $seed;
note "HD_SEED=$seed";

my $hd = HyperDerp::Test->start(workers => 4,
    conf => "login_timeout: 1s\nwrite_timeout: 300ms\nsockbuf: 64KiB\nderp: {keepalive: 1s}\n");
my @logins = HyperDerp::Raw::logins($hd, KEYS + 2);
my ($alice, $bob) = map { login(pop @logins) } 1 .. 2;
my @clients;
my %did;

# A machine may stall for longer than login_timeout, but not each time.
sub login ($login) {
    for (1 .. 5) {
        my $c = eval { HyperDerp::Raw->login($hd, $login) };
        return $c if $c;
    }
    die "no login\n";
}

sub any (@list) { return $list[rand @list] }
sub key () { return any(@logins)->{key} }

sub bytes ($n) { return join '', map { chr int rand 256 } 1 .. $n }

# What is written may be too much: nobody waits for it.
my %deeds = (
    packet => sub ($c) { $c->write_some(HyperDerp::Raw::packet_frame(key(), 'p' x rand 3000)) },
    packets => sub ($c) { $c->write_some(HyperDerp::Raw::packet_frame(key(), 'q' x 1000) x 60) },
    large => sub ($c) { $c->write_some(HyperDerp::Raw::packet_frame(key(), 'l' x 65536)) },
    disco => sub ($c) { $c->write_some(HyperDerp::Raw::packet_frame(any(key(), 'ab' x 32), DISCO)) },
    ping => sub ($c) { $c->write_some(pack 'CNa8', 18, 8, 'pingping') },
    prefer => sub ($c) { $c->write_some(pack 'CNC', 7, 1, rand 2) },
    unknown => sub ($c) { my $n = int rand 5000; $c->write_some(pack('CN', 100, $n) . 'u' x $n) },
    half => sub ($c) { $c->write_some(pack 'CN', any(4, 18, 100), any(40, 100)) },
    wrong => sub ($c) { $c->write_some(pack('CN', any(4, 7, 16, 17, 18), any(0, 3, 2000, 0xffffffff))) },
    garbage => sub ($c) { $c->write_some(bytes(any(1, 50, 3000))) },
    read => sub ($c) { $c->fill; $c->{in} = '' },
    end => sub ($c) { shutdown $c->socket, 1 },
    close => sub ($c) { $c->close; undef $c->{socket} },
    reset => sub ($c) {
        setsockopt $c->socket, SOL_SOCKET, SO_LINGER, pack 'II', 1, 0;
        $c->close;
        undef $c->{socket};
    },
);
my @deeds = sort keys %deeds;
push @deeds, ('packet') x 8, ('read') x 12, ('packets', 'ping', 'disco') x 2;

my %arrivals = (
    plain => sub { HyperDerp::Raw->start($hd, any(@logins)) },
    eager => sub {
        my $c = HyperDerp::Raw->start($hd, any(@logins));
        $c->write_some(HyperDerp::Raw::packet_frame(key(), 'e' x 500) x any(1, 10));
        return $c;
    },
    cut => sub {
        my $c = HyperDerp::Raw->open($hd);
        my $l = any(@logins);
        $c->write_some(substr $l->{head} . $l->{info}, 0, rand 200);
        return $c;
    },
    silent => sub { HyperDerp::Raw->open($hd) },
    tls => sub { my $c = HyperDerp::Raw->open($hd, port => $hd->{tls}); $c->write_some("\x16\3\1\2\0\1" . bytes(20)); $c },
    http => sub { my $c = HyperDerp::Raw->open($hd); $c->write_some("GET /derp/probe HTTP/1.1\r\nHost: x\r\n\r\n"); $c },
);
my @arrivals = (sort(keys %arrivals), ('plain', 'eager') x 4);

my $until = time + ($ENV{HD_SECONDS} // 3);
my ($n, $lost, $deeds) = (0, 0, 0);
while (time < $until && !$lost) {
    for (1 .. 40) {
        if (@clients < CLIENTS && rand() < 0.4) {
            my $how = any(@arrivals);
            $did{$how}++;
            push @clients, $arrivals{$how}->();
        }
        next unless @clients;
        my $i = int rand @clients;
        my $what = any(@deeds);
        $did{$what}++;
        $deeds++;
        $deeds{$what}->($clients[$i]);
        splice @clients, $i, 1 if !$clients[$i]{socket} || rand() < 0.02;
    }
    $hd->signal('HUP') if rand() < 0.05;
    $alice->send($bob->key, ++$n);
    ($bob->packet // 'nothing') eq $n or $lost++;
    $bob->send($alice->key, $n);
    ($alice->packet // 'nothing') eq $n or $lost++;
}
is $lost, 0, "$n packets each way, while others did $deeds things" or diag "HD_SEED=$seed";
note join ' ', map { "$_=$did{$_}" } sort keys %did;
@clients = ();
ok $alice->ping && $bob->ping, 'both are still served';
ok !defined $hd->exited, 'the relay is up' or diag "HD_SEED=$seed\n" . substr $hd->log_text, -3000;
my $late = login($logins[0]);
ok $late->ping, 'a new login';
$hd->finish;
note $hd->metric('hyper_derp_logins_total') . ' logins';
done_testing;

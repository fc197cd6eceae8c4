#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/own_port.t - a protocol on a port that its module has opened: the example
# pair.c. Its clients stay over a reload and go to the process of an upgrade.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use IO::Socket::IP;
use Test::More;

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/pair.so";
my $port = HyperDerp::Test::free_port();
my $hd = HyperDerp::Test->start(workers => 3, no_tls => 1, load_module => [qw(derp pair)],
    conf => qq(pair: {listen: "127.0.0.1:$port"}\n));

# What comes behind the word is sent with it.
sub half ($word, $more = '') {
    my $s = IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port, Timeout => 60) // die "connect: $@";
    syswrite $s, "$word\n$more";
    return $s;
}
sub line ($s) { return scalar(<$s>) // 'the end' }
sub talk ($one, $two, $what) {
    syswrite $one, "$what\n";
    is line($two), "$what\n", "$what: there";
    syswrite $two, "$what, too\n";
    is line($one), "$what, too\n", '... and back';
    return;
}

my $tea = half('tea a');
is line($tea), "welcome\n", 'one half comes';
syswrite $tea, "early\n";
is line($tea), "nobody is there\n", '... and is alone';
my $cup = half('tea b', "at once\n");
is line($cup), "welcome\n", 'the other half comes';
is line($tea), "at once\n", '... and what it sent with its word arrives';
talk($tea, $cup, 'hello');
is line(half('no half')), 'the end', 'who says no half is closed';
is line(half('x' x 40)), 'the end', '... and so is who goes on and on';
ok $hd->log_like(qr/why=bad_word/), '... and the log says why';

is ctl($hd, qw(module reload pair))->{ok}, JSON::PP::true, 'the module is reloaded';
talk($tea, $cup, 'after the reload');

subtest 'an upgrade' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    for my $workers (3, 2) {
        $hd->{workers} = $workers;
        $hd->write_conf;
        my $dry = try_upgrade($hd, '--dry-run');
        is ref $dry ? $dry->{moved} : $dry, 2, "$workers workers: both would move";
        is upgrade($hd)->{moved}, 2, '... and do';
        talk($tea, $cup, 'after the upgrade');
    }
    my $third = half('tea c a');
    is line($third), "welcome\n", 'the port takes new ones';
};

close $cup;
is line($tea), "it has left\n", 'one half leaves';
$hd->finish;
done_testing;

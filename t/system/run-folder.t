#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/run-folder.t - root starts a relay by hand: the folder of the control
# socket is made, for the user that the relay becomes.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

plan skip_all => 'needs root' if $> != 0;
plan skip_all => 'needs a mount namespace' if system("unshare -m mount -t tmpfs tmpfs /run 2>/dev/null");
my $uid = getpwnam('nobody') // plan skip_all => 'no user nobody';

my $hd = HyperDerp::Test->new(no_tls => 1, workers => 1, conf => "user: nobody\n");
$hd->{yaml} = $hd->yaml =~ s/^control:.*\n//mr;
$hd->write_conf;
# a /run of its own, with nothing in it
$hd->{wrap} = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh'];
$hd->run->ready or BAIL_OUT($hd->log_text);

my $run = "/proc/$hd->{pid}/root/run/hyper-derp";
ok -S "$run/control.sock", 'there is a socket' or diag $hd->log_text;
my @st = stat $run;
is sprintf('%o', $st[2] & 07777), '755', 'its folder is for everybody to enter';
is $st[4], $uid, '... and the user\'s, who removes the socket at the end';
like qx($HyperDerp::Test::build/hdctl --socket $run/control.sock status), qr/^state +serving$/m, 'hdctl is answered';
$hd->finish;
done_testing;

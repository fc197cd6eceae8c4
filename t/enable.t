#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/enable.t - hdctl module enable and disable: now, and at the next start.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/lib";
use HyperDerp::Live;
use HyperDerp::Test;

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/good.so";
my $dir = File::Temp->newdir('hd-enable-XXXXXX', TMPDIR => 1);
mkdir "$dir/$_" or die "$dir/$_: $!" for qw(enabled available);
$ENV{HDCTL_MODULES_ENABLED}   = "$dir/enabled";
$ENV{HDCTL_MODULES_AVAILABLE} = "$dir/available";
HyperDerp::Test::spew("$dir/available/good.yaml", "load_module: [good]\ngood: {number: 7}\n");

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp'], conf => "include: $dir/enabled/*.yaml\n");

sub loaded () { return join ' ', map { $_->{name} } @{ ctl($hd, qw(module status))->{data} } }

sub like_exit ($code, $want, $name, @words) {
    like $hd->ctl(@words), $want, $name;
    is $?, $code, "... exit status $code";
    return;
}

subtest 'no relay runs' => sub {
    like_exit 0, qr/at the next start/, 'enable', qw(module enable good);
    is readlink "$dir/enabled/good.yaml", "$dir/available/good.yaml", 'a link to what the package has';
    like_exit 0, qr/at the next start/, 'twice', qw(module enable good);
    like_exit 2, qr/no module's name/, 'no name', qw(module enable ../x);
    like_exit 2, qr/one name/, 'two names', qw(module enable a b);
    like_exit 1, qr/is not enabled/, 'disable of what is not enabled', qw(module disable needs);
};

subtest 'one runs' => sub {
    $hd->run;
    $hd->ready or BAIL_OUT('the relay does not start: ' . $hd->log_text);
    is loaded(), 'derp good', 'what was enabled is loaded';
    like $hd->ctl(qw(config show)), qr/^good:\n +number: 7$/m, '... with its section';
    like_exit 0, qr/^ok$/, 'enable', qw(module enable needs);
    is loaded(), 'derp good needs', '... loads';
    is HyperDerp::Test::slurp("$dir/enabled/needs.yaml"), "load_module: [needs]\n",
        '... a file, where there is nothing to link to';
    like_exit 1, qr/required by needs/, 'disable of what is required', qw(module disable good);
    ok -l "$dir/enabled/good.yaml", '... changes nothing';
    like_exit 0, qr/^ok$/, 'disable', qw(module disable needs);
    is loaded(), 'derp good', '... unloads';
    ok !-e "$dir/enabled/needs.yaml", '... for the next start, too';
    like_exit 1, qr/no file missing\.so.*missing is not enabled/s, 'one that cannot be loaded',
        qw(module enable missing);
    ok !-e "$dir/enabled/missing.yaml", '... would stop the next start: not enabled';
    is loaded(), 'derp good', '... and the relay is as before';
    like_exit 0, qr/^ok$/, 'disable', qw(module disable good);
    ok -e "$dir/available/good.yaml", '... leaves what the package has';
    like_exit 0, qr/^ok$/, 'enable again', qw(module enable good);
    like $hd->ctl(qw(config show)), qr/^good:\n +number: 7$/m, '... with its section';
    $hd->finish;
};

subtest 'the next start' => sub {
    delete @$hd{qw(status pid)};
    $hd->run;
    ok $hd->ready, 'it starts';
    is loaded(), 'derp good', 'with what is enabled';
    $hd->finish;
};

done_testing;

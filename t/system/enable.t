#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/enable.t - hdctl module enable and disable: now, and at the next
# start.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Test;
use POSIX ();

plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/good.so";
my $dir = File::Temp->newdir('hd-enable-XXXXXX', TMPDIR => 1);
mkdir "$dir/$_" or die "$dir/$_: $!" for qw(enabled available);
$ENV{HDCTL_MODULES_ENABLED}   = "$dir/enabled";
$ENV{HDCTL_MODULES_AVAILABLE} = "$dir/available";
HyperDerp::Test::spew("$dir/available/good.yaml", "load_module: [good]\ngood: {number: 7}\n");

our $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp'], conf => "include: $dir/enabled/*.yaml\n");

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
    like_exit 2, qr/not a module's name/, 'no name', qw(module enable ../x);
    like_exit 2, qr/one name/, 'two names', qw(module enable a b);
    like_exit 1, qr/is not enabled there/, 'disable of what is not enabled', qw(module disable needs);
    local $ENV{HDCTL_MODULES_ENABLED} = "$dir/nowhere/modules-enabled";
    like_exit 1, qr{nowhere/modules-enabled: there is no such folder; .*load_module, or set HDCTL_MODULES_ENABLED},
        'a configuration elsewhere', qw(module enable good);
    ok !-e "$dir/nowhere", '... nothing is made there';
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

subtest 'a relay whose configuration is elsewhere' => sub {
    my $relay = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
    local $hd = $relay;
    local $ENV{HDCTL_MODULES_ENABLED} = "$dir/nowhere/modules-enabled";
    like_exit 1, qr{no such folder; .* elsewhere \(\Q$relay->{file}\E\), list good in its load_module},
        'the answer names its file', qw(module enable good);
    is loaded(), 'derp', '... and nothing is loaded';
    $relay->finish;
};

# In a network of its own: --dev has fixed ports.
subtest 'a relay without a file' => sub {
    plan skip_all => 'no namespaces here (be root)' if system 'unshare -n true 2>/dev/null';
    my $relay = HyperDerp::Test->new;
    my $pid   = fork // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>>', $relay->{log};
        exec 'unshare', '-n', "$HyperDerp::Test::build/hyper-derp", '--dev', '--state-dir', $relay->dir
            or POSIX::_exit(127);
    }
    $relay->adopt($pid);
    ok $relay->log_like(qr/ notice ready$/m), '--dev' or diag $relay->log_text;
    local $hd = $relay;
    for ("$dir/enabled", "$dir/nowhere/modules-enabled") {
        local $ENV{HDCTL_MODULES_ENABLED} = $_;
        like_exit 1, qr/reads no configuration \(--dev\); until it ends: hdctl module load wg$/m,
            'what loads it until the end is named', qw(module enable wg);
        ok !-e "$_/wg.yaml", '... and no file is left';
    }
    $relay->finish;
};

subtest 'the next start' => sub {
    delete @$hd{qw(status pid)};
    $hd->run;
    ok $hd->ready, 'it starts';
    is loaded(), 'derp good', 'with what is enabled';
    $hd->finish;
};

# Nobody has written an `include`: README's file, and all that were there before.
subtest 'a file that includes nothing' => sub {
    my $relay = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
    local $hd = $relay;
    local $ENV{HDCTL_MODULES_ENABLED} = $relay->dir . '/modules-enabled';
    like_exit 0, qr/^ok$/, 'enable', qw(module enable good);
    is loaded(), 'derp good', '... loads';
    is((stat "$ENV{HDCTL_MODULES_ENABLED}/good.yaml")[2] & 0444, 0444, '... for every user to read');
    like_exit 0, qr/^ok$/, 'enable of what the file lists', qw(module enable derp);
    $relay->finish;
    $relay->run;
    ok $relay->ready, 'it starts again' or diag $relay->log_text;
    is loaded(), 'derp good', '... with it';
    $relay->finish;
};

subtest 'a file that includes something else' => sub {
    my $relay = HyperDerp::Test->start(no_tls => 1, load_module => ['derp'], conf => "include: []\n");
    local $hd = $relay;
    local $ENV{HDCTL_MODULES_ENABLED} = $relay->dir . '/modules-enabled';
    my $line = qr{include: \["\Q$ENV{HDCTL_MODULES_ENABLED}\E/\*\.yaml"\]};
    like_exit 1, qr/\Q$relay->{file}\E does not include.*$line.*needs is not enabled/s,
        'enable says which line is missing where', qw(module enable needs);
    is loaded(), 'derp', '... and loads nothing that the next start would not';
    ok !-e "$ENV{HDCTL_MODULES_ENABLED}/needs.yaml", '... and leaves nothing';
    $relay->finish;
    my $main = HyperDerp::Test::spew($relay->dir . '/hyper-derp.yaml', $relay->yaml);
    like_exit 1, qr/\Q$main\E does not include.*$line/s, 'without a relay, too', qw(module enable good);
    HyperDerp::Test::spew($main, $relay->yaml =~ s/^include.*\n//mr);
    like_exit 0, qr/^ok/, '... unless it does', qw(module enable good);
};

# The first load_module of all files is in place of the default list.
subtest 'the default list goes' => sub {
    my $relay = HyperDerp::Test->new(no_tls => 1, conf => "include: more/*.yaml\n");
    local $hd = $relay;
    local $ENV{HDCTL_MODULES_ENABLED} = $relay->dir . '/more';
    $relay->{yaml} = $relay->yaml =~ s/^load_module.*\n//mr;
    $relay->write_conf;
    ok $relay->run->ready, 'derp and stun are loaded without being listed' or diag $relay->log_text;
    like_exit 0, qr/^derp is loaded, but .*gone at the next start.*\nstun is .*\nok$/, 'enable says who goes by it',
        qw(module enable good);
    like $relay->ctl(qw(module status derp)), qr/^listed +no$/m, '... and module status, too';
    $relay->finish;
};

done_testing;

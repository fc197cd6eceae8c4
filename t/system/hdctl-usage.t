#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdctl-usage.t - COMMAND --help explains and does nothing; an answer
# that cannot be written is no success.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1);

sub without_relay (@words) {
    return qx(timeout 20 $HyperDerp::Test::build/hdctl --socket /nonexistent @words 2>&1);
}

subtest 'commands of the relay' => sub {
    like $hd->ctl('drain', '--help'), qr/^usage: hdctl drain \[--for DURATION\] \[--exit\]\n\nrefuse logins/,
        'drain --help';
    is $?, 0, '... exit 0';
    like $hd->ctl('drain', '--for', '5s', '-h'), qr/^usage: hdctl drain /, 'behind arguments';
    like $hd->ctl('status'), qr/^state +serving$/m, '... and nothing is drained';
    like $hd->ctl('module', '--help'), qr/module load MODULE.*module enable NAME/s,
        'the beginning of commands: all of them';
    like $hd->ctl('nosuch', '--help'), qr/there is no command "nosuch"/, 'no command';
    is $?, 2, '... exit 2';
};

subtest 'our own need no relay' => sub {
    for ('module enable', 'module new', 'derpmap', 'top', 'watch', 'completion', 'wg client-config phone') {
        my ($words) = /^(.*?)(?: phone)?$/;
        like without_relay($_, '--help'), qr/^usage: hdctl $words /, "$_ --help";
        is $?, 0, '... exit 0';
    }
    like without_relay('drain', '--help'), qr/is the relay running/, 'others do';
    my $said = without_relay('help');
    is $? >> 8, 3, 'help: exit 3, for it cannot say what a relay offers';
    like $said, qr/is the relay running.*^without a relay:\n.*^  setup .*/ms, '... but what there is without one';
    unlike $said, qr/^  (?:watch|derpmap|top) /m, '... and no more';
    like without_relay('help', 'module'), qr/^  module enable NAME /m, 'so for the beginning of a command';
};

subtest 'an option that is wrong' => sub {
    like without_relay(qw(derpmap --host)), qr/^hdctl: --host: its value is missing; see hdctl derpmap --help$/m, 'no value';
    like without_relay(qw(derpmap --hosts x)), qr/^hdctl: --hosts: no such option; see hdctl derpmap --help$/m, 'no option';
    for ('setup', 'doctor', 'derpmap', 'wg client-config phone') {
        like without_relay($_, q('')), qr/^hdctl: : no such option; /m, "$_ '': an empty word";
    }
};

subtest 'what may stand behind --help' => sub {
    unlike $hd->ctl('complete', '--', 'drain', '--help', ''), qr/usage/, 'is no question for help';
};

subtest 'what was meant' => sub {
    like $hd->ctl('modules'), qr/there is no command "modules"; is "module" meant\?/, 'the first word alone';
    is $?, 2, '... exit 2';
    for ('bad host', '', 'relay/derp') {
        like $hd->ctl('derpmap', '--host', $_), qr/--host "\Q$_\E": neither the name of a host nor an address/,
            "derpmap --host '$_'";
        is $?, 2, '... exit 2';
    }
    for ('-s /nowhere status', '--sokcet /nowhere status') {
        my ($option) = split / /;
        like without_relay($_), qr/^hdctl: there is no option $option; there are: --socket PATH, --json/,
            "$option: said at once, whether a relay runs or not";
        is $? >> 8, 2, '... exit 2';
    }
};

subtest 'a full disk' => sub {
    plan skip_all => 'no /dev/full' unless -c '/dev/full';
    my $hdctl = "$HyperDerp::Test::build/hdctl --socket " . $hd->control;
    for ('status', 'config schema', '--json status', 'top -1', 'help') {
        my $said = qx($hdctl $_ 2>&1 >/dev/full);
        is $? >> 8, 1, "$_: exit 1";
        like $said, qr/^hdctl: the output is not complete: (?:No space left|it could not be written)/, '... and says so';
    }
    for ('--help', '--version') {
        my $said = qx($HyperDerp::Test::build/hdbench $_ 2>&1 >/dev/full);
        is $? >> 8, 1, "hdbench $_: exit 1";
        like $said, qr/^hdbench: the output is not complete: /, '... and says so';
    }
};

$hd->finish;
done_testing;

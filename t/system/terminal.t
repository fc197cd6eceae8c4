#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/terminal.t - hdctl in a real terminal: top's page in any size, its
# keys; and what Ctrl-C ends.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Terminal;
use HyperDerp::Test;

my $missing = HyperDerp::Terminal::missing();
plan skip_all => $missing if $missing;

my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1);
my @clients = map { $hd->client } 1 .. 30;
my $hdctl = "$HyperDerp::Test::build/hdctl";
$ENV{HDCTL_SOCKET} = $hd->control;
$ENV{HOME} = $hd->dir;

sub talk () {
    for my $i (0 .. 14) {
        $clients[2 * $i]->send($clients[2 * $i + 1]->key, 'x' x 100);
        $clients[2 * $i + 1]->packet;
    }
}

# Whatever its size: the summary on top, the keys at the bottom, nothing wrapped.
# A frame may be half drawn when it is looked at: until it is whole.
sub page_is ($t, $columns, $rows, $name) {
    my ($text, @lines);
    my $whole = HyperDerp::Test::wait_for(sub {
        $text = $t->text;
        @lines = split /\n/, $text, -1;
        pop @lines if $lines[-1] eq '';
        return @lines == $rows && $lines[0] =~ /^serving +up / && $lines[1] =~ /^packets\/s +in /
            && $lines[2] =~ /^drops\/s / && $lines[4] =~ /^key +bytes_in\/s/ && $lines[-1] =~ /^q quit  sort:/
            && $text =~ /^src +dst +packets\/s/m;
    });
    ok $whole, "$name: the summary, peers, pairs and the keys" or diag $text;
    is scalar(grep { length > $columns } @lines), 0, '... no line is too long';
    my @rows = grep { /^[0-9a-f]{12} / } @lines;
    is scalar @rows, scalar(grep { /^\S{12}  +\S/ } @rows), '... each row is one line';
    return @lines;
}

subtest 'top' => sub {
    $hd->ctl('pairs');    # counting begins
    my $t = HyperDerp::Terminal->new(80, 24, $hdctl, 'top');
    talk();
    HyperDerp::Test::wait_for(sub { talk(); $t->text =~ /^src +dst/m });
    my @lines = page_is($t, 80, 24, '80x24');
    unlike $lines[4], qr/agent/, '... and columns that fit';
    like $lines[-1], qr/\[r rate\].* k key/, 'all keys are named, the order in effect is marked';
    $t->keys('d');
    ok $t->shows(qr/\[d drops\]/m), 'a key sorts';
    $t->keys('Right');
    ok $t->shows(qr/\[k key\]/m), '... an arrow too';
    my ($first) = sort map { substr $_->key, 0, 12 } @clients;
    ok $t->shows(qr/^key .*\n$first /m), '... and it is sorted' or diag $t->text;
    $t->resize(200, 50);
    @lines = page_is($t, 200, 50, '200x50');
    like $lines[4], qr/ agent$/, '... and all columns';
    $t->resize(60, 12);
    page_is($t, 60, 12, '60x12');
    $t->keys('q');
    is $t->ended, 0, 'q ends it';
    unlike $t->text, qr/q quit/, '... and the page is gone';
    $t->close;
};

subtest 'top: other ends' => sub {
    my $t = HyperDerp::Terminal->new(80, 24, $hdctl, 'top', '--sort', 'drops');
    ok $t->shows(qr/\[d drops\]/m), '--sort begins with an order';
    $t->keys('C-c');
    is $t->ended, 0, 'Ctrl-C ends it';
    $t->close;
    like $hd->ctl(qw(top --sort nosuch)), qr/--sort nosuch: there are rate, in, out/, 'no such order';
    is $?, 2, '... is refused';
    my $text = qx($hdctl top -1 | cat -v);
    unlike $text, qr/\^\[/, 'into a pipe: no commands for a terminal';
};

subtest 'the shell and Ctrl-C' => sub {
    my $t = HyperDerp::Terminal->new(80, 24, $hdctl);
    ok $t->shows(qr/^hdctl>/m), 'a prompt';
    $t->type('watch peer');
    # the relay knows of the watcher when an event comes
    ok HyperDerp::Test::wait_for(sub { $hd->client->quit; $t->text =~ /peer\.up/ }), 'watch prints events';
    $t->keys('C-c');
    ok $t->shows(qr/^hdctl> *$/m), 'Ctrl-C ends the watch';
    $t->type('whoami');
    ok $t->shows(qr/^role +admin$/m), '... and the shell goes on';
    $t->type('top');
    ok $t->shows(qr/^q quit/m), 'top in the shell';
    $t->keys('C-c');
    ok HyperDerp::Test::wait_for(sub { $t->text !~ /^q quit/m }), '... ends by Ctrl-C';
    $t->keys('-l', 'half a line');
    ok $t->shows(qr/half a line/m), 'half a line';
    $t->keys('C-c');
    ok $t->shows(qr/half a line\^C\nhdctl> *$/m), '... and another prompt by Ctrl-C';
    $t->type('log level info');
    ok $t->shows(qr/^level +info$/m), '... where the shell goes on';
    $t->type('exit');
    is $t->ended, 0, 'exit';
    $t->close;
};

$hd->finish;
done_testing;

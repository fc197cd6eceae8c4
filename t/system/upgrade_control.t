#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/upgrade_control.t - hdctl upgrade, and who else uses the control socket: it is
# counted, told, and goes on with the new process.
use v5.36;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live qw(ctl ctl_begin ctl_end);
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade try_upgrade upgrade);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP qw(decode_json);
use Test::More;

plan skip_all => 'no subreaper here' unless can_upgrade();

# An hdctl that goes on by itself: its output is a file.
sub hdctl ($hd, $name, @words) {
    my $file = "$hd->{dir}/$name.out";
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', '/dev/null' or die $!;
        open STDOUT, '>', $file or die $!;
        open STDERR, '>&', \*STDOUT or die $!;
        exec "$HyperDerp::Test::build/hdctl", '--socket', $hd->control, @words or die $!;
    }
    HyperDerp::Children::keep($pid);
    return { pid => $pid, file => $file };
}

sub text ($h) { return -e $h->{file} ? HyperDerp::Test::slurp($h->{file}) : '' }
sub says ($h, $re) { return HyperDerp::Test::wait_for(sub { text($h) =~ $re }) }

sub ends ($h) {
    kill 'TERM', $h->{pid};
    waitpid $h->{pid}, 0;
    return HyperDerp::Children::ended($h->{pid});
}

subtest 'hdctl goes on' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my $watch = hdctl($hd, 'watch', qw(watch peer));
    my $top = hdctl($hd, 'top', qw(--json top));
    my $is_watched = sub { my $c = $hd->client; my $here = says($watch, qr/peer\.up .*key=@{[substr $c->key, 0, 12]}/); $c->quit; return $here };
    ok HyperDerp::Test::wait_for($is_watched), 'hdctl watch' or diag text($watch);
    ok says($top, qr/\n.*\n/), 'hdctl top' or diag text($top);
    my $dry = try_upgrade($hd, '--dry-run');
    is $dry->{control_clients}, 2, '--dry-run counts them';
    for my $round (1 .. 2) {
        my $lines = () = text($top) =~ /\n/g;
        is upgrade($hd)->{control_clients}, 2, "round $round: both are told";
        ok says($watch, qr/(upgraded +pid=\d+\n[^\0]*){$round}/), '... by a last line, whatever is watched' or diag text($watch);
        ok HyperDerp::Test::wait_for($is_watched), 'what happens in the new process is watched' or diag text($watch);
        ok HyperDerp::Test::wait_for(sub { $lines + 2 < (() = text($top) =~ /\n/g) }), 'hdctl top goes on' or diag text($top);
    }
    unlike text($_), qr/hdctl:/, 'neither complains' for $watch, $top;
    ends($_) for $watch, $top;
    $hd->finish;
};

# Many lines at once: the others are looked at when the relay is another process.
subtest 'what is asked too late' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my $s = IO::Socket::UNIX->new(Peer => $hd->control) or die $!;
    print {$s} qq({"id":1,"cmd":["upgrade"]}\n), map { qq({"id":$_,"cmd":["whoami"]}\n) } 2 .. 20;
    $s->flush;
    my $said = ctl_end($s);
    ok $said->{ok}, 'it is upgraded' or diag explain $said;
    is ctl_end($s)->{event}, 'upgraded', 'who asks is told, too, though it watches nothing';
    for my $id (2 .. 20) {
        my $late = eval { ctl_end($s) } // { id => 'none' };
        is "$late->{id} " . ($late->{error}{code} // ''), "$id upgraded", "line $id is answered, too" or last;
    }
    is $s->getline, undef, '... and nothing else';
    $hd->wait_exit;
    $hd->adopt($said->{data}{pid});
    ok ctl($hd, 'whoami')->{ok}, 'the new process answers';
    $hd->finish;
};

# More answers than its socket holds: the old process waits until they are read.
subtest 'who reads slowly' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my $s = IO::Socket::UNIX->new(Peer => $hd->control) or die $!;
    print {$s} map { qq({"id":$_,"cmd":["commands"]}\n) } 1 .. 60;
    $s->flush;
    ok(IO::Select->new($s)->can_read(60), 'the first answer is there, and nobody reads it');
    my $said = ctl($hd, 'upgrade');
    ok $said->{ok}, 'it is upgraded' or diag explain $said;
    my @answers = map { decode_json($_) } $s->getlines;
    my ($last) = grep { $answers[$_]{event} } 0 .. $#answers;
    is @answers, 61, 'each line is answered, and one more has come';
    cmp_ok $last, '>', 1, "$last answers before it";
    is_deeply [map { $_->{id} } grep { $_->{ok} } @answers], [1 .. $last], '... whole, and in order';
    is_deeply [map { $_->{error}{code} } @answers[$last + 1 .. $#answers]], [('upgraded') x (60 - $last)], '... and none behind it';
    $hd->wait_exit;
    $hd->adopt($said->{data}{pid});
    $hd->finish;
};

# Megabytes of answers, and nobody who takes a byte of them.
subtest 'who does not read' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my $s = IO::Socket::UNIX->new(Peer => $hd->control) or die $!;
    $s->blocking(0);
    while (defined syswrite $s, qq({"id":1,"cmd":["commands"]}\n) x 20) { }
    ok(IO::Select->new($s)->can_read(60), 'it asks until nothing is taken any more');
    my $said = ctl($hd, 'upgrade');
    ok $said->{ok}, 'it is upgraded' or diag explain $said;
    is $hd->wait_exit, 0, 'the old process does not wait for it';
    $hd->adopt($said->{data}{pid});
    close $s;
    $hd->finish;
};

# hdctl asks again by itself.
subtest 'commands, one after another' => sub {
    my $hd = HyperDerp::Test->start(workers => 1, no_tls => 1);
    my $many = hdctl($hd, 'many', qw(--json top));
    ok says($many, qr/\n/), 'one that has a connection' or diag text($many);
    my $failed = 0;
    for my $round (1 .. 3) {
        my $s = ctl_begin($hd, 'upgrade');
        for (1 .. 20) {
            $hd->ctl('whoami');
            $failed += $? != 0;
        }
        my $said = ctl_end($s)->{data};
        $hd->wait_exit;
        $hd->adopt($said->{pid});
    }
    # who wrote when the old process had read its last has its last line to go by
    is $failed, 0, 'none of 60 is lost';
    ends($many);
    $hd->finish;
};

done_testing;

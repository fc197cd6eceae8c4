#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/stdio.t - programs that are started with standard descriptors closed: no socket has
# their numbers, and nothing that is meant for a person goes into one.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Hdcat;
use HyperDerp::Test;
use POSIX ();

my $build = $HyperDerp::Test::build;

# What is open at 0, 1 and 2.
sub stdio ($pid) { return [map { readlink "/proc/$pid/fd/$_" } 0 .. 2] }

subtest 'the relay' => sub {
    my $hd = HyperDerp::Test->new;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        POSIX::close($_) for 0 .. 2;
        exec "$build/hyper-derp", '--config', "$hd->{dir}/hd.yaml" or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    ok HyperDerp::Test::wait_for(sub { $hd->ctl('status') =~ /^state +serving$/m }), 'serves' or return;
    is_deeply stdio($pid), [('/dev/null') x 3], 'a socket is none of them';
    kill TERM => $pid;
    waitpid $pid, 0;
    HyperDerp::Children::ended($pid);
    is $?, 0, 'it ends well';
};

subtest 'hdcat' => sub {
    my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
    my $in = HyperDerp::Test::spew("$hdcat->{dir}/in", 'x' x 100_000);
    my $closed = sub ($how, $start) {
        local $hdcat->{wrap} = ['sh', '-c', "exec \"\$\@\" $how", 'sh'];
        return $start->();
    };
    my $l = $closed->('>&-', sub { $hdcat->listener });
    is_deeply [(stdio($l->{pid}))->[1]], ['/dev/null'], 'no socket is standard output';
    $hdcat->start_with($in, '/dev/null', $l->{ticket})->status;
    is $l->status, 1, 'what cannot be written is no success' or diag $l->err;
    like $l->err, qr/^hdcat: standard output: Bad file descriptor$/m, '... and is said';
    $l = $hdcat->listener;
    my $d = $closed->('<&-', sub { $hdcat->start($l->{ticket}) });
    is $d->status, 1, 'nor what cannot be read' or diag $d->err;
    like $d->err, qr/^hdcat: standard input: Bad file descriptor$/m, '... which is said';
    $l->stop;
    $hdcat->finish;
};

subtest 'the other tools' => sub {
    for my $tool (qw(hdctl hdprobe hdbench)) {
        my $said = qx($build/$tool --help 2>&1 >&-);
        is $? >> 8 != 0, 1, "$tool: what cannot be printed is no success";
        like $said, qr/^$tool: the output is not complete: Bad file descriptor$/m, '... and is said';
    }
};

done_testing;

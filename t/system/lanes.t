#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/lanes.t - ./bootstrap check runs two stages at a time: each of them once,
# what they print is not mixed, and none is lost that fails, breaks or is killed.
# What stages do is replaced by commands that only take a moment.
use v5.36;
use Test::More;
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Test;
use POSIX qw(setsid);

plan skip_all => 'the plain build is tried' if HyperDerp::Test::sanitized();
my $src = $HyperDerp::Test::srcdir;
my $dir = File::Temp->newdir('hd-lanes-XXXXXX', TMPDIR => 1);
mkdir "$dir/build";
symlink "$src/t", "$dir/t";
my ($head, $tail) = HyperDerp::Test::slurp("$src/bootstrap") =~ /\A(.*)^(case \$\{1-build\} in\n.*)\z/ms
    or die 'bootstrap: where are its commands?';
my @parts = qw(sources tests epoll install plain asan tsan fuzz clients packages);

# written(PART => COMMAND...) - bootstrap, with these stages.
sub written (%does) {
    my $does = join '', map { "\t$_) $does{$_} ;;\n" } sort keys %does;
    HyperDerp::Test::spew("$dir/bootstrap", "$head
install_packages() { :; }
get_derper() { echo DERPER; }
get_servers() { echo :SERVERS; }
mine() { # PART
	case \$1 in
$does	*) for i in 1 2 3; do echo \"line \$1\"; perl -e 'select undef, undef, undef, 0.1'; done
		t_run one \"\$1\" -- true ;;
	esac
}
built() { t_run one build -- true; }
lint() { mine sources; }
suite() { case \$3 in *yes*) mine \"alone \$1\" ;; *) mine tests ;; esac; }
epoll() { mine epoll; }
packaging() { mine install; }
plain() { mine plain; }
asan() { mine asan; }
tsan() { mine tsan; }
fuzz() { mine fuzz; }
t_run() {
	case \$1 in
	interop) mine clients ;;
	packages) mine packages ;;
	*) perl t/run --results=\"\$results\" \"\$@\" ;;
	esac
}
$tail");
    return "$dir/bootstrap";
}

# check(\@words, PART => COMMAND...) - what it said, and its exit status.
sub check ($words, %does) {
    my $program = written(%does);
    local @ENV{qw(TMPDIR HD_LONG HD_STAGE)} = ("$dir");
    my $said = qx{sh $program check @$words 2>&1 </dev/null};
    return ($? >> 8, $said);
}

# The lines of each stage, by the line that ends it.
sub mixed ($said) {
    my ($name, @wrong);
    for (split /\n/, $said) {
        next if /^== two stages/;
        if (/^== (.*): \d+ s$/) { push @wrong, $_ if $name ne $1; $name = '' }
        elsif (/^== (.*)/)      { push @wrong, $_ if $name;       $name = $1 }
    }
    return @wrong;
}

subtest 'all of it' => sub {
    my ($status, $said) = check([]);
    is $status, 0, 'passed' or diag $said;
    for my $part (@parts) {
        my $ran = () = $said =~ /^ok +$part /mg;
        my $lines = () = $said =~ /^line $part$/mg;
        is "$ran $lines", '1 3', "$part: once";
    }
    like $said, qr/^ok +alone epoll .*^== two stages/ms, 'first what must be alone';
    is_deeply [mixed($said)], [], 'no stage speaks within another' or diag $said;
    like $said, qr/^13 passed, 0 failed, 0 skipped\n\z/m, 'the last line counts';
};

subtest 'parts' => sub {
    my ($status, $said) = check(['fuzz']);
    like $said, qr/^2 passed, 0 failed, 0 skipped\n\z/m, 'one, and the build';
    unlike $said, qr/^== two stages/m, '... has the machine';
    ($status, $said) = check([qw(fuzz packages epoll)]);
    like $said, qr/^5 passed, 0 failed, 0 skipped\n\z/m, 'three, the build, and epoll alone' or diag $said;
};

# Each in the lane that begins with it.
for my $part (qw(sources packages)) {
    subtest "what goes wrong: $part" => sub {
        my ($status, $said) = check([], $part => 't_run one cracked -- false');
        is $status, 1, 'a failure';
        like $said, qr/^Failed:\n  cracked: exit status 1\n\n12 passed, 1 failed/m, '... is counted once' or diag $said;
        ($status, $said) = check([], $part => 'false');
        is $status, 1, 'a stage that breaks';
        like $said, qr/^Failed:\n  $part: see above\n\n12 passed, 1 failed/m, '... counts as failed' or diag $said;
    };
}
subtest 'the lane beside is killed' => sub {
    my ($status, $said) = check([], clients => q{echo its words; t_run one cracked -- false || :; perl -e 'kill KILL => getppid'});
    is $status, 1, 'a failure';
    like $said, qr/^Failed:\n  cracked: exit status 1\n  clients: it has not ended\n\n12 passed, 2 failed/m,
        '... that names the stage, with what it had counted' or diag $said;
    like $said, qr/^== the clients of Tailscale\nits words\n/m, '... and what it had said is shown';
};
# What it has begun would go on, and speak behind the last line.
for my $part (qw(sources install)) {
    subtest "the shell of a stage is killed: $part" => sub {
        HyperDerp::Test::spew("$dir/build/slow", <<'END');
use v5.36;
open my $f, '<', '/proc/' . getppid . '/stat' or die;
kill KILL => <$f> =~ /^\d+ \(.*\) \S (\d+)/;
select undef, undef, undef, 3;
END
        my ($status, $said) = check([qw(sources install)], $part => "t_run one slow -- perl $dir/build/slow");
        is $status, 1, 'a failure';
        like $said, qr/^Failed:\n  $part: it has not ended\n\n2 passed, 1 failed, 0 skipped\n\z/m, 'the last line counts' or diag $said;
    };
}
subtest 'a stage that counts nothing' => sub {
    my ($status, $said) = check([qw(sources install)], sources => ':');
    is $status, 1, 'a failure';
    like $said, qr/^Failed:\n  sources: it has counted nothing\n\n2 passed, 1 failed, 0 skipped\n\z/m, 'said so' or diag $said;
};
subtest 'the last line cannot be printed' => sub {
    plan skip_all => 'no /dev/full' unless -w '/dev/full';
    HyperDerp::Test::spew("$dir/results", '');
    system "perl $src/t/run --builddir=$dir/build --results=$dir/results total >/dev/full 2>/dev/null";
    isnt $?, 0, 'a failure';
    unlink "$dir/results";
};
# As Ctrl-C, or who ends a whole session. The lane beside does not hear SIGINT, and
# would go on with its next stage.
sub of_session ($id) {
    return grep { (HyperDerp::Test::slurp($_) =~ /^\d+ \(.*\) (?!Z)\S \d+ \d+ $id /s) } grep { -r } glob '/proc/[0-9]*/stat';
}
# To all of it; or to the shell alone, as who has only its number does.
for (['INT', 130, -1], ['TERM', 143, -1], ['TERM', 143, 1], ['HUP', 129, 1], ['QUIT', 131, 1]) {
    my ($signal, $status, $whom) = @$_;
    subtest "SIG$signal" . ($whom > 0 ? ' to the shell' : '') => sub {
        my $waits = "t_run one long -- sh -c 'touch $dir/tmp/begun.\$\$; sleep 600 & sleep 600'";
        my $program = written(map { $_ => $waits } qw(sources plain asan packages));
        mkdir "$dir/tmp";
        my $pid = fork // die "fork: $!";
        if ($pid == 0) {
            setsid();
            @SIG{qw(INT HUP QUIT)} = ('DEFAULT') x 3;
            @ENV{qw(TMPDIR HD_LONG HD_STAGE)} = ("$dir/tmp");
            open STDOUT, '>', "$dir/tmp/said";
            open STDERR, '>&', \*STDOUT;
            exec 'sh', $program, qw(check sources plain asan packages) or POSIX::_exit(127);
        }
        HyperDerp::Children::keep($pid);
        ok HyperDerp::Test::wait_for(sub { (() = glob "$dir/tmp/begun.*") == 2 }), 'both lanes are at work';
        kill $signal => $whom * $pid;
        ok HyperDerp::Test::wait_for(sub { waitpid $pid, POSIX::WNOHANG }), 'it ends';
        HyperDerp::Children::ended($pid);
        is $? >> 8, $status, 'its exit status';
        ok HyperDerp::Test::wait_for(sub { !of_session($pid) }), 'nothing goes on';
        is_deeply [grep { !m{/(?:said|begun\.\d+)$} } glob "$dir/tmp/*"], [], 'nothing is left behind';
        unlink glob "$dir/tmp/*";
        rmdir "$dir/tmp";
    };
}

# Full in the midst of it: a stage fills the folder for what is temporary.
subtest 'a disk that is full' => sub {
    my $tmp = "$dir/small";
    mkdir $tmp;
    plan skip_all => 'no tmpfs of its own: mount needs root'
        if system("unshare -m mount -t tmpfs -o size=256k none $tmp 2>/dev/null");
    my $program = written(sources => "cat /dev/zero >$tmp/fill; t_run one sources -- true");
    local @ENV{qw(TMPDIR HD_LONG HD_STAGE)} = ($tmp);
    my $said = qx{unshare -m sh -c 'mount -t tmpfs -o size=256k none $tmp && exec sh $program check sources install' 2>&1 </dev/null};
    is $? >> 8, 1, 'a failure';
    like $said, qr/No space left/, '... that names the cause';
    like $said, qr/^Failed:\n(?:  .*\n)*  sources: it has not ended\n/m, '... and the stage' or diag $said;
    like $said, qr/^\d+ passed, [1-9]\d* failed, 0 skipped\n\z/m, 'the last line counts' or diag $said;
    rmdir $tmp;
};
is_deeply [grep { !m{/(?:build|t|bootstrap)$} } glob "$dir/*"], [], 'nothing is left behind';
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/run.t - t/run itself: what fails once is tried again and told, what
# fails twice or crashes has failed.
use v5.36;
use Test::More;
use File::Temp qw(tempdir);

my $srcdir = $ENV{HD_SRCDIR} // '.';
my $top = tempdir('hd-run-XXXXXX', TMPDIR => 1, CLEANUP => 1);
mkdir "$top/$_" or die "$top/$_: $!" for qw(t t/system build);

# Prints as a test does; each start of it leaves a byte in $name.runs.
sub put ($name, $body) {
    open my $f, '>', "$top/t/system/$name.t" or die "$name: $!";
    print $f qq(open my \$f, '>>', '$top/$name.runs'; print \$f 'x'; close \$f;\n),
        qq(my \$run = -s '$top/$name.runs';\nprint "1..1\\n";\n$body\n);
    close $f;
}

put(good => 'print "ok 1 - it works\n";');
put(stalls => 'print $run > 1 ? "ok 1 - in time\n" : "    ok 1 - no bug: line\nnot ok 1 - in time\n";');
put(fails => 'print "not ok 1 - it is wrong\n";');
put(leaks => 'print STDERR "ERROR: LeakSanitizer\n"; print $run > 1 ? "ok 1\n" : "not ok 1 - leak\n";');
put(dies => 'kill ABRT => $$ if $run == 1; print "ok 1\n";');

my @out = `$^X $srcdir/t/run --srcdir=$top --builddir=$top/build --jobs=2 system 2>&1`;
my $out = join '', @out;

is $? >> 8, 1, 'exit 1';
is $out[-1], "2 passed, 3 failed, 0 skipped\n", 'the last line counts each once';
like $out, qr/^Unsteady, passed at the second try:\n  t\/system\/stalls\.t: in time\n$/m, 'what passed at the second try is told';
like $out, qr/^FAILED t\/system\/stalls\.t .*one more try follows\n(?:    .*\n)*    not ok 1 - in time/m, '... with its first output';
is -s "$top/good.runs", 1, 'what passes runs once';
is -s "$top/fails.runs", 2, 'what fails has two tries';
is -s "$top/leaks.runs", 1, '... a report of a sanitizer one';
is -s "$top/dies.runs", 1, '... a crash one';
unlike $out, qr/^  t\/system\/good/m, 'what passes is not listed';

done_testing;

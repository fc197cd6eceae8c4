#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-seeded.t - the model of WireGuard sessions (t/unit/wg_model.c) and
# the attacks one by one (t/unit/wg_cut.c, wg_wear.c, wg_roam.c) must find mistakes: a file
# of the engine is compiled once as it is and once with each.
use v5.36;
use Test::More;
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $src   = $HyperDerp::Test::srcdir;
my $build = $HyperDerp::Test::build;
my $tmp   = File::Temp->newdir('hd-seeded-XXXXXX', TMPDIR => 1);

# What, the file, and places of it.
my @bugs = (
    ['a newcomer pushes out what stands', 'seats', ['if (s->stands || __builtin_popcount', 'if (__builtin_popcount'],
        ['if (r.n_of_host >= HOST_MAX)', 'if (r.n_of_host >= 1)'],
        ['if (!is_of_host(s, host))', 'if (0)']],
    ['what has proven least is the one', 'sessions',
        ['4 + 2 * s->stands + s->confirmed', '7 - 2 * s->stands - s->confirmed'],
        ["*ret_here = true;\n\t\treturn s;", "*ret_here = true;\n\t\tbreak;"]],
    ['whoever denies a session, it stays', 'standing', ['if (d.ends == 3)', 'if (d.ends == 4)']],
    ['a copy of an initiation takes the answer', 'pending',
        ['if (other != NULL && (!known || other->known))', 'if (0)']],
    ['who may have moved gets more than it should', 'roam', ['CREDIT = 3,', 'CREDIT = 4,']],
    ['who has left stays at it', 'roam', ['SILENCE_MS = 1000,', 'SILENCE_MS = 100000,']],
    ['who has left gets more than a download needs', 'roam', ['CREDIT_GONE = 100,', 'CREDIT_GONE = 300,']],
    ['it gets all', 'roam', ['if (roam->credit_bytes < in->len)', 'if (0)']],
    ['a forged exchange ends the real one', 'pending',
        ['p->done = true;', '{ wg_pending_drop(e, p); c = (struct wg_at_cursor){ 0 }; }']],
    ['places to stand are never free', 'seats', ['if (n < max[kind])', 'if (n < max[kind] - 2)'],
        ['if (!in_use(e, s) ||', 'if (1 ||']],
    ['whoever stands first has the endpoint', 'learn', ['    is_contested(e, s, side))', '    0)']],
    ['a responder is never asked for a cookie', 'response', ['if (!shown)', 'if (0)']],
    ['it moves however long it was silent before', 'roam', ['> RECENT_MS)', '> 1000 * RECENT_MS)']],
    ['answers stay at the old address', 'data', ['if (s->roams & 1 << to)', 'if (0)']],
    ['nothing makes it doubt', 'init', ['wg_tries(e, &in->from, to, WG_PROOF_NOW) > 0)', '0)']],
    ['a known address needs no cookie, ever', 'init',
        ['if (must_prove_known(e, in, l, to, proof))', 'if (0)']],
    ['a chain that wraps is turned round', 'table', ['&from->v[(gap + i) & from->mask]', '&from->v[i - 1]']],
);

plan skip_all => "no Makefile in $build" unless -f "$build/Makefile";
plan skip_all => 'not built: apt-get install libcmocka-dev, then configure again'
    unless -x "$build/t/unit/wg_model";

sub make_var ($name) {
    my $v = qx(make -s -C $build --no-print-directory --eval='hd-show: ; \@echo \$($name)' hd-show);
    return $v =~ s/\s+\z//r;
}
my %var = map { $_ => make_var($_) } qw(COMPILE CCLD AM_CFLAGS CFLAGS AM_LDFLAGS LDFLAGS LIBS
    t_unit_wg_model_OBJECTS t_unit_wg_cut_OBJECTS t_unit_wg_wear_OBJECTS t_unit_wg_roam_OBJECTS t_unit_wg_model_LDADD);
my @programs = qw(model cut wear roam);

sub build ($name, $file, $program) {
    my $objects = $var{"t_unit_wg_${program}_OBJECTS"} =~ s{\S*/(?:\w+-)?\Q$file\E\.o}{$tmp/$name.o}r;
    return $objects =~ /\Q$tmp\E/ && system("cd $build && $var{CCLD} $var{AM_CFLAGS} $var{CFLAGS} $var{AM_LDFLAGS} "
        . "$var{LDFLAGS} -o $tmp/$name-$program $objects $var{t_unit_wg_model_LDADD} $var{LIBS} >$tmp/$name.err 2>&1") == 0;
}

sub compile ($name, $file, $text) {
    my $c = HyperDerp::Test::spew("$tmp/$name.c", $text);
    return 1 if system("cd $build && $var{COMPILE} -I$src -w -c -o $tmp/$name.o $c >$tmp/$name.err 2>&1") == 0
        && !grep { !build($name, $file, $_) } @programs;
    diag HyperDerp::Test::slurp("$tmp/$name.err");
    return 0;
}

# How it ends: 'clean', or what was found.
sub verdict ($name) {
    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    local $ENV{HD_LONG};
    for my $program (@programs) {
        next if system("ulimit -c 0; $tmp/$name-$program >$tmp/$name.log 2>&1") == 0;
        my ($test) = HyperDerp::Test::slurp("$tmp/$name.log") =~ /^not ok \d+ - (\w+)/m;
        return "$program: " . ($test // 'it crashed');
    }
    return 'clean';
}

my %text = map { $_->[1] => HyperDerp::Test::slurp("$src/modules/wg/$_->[1].c") } @bugs;
ok compile('original', 'standing', $text{standing}), 'the original compiles';
is verdict('original'), 'clean', 'nothing is found in the original';
for my $i (0 .. $#bugs) {
    my ($what, $file, @edits) = @{ $bugs[$i] };
    my $bad = $text{$file};
    my $changed = 0;
    for my $e (@edits) {
        my ($from, $to) = @$e;
        $changed++ if (() = $bad =~ /\Q$from\E/g) == 1 && $bad =~ s/\Q$from\E/$to/;
    }
    is $changed, @edits, "$what: each place is there once" or next;
    ok compile("bug$i", $file, $bad), "$what: compiles" or next;
    my $found = verdict("bug$i");
    isnt $found, 'clean', "$what: found";
    note $found;
}
done_testing;

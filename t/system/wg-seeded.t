#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/wg-seeded.t - the model of WireGuard sessions (t/unit/wg_model.c) and
# the attacks one by one (t/unit/wg_cut.c) must find mistakes: a file of the
# engine is compiled once as it is and once with each.
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
    ['a newcomer pushes out what stands', 'standing', ['if (s->stands || s->away != away)', 'if (s->away != away)'],
        ['if (r.n_of_host >= HOST_MAX)', 'if (r.n_of_host >= 1)'],
        ['!same_host(&s->end[1].addr, host)))', '!same_host(&s->end[1].addr, host) && 0))']],
    ['what has proven least is the one', 'sessions',
        ['4 + 2 * s->stands + s->confirmed', '7 - 2 * s->stands - s->confirmed'],
        ['if (here && s->stands)', 'if (0)']],
    ['whoever denies a session, it stays', 'standing', ['if (d.ends == 3)', 'if (d.ends == 4)']],
    ['a copy of an initiation takes the answer', 'pending',
        ['if (other != NULL && (!known || other->known))', 'if (0)']],
    ['one packet moves an end', 'roam', ['if (silent_ms(e, s, side) >= GONE_MS)', 'if (1)']],
    ['it moves however long it was silent before', 'roam', ['> RECENT_MS)', '> 1000 * RECENT_MS)']],
    ['answers stay at the old address', 'roam', ['roam->answered = true;', 'return;']],
    ['nothing makes it doubt', 'init', ['if (wg_tries(e, &in->from, to, WG_PROOF_NOW) > 0)', 'if (0)']],
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
    t_unit_wg_model_OBJECTS t_unit_wg_cut_OBJECTS t_unit_wg_model_LDADD);

sub build ($name, $file, $program) {
    my $objects = $var{"t_unit_wg_${program}_OBJECTS"} =~ s{\S*/(?:\w+-)?\Q$file\E\.o}{$tmp/$name.o}r;
    return $objects =~ /\Q$tmp\E/ && system("cd $build && $var{CCLD} $var{AM_CFLAGS} $var{CFLAGS} $var{AM_LDFLAGS} "
        . "$var{LDFLAGS} -o $tmp/$name-$program $objects $var{t_unit_wg_model_LDADD} $var{LIBS} >$tmp/$name.err 2>&1") == 0;
}

sub compile ($name, $file, $text) {
    my $c = HyperDerp::Test::spew("$tmp/$name.c", $text);
    return 1 if system("cd $build && $var{COMPILE} -I$src -w -c -o $tmp/$name.o $c >$tmp/$name.err 2>&1") == 0
        && build($name, $file, 'model') && build($name, $file, 'cut');
    diag HyperDerp::Test::slurp("$tmp/$name.err");
    return 0;
}

# How it ends: 'clean', or what was found.
sub verdict ($name) {
    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    local $ENV{HD_LONG};
    for my $program (qw(model cut)) {
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

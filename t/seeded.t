#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/seeded.t - the differential test must find bugs: core/records.c is compiled
# once as it is and once with each of these mistakes, and linked in place of
# the library's own.
use v5.36;
use Test::More;
use File::Temp;
use HyperDerp::Test;

my $src   = $HyperDerp::Test::srcdir;
my $build = $HyperDerp::Test::build;
my $tmp   = File::Temp->newdir('hd-seeded-XXXXXX', TMPDIR => 1);

# Each replaces one place of the file.
my @bugs = (
    ['the padding stays',
        'while (n > 0 && p[n - 1] == 0)', 'while (n > 0 && p[n - 1] == 0 && 0)'],
    ['the record number is one byte long',
        '(uint8_t)(k->seq >> (8 * i))', '(uint8_t)(i == 0 ? k->seq : 0)'],
    ['the record number stands the wrong way round',
        'nonce[HD_TLS_IV_BYTES - 1 - i] ^=', 'nonce[HD_TLS_IV_BYTES - 8 + i] ^='],
    ['a head that lacks its last byte is read',
        'if (n < HD_RECORD_HEAD_BYTES)', 'if (n < HD_RECORD_HEAD_BYTES - 1)'],
    ['the new key seals the KeyUpdate itself',
        "	len = hd_records_seal(r, cache, HD_RECORD_HANDSHAKE",
        "	update_keys(r, &r->tx, r->tx_ctx);\n"
            . "	len = hd_records_seal(r, cache, HD_RECORD_HANDSHAKE",
        'if (len < 0 || update_keys(r, &r->tx, r->tx_ctx) < 0)', 'if (len < 0)'],
    ['the secret is renewed, the cipher context keeps its key',
        'return ctx != NULL ? hd_cipher_rekey(ctx, k) : 0;', 'return 0;'],
    ['a record of 2^14 + 257 bytes is taken',
        'len > HD_RECORD_PLAIN_MAX_BYTES + 256', 'len > HD_RECORD_PLAIN_MAX_BYTES + 257'],
    ['a request for a KeyUpdate is forgotten',
        'r->owes_update |= request == 1;', ''],
    ['data passes between the parts of a message',
        'if (type == HD_RECORD_DATA && r->message_bytes == 0)', 'if (type == HD_RECORD_DATA)'],
);

plan skip_all => "no Makefile in $build" unless -f "$build/Makefile";
plan skip_all => 'not built: apt-get install libcmocka-dev, then configure again'
    unless -x "$build/t/records/diff";

# What make would do, with the one file in front of the library.
sub make_var ($name) {
    my $v = qx(make -s -C $build --no-print-directory --eval='hd-show: ; \@echo \$($name)' hd-show);
    return $v =~ s/\s+\z//r;
}
my %var = map { $_ => make_var($_) } qw(COMPILE CCLD AM_CFLAGS CFLAGS AM_LDFLAGS LDFLAGS LIBS
    t_records_diff_OBJECTS CMOCKA_LIBS CORE_LIBS);

sub compile ($name, $text) {
    my $c = HyperDerp::Test::spew("$tmp/$name.c", $text);
    my $cmd = "cd $build && $var{COMPILE} -I$src -Wno-error -w -c -o $tmp/$name.o $c && "
        . "$var{CCLD} $var{AM_CFLAGS} $var{CFLAGS} $var{AM_LDFLAGS} $var{LDFLAGS} "
        . "-o $tmp/$name $var{t_records_diff_OBJECTS} $tmp/$name.o core/libcore.a "
        . "$var{CMOCKA_LIBS} $var{CORE_LIBS} $var{LIBS} >$tmp/$name.err 2>&1";
    return 1 if system($cmd) == 0;
    diag HyperDerp::Test::slurp("$tmp/$name.err");
    return 0;
}

# How it ends: 'clean', or what it found.
sub verdict ($name) {
    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    return 'clean' if system("ulimit -c 0; $tmp/$name >$tmp/$name.log 2>&1") == 0;
    return HyperDerp::Test::slurp("$tmp/$name.log") =~ /not true: (.*)/ ? $1 : 'it crashed';
}

my $text = HyperDerp::Test::slurp("$src/core/records.c");
ok compile('original', $text), 'the original compiles';
is verdict('original'), 'clean', 'nothing is found in the original';
for my $i (0 .. $#bugs) {
    my ($what, @edits) = @{ $bugs[$i] };
    my $bad = $text;
    my $places = 0;
    while (my ($from, $to) = splice @edits, 0, 2) {
        $places += () = $bad =~ /\Q$from\E/g;
        $bad =~ s/\Q$from\E/$to/;
        $places--;
    }
    is $places, 0, "$what: one place to change" or next;
    ok compile("bug$i", $bad), "$what: compiles" or next;
    my $found = verdict("bug$i");
    isnt $found, 'clean', "$what: found";
    note $found;
}
done_testing;

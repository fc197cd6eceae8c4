#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/seeded.t - the differential tests must find bugs: a file of the core
# is compiled once as it is and once with each of these mistakes, and linked in
# place of the library's own. Mistakes of the record layer must be found whoever
# encrypts for it.
use v5.36;
use Test::More;
use File::Temp;
use HyperDerp::Test;

my $src   = $HyperDerp::Test::srcdir;
my $build = $HyperDerp::Test::build;
my $tmp   = File::Temp->newdir('hd-seeded-XXXXXX', TMPDIR => 1);

# Each replaces one place of the file.
my @records = (
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
        "	update_keys(r, &r->tx, &r->tx_cipher);\n"
            . "	len = hd_records_seal(r, cache, HD_RECORD_HANDSHAKE",
        'if (len < 0 || update_keys(r, &r->tx, &r->tx_cipher) < 0)', 'if (len < 0)'],
    ['the secret is renewed, the cipher keeps its key',
        'hd_cipher_put(cipher);', '(void)cipher;'],
    ['a record of 2^14 + 257 bytes is taken',
        'len > HD_RECORD_PLAIN_MAX_BYTES + 256', 'len > HD_RECORD_PLAIN_MAX_BYTES + 257'],
    ['a request for a KeyUpdate is forgotten',
        'r->owes_update |= request == 1;', ''],
    ['data passes between the parts of a message',
        'if (type == HD_RECORD_DATA && r->message_bytes == 0)', 'if (type == HD_RECORD_DATA)'],
);
my @wiped = (
    ['plaintext of a forged record is left behind', 'explicit_bzero(out, n);', ''],
);
my @ipsec_mb = (
    ['no tag is compared',
        'CRYPTO_memcmp(a, b, HD_TLS_TAG_BYTES) == 0 ? 0 : -EBADMSG', '0'],
    ['the last byte of the tag is not compared',
        'CRYPTO_memcmp(a, b, HD_TLS_TAG_BYTES)', 'CRYPTO_memcmp(a, b, HD_TLS_TAG_BYTES - 1)'],
    ['the head is not authenticated to its end',
        'record, head_bytes, tag,', 'record, head_bytes - 1, tag,'],
    ['a sealed tag is short',
        "record, head_bytes, p + n,\n		HD_TLS_TAG_BYTES);",
        "record, head_bytes, p + n,\n		12);"],
    ['a new key is not expanded', 'mb.pre_128(bytes, key);', ''],
    ['AES-256 has the keys of AES-128', 'mb.pre_256(bytes, key);', 'mb.pre_128(bytes, key);'],
    ['AES-256 is opened with the rounds of AES-128',
        'gcm_open(mb.dec_256,', 'gcm_open(mb.dec_128,'],
    ['ChaCha20 authenticates what it opens, not what came',
        'chacha_run(mb.chacha_dec,', 'chacha_run(mb.chacha_enc,'],
    ['half of the key of ChaCha20 is taken',
        'memcpy(key, bytes, HD_TLS_KEY_MAX_BYTES);', 'memcpy(key, bytes, HD_TLS_KEY_MAX_BYTES / 2);'],
);
my @cache = (
    ['who loses his cipher is not told', "	*c->owner = NULL;\n", ''],
    ['another gets the cipher with the old key in it',
        'c->aead->expand(c->key, key, encrypt) < 0', '0'],
    ['who is busy loses his cipher, too',
        "if (!c->used)\n			break;", 'break;'],
    ['the broom takes everything',
        "if (!c->used)\n			hd_cipher_put(c->owner);", "if (1)\n			hd_cipher_put(c->owner);"],
);

my @suite = ( # a provider has one table for all of AES-GCM, or one a suite
    ['another gets the cipher of an other suite',
        '(c->aead != aead || c->suite != suite)', '(c->aead != aead)'],
);

# File, the program that must find its mistakes, who encrypts meanwhile.
my @files = (
    ['records.c', 't/records/diff', ['openssl', 'ipsec-mb'], @records],
    ['records.c', 't/unit/records_wrong', ['openssl', 'ipsec-mb'], @wiped],
    ['aead_ipsec_mb.c', 't/records/aead', ['ipsec-mb'], @ipsec_mb],
    ['cipher_cache.c', 't/unit/cipher_cache', ['openssl', 'ipsec-mb'], @cache],
    ['cipher_cache.c', 't/unit/cipher_cache', ['openssl'], @suite],
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
    CMOCKA_LIBS CORE_LIBS);

sub compile ($name, $program, $text) {
    my $c = HyperDerp::Test::spew("$tmp/$name.c", $text);
    my $objects = make_var($program =~ tr{/}{_}r . '_OBJECTS');
    my $cmd = "cd $build && $var{COMPILE} -I$src -Wno-error -w -c -o $tmp/$name.o $c && "
        . "$var{CCLD} $var{AM_CFLAGS} $var{CFLAGS} $var{AM_LDFLAGS} $var{LDFLAGS} "
        . "-o $tmp/$name $objects $tmp/$name.o core/libcore.a "
        . "$var{CMOCKA_LIBS} $var{CORE_LIBS} $var{LIBS} >$tmp/$name.err 2>&1";
    return 1 if system($cmd) == 0;
    diag HyperDerp::Test::slurp("$tmp/$name.err");
    return 0;
}

# How it ends: 'clean', or what it found.
sub verdict ($name, $crypto) {
    local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
    local $ENV{HD_CRYPTO} = $crypto;
    return 'clean' if system("ulimit -c 0; timeout 120 $tmp/$name >$tmp/$name.log 2>&1") == 0;
    return HyperDerp::Test::slurp("$tmp/$name.log") =~ /not true: (.*)|error: (.*)/
        ? $1 // $2 : 'it crashed, or did not end';
}

sub apply ($text, @edits) {
    my $places = 0;
    while (my ($from, $to) = splice @edits, 0, 2) {
        $places += () = $text =~ /\Q$from\E/g;
        $text =~ s/\Q$from\E/$to/;
        $places--;
    }
    return ($text, $places);
}

sub look_for ($file, $program, $cryptos, @bugs) {
    my $text = HyperDerp::Test::slurp("$src/core/tls/$file");
    my $name = $program =~ tr{/}{_}r;

    ok compile($name, $program, $text), 'the original compiles';
    is verdict($name, $_), 'clean', "nothing is found in the original ($_)" for @$cryptos;
    for my $i (0 .. $#bugs) {
        my ($what, @edits) = @{ $bugs[$i] };
        my ($bad, $places) = apply($text, @edits);

        is $places, 0, "$what: one place to change" or next;
        ok compile("$name$i", $program, $bad), "$what: compiles" or next;
        for my $crypto (@$cryptos) {
            my $found = verdict("$name$i", $crypto);
            isnt $found, 'clean', "$what: found ($crypto)";
            note $found;
        }
    }
}

# Whether ipsec-mb can be tried: built in, and this processor has what it takes.
my $has_ipsec_mb = qx($build/hyper-derp -V) =~ /^TLS records +ipsec-mb/m;
for my $f (@files) {
    my ($file, $program, $cryptos, @bugs) = @$f;
    my @cryptos = grep { $_ eq 'openssl' || $has_ipsec_mb } @$cryptos;

    subtest "$file, $program" => sub {
        plan skip_all => 'no ipsec-mb here: apt-get install libipsec-mb-dev' unless @cryptos;
        look_for($file, $program, \@cryptos, @bugs);
    };
}
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/reference.t - the reference says all that the public headers do: each
# function, type and constant is on the page of its header, and a function or
# type has a page by its own name. One without a docstring is refused.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp;
use HyperDerp::Test;

my $srcdir = $HyperDerp::Test::srcdir;
my $made = "$HyperDerp::Test::build/doc/man3";
my $maker = "$srcdir/doc/man/reference.pl";

sub read_file ($path) {
    open my $fh, '<', $path or return '';
    local $/;
    return <$fh>;
}

# As a reader finds them, without the maker's parser: what a module may write.
sub names ($text) {
    $text =~ s{/\*.*?\*/}{}gs;
    my %n = map { $_ => 'macro' } $text =~ /^#define (\w+)/gm;
    $text =~ s/^#(?:.*\\\n)*.*\n//gm;
    $n{$_} = 'function' for $text =~ /^(?:LIB)?HD_API [^;{]*?(\w+)\(/gm;
    $n{$_} = 'function' for $text =~ /^static inline [^;{]*?(\w+)\(/gm;
    $n{$_} = 'type' for $text =~ /^(?:struct|enum|union) (\w+) \{/gm;
    $n{$_} = 'type' for $text =~ /^typedef [^;]*?(\w+)\(/gm;
    for my $list ($text =~ /^enum(?: \w+)? \{(.*?)\}/gms) {
        $n{$_} = 'constant' for $list =~ /\b([A-Z]+_\w+)\b(?=\s*(?:[,=]|\z|\s))/g;
    }
    delete @n{ grep { /_\z/ } keys %n };    # of the headers themselves
    return %n;
}

my (@missing, $total);
for my $header (glob "$srcdir/include/{hyper-derp,hd}/*.h") {
    my ($folder, $base) = $header =~ m{([^/]+)/([^/]+)\.h\z};
    my $name = $folder eq 'hd' ? ($base eq 'hd' ? 'libhd-functions' : "libhd-$base") : "$folder-$base";
    my $page = read_file("$made/$name.3") =~ s/\\-/-/gr;
    my %n = names(read_file($header));
    $total += keys %n;
    push @missing, grep { $page !~ /\b$_\b/ } sort keys %n;
    push @missing, map { "$_.3" } grep {
        /^(?:lib)?hd_/ && $n{$_} =~ /function|type/ && read_file("$made/$_.3") !~ m{^\.so man3/$name\.3}
    } sort keys %n;
}
is_deeply \@missing, [], 'the pages have all of it';
cmp_ok $total, '>', 300, "... $total names";

sub check ($text) {
    my $dir = File::Temp->newdir;
    open my $fh, '>', "$dir/new.h" or die;
    print $fh "/* SPDX */\n/* hyper-derp/new.h - a header. */\n#pragma once\n\n$text";
    close $fh;
    my $said = qx($maker --check $dir/new.h 2>&1);
    return $? ? $said : 'ok';
}
is check("/* hd_new - does. */\nHD_API int hd_new(void);\n"), 'ok', 'a docstring';
is check("/* hd_old, hd_new - do. */\nHD_API int hd_old(void);\nHD_API int hd_new(int (*fn)(void));\n"),
    'ok', 'one of two';
like check("HD_API int hd_new(void);\n"), qr/new\.h: hd_new has no docstring/, 'none';
like check("/* hd_old - does. */\nHD_API int hd_old(void);\n\nHD_API int hd_new(void);\n"),
    qr/hd_new has no/, 'none of the second';
like check("/* A type. */\nstruct hd_a {\n\tint (*fn)(int a);\n};\n\nenum hd_new {\n\tHD_B,\n};\n"),
    qr/hd_new has no/, 'none of an enum';

SKIP: {
    my $groff = grep { -x "$_/groff" } split /:/, $ENV{PATH};
    skip 'groff is missing', 1 unless $groff;
    is qx(cd $made && for f in hyper-derp-*.3; do groff -k -man -Tutf8 -ww -z \$f 2>&1; done), '',
        'groff has no complaint';
}

done_testing;

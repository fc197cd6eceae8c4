#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# doc/man/reference.pl - man pages from the public headers: one per header, in
# section 3, and for each function and type an alias of its page.
#
#     doc/man/reference.pl --version=1.0 --out=DIR HEADER...
#     doc/man/reference.pl --check HEADER...      what has no docstring; status 1
#
# A docstring is the comment right above a declaration, or beside its first
# line; one comment may speak of several: "NAME - what it does." The rest of a
# declaration is shown as it is, with the comments in it.
use v5.36;
use Getopt::Long;

GetOptions(\my %opt, 'version=s', 'out=s', 'check') && @ARGV or die "usage: see the head of $0\n";

# ---- a header: blocks of { comment, decls }, and "---- sections ----" ----

sub read_file ($path) {
    open my $fh, '<', $path or die "$path: $!\n";
    local $/;
    my $text = <$fh>;
    $text =~ s/^#ifdef __cplusplus\n.*?^#endif\n//gms;
    $text =~ s/^(?:#pragma once|#include .*|#ifndef __cplusplus|#endif)\n//gm;
    $text =~ s{\A/\* SPDX.*?\*/\n}{};
    return $text;
}

# The next declaration: a macro, a function, a type. Bodies of inline functions
# are no part of the page.
sub next_decl ($text) {
    return $& if $$text =~ /\A#define(?:.*\\\n)*.*\n/ && $$text =~ s/\A#define(?:.*\\\n)*.*\n//;
    my ($depth, $at) = (0, 0);
    while ($$text =~ m{\G(?:/\*.*?\*/|([{}();])|.)}gs) {
        my $c = $1 // next;
        $depth++ if $c =~ /[{(]/;
        $depth-- if $c =~ /[})]/;
        $at = pos $$text;
        last if $depth == 0 && $c eq ';';
        last if $depth == 0 && $c eq '}' && substr($$text, 0, $at) =~ /\)\s*\{/;
    }
    die 'no declaration: ' . substr($$text, 0, 60) . "\n" unless $at;
    pos $$text = $at;
    $$text =~ /\G[ \t]*(?:\/\*.*?\*\/)?[ \t]*\n?/gs; # a comment beside its end
    return substr $$text, 0, pos($$text), '';
}

sub blocks ($text) {
    my @blocks;
    my $fresh = 1;
    while ($text ne '') {
        if ($text =~ s/\A\n+//) {
            $fresh = 1;
        } elsif ($text =~ s{\A/\* ---- (.*?) ---- \*/\n}{}) {
            push @blocks, { section => $1 };
            $fresh = 1;
        } elsif ($text =~ s{\A/\*(.*?)\*/[ \t]*\n}{}s) {
            push @blocks, { comment => plain($1), decls => [] };
            $fresh = 0;
        } else {
            push @blocks, { comment => '', decls => [] } if $fresh;
            $fresh = 0;
            my $d = next_decl(\$text);
            push @{ $blocks[-1]{decls} }, decl($d);
        }
    }
    return @blocks;
}

sub plain ($comment) {
    $comment =~ s/^[ \t]*\* ?//gm;
    return $comment =~ s/\A\s+//r =~ s/\s+\z//r;
}

sub decl ($text) {
    my ($head) = $text =~ /\A(.*)/;
    my $bare = $text =~ s{/\*.*?\*/}{}gsr;
    my $name =
          $bare =~ /\A#define (\w+)/                                  ? $1
        : $bare =~ /\A(?:struct|union|enum) (\w+)\s*[{;]/             ? $1
        : $bare =~ /\Aenum\s*\{\s*(\w+)/                              ? $1
        : $bare =~ /\Atypedef\b.*?\(?\*?(\w+)\)?\s*\(/s               ? $1
        : $bare =~ /\A[^(]*?(\w+)\s*\(/s                              ? $1
        : $bare =~ /(\w+)(?:\[[^;]*)?;/                               ? $1
        :   die "what is this? $head\n";
    if ($bare =~ /\Astatic inline/) {
        $text =~ s/\)\s*\{.*/);\n/s;
        $text =~ s/\Astatic inline //;
    }
    $text =~ s/^(?:HD_API extern |(?:LIB)?HD_API\s+)//m;
    $text =~ s/\s*\\\n(?:.*\\\n)*.*/ .../ if $text =~ /\A#define/ && $text =~ tr/\n// > 3;
    return { name => $name, text => $text, beside => scalar($text =~ m{/\*}),
        alias => $name =~ /^(?:lib)?hd_/ && $bare !~ /\A(?:struct|union) \w+;/ ? 1 : 0 };
}

# ---- what has no docstring ----

sub undocumented (@blocks) {
    my @missing;
    my $said = join "\n", map { $_->{comment} // '' } @blocks;
    for my $b (@blocks) {
        for my $d (@{ $b->{decls} // [] }) {
            next if $d->{text} =~ /\A(?:struct|union|enum) \w+;/; # of another header
            next if $b->{comment} ne '' || $d->{beside} || $said =~ /\b$d->{name}\b/;
            push @missing, $d->{name};
        }
    }
    return @missing;
}

# ---- a page ----

sub roff ($text) {
    return $text =~ s/\\/\\e/gr =~ s/^([.'])/\\&$1/gmr =~ s/-/\\-/gr;
}

# Prose, with lines that begin something: @param, name - text, Returns, - item,
# and tables, which are indented.
sub prose ($comment) {
    my ($out, $table) = ('', 0);
    for my $line (split /\n/, $comment) {
        my $is_row = $line !~ /^@/ && $line =~ /\S {3,}\S/ ? 1 : 0;
        $out .= $is_row ? ".nf\n" : ".fi\n" if $is_row != $table;
        $table = $is_row;
        if ($is_row) {
            $out .= roff($line) . "\n";
        } elsif ($line =~ /^\s*$/) {
            $out .= ".P\n";
        } elsif ($line =~ /^@(\w+)\s+(.*)/) {
            $out .= ".TP\n.I $1\n" . roff($2) . "\n";
        } elsif ($line =~ /^((?:LIB)?HD_\w+(?:, (?:LIB)?HD_\w+)*)(?:\(\))? - (.*)/i) {
            $out .= ".TP\n.B " . roff($1) . "\n" . roff($2) . "\n";
        } elsif ($line =~ /^Returns\b/) {
            $out .= ".P\n" . roff($line) . "\n";
        } elsif ($line =~ /^- (.*)/) {
            $out .= ".IP \\[bu] 3\n" . roff($1) . "\n";
        } else {
            $out .= roff($line =~ s/^ +//r) . "\n";
        }
    }
    return $out . ($table ? ".fi\n" : '');
}

sub code ($text) {
    $text =~ s/\s+\z//;
    1 while $text =~ s/^([^\t\n]*)\t/$1 . ' ' x (8 - length($1) % 8)/me;
    return ".P\n.nf\n.RS 4\n" . roff($text) . "\n.RE\n.fi\n";
}

# What the headers of a folder are for, and what to read on.
my %folder = (
    'hyper-derp' => { of => 'Modules of hyper-derp', more => "module\\-guide.md, beside the package's other documents" },
    hd => { of => 'libhd', more => '.BR libhd (3)' },
);

sub page ($folder, $header, $title, @blocks) {
    my $head = shift @blocks;
    my ($what, $rest) = $head->{comment} =~ m{\A$folder/$header\.h - (.*?\.)(?=\s|\z)(.*)}s
        or die "$header.h: its first comment is no \"$folder/$header.h - what it is.\"\n";
    my @names = map { $_->{name} } grep { $_->{alias} } map { @{ $_->{decls} // [] } } @blocks;
    my $out = qq(.TH "$title" 3 "" "hyper-derp $opt{version}" "$folder{$folder}{of}"\n.SH NAME\n)
        . join(', ', $title, @names) . ' \- ' . roff($what =~ s/\s+/ /gr =~ s/\.\z//r) . "\n";
    $out .= ".SH SYNOPSIS\n.B #include <" . roff("$folder/$header.h") . ">\n";
    $out .= ".SH DESCRIPTION\n" . prose($rest =~ s/\A\s+//r) if $rest =~ /\S/;
    $out .= ".SH INTERFACE\n" unless ($blocks[0] // {})->{section};
    for my $b (@blocks) {
        if ($b->{section}) {
            $out .= '.SH ' . roff(uc $b->{section}) . "\n";
            next;
        }
        $out .= '.SS ' . roff(join ', ', map { $_->{name} } @{ $b->{decls} }) . "\n" if @{ $b->{decls} };
        $out .= code(join '', map { $_->{text} } @{ $b->{decls} }) if @{ $b->{decls} };
        $out .= ".P\n" . prose($b->{comment}) if $b->{comment} ne '';
    }
    return ($out . ".SH SEE ALSO\n$folder{$folder}{more}\n", @names);
}

sub write_file ($path, $text) {
    open my $fh, '>', $path or die "$path: $!\n";
    print $fh $text;
    close $fh or die "$path: $!\n";
}

my ($bad, %seen) = 0;
for my $path (@ARGV) {
    my ($folder, $header) = $path =~ m{([^/]+)/([^/]+)\.h\z} or die "$path: no header\n";
    my $title = $path =~ m{/hd/hd\.h\z} ? 'libhd-functions' : ($folder eq 'hd' ? 'lib' : '') . "$folder-$header";
    my @blocks = blocks(read_file($path));
    for my $name (undocumented(@blocks)) {
        warn "$path: $name has no docstring\n";
        $bad = 1;
    }
    next if $opt{check};
    my ($text, @names) = page($folder, $header, $title, @blocks);
    write_file("$opt{out}/$title.3", $text);
    write_file("$opt{out}/$_.3", ".so man3/$title.3\n") for grep { !$seen{$_}++ } @names;
}
exit($opt{check} ? $bad : 0);

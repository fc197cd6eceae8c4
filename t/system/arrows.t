# SPDX-License-Identifier: MIT
# t/system/arrows.t - a core of our own making with mistakes put into it: t/arrows finds
# each, and nothing in the real one.
use v5.36;
use Test::More;
use FindBin;
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);

my $src = $ENV{HD_SRCDIR} // "$FindBin::Bin/../..";
my $build = $ENV{HD_BUILDDIR} // "$src/build";
my @cc = split ' ', $ENV{CC} // 'cc'; # CC='ccache gcc'

# arrows IN, BUILDDIR - exit status and what it says.
sub arrows ($in, @build) {
    my $says = qx('$in/t/arrows' @build 2>&1);
    return ($? >> 8, $says);
}

my $good = <<'E2';
| [top/](top) | the door | all below |
| [left/](left) | a wing | base |
| [right/](right) | a wing | base |
| [base/](base) | the ground | nobody |
E2

# house MAP, FILE => TEXT... - a core of these files, compiled.
sub house ($map, %files) {
    my $at = tempdir(CLEANUP => 1);
    make_path("$at/t");
    make_path("$at/core/$_", "$at/build/core/$_") for qw(top left right base);
    copy("$src/t/arrows", "$at/t/arrows") or die "copy: $!";
    chmod 0755, "$at/t/arrows";
    my $forget = delete $files{forget} // '';
    my %names; # what the map says of its rooms
    m{^core/([a-z]+)/([a-z]+)\.c$} and push $names{$1}->@*, "`$2`" for sort keys %files;
    $files{'core/README.md'} = join '', $map, map { "\n### $_/\n\n- $names{$_}->@*\n" }
        grep { $_ ne $forget } sort keys %names;
    $files{'core/README.md'} .= delete $files{map} // '';
    for my $name (sort keys %files) {
        open my $out, '>', "$at/$name" or die "$name: $!";
        print {$out} $files{$name};
        close $out or die "$name: $!";
    }
    for my $c (grep { /\.c$/ } keys %files) {
        my $o = "$at/build/" . $c =~ s/\.c$/.o/r;
        system(@cc, '-c', "-I$at", '-o', $o, "$at/$c") == 0 or die "$c does not compile";
    }
    return $at;
}

my %base = (
    'core/base/b.h' => "int b(void);\n",
    'core/base/b.c' => "#include \"core/base/b.h\"\nint b(void) { return 1; }\n",
    'core/left/l.h' => "int l(void);\n",
    'core/left/l.c' => "#include \"core/base/b.h\"\nint l(void) { return b(); }\n",
);

sub finds ($title, $pattern, $at) {
    my ($status, $says) = arrows($at, 'build');
    is $status, 1, "$title: found";
    like $says, $pattern, "$title: named" or diag $says;
}

is_deeply [arrows(house($good, %base), 'build')], [0, ''], 'arrows that point down are right';
finds('an include that points up', qr{^core/base/b\.h:1: base/ may not include left/l\.h$}m,
    house($good, %base, 'core/base/b.h' => "#include \"core/left/l.h\"\nint b(void);\n"));
finds('a call that points up', qr{^core/base/c\.c: calls l\(\) of core/left/l\.c}m,
    house($good, %base, 'core/base/c.c' => "int l(void);\nint c(void) { return l(); }\n"));
finds('a call to the room beside', qr{^core/right/r\.c: calls l\(\) of core/left/l\.c}m,
    house($good, %base, 'core/right/r.c' => "int l(void);\nint r(void) { return l(); }\n"));
finds('a variable that stands above', qr{^core/base/v\.c: calls door\(\) of core/top/t\.c}m,
    house($good, %base, 'core/top/t.c' => "int door = 1;\n",
        'core/base/v.c' => "extern int door;\nint v(void) { return door; }\n"));
finds('a file that the map does not name', qr{^core/left/l\.c: core/README\.md does not say}m,
    house($good, %base, forget => 'left'));
finds('a name in the map without a file', qr{^core/README\.md: there is no core/top/gone\.c}m,
    house($good, %base, map => "\n### top/\n\n- `gone` a file\n"));
finds('a file outside the rooms', qr{^core/hall\.c: in no room}m,
    house($good, %base, 'core/hall.c' => "int hall;\n"));
{
    my ($status, $says) = arrows(house($good =~ s/nobody/top/r, %base), 'build');
    isnt $status, 0, 'a map with an arrow up is refused';
    like $says, qr/base may call top, which does not stand below it/, 'and the arrow named';
}

SKIP: {
    skip "no objects in $build/core", 1 unless glob "$build/core/*/*.o";
    is_deeply [arrows($src, $build)], [0, ''], 'core/: every arrow points down';
}
done_testing;

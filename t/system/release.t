#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/release.t - ./bootstrap release, in a clone of this tree with a tag: what
# must agree, and the files that it makes. The packages are those of `deb`, which
# t/packages/build.t makes; here they are left out.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $src = $HyperDerp::Test::srcdir;
plan skip_all => 'this tree has no git' if system "git -C '$src' rev-parse HEAD >/dev/null 2>&1";
plan skip_all => "not installed: $_" for grep { system "command -v $_ >/dev/null" } qw(xz sha256sum gpg);

my $dir = File::Temp->newdir('hd-release-XXXXXX', TMPDIR => 1);
local $ENV{GNUPGHOME} = "$dir/gpg";
local $ENV{XZ_OPT} = '-0';    # quick
mkdir $ENV{GNUPGHOME}, 0700;
my $git = "git -C $dir/tree -c user.name=Test -c user.email=test\@example.net -c commit.gpgsign=false -c tag.gpgsign=false";

sub sh ($cmd) {
    my $said = qx{($cmd) 2>&1 </dev/null};
    return ($? >> 8, $said);
}
sub release (@words) { return sh("cd $dir/tree && ./bootstrap release @words") }

# The tree as it stands, with what is not committed.
sub must ($cmd) { my ($code, $said) = sh($cmd); $code == 0 or die "$cmd: $said" }
must("mkdir $dir/tree && cd '$src' && git ls-files -z --cached --others --exclude-standard"
    . " | perl -0 -lne 'print if -e' | tar -c --null --no-recursion -T - | tar -x -C $dir/tree");
must("$git init -q && $git add -A && $git commit -qm before");
my ($version) = HyperDerp::Test::slurp("$src/configure.ac") =~ /^AC_INIT\(\[hyper-derp\], \[(.*)\]\)/m;

my ($code, $said) = release("$dir/out", "v$version", '--dry-run');
is $code, 1, 'no tag yet';
like $said, qr/^release: no tag v\Q$version\E$/m, '... is said';
must("$git tag v9.9.9");
($code, $said) = release("$dir/out", 'v9.9.9', '--dry-run');
like $said, qr/configure\.ac in v9\.9\.9 says \Q$version\E/, 'a tag of another version';
my $changes = HyperDerp::Test::slurp("$dir/tree/CHANGELOG.md");
HyperDerp::Test::spew("$dir/tree/CHANGELOG.md", $changes =~ s/^## \Q$version\E .*$/## $version (not released)/mr);
must("$git commit -qam open --allow-empty && $git tag v$version");
($code, $said) = release("$dir/out", "v$version", '--dry-run');
is $code, 1, 'a changelog without a date';
like $said, qr/CHANGELOG\.md in v\Q$version\E says: \Q$version\E \(not released\)/, '... is said';
HyperDerp::Test::spew("$dir/tree/CHANGELOG.md", $changes =~ s/^## \Q$version\E .*$/## $version (2026-12-01)/mr);
HyperDerp::Test::spew("$dir/tree/contrib/debian/changelog", "hyper-derp ($version-0hd1) unstable; urgency=medium\n\n  * x\n\n"
        . " -- A <a\@example.net>  Tue, 01 Dec 2026 12:00:00 +0000\n");
must("$git commit -qam release && $git tag -f v$version");

($code, $said) = release("$dir/out", "v$version", '--dry-run');
is $code, 0, '--dry-run, once all agrees' or diag $said;
like $said, qr/would be made in \Q$dir\E\/out: sources, packages, notes, SHA256SUMS/, '... says what';
ok !-e "$dir/out", '... and makes nothing';
($code, $said) = release("$dir/out", "v$version", '--key', 'nobody@example.net');
like $said, qr/no secret key nobody/, 'a key that is not there';
must('gpg --batch --quiet --passphrase "" --quick-generate-key test@example.net default sign never');
HyperDerp::Test::spew("$dir/tree/README.md", "not committed\n");
($code, $said) = release("$dir/out", "v$version", '--only-source', '--key', 'test@example.net');
is $code, 0, 'made' or diag $said;
is_deeply [sort map { s{.*/}{}r } glob "$dir/out/*"],
    ['NOTES.md', 'SHA256SUMS', 'SHA256SUMS.asc', "hyper-derp-$version.tar.xz"], 'sources, notes, checksums, a signature';
is((sh("cd $dir/out && gpg --verify SHA256SUMS.asc SHA256SUMS && sha256sum -c SHA256SUMS"))[0], 0, 'which hold');
my $notes = HyperDerp::Test::slurp("$dir/out/NOTES.md");
like $notes, qr/\A# Hyper-DERP \Q$version\E\n/, 'the notes are of this version';
my ($line) = $changes =~ /^## \Q$version\E .*\n\n(.*)\n/m;
like $notes, qr/^\Q$line\E$/m, '... and have its changes';
unlike $notes, qr/\@[A-Z]+\@/, '... with nothing left out';
must("tar -xf $dir/out/hyper-derp-$version.tar.xz -C $dir");
unlike HyperDerp::Test::slurp("$dir/hyper-derp-$version/README.md"), qr/not committed/, 'the sources are the tag\'s';
my ($commit) = qx($git rev-parse HEAD) =~ /(\w+)/;
like HyperDerp::Test::slurp("$dir/hyper-derp-$version/.commit"), qr/^$commit/, '... and know their commit';
must("$git checkout -q README.md");
release("$dir/again", "v$version", '--only-source');
is HyperDerp::Test::slurp("$dir/again/hyper-derp-$version.tar.xz"), HyperDerp::Test::slurp("$dir/out/hyper-derp-$version.tar.xz"),
    'the same bytes each time';
($code, $said) = release("$dir/out", "v$version");
like $said, qr/\Q$dir\E\/out is there already/, 'nothing is overwritten';
system 'gpgconf', '--kill', 'gpg-agent';
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/rpm.t - ./bootstrap rpm: the RPM packages have the files that the
# Debian packages of t/packages/build.t have.
use v5.36;
use Test::More;
use Cwd qw(abs_path);
use File::Basename qw(dirname);

my $src = $ENV{HD_SRCDIR} // abs_path(dirname(__FILE__) . '/../..');
chdir $src or die "$src: $!";
plan skip_all => 'rpmbuild is missing: apt-get install rpm'
    unless grep { -x "$_/rpmbuild" } split /:/, $ENV{PATH};
my @debs = grep { !/-dbgsym_/ } glob 'build-deb/*.deb';
plan skip_all => 'no Debian packages: t/packages/build.t makes them' unless @debs;

delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};
$ENV{HD_NO_PACKAGES} = 1;
# Debian's rpm keeps no database that would know of its own tools. Only the names
# of files are looked at: -O0 is quicker than rpm's own flags.
my $out = qx{./bootstrap rpm --define 'debug_package %{nil}' --define '_smp_mflags -j2' --define 'optflags -O0 -Wno-cpp' 2>&1};
is $?, 0, './bootstrap rpm' or diag(substr $out, -4000) or BAIL_OUT('no packages');

# Folders, documents, compression and the place of libraries are each
# distribution's own; debhelper and lintian are Debian's only.
sub plain (@paths) {
    my %seen = map { s{^\.?/lib/}{/usr/lib/}r =~ s{^\.}{}r =~ s{\.gz$}{}r =~ s{zsh/vendor-completions/}{zsh/site-functions/}r
        =~ s{/usr/lib(?:64|/[\w-]+-linux-gnu)/}{/usr/lib/}r => 1 } @paths;
    delete @seen{ grep { m{/usr/share/(?:doc|licenses|perl5|debhelper|lintian)(?:/|$)|dh_hyperderp|/\.build-id(?:/|$)} } keys %seen };
    return sort keys %seen;
}

# Names that are the distributions' own; libhd.so.0 is in the name for Debian only.
my %rpm_name = (libhd0 => 'libhd', 'hyper-derp-mod-hd-xdp' => 'hyper-derp-mod-hd_xdp',
    'hyper-derp-mod-mesh-nats' => 'hyper-derp-mod-mesh_nats');

for my $deb (@debs) {
    my ($name) = $deb =~ m{/([^/_]+)_};
    next if $name eq 'hdcat';    # distributions with RPM have ngtcp2 1.x: see the spec
    my $rpm  = $rpm_name{$name} // $name =~ s/-dev$/-devel/r;
    my @rpms = grep { m{/\Q$rpm\E-\d} } glob 'build-rpm/RPMS/*/*.rpm';
    is @rpms, 1, "an RPM for $name" or next;
    my @deb_files = map { /^[^d]\S+\s+\S+\s+\d+\s+\S+\s+\S+\s+(\S+)/ } qx{dpkg-deb -c $deb};
    my @rpm_files = map { /^[^d]\S+\s.*?\s(\/\S+)(?: -> .*)?$/ } qx{rpm -qlvp $rpms[0]};
    is_deeply [plain(@rpm_files)], [plain(@deb_files)], "$name: the same files";
    my ($abi) = qx{dpkg-deb -f $deb Provides Depends} =~ /hyper-derp-abi-2 \((.*?)\)/ or next;
    like qx{rpm -qp --provides --requires $rpms[0]}, qr/hyper-derp-abi-2 \Q$abi\E$/m, "$name: the same ABI";
    for my $module (map { tr/-/_/r } qx{dpkg-deb -f $deb Depends} =~ /hyper-derp-mod-([\w-]+)/g) {
        like qx{rpm -qp --requires $rpms[0]}, qr/^hyper-derp-mod-$module$/m, "$name: with the module $module";
    }
}
done_testing;

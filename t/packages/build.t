#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/build.t - ./bootstrap deb, and what can be said of the packages
# without installing them.
use v5.36;
use Test::More;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Temp;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $src = $ENV{HD_SRCDIR} // abs_path(dirname(__FILE__) . '/../..');
my $debs = "$src/build-deb";
chdir $src or die "$src: $!";

sub missing (@programs) {
    return grep { !grep { -x } glob "{/usr/sbin,/usr/bin,/sbin,/bin}/$_" } @programs;
}

sub sh ($name, $cmd) {
    my $out = qx{($cmd) 2>&1};
    ok($? == 0, $name) || diag "$cmd\n$out";
    return $out;
}

my @missing = missing(qw(dpkg-buildpackage dh lintian dh_apparmor));
plan skip_all => "not on this machine: @missing; apt-get install dpkg-dev debhelper lintian dh-apparmor"
    if @missing;

# Flags of the make that runs this are not for that one.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};
$ENV{HD_NO_PACKAGES} = 1;
$ENV{DEB_BUILD_OPTIONS} = 'nocheck parallel=2';
my $out = qx{./bootstrap deb 2>&1};
is $?, 0, './bootstrap deb' or diag(substr $out, -4000) or BAIL_OUT('no packages');
ok !-e 'debian', 'source folders stay clean';

my %deb = map { m{/([^/_]+)_[^/]*\.deb$} ? ($1 => $_) : () } glob "$debs/*.deb";
my @modules = map { m{modules/([^/]+)/Makefile\.inc} ? $1 : () } glob 'modules/*/Makefile.inc';
ok $deb{ "hyper-derp-mod-$_" =~ tr/_/-/r }, "module $_ has a package" for @modules;
ok $deb{$_}, "$_ is there" for qw(hyper-derp hyper-derp-tools hyper-derp-dev hyper-derp-dbgsym);

my @objects = map { my $name = $_; map { /(\S+\.l?o)$/m ? "$name: $1" : () } qx{dpkg-deb -c $deb{$name}} } sort keys %deb;
is_deeply \@objects, [], 'nobody has objects of the build';

# README names files, so apt finds no package of ours that is not among them.
for my $line (HyperDerp::Test::slurp("$src/README.md") =~ /^ *apt install (\S+)$/mg) {
    my @named = split ' ', qx{bash -c 'echo $line'};
    my %has = map { m{/([^/_]+)_} ? ($1 => 1) : () } @named;
    my @needed = map { qx{dpkg-deb -f $_ Depends} =~ /\b((?:hyper-derp|libhd)[\w-]*)/g } @named;
    my %lacks = map { $_ => 1 } grep { $deb{$_} && !$has{$_} } @needed;
    is_deeply [sort keys %lacks], [], "$line: all that they need is with them";
}

my ($abi) = qx{sed -n 's/^.define HD_ABI_MINOR //p' include/hyper-derp/module.h} =~ /(\d+)/;
like qx{dpkg-deb -f $deb{'hyper-derp'} Provides}, qr/^hyper-derp-abi-2 \(= $abi\)$/, 'the relay provides its ABI';
like qx{dpkg-deb -f $deb{'hyper-derp-mod-derp'} Depends}, qr/^hyper-derp-abi-2 \(>= $abi\)/, 'modules depend on it';
like qx{dpkg-deb -f $deb{'hyper-derp'} Recommends}, qr/hyper-derp-mod-derp, hyper-derp-mod-stun, hyper-derp-tools/,
    'a plain relay is recommended, and what looks at it';

$out = qx{lintian --allow-root --fail-on error,warning $debs/*.changes 2>&1};
is $?, 0, 'lintian' or diag $out;

my $tmp = File::Temp->newdir;
sh 'unpacked', "dpkg-deb -x $deb{'hyper-derp'} $tmp";
SKIP: {
    skip 'apparmor_parser is missing: apt-get install apparmor', 1 if missing('apparmor_parser');
    # -Q: not into the kernel; -K: nor into a cache
    sh 'AppArmor takes the profile', "apparmor_parser -QK $tmp/etc/apparmor.d/usr.sbin.hyper-derp";
}
SKIP: {
    skip 'logrotate is missing: apt-get install logrotate', 1 if missing('logrotate');
    # the user is made with the package
    sh 'logrotate takes its file', "sed -i 's/hyper-derp hyper-derp/root root/' $tmp/etc/logrotate.d/hyper-derp"
        . " && logrotate -d -s $tmp/state $tmp/etc/logrotate.d/hyper-derp";
}
SKIP: {
    skip 'systemd-analyze is missing: apt-get install systemd', 6 if missing('systemd-analyze');
    my ($service, $socket) = map { "$tmp/lib/systemd/system/hyper-derp.$_" } qw(service socket);
    # the program stands where the unit says only once it is installed
    sh 'a unit for here', "sed -i 's,/usr/sbin/hyper-derp,$tmp/usr/sbin/hyper-derp,' $service";
    my $said = sh 'systemd-analyze verify', "systemd-analyze verify --man=no $service $socket";
    unlike $said, qr/hyper-derp/, '... says nothing of it';
    my $drop_in = "$service.d";
    sh "the example $_", "mkdir $drop_in && cp contrib/packaging/examples/$_ $drop_in/"
        . " && systemd-analyze verify --man=no $service && rm -r $drop_in" for qw(wg-xdp.conf hd-xdp.conf);
    # 2.0 of 10: what is left is what a server needs, such as the network
    sh 'systemd-analyze security', "systemd-analyze security --no-pager --offline=true --threshold=20 $service";
}
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/cross.t - the packages for arm64, built on this machine; their unit
# tests run under qemu-user, which has no io_uring: on epoll. Long: HD_LONG=1.
# Compiler and libraries go into an overlay, not onto the machine.
use v5.36;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin", "$FindBin::Bin/../lib";
use Root;
use Test::More;

my $src = abs_path("$FindBin::Bin/../..");
plan skip_all => 'HD_LONG is not set' unless $ENV{HD_LONG};
plan skip_all => 'this machine is no amd64' if qx{dpkg --print-architecture} ne "amd64\n";
Root::enter('a compiler is installed', "$src/build-deb");
my $root = Root->new(debs => "$src/build-deb", size => '3g');
system("cp /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list $root->{root}/etc/apt/ 2>/dev/null;"
    . " mv $root->{root}/etc/apt/debian.sources $root->{root}/etc/apt/sources.list.d/ 2>/dev/null;"
    . " cp -L /etc/resolv.conf /etc/hosts $root->{root}/etc/ 2>/dev/null");
my @libraries = map { "lib$_-dev:arm64" } qw(bpf c6 cmocka curl4-openssl edit gnutls28 jansson ltdl nats
    ngtcp2 ngtcp2-crypto-gnutls qrencode sodium ssl uring wslay xdp yaml);
$root->run('dpkg --add-architecture arm64 && apt-get -q update')
    or plan(skip_all => 'apt-get update fails: ' . ($root->out =~ s/\n/ /gr));
ok $root->run('apt-get -q -y --no-install-recommends install gcc-aarch64-linux-gnu qemu-user-static'
    . " pkgconf:arm64 systemtap-sdt-dev:arm64 uthash-dev @libraries"), 'compiler and libraries' or diag(substr $root->out, -3000);
ok $root->run("cd $src && . /etc/os-release && rm -rf /tmp/cross && mkdir /tmp/cross"
    . ' && tar -c --exclude=./build* --exclude=./.git . | tar -x -C /tmp/cross'
    . ' && cp -r /tmp/cross/contrib/debian /tmp/cross/debian'
    . ' && cp build-deb/hyper-derp-*/debian/changelog /tmp/cross/debian/'), 'a copy of the sources, of the same version';
$root->{env} = { DEB_BUILD_OPTIONS => 'nocheck parallel=2' };
# -d: what is installed above is enough; scdoc and the rest run on amd64
ok $root->run('cd /tmp/cross && dpkg-buildpackage -d -us -uc -b -aarm64 -Pcross,nocheck'), 'dpkg-buildpackage -aarm64'
    or diag(substr $root->out, -3000);
for my $name (map { m{/([^/_]+)_[^/]*$} } grep { !/-dbgsym_/ } glob "$src/build-deb/*.deb") {
    $root->run("dpkg-deb -f /tmp/${name}_*_arm64.deb Architecture");
    is $root->out, "arm64\n", "$name is for arm64";
}
system("mkdir -p $src/build-deb/arm64 && cp $root->{root}/tmp/*_arm64.deb $src/build-deb/arm64/") == 0
    or fail 'kept in build-deb/arm64/, for ./bootstrap apt-repo';
$root->run('rm -rf /tmp/x && dpkg-deb -x /tmp/hyper-derp_*_arm64.deb /tmp/x && dpkg-deb -x /tmp/hyper-derp-mod-derp_*_arm64.deb /tmp/x'
    . ' && qemu-aarch64-static /tmp/x/usr/sbin/hyper-derp -V');
like $root->out, qr/hyper-derp \d/, 'the relay says its version' or diag $root->out;
ok $root->run('cd /tmp/cross && make -j2 tests'), 'the unit tests are built' or diag(substr $root->out, -3000);
$root->{env} = { HD_EVENT_BACKEND => 'epoll', HD_BUILDDIR => '/tmp/cross', HD_SRCDIR => '/tmp/cross' };
my %not_here = (
    module_file => 'it starts /proc/self/exe, which is the emulator',
    secret => 'it reads /proc/self/smaps, which is the emulator\'s',
);
for my $test (map { m{(t/unit/\w+)$} } grep { -x && !-d } glob "$root->{root}/tmp/cross/t/unit/*") {
    SKIP: {
        my $why = $not_here{ $test =~ s{.*/}{}r };
        skip "$test: $why", 1 if $why;
        my $ok = $root->run("cd /tmp/cross && timeout 300 qemu-aarch64-static $test");
        skip "$test: " . ($root->out =~ /([^\n]*)\n*\z/)[0], 1 if $root->{status} == 77;
        ok $ok, $test or diag(substr $root->out, -1500);
    }
}
done_testing;

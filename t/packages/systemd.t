#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/systemd.t - the packages under the systemd of Debian 12, in a guest
# with Debian's kernel, AppArmor and kTLS. Long: HD_LONG=1.
#
# The guest's disk is an initramfs with a minimal Debian that mmdebstrap makes
# from the registry. What runs there is t/packages/vm/test; its TAP comes over
# a serial line.
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use POSIX ();

sub skip_all ($why) {
    say "1..0 # SKIP $why";
    exit 0;
}

my $src = $ENV{HD_SRCDIR} // abs_path(dirname(__FILE__) . '/../..');
my @debs = grep { !/-dbgsym_/ } glob "$src/build-deb/*.deb";
skip_all('HD_LONG is not set') unless $ENV{HD_LONG};
skip_all('root is needed: mmdebstrap makes a system') if $> != 0;
skip_all('no packages: t/packages/build.t makes them') unless @debs;
for my $need (qw(mmdebstrap qemu-system-x86_64 cpio xz dpkg-scanpackages)) {
    skip_all("$need is missing: apt-get install mmdebstrap qemu-system-x86 cpio xz-utils dpkg-dev")
        if system("command -v $need >/dev/null") != 0;
}
$| = 1;
my $tmp = tempdir('hd-systemd-XXXXXX', TMPDIR => 1, CLEANUP => 1);
chmod 0755, $tmp;
my $root = "$tmp/root";

sub must ($cmd) {
    system("($cmd) >>$tmp/log 2>&1") == 0 or do {
        print qx{tail -20 $tmp/log} =~ s/^/# /gmr;
        say "not ok 1 - $cmd\n1..1";
        exit 1;
    };
}

sub spew ($path, $text, $mode = 0644) {
    make_path(dirname("$root$path"));
    open my $f, '>', "$root$path" or die "$path: $!\n";
    print $f $text;
    close $f or die "$path: $!\n";
    chmod $mode, "$root$path";
}

# Debian 12's kernel: the relay's users have it.
sub kernel () {
    my ($name) = qx{apt-cache depends linux-image-cloud-amd64} =~ /Depends: (linux-image-\S+)/
        or skip_all('apt-get update, and the network: no kernel');
    must("cd $tmp && apt-get -q download $name && dpkg -x $name*.deb kernel");
    my ($version) = map { m{([^/]+)$} } glob "$tmp/kernel/lib/modules/*";
    for my $dir (qw(net/tls net/ipv4 crypto arch/x86/crypto lib/crypto)) {    # kTLS and its ciphers, BBR
        make_path("$root/lib/modules/$version/kernel/" . dirname($dir));
        must("cp -r $tmp/kernel/lib/modules/$version/kernel/$dir $root/lib/modules/$version/kernel/" . dirname($dir));
    }
    must("depmod -b $root $version");
    return "$tmp/kernel/boot/vmlinuz-$version";
}

# What the packages need, and nothing of them.
my %is_ours = map { m{([^/_]+)_[^/]*$} ? ($1 => 1) : () } @debs;
my $needs = join ',', sort { $a cmp $b } grep { !$is_ours{$_} } keys %{ { map { $_ => 1 } map { /(?:^|, )(lib[\w.+-]+)/g }
    map { qx{dpkg-deb -f $_ Depends} } @debs } };
must("mmdebstrap --mode=root --variant=minbase --components=main"
    . " --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*'"
    . " --include=systemd-sysv,dbus,apparmor,kmod,openssl,$needs bookworm $root");
my $vmlinuz = kernel();
make_path("$root/debs");
copy($_, "$root/debs/") for @debs;

# The same package with another version, in a folder of the guest.
sub later ($version, $dir, @debs) {
    make_path("$root/$dir");
    for my $deb (@debs) {
        my ($name) = $deb =~ m{([^/_]+)_[^/]*$};
        must("rm -rf $tmp/later && dpkg-deb -R $deb $tmp/later"
            . " && sed -i -e 's/^Version: .*/Version: $version/' -e 's/ (= [^)]*-0hd1)/ (= $version)/g' $tmp/later/DEBIAN/control"
            . " && dpkg-deb -Znone -b $tmp/later $root/$dir/${name}_$version.deb");
    }
    must("cd $root/$dir && dpkg-scanpackages -m . >Packages");
}

# Relays of tomorrow, to upgrade to.
later(99, 'next', grep { m{/hyper-derp(?:-tools|-mod-[\w-]+)?_} } @debs);
later(100, 'later', grep { m{/hyper-derp-mod-derp_} } @debs);
for my $drop_in (qw(wg-xdp.conf credentials.conf)) {
    copy("$src/contrib/packaging/examples/$drop_in", "$root/debs/") or die "$drop_in: $!";
}
must("cd $root/debs && dpkg-scanpackages -m . >Packages");
spew('/etc/apt/sources.list', "deb [trusted=yes] file:/debs ./\n");
unlink glob "$root/etc/apt/sources.list.d/*";
spew('/etc/apt/apt.conf.d/99test', qq(APT::Sandbox::User "root"; Acquire::Languages "none";\n));
spew('/etc/hostname', "relay\n");
spew('/etc/systemd/system/hd-test.service', <<'END');
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c '/hd-test >/dev/ttyS1 2>&1; systemctl poweroff -ff'
[Install]
WantedBy=multi-user.target
END
make_path("$root/etc/systemd/system/multi-user.target.wants");
symlink '/etc/systemd/system/hd-test.service', "$root/etc/systemd/system/multi-user.target.wants/hd-test.service";
copy("$src/t/packages/vm/test", "$root/hd-test") or die "hd-test: $!";
chmod 0755, "$root/hd-test";
symlink '/lib/systemd/systemd', "$root/init";
must("cd $root && rm -rf var/cache/apt/* var/lib/apt/lists/* && find . | cpio -o -H newc --quiet >$tmp/initramfs");

my $pid = open(my $out, '-|') // die "fork: $!\n";
if ($pid == 0) {
    open STDIN, '<', '/dev/null';
    exec 'qemu-system-x86_64', '-accel', 'tcg,thread=multi', '-cpu', 'Nehalem,+aes,+pclmulqdq,+rdrand', '-m', 2560,
        qw(-smp 2 -no-reboot -nodefaults -display none -monitor none), '-kernel', $vmlinuz, '-initrd', "$tmp/initramfs",
        '-append', 'console=ttyS0 quiet panic=-1 no_timer_check random.trust_cpu=on mitigations=off'
        . ' apparmor=1 security=apparmor systemd.show_status=no',
        '-serial', "file:$tmp/console", '-serial', 'stdio' or POSIX::_exit(127);
}
my ($plan, $failed) = (0, 0);
local $SIG{ALRM} = sub { kill 'KILL', $pid };
alarm 3600;
while (my $line = <$out>) {
    $line =~ s/[\r\n]+$//;
    $plan = 1 if $line =~ /^1\.\./;
    $failed = 1 if $line =~ /^not ok/;
    say $line =~ /^(?:(?:not )?ok |1\.\.|#)/ ? $line : "# $line";
}
close $out;
if (!$plan || $failed) {
    open my $f, '<', "$tmp/console";
    print map { "# console: $_" } <$f>;
}
say "not ok 1000 - the guest did not come to its end\n1..1000" unless $plan;

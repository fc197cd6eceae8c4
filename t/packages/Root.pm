# SPDX-License-Identifier: MIT
# t/packages/Root.pm - this machine's file system with a layer over it: what is
# installed there is gone with the namespace.
#
#   my $root = Root->new(debs => '/.../build-deb');
#   $root->run('apt-get install hyper-derp');   # true if it succeeds
#   $root->out                                  # what it printed
#
# Needs a mount and a process namespace of its own, which enter() makes.
package Root;
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Find qw(find);
use File::Path qw(make_path);
use FindBin;
use POSIX qw(:sys_wait_h);
use Test::More ();
use Time::HiRes qw(time sleep);

sub skip_all ($why) { return Test::More::plan(skip_all => $why) }

# Starts the test again in namespaces of its own, or skips it: what root is needed
# for, the programs that the machine must have; net: a network without a link.
sub enter ($why, $debs, %o) {
    return if $ENV{HD_INSIDE};
    skip_all("root is needed: $why") if $> != 0;
    skip_all('no packages: t/packages/build.t makes them') unless glob "$debs/hyper-derp_*.deb";
    for my $program ('unshare', @{ $o{programs} // [] }) {
        skip_all("$program is missing") if system("command -v $program >/dev/null") != 0;
    }
    skip_all('the kernel has no overlayfs') if system('grep -qw overlay /proc/filesystems || modprobe -q overlay') != 0;
    $ENV{HD_INSIDE} = 1;
    exec qw(unshare --mount --pid --fork --kill-child --mount-proc), $o{net} ? '--net' : (), $^X, $0;
    die "unshare: $!";
}

# The overlay's upper part cannot lie in its lower one: so it is a tmpfs.
sub new ($class, %o) {
    my $self = bless { %o, out => '' }, $class;
    my $base = $self->{base} = '/mnt';
    must('mount --make-rprivate /');
    must('mount -t tmpfs -o size=' . ($o{size} // '1g') . " hd-packages $base");
    make_path(map { "$base/$_" } qw(upper work root));
    must("mount -t overlay overlay -o lowerdir=/,upperdir=$base/upper,workdir=$base/work $base/root");
    $self->{root} = "$base/root";
    must("mount --rbind /dev $self->{root}/dev");
    must("mount -t proc proc $self->{root}/proc");
    must("mount -t tmpfs -o mode=$_->[1] tmpfs $self->{root}/$_->[0]")
        for ['run', '755'], ['tmp', '1777'];
    make_path("$self->{root}/tmp/debs");
    $self->show_tree(abs_path("$FindBin::Bin/../.."));
    system('ip link set lo up');
    # packages of ours and no others; dependencies are on this machine
    $self->run('rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*'
        . ' && echo "deb [trusted=yes] file:/tmp/debs ./" >/etc/apt/sources.list'
        . ' && echo \'APT::Sandbox::User "root"; Acquire::Languages "none";\' >/etc/apt/apt.conf.d/99test'
        . ' && dpkg-divert -q --local --rename --add /usr/bin/man-db-off 2>/dev/null;'
        . ' rm -f /usr/bin/mandb; ln -s /bin/true /usr/bin/mandb;'
        . ' dpkg --purge $(dpkg-query -W -f \'${Package}\n\' \'hyper-derp*\' 2>/dev/null) 2>/dev/null;'
        # what a relay has left that ran here by hand
        . ' rm -rf /etc/hyper-derp /var/lib/hyper-derp /var/log/hyper-derp; true');
    $self->publish(glob "$self->{debs}/*.deb");
    return $self;
}

# The tree itself, where it stands under /tmp.
sub show_tree ($self, $src) {
    return if $src !~ m{^/tmp/};
    make_path("$self->{root}$src");
    must("mount --bind $src $self->{root}$src");
}

sub must ($cmd) {
    system($cmd) == 0 or die "$cmd: failed\n";
}

# Packages that apt may choose from now on.
sub publish ($self, @debs) {
    copy($_, "$self->{root}/tmp/debs/") or die "$_: $!" for @debs;
    $self->run('cd /tmp/debs && dpkg-scanpackages -m . >Packages 2>/dev/null'
        . ' && apt-get -q update') or die "apt-get update: $self->{out}";
}

sub run ($self, $cmd) {
    my $pid = open(my $f, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        chroot $self->{root} or POSIX::_exit(126);
        chdir '/';
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C.UTF-8', HOME => '/root',
            DEBIAN_FRONTEND => 'noninteractive', %{ $self->{env} // {} });
        exec 'sh', '-c', $cmd or POSIX::_exit(127);
    }
    local $/;
    $self->{out} = <$f> // '';
    close $f;
    $self->{status} = $? >> 8;
    return $? == 0;
}

sub out ($self) { return $self->{out} }
sub path ($self, $path) { return "$self->{root}$path" }

# What was made since new(), by name. The package manager keeps notes of what
# it may remove, apt what it has read.
sub left ($self, $re) {
    my @found;
    find({ no_chdir => 1, wanted => sub {
        my $path = substr $File::Find::name, length "$self->{base}/upper";
        push @found, $path if basename($path) =~ $re && !-c $File::Find::name
            && $path !~ m{^/(?:var/(?:lib|cache)/apt|work|root)/};
    } }, "$self->{base}/upper");
    return @found;
}

# A copy of a package with another version, and what $edit->($dir) changes.
sub repack ($self, $name, $version, $edit = sub ($dir) { }) {
    my ($deb) = glob "$self->{debs}/${name}_*.deb";
    my $dir = "$self->{root}/tmp/repack";
    must("rm -rf $dir && dpkg-deb -R $deb $dir && sed -i 's/^Version: .*/Version: $version/' $dir/DEBIAN/control");
    $edit->($dir);
    my $to = "$self->{root}/tmp/debs/${name}_${version}_all.deb";
    must("dpkg-deb -Znone -b $dir $to >/dev/null && rm -rf $dir");
    $self->publish();
    return "/tmp/debs/${name}_${version}_all.deb";
}

1;

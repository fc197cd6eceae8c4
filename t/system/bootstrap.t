#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/bootstrap.t - what ./bootstrap says to who tries it: how much it
# installs, before it does; and last, whether the relay is well and what to do
# next.
#
# It runs in a folder of its own with a network of its own, on what was built;
# apt-get, dpkg, configure and make are stand-ins that only tell.
use v5.36;
use Test::More;
use File::Copy qw(copy);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use POSIX qw(setsid);

my ($build, $src) = ($HyperDerp::Test::build, $HyperDerp::Test::srcdir);
plan skip_all => 'a network of its own needs root' if $>;
plan skip_all => 'unshare and ip are missing: apt-get install util-linux iproute2'
    if system('unshare -n ip link set lo up >/dev/null 2>&1');
plan skip_all => 'the plain build is tried' if HyperDerp::Test::sanitized();

my $dir = File::Temp->newdir('hd-bootstrap-XXXXXX', TMPDIR => 1);
mkdir "$dir/$_" for qw(bin build state);
copy("$src/bootstrap", "$dir/bootstrap") or die "bootstrap: $!";
chmod 0755, "$dir/bootstrap";
symlink "$build/$_", "$dir/build/$_" for qw(hyper-derp hdprobe hdctl);

sub script ($path, $text) {
    HyperDerp::Test::spew($path, "#!/bin/sh\n$text");
    chmod 0755, $path;
    return;
}

script("$dir/configure", "touch Makefile; echo CONFIGURED\n");
script("$dir/bin/make", "echo MADE\n");
script("$dir/bin/dpkg", qq{case \$2 in perl|gcc) echo "Status: install ok installed" ;; esac\n});
script("$dir/bin/apt-get", <<'END');
case "$*" in
*assume-no*)
	echo "0 upgraded, 7 newly installed, 0 to remove and 0 not upgraded."
	echo "Need to get 61.6 MB/62.0 MB of archives."
	echo "After this operation, 249 MB of additional disk space will be used."
	exit 1 ;;
*) echo "APT $*" ;;
esac
END

# Starts it; what it says goes to $dir/said.
sub bootstrap (@args) {
    unlink "$dir/said";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        setsid();
        chdir "$dir";
        @ENV{qw(PATH HOME XDG_STATE_HOME)} = ("$dir/bin:$ENV{PATH}", "$dir", "$dir/state");
        delete @ENV{qw(HD_NO_PACKAGES CONFIGURE_FLAGS)};
        open STDOUT, '>', "$dir/said";
        open STDERR, '>&', \*STDOUT;
        exec qw(unshare -n sh -c), 'ip link set lo up && exec ./bootstrap "$@"', 'sh', @args
            or POSIX::_exit(127);
    }
    return $pid;
}

sub said () { return -e "$dir/said" ? HyperDerp::Test::whole_lines("$dir/said") : '' }

# A whole run: what was said when it served, the lines of the relay's log aside.
sub run_once () {
    my $pid = bootstrap('run');
    my $serves = HyperDerp::Test::wait_for(sub { said() =~ /^Ctrl-C ends the relay\.$/m });
    ok $serves, 'it serves, and says so' or diag said();
    my $said = said() =~ s/^\d{4}-\d\d-\d\dT.*\n//mgr;
    kill 'INT', $pid;
    waitpid $pid, 0;
    return $said;
}

subtest 'packages' => sub {
    HyperDerp::Test::spew("$dir/build/config.h", "#define HAVE_CMOCKA 1\n");
    my $said = run_once();
    like $said, qr/^== installing 7 packages: 61\.6 MB to fetch, 249 MB on disk: \S.*\n(?:.*\n)*?APT .*install/m,
        'how many and how much, before it installs';
    my ($all) = $said =~ /^APT -q install (.*)$/m;
    unlike $all, qr/clang|bpf|libcmocka|\bgit\b|(?<![-\w])perl\b/, 'fewer than the tests need';
    like $all, qr/\blibssl-dev\b/, '... but what the build needs';
    like $said, qr/^CONFIGURED\nMADE$/m, 'built';
    like $said, qr/^  left out +XDP, USDT probes: /m, 'what is left out';
};

subtest 'the last words' => sub {
    HyperDerp::Test::spew("$dir/build/config.h", join '', map { "#define HAVE_$_ 1\n" } qw(XDP SDT CMOCKA));
    my $said = run_once();
    like $said, qr/^127\.0\.0\.1 port 3340: ok - .*\n\nThe relay serves 127\.0\.0\.1:3340 and is well\.\n/m,
        'hdprobe, then the verdict';
    my ($after) = $said =~ /is well\.\n(.*)\z/s;
    cmp_ok scalar(split /\n/, $after // ''), '<=', 8, '... and little after it';
    like $after, qr{build/hdctl top\b}, 'where to look';
    like $after, qr{build/hdprobe --derpmap --format yaml 127\.0\.0\.1:3340$}m, 'what Headscale takes';
    unlike $said, qr/RegionID|left out/, 'no map, nothing left out';
    my $installed = () = $said =~ /^CONFIGURED$/mg;
    is $installed, 1, 'configured again when packages came';
};

subtest 'the tests need more' => sub {
    script("$dir/bin/apt-get", qq{echo "APT \$*"\ncase "\$*" in *"install -y"*) exit 100 ;; esac\n});
    for (['check', qr/libcmocka-dev.*clang-14.*shellcheck.*lintian/], ['build', qr/libcmocka-dev.*clang-14/]) {
        my ($command, $lists) = @$_;
        waitpid bootstrap($command), 0;
        isnt $?, 0, "$command: ends when apt-get fails";
        my ($all) = said() =~ /^APT -q install -y (.*)$/m;
        like $all // '', $lists, '... which was asked for all';
        like said(), qr/^== installing \? packages: /m, '... also when apt-get gives no figures';
    }
};
done_testing;

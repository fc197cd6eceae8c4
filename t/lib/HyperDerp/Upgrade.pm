# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Upgrade.pm - a daemon that another process takes over from.
#
#   my $said = upgrade($hd);    # hdctl's answer, as a hash; $hd is the new one then
package HyperDerp::Upgrade;
use v5.36;
use Exporter qw(import);
use HyperDerp::Children;
use HyperDerp::Test;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More ();
our @EXPORT_OK = qw(can_upgrade upgrade try_upgrade);

# A grandchild whose parent ends becomes our child: prctl(PR_SET_CHILD_SUBREAPER).
sub can_upgrade () {
    my $number = { x86_64 => 157, aarch64 => 167 }->{ (POSIX::uname())[4] } // return 0;
    return syscall($number, 36, 1, 0, 0, 0) == 0;
}

# What hdctl says: a hash, or a text where it failed.
sub try_upgrade ($hd, @args) {
    my $out = $hd->ctl('upgrade', @args, '--json');
    return $? == 0 ? decode_json($out) : $out;
}

sub upgrade ($hd, @args) {
    my $said = try_upgrade($hd, @args);
    if (!ref $said) {
        Test::More::diag($said, $hd->log_text);
        die "no upgrade: $said";
    }
    my $status = $hd->wait_exit;
    Test::More::is($status, 0, 'the old process ends with exit status 0');
    $hd->adopt($said->{pid});
    return $said;
}

1;

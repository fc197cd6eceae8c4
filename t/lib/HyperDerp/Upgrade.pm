# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Upgrade.pm - a daemon that another process takes over from.
#
#   my $said = upgrade($hd);    # hdctl's answer, as a hash; $hd is the new one then
#   my $why = fake($hd, $mode); # a new binary that fails at a step: what hdctl says
package HyperDerp::Upgrade;
use v5.36;
use Exporter qw(import);
use HyperDerp::Children;
use HyperDerp::Test;
use JSON::PP qw(decode_json);
use POSIX ();
use Test::More ();
our @EXPORT_OK = qw(can_upgrade fake upgrade try_upgrade);

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

# A new binary that fails at a step, which its name says: the same messages as
# core/daemon/upgrade.h, numbers as there and in core/base/snap_format.h.
my $fake = <<'END';
#!/usr/bin/perl
# a new binary that fails at a step
use v5.36;
my ($mode) = $0 =~ /fake-([a-z]+)/;
open my $s, '+<&=', 3 or die;
sub get () { sysread($s, my $b, 70000) or exit 9; return $b }
sub type ($b) { return unpack 'L', $b }
sub say_it ($type, $data = '') { syswrite $s, pack('LLQ', $type, length $data, 0) . $data }
sub number ($tag, $n) { return pack 'SSLQ', $tag, 0, 8, $n }
sub text ($tag, $t) { return pack('SSL', $tag, 0, length $t) . $t }
sub group ($tag, $in) { return pack('SSL', $tag, 0, length $in) . $in }
sub module ($name, $state, $packs) {
    return group(3, text(4, $name) . number(5, $state) . number(6, $packs) . number(7, $packs));
}
exit 3 if $mode eq 'early';
1 while type(get()) != 3;
exit 4 if $mode eq 'hello';
say_it(5, 'it does not like it'), exit 1 if $mode eq 'refuses';
my $version = { version => 99, older => 4 }->{$mode} // FORMAT;
my $state = $mode eq 'state' ? 99 : STATE;
my $packs = $mode eq 'packs' ? 99 : 1;
say_it(4, $mode eq 'garbage' ? 'garbage' :
    number(1, $version) . text(0x8002, '9.9')
    . module('derp', $state, 0) . module('stun', 1, 0) . module('policy', 0, $packs)
    . module('hd', HD_STATE, $packs + 2) . ($mode =~ /^ahead/ ? number(TAKES_AHEAD, 1) : ''));
exit 5 if $mode eq 'prepared';
my ($n, $ahead) = (0, 0);
while (1) {
    my $b = get();
    $ahead = 1 if type($b) == 12;
    kill 'KILL', $$ if $ahead && $mode eq 'aheaddies';
    if ($ahead && type($b) == 9) {
        $ahead = 0;
        say_it($mode eq 'aheadlies' ? 10 : 13);
        next;
    }
    $n = (unpack 'LLQ', $b)[2] if type($b) == 6;
    kill 'KILL', $$ if type($b) == 6 && $mode eq 'snapshot';
    last if type($b) == 9;
}
kill 'KILL', $$ if $mode eq 'end';
say_it(5, 'it cannot take them'), exit 1 if $mode =~ /cannot/;
say_it(10, "\1" x $n), sleep 60 if $mode eq 'refused' || $mode eq 'packs';
say_it(10, "\0" x ($n + 5)), sleep 60 if $mode eq 'toomany';
shutdown($s, 0), say_it(10, "\0" x $n) if $mode eq 'ready';    # GO cannot be sent
sleep 60;
END

sub number_in ($file, $re) {
    my ($n) = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/$file") =~ $re or die "$file: no $re";
    return $n;
}

# The state_version of a module.
sub state_of ($name) { return number_in("modules/$name/$name.c", qr{\.state_version = (\d+)}) }

sub fake ($hd, $mode, @args) {
    my $text = $fake;
    $text =~ s/TAKES_AHEAD/number_in('core\/base\/snap_format.h', qr{F\(TAKES_AHEAD, (0x\w+)})/e;
    $text =~ s/HD_STATE/state_of('hd')/e;
    $text =~ s/STATE/state_of('derp')/e;
    $text =~ s/FORMAT/number_in('core\/base\/snap_format.h', qr{HD_SNAP_FORMAT (\d+)})/e;
    my $path = HyperDerp::Test::spew("$hd->{dir}/fake-$mode", $text);
    chmod 0755, $path;
    return try_upgrade($hd, '--binary', $path, @args);
}

1;

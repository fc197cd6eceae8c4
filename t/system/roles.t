#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/roles.t - who may what over the control socket, and what the log says
# of it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use HyperDerp::Live;
use HyperDerp::Test;
use POSIX ();

plan skip_all => 'needs root, to be somebody else' if $>;
plan skip_all => "the test modules are not built: $HyperDerp::Live::modules"
    unless -e "$HyperDerp::Live::modules/good.so";
my ($nobody, $gid) = (scalar getpwnam('nobody'), scalar getgrnam('games'));
plan skip_all => 'no user nobody, no group games' unless $nobody && $gid;

# Programs and modules where nobody can read them.
my $dir = File::Temp->newdir('hd-roles-XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";
copy("$HyperDerp::Test::build/hdctl", "$dir/hdctl") or die "hdctl: $!";
chmod 0755, "$dir/hdctl";
my $outside = "$dir/good.so";
copy("$HyperDerp::Live::modules/good.so", $outside) or die "good.so: $!";

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => ['derp']);

sub start ($control) {
    HyperDerp::Test::spew($hd->{file},
        $hd->yaml =~ s/^control:.*$/control: {socket: ${\$hd->control}, group: games, $control}/mr);
    $hd->run;
    $hd->ready or BAIL_OUT('the relay does not start: ' . $hd->log_text);
    chmod 0711, $hd->dir;
    return;
}

# hdctl as nobody, in a group or in none. Returns exit status and output.
sub as ($group, @words) {
    my $pid = open(my $out, '-|') // die "fork: $!";
    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        my $g = $group // 65534;
        $( = $g;
        $) = "$g $g";
        POSIX::setuid($nobody);
        exec "$dir/hdctl", '--socket', $hd->control, @words or POSIX::_exit(127);
    }
    local $/;
    my $text = readline $out;
    close $out;
    return ($? >> 8, $text);
}

sub may ($group, $name, @words) {
    my ($code, $text) = as($group, @words);
    return is($code, 0, $name) || diag $text;
}

sub may_not ($group, $want, $name, @words) {
    my ($code, $text) = as($group, @words);
    is $code, 4, $name or diag $text;
    like $text, $want, '... and why';
    return;
}

SKIP: {
    start('others: read');
    my ($code, $text) = as($gid, 'whoami');
    skip "nobody cannot run hdctl here: $text", 1 if $code == 127 || $text !~ /role/;

    subtest 'operate: the group' => sub {
        like $text, qr/^role +operate$/m, 'role';
        may $gid, 'load a module of module_path', qw(module load good);
        ok $hd->log_like(qr/audit: uid=$nobody pid=\d+ role=operate command="module load module=good" result=ok/),
            '... is in the audit log';
        may $gid, 'reload', qw(module reload good);
        may $gid, 'unload', qw(module unload good);
        may_not $gid, qr/outside module_path is for administrators/,
            'a file outside module_path', qw(module load), $outside;
        ok $hd->log_like(qr/role=operate command="module load module=\S+" result=not_permitted/),
            '... is in the audit log, too';
        is_deeply [map { $_->{name} } @{ ctl($hd, qw(module status))->{data} }], ['derp'],
            '... and nothing was loaded';
        my $sly = "$HyperDerp::Live::modules/../.libs/good.so";
        may_not $gid, qr/outside module_path/, '... by another way there', qw(module load), $sly;
    };

    subtest 'read: others' => sub {
        like((as(undef, 'whoami'))[1], qr/^role +read$/m, 'role');
        may undef, 'look', qw(module status);
        may undef, 'look at who sends to whom', 'pairs';
        may_not undef, qr/operate/, 'unload',      qw(module unload derp);
        may_not undef, qr/operate/, 'load',        qw(module load good);
        may_not undef, qr/operate/, 'reload',      qw(module reload);
        may_not undef, qr/operate/, 'close a peer', qw(peer close abcd1234);
        may_not undef, qr/operate/, 'drain',       'drain';
    };

    subtest 'admin: root' => sub {
        ok ctl($hd, qw(module load), $outside)->{ok}, 'a file anywhere';
        ok ctl($hd, qw(module unload good))->{ok}, 'unload';
    };
    $hd->finish;
    delete @$hd{qw(status pid)};

    start('others: refuse');
    subtest 'refused: others' => sub {
        may_not undef, qr/control group|permi/i, 'not even a look', 'status';
        may $gid, 'but the group', 'status';
    };
    $hd->finish;
}

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-unit.t - contrib/packaging/examples/hdcat-ssh@.service: systemd
# understands it and calls it closed enough; what it starts leads to ssh, with
# the same ticket after a restart, and needs no system call that the unit forbids.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Path qw(make_path);
use HyperDerp::Hdcat;
use HyperDerp::Test;
use IO::Select;

my $text = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/contrib/packaging/examples/hdcat-ssh\@.service");
my %unit;
push $unit{$1}->@*, $2 while $text =~ /^(\w+)=(.*)$/mg;
my $program = "$HyperDerp::Test::build/hdcat";

sub has ($command) { return !system "command -v $command >/dev/null 2>&1" }

subtest 'systemd' => sub {
    plan skip_all => 'systemd-analyze is missing' unless has('systemd-analyze');
    my $dir  = File::Temp->newdir;
    my $file = HyperDerp::Test::spew("$dir/hdcat-ssh\@.service", $text =~ s{/usr/bin/hdcat}{/bin/true}r);
    my $said = qx(systemd-analyze verify --man=no $dir/hdcat-ssh\@relay.example.net.service 2>&1);
    is $?, 0, 'verify';
    is $said, '', '... has nothing to say';
    $said = qx(systemd-analyze security --offline=yes --threshold=20 $file 2>&1);
    plan skip_all => "no offline check: $said" if $said =~ /unrecognized option/;
    is $?, 0, 'exposure is 2.0 of 10 at most' or diag $said;
};

my $hdcat = HyperDerp::Hdcat->new(conf => "hd: {}\n");
if (!$hdcat) {
    note 'hdcat is not built: ngtcp2 was not there';
    done_testing;
    exit;
}
my ($ssh, $port) = $hdcat->server;
my ($invitation) = $hdcat->{hd}->ctl(qw(hd invite)) =~ /(hdinvite1\w+)/;
my $options = "--relay-key $hdcat->{key} --invitation \@"
    . HyperDerp::Test::spew("$hdcat->{dir}/invitation", "$invitation\n");
my $state  = "$hdcat->{dir}/state";
my $ticket = "$state/hdcat-ssh/$hdcat->{relay}/ticket";
make_path("$state/$unit{StateDirectory}[0]" =~ s/%i/$hdcat->{relay}/r);
is_deeply $unit{EnvironmentFile}, ['-/etc/default/hdcat-ssh'], 'where more options stand';

# What systemd would make of the line.
sub command () {
    my $line = $unit{ExecStart}[0] =~ s{^/usr/bin/hdcat }{}r;
    $line =~ s/\$HDCAT_OPTIONS/$options/;
    $line =~ s/%S/$state/g;
    $line =~ s/%i/$hdcat->{relay}/g;
    $line =~ s/localhost:22\b/localhost:$port/;
    return split / /, $line;
}

sub listens () { return HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($ticket) }) }

my $l = $hdcat->start(command());
listens() or BAIL_OUT($l->err);
my $first = HyperDerp::Test::slurp($ticket);
my ($credential) = $hdcat->{hd}->ctl(qw(hd credential new near)) =~ /(hdcred1\w+)/;
my $f = $hdcat->start('forward', '--credential', $credential, "0:localhost:$port", "\@$ticket");
my $at = $f->says(qr/localhost:(\d+) leads to/) or diag $f->err;

sub reaches () {
    my $s = $hdcat->connect($at);
    IO::Select->new($ssh)->can_read(30) or return;
    my $c = $ssh->accept;
    print $c "SSH-2.0-it\r\n";
    close $c;
    return readline $s;
}

is reaches(), "SSH-2.0-it\r\n", 'ssh of the box';
is $l->stop, 0, 'it is stopped';
ok $f->says(qr/the listener is gone/), 'who forwards sees it';

# Started again, with the invitation that is used up.
my $trace = "$hdcat->{dir}/trace";
my $strace = has('strace') && !HyperDerp::Test::sanitized();
$l = $strace
    ? $hdcat->start_program('strace', '-f', '-qq', '-o', $trace, $program, command())
    : $hdcat->start(command());
ok $f->says(qr/the listener is here/), 'after a restart it is back' or diag $l->err;
is HyperDerp::Test::slurp($ticket), $first, '... with the same ticket';
is reaches(), "SSH-2.0-it\r\n", '... and ssh';
$f->stop;
$l->stop;

sub calls_of ($group) {
    my @calls;
    for (qx(systemd-analyze syscall-filter $group 2>/dev/null) =~ /^\s+(\S+)$/mg) {
        push @calls, /^@/ ? calls_of($_) : $_;
    }
    return @calls;
}

subtest 'system calls' => sub {
    plan skip_all => 'strace or systemd-analyze is missing' unless $strace && has('systemd-analyze');
    my %used = map { $_ => 1 } HyperDerp::Test::slurp($trace) =~ /^\d+ +(\w+)\(/mg;
    plan skip_all => 'nothing can be traced here' unless $used{execve};
    my %may;
    for my $filter ($unit{SystemCallFilter}->@*) {
        my @calls = map { calls_of($_) } $filter =~ /(\@[\w-]+)/g;
        @may{@calls} = ($filter !~ /^~/) x @calls;
    }
    is_deeply [grep { !$may{$_} } sort keys %used], [], 'all that it makes are allowed';
};

$hdcat->finish;
done_testing;

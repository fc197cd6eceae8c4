# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/TakeOver.pm - the messages of core/daemon/upgrade.h, and the items
# of core/base/snap.h that they carry: for tests that are the old process, or the new.
#
#   my $m = receive($s);    # { type, n, data, fds }
#   send_it($s, SNAPSHOT, n => 3, data => $text, fds => [sealed($snapshot)]);
#   my $changed = items($snapshot, sub ($tag, $bytes) { return ($tag, $bytes) });
package HyperDerp::TakeOver;
use v5.36;
use Exporter qw(import);
use Fcntl qw(F_SETFD);
use HyperDerp::Test;
use POSIX ();
use Socket qw(AF_UNIX SOCK_SEQPACKET SOL_SOCKET);

use constant {
    HELLO => 1, CONTROL => 2, HELLO_END => 3, PREPARED => 4, FAILED => 5, SNAPSHOT => 6,
    SECRETS => 7, DESCRIPTORS => 8, ALL_SENT => 9, READY => 10, GO => 11, AHEAD => 12, TAKEN => 13,
};
use constant { F_ADD_SEALS => 1033, ALL_SEALS => 15, SCM_RIGHTS => 1 };
my %number = (
    x86_64  => { sendmsg => 46,  recvmsg => 47,  memfd_create => 319 },
    aarch64 => { sendmsg => 211, recvmsg => 212, memfd_create => 279 },
);
my $call = $number{ (POSIX::uname())[4] };
my @names = qw(HELLO CONTROL HELLO_END PREPARED FAILED SNAPSHOT SECRETS DESCRIPTORS ALL_SENT READY GO AHEAD TAKEN);
our @EXPORT_OK = (@names, qw(can_take_over format_number group items new_process number pair receive
    sealed send_it tag text));

sub can_take_over () { return defined $call }

# A number of core/base/snap_format.h: tag('STREAM'), format_number('HD_SNAP_FORMAT').
my $format = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/core/base/snap_format.h");
sub tag ($name) { return $format =~ /\bF\($name, (0x\w+)/ ? hex $1 : die "no tag $name\n" }
sub format_number ($name) { return $format =~ /#define $name (\d+)/ ? $1 : die "no $name\n" }

### Items

sub number ($tag, $n) { return pack 'SSLQ', $tag, 0, 8, $n }
sub text ($tag, $t)   { return pack('SSL', $tag, 0, length $t) . $t }
sub group ($tag, @in) { return text($tag, join '', @in) }

# Each item as $change->(tag, bytes) returns it: a list of tags and bytes, which may
# be longer, or empty.
sub items ($bytes, $change) {
    my $out = '';
    while (length $bytes) {
        my ($tag, undef, $n) = unpack 'SSL', $bytes;
        my @to = $change->($tag, substr $bytes, 8, $n);
        substr $bytes, 0, 8 + $n, '';
        $out .= text(splice @to, 0, 2) while @to;
    }
    return $out;
}

### Messages

sub sealed ($bytes) {
    my $name = 'kept';
    my $fd = syscall($call->{memfd_create}, $name, 2);
    open my $f, '+<&=', $fd or die "memfd: $!";
    syswrite($f, $bytes) == length $bytes or die "memfd: $!";
    fcntl $f, F_ADD_SEALS, ALL_SEALS or die "seals: $!";
    return $f;
}

sub message_head ($iov, $control) {
    return pack 'QLxxxxPQPQLxxxx', 0, 0, $iov, 1, $control, length $control, 0;
}

sub send_it ($s, $type, %o) {
    my $data = $o{data} // '';
    my $bytes = pack('LLQ', $type, length $data, $o{n} // 0) . $data;
    my @fds = map { fileno $_ } @{ $o{fds} // [] };
    my $control = @fds ? pack('Qii', 16 + 4 * @fds, SOL_SOCKET, SCM_RIGHTS) . pack('i*', @fds) : '';
    $control .= "\0" x (-length($control) % 8);
    my $iov = pack 'PQ', $bytes, length $bytes;
    my $head = message_head($iov, $control);
    syscall($call->{sendmsg}, fileno $s, $head, 0x4000) >= 0 or die "sendmsg: $!";
    return;
}

sub room ($n) {
    my $room = '';
    vec($room, $n - 1, 8) = 0;
    return $room;
}

# Nothing at the end.
sub receive ($s) {
    my ($bytes, $control) = (room(33_000), room(1024));
    my $iov = pack 'PQ', $bytes, length $bytes;
    my $head = message_head($iov, $control);
    my $n = syscall($call->{recvmsg}, fileno $s, $head, 0);
    return if $n < 16;
    my ($type, $len, $more) = unpack 'LLQ', $bytes;
    my $got = unpack 'x40Q', $head;
    my @fds = $got ? unpack 'x16i*', substr $control, 0, unpack 'Q', $control : ();
    return { type => $type, n => $more, data => substr($bytes, 16, $len), fds => \@fds };
}

### A new process, whose old one we are

sub pair () {
    socketpair my $ours, my $theirs, AF_UNIX, SOCK_SEQPACKET, 0 or die "socketpair: $!";
    fcntl $theirs, F_SETFD, 0;
    return ($ours, $theirs);
}

# The relay prepares, and has said so. Returns our end of the pair.
sub new_process ($hd) {
    my ($ours, $theirs) = pair();
    $hd->{args} = ['--take-over', fileno $theirs];
    $hd->run;
    close $theirs;
    send_it($ours, HELLO_END);
    my $m = receive($ours) // die "it has gone\n" . $hd->log_text;
    $m->{type} == PREPARED or die "not prepared: $m->{data}\n";
    return $ours;
}

1;

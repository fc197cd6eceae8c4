#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat.t - two hdcat through a real relay: all bytes arrive both ways,
# also over a relay that restarts; who has no ticket is refused.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA ();
use HyperDerp::Children;
use HyperDerp::Test;
use POSIX ();

my $hdcat = "$HyperDerp::Test::build/hdcat";
plan skip_all => 'hdcat is not built: ngtcp2 was not there' if !-x $hdcat;

my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
my $dir = $hd->dir;
my ($key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
my $relay = "localhost:$hd->{tls}";

sub start ($in, $out, @args) {
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        ref $in ? open STDIN, '<&', $in : open STDIN, '<', $in;
        open STDOUT, '>', $out;
        open STDERR, '>', "$out.err";
        exec $hdcat, @args or POSIX::_exit(127);
    }
    return HyperDerp::Children::keep($pid) && $pid;
}

sub ended ($pid) {
    waitpid $pid, 0;
    HyperDerp::Children::ended($pid);
    return $? >> 8;
}

sub run (@args) {
    my $status = ended start('/dev/null', "$dir/said", @args);
    return ($status, HyperDerp::Test::slurp("$dir/said"), HyperDerp::Test::slurp("$dir/said.err"));
}

# A listener, and its ticket.
sub listener ($in, $out, @args) {
    state $n = 0;
    my $file = "$dir/ticket" . ++$n;
    my $pid = start($in, $out, 'listen', '--ticket-file', $file, "--relay-key=$key", @args, $relay);
    HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($file) });
    return ($pid, HyperDerp::Test::whole_lines($file) =~ s/\n//r);
}

sub sha256 ($file) { return Digest::SHA->new(256)->addfile($file)->hexdigest }

# Bytes that cannot be guessed from each other, and cheap.
sub make_file ($name, $mb) {
    my $block = join '', map { pack 'N', rand 2**32 } 1 .. 262144;
    open my $f, '>', "$dir/$name" or die;
    print $f pack('N', $_), $block for 1 .. $mb;
    close $f or die;
    return "$dir/$name";
}

sub invitation () { return ($hd->ctl(qw(hd invite)) =~ /(hdinvite1\w+)/)[0] }

subtest 'usage' => sub {
    my ($status, $out, $err) = run('--help');
    is $status, 0, '--help';
    like $out, qr/^usage: hdcat listen/, '... is a help';
    ($status, $out) = run('--version');
    like $out, qr/^hdcat \d/, '--version';
    for my $args ([], ['listen'], ['a', 'b'], ['--no-such'], ['hdticket1oops'], ['--timeout=x', 't'], ['listen', 'a:b:c:0x']) {
        ($status, $out, $err) = run(@$args);
        like $status, qr/^[23]$/, "hdcat @$args";
        like $err, qr/^(hdcat: |\S*hdcat: )/, '... with a reason';
    }
    my @cases = (
        ['lisen', $relay] => qr/no command lisen; did you mean listen\n/,
        ['frobnicate', 't'] => qr/no command frobnicate\n.*they are listen, receive, forward,/,
        ['hdticket1oops', 'ping'] => qr/^(?!.*oops).*the ticket is the last word/s,
        ['ping'] => qr/a ticket is needed/,
        ['--credential', "\@$dir/none", 't'] => qr{^hdcat: \Q$dir\E/none: No such file},
        ['ping', "\@$dir/none"] => qr{^hdcat: \Q$dir\E/none: No such file},
        ['ping', '@/dev/null'] => qr{^hdcat: /dev/null: there is nothing in it},
        ['listen', '--credential=hdcred1x', '--invitation=' . invitation(), $relay] => qr/no credential, or it is mistyped/,
        ['listen', '--invitation=hdinvite1x', $relay] => qr/no invitation, or it is mistyped/,
        ['listen', 'a:0x', '--invitation=' . invitation()] => qr/a relay is HOST/,
        ['listen', "--ca=$dir/none", $relay] => qr{^hdcat: \Q$dir\E/none: No such file},
        ['listen', '--ca=/dev/null', $relay] => qr{^hdcat: /dev/null: no certificate in it},
    );
    while (my ($args, $want) = splice @cases, 0, 2) {
        ($status, $out, $err) = run(@$args);
        is $status, 2, "hdcat @$args";
        like $err, $want, '... says what is wrong';
    }
    ($status, $out, $err) = run('listen', $relay);
    is $status, 3, 'nobody vouches for the relay';
    like $err, qr/its certificate: self.signed certificate; its key \(hd1\.\.\.\) or a file of CAs/, '... and what would';
    ($status, $out, $err) = run('listen', "--relay-key=$key", 'localhost:' . HyperDerp::Test::free_port());
    is $status, 3, 'no relay there';
    like $err, qr/^hdcat: localhost port \d+: Connection refused/, '... is said';
};

subtest 'both ways' => sub {
    my ($a, $b) = (make_file('a', 3), make_file('b', 1));
    my ($pid, $ticket) = listener($a, "$dir/got-a");
    my ($status, $out) = run('ping', '-c', 1, $ticket);
    is $status, 0, 'ping';
    like $out, qr/^1: [\d.]+ ms$/, '... says how far it is';
    my $dial = start($b, "$dir/got-b", $ticket);
    is ended($dial), 0, 'the one who dials ends' or diag HyperDerp::Test::slurp("$dir/got-b.err");
    is ended($pid), 0, 'the listener ends' or diag HyperDerp::Test::slurp("$dir/got-a.err");
    is sha256("$dir/got-b"), sha256($a), 'one way';
    is sha256("$dir/got-a"), sha256($b), 'the other';
    ($status, $out, my $err) = run($ticket);
    is $status, 4, 'nobody listens any more';
    like $err, qr/nobody listens/, '... is said';
};

subtest '200 MB' => sub {
    plan skip_all => 'too slow with sanitizers' if HyperDerp::Test::sanitized();
    my $file = make_file('large', 200);
    my ($pid, $ticket) = listener('/dev/null', "$dir/got-large");
    my $dial = start($file, "$dir/nothing", $ticket);
    is ended($dial), 0, 'the one who dials ends' or diag HyperDerp::Test::slurp("$dir/nothing.err");
    is ended($pid), 0, 'the listener ends' or diag HyperDerp::Test::slurp("$dir/got-large.err");
    is sha256("$dir/got-large"), sha256($file), 'sha256';
    unlink $file, "$dir/got-large";
};

subtest 'whom not to let in' => sub {
    my $file = "$dir/was-there";
    open my $f, '>', $file or die;
    close $f;
    chmod 0644, $file;
    my $writes = start('/dev/null', "$dir/got", 'listen', '--ticket-file', $file, "--relay-key=$key", $relay);
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($file) }), 'a ticket in a file that was there';
    is((stat $file)[2] & 0777, 0600, '... is its owner\'s only');
    kill TERM => $writes;
    ended $writes;
    my ($pid, $ticket) = listener('/dev/null', "$dir/got");
    my ($other_pid, $other) = listener('/dev/null', "$dir/other", "--identity=$dir/id");
    ended $other_pid if kill TERM => $other_pid;
    my ($same_pid, $same) = listener('/dev/null', "$dir/same", "--identity=$dir/id");
    isnt $same, $other, 'each ticket has a secret of its own';
    my ($status, $out, $err) = run('--timeout=10', $other);
    is $status, 4, 'the right key and relay, another secret';
    like $err, qr/does not let us in/, '... is said';
    like HyperDerp::Test::slurp("$dir/same.err"), qr/without the ticket/, '... at both ends';
    is ended(start('/dev/null', "$dir/said", $same)), 0, 'the right one is let in';
    is ended($same_pid), 0, '... and that was all';
    kill TERM => $pid;
    ended $pid;
};

subtest 'a listener for something else' => sub {
    my ($pid, $ticket) = listener('/dev/null', "$dir/got", '--allow=localhost:80');
    my ($status, $out, $err) = run($ticket);
    is $status, 1, 'no input and output for us';
    like $err, qr/Connection reset by peer; or it listens for forward, socks, expose or send/, '... and why that may be';
    kill TERM => $pid;
    ended $pid;
};

# By the relay's word, and not after a minute of silence, which would be timed out.
subtest 'an end that is killed' => sub {
    my %end;
    for my $who (qw(listener other)) {
        pipe my $from, my $to or die;
        (@end{qw(listener ticket)}) = listener('/dev/null', "$dir/got");
        $end{other} = start($from, "$dir/nothing", $end{ticket});
        close $from;
        syswrite $to, "before\n";
        HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp("$dir/got") eq "before\n" }) or return fail 'before';
        kill KILL => $end{$who};
        ended $end{$who};
        my ($left, $said) = $who eq 'other' ? ($end{listener}, 'got') : ($end{other}, 'nothing');
        is ended($left), 1, "the $who is killed: the other end ends";
        like HyperDerp::Test::slurp("$dir/$said.err"), qr/the other end is gone: Connection reset/, '... and says why';
    }
};

subtest 'the relay restarts' => sub {
    pipe my $from, my $to or die;
    my ($pid, $ticket) = listener('/dev/null', "$dir/got");
    my $dial = start($from, "$dir/nothing", $ticket);
    close $from;
    $to->autoflush;
    print $to "before\n";
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp("$dir/got") eq "before\n" }), 'before';
    is $hd->stop, 0, 'the relay ends';
    print $to "meanwhile\n";
    $hd->run->ready or BAIL_OUT($hd->log_text);
    ok HyperDerp::Test::wait_for(sub { HyperDerp::Test::slurp("$dir/got") eq "before\nmeanwhile\n" }), 'what was sent meanwhile arrives'
        or diag map { HyperDerp::Test::slurp("$dir/$_.err") } qw(got nothing);
    close $to;
    is ended($dial), 0, 'both end';
    is ended($pid), 0, '... well';
};

$hd->finish;
done_testing;

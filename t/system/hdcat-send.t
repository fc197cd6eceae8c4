#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-send.t - hdcat send and receive: files arrive as they are, a
# transfer that broke off goes on where it was, whoever was killed; nothing is
# replaced, and nothing is written outside.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA ();
use Fcntl qw(S_IMODE);
use File::Path qw(make_path remove_tree);
use HyperDerp::Hdcat;
use HyperDerp::Live qw(ctl);
use HyperDerp::Qr;
use HyperDerp::Terminal;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);

my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
my $dir = $hdcat->{dir};
my $small = HyperDerp::Test::sanitized();

# Bytes that cannot be guessed from each other, and cheap.
sub make_file ($path, $mb) {
    my $block = join '', map { pack 'N', rand 2**32 } 1 .. 262144;
    open my $f, '>', $path or die "$path: $!";
    print $f pack('N', $_), $block for 1 .. $mb;
    close $f or die;
    return $path;
}

sub write_file ($path, $text, $mode = 0644) {
    HyperDerp::Test::spew($path, $text);
    chmod $mode, $path or die;
    return $path;
}

sub sha256 ($file) { return -e $file ? Digest::SHA->new(256)->addfile($file)->hexdigest : 'none' }

# What is in a folder, each with its mode, time, size and hash.
sub listing ($top) {
    my %all;
    my @todo = ('');
    while (defined(my $d = shift @todo)) {
        opendir my $h, "$top/$d" or die "$top/$d: $!";
        for my $name (grep { !/^\.\.?$/ } readdir $h) {
            my ($mode, $time) = (lstat "$top/$d$name")[2, 9];
            my $is_dir = -d _;
            push @todo, "$d$name/" if $is_dir;
            $all{"$d$name"} = sprintf '%o %d %s', $mode & 0777, $time, $is_dir ? 'dir' : sha256("$top/$d$name");
        }
    }
    return \%all;
}

sub folder ($name) {
    remove_tree("$dir/$name");
    make_path("$dir/$name");
    return "$dir/$name";
}

sub size ($path) { return -s $path // 0 }

# A receiver that is known after a restart.
my @again = ("--identity=$dir/id", '--keep-ticket');
sub receiver ($to, @args) { return $hdcat->listener('receive', '--into', $to, @args) }

sub both ($r, @send) {
    my $s = $hdcat->start('send', @send, $r->{ticket});
    my @status = ($s->status, $r->status);
    diag map { "sender: ${\$s->err}receiver: ${\$r->err}" } 1 if "@status" ne '0 0';
    return "@status";
}

subtest 'a folder' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    make_path("$from/d/e/f", "$from/hollow");
    write_file("$from/d/e/set", 'x', 04711);
    write_file("$from/empty", '');
    write_file("$from/d/$_", "<$_>") for "new\nline", "\e[31mred\a", "caf\xc3\xa9", "\xff\xfe", ' ', '-f', '*', 'a' x 250;
    make_file("$from/large", 3);
    symlink '/etc/passwd', "$from/link";
    utime 1, 981173106, "$from/d/e/set", "$from/hollow", "$from/d/e";
    chmod 0500, "$from/d/e" or die;
    my $r = receiver($to);
    my $s = $hdcat->start('send', "$from/", $r->{ticket});
    is $s->status, 0, 'the sender ends' or diag $s->err;
    is $r->status, 0, 'the receiver ends' or diag $r->err;
    like $s->err, qr{/link: left out}, 'a link is left out';
    like $s->err, qr/all is there: 11 files/, 'the sender says it';
    like $r->err, qr/all is here: 11 files/, 'the receiver, too';
    unlink "$from/link";
    is_deeply listing("$to/from"), listing($from), 'names, modes, times, contents';
    is S_IMODE((stat "$to/from/d/e/set")[2]), 0711, 'without the set-user-id bit';
    is both(receiver($to), $from), '0 0', 'once more';
    is_deeply listing("$to/from"), listing($from), '... nothing changes';
};

subtest 'what is there' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    write_file("$from/$_", "new $_") for qw(a b c);
    write_file("$to/a", 'old a');
    write_file("$to/b", 'oldb');
    write_file("$to/c.part", 'of somebody');
    my $r = receiver($to);
    my $s = $hdcat->start('send', (map { "$from/$_" } qw(a b c)), $r->{ticket});
    is $s->status, 1, 'the sender says that not all is there';
    is $r->status, 1, 'the receiver, too';
    like $s->err, qr{/a: is there already, and is different\n}, 'one that is there' or diag $s->err;
    like $s->err, qr{/b: is there already, and is different}, '... of another length';
    like $s->err, qr{/c: its \.part is in the way}, 'the part of somebody else';
    is join(' ', map { HyperDerp::Test::slurp("$to/$_") } qw(a b c.part)), 'old a oldb of somebody', 'all is as it was';
    is both(receiver($to, '--force'), map { "$from/$_" } qw(a b c)), '0 0', '--force';
    is join(' ', map { HyperDerp::Test::slurp("$to/$_") } qw(a b c)), 'new a new b new c', '... replaces it';
    ok !-e "$to/c.part", '... also that part';
    write_file("$from/x", 'x');
    mkdir "$dir/outside";
    symlink "$dir/outside", "$to/from";
    $r = receiver($to, '--force');
    is $hdcat->start('send', $from, $r->{ticket})->status, 1, 'a link on the way';
    is $r->status, 1, '... is not followed';
    is_deeply listing("$dir/outside"), {}, '... nothing is outside';
};

subtest 'a file becomes a link after the sender has looked' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    write_file("$from/a", 'a');
    write_file("$dir/secret", 'secret');
    symlink '/', "$from/z";
    my $r = receiver($to);
    kill STOP => $r->{pid};
    my $s = $hdcat->start('send', $from, $r->{ticket});
    ok $s->says(qr{/z: left out}), 'it has looked' or diag $s->err;
    unlink "$from/a";
    symlink "$dir/secret", "$from/a";
    kill CONT => $r->{pid};
    is $s->status, 1, 'not all is there';
    like $s->err, qr{/a: it is something else now}, '... why' or diag $s->err;
    is $r->status, 0, 'the receiver has all that was offered';
    ok !-e "$to/from/a", 'what it leads to is not sent';
};

subtest 'many are refused' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    make_path("$to/from");
    write_file("$from/$_", 'new'), write_file("$to/from/$_", 'other') for 1 .. 100;
    my $r = receiver($to);
    my $s = $hdcat->start('send', $from, $r->{ticket});
    is $s->status, 1, 'the sender ends';
    like $s->err, qr/: 0 files are there, 100 are not/, '... and says how many';
    is $r->status, 1, 'the receiver, too';
    # 20 at once, then one a second
    cmp_ok scalar(() = $r->err =~ /not taken/g), '<', 90, 'it does not name them all';
    like $r->err, qr/: 0 files are here, 100 are not/, '... but says how many';
};

# How many small files fit twice, each with a block and an inode, and as much again to spare.
sub room_for ($n) {
    my ($blocks) = qx(df --output=avail -B4096 $dir) =~ /(\d+)\s*\z/;
    my ($inodes) = qx(df --output=iavail $dir) =~ /(\d+)\s*\z/;
    my ($all) = qx(df --output=itotal $dir) =~ /(\d+)\s*\z/;
    $inodes = $blocks if !$all;    # made as they are needed: btrfs
    my ($least) = sort { $a <=> $b } $blocks // 0, $inodes // 0;
    return $least / 4 < $n ? int $least / 4 : $n;
}

# However slow the machine is: as long as something comes.
sub ended ($c, $to) {
    my ($had, $status) = (-1);
    while (($status = $c->status) eq 'does not end') {
        my $n = () = glob "$to/*/*/*";
        return $status if $n == $had;
        $had = $n;
    }
    return $status;
}

subtest 'many small ones' => sub {
    my $n = room_for($small ? 1000 : 10_000);
    plan skip_all => "there is room for $n small files in $dir: 500 are the least" if $n < 500;
    my ($from, $to) = (folder('from'), folder('to'));
    for my $i (1 .. $n) {
        mkdir "$from/" . int $i / 100 if $i % 100 == 1;
        my $d = "$from/" . int $i / 100;
        mkdir $d;
        write_file("$d/$i", "$i\n" x ($i % 7));
    }
    my $r = receiver($to);
    my $s = $hdcat->start('send', $from, $r->{ticket});
    is ended($s, $to), 0, "$n of them" or diag $s->err;
    is ended($r, $to), 0, '... the receiver has them' or diag $r->err;
    is_deeply listing("$to/from"), listing($from), '... all are there';
};

my $large = make_file("$dir/large", $small ? 30 : 200);

# Waits until some of it is there; returns how much.
sub some_of ($to, $least) {
    HyperDerp::Test::wait_for(sub { size("$to/large.part") > $least }) or return diag 'nothing comes';
    return size("$to/large.part");
}

sub is_whole ($to, $what) {
    is sha256("$to/large"), sha256($large), "$what: sha256";
    ok !-e "$to/large.part", '... and no part is left';
}

sub came ($r) { return $r->err =~ /; ([\d.]+) MB have come now/ ? $1 : 'nothing' }

subtest 'the sender is killed' => sub {
    my $to = folder('to');
    my $r = receiver($to);
    my $s = $hdcat->start('send', $large, $r->{ticket});
    my $had = some_of($to, 4_000_000);
    $s->stop('KILL');
    is both($r, $large), '0 0', 'another one';
    cmp_ok came($r), '<=', (size($large)) / 1e6 - 4, 'it does not send all again' or diag "$had ", $r->err;
    is_whole($to, 'goes on');
};

subtest 'the receiver is killed' => sub {
    my $to = folder('to');
    my $r = receiver($to, @again);
    my $file = $r->{ticket_file};
    my $s = $hdcat->start('send', $large, $r->{ticket});
    some_of($to, 4_000_000);
    $r->stop('KILL');
    my $second = $hdcat->start('receive', '--into', $to, '--ticket-file', $file, "--relay-key=$hdcat->{key}", @again,
        $hdcat->{relay});
    is $s->status, 0, 'the sender goes on by itself' or diag $s->err;
    is $second->status, 0, 'the new receiver ends' or diag $second->err;
    cmp_ok came($second), '<=', size($large) / 1e6 - 4, '... and has not taken all again';
    is_whole($to, 'goes on');
};

subtest 'the file changes between tries' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    my $file = make_file("$from/large", 20);
    my $r = receiver($to);
    my $s = $hdcat->start('send', $file, $r->{ticket});
    some_of($to, 1_000_000);
    $s->stop('KILL');
    open my $f, '+<', $file or die;
    print $f 'otherwise';
    close $f;
    is both($r, $file), '0 0', 'another beginning';
    is sha256("$to/large"), sha256($file), '... is what arrives';
    unlink "$to/large";
    write_file("$to/large.part", 'longer than what comes' x 1000, 01600);
    is both(receiver($to), write_file($file, 'short')), '0 0', 'a shorter one';
    is HyperDerp::Test::slurp("$to/large"), 'short', '... is what arrives';
};

subtest 'it changes while it is sent' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    my $file = make_file("$from/large", $small ? 30 : 100);
    my $r = receiver($to);
    my $s = $hdcat->start('send', $file, $r->{ticket});
    some_of($to, 1_000_000);
    kill STOP => $s->{pid};
    utime 1, 1, $file;
    kill CONT => $s->{pid};
    is $s->status, 1, 'the sender says it';
    like $s->err, qr/large: it has changed meanwhile/, '... why';
    is $r->status, 1, 'the receiver, too';
    ok !-e "$to/large", 'it is not there under its name';
};

subtest 'the disk is full' => sub {
    plan skip_all => 'needs root' if $>;
    my $to = folder('full');
    plan skip_all => 'no tmpfs can be mounted' if system "mount -t tmpfs -o size=8m hdcat $to 2>/dev/null";
    my $r = receiver($to, @again);
    my $s = $hdcat->start('send', $large, $r->{ticket});
    is $s->status, 1, 'more than there is room for: the sender ends';
    like $s->err, qr{/large: there is no room for it on the disk}, '... with the reason' or diag $s->err;
    is $r->status, 1, '... and so does the receiver';
    is_deeply listing($to), {}, '... nothing was written';
    system('mount', '-o', 'remount,size=400m', $to) == 0 or die;
    for (1 .. 5) {    # again, if all has come before the receiver is stopped
        unlink "$to/large";
        $r = receiver($to, @again);
        $s = $hdcat->start('send', $large, $r->{ticket});
        some_of($to, 1_000_000);
        kill STOP => $r->{pid};
        last if !-e "$to/large";
        kill CONT => $r->{pid};
        $_->status for $s, $r;
    }
    my ($left) = qx(df --output=avail -B1 $to) =~ /(\d+)\s*\z/;
    system('fallocate', '-l', $left, "$to/other") == 0 or die;
    kill CONT => $r->{pid};
    is $s->status, 1, 'it is filled meanwhile: the sender ends';
    like $s->err, qr/the other end has stopped: No space left/, '... with the reason';
    like $r->says(qr/(stopped: No space left)/), qr/No space/, 'the receiver stays, and says it';
    my $had = size("$to/large.part");
    cmp_ok $had, '>', 1_000_000, 'what has come is kept';
    unlink "$to/other";
    is both($r, $large), '0 0', 'with more room';
    is_whole($to, 'goes on');
    system 'umount', $to;
};

subtest 'no more than the receiver takes' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    write_file("$from/$_", 'x' x 600_000) for qw(a b);
    my $r = receiver($to, '--stay', '--max-size', '1MB');
    my $s = $hdcat->start('send', "$from/a", "$from/b", $r->{ticket});
    is $s->status, 1, 'one fits';
    like $s->err, qr{/b: it is more than the receiver takes}, '... the other does not' or diag $s->err;
    $s = $hdcat->start('send', "$from/b", $r->{ticket});
    is $s->status, 1, 'not by another transfer either';
    is_deeply [keys listing($to)->%*], ['a'], 'there is what fits';
    write_file("$from/c", 'x' x 400_000);
    $s = $hdcat->start('send', "$from/a", "$from/c", $r->{ticket});
    is $s->status, 0, 'what is there already counts once' or diag $s->err;
    $r->stop;
    for my $wrong ('0', '1X', '-1', '10MiBs', '99999999999P') {
        my ($status) = $hdcat->run('receive', '--max-size', $wrong, $hdcat->{relay});
        is $status, 2, "usage: $wrong";
    }
};

# The relay takes 1 MB a second from each: so there is time to stop them in the middle, and little
# to do for a machine that has much else to do.
subtest 'silent senders hold no place for good' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    my ($credential) = $hdcat->{hd}->ctl(qw(hd credential new slow --rate 1000000)) =~ /(hdcred1\w+)/;
    my $r = receiver($to, '--stay', '--timeout', 2);
    my @silent = map {
        make_file("$from/$_", 5);
        my $s = $hdcat->start('send', '--credential', $credential, "$from/$_", $r->{ticket});
        HyperDerp::Test::wait_for(sub { -e "$to/$_.part" });
        kill STOP => $s->{pid};
        $s;
    } 1 .. 8;
    my $killed = pop @silent;
    $killed->stop('KILL');
    ok $r->says(qr/(the sender says nothing)/), 'those that say nothing are given up' or diag $r->err;
    write_file("$from/x", 'x');
    my $s = $hdcat->start('send', "$from/x", $r->{ticket});
    is $s->status, 0, '... and there is a place for another' or diag $s->err;
    kill CONT => $_->{pid} for @silent;
    is join(' ', map { $_->status } @silent), '0 0 0 0 0 0 0', 'who speaks again comes again by itself'
        or diag map { $_->err } @silent;
    $r->stop;
    is join(' ', map { sha256("$to/$_") eq sha256("$from/$_") ? 1 : 0 } 1 .. 7), '1 1 1 1 1 1 1', '... to the end';
};

subtest 'a sender that has left holds no place for good' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    my $r = receiver($to, '--stay');
    my $s;
    for (1 .. 5) {    # again, if all has come before it is killed
        unlink "$to/large";
        $s = $hdcat->start('send', $large, $r->{ticket});
        some_of($to, 1_000_000);
        $s->stop('KILL');
        last if !-e "$to/large";
    }
    ok $r->says(qr/(the sender has left|broken off)/), 'it is noticed' or diag $r->err;
    $r->stop;
};

subtest 'the relay is replaced, and a module, in the middle' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $to = folder('to');
    my $r = receiver($to);
    my $s = $hdcat->start('send', $large, $r->{ticket});
    some_of($to, 1_000_000);
    ok upgrade($hdcat->{hd}), 'hdctl upgrade';
    some_of($to, 4_000_000);
    is $hdcat->{hd}->ctl(qw(module reload hd)) && $?, 0, 'hdctl module reload hd';
    is $s->status, 0, 'the sender ends well' or diag $s->err;
    is $r->status, 0, 'the receiver, too' or diag $r->err;
    is_whole($to, 'arrives');
};

subtest 'a receiver that stays' => sub {
    my ($from, $to) = (folder('from'), folder('to'));
    my $r = receiver($to, '--stay');
    for my $i (1 .. 3) {
        my $s = $hdcat->start('send', write_file("$from/$i", $i), $r->{ticket});
        is $s->status, 0, "transfer $i" or diag $s->err;
    }
    is $r->stop, 0, 'it ends by SIGTERM';
    if (HyperDerp::Test::slurp("$HyperDerp::Test::build/config.log") =~ /^HAVE_QRENCODE_TRUE=''/m) {
        $r = receiver($to, '--qr');
        ok $r->says(qr/(\xe2\x96\x88)/), '--qr draws the ticket';
        $r->stop;
        SKIP: {
            skip HyperDerp::Qr::missing(), 1 if HyperDerp::Qr::missing();
            is HyperDerp::Qr::decoded("$dir/qr.pbm", $r->err), $r->{ticket}, '... which zbarimg reads';
        }
    }
    is_deeply [sort keys %{ listing($to) }], [1, 2, 3], 'all are there';
    my ($status, undef, $err) = $hdcat->run('send', "$from/none", $r->{ticket});
    is $status, 2, 'no such file';
    like $err, qr/none: No such file/, '... is said';
};

# The receiver stands still while the screen is looked at.
subtest 'how far it is, on a terminal' => sub {
    plan skip_all => HyperDerp::Terminal::missing() if HyperDerp::Terminal::missing();
    my $file = make_file(folder('from') . '/large', 20);
    for ([80, qr/^\[[#.]{20}\] +\d+ %  [\d.]+ MB  [\d.]+ .?B\/s  .*large$/m], [40, qr/^ *\d+ %  [\d.]+ MB  [\d.]+ .?B\/s/m]) {
        my ($columns, $line) = @$_;
        my $to = folder('to');
        my $r = receiver($to);
        my $t = HyperDerp::Terminal->new($columns, 10, "$HyperDerp::Test::build/hdcat", 'send', $file, $r->{ticket});
        some_of($to, 4_000_000);
        kill STOP => $r->{pid};
        ok $t->shows($line), "a line of $columns columns" or diag $t->text;
        unlike $t->text, qr/\[[#.]/, '... without a bar' if $columns == 40;
        kill CONT => $r->{pid};
        is $t->ended, 0, '... the sender ends well' or diag $t->text;
        unlike $t->text, qr/ %  /, '... and the line is gone';
        is $r->status, 0, '... the receiver, too';
        $t->close;
    }
};

subtest '10 GB' => sub {
    plan skip_all => 'HD_LONG=1 runs it' if !$ENV{HD_LONG};
    my ($from, $to) = (folder('from'), folder('to'));
    make_file("$from/large", 10_000);
    my $r = receiver($to);
    my $s = $hdcat->start('send', "$from/large", $r->{ticket});
    some_of($to, 1e9);
    upgrade($hdcat->{hd}) if can_upgrade();
    1 while $s->lives && $s->status eq 'does not end';
    is $s->status, 0, 'the sender ends';
    is $r->status, 0, 'the receiver, too';
    is sha256("$to/large"), sha256("$from/large"), 'sha256';
};

$hdcat->finish;
done_testing;

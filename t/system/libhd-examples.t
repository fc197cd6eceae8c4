#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd-examples.t - the examples of libhd that have another loop than
# poll(2): of libuv, and of Python. libhd.t has say.c.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Say;
use HyperDerp::Test;

my $build = $HyperDerp::Test::build;
my $folder = "$HyperDerp::Test::srcdir/contrib/example-libhd";
my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
my $dir = $hd->dir;
my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
my @at = ("localhost:$hd->{tls}", $relay_key);
my @say = ("--relay-key=$relay_key", $at[0]);

# Returns its output, and its pid.
sub started (@command) {
    my $pid = open my $out, '-|', @command or die "$command[0]: $!";
    return ($out, HyperDerp::Children::keep($pid) && $pid);
}

sub ended ($out, $pid) {
    HyperDerp::Children::ended($pid);
    close $out;
    return $? >> 8;
}

# The keys of two that are open, from the next two lines.
sub opened ($out) { return sort map { (<$out> // '') =~ /^open (hd1\w+)$/ } 1, 2 }

# Who has sent this back.
sub echoed ($say, $text) {
    return sort map { ($say->says(qr/^packet \w+ \Q$text\E$/) // '') =~ /^packet (\w+)/ } 1, 2;
}

# A tree that was built in place has objects there, which are not the examples'.
subtest 'their Makefile' => sub {
    mkdir "$dir/copy" or die;
    system 'cp', map({ "$folder/$_" } qw(Makefile say.c echo.c)), "$dir/copy";
    HyperDerp::Test::spew("$dir/copy/$_.o", '') for qw(say echo);
    my $said = qx{make -n -C $dir/copy say echo 2>/dev/null};
    is $?, 0, 'make has a way' or diag $said;
    like $said, qr/-o $_ $_\.c/, "$_ is made of its source alone" for qw(say echo);
};

subtest 'echo.c, with libuv' => sub {
    plan skip_all => 'libuv is not installed (libuv1-dev)' if !-x "$build/t/lib/client/echo";
    my ($out, $pid) = started("$build/t/lib/client/echo", @at, "$dir/one.key", "$dir/two.key");
    my @keys = opened($out);
    is scalar @keys, 2, 'two endpoints in one loop are open';
    my $say = HyperDerp::Say->new($dir, 'say', @say, @keys);
    ok $say->says(qr/^peer here/), 'they let everybody in' or diag $say->text for @keys;
    $say->line('hello');
    is_deeply [echoed($say, 'hello')], \@keys, 'both answer' or diag $say->text;
    is $hd->stop, 0, 'the relay ends';
    $hd->run->ready or BAIL_OUT($hd->log_text);
    is_deeply [opened($out)], \@keys, 'their timers bring them back';
    ok $say->says(qr/^state open/), '... and the other one';
    ok $say->says(qr/^peer here/), '... they know each other' or diag $say->text for @keys;
    $say->line('again');
    is_deeply [echoed($say, 'again')], \@keys, 'both answer again' or diag $say->text;
    kill 'INT', $pid;
    is ended($out, $pid), 0, 'it ends when it is told to';
    ok $say->says(qr/^peer gone/), '... which is seen' for @keys;
    is $say->end, 0, 'so does the other';
};

subtest 'ask.py, by ctypes' => sub {
    plan skip_all => 'a library with sanitizers cannot be loaded by python3' if HyperDerp::Test::sanitized();
    plan skip_all => 'there is no python3' if system('/usr/bin/python3 -c "" 2>/dev/null') != 0;
    local $ENV{LD_LIBRARY_PATH} = "$build/libhd/.libs";
    my @ask = ('/usr/bin/python3', '-B', "$folder/ask.py");
    my $say = HyperDerp::Say->new($dir, 'peer', '--allow', @say);
    ok $say->says(qr/^state open/), 'somebody listens';
    my ($out, $pid) = started(@ask, @at, "$dir/py.key", $say->key, 'how are you?');
    my ($key) = ($say->says(qr/^knock \w+ ask\.py$/) // '') =~ /^knock (\w+)/;
    ok $key, 'it knocks' or diag $say->text;
    ok $say->says(qr/^packet \Q$key\E how are you\?$/), 'it asks' or diag $say->text;
    $say->line('well');
    is <$out>, "well\n", 'it has the answer';
    is ended($out, $pid), 0, '... and ends well';
    ok $say->says(qr/^peer gone \Q$key/), '... which is seen';
    $say->end;
    is ended(started(@ask, @at, "$dir/py.key", 'hd1oops', 'x')), 1, 'a peer that is mistyped';
};

$hd->finish;
done_testing;

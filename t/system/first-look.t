#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/first-look.t - what doc/start/first-look.sh records: each command is
# there and shows what it should. The page itself is from another day.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

plan skip_all => 'the plain build is shown' if HyperDerp::Test::sanitized();
plan skip_all => 'a network of its own needs root' if system 'unshare -n true >/dev/null 2>&1';

my $script = "$HyperDerp::Test::srcdir/doc/start/first-look.sh";
my $page = HyperDerp::Test::slurp($script =~ s/sh\z/md/r);
my $now = qx('$script' '$HyperDerp::Test::build' 2>&1);
is $?, 0, 'it runs' or diag $now;
is_deeply [$now =~ /^    \$ (.*)$/mg], [$page =~ /^    \$ (.*)$/mg], 'the commands of the page';
is_deeply [$now =~ /^(#.*)$/mg], [$page =~ /^(#.*)$/mg], '... and its headings';
like $now, qr/: ok - \d+ ok, 0 warnings, 0 failed, 0 skipped$/m, 'hdprobe likes the relay';
like $now, qr/^    peers +6$/m, 'six clients';
like $now, qr/^    src +dst +packets\/s/m, 'top has who sends to whom';
like $now, qr/^ +\S+ +\S+ +closed +[0-9a-f]{12} /m, 'the trace has who left';
like $now, qr/certname: "sha256-raw:[0-9a-f]{64}"$/m, 'the entry has its pin';
unlike $now, qr/\Q$HyperDerp::Test::build\E/, 'no path of this machine';
done_testing;

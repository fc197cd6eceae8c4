#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/vm/xdp.t - the XDP program beside others in libxdp's dispatcher, on a kernel
# that is not locked down: all of t/unit/wg_xdp*, nothing skipped.
use v5.36;
use Test::More;

my $build = $ENV{HD_BUILDDIR};
plan skip_all => 'hyper-derp was built without XDP' unless -x "$build/t/unit/wg_xdp_attach";
local $ENV{PATH} = "/usr/bin:/usr/sbin:$ENV{PATH}";    # ip is not busybox's
local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
for my $name (qw(wg_xdp wg_xdp_pass wg_xdp_attach)) {
    my $out = qx($build/t/unit/$name 2>&1);
    is $? >> 8, 0, "$name: exit status 0" or diag $out;
    for ($out =~ /^((?:not )?ok \d+.*)/mg) {
        my ($not, $skip, $test) = /^(not )?ok \d+ (?:-|(# SKIP)) (\w+)/;
        ok $test && !$not && !$skip, "$name: " . ($test // $_) or diag $out;
    }
}
done_testing;

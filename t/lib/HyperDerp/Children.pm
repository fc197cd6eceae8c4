# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Children.pm - processes that do not survive a test that dies.
#
#   HyperDerp::Children::keep($pid, $owner);  # $owner lives as long
#   HyperDerp::Children::ended($pid);         # false: that was known, or not kept
package HyperDerp::Children;
use v5.36;

our $patience = $ENV{HD_VM} ? 60 : 30;    # seconds; machines stall, an emulated processor is slow
my %alive;                                # pid => owner

sub keep ($pid, $owner = 1) { return $alive{$pid} = $owner }
sub ended ($pid)            { return delete $alive{$pid} }

sub END {
    my $status = $?;
    for my $pid (keys %alive) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }
    $? = $status;
}

1;

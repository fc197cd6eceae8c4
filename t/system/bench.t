#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/bench.t - what `make bench` would run is whole: its programs compile,
# its rows name contestants that there are, its table finds its place. It measures
# nothing.
use v5.36;
use Test::More;
use File::Temp qw(tempfile);
use FindBin;
use lib "$FindBin::Bin/../bench";
use Rows;
use Table;

my $top = $ENV{HD_SRCDIR} // "$FindBin::Bin/../..";

sub text_of ($file) {
    open my $fh, '<', $file or die "$file: $!";
    local $/;
    return <$fh>;
}

for my $file (grep { -f && text_of($_) =~ /\A#!.*perl/ } glob "$top/t/bench/*") {
    my ($name) = $file =~ m{([^/]+)$};
    my $said = qx($^X -I$top/t/bench -I$top/t/lib -c $file 2>&1);
    like $said, qr/syntax OK$/, "t/bench/$name compiles" or diag $said;
    # names of other files of the folder, which the compiler does not look at
    my %has = map { $_ => 1 } text_of($file) =~ /^use ([A-Z][a-z]+)/mg;
    for my $call ($said =~ /syntax OK/ ? text_of($file) =~ /\b((?:Rows|Table|Counted)::\w+)\(/g : ()) {
        my ($package) = $call =~ /^(\w+)/;
        require "$package.pm";
        ok defined &$call, "... $call() is there";
    }
}

my %opt    = (idle => 10, many => 20);
my @groups = Rows::groups(\%opt);
my %label;
for my $group (@groups) {
    for my $row ($group->{rows}->@*) {
        my @pair = ($row->{pair} // [ $group->{who}{ours} ? qw(ours derper) : qw(io_uring epoll) ])->@*;
        # '': nobody beside it
        my @none = grep { length && !$group->{who}{$_} } $group->{once} ? $pair[0] : @pair;
        ok !@none, "$group->{name}: $row->{label}" or diag "nobody is called @none";
        ok length $row->{metric} && defined $row->{unit}, '... with a metric and a unit';
    }
}
my @quick = Rows::groups({ %opt, quick => 1 });
cmp_ok scalar(@quick), '<', scalar(@groups), '--quick leaves some out';
my %quick = map { $_->{name} => 1 } @quick;
ok $quick{$_}, "... not $_" for qw(tls rate150k saturated overload backend peers active upgrade);

# Medians against goals.
my $group = { who => { ours => {}, derper => {} }, rows => [
        { label => 'a', metric => 'cpu', unit => 'us', goal => 0.5 },
        { label => 'b', metric => 'rate', unit => '1/s', goal => 2, is_high => 1 },
        { label => 'c', metric => 'gone', unit => 'us', goal => 1 } ] };
my @rows = Table::finish($group, { ours => { cpu => 1, rate => 3 }, derper => { cpu => 4, rate => 2 } });
is $rows[0][7], 'met', 'a goal';
is $rows[1][7], 'MISSED', 'a goal that is missed is said';
is $rows[2][7], 'not measured', '... as is what was not measured';

my ($fh, $file) = tempfile(UNLINK => 1);
print $fh "# Title\n\nBy hand.\n\n<!-- t/bench/run (make bench) writes from here -->\n\nold\n\n<!-- to here -->\n\n## Also by hand\n";
close $fh;
is Table::put($file, Table::table('a machine', { runs => 5, duration => 1 }, 16, \@rows, 'A note.')) =~ s/\n//gr, 'old',
    'what stood there comes back';
my $now = text_of($file);
like $now, qr/\A# Title\n\nBy hand\.\n.*\| b .*MISSED.*A note\.\n\n<!-- to here -->\n\n## Also by hand\n\z/s,
    'what is written by hand stays';
unlike $now, qr/^old$/m, '... and the old table does not';
unlike Table::put($file, 'new'), qr/hand/, 'again';
is text_of($file), "# Title\n\nBy hand.\n\n<!-- t/bench/run (make bench) writes from here -->\n\nnew\n\n<!-- to here -->\n\n## Also by hand\n", '... the same';
like text_of("$top/doc/measured/benchmarks.md"), qr/^<!-- t\/bench\/run \(make bench\) writes from here -->\n.*^<!-- to here -->$/ms,
    'benchmarks.md has the place';
done_testing;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Results.pm - what test programs printed, counted. t/run keeps
# one of these for all of a run, and one for a program until it knows whether
# that is tried again.
package HyperDerp::Results;
use v5.36;
use JSON::PP qw(decode_json);
use TAP::Parser;

# failures, skips, unsteady: "NAME: WHAT" each.
sub new ($class) {
	return bless { passed => 0, failed => 0, skipped => 0, failures => [],
		skips => [], unsteady => [] }, $class;
}

sub slurp ($path) {
	open my $f, '<:raw', $path or return '';
	local $/;
	return <$f> // '';
}

sub count ($r, $what, $n = 1) { $r->{$what} += $n }

sub skipped ($r, $name, $reason) {
	$r->count('skipped');
	push @{ $r->{skips} }, "$name: $reason";
}

sub failed ($r, $name, $what) {
	$r->count('failed');
	push @{ $r->{failures} }, "$name: $what";
}

# add - of another of these, or of what t/run wrote into a file.
sub add ($r, $other) {
	$r->count($_, $other->{$_}) for qw(passed failed skipped);
	push @{ $r->{$_} }, @{ $other->{$_} // [] }
	    for qw(failures skips unsteady);
}

# summary - "3 passed, 1 failed": what there is, or "nothing".
sub summary ($r) {
	return join(', ', map { "$r->{$_} $_" } grep { $r->{$_} }
		qw(passed failed skipped)) || 'nothing';
}

### Reading: each takes a job that has ended

# cmocka 1.1 writes `not ok 3 # SKIP name`.
sub read_tap ($r, $job) {
	my $tap = slurp("$job->{log}.out") =~ s/^not (ok \d+ # SKIP)/$1/gmr;
	my $p = TAP::Parser->new({ tap => "$tap\n" });
	my $bad = 0;

	while (my $line = $p->next) {
		next unless $line->is_test;
		my $text = $line->description =~ s/^- //r;
		if ($line->has_skip) {
			$r->skipped($job->{name} . ($text && ": $text"),
				$line->explanation);
		} elsif ($line->is_ok) {
			$r->count('passed');
		} else {
			$r->failed($job->{name}, $text);
			$bad = 1;
		}
	}
	$r->skipped($job->{name}, $p->skip_all || 'no reason given')
	    if defined $p->skip_all;
	$r->failed($job->{name}, $_), $bad = 1 for $p->parse_errors;
	$r->failed($job->{name}, $job->{end}), $bad = 1 if $job->{end} && !$bad;
	return $bad;
}

sub read_status ($r, $job) {
	my $out = slurp("$job->{log}.out");

	return $r->count('passed'), 0 if !$job->{end};
	return $r->skipped($job->{name}, $out =~ /([^\n]*)\n*\z/ ? $1 : '?'), 0
	    if $job->{end} eq 'exit status 77';
	$r->failed($job->{name}, $job->{end});
	return 1;
}

# A Go test with subtests is counted by its subtests. Leaves the names of those
# that failed in $job->{failed_tests}.
sub read_go ($r, $job) {
	my (%end, %parent, %output, %name);

	for (split /\n/, slurp("$job->{log}.out")) {
		my $e = eval { decode_json($_) } or next;
		my $pkg = $e->{Package} // $e->{ImportPath} // '';
		my $id = join ' ', grep { length } $pkg, $e->{Test} // '';
		$output{$id} .= $e->{Output} // '';
		$end{$id} = $e->{Action}
		    if $e->{Action} =~ /^(pass|fail|skip)$/;
		$parent{ $id =~ s{/[^/ ]*$}{}r } = 1 if $id =~ m{ .*/};
		$parent{$pkg} = 1
		    if defined $e->{Test} && $e->{Action} eq 'fail';
	}
	my $bad = 0;
	for my $id (sort keys %end) {
		next if $parent{$id} || ($id !~ / / && $end{$id} ne 'fail');
		if ($end{$id} eq 'pass') {
			$r->count('passed');
		} elsif ($end{$id} eq 'skip') {
			my ($why) = $output{$id} =~ /\.go:\d+: (.*)/;
			$r->skipped("$job->{name}: $id", $why // '?');
		} else {
			$r->failed($job->{name}, $id);
			$name{$1} = 1 if $id =~ m{ ([^/ ]+)};
			print map { $output{$_} } grep {
				$_ eq $id || index($_, "$id [") == 0
			} sort keys %output;
			$bad = 1;
		}
	}
	if ($job->{end} && !$bad) {
		$r->failed($job->{name}, $job->{end});
		print map { $output{$_} } grep { !/ / } sort keys %output;
		$bad = 1;
	}
	$job->{failed_tests} = [ sort keys %name ];
	return $bad;
}

1;

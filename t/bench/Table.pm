# SPDX-License-Identifier: MIT
# t/bench/Table.pm - medians against their goals, as the table of doc/measured/benchmarks.md.
package Table;
use v5.36;
use List::Util ();

# Medians to rows of text: what, unit, ours, other, ratio, goal, result.
sub verdict ($row, $ours, $ratio) {
    return 'not measured' if !defined $ours;
    my $ok =
          $row->{own_min} ? $ours >= $row->{own_min}
        : $row->{own_max} ? $ours <= $row->{own_max}
        : !$row->{goal}   ? return ''
        : !defined $ratio ? return 'not measured'
        : $row->{is_high} ? $ratio >= $row->{goal}
        :                   $ratio <= $row->{goal};
    return $ok ? 'met' : 'MISSED';
}

sub goal_text ($row) {
    return ">= $row->{own_min} $row->{unit}" if $row->{own_min};
    return "<= $row->{own_max} $row->{unit}" if $row->{own_max};
    return ''                                if !$row->{goal};
    return sprintf '%s %.3g', $row->{is_high} ? '>=' : '<=', $row->{goal};
}

sub number ($v) {
    return '-' if !defined $v;
    my $text = sprintf $v >= 1000 ? '%.0f' : $v >= 100 ? '%.1f' : '%.3g', $v;
    1 while $text =~ s/^(\d+)(\d{3})/$1,$2/;
    return $text;
}

sub finish ($group, $median) {
    my @default = $group->{who}{ours} ? qw(ours derper) : qw(io_uring epoll);
    my @out;
    for my $row ($group->{rows}->@*) {
        my ($us, $them) = ($row->{pair} // \@default)->@*;
        my $ours  = $median->{$us}{ $row->{metric} };
        my $other = $median->{$them}{ $row->{metric} };
        my $ratio = $ours && $other ? $ours / $other : undef;
        push @out, [
            $row->{label}, $row->{unit}, number($ours), number($other), $them,
            defined $ratio ? sprintf('%.2f', $ratio) : '-',
            goal_text($row), verdict($row, $ours, $ratio)
        ];
    }
    return @out;
}

sub aligned (@rows) {
    my @width = map { my $i = $_; List::Util::max(map { length $_->[$i] }
                @rows) } 0 .. $rows[0]->$#*;
    my $text = '';
    for my $n (0 .. $#rows) {
        $text .= '| ' . join(' | ', map { sprintf "%-*s", $width[$_],
                $rows[$n][$_] } 0 .. $#width) . " |\n";
        $text .= '|' . join('|', map { '-' x ($_ + 2) } @width) . "|\n"
            if $n == 0;
    }
    return $text;
}

# What stands between the lines that t/bench/run looks for in benchmarks.md.
sub table ($machine, $opt, $batch, $rows, @notes) {
    my @head = ('what', 'unit', 'ours', 'other', '', 'ratio', 'goal', 'result');
    my $missed = grep { $_->[7] eq 'MISSED' } @$rows;
    my $goals  = grep { $_->[7] } @$rows;
    return <<~"END" . aligned(\@head, @$rows) . join '', map { "\n$_\n" } @notes;
        $machine.

        Either relay runs alone on CPU 0, hdbench on CPU 1, over loopback; $opt->{runs} runs of
        $opt->{duration} s, interleaved, and the median of each figure, or the lower quartile where
        the row says so. Packets are 1,400
        bytes, 10 pairs if not said otherwise; latency counts from when a packet was
        due, or, where the row says so, from the write that it left with. Above
        100,000 packets/s up to $batch records that are due together leave hdbench in one
        write(2), if not said otherwise: with a write for each, as real clients do it,
        one core of load could not fill our relay. derper's own highest rate is
        sought with a write for each record, since bursts overflow its queues of 32
        packets; so is what a packet costs it at saturation. A ratio is ours / other;
        where hdbench was busy all the time (1.00), ours is a lower bound. User
        instructions are counted by callgrind, on epoll, with one packet under way at a
        time. Of $goals goals $missed were missed.

        END
}

# Puts text between the two lines of a file; what is around them, by hand, stays.
# Returns what stood there.
sub put ($file, $text) {
    my ($from, $to) = ('<!-- t/bench/run (make bench) writes from here -->', '<!-- to here -->');
    open my $fh, '+<', $file or die "$file: $!\n";
    my $all = do { local $/; <$fh> };
    $text =~ s/^\n+|\n+$//g;
    $all =~ s/^\Q$from\E\n\K(.*?)(?=^\Q$to\E$)/\n$text\n\n/ms or die "$file has no place for the table: $from\n";
    my $old = $1;
    seek $fh, 0, 0;
    truncate $fh, 0;
    print $fh $all;
    close $fh or die "$file: $!\n";
    return $old;
}

1;

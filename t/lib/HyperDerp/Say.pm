# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Say.pm - contrib/example-libhd/say.c as a client: lines to its
# peers, and its events one by one.
#
#   my $b = HyperDerp::Say->new($dir, 'b', '--allow', @relay);
#   $b->says(qr/^state open/);
#   $b->line('to all of my peers');
#   $b->end;
package HyperDerp::Say;
use v5.36;
use HyperDerp::Children;
use HyperDerp::Test;
use POSIX ();

# before: a program in front of it, as valgrind.
sub new ($class, $dir, $name, @args) {
    my @before = ref $args[0] ? @{ shift @args } : ();
    state $n = 0;
    my $self = bless { out => "$dir/$name." . ++$n . '.out', at => 0 }, $class;
    pipe my $from, $self->{in} or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<&', $from;
        open STDOUT, '>', $self->{out};
        open STDERR, '>', "$self->{out}.err";
        exec @before, "$HyperDerp::Test::build/t/lib/client/say", "--key=$dir/$name.key", @args
            or POSIX::_exit(127);
    }
    $self->{pid} = HyperDerp::Children::keep($pid) && $pid;
    $self->{in}->autoflush;
    return $self;
}

# Waits for an event that is like this, behind the last that was waited for.
sub says ($self, $re) {
    return HyperDerp::Test::wait_for(sub {
        my $text = HyperDerp::Test::whole_lines($self->{out});
        my $at = $self->{at};
        for my $line (split /(?<=\n)/, substr $text, $at) {
            $at += length $line;
            next if $line !~ $re;
            $self->{at} = $at;
            return $line;
        }
        return;
    });
}

sub text ($self)        { return HyperDerp::Test::whole_lines($self->{out}) . HyperDerp::Test::slurp("$self->{out}.err") }
sub key ($self) {
    return $self->{key} //= HyperDerp::Test::wait_for(sub { $self->text =~ /^key (hd1\w+)/m && $1 });
}
sub line ($self, $text) { return print { $self->{in} } "$text\n" }

# Its exit status: the end of the input is the end of it.
sub end ($self) {
    close $self->{in};
    waitpid $self->{pid}, 0;
    HyperDerp::Children::ended($self->{pid});
    return $? >> 8;
}

1;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Terminal.pm - a program in a terminal, by tmux: its keys are
# pressed, its screen is looked at.
#
#   my $t = HyperDerp::Terminal->new(80, 24, 'hdctl', 'top');
#   $t->shows(qr/^serving/m) or diag $t->text;
#   $t->keys('q');
package HyperDerp::Terminal;
use v5.36;
use File::Temp;
use HyperDerp::Test;

my @all;

# Why there is none here; '' there is.
sub missing () {
    return system('command -v tmux >/dev/null 2>&1') ? 'the machine lacks tmux (apt-get install tmux)' : '';
}

sub new ($class, $columns, $rows, @cmd) {
    my $dir = File::Temp->newdir('hd-tmux-XXXXXX', TMPDIR => 1);
    my $conf = HyperDerp::Test::spew("$dir/conf", <<~'END');
        set -g status off
        set -g default-shell /bin/sh
        set -s escape-time 0
        END
    my $self = bless { dir => $dir, tmux => ['tmux', '-u', '-S', "$dir/socket", '-f', $conf] }, $class;
    my $line = join ' ', map { "'" . s/'/'\\''/gr . "'" } @cmd;
    local $ENV{LC_ALL} = 'C.UTF-8';
    local $ENV{TMUX};
    delete $ENV{TMUX};
    $self->tmux('new-session', '-d', '-x', $columns, '-y', $rows,
        "trap : INT; $line; s=\$?; echo; echo ended \$s; exec sleep 600") == 0 or die "tmux: $?";
    push @all, $self;
    return $self;
}

sub tmux ($self, @words) { return system @{ $self->{tmux} }, @words }

sub ask ($self, @words) {
    open my $f, '-|', @{ $self->{tmux} }, @words or die "tmux: $!";
    local $/;
    return (readline $f) // '';
}

# Names of keys as tmux has them (C-c, Enter), or letters.
sub keys ($self, @keys) { return $self->tmux('send-keys', @keys) }
sub type ($self, $text) { return $self->keys('-l', $text) || $self->keys('Enter') }
sub text ($self)        { return $self->ask('capture-pane', '-p') }
sub resize ($self, $columns, $rows) { return $self->tmux('resize-window', '-x', $columns, '-y', $rows) }

# Waits until the screen is so; all of it, with /m for its lines.
sub shows ($self, $re) {
    return HyperDerp::Test::wait_for(sub { $self->text =~ $re });
}

# Waits for its end. Returns the exit status, or nothing. (tmux itself does not
# always know it.)
sub ended ($self) {
    my $status;
    HyperDerp::Test::wait_for(sub {
        ($status) = $self->text =~ /^ended (\d+)$/m;
        return defined $status;
    });
    return $status;
}

sub close ($self) {
    @all = grep { $_ != $self } @all;
    return $self->tmux('kill-server');
}

sub END {
    local $?;
    $_->close for @all;
}

1;

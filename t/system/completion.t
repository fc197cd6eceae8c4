#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/completion.t - bash, zsh and fish complete what a running relay
# offers.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, load_module => [qw(derp stun)]);
my $alice = $hd->client;
my $key   = substr $alice->key, 0, 16;
$ENV{HDCTL_SOCKET} = $hd->control;
$ENV{PATH}         = "$HyperDerp::Test::build:$ENV{PATH}";
$ENV{HOME}         = $hd->dir;
$ENV{TERM}         = 'dumb';

# A line, and what Tab offers behind it; what only the relay can know is last.
my @cases = (
    ['hdctl pee',                           'peer', 'peers'],
    ['hdctl module st',                     'status'],
    ['hdctl drain --',                      '--exit', '--for'],
    ['hdctl module status ',                'derp', 'stun'],
    ['hdctl peer close ' . substr($key, 0, 6), $key],
    ['hdctl derp ',                         'info'],
    ['hdctl doctor --',                     '--host', '--json', '--time-from'],
);

# hdcat's are files, which ask nobody.
my $hdcat = "$HyperDerp::Test::srcdir/tools/hdcat/completion";
my @hdcat = (
    ['hdcat re',           'receive'],
    ['hdcat s',            'send', 'socks'],
    ['hdcat receive --f',  '--force'],
    ['hdcat receive --m',  '--max-size'],
    ['hdcat forward --u',  '--udp-idle'],
    ['hdcat listen --allow', '--allow', '--allow-listen'],
    ['hdcat ping --c',     '--count', '--credential'],
);

sub has ($shell) { return !system "command -v $shell >/dev/null 2>&1" }

sub ask ($shell, @command) {
    local $SIG{ALRM} = sub { die "$shell hangs\n" };
    alarm 60;
    open my $out, '-|', $shell, @command or die "$shell: $!";
    local $/;
    my $text = readline $out;
    close $out;
    alarm 0;
    return $text;
}

subtest 'bash' => sub {
    plan skip_all => 'bash is missing' unless has('bash');
    for my $case (@cases) {
        my ($line, @want) = @$case;
        my @words = split / /, $line, -1;
        my $n     = $#words;
        my $words = join ' ', map { "'$_'" } @words;
        my @got   = split /\n/, ask('bash', '--norc', '-c', <<~"END");
            eval "\$(hdctl completion bash)"
            COMP_WORDS=($words); COMP_CWORD=$n; _hdctl
            printf '%s\\n' "\${COMPREPLY[\@]}"
            END
        is_deeply [sort @got], \@want, $line;
    }
    for my $case (@hdcat) {
        my ($line, @want) = @$case;
        my @words = split / /, $line, -1;
        my @got = split /\n/, ask('bash', '--norc', '-c', <<~"END");
            . $hdcat/bash.in
            COMP_WORDS=(@words); COMP_CWORD=$#words; _hdcat
            printf '%s\\n' "\${COMPREPLY[\@]}"
            END
        is_deeply [sort @got], \@want, $line;
    }
    like ask('bash', '--norc', '-c', 'eval "$(hdctl completion bash)"; complete -p hdctl'),
        qr/-F _hdctl hdctl/, 'it is asked';
};

subtest 'fish' => sub {
    plan skip_all => 'fish is missing' unless has('fish');
    for my $case (@cases) {
        my ($line, @want) = @$case;
        my @got = map { s/\t.*//r } split /\n/,
            ask('fish', '--no-config', '-c', "hdctl completion fish | source; complete -C '$line'");
        is_deeply [sort @got], \@want, $line;
    }
    for my $case (@hdcat) {
        my ($line, @want) = @$case;
        my @got = map { s/\t.*//r } split /\n/, ask('fish', '--no-config', '-c', "source $hdcat/fish.in; complete -C '$line'");
        is_deeply [sort @got], \@want, $line;
    }
};

# Zsh completes in its line editor only: on a terminal of its own. The first
# Tab puts into the line what all have in common, the second lists them.
subtest 'zsh' => sub {
    plan skip_all => 'zsh is missing' unless has('zsh');
    plan skip_all => 'zsh has no zpty' if system "zsh -fc 'zmodload zsh/zpty' 2>/dev/null";
    for my $case (@cases, @hdcat) {
        my ($line, @want) = @$case;
        my $got = ask('zsh', '-fc', <<~"END");
            zmodload zsh/zpty
            zpty z zsh -fi
            zpty -w z 'PS1=; autoload -Uz compinit; compinit -u -D; eval "\$(hdctl completion zsh)"; . $hdcat/zsh.in'
            zpty -w z 'zle-line-init() { print -n edi; print -n tor }; zle -N zle-line-init'
            zpty -r z seen '*editor*'
            zpty -w -n z \$'$line\\t\\t\\C-e # end\\n'
            zpty -r z out '*# end*'
            print -r -- "\$out"
            zpty -d z
            END
        $got =~ s/\e\[[\d;?]*[A-Za-z]|\a//g;
        like $got, @want > 1 ? qr/\Q$want[0]\E\s+\Q$want[1]\E/ : qr/\Q$want[0]\E/, $line
            or diag $got;
    }
};

$hd->finish;
done_testing;

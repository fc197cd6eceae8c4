#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_request.t - rules by what a client says in its HTTP request: a
# bearer token, a query parameter, a header. Files of tokens change under live
# clients, and no secret is shown anywhere.
use v5.36;
use JSON::PP ();
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy judge_a)]);
my $file = "$hd->{dir}/tokens";
my ($one, $two, $three) = map { "secret-$_-" . $_ x 20 } qw(one two three);
my $list = "this key is not on the relay's list";

sub conf ($section) {
    $hd->{conf} = "policy:\n$section";
    return $hd->write_conf;
}

sub reload ($section) {
    conf $section;
    my $r = ctl($hd, 'reload');
    return $r->{ok} || diag $r->{error}{message};
}

# By rename: no reader sees half of it.
sub tokens (@lines) {
    HyperDerp::Test::spew("$file.new", join '', map { "$_\n" } @lines);
    return rename "$file.new", $file;
}

# Commands of which each begins when the one before it has ended, and no later.
sub at_once (@cmds) {
    my $s = IO::Socket::UNIX->new(Peer => $hd->control) or die "control socket: $!";
    syswrite $s, join '', map { JSON::PP::encode_json({ id => 1, cmd => $_ }) . "\n" } @cmds;
    return map { HyperDerp::Live::ctl_end($s) } @cmds;
}

# A login that says more in its request.
sub with ($login, %o) {
    my $head = $login->{head};
    $head =~ s{^GET (\S+) }{GET $1?$o{query} } if defined $o{query};
    $head =~ s{\r\n}{\r\n$_\r\n} for $o{header} // ();
    $head =~ s{\r\n}{\r\nAuthorization: Bearer $_\r\n} for $o{token} // ();
    return { %$login, head => $head };
}

sub admitted (@with) { return HyperDerp::Raw->login($hd, with(@with)) }

sub put_out ($c) {
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

# Without the reason: that is told once a minute.
sub refused (@with) {
    my $c = HyperDerp::Raw->start($hd, with(@with));
    return !$c->admitted && $c->closed;
}

sub name_of ($login) {
    my ($peer) = grep { $_->{key} eq $login->{key} } @{ ctl($hd, 'peers')->{data} };
    return $peer && $peer->{name};
}

sub explained (@words) {
    my $a = ctl($hd, qw(policy explain), @words);
    return $a->{error}{message} if !$a->{ok};
    my $d = $a->{data};
    return join ' ', map { $_ // '-' } @$d{qw(verdict by rule)}, $d->{depends_on} // (), $d->{without} ? @{ $d->{without} }{qw(verdict by rule)} : ();
}

conf "  rules:\n    - {name: guest, token: $one}\n";
$hd->run;
$hd->ready or die $hd->log_text;
my ($alice, $bob, $carol) = HyperDerp::Raw::logins($hd, 3);

subtest 'a token' => sub {
    is put_out(HyperDerp::Raw->start($hd, $alice)), $list, 'without it';
    ok refused($alice, token => $two), 'another one';
    ok refused($alice, token => substr($one, 0, -1)), 'nearly the same';
    ok refused($alice, header => "Authorization: Basic $one"), 'by another scheme';
    ok refused($alice, query => "token=$one"), 'where it does not belong';
    ok admitted($alice, token => $one)->ping, 'the right one';
    ok admitted($alice, header => "authorization:  bearer   $one ")->ping, '... however it is written';
    is explained($alice->{key}), 'depends request guest token deny default -', 'explain says what it depends on';
    is explained($alice->{key}, '--token', $one), 'allow rule guest', '... and is told the token';
    is explained($alice->{key}, '--token', $two), 'deny default -', '... or a wrong one';
};

subtest 'a file of tokens' => sub {
    tokens "# friends", "$one one's laptop", $two;
    reload "  rules:\n    - {name: friends, token_file: $file, tenant: friends}\n";
    my ($a, $b) = (admitted($alice, token => $one), admitted($bob, token => $two));
    is name_of($alice), "one's laptop", 'the name of the file is shown';
    is name_of($bob), '', '... where there is one';
    ok refused($carol, token => $three), 'a token that is not in it';
    my ($rule) = @{ ctl($hd, qw(policy rules))->{data} };
    is "$rule->{tokens} $rule->{n_tokens}", "$file 2", 'policy rules shows the file, and how many there are';
    tokens "$one one's laptop", $three;
    is put_out($b), $list, 'a token is taken out: who came with it leaves at once';
    ok $a->ping, '... others stay';
    ok admitted($carol, token => $three)->ping, 'a new one counts';
    tokens 'short';
    ok $hd->log_like(qr/files of keys .* cannot be taken; .* \Q$file\E:1: no token; a line is a token of 16 to 512/), 'a bad file: the log says where';
    ok $a->ping, '... and all stays as it is';
    is explained($bob->{key}, '--token', $three), 'allow rule friends', '... explain, too';
    tokens $one;
    ok HyperDerp::Test::wait_for(sub { explained($bob->{key}, '--token', $three) eq 'deny default -' }), 'a good one is read again';
};

subtest 'a parameter and a header' => sub {
    reload "  rules:\n    - {name: blue, query: 'team=light blue', tenant: blue}\n    - {name: lab, header: 'X-Lab: 7', query: a=b}\n";
    my $b = admitted($alice, query => 'x=1&team=light+blue&team=red');
    is ctl($hd, 'peers')->{data}[0]{tenant}, 'blue', 'decoded, the first of the name';
    ok admitted($alice, query => 'te%61m=light%20blue')->ping, '... escapes, too';
    ok refused($bob, query => $_), "$_: refused" for 'team=red&team=light+blue', 'Team=light+blue', 'team=light+blue%00', 'team=light+blue%2', 'team', 'light+blue';
    my $lab = admitted($carol, query => 'a=b', header => 'x-lab: 7');
    ok $lab->ping, 'both that a rule names';
    ok refused($bob, header => 'X-Lab: 7'), '... one is not enough';
    ok refused($bob, query => 'a=b', header => 'X-Lab: 77'), '... nor another value';
    is explained($bob->{key}, '--query', 'a=b'), 'depends request lab header deny default -', 'explain asks for the other one';
    is explained($bob->{key}, '--query', 'a=b', '--header', 'X-LAB: 7'), 'allow rule lab', '... and is told';
    reload "  rules:\n    - {name: lab, header: 'X-Lab: 7'}\n    - {name: new, query: team=light blue}\n    - {name: never, query: team=red}\n";
    ok $lab->ping, 'rules change: what was shown is still known';
    is put_out($b), 'the rules have moved it to another tenant', '... and decides as before';
    reload "  rules:\n    - {name: new, query: 'a=c'}\n";
    is put_out($lab), $list, '... also against it';
};

subtest 'a login that waits, and new code' => sub {
    tokens $one;
    reload "  rules:\n    - {name: friends, token_file: $file}\n";
    my $in = admitted($bob, token => $one);
    ctl($hd, qw(judge_a mode pend));
    my $c = HyperDerp::Raw->start($hd, with($alice, token => $one));
    ok HyperDerp::Test::wait_for(sub { ctl($hd, qw(judge_a seen))->{data}{held} == 1 }), 'it waits for another module';
    ok ctl($hd, qw(module reload policy))->{ok}, 'the code is replaced';
    like put_out($in), qr/depend on what this client has sent, .*: come again/, '... who is in comes again';
    ctl($hd, qw(judge_a mode pass));
    ctl($hd, qw(judge_a answer pass));
    ok $c->admitted, '... and who waits is let in';
    $in = admitted($bob, token => $one);
    tokens $two;
    is put_out($_), $list, 'a token is taken out: both leave' for $c, $in;
};

# Before new code has gone through who is here: what it has sent is known by then.
subtest 'it is let in as soon as new code is there' => sub {
    tokens $one;
    reload "  rules:\n    - {name: friends, token_file: $file}\n";
    for (1 .. 5) {
        ctl($hd, qw(judge_a mode pend));
        my $c = HyperDerp::Raw->start($hd, with($alice, token => $one));
        ok HyperDerp::Test::wait_for(sub { ctl($hd, qw(judge_a seen))->{data}{held} == 1 }), 'it waits for another module';
        is join(' ', map { $_->{ok} ? 'ok' : 'no' } at_once([qw(module reload policy)], [qw(judge_a answer pass)])), 'ok ok', 'new code, and it is let in';
        ctl($hd, qw(judge_a mode pass));
        ok $c->admitted, '... it is';
        ok $c->ping, '... and stays' or diag put_out($c);
        $c->close;
    }
};

subtest 'what is secret stays so' => sub {
    reload "  rules:\n    - {token: $one}\n    - {query: 'pass=$two'}\n    - {header: 'X-Pass: $three'}\n";
    admitted($alice, token => $one, query => "pass=$two", header => "X-Pass: $three");
    refused($bob, token => "$three-wrong", query => "pass=$three-wrong");
    my $shown = join "\n", map { JSON::PP->new->encode(ctl($hd, @$_)) } ['config', 'show'], ['policy', 'rules'],
        ['policy', 'explain', $alice->{key}, '--token', $one], ['peers'], ['trace'];
    $shown .= qx{$HyperDerp::Test::build/hyper-derp -T -c $hd->{file} 2>&1};
    $shown .= $hd->log_text;
    like $shown, qr/token: \\?"\*\*\*/, 'that there is a token is shown';
    unlike $shown, qr/secret-/, 'no token, parameter or header is';
    for my $bad (
        ['token: short',                          qr/hd\.yaml:\d+: .*token: it has less than 16/],
        ["token: '$one x'",                       qr/token: it has less than 16 or more than 512 characters, or a blank/],
        ["token: $one, token_file: $file",        qr/token and token_file in one rule; put the token into the file/],
        ['token: "***"',                          qr/`token: \*\*\*` stands for a secret that is not shown; write the secret/],
        ['token_file: /nowhere/tokens',           qr{token_file: /nowhere/tokens: No such file}],
        ['query: team',                           qr/query: it is no parameter with a value; write NAME=VALUE/],
        ["query: '=$one'",                        qr/query: it is no parameter with a value/],
        ["header: 'X-Team'",                      qr/header: it is no header with a value; write "NAME: VALUE"/],
        ["header: 'X Team: $one'",                qr/header: it is no header/],
    ) {
        conf "  rules:\n    - {$bad->[0]}\n";
        my $text = qx{$HyperDerp::Test::build/hyper-derp -t -c $hd->{file} 2>&1};
        like $text, $bad->[1], "$bad->[0] is refused";
        unlike $text, qr/secret-/, '... and not shown';
    }
};

$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hooks.t - every verdict from every hook, whatever goes on meanwhile;
# who has left, and how much that was; a module's memory in each peer.
# (t/system/admit.t: two modules that are asked who may log in.)
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

use constant { PASS => 0, DENY => 1, PENDING => 2, NONE => 77 };

sub wait_for { goto &HyperDerp::Test::wait_for }

sub start (%o) {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp gate)], %o);
    $hd->{logins} = [HyperDerp::Raw::logins($hd, $o{n} // 12)];
    return $hd;
}

sub verdict ($hd, $hook, $verdict) {
    my $a = ctl($hd, qw(gate set), $hook, "$verdict");
    return $a->{ok} || die "gate set: $a->{error}{message}\n";
}

sub seen ($hd, $hook) { return ctl($hd, qw(gate seen))->{data}{$hook} }

sub next_login ($hd) { return HyperDerp::Raw->start($hd, shift @{ $hd->{logins} }) }
sub refused ($c) { return !$c->admitted && $c->closed }
sub digits ($c) { return substr $c->key, 0, 8 }    # as the log shows a key

# What the log says of who has left: key, then the rest of the line.
sub left ($hd) { return map { [/^(\w+) (.*)/] } $hd->log_text =~ /gate: left key=(\w+ .*)$/mg }
sub left_of ($hd, $c) { return map { $_->[0] eq digits($c) ? $_->[1] : () } left($hd) }

# The only line of one who has left.
sub leaves ($hd, $c) {
    wait_for(sub { left_of($hd, $c) > 0 });
    my @lines = left_of($hd, $c);
    return @lines == 1 ? $lines[0] : @lines . ' lines';
}

sub metric_is ($hd, $name, $n) {
    return wait_for(sub {
        my $sum = 0;
        $sum += $_->{value} for grep { $_->{name} eq $name } @{ ctl($hd, 'metrics')->{data} };
        return $sum == $n;
    });
}

# Whether a connection is closed before it has said anything.
sub shut_out ($hd) {
    my $c = HyperDerp::Raw->open($hd);
    return $c->closed;
}

subtest 'who may connect' => sub {
    my $hd = start();
    my $in = next_login($hd);
    ok $in->admitted, 'PASS: the connection goes on';
    ok $hd->log_like(qr/gate: arrived from=127\.0\.0\.1:\d+ proxy=- listener=- tls=0/), '... what it was told';
    my $n = 0;
    for my $v (DENY, PENDING, NONE) {
        verdict $hd, 'accept', $v;
        ok shut_out($hd), "verdict $v: closed at once";
        ok metric_is($hd, 'hyper_derp_accepts_denied_total', ++$n), '... and counted';
    }
    ok $in->ping, 'who is in stays';
    verdict $hd, 'accept', PASS;
    my $again = next_login($hd);    # it stays: who goes has left
    ok $again->admitted, 'PASS again';
    is scalar(left($hd)), 0, 'who never logged in does not leave';
    $hd->finish;
};

subtest 'who may connect through a proxy' => sub {
    my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp gate)]);
    $hd->{yaml} = $hd->yaml =~ s/^(listen: .*)\}\]$/$1, proxy_protocol: [127.0.0.1]}]/mr;
    $hd->write_conf;
    $hd->run;
    ok $hd->log_like(qr/ready\b/) && wait_for(sub { $hd->socket }), 'the relay is there';
    my ($login, $other) = HyperDerp::Raw::logins($hd, 2);
    my $header = "PROXY TCP4 192.0.2.7 192.0.2.99 4711 443\r\n";
    my $c = HyperDerp::Raw->open($hd);
    $c->write($header . $login->{head} . $login->{info});
    ok $c->admitted, 'PASS';
    ok $hd->log_like(qr/gate: arrived from=192\.0\.2\.7:4711 proxy=127\.0\.0\.1:\d+ /),
        '... it was told of the client, not of the proxy';
    verdict $hd, 'accept', DENY;
    $c = HyperDerp::Raw->open($hd);
    $c->write($header);
    ok $c->closed, 'DENY: closed when the header is there';
    ok metric_is($hd, 'hyper_derp_accepts_denied_total', 1), '... and counted';
    $hd->finish;
};

subtest 'what it has asked for' => sub {
    my $hd = start();
    my $login = shift @{ $hd->{logins} };
    $login->{head} =~ s{^GET (\S+) (.*?\r\n)}{GET $1?team=light+blue $2X-Team: red\r\n};
    ok(HyperDerp::Raw->start($hd, $login)->admitted, 'PASS');
    ok $hd->log_like(qr/gate: asked team=light blue header=red\./), 'a parameter and a header are there';
    ok next_login($hd)->admitted, 'PASS';
    ok $hd->log_like(qr/gate: asked team=- header=-\./), '... or not';
    ok wait_for(sub { left($hd) == 2 }), 'once it is in they are forgotten: the module asserts it';
    $hd->finish;
};

subtest 'who may log in' => sub {
    my $hd = start();
    ok next_login($hd)->admitted, 'PASS';
    for my $v (DENY, NONE) {
        verdict $hd, 'admit', $v;
        my $c = next_login($hd);
        ok refused($c), "verdict $v: refused";
        like leaves($hd, $c), qr/ admitted=0 .*refusal=the gate is shut\.$/, '... with its reason, at once';
    }
    verdict $hd, 'admit', PASS;
    ok next_login($hd)->admitted, 'PASS again';
    $hd->finish;

    $hd = start(n => 60, conf => "login_timeout: 1s\n");
    verdict $hd, 'admit', PENDING;
    # again on a machine that stalls: that second may be over before anybody is asked
    ok wait_for(sub {
        my $c = next_login($hd);
        return refused($c)
            && leaves($hd, $c) =~ / admitted=0 .*refusal=module gate has not answered within login_timeout\.$/;
    }), 'PENDING and no answer: refused after login_timeout';
    $hd->finish;
};

subtest 'which packet may pass' => sub {
    my $hd = start();
    my ($from, $to) = map { next_login($hd) } 1 .. 2;
    ok $_->admitted, 'logs in' for $from, $to;
    for my $v (DENY, PENDING, NONE) {
        verdict $hd, 'packet', $v;
        my $n = seen($hd, 'packet');
        $from->send($to->key, "verdict $v");
        ok wait_for(sub { seen($hd, 'packet') > $n }), "verdict $v: asked";
    }
    verdict $hd, 'packet', PASS;
    $from->send($to->key, 'pass');
    is $to->packet, 'pass', 'only what passes arrives';
    $hd->finish;
};

subtest 'who leaves' => sub {
    my $hd = start();
    my ($from, $to, $third) = map { next_login($hd) } 1 .. 3;
    ok $_->admitted, 'logs in' for $from, $to, $third;
    $from->send($to->key, $_) for 'one', 'two';
    is $to->packet, $_, "$_ arrives" for 'one', 'two';
    $from->close;
    like leaves($hd, $from),
        qr{from=127.0.0.1:\d+ proto=derp name=somebody tenant= admitted=1 stays=0 in=2/\d\d+ out=0/\d+ drops=0 data=1 why=closed by peer refusal=\.},
        'one who sent two packets';
    verdict $hd, 'admit', DENY;
    my $no = next_login($hd);
    ok refused($no), 'one is refused';
    like leaves($hd, $no), qr/ admitted=0 stays=0 .*data=1 why=denied refusal=the gate is shut\.$/,
        '... and leaves, with why';
    ok ctl($hd, qw(module unload derp))->{ok}, 'another module goes, and its connections with it';
    like leaves($hd, $to), qr{ admitted=1 stays=0 in=0/\d+ out=2/\d\d+ drops=0 .*why=relay drains},
        '... one who got two packets';
    like leaves($hd, $third), qr{ stays=0 in=0/\d+ out=0/\d+ }, '... one who did nothing';
    $hd->finish;
};

subtest 'who is there at the end' => sub {
    my $hd = start();
    my @c = map { next_login($hd) } 1 .. 6;
    ok $_->admitted, 'logs in' for @c;
    $hd->finish;
    like leaves($hd, $_), qr/ admitted=1 stays=0 .*why=relay drains/, 'leaves at the stop' for @c;
};

subtest 'memory in each peer' => sub {
    my $live = HyperDerp::Live->new;
    my $hd = start(load_module => ['derp', $live->make('gate', build => 1)]);
    my $c = next_login($hd);
    ok $c->admitted, 'logs in';
    my $data = sub (@n) { return ctl($hd, qw(gate data), $c->key, map { "$_" } @n)->{data}[0] };
    is $data->(), 1, 'what on_admit has put in is there';
    is $data->(41), 42, '... and what a command adds';
    $live->make('gate', build => 2);
    ok ctl($hd, qw(module reload gate))->{ok}, 'new code';
    like seen($hd, 'build'), qr/BUILD=000002/, '... it is that';
    is $data->(), 42, '... it stays';
    is scalar(left($hd)), 0, '... nobody has left';
    $live->make('gate', build => 3, state_version => 7);
    ok ctl($hd, qw(module reload gate))->{ok}, 'code with another state';
    is $data->(), 0, '... zeroed';
    $data->(5);
    ok ctl($hd, qw(module unload gate))->{ok}, 'the module goes';
    like leaves($hd, $c), qr/ admitted=1 stays=1 .*data=5 why= refusal=\.$/, '... and is told who stays';
    my $later = next_login($hd);
    ok $later->admitted, 'one comes meanwhile';
    ok ctl($hd, qw(module load), $live->dir . '/gate.so')->{ok}, 'the module is back';
    is $data->(), 0, 'who was there has zeroed memory';
    is ctl($hd, qw(gate data), $later->key)->{data}[0], 0, '... who came meanwhile, too';
    ok $_->ping, 'a peer lives' for $c, $later;
    $hd->finish;
};

# Anything may come after anything. Nobody may leave twice, and nobody be lost.
sub mill ($hd, $steps) {
    my @verdict = (PASS, PASS, PASS, DENY, PENDING, NONE);
    my %is = (gate => 1, judge_a => 1);
    my @c;
    my $load = sub ($name, $do) {
        my $r = ctl($hd, 'module', $do, $name);
        $is{$name} = $do ne 'unload' if $r->{ok};
        return;
    };
    my @steps = (
        (sub { push @c, next_login($hd) }) x 6,
        (sub { splice(@c, rand @c, 1)->close if @c }) x 2,
        (sub { verdict $hd, (qw(accept admit packet))[rand 3], $verdict[rand @verdict] if $is{gate} }) x 3,
        (sub { ctl($hd, qw(judge_a mode), (qw(pass pass deny pend here task held again mute))[rand 9]) }) x 2,
        (sub { ctl($hd, qw(judge_a answer), (qw(pass deny again))[rand 3]) }) x 2,
        (sub { @c && $c[rand @c]->send($c[rand @c]->key, 'x') }) x 3,
        sub { $load->('gate', $is{gate} ? (qw(unload reload))[rand 2] : 'load') },
        sub { $load->('judge_a', $is{judge_a} ? (qw(unload reload))[rand 2] : 'load') },
    );
    $steps[rand @steps]->() for 1 .. $steps;
    $load->($_, 'load') for grep { !$is{$_} } keys %is;
    verdict $hd, $_, PASS for qw(accept admit packet);
    ctl($hd, qw(judge_a mode pass));
    ctl($hd, qw(judge_a answer pass));
    return @c;
}

for my $backend (qw(io_uring epoll)) {
    subtest "all of it at once, $backend" => sub {
        my $seed = $ENV{HD_SEED} // time ^ $$;
        srand $seed;
        note "HD_SEED=$seed";
        local $ENV{HD_EVENT_BACKEND} = $backend eq 'epoll' ? 'epoll' : $ENV{HD_EVENT_BACKEND} // 'auto';
        my $hd = start(n => 200, load_module => [qw(derp judge_a gate)]);
        my @c = mill($hd, 150);
        my $last = next_login($hd);
        ok $last->admitted, 'after that one is let in';
        ok $last->ping, '... and is served';
        $hd->finish;
        my %times;
        $times{ $_->[0] }++ for grep { $_->[1] =~ /stays=0/ } left($hd);    # each key logs in once
        my @twice = grep { $times{$_} > 1 } keys %times;
        is "@twice", '', 'nobody has left twice';
        is scalar(left_of($hd, $last)), 1, 'the last one has left';
    };
}

done_testing;

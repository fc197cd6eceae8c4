#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/admit.t - two modules that are asked who may log in: every verdict,
# at once, later and never, with clients, modules and the relay going away
# meanwhile.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

sub start (%o) {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [qw(derp judge_a judge_b)], %o);
    $hd->{logins} = [HyperDerp::Raw::logins($hd, 40)];
    return $hd;
}

sub mode ($hd, $judge, $mode) {
    my $a = ctl($hd, $judge, 'mode', $mode);
    return $a->{ok} || die "$judge mode $mode: $a->{error}{message}\n";
}

sub answer ($hd, $judge, $verdict) { return ctl($hd, $judge, 'answer', $verdict)->{ok} }

sub asked ($hd, $judge) { return ctl($hd, $judge, 'seen')->{data}{asked} }

# Waits until so many of its answers are due.
sub holds ($hd, $judge, $n) {
    return HyperDerp::Test::wait_for(sub { ctl($hd, $judge, 'seen')->{data}{held} == $n });
}

sub next_login ($hd, @login) {
    return HyperDerp::Raw->start($hd, @login ? $login[0] : shift @{ $hd->{logins} });
}

sub refused ($c) { return !$c->admitted && $c->closed }

# Nothing has come yet: what is asked over another connection was answered.
sub waits ($c) { return !$c->admitted(0) && !$c->{ended} }

subtest 'at once' => sub {
    my $hd = start();
    ok next_login($hd)->admitted, 'both pass';
    is asked($hd, 'judge_b'), 1, '... and both were asked';
    mode $hd, 'judge_a', 'deny';
    ok refused(next_login($hd)), 'the first denies';
    ok $hd->log_like(qr/login refused: .*reason=judged at once$/m), '... with its reason';
    is asked($hd, 'judge_b'), 1, '... which ends it: the second is not asked';
    mode $hd, 'judge_a', 'pass';
    mode $hd, 'judge_b', 'deny';
    ok refused(next_login($hd)), 'the second denies';
    $hd->finish;
};

subtest 'later' => sub {
    my $hd = start();
    mode $hd, 'judge_a', 'pend';
    my $c = next_login($hd);
    ok holds($hd, 'judge_a', 1), 'the first waits';
    ok waits($c), '... and the client with it';
    is asked($hd, 'judge_b'), 0, '... the second is not asked yet';
    answer $hd, 'judge_a', 'pass';
    ok $c->admitted, 'it passes: admitted';
    is asked($hd, 'judge_b'), 1, '... after the second was asked';
    is asked($hd, 'judge_a'), 1, '... and the first only once';

    $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    answer $hd, 'judge_a', 'again';
    ok holds($hd, 'judge_a', 1), 'who cannot say is asked once more';
    is asked($hd, 'judge_a'), 3, '... once';
    ok waits($c), '... and the client waits on';
    answer $hd, 'judge_a', 'pass';
    ok $c->admitted, '... until it can';

    $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    mode $hd, 'judge_b', 'deny';
    answer $hd, 'judge_a', 'pass';
    ok refused($c), 'the first passes late, the second denies';

    mode $hd, 'judge_b', 'pend';
    $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    answer $hd, 'judge_a', 'pass';
    ok holds($hd, 'judge_b', 1), 'the second waits in its turn';
    ok waits($c), '... and the client with it';
    answer $hd, 'judge_b', 'pass';
    ok $c->admitted, '... until it passes, too';

    $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    answer $hd, 'judge_a', 'deny';
    ok refused($c), 'the first denies late';
    ok $hd->log_like(qr/login refused: .*reason=judged later$/m), '... with its reason';
    $hd->finish;
};

subtest 'from anywhere' => sub {
    my $hd = start();
    mode $hd, 'judge_a', $_ and ok next_login($hd)->admitted, "mode $_" for qw(here task);
    is asked($hd, 'judge_b'), 2, 'the second was asked each time';
    mode $hd, 'judge_a', 'held';
    mode $hd, 'judge_b', 'pend';
    my $c = next_login($hd);
    ok holds($hd, 'judge_b', 1), 'the first passes and keeps its ticket';
    answer $hd, 'judge_a', 'pass';
    answer $hd, 'judge_a', 'deny';
    ok waits($c), 'its answer is not the one that is waited for';
    answer $hd, 'judge_b', 'pass';
    ok $c->admitted, '... that one is';
    $hd->finish;
};

subtest 'never' => sub {
    my $hd = start(conf => "login_timeout: 1s\n");
    my $said = qr/login refused: .*reason=module judge_a has not answered within login_timeout$/m;
    my $n = 0;
    for my $mode (qw(mute pend)) {
        mode $hd, 'judge_a', $mode;
        # again on a machine that stalls: that second may be over before anybody is asked
        ok HyperDerp::Test::wait_for(sub {
            my $refused = refused(next_login($hd));
            return $refused && $n < (() = $hd->log_text =~ /$said/g);
        }), "$mode: login_timeout denies, and names the module";
        $n = () = $hd->log_text =~ /$said/g;
    }
    answer $hd, 'judge_a', 'pass';
    is asked($hd, 'judge_b'), 0, 'an answer after that changes nothing';
    mode $hd, 'judge_a', 'pass';
    ok HyperDerp::Test::wait_for(sub { next_login($hd)->admitted }), 'the next one is let in';
    $hd->finish;
};

subtest 'never, by one who cannot say' => sub {
    my $hd = start(conf => "login_timeout: 1s\n");
    mode $hd, 'judge_a', 'again';
    ok HyperDerp::Test::wait_for(sub {
        my $c = next_login($hd);
        return refused($c) && $hd->log_text =~ /reason=module judge_a has not answered within login_timeout$/m;
    }), 'login_timeout denies';
    cmp_ok asked($hd, 'judge_a'), '>', 1, '... though it was asked again and again';
    $hd->finish;
};

subtest 'the client goes' => sub {
    my $hd = start();
    mode $hd, 'judge_a', 'pend';
    my $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    my $key = substr $c->key, 0, 8;    # as the log shows it
    $c->close;
    ok $hd->log_like(qr/closed: key=$key .*why=closed by peer/), 'its connection ends at once';
    answer $hd, 'judge_a', 'pass';
    is asked($hd, 'judge_b'), 0, 'the answer changes nothing';
    unlike $hd->log_text, qr/login: key=$key/, '... nobody is logged in';
    $hd->finish;
};

subtest 'two connections of a key' => sub {
    my $hd = start();
    my ($login, $other) = splice @{ $hd->{logins} }, 0, 2;
    my $from = HyperDerp::Raw->login($hd, $other);
    mode $hd, 'judge_a', 'pend';
    my $first = next_login($hd, $login);
    holds $hd, 'judge_a', 1;
    mode $hd, 'judge_a', 'pass';
    my $second = next_login($hd, $login);
    ok $second->admitted, 'the second is let in at once';
    $from->send($login->{key}, 'one');
    is $second->packet, 'one', '... and gets the packets';
    answer $hd, 'judge_a', 'pass';
    ok $first->admitted, 'the first is let in later';
    $second->close;
    ok HyperDerp::Test::wait_for(sub { ctl($hd, 'status')->{data}{peers} == 2 }), 'the second goes';
    $from->send($login->{key}, 'two');
    is $first->packet, 'two', '... the first gets the packets';

    mode $hd, 'judge_a', 'pend';
    my @c = map { next_login($hd, $login) } 1 .. 2;
    holds $hd, 'judge_a', 2;
    answer $hd, 'judge_a', 'deny';
    ok refused($_), 'one of two that wait is denied' for @c;
    ok $first->ping, '... the one that is in stays';
    $hd->finish;
};

subtest 'the relay drains' => sub {
    my $hd = start(conf => "drain_time: 60s\n");
    mode $hd, 'judge_a', 'pend';
    my $in = next_login($hd);
    my $c = next_login($hd);
    holds $hd, 'judge_a', 2;
    $hd->signal('USR2');
    ok $hd->log_like(qr/drain begins/), 'begins to drain while two wait';
    ok HyperDerp::Test::wait_for(sub { get($hd, '/derp/latency-check') eq '503' }), '... in all workers';
    answer $hd, 'judge_a', 'pass';
    ok refused($_), 'a pass is too late' for $in, $c;
    is asked($hd, 'judge_b'), 0, '... nobody else is asked';
    ok HyperDerp::Test::wait_for(sub {
        return 2 == (() = $hd->log_text =~ /login refused: .*reason=the relay is draining$/mg);
    }), '... the reason is the drain';
    $hd->finish;
};

subtest 'the module goes' => sub {
    my $hd = start();
    mode $hd, 'judge_a', 'pend';
    mode $hd, 'judge_b', 'pend';
    my $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    ok ctl($hd, qw(module unload judge_a))->{ok}, 'unloaded while it owes an answer';
    ok holds($hd, 'judge_b', 1), 'those behind it are asked';
    ok waits($c), '... what it said at last does not count';
    answer $hd, 'judge_b', 'pass';
    ok $c->admitted, '... but what they say';

    $c = next_login($hd);
    holds $hd, 'judge_b', 1;
    ok ctl($hd, qw(module unload judge_b))->{ok}, 'nobody is behind it';
    ok $c->admitted, '... so it is let in';
    ok ctl($hd, qw(module load judge_b))->{ok}, 'loaded again';
    mode $hd, 'judge_b', 'deny';
    ok refused(next_login($hd)), '... and asked again';
    $hd->finish;
};

# Its new code knows nothing of what the old one was asked.
subtest 'the module is reloaded' => sub {
    my $hd = start();
    mode $hd, 'judge_a', 'pend';
    my $c = next_login($hd);
    holds $hd, 'judge_a', 1;
    ok ctl($hd, qw(module reload judge_a))->{ok}, 'reloaded while it owes an answer';
    ok $c->admitted, 'the new code is asked, and passes';
    is asked($hd, 'judge_a'), 1, '... once';
    is asked($hd, 'judge_b'), 1, '... and then the next one';
    $hd->finish;
};

subtest 'the relay stops' => sub {
    my $hd = start();
    mode $hd, 'judge_a', 'pend';
    my @c = map { next_login($hd) } 1 .. 3;
    holds $hd, 'judge_a', 3;
    $hd->finish;
    ok refused($_), 'those that wait are closed' for @c;
};

done_testing;

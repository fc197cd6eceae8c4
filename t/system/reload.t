#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/reload.t - HUP: live options take effect on connections that stay,
# and a file with one mistake changes nothing at all. (t/system/config.t:
# included files; t/system/daemon.t, t/system/tls.t: certificates.)
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Raw;
use HyperDerp::Test;
use JSON::PP qw(decode_json);
use Time::HiRes qw(time);

my $hd = HyperDerp::Test->start(no_tls => 1, conf => "login_timeout: 60s\n");
my @logins = HyperDerp::Raw::logins($hd, 8);
my ($alice, $bob) = map { HyperDerp::Raw->login($hd, $_) } splice @logins, 0, 2;

# Writes the configuration with other lines and reloads; waits for what the log
# says of it. Returns the reason of a refusal, '' if there was none.
sub reload ($conf, $edit = sub ($yaml) { $yaml }) {
    my $answers = qr/configuration reloaded|reload refused, nothing has changed: .*/;
    my $before = () = $hd->log_text =~ /$answers/g;
    local $hd->{conf} = $conf;
    HyperDerp::Test::spew($hd->{file}, $edit->($hd->yaml));
    $hd->signal('HUP');
    my @all;
    HyperDerp::Test::wait_for(sub { (@all = $hd->log_text =~ /($answers)/g) > $before })
        or return 'no answer';
    return $all[-1] =~ /refused, nothing has changed: (.*)/ ? $1 : '';
}

sub connected ($why) {
    $alice->send($bob->key, $why);
    is $bob->packet, $why, "$why: connections stay";
}

subtest 'login_timeout' => sub {
    is reload("login_timeout: 1s\n"), '', 'is live';
    my $start = time;
    ok(HyperDerp::Raw->open($hd)->closed, 'a new connection has it');
    cmp_ok time - $start, '<', 30, '... and not the old one';
    connected('login_timeout');
};

subtest 'derp.keepalive' => sub {
    is reload("derp: {keepalive: 1s}\n"), '', 'is live';
    my $c = HyperDerp::Raw->login($hd, shift @logins);
    ok defined $c->expect(HyperDerp::Raw::KEEP_ALIVE), 'a client that logs in now gets one soon';
    $c->close;
    is reload("derp: {keepalive: 100s, keepalive_proxied: 1s}\n"), '', 'the other is live, too';
    $c = HyperDerp::Raw->login($hd, shift @logins);
    ok defined $c->expect(HyperDerp::Raw::KEEP_ALIVE), '... for who comes without TLS, as from a proxy';
    $c->close;
};

subtest 'log.level' => sub {
    is reload('', sub ($yaml) { $yaml =~ s/level: info/level: debug/r }), '', 'is live';
    my $c = HyperDerp::Raw->open($hd);
    $c->close;
    ok $hd->log_like(qr/debug closed: key=- /), 'more is said';
};

subtest 'peer_rate_limit' => sub {
    my $flood = sub {    # less than output_limit: nothing may be dropped
        $alice->send($bob->key, 'x' x 60_000) for 1 .. 4;
        for (1 .. 4) { $bob->packet // return 0 }
        return 1;
    };
    # The log may be late, and tells five a second.
    my $pauses = sub {
        my ($m) = grep { $_->{name} eq 'hyper_derp_recv_paused_total' } @{ decode_json($hd->ctl('--json', 'metrics')) };
        return $m->{value};
    };
    ok $flood->(), 'without: four packets of 60 kB';
    is $pauses->(), 0, '... and no pause';
    is reload("peer_rate_limit: 1000000\n"), '', 'is live';
    ok $flood->(), 'with it: four, too';
    my $told = qr/recv_paused: key=@{[substr $alice->key, 0, 8]}/;
    ok HyperDerp::Test::wait_for(sub { return 1 if $hd->log_text =~ $told; $flood->(); return 0 }), '... of a connection that was there before, with pauses';
    is reload(''), '', 'without it again';
    $flood->();
    my $n = $pauses->();
    cmp_ok $n, '>', 0, 'the pauses were counted';
    ok $flood->(), 'four more';
    is $pauses->(), $n, '... no new pause';
};

# What is loaded changes by `hdctl module`; the list is for the next start. A
# certificate that is renewed after a module came must not be refused for it.
subtest 'other modules in load_module' => sub {
    is reload("write_timeout: 3s\n", sub ($yaml) { $yaml =~ s/\[derp, stun\]/[derp, good]/r }), '', 'is taken';
    ok $hd->log_like(qr/notice .*not loaded; now: hdctl module load good/), '... and says how to load';
    ok $hd->log_like(qr/notice .*does not list; now: hdctl module unload stun/), '... and to unload';
    like $hd->ctl('reload'), qr/^reloaded, but\n.*good.*hdctl module load good\n.*stun.*hdctl module unload stun$/,
        '... and so does the answer to hdctl';
    is $?, 0, '... which did what it was asked for';
    is $hd->ctl(qw(module load good)), "ok\n", 'a module of the new list';
    is $hd->ctl(qw(module unload good)), "ok\n", '... goes';
    is reload(''), '', 'the old list again';
    is $hd->ctl('reload'), "ok\n", '... nothing more to say';
    connected('another list');
};

# Each has a change that would be good alone: a login_timeout of 1 s.
my $good = "login_timeout: 1s\n";
my $file = qr/\Q$hd->{file}\E:\d+: /;
for (
    ['an unknown key', "$good" . "wrokers: 3\n", qr/$file.*wrokers.*workers/],
    ['no YAML', $good . "x: [\n", qr/\Q$hd->{file}\E:\d+/],
    ['a value out of range', $good . "write_timeout: 1ms\n", qr/$file.*write_timeout/],
    ['an unknown option of a module', $good . "derp: {kepalive: 2s}\n", qr/$file.*kepalive.*keepalive/],
    ['a wrong option of a module', $good . "derp: {keepalive: 500s}\n", qr/$file.*keepalive/],
    ['a key that is not live', $good . "sockbuf: 1MiB\n", qr/$file.*sockbuf.*restart/],
    ['another listener', $good, qr/listen.*restart/, sub ($yaml) { $yaml =~ s/$hd->{plain}/1/r }],
    ['a state_dir elsewhere', $good, qr/state_dir.*restart/, sub ($yaml) { $yaml =~ s/(state_dir: ).*/$1\/nowhere/r }],
    ['an empty file', '', qr/\S/, sub ($yaml) { '' }],
) {
    my ($what, $conf, $why, $edit) = @$_;
    subtest "refused: $what" => sub {
        like reload($conf, $edit // sub ($yaml) { $yaml }), $why, 'with place and reason';
        connected($what);
    };
}

subtest 'a file that is gone' => sub {
    unlink $hd->{file};
    $hd->signal('HUP');
    ok $hd->log_like(qr/reload refused.*No such file/), 'is refused';
    connected('no file');
};

# login_timeout is 10 s since the last reload: had a refused file been used in
# part, this connection would be closed after 1 s.
subtest 'nothing of them took effect' => sub {
    my $c = HyperDerp::Raw->open($hd);
    ok !$c->closed(1.5), 'login_timeout is the old one';
};

subtest 'many in a row, under traffic' => sub {
    my ($n, $lost) = (0, 0);
    for my $i (1 .. 30) {
        HyperDerp::Test::spew($hd->{file}, $hd->yaml . 'write_timeout: ' . (2 + $i % 2) . "s\n");
        $hd->signal('HUP');
        for (1 .. 20) {
            $alice->send($bob->key, ++$n);
            ($bob->packet // '') eq $n or $lost++;
        }
    }
    is $lost, 0, "30 reloads, $n packets";
};

$hd->finish;
done_testing;

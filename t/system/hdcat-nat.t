#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-nat.t - two hdcat behind two NATs: all bytes arrive where UDP
# passes, where it is blocked, where it dies in the middle, where both NATs forget
# it, and when the relay is upgraded and its module reloaded in the middle of
# 200 MB (HD_LONG=1: of 10 GB). What is sent waits in buffers of a few MB: while
# something happens there is always more to come.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA ();
use HyperDerp::Children;
use HyperDerp::Hdcat;
use HyperDerp::Netns;
use HyperDerp::Test;
use HyperDerp::Upgrade qw(can_upgrade upgrade);
use JSON::PP ();
use POSIX ();
use Socket ();

my $missing = HyperDerp::Netns::missing_nat();
plan skip_all => $missing if $missing;

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my ($nat1, $nat2) = map { $net->nat($_) } qw(nat1 nat2);
my $port = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
my $hd = HyperDerp::Test->new(load_module => ['hd'], conf => "hd: {enroll: anybody, udp: '0.0.0.0:$port'}\n",
    wrap => [$relay->wrap]);
$hd->{yaml} = $hd->yaml =~ s/127\.0\.0\.1(?=:$hd->{tls}\b)/0.0.0.0/r;
$hd->write_conf;
$hd->run_elsewhere or BAIL_OUT($hd->log_text);
my $hdcat = HyperDerp::Hdcat->around($hd, $relay->{ip}) or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
my $box  = $hdcat->in($net->host('box', behind => $nat1));
my $near = $hdcat->in($net->host('near', behind => $nat2));

my $some = HyperDerp::Test::sanitized() ? 4 : 30;
my $block = join '', map { pack 'N', rand 2**32 } 1 .. 262144;

sub udp_drop () {
    return $relay->run('nft', "table inet hd { chain in { type filter hook input priority 0; udp dport $port drop; }; }");
}
sub udp_pass () { return $relay->run(qw(nft delete table inet hd)) }

# All clients' packets go that way. Before there are many: a stall among those, and
# UDP counts as worse than TCP for a minute.
sub by ($transport) {
    return HyperDerp::Test::wait_for(sub {
        return 2 == grep { $_->{transport} eq $transport } JSON::PP::decode_json($hd->ctl('--json', 'peers'))->@*;
    });
}

# sha256sum of what comes by a handle: its process, and the file with it.
sub summed () {
    my $file = $box->file('sum');
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        close $to;
        open STDIN,  '<&', $from;
        open STDOUT, '>',  $file;
        exec 'sha256sum' or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    return ($to, $pid, $file);
}

# One connection, and what is put into it.
sub connection () {
    my ($out, $sums, $sum) = summed();
    my $l = $box->listener_to($out);
    close $out;
    pipe my $from, my $to or die "pipe: $!";
    my $d = $near->start_with($from, '/dev/null', $l->{ticket});
    close $from;
    return { to => $to, l => $l, d => $d, sha => Digest::SHA->new(256), n => 0, sums => $sums, sum => $sum };
}

sub put ($c, $mb) {
    for (1 .. $mb) {
        my $text = pack('N', $c->{n}++) . $block;
        $c->{sha}->add($text);
        print { $c->{to} } $text or return fail "the input is closed: $! " . $c->{d}->err;
    }
    return;
}

sub arrives ($c, $what) {
    close delete $c->{to};
    is $c->{d}->status, 0, "$what: the one who dials ends well" or diag $c->{d}->err;
    is $c->{l}->status, 0, '... the listener, too' or diag $c->{l}->err;
    waitpid $c->{sums}, 0;
    HyperDerp::Children::ended($c->{sums});
    my ($sum) = HyperDerp::Test::slurp($c->{sum}) =~ /(\w+)/;
    is $sum, $c->{sha}->hexdigest, "... sha256 of $c->{n} MB";
    return;
}

local $SIG{PIPE} = 'IGNORE';

subtest 'UDP passes' => sub {
    my $c = connection();
    ok by('udp'), 'both have UDP' or diag $hd->ctl('peers');
    put($c, $some);
    arrives($c, 'by UDP');
};

subtest 'UDP is blocked' => sub {
    udp_drop();
    my $c = connection();
    put($c, $some);
    ok by('tcp'), 'both go by TCP';
    arrives($c, 'by TCP');
    udp_pass();
};

subtest 'UDP dies in the middle, and comes back' => sub {
    my $c = connection();
    ok by('udp'), 'both have UDP';
    put($c, $some);
    udp_drop();
    put($c, $some);
    ok by('tcp'), 'both go by TCP now';
    udp_pass();
    put($c, $some);
    arrives($c, 'by both');
};

subtest 'both NATs forget their mappings' => sub {
    my $c = connection();
    ok by('udp'), 'both have UDP';
    put($c, $some);
    $_->new_mappings for $nat1, $nat2;
    put($c, $some);
    arrives($c, 'by other addresses');
};

subtest 'the relay is upgraded, and the module reloaded' => sub {
    plan skip_all => 'no subreaper here' unless can_upgrade();
    my $part = $ENV{HD_LONG} ? 3334 : $some == 4 ? 4 : 67;
    my $c = connection();
    ok by('udp'), 'both have UDP';
    put($c, $part);
    ok upgrade($hd), 'hdctl upgrade';
    put($c, $part);
    SKIP: {
        skip 'the module is built in', 1 if !-e "$HyperDerp::Test::build/modules.d/hd.so";
        $hd->ctl(qw(module reload hd));
        is $?, 0, 'hdctl module reload hd';
    }
    put($c, $part);
    arrives($c, 'over all that');
};

$hdcat->finish;
done_testing;

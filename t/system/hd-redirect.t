#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd-redirect.t - clients of HD that belong to another relay by a rule: what they are
# told, by the implementation in t/hd/; and libhd and hdcat, which go there, and never run.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Hdcat;
use HyperDerp::Say;
use HyperDerp::Test;
use JSON::PP ();

my $policy = -e "$HyperDerp::Test::build/modules.d/policy.so";

subtest 'what is told' => sub {
    plan skip_all => 'needs python3-nacl and python3-openssl'
        if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
    plan skip_all => 'the module policy is not built' unless $policy;
    local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";
    my $hd = HyperDerp::Test->start(load_module => [qw(policy derp hd)],
        conf => "max_accept_rate: 0\npolicy: {default: allow, rules: [{app_name: ruled, tenant: ruled}]}\nhd: {enroll: anybody}\n");
    open my $out, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_redirect.py", $hd->{tls}, $hd->control, $hd->{file} or die "python3: $!";
    while (my $line = <$out>) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
        elsif ($line =~ /^# (.*)/) { diag $1 }
    }
    close $out;
    is $?, 0, 'python3 ends well';
    $hd->finish;
};

# Two relays with one key, each of which says that all belong to the other one.
my ($one, $two) = map { HyperDerp::Test->new(load_module => ['hd']) } 1, 2;
my $seed = HyperDerp::Test::spew("$one->{dir}/shared.key", 'hdseed:' . '2a' x 32 . "\n");
chmod 0600, $seed;
for ([$one, $two->{tls}], [$two, $one->{tls}]) {
    rules(@$_);
    $_->[0]->run->ready or BAIL_OUT($_->[0]->log_text);
}
my $dir = $one->dir;
my ($key) = $one->ctl(qw(hd info)) =~ /(hd1\w+)/;
my @one = ("--relay-key=$key", "localhost:$one->{tls}");

sub rules ($own, $port) {
    $own->{conf} = "hd: {enroll: anybody, private_key: $seed, redirect_rules: [{everybody: yes, to: ['127.0.0.1:$port']}]}\n";
    return $own->write_conf;
}

sub at ($relay) { return scalar @{ JSON::PP::decode_json($relay->ctl(qw(--json peers))) } }

sub told ($relay) {
    my $n = 0;
    $n += $_->{clients} for grep { $_->{reason} eq 'rule' } @{ JSON::PP::decode_json($relay->ctl(qw(--json hd redirects))) };
    return $n;
}

subtest 'libhd goes where it belongs, and no further' => sub {
    my $say = HyperDerp::Say->new($dir, 'a', '--allow', @one);
    ok $say->says(qr/^state connecting localhost says that we belong to 127\.0\.0\.1 port $two->{tls}/), 'it is told' or diag $say->text;
    ok $say->says(qr/^state open/), '... and goes' or diag $say->text;
    is at($two), 1, 'it is at the other one';
    is told($two), 1, '... which has sent it back';
    my $b = HyperDerp::Say->new($dir, 'b', @one, $say->key);
    ok $b->says(qr/^peer here/), 'who comes by the first finds it there' or diag $b->text;
    $b->line('hello');
    ok $say->says(qr/^packet \w+ hello$/), 'a packet' or diag $say->text;
    is at($two), 2, 'both stay';
    is told($_), 2, 'each was told once by each' for $one, $two;
    is $two->stop, 0, 'where they belong ends';
    ok $say->says(qr/^state waiting/), 'which is noticed' or diag $say->text;
    ok $say->says(qr/^state open/), '... and they are back at the first' or diag $say->text;
    ok $b->says(qr/^peer here/), '... both' or diag $b->text;
    HyperDerp::Test::wait_for(sub { at($one) == 2 });
    is at($one), 2, '... where they stay, though it sends them away';
    $two->run->ready or BAIL_OUT($two->log_text);
    is $_->end, 0, 'it ends' for $b, $say;
};

subtest 'nobody answers there' => sub {
    my $before = told($one);
    rules($one, HyperDerp::Test::free_port());
    $one->ctl('reload');
    my $say = HyperDerp::Say->new($dir, 'c', @one);
    ok $say->says(qr/^state connecting localhost says that we belong to/), 'it is told' or diag $say->text;
    ok $say->says(qr/^state open/), 'it is back at the first' or diag $say->text;
    HyperDerp::Test::wait_for(sub { told($one) == $before + 2 });
    is told($one), $before + 2, '... which sends it away once more';
    is at($one), 1, '... and it stays';
    is $say->end, 0, 'it ends';
    rules($one, $two->{tls});
    $one->ctl('reload');
};

subtest 'who is here when rules change' => sub {
    $one->{conf} =~ s/, redirect_rules: .*\]/, redirect_rules: []/;
    $one->write_conf;
    $one->ctl('reload');
    my $say = HyperDerp::Say->new($dir, 'd', @one);
    ok $say->says(qr/^state open/), 'it belongs here' or diag $say->text;
    my $before = told($one);
    rules($one, $two->{tls});
    $one->ctl('reload');
    is at($one), 1, 'not any more: it stays';
    is told($one), $before, '... and is not told';
    $one->ctl(qw(peer close), JSON::PP::decode_json($one->ctl(qw(--json peers)))->[0]{key});
    ok $say->says(qr/^state connecting localhost says that we belong to/), 'closed, it comes again and is told' or diag $say->text;
    ok HyperDerp::Test::wait_for(sub { at($two) == 1 }), '... and goes';
    is $say->end, 0, 'it ends';
};

subtest 'hdcat' => sub {
    my $hdcat = HyperDerp::Hdcat->around($one) or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
    my $l = $hdcat->listener('--allow', 'localhost:1');
    HyperDerp::Test::wait_for(sub { at($two) == 1 });
    is at($two), 1, 'a listener goes where it belongs';
    my ($status, $out, $err) = $hdcat->run('ping', '-c', '2', $l->{ticket});
    is $status, 0, 'who has its ticket, of the first relay, finds it there' or diag $err;
    like $out, qr/^2: [\d.]+ ms/m, '... and is answered';
    is $l->stop, 0, 'the listener ends';
};

like $one->ctl(qw(hd redirects)), qr/rule +127\.0\.0\.1:$two->{tls} +\d/, 'hdctl shows how many';
$_->finish for $one, $two;
done_testing;

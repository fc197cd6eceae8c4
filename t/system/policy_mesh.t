#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_mesh.t - rules about other relays: which may mesh, who is one
# without the mesh key, and who is none with it. Nobody becomes one by a rule
# that says nothing of it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Raw;
use HyperDerp::Test;

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';
my ($one, $two) = map { HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp mesh policy)]) } 1 .. 2;
my $list = "$one->{dir}/relays";

sub conf ($hd, $policy) {
    my ($other) = grep { $_ != $hd } $one, $two;
    HyperDerp::Test::spew("$hd->{dir}/mesh.key", "$mesh_key\n");
    $hd->{conf} = "derp: {mesh_key: $hd->{dir}/mesh.key}\nmesh:\n  silence_max: 2m\n"
        . qq(  members: [{name: "127.0.0.1:$other->{plain}", tls: false}]\npolicy:\n$policy);
    return $hd->write_conf;
}

# The first relay's rules.
sub rules ($default, @rules) {
    conf $one, "  default: $default\n  rules:" . (@rules ? join('', map { "\n    - {$_}" } @rules) : ' []') . "\n";
    my $r = ctl($one, 'reload');
    return $r->{ok} ? 'ok' : $r->{error}{message};
}

sub keys_are (@keys) {
    HyperDerp::Test::spew("$list.new", join '', map { "$_ a relay\n" } @keys);
    return rename "$list.new", $list;
}

# Of the second relay to the first, which alone decides about it.
sub link_is ($want, $name) {
    my $l;
    return ok(HyperDerp::Test::wait_for(sub {
        ($l) = @{ ctl($two, qw(mesh status))->{data} };
        ($l->{state} eq 'up') == $want;
    }), $name) || diag explain $l, $one->log_text;
}

sub put_out ($c) {
    my $text = $c->expect(HyperDerp::Raw::HEALTH) // 'nothing';
    return $c->closed ? $text : "$text, and not closed";
}

# What it is told when it watches who is here: the flags of a key.
sub sees ($c, $key) {
    $c->frame(HyperDerp::Raw::WATCH_CONNS);
    while (my $p = $c->expect(HyperDerp::Raw::PEER_PRESENT)) {
        return unpack 'x50C', $p if unpack('H64', $p) eq $key;
    }
    return 'nothing';
}

# It asks for what other relays may, and is closed for it.
sub is_client ($c, $name) {
    $c->frame(HyperDerp::Raw::WATCH_CONNS);
    return ok($c->closed, $name);
}

sub explained (@words) {
    my $d = ctl($one, qw(policy explain), @words)->{data};
    return join ' ', map { $_ // '-' } @$d{qw(verdict by rule role)};
}

conf $one, "  default: deny\n";
conf $two, "  default: allow\n";
keys_are;
for ($one, $two) {
    $_->run;
    $_->ready or die $_->log_text;
}
my ($relay) = $two->log_text =~ /relay key ([0-9a-f]{64})/;
my ($alice, $bob) = HyperDerp::Raw::logins($one, 2);
my ($member) = HyperDerp::Raw::logins($one, 1, qq({"meshKey":"$mesh_key"}));
my $lists = "name: relays, keys: $list";

subtest 'a real link' => sub {
    link_is 1, 'who has the mesh key needs no rule';
    is rules('deny', 'name: all, from: [0.0.0.0/0, "::/0"], action: deny, reason: nobody'), 'ok', 'a rule that says nothing of the mesh';
    is explained($relay, qw(--from 127.0.0.1 --mesh)), 'allow default - mesh', '... matches none';
    is explained($relay, qw(--from 127.0.0.1)), 'deny rule all -', '... but clients';
    my $c = HyperDerp::Raw->login($one, $member);
    is sees($c, $member->{key}), 2, '... and a login is another relay, as before';
    is rules('deny', 'name: none, mesh: true, action: deny, reason: no relays'), 'ok', 'a rule that denies other relays';
    is put_out($c), 'no relays', '... puts out who is connected';
    link_is 0, '... so that the link ends';
    ok $one->log_like(qr/login refused: key=\Q@{[substr $relay, 0, 8]}\E.* reason=no relays/), '... and does not come back';
    keys_are $relay;
    is rules('deny', "$lists, mesh: true", 'name: none, mesh: true, action: deny'), 'ok', 'only relays of a list';
    link_is 1, '... are let in';
    is explained($relay, '--mesh'), 'allow rule relays mesh', '... which explain shows';
    is explained($relay), 'deny default - -', '... not as a client';
    ok !HyperDerp::Raw->start($one, $member)->admitted, '... and no other';
    my ($rule) = @{ ctl($one, qw(policy rules))->{data} };
    is "$rule->{mesh} $rule->{role}", 'yes own', 'policy rules has it';
    keys_are;
    link_is 0, 'one is taken from the list';
    keys_are $relay;
    link_is 1, '... and put back';
    ok ctl($one, qw(peer revoke), $relay)->{ok}, 'its key is revoked';
    link_is 0, '... which counts for other relays, too';
    ok ctl($one, qw(peer unrevoke), $relay)->{ok}, '... and is taken back';
    link_is 1, '... so that it is there again';
};

subtest 'a client with the mesh key' => sub {
    is rules('deny', 'name: guests, mesh: true, role: client, tenant: guests'), 'ok', 'a rule makes clients of them';
    link_is 0, 'the link ends';
    my $c = HyperDerp::Raw->login($one, $member);
    my ($peer) = grep { $_->{key} eq $member->{key} } @{ ctl($one, 'peers')->{data} };
    is $peer->{tenant}, 'guests', 'it has what the rule gives a client';
    is explained($member->{key}, '--mesh'), 'allow rule guests client', '... as explain says';
    is_client $c, '... and no rights of another relay';
    $c = HyperDerp::Raw->login($one, $member);
    is rules('deny'), 'ok', 'the rule goes';
    is put_out($c), 'the rules have moved it to another tenant', '... and it comes again';
    link_is 1, 'as the link does';
};

subtest 'another relay without the mesh key' => sub {
    keys_are $alice->{key};
    is rules('allow', "$lists, role: mesh"), 'ok', 'a list of keys gives the role';
    is explained($alice->{key}), 'allow rule relays mesh', '... which explain shows';
    my $a = HyperDerp::Raw->login($one, $alice);
    is sees($a, $alice->{key}), 2, '... and it may watch, and is known as a relay';
    ok $one->log_like(qr/another relay has logged in, by a module's word: .* key=\Q@{[substr $alice->{key}, 0, 8]}\E/), '... which the log says';
    my $b = HyperDerp::Raw->login($one, $bob);
    is explained($bob->{key}), 'allow default - client', 'another key';
    is_client $b, '... has no such right';
    keys_are;
    is put_out($a), 'the rules have given it another role', 'it is taken from the list, and is put out';
    $a = HyperDerp::Raw->login($one, $alice);
    is_client $a, '... and is a client when it comes back';
};

subtest 'mistakes' => sub {
    my $from = 'from: [127.0.0.0/8]';
    like rules('allow', "$from, role: mesh"), qr/role: mesh gives the right to speak for any client; name keys, or mesh: true/, 'an address is not enough';
    like rules('allow', "url: 'http://127.0.0.1:1/', role: mesh"), qr/role: mesh gives the right/, '... nor a service';
    like rules('allow', "mesh: true, tenant: a"), qr/of clients, and this rule is of other relays/, 'a tenant of other relays';
    like rules('allow', "keys: $list, role: mesh, limits: {rate: 1MiB}"), qr/of clients, and this rule is of other relays/, '... and limits';
    like rules('allow', "mesh: true, action: deny, role: client"), qr/role: a rule that denies cannot have one/, 'a role with a denial';
    like rules('allow', "mesh: false"), qr/a rule that matches everybody/, 'mesh: false names nobody';
    ok HyperDerp::Raw->login($one, $bob)->ping, 'the rules before are in force';
};

$_->finish for $one, $two;
done_testing;

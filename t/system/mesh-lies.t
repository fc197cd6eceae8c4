#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-lies.t - a member of the region lies: about keys that are here, that
# are elsewhere, that nobody has, and about millions. It gets what is sent to keys
# that only it names; everybody else goes on.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use IO::Select;
use IPC::Open2;

plan skip_all => 'needs python3-nacl' if system('/usr/bin/python3 -c "import nacl" 2>/dev/null') != 0;

use constant KEYS_MAX => 1 << 20;    # HD_LINK_KEYS_MAX
my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';

package Liar {
    sub new ($class) {
        my $pid = IPC::Open2::open2(my $out, my $in, '/usr/bin/python3', '-B', "$FindBin::Bin/../lib/client/mesh_liar.py");
        HyperDerp::Children::keep($pid);
        $in->autoflush(1);
        my $self = bless { pid => $pid, in => $in, out => $out, buf => '', events => [] }, $class;
        ($self->{port}) = $self->expect(qr/^port (\d+)/) =~ /(\d+)/;
        return $self;
    }

    sub event ($self, $seconds) {
        until ($self->{buf} =~ /\n/) {
            IO::Select->new($self->{out})->can_read($seconds) or return;
            sysread $self->{out}, $self->{buf}, 4096, length $self->{buf} or return;
        }
        $self->{buf} =~ s/^(.*)\n//;
        return $1;
    }

    # The first such event, of those that nobody has asked for.
    sub expect ($self, $re, $seconds = 2 * $HyperDerp::Children::patience) {
        my @kept;
        while (1) {
            my $e = shift @{ $self->{events} } // $self->event($seconds);
            unshift(@{ $self->{events} }, @kept), return $e if !defined $e || $e =~ $re;
            push @kept, $e;
        }
    }

    sub tell ($self, @words) {
        print { $self->{in} } "@words\n";
        $self->expect(qr/^done/, 300) or die "the liar does not $words[0]";
        return;
    }

    sub DESTROY ($self) {
        local $?;
        return unless HyperDerp::Children::ended($self->{pid});
        kill 'KILL', $self->{pid};
        waitpid $self->{pid}, 0;
    }
}

my $liar = Liar->new;
my ($one, $two) = map { HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp mesh)]) } 1 .. 2;
sub member ($port) { return qq({name: "127.0.0.1:$port", tls: false}) }
for ([$one, $two->{plain}, $liar->{port}], [$two, $one->{plain}]) {
    my ($hd, @members) = @$_;
    HyperDerp::Test::spew($hd->dir . '/mesh.key', "$mesh_key\n");
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  silence_max: 2m\n  members: ["
        . join(', ', map { member($_) } @members) . "]\n";
    $hd->write_conf;
    $hd->run;
    $hd->ready or die $hd->log_text;
}

sub link_to ($hd, $port) {
    return (grep { $_->{member} =~ /:$port$/ } @{ ctl($hd, qw(mesh status))->{data} })[0] // {};
}
my $lies = sub { link_to($one, $liar->{port}) };
my $honest = sub { link_to($one, $two->{plain}) };
sub until_ok ($cond, $name, $seconds = 2 * $HyperDerp::Children::patience) {
    return ok(HyperDerp::Test::wait_for($cond, $seconds), $name) || diag explain $lies->(), $honest->(), $one->log_text;
}

# All that the liar has said so far has been taken.
sub is_heard ($n, $name) { return until_ok(sub { ($lies->()->{keys} // -1) == $n }, $name) }

sub goes ($from, $to, $text, $name) {
    $from->send($to->key, $text);
    return ok $to->expect(qr/^packet \S+ \S+ @{[unpack 'H*', $text]}/), $name;
}
sub key ($n) { return sprintf '%064x', $n }

my ($alice, $bob, $carol) = ($one->client, $one->client, $two->client);
ok $liar->expect(qr/^link/), 'the relay has a link to a member';
until_ok(sub { ($honest->()->{keys} // 0) == 1 }, '... and to an honest one');

$liar->tell('present', $bob->key);
is_heard(1, 'it says that it has a key that is here');
goes $alice, $bob, 'here', '... packets reach who is here';
$liar->tell('present', $carol->key);
is_heard(2, 'it says that it has one that is elsewhere');
goes $alice, $carol, 'there', '... packets go where it was first';
$liar->tell('gone', $carol->key);
is_heard(1, 'it says that this one has gone');
goes $alice, $carol, 'still there', '... who is reached all the same';
ok $alice->silent, '... and nobody is told anything';
$liar->tell('gone', key(7));
$liar->tell('present', key(8));
is_heard(2, 'it takes back what it has not said');

$alice->send(key(8), 'for nobody');
like $liar->expect(qr/^packet/), qr/^packet \Q@{[$alice->key]}\E \Q@{[key(8)]}\E 10$/, 'it gets what is sent to a key that only it names';
$liar->tell('gone', key(8));
is_heard(1, 'it takes that back');
my $nowhere = sub { ctl($one, 'status')->{data}{drops}{unknown_dest} // 0 };
my $was = $nowhere->();
$alice->send(key(8), 'for nobody');
until_ok(sub { $nowhere->() > $was }, '... and what is sent there goes nowhere');

# A packet on the relay's own link to it is none; one on its link to us stays here.
$liar->tell('raw', '0a', key(9) . $bob->key . '6c6965');
$liar->tell('raw', '05', key(9) . '6c6965');
$liar->tell('present', key(10));
is_heard(2, 'frames that no member sends on that link');
ok $bob->silent, '... are nothing';
$liar->tell('join', $one->{plain}, $mesh_key);
$liar->tell('bring', key(9), $bob->key, '6c6965');
like $bob->packet, qr/^lie/, 'it brings a packet from a key that it has not told of: as in derper, the mesh key is trusted';
$liar->tell('bring', key(9), $carol->key, '6c6965');
ok $liar->expect(qr/^gone \Q@{[$carol->key]}\E/), 'a packet for a key elsewhere is not forwarded again: it is told';
ok $carol->silent, '... and nobody gets it';
is $honest->()->{packets}, 2, '... no link does';

# Millions. What does not fit is left out, which is said once, and takes nothing.
my $before = $one->rss;
$liar->tell('many', 200_000);
until_ok(sub { $lies->()->{keys} > 199_000 }, 'many keys');
$liar->tell('many', KEYS_MAX + 100_000);
until_ok(sub { $lies->()->{keys} >= KEYS_MAX }, 'more than a link may have', 300);
ok $one->log_like(qr/mesh: too many keys, the rest is not reached: member=127\.0\.0\.1:$liar->{port} /), '... which is said';
$liar->tell('gone', key(10));
until_ok(sub { !@{ ctl($one, qw(mesh peers), key(10))->{data} } }, '... all of it has been read', 300);
is scalar(() = $one->log_text =~ /too many keys/g), 1, '... once';
cmp_ok $lies->()->{keys}, '<=', KEYS_MAX + 2 * 64 * 1024, '... and no more are kept';
my $grown = $one->rss - $before;
note sprintf '%.0f bytes a key', $grown / KEYS_MAX;
cmp_ok $grown, '<=', 250 * KEYS_MAX, '... nor memory, by far' unless HyperDerp::Test::sanitized();
goes $alice, $carol, 'and there', 'the honest link carries on';
goes $carol, $alice, 'and back', '... both ways';

# What is against the protocol ends the link, and all that it has said.
$liar->tell('raw', '09', '00' x 31);
ok $liar->expect(qr/^lost/), 'a frame that is against the protocol ends the link';
ok $one->log_like(qr/link lost: member=127\.0\.0\.1:$liar->{port} reason="a PeerPresent frame of 31 bytes/), '... and is said';
until_ok(sub { ctl($one, qw(mesh peers), $bob->key)->{data}->@* == 0 }, '... its keys are gone');
ok $liar->expect(qr/^link/), 'it is tried again';
goes $alice, $bob, 'at last', 'all is as it was';
$_->finish for $one, $two;
done_testing;

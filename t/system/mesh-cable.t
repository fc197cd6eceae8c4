#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/mesh-cable.t - a network that begins to swallow everything between two
# relays, in silence: the link over which something goes is known as lost, long before
# silence_max; a relay that has stopped, whose kernel answers, keeps its link.
use v5.36;
use Test::More;
use Time::HiRes qw(time);
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;

# All of it in a network of its own.
if (!$ENV{HD_CABLE}) {
    plan skip_all => 'network namespaces need root' if $>;
    for my $program (qw(ip nft unshare)) {
        plan skip_all => "not installed: $program" unless grep { -x "$_/$program" } qw(/usr/bin /bin /usr/sbin /sbin);
    }
    my $said = qx(unshare -n sh -c 'ip link set lo up && nft list ruleset' 2>&1);
    plan skip_all => "no network namespaces here: $said" if $said ne '';
    $ENV{HD_CABLE} = 1;
    exec 'unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh', $^X, (map { "-I$_" } @INC), $0
        or die "exec: $!";
}

my $far = '127.0.0.2';    # links are dialled there, clients are not
my @hd = map { HyperDerp::Test->new(load_module => [qw(derp mesh)]) } 1 .. 2;
for my $i (0, 1) {
    my ($hd, $to) = @hd[$i, 1 - $i];
    HyperDerp::Test::spew($hd->dir . '/mesh.key', '6d' x 32 . "\n");
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh: {silence_max: 2m, members: [{name: "
        . "\"localhost:$to->{tls}\", dial: $far, ca_file: $to->{dir}/relay.crt}]}\n";
    $hd->{yaml} = $hd->yaml =~ s/^listen: \[/listen: [{addr: "$far:$hd->{tls}", tls: true}, /mr;
    $hd->write_conf;
}
for (@hd) {
    $_->run;
    $_->ready or die $_->log_text;
}
my ($one, $two) = @hd;

sub link_of ($hd) { return ctl($hd, qw(mesh status))->{data}[0] // {} }

sub all_up ($name) {
    return ok(HyperDerp::Test::wait_for(sub { !grep { !link_of($_)->{keys} } @hd }, 120), $name)
        || diag map { $_->log_text } @hd;
}

sub losses ($hd) { return scalar(() = $hd->log_text =~ /link lost/g) }

my ($alice, $bob) = ($one->client, $two->client);
all_up 'links';

# What the kernel there acknowledges is heard: pings, which nobody answers.
$two->signal('STOP');
sleep 4;    # what is proved is that nothing happens
is losses($one), 0, 'a relay that stands still keeps its link';
$two->signal('CONT');
all_up '... and goes on';

for my $round (1, 2) {
    my $began = time;
    system('nft', "table inet hd { chain in { type filter hook input priority 0; ip daddr $far drop; ip saddr $far drop; }; }") == 0
        or die 'nft';
    $alice->send($bob->key, 'is lost');
    $bob->send($alice->key, 'is lost');
    for my $hd (@hd) {
        ok $hd->log_like(qr/(?:link lost: [^\n]*nothing that is sent there is acknowledged.*){$round}/s, 100),
            'a cable is cut under traffic: the link is lost' or diag $hd->log_text;
        note sprintf 'known after %.1f s', time - $began;
    }
    system(qw(nft delete table inet hd)) == 0 or die 'nft';
    all_up 'it is whole again: so is the link';
    $alice->send($bob->key, "hello $round");
    is $bob->packet(60), "hello $round", '... and packets cross';
}
$_->finish for @hd;
done_testing;

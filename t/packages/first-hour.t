#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/first-hour.t - README's commands, as they stand there, in a fresh
# Debian 12: from packages to a relay with a certificate (pebble's) that two
# tailscaled use through a real Headscale. It counts the commands and takes the
# time. Long: HD_LONG=1.
#
# Debian's packages come from its mirror; all else is in a network of its own.
# A script of some lines stands for systemd, and `before` for what an operator of
# Headscale has already. HD_FIRST_HOUR_ROOT: a root.tar of mmdebstrap, to be
# quicker the second time.
use v5.36;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin", "$FindBin::Bin/../lib";
use Fresh;
use HyperDerp::Guide;
use Test::More;
use Time::HiRes qw(time);

my $src = $ENV{HD_SRCDIR} // abs_path("$FindBin::Bin/../..");
plan skip_all => 'HD_LONG is not set' unless $ENV{HD_LONG};
my $cache = ($ENV{XDG_CACHE_HOME} // ($ENV{HOME} // '/root') . '/.cache') . '/hyper-derp-interop';
my ($headscale) = grep { -x } $ENV{HD_INTEROP_HEADSCALE} // (), glob "$cache/headscale-*/headscale";
my ($tailscaled) = grep { -x } $ENV{HD_INTEROP_TAILSCALED} // (), "$cache/tailscaled";
plan skip_all => 'no Headscale: TestHeadscale of t/interop builds it, or HD_INTEROP_HEADSCALE=PATH' unless $headscale;
plan skip_all => 'no tailscaled: t/interop builds it, or HD_INTEROP_TAILSCALED=PATH' unless $tailscaled;
Fresh::enter("$src/build-deb");
my $pebble = HyperDerp::Pebble::program() or plan skip_all => 'pebble could not be built';

my ($block) = grep { $_->{what} =~ /builds packages/ } HyperDerp::Guide::blocks("$src/README.md");
ok $block, "README has the commands" or BAIL_OUT('no commands');
my @commands = split /\n/, $block->{text} =~ s/\\\n\s*//gr;
cmp_ok @commands + 2, '<=', 6, 'no more than six commands';

my $root = Fresh->new(tar => $ENV{HD_FIRST_HOUR_ROOT}, debs => "$src/build-deb");
$root->install(headscale => $headscale, tailscaled => $tailscaled, pebble => $pebble);
$root->before;

# What is typed, and how long it took. The packages are built already.
my ($began, %took) = (time);
for my $command (@commands) {
    if ($command =~ m{^\./bootstrap}) {
        ok $root->run('world', 'apt-get -q update'), "$command: t/packages/build.t has done it, but for apt's lists"
            or diag $root->out;
        next;
    }
    my $start = time;
    my $ok = $root->run($command =~ /^apt / ? 'world' : 'net', $command =~ s/^apt install/apt-get -q -y install/r);
    $took{ $command =~ /^(\S+ \S+)/ ? $1 : $command } = time - $start;
    ok $ok, "$command: at the first try" or diag $root->out;
    # apt brings systemd's, which finds no bus; hdctl takes the one beside it
    $root->run('net', 'cp --remove-destination /usr/local/sbin/systemctl /usr/bin/') if $command =~ /^apt /;
    BAIL_OUT('no relay') if !$ok;
    unlike $root->out, qr/^(?:hdctl|hdprobe): (?!the certificate)/m, '... without a complaint' or diag $root->out;
}
# By hand, on Headscale's machine: two more.
ok $root->run('hs', 'cp derp.yaml /etc/headscale/ && systemctl restart headscale'), 'Headscale has the map' or diag $root->out;
my $typed = time - $began;
$root->run('net', 'hdprobe --known-only relay.example.net');
like $root->out, qr/: ok - \d+ ok, 0 warnings, 0 failed/, 'a client likes the relay' or diag $root->out;
like $root->out, qr/cert-chain/, '... and its certificate' or diag $root->out;

# Two clients, whose only way to each other is the relay.
my @ip = map { $root->join($_) } qw(alice bob);
ok $ip[0] && $ip[1], 'two tailscaled have joined' or diag $root->out;
my $said = '';
ok HyperDerp::Test::wait_for(sub {
    $root->run('net', "tailscale --socket=/tmp/alice/sock ping --c=1 --until-direct=false --timeout=5s $ip[1]");
    return ($said = $root->out) =~ /via DERP\(hd\)/;
}, 120), 'one reaches the other through the relay' or diag $said;
my $all = time - $began;
$root->run('net', 'hdctl peers');
is scalar(() = $root->out =~ /^[0-9a-f]{12} /mg), 2, 'the relay has both' or diag $root->out;
diag sprintf 'first hour: %d commands; %s; typed in %.0f s, a packet from client to client after %.0f s',
    scalar(@commands), join(', ', map { sprintf '%s %.0f s', $_, $took{$_} } sort keys %took), $typed, $all;
cmp_ok $all, '<=', 300, 'in five minutes, but for the build' or diag 'was the machine busy?';
done_testing;

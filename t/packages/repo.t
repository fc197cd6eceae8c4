#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/repo.t - ./bootstrap apt-repo: apt installs and upgrades from it,
# and refuses what somebody changed on the way.
use v5.36;
use Cwd qw(abs_path);
use FindBin;
use lib "$FindBin::Bin", "$FindBin::Bin/../lib";
use Root;
use Test::More;

my $src = abs_path("$FindBin::Bin/../..");
Root::enter('packages are installed', "$src/build-deb", net => 1,
    programs => [qw(apt-get dpkg-scanpackages reprepro gpg)]);

my $root = Root->new(debs => "$src/build-deb");
$root->{env} = { GNUPGHOME => '/tmp/gnupg', HD_NO_PACKAGES => 1 };
my $bootstrap = "cd $src && ./bootstrap apt-repo /tmp/repo";

# what comes back from `apt-cache policy`
sub candidate () {
    $root->run('apt-cache policy hyper-derp');
    return $root->out =~ /Candidate: (\S+)/ ? $1 : $root->out;
}

sub installed () {
    $root->run(q{dpkg-query -W -f '${Version}' hyper-derp});
    return $root->out;
}

$root->run('mkdir -m 700 /tmp/gnupg');
ok !$root->run($bootstrap), 'without a key it is refused';
like $root->out, qr/no secret key of yours.*gpg --quick-generate-key/s, '... with the remedy';
ok $root->run(q{gpg -q --batch --passphrase '' --quick-generate-key 'Test <test@relay.test>' default sign never}),
    'a key' or diag $root->out;
ok $root->run("$bootstrap --key test\@relay.test"), 'a repository is made' or diag $root->out;
like $root->out, qr/^\d+ packages in \/tmp\/repo, signed by [0-9A-F]{40}$/m, 'it says so';
my ($steps) = $root->out =~ /^On each machine.*?\n(.*)/ms;

# the steps that it prints, and no other source
$root->run('rm -f /etc/apt/sources.list /var/lib/apt/lists/*_Packages');
ok $root->run('set -e; cd /tmp/repo;' . ($steps =~ s/apt-get install/apt-get -q -y install/r)), 'its own steps install it'
    or diag $root->out;
my $first = installed();
is $first, ($src =~ /./ && (glob "$src/build-deb/hyper-derp_*.deb")[0] =~ /_([^_]+)_/)[0], 'the package of build-deb/';
unlike $root->out, qr/not authenticated/, 'authenticated';

# A newer commit: apt takes it by itself.
my ($release) = $first =~ /^([\d.]+)/;
my $newer = "$release~29991231235959.gabcdef0-0hd1";
$root->repack('hyper-derp', $newer);
ok $root->run("$bootstrap --key test\@relay.test /tmp/debs/hyper-derp_${newer}_all.deb"), 'a newer package is published'
    or diag $root->out;
ok $root->run('apt-get -q update && apt-get -q -y upgrade'), 'apt-get upgrade' or diag $root->out;
is installed(), $newer, 'it is installed';
$root->run("dpkg --compare-versions '$newer' lt '$release-0hd1'") or fail 'a release is newer than its snapshots';

# Where it is served, apt fetches what is needed: nothing else is there on a bare Debian.
ok $root->run("$bootstrap --key test\@relay.test --url http://relay.test:18080 /tmp/debs/hyper-derp_${newer}_all.deb"),
    'with a URL, and nothing new' or diag $root->out;
unlike $root->out, qr/Skipping/, '... which is not told of each package';
like $root->out, qr{apt-helper download-file http://relay\.test:18080/hyper-derp\.asc /etc/apt/keyrings/}, '... apt fetches the key';
ok $root->run(q{grep -qx 'URIs: http://relay.test:18080' /tmp/repo/hyper-derp.sources}), '... and finds the rest';

# Somebody on the way changes the list of packages.
ok $root->run('cd /tmp/repo/dists/bookworm && find . -name "Packages*" -exec sh -c "echo >>\$1" - {} \;'
    . ' && rm -rf /var/lib/apt/lists/* && ! apt-get -q -o APT::Update::Error-Mode=any update'), 'a changed list is refused'
    or diag $root->out;
ok $root->run('cd /tmp/repo/dists/bookworm && sed -i s/Hyper-DERP/Hyper-Derp/ InRelease Release'
    . ' && rm -rf /var/lib/apt/lists/* && ! apt-get -q -o APT::Update::Error-Mode=any update'), 'a changed signature too'
    or diag $root->out;
is candidate(), $newer, 'nothing new comes of it';
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/packages/install.t - the packages of t/packages/build.t are installed,
# upgraded, removed and purged beside a running relay. The root file system is
# this machine's under an overlay, in namespaces that end with the test.
use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use FindBin;
use lib "$FindBin::Bin", "$FindBin::Bin/../lib";
use Root;
use Test::More;
use Time::HiRes qw(time);

my $src = abs_path("$FindBin::Bin/../..");
Root::enter('packages are installed', "$src/build-deb", net => 1,
    programs => [qw(apt-get dpkg-scanpackages systemd-socket-activate setpriv)]);

require Unit;
require HyperDerp::Test;
my $root = Root->new(debs => "$src/build-deb");
my $unit = Unit->new($root);

sub installs ($what, @names) {
    my $ok = $root->run("apt-get -q -y --allow-downgrades install @names");
    return ok($ok, $what) || diag $root->out;
}

sub removes ($what, $how, @names) {
    my $ok = $root->run("apt-get -q -y $how @names");
    return ok($ok, $what) || diag $root->out;
}

sub ctl (@words) { $root->run("hdctl @words"); return $root->out }

sub modules () {
    my @names = ctl('module status') =~ /^(?!name )(\w+)/mg;
    return join ' ', sort @names;
}

sub link_of ($name) { return $root->path("/etc/hyper-derp/modules-enabled/$name.yaml") }

sub relays ($alice, $bob, $what) {
    $alice->send($bob->key, $what);
    is $bob->packet, $what, "a packet: $what";
}

my $began = time;
subtest 'apt install' => sub {
    installs 'hyper-derp', 'hyper-derp';
    ok -l link_of('derp') && -l link_of('stun'), 'with the modules of a DERP relay, enabled';
    ok $root->run('getent passwd hyper-derp && getent group hyper-derp'), 'a user and a group';
    like $root->out, qr{/var/lib/hyper-derp:/usr/sbin/nologin}, '... who cannot log in';
    my @st = stat $root->path('/etc/hyper-derp/tls');
    is sprintf('%o', $st[2] & 07777), '750', 'a folder for certificates';
    ok $root->run('hyper-derp -t'), 'its configuration is good' or diag $root->out;
};

my ($alice, $bob);
subtest 'the first start' => sub {
    $unit->start;
    ok $unit->told(qr/^READY=1/m), 'tells systemd that it is ready' or diag $unit->log_text;
    ok $unit->log_like(qr/listening: addr=\[::\]:3340 tls=yes inherited=yes/), 'takes the socket of systemd'
        or diag $unit->log_text;
    my $map = ctl('derpmap');
    like $map, qr/"CertName": "sha256-raw:[0-9a-f]{64}"/, 'derpmap prints the pin';
    like $map, qr/"DERPPort": 3340/, '... and the port';
    like $map, qr/"STUNPort": 3478/, '... and that of STUN' or diag $map;
    $_ = HyperDerp::Client->new(3340, build => $HyperDerp::Test::build) for $alice, $bob;
    relays $alice, $bob, 'through the installed relay';
    note sprintf 'from apt-get install to the first relayed packet: %.1f s', time - $began;
    is modules(), 'derp stun', 'both modules are loaded';
    $root->run('stat -c "%U %a %n" /var/lib/hyper-derp/*');
    unlike $root->out, qr/^(?!hyper-derp 600)/m, 'its keys are its own';
    ok $root->run('setpriv --reuid=nobody --clear-groups hdctl status') ? 0 : 1, 'others may not ask';
    ok $root->run('setpriv --reuid=nobody --regid=nogroup --groups=$(getent group hyper-derp | cut -d: -f3) hdctl status'),
        'members of the group may' or diag $root->out;
};

subtest 'the tools' => sub {
    installs 'hyper-derp-tools', 'hyper-derp-tools';
    $root->run('hdprobe 127.0.0.1:3340');
    like $root->out, qr/derp/i, 'hdprobe sees the relay' or diag $root->out;
};

subtest 'a module goes and comes while it runs' => sub {
    removes 'stun is removed', 'remove', 'hyper-derp-mod-stun';
    is modules(), 'derp', 'it is unloaded, without a restart' or diag $root->out;
    ok -l link_of('stun') . '.removed', 'the link waits';
    relays $alice, $bob, 'while stun is away';
    installs 'stun is installed again', 'hyper-derp-mod-stun';
    is modules(), 'derp stun', 'it is loaded' or diag $unit->log_text;
    ok -l link_of('stun'), 'the link is back';
    relays $alice, $bob, 'after it is back';
};

subtest 'a module more' => sub {
    installs 'metrics', 'hyper-derp-mod-metrics';
    is modules(), 'derp metrics stun', 'it is loaded' or diag $root->out;
    my $s = HyperDerp::Test::wait_for(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => 9340) });
    print {$s} "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    like join('', <$s>), qr{^HTTP/1.1 200 }, '... and serves';
    installs 'policy', 'hyper-derp-mod-policy';
    is modules(), 'derp metrics stun', '... is not loaded: without rules nobody could log in' or diag $root->out;
    removes 'it is purged', 'purge', 'hyper-derp-mod-policy';
    removes 'metrics is purged', 'purge', 'hyper-derp-mod-metrics';
    is modules(), 'derp stun', '... and unloaded';
    relays $alice, $bob, 'after it';
};

subtest 'upgrades while clients are connected' => sub {
    my @debs = map { $root->repack($_, '1.0') } qw(hyper-derp hyper-derp-mod-derp hyper-derp-mod-stun);
    my $pid = $unit->pid;
    unlink $root->path('/usr/sbin/policy-rc.d');    # of a container
    installs 'all of them', @debs;
    my ($new) = $root->out =~ /the new program has taken over as process (\d+): 2 connections go on, 0 clients/;
    ok $new, 'hdctl upgrade has put the new program in its place' or diag $root->out, $unit->log_text;
    ok $unit->told(qr/^MAINPID=$new$/m), '... which the manager is told';
    $unit->becomes($new);
    isnt $unit->pid, $pid, 'it is another process';
    relays $alice, $bob, 'over the upgrade';
    like $root->out, qr/module derp: reloaded/, 'then derp is reloaded' or diag $root->out;
    relays $alice, $bob, 'after that';
    is modules(), 'derp stun', 'with the same modules';
    $root->run('/usr/lib/hyper-derp/binary-changed');
    is $root->out, '', 'nothing is to be done now';
};

# Whether systemctl does what it is asked, t/packages/systemd.t sees.
subtest 'an upgrade of the relay that is not to be, or fails' => sub {
    my $pid = $unit->pid;
    my $conf = $root->path('/etc/hyper-derp/package-upgrade');
    HyperDerp::Test::spew($conf, "none\n");
    installs 'none', $root->repack('hyper-derp', '1.1');
    like $root->out, qr{the old program still runs, as /etc/hyper-derp/package-upgrade says}, '... is said';
    HyperDerp::Test::spew($conf, "maybe\n");
    my $policy = HyperDerp::Test::spew($root->path('/usr/sbin/policy-rc.d'), "#!/bin/sh\nexit 101\n");
    chmod 0755, $policy;
    installs 'policy-rc.d', $root->repack('hyper-derp', '1.2');
    like $root->out, qr{maybe is none of upgrade, restart, none: upgrade}, 'a wrong word is said';
    like $root->out, qr{policy-rc.d forbids a restart}, '... and who forbids it';
    unlink $policy, $conf;
    my $systemctl = $root->path('/usr/bin/systemctl');
    system 'mv', $systemctl, "$systemctl.real";
    HyperDerp::Test::spew($systemctl, "#!/bin/sh\necho \"\$*\" >>/tmp/systemctl.asked\n");
    chmod 0755, $systemctl;
    $root->run('mkdir -p /run/systemd/system');
    installs 'a program that cannot take over', $root->repack('hyper-derp', '1.3', sub ($dir) {
        HyperDerp::Test::spew("$dir/usr/sbin/hyper-derp", "#!/bin/sh\nexit 3\n");
    });
    like $root->out, qr{^hyper-derp: a restart in place of hdctl upgrade: the new process ended with status 3}m, '... is said in a line'
        or diag $root->out;
    my $asked = sub { HyperDerp::Test::slurp($root->path('/tmp/systemctl.asked')) };
    like $asked->(), qr/^try-restart hyper-derp.service$/m, '... and the service is restarted' or diag $asked->();
    unlink $root->path('/tmp/systemctl.asked');
    HyperDerp::Test::spew($conf, "restart\n");
    installs 'restart', $root->repack('hyper-derp', '1.4');
    like $asked->(), qr/^try-restart hyper-derp.service$/m, '... restarts';
    unlink $conf;
    $root->run('rm -r /run/systemd/system');
    rename "$systemctl.real", $systemctl;
    is $unit->pid, $pid, 'the old process serves';
    relays $alice, $bob, 'all the time';
    $root->run('/usr/lib/hyper-derp/binary-changed');
    my ($new) = $root->out =~ /taken over as process (\d+): 2 connections go on/;
    ok $new, 'until it is asked for' or diag $root->out;
    $unit->becomes($new);
    relays $alice, $bob, 'with the new one';
};

subtest 'what an administrator has done stays' => sub {
    unlink link_of('stun');
    my $new = $root->repack('hyper-derp-mod-stun', '1.1');
    installs 'an upgrade', $new;
    ok !-l link_of('stun'), 'makes no link';
    removes 'a removal', 'remove', 'hyper-derp-mod-stun';
    installs 'the same again', $new;
    ok !-l link_of('stun'), 'makes none';
    is modules(), 'derp', 'and nothing is loaded';
    removes 'a purge', 'purge', 'hyper-derp-mod-stun';
    installs 'after that', $new;
    ok -l link_of('stun'), '... it is new';
    is modules(), 'derp stun', '... and loaded';
};

subtest 'a certificate is renewed after a module came' => sub {
    my ($crt, $key) = HyperDerp::Test::certificate($root->path('/tmp'), 'new', 'relay.test');
    HyperDerp::Test::spew($root->path('/etc/hyper-derp/conf.d/tls.yaml'),
        "tls_cert: /etc/hyper-derp/tls/relay.crt\ntls_key: /etc/hyper-derp/tls/relay.key\n");
    ok $root->run('hyper-derp-cert /tmp/new.crt /tmp/new.key relay'), 'the hook' or diag $root->out;
    like ctl('derpmap'), qr/"HostName": "relay.test"/, 'the relay serves it';
    $root->run('stat -c "%U %G %a" /etc/hyper-derp/tls/relay.key');
    is $root->out, "root hyper-derp 640\n", 'the key is readable for the relay only';
    relays $alice, $bob, 'after the renewal';
};

subtest 'a module of somebody else' => sub {
    installs 'what it is built with', 'hyper-derp-dev';
    ok $root->run("rm -rf /tmp/chat && cp -r $src/contrib/example-chat /tmp/chat"
        . " && cp -r $src/t/packages/chat-debian /tmp/chat/debian && cd /tmp/chat"
        . ' && dpkg-buildpackage -us -uc -b'), 'it builds a package' or diag $root->out;
    ok $root->run('dpkg-deb -f /tmp/hyper-derp-mod-chat_*.deb Depends'), 'there it is';
    like $root->out, qr/^hyper-derp-abi-2 \(>= \d+\)/, '... which needs our ABI';
    installs 'it is installed', '/tmp/hyper-derp-mod-chat_*.deb';
    is modules(), 'chat derp stun', 'and loaded' or diag $root->out;
    my $other = $root->repack('hyper-derp-mod-stun', '2.0', sub ($dir) {
        system("sed -i 's/hyper-derp-abi-2 (>= [0-9]*)/hyper-derp-abi-2 (>= 99)/' $dir/DEBIAN/control");
    });
    ok !$root->run("apt-get -q -y install $other"), 'one that needs a newer relay is refused';
    like $root->out, qr/hyper-derp-abi-2 \(>= 99\)/, '... with the reason';
    unlink $root->path($other);
    $root->publish;
    removes 'chat is purged', 'purge', 'hyper-derp-mod-chat';
    is modules(), 'derp stun', '... and unloaded';
    relays $alice, $bob, 'after all that';
};

subtest 'a configuration that is wrong, an upgrade all the same' => sub {
    my $bad = HyperDerp::Test::spew($root->path('/etc/hyper-derp/conf.d/bad.yaml'), "wrokers: 3\n");
    installs 'apt does not fail', $root->repack('hyper-derp-mod-stun', '1.2');
    like $root->out, qr{conf\.d/bad\.yaml:1: unknown key}, 'and says what is wrong' or diag $root->out;
    unlink $bad;
    relays $alice, $bob, 'meanwhile';
};

subtest 'the module of those who are connected goes' => sub {
    removes 'derp is removed', 'remove', 'hyper-derp-mod-derp';
    ok $_->closed_within(10), 'its client is closed' for $alice, $bob;
    is modules(), 'stun', 'the relay goes on';
    installs 'derp again', 'hyper-derp-mod-derp';
    $_ = HyperDerp::Client->new(3340, build => $HyperDerp::Test::build) for $alice, $bob;
    relays $alice, $bob, 'new clients';
};

subtest 'the end' => sub {
    $_->quit for $alice, $bob;
    is $unit->stop, 0, 'it stops with status 0';
    unlike $unit->log_text, qr/bug:/, 'without a bug' or diag $unit->log_text;
    # as modules leave them that did not run here
    HyperDerp::Test::spew($root->path("/var/lib/hyper-derp/$_"), "x\n")
        for qw(acme.account acme.order acme.certificate hd.key hd.operator.key hd.people hd.people.before policy.revoked
        policy.revoked.before policy.devices.0123 accounting.2026-11 accounting.2026-10.bad accounting.lock .hd.people.new);
    removes 'all is purged', 'purge', '"hyper-derp*"';
    my @mine = map { "/etc/hyper-derp/$_" } qw(conf.d/tls.yaml tls/relay.crt tls/relay.key);
    ok -s $root->path($_), "but not what the package did not make: $_" for @mine;
    like $root->out, qr/kept, as the package did not make them.*^  \Q$_\E\r?$/ms, '... which is said' for @mine;
    is join(' ', grep { $_ ne '/etc/hyper-derp' } $root->left(qr/hyper-?_?derp/)), '', 'nothing else is left';
    ok !-e $root->path("/$_"), "no /$_" for qw(var/lib/hyper-derp var/log/hyper-derp run/hyper-derp.changed);
};

done_testing;

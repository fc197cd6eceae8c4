#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/setup.t - hdctl setup: writes what is asked for and keeps the rest,
# does nothing the second time, and takes back what a relay would refuse.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Terminal;
use HyperDerp::Test;
use IO::Socket::IP;

our $hdctl = "$HyperDerp::Test::build/hdctl";
my $top   = File::Temp->newdir('hd-setup-XXXXXX', TMPDIR => 1);
my $n     = 0;

# A folder with a configuration as somebody has written it.
sub relay (%o) {
    my $dir = "$top/" . $n++;
    mkdir $dir or die "$dir: $!";
    my $self = { dir => $dir, file => "$dir/hyper-derp.yaml", port => HyperDerp::Test::free_port() };
    $self->{stun} = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
    my $backend = $ENV{HD_EVENT_BACKEND} // 'auto';
    $self->{yaml} = <<~"END" . ($o{conf} // '');
        # my relay
        module_path: [@{[$o{modules} // "$HyperDerp::Test::build/modules.d"]}]   # where I built it
        state_dir: $dir/state
        workers: 1
        event_backend: $backend
        control:
          socket: $dir/control.sock   # short
        stun: {listen: "127.0.0.1:$self->{stun}"}
        END
    HyperDerp::Test::spew($self->{file}, $self->{yaml});
    return $self;
}

sub text ($r) { return HyperDerp::Test::slurp($r->{file}) }

sub setup ($r, @words) {
    my $pid = open(my $f, '-|') // die "fork: $!";
    if ($pid == 0) {
        open STDIN,  '<',  '/dev/null';
        open STDERR, '>&', \*STDOUT;
        exec $hdctl, 'setup', '-c', $r->{file}, @words;
    }
    local $/;
    my $said = <$f> // '';
    close $f;
    unlike $said, qr/Sanitizer|runtime error:/, 'no sanitizer report';
    return ($? & 127 ? "signal $?" : $? >> 8, $said);
}

my @whole = ('--host', 'localhost', '--self-signed');

subtest 'what is asked for' => sub {
    my $r = relay();
    for ([[], qr/needs --host/], [['--host', 'a b'], qr/neither the name of a host/],
        [['--host', 'relay.example.net:8443'], qr/a host nor an address; the port is an option of its own, --port$/],
        [['--host', 'https://x.net/'], qr/the name alone/], [['--host', '[::1]'], qr/without brackets/],
        [['--host', '300.1.1.1'], qr/neither the name/], [['--host', 'a..b'], qr/neither the name/],
        [['--host', 'x', '--port', '0'], qr/--port: 0 is outside 1-65535/], [['--host', 'x', '--port', '8443x'], qr/outside/],
        [['--host', 'x', '--cert', 'c'], qr/go together/], [['--host', 'x', '--acme'], qr/--accept-tos/],
        [['--host', 'x', '--self-signed', '--cert', 'c', '--key', 'k'], qr/choose one/],
        [['--host', 'x'], qr/no certificate yet/], [[@whole, '--who', 'keys'], qr/needs its file/],
        [[@whole, '--who', 'keys', 'k'], qr/from the root/], [[@whole, '--who', 'nobody'], qr/open, keys FILE/],
        [[@whole, '--who', 'headscale', 'hs.example.net'], qr/a URL/], [['--nosuch'], qr/^hdctl: --nosuch: no such option; see hdctl setup --help$/m],
        [['--host'], qr/^hdctl: --host: its value is missing/m],
        [\@whole, qr/nothing is changed: --yes/]) {
        my ($words, $re) = @$_;
        my ($code, $said) = setup($r, @$words);
        is $code, 2, "@$words: exit 2";
        like $said, $re, '... and why';
    }
    is text($r), $r->{yaml}, 'nothing is written';
    like qx($hdctl setup --help), qr/^usage: hdctl setup \[--host NAME\]/, '--help';
};

subtest 'no file yet' => sub {
    my $r = { file => "$top/none/hyper-derp.yaml" };
    my ($code, $said) = setup($r, '--host', '192.0.2.1', '--self-signed', '--no-stun', '--who', 'headscale',
        'https://hs.example.net', '--port', '4443', '--dry-run');
    is $code, 0, '--dry-run';
    like $said, qr/^\+  - \{addr: "[^"]+:4443", tls: true\}$/m, 'a listener';
    like $said, qr/^\+load_module: \[derp, policy\]$/m, 'modules';
    like $said, qr{^\+    - \{name: setup, url: "https://hs\.example\.net/verify"\}$}m, 'who may use it';
    like $said, qr{^\+    - \{cert: "?\Q$top\E/none/tls/192\.0\.2\.1\.crt}m, 'a certificate';
    ok !-e "$top/none", 'nothing is written';
};

my $hd = relay();

subtest 'a file that is there' => sub {
    my ($code, $said) = setup($hd, @whole, '--port', $hd->{port}, '--yes');
    is $code, 0, 'set up' or diag $said;
    is substr(text($hd), 0, length $hd->{yaml}), $hd->{yaml}, 'what was there stays, comments too';
    like text($hd), qr/^listen:\n  - \{addr: "[^"]+:$hd->{port}", tls: true\}\ntls:\n  certificates:\n    - \{cert: /m,
        '... and the rest is added';
    like $said, qr/^\+listen:$/m, 'it was shown before';
    my ($backup) = $said =~ /^backup: (\S+)$/m;
    is HyperDerp::Test::slurp($backup), $hd->{yaml}, 'a backup';
    like $said, qr/^ok +configuration /m, 'the checks ran';
    like $said, qr/systemd does not start it here; start it with: hyper-derp -c \Q$hd->{file}\E$|systemctl/m, 'how it is started';
    my $hash = qx(openssl x509 -in $hd->{dir}/tls/localhost.crt -outform DER | sha256sum) =~ s/ .*//sr;
    like $said, qr/^      certname: "sha256-raw:$hash"$/m, "Headscale's entry has the pin";
    like $said, qr/"CertName": "sha256-raw:$hash"/, "... Tailscale's, too";
    like $said, qr/"STUNPort": $hd->{stun}\b/, '... and the port of STUN';
    like $said, qr/^firewall: open TCP $hd->{port}, UDP $hd->{stun}$/m, 'the firewall';
    is((stat "$hd->{dir}/tls/localhost.key")[2] & 07777, 0640, 'the key is not for everybody');
};

subtest 'again' => sub {
    my $before = text($hd);
    my ($code, $said) = setup($hd, '--yes');
    is $code, 0, 'nothing said: the name is known from the certificate' or diag $said;
    like $said, qr/nothing to change/, '... and nothing changes';
    ($code, $said) = setup($hd, @whole, '--port', $hd->{port}, '--stun', '--who', 'open', '--yes');
    like $said, qr/nothing to change/, 'the same as before';
    is text($hd), $before, '... to the letter';
};

subtest 'a relay that runs' => sub {
    my $keys = HyperDerp::Test::spew("$hd->{dir}/keys", 'nodekey:' . '1' x 64 . " alice\n");
    my $relay = HyperDerp::Test->new(no_tls => 1);
    $relay->{$_} = $hd->{$_} for qw(dir file);
    $relay->{log} = "$hd->{dir}/log";
    $relay->run;
    ok $relay->ready($hd->{port}), 'it starts' or diag $relay->log_text;
    my ($code, $said) = setup($hd, '--who', 'keys', $keys, '--yes');
    is $code, 0, '--who keys' or diag $said;
    like $said, qr/the relay has taken it/, 'it reloads';
    like $relay->ctl(qw(module status policy)), qr/^state +(?:loaded|built in)$/m, '... and loads policy';
    like text($hd), qr/^load_module: \[derp, stun, policy\]$/m, '... for the next start, too';
    like text($hd), qr/^policy:\n  rules:\n    - \{name: setup, keys: \Q$keys\E\}$/m, '... with a rule';
    like $said, qr/^skip  login +the relay refuses a key that it does not know/m, 'hdprobe looked, and is no client';
    like $said, qr/^who may use it: whom its rules allow/m, '... of which it is told';
    my $mine = text($hd);
    HyperDerp::Test::spew($hd->{file}, $mine =~ s/^(    - \{name: setup.*\n)/$1    - {name: mine, from: [127.0.0.0\/8]}\n/mr);
    ($code, $said) = setup($hd, '--who', 'tailscaled', '/run/my.sock', '--yes', '--dry-run');
    like $said, qr/^\+    - \{name: setup, tailscaled: \/run\/my\.sock\}$/m, 'another rule is in place of ours';
    unlike $said, qr/^-.*mine/m, '... and those of others stay';
    HyperDerp::Test::spew($hd->{file}, $mine);
    ($code, $said) = setup($hd, '--host', 'relay.invalid', '--self-signed', '--yes');
    is $code, 1, 'clients cannot use it: exit 1' or diag $said;
    like $said, qr/^FAIL  resolve .*relay\.invalid/m, '... hdprobe says why';
    like $said, qr/the relay runs, but hdprobe, above, found .*\Z/, '... which is said last';
    like $said, qr/"HostName": "relay\.invalid"/, '... after the entries';
    $relay->finish;
};

subtest 'what cannot be kept' => sub {
    my $r = relay(conf => "listen:\n  # by hand\n  - {addr: \"0.0.0.0:4444\", tls: true}\n");
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--yes');
    is $code, 1, 'refused';
    like $said, qr/\Q$r->{file}\E stays as it is: the section `listen` has a comment.*\Q$r->{file}.new\E/, '... says why';
    my $yaml = HyperDerp::Test::slurp($r->{file});
    unlike $yaml, qr/$r->{port}/, 'the file is as it was';
    like HyperDerp::Test::slurp("$r->{file}.new"), qr/^  - \{addr: "[^"]+:$r->{port}", tls: true\}$/m,
        'what it would be is beside it';
    $r = relay();
    HyperDerp::Test::spew($r->{file}, '{workers: 1, load_module: [derp]}');
    ($code, $said) = setup($r, @whole, '--yes', '--dry-run');
    is $code, 1, 'a file in another style';
    like $said, qr/written in a way that setup does not know/, '... says why';
    HyperDerp::Test::spew($r->{file}, "listen: [\n");
    ($code, $said) = setup($r, @whole, '--yes');
    is $code, 1, 'no YAML';
    like $said, qr/\Q$r->{file}\E:\d+: .*only what it can read/, '... says where';
};

# A second port, with a key that setup does not know.
subtest 'listeners that setup has not made' => sub {
    my $mine = qq(  - {addr: "[::]:5555", tls: true}\n  - {addr: "127.0.0.1:6666", name: metrics}\n);
    my $r = relay(conf => qq(listen:\n  - {addr: "0.0.0.0:4444", tls: true}\n$mine));
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--yes', '--dry-run');
    is $code, 0, 'another port' or diag $said;
    like $said, qr/^-  - \{addr: "0\.0\.0\.0:4444", tls: true\}\n\+  - \{addr: "[^"]+:$r->{port}", tls: true\}$/m, 'is in place of the first';
    unlike $said, qr/^[-+].*(?:5555|6666)/m, 'the others stay';
    ($code, $said) = setup($r, @whole, '--yes', '--dry-run');
    unlike $said, qr/^[-+] .*addr:/m, 'without a port all stay';
    unlike $said, qr/^\+listen/m, '... as they are';
};

subtest 'a listener for some' => sub {
    my $r = relay();
    my $port = $r->{port};
    my ($crt, $key) = HyperDerp::Test::certificate($r->{dir}, 'mine');
    my $yaml = text($r) . "listen:\n  - {addr: \"127.0.0.1:$port\", tls: true}\ntls: {certificates: [{cert: $crt, key: $key}]}\n";
    HyperDerp::Test::spew($r->{file}, $yaml);
    my ($code, $said) = setup($r, '--host', 'localhost', '--no-stun', '--yes', '--no-start');
    is $code, 0, 'set up' or diag $said;
    unlike text($r), qr/:443|:80\b/, 'nothing else is opened unasked';
    like $said, qr/"DERPPort": $port\b/, 'its port is that of clients';
    ($code, $said) = setup($r, '--host', 'localhost', '--port', '4443', '--yes', '--dry-run');
    like $said, qr/^\+  - \{addr: "[^"]+:4443", tls: true\}$/m, 'one that is asked for is';
};

subtest 'a certificate that the relay makes' => sub {
    my $r = relay(conf => "tls: {self_signed: true}\n");
    my ($code, $said) = setup($r, '--host', 'localhost', '--port', $r->{port}, '--yes', '--no-start');
    is $code, 0, 'is one' or diag $said;
    like text($r), qr/^tls: \{self_signed: true\}$/m, '... and stays';
    like $said, qr/`hdctl derpmap` prints their entry/, 'its pin is not known here';
    unlike $said, qr/HostName/, '... and no entry without it is shown';
    like $said, qr/^who may use it: everybody who finds it; /m, 'it is open, and that is said';
    my $relay = HyperDerp::Test->new(no_tls => 1);
    $relay->{$_} = $r->{$_} for qw(dir file);
    $relay->{log} = "$r->{dir}/log";
    $relay->run;
    ok $relay->ready($r->{port}), 'it starts' or diag $relay->log_text;
    ($code, $said) = setup($r, '--host', 'localhost', '--yes');
    my ($pin) = $relay->ctl(qw(relay info)) =~ /(sha256-raw:\S+)/;
    like $said, qr/^      certname: "$pin"$/m, 'a relay that runs is asked for its pin';
    $relay->finish;
};

# Port 80 may be taken, or forbidden: that it is there is not asked here.
subtest 'a certificate by ACME' => sub {
    my $r = relay();
    my @acme = ('--host', 'localhost', '--acme', '--accept-tos', '--port', $r->{port}, '--yes', '--no-start');
    my ($code, $said) = setup($r, @acme);
    plan skip_all => 'without acme' if $said =~ /acme is not installed/;
    like $said, qr/^ok +configuration /m, 'the module takes what is written' or diag $said;
    like text($r), qr/^acme:\n  hosts: \[localhost\]\n  accept_tos: true\n/m, '... which is this';
    like text($r), qr/^load_module: \[derp, stun, acme\]$/m, '... and is loaded';
    unlike text($r), qr/certificates:/, '... in place of files';
    HyperDerp::Test::spew($r->{file}, text($r) =~ s/\[localhost\]/[localhost, other.example]/r);
    ($code, $said) = setup($r, @acme, '--email', 'me@other.example', '--dry-run');
    like $said, qr/^\+  email: "?me\@other\.example"?$/m, 'again, with an address';
    unlike $said, qr/^-.*other/m, '... other names stay';
};

subtest 'a file that not all may read, behind a link' => sub {
    my $r = relay();
    my $real = "$r->{dir}/real.yaml";
    rename $r->{file}, $real or die $!;
    symlink 'real.yaml', $r->{file} or die $!;
    chmod 0600, $real or die $!;
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--yes', '--no-start');
    is $code, 0, 'set up' or diag $said;
    is readlink $r->{file}, 'real.yaml', 'the link stays';
    like HyperDerp::Test::slurp($real), qr/^listen:/m, 'what it leads to is changed';
    my ($backup) = $said =~ /^backup: (\S+)$/m;
    is((stat $_)[2] & 07777, 0600, "$_: for nobody else") for $real, $backup;
    HyperDerp::Test::spew($real, text($r) =~ s/^listen:\n/listen:   # mine\n/mr);
    ($code, $said) = setup($r, @whole, '--port', $r->{port} + 1, '--yes');
    is $code, 1, 'what cannot be kept' or diag $said;
    is((stat "$r->{file}.new")[2] & 07777, 0600, "... is beside it, for nobody else");
};

subtest 'what the relay refuses' => sub {
    my $r = relay();
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--who', 'keys', "$r->{dir}/nosuch", '--yes');
    is $code, 1, 'refused';
    like $said, qr/hyper-derp -t refuses it, so all is as it was.*\Q$r->{file}.new\E.*nosuch/s, '... says why';
    is text($r), $r->{yaml}, 'the file is as it was';
};

subtest 'a port that somebody else has' => sub {
    my $r = relay();
    my $other = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => $r->{port}, Listen => 1) or die "listen: $@";
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--yes');
    is $code, 1, 'exit 1';
    like $said, qr/^FAIL  ports +TCP \S+:$r->{port} \(TLS\) is taken by/m, 'the check says so';
    like $said, qr/^not started: correct/m, '... before a start is tried';
    close $other;
    ($code) = setup($r, '--yes');
    is $code, 0, 'and once it is free all is well';
};

subtest 'a certificate of somebody else' => sub {
    my $r = relay();
    my ($crt, $key) = HyperDerp::Test::certificate($r->{dir}, 'mine');
    my (undef, $wrong) = HyperDerp::Test::certificate($r->{dir}, 'wrong');
    my ($code, $said) = setup($r, '--host', 'localhost', '--cert', $crt, '--key', $wrong, '--yes');
    is $code, 1, 'a wrong key';
    like $said, qr/\Q$wrong\E is not the key of \Q$crt\E/, '... is refused';
    ($code, $said) = setup($r, '--host', 'other.example.net', '--cert', $crt, '--key', $key, '--yes');
    like $said, qr/\Q$crt\E is not for other\.example\.net but for localhost/, 'and a wrong name';
    ok !-e "$r->{dir}/tls", 'nothing is copied';
    ($code, $said) = setup($r, '--host', 'localhost', '--cert', $crt, '--key', $key, '--port', $r->{port}, '--yes');
    is $code, 0, 'a good one' or diag $said;
    is HyperDerp::Test::slurp("$r->{dir}/tls/localhost.crt"), HyperDerp::Test::slurp($crt), '... is copied';
    like text($r), qr{\{cert: \Q$r->{dir}\E/tls/localhost\.crt, }, '... and entered';
    ($code, $said) = setup($r, '--host', 'localhost', '--cert', $crt, '--key', $key, '--yes');
    like $said, qr/nothing to change/, 'once';
};

# In a folder for mounts of its own stand a systemctl that fails and an empty
# configuration.
subtest 'systemd cannot start it' => sub {
    my ($etc) = HyperDerp::Test::slurp("$HyperDerp::Test::build/Makefile") =~ /^sysconfdir = (.*)/m;
    $etc =~ s/\$\{prefix\}/\/usr\/local/;
    plan skip_all => "$etc is not for tests" if $etc eq '/etc' || !-d $etc;
    my $room = "mount -t tmpfs hd $etc && mount -t tmpfs hd /run && mkdir -p /run/systemd/system /run/bin";
    plan skip_all => 'no mounts of its own here (be root)' if system "unshare -m sh -c '$room' >/dev/null 2>&1";
    my $systemctl = HyperDerp::Test::spew("$top/systemctl", qq(#!/bin/sh\ntest "\$1" = cat || { echo "Job failed."; exit 1; }\n));
    chmod 0755, $systemctl;
    my $port = HyperDerp::Test::free_port();
    local $ENV{PATH} = "$top:$ENV{PATH}";
    my $said = qx(unshare -m sh -c '$room && exec $hdctl setup @whole --no-stun --port $port --yes' 2>&1 </dev/null);
    is $? >> 8, 1, 'exit 1' or diag $said;
    like $said, qr/^systemctl enable --now hyper-derp\.service\nJob failed\.\n/m, 'it was tried';
    like $said, qr/systemctl ends with 1: journalctl -u hyper-derp says why\Z/, 'the reason is said last';
    unlike $said, qr/HostName|^firewall/m, '... and no entry for a relay that does not run';
};

# As the packages have it: a file for setup alone, and links for modules.
subtest 'a configuration that includes others' => sub {
    my $r = relay();
    mkdir "$r->{dir}/$_" for qw(conf.d modules-enabled);
    HyperDerp::Test::spew("$r->{dir}/modules-enabled/stun.yaml", "load_module: [stun]\n");
    my $main = "include: [$r->{dir}/conf.d/*.yaml, $r->{dir}/modules-enabled/*.yaml]\nload_module: []\n"
        . "tls:\n  self_signed: true\n$r->{yaml}";
    HyperDerp::Test::spew($r->{file}, $main);
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--no-stun', '--yes');
    is $code, 0, 'set up' or diag $said;
    is text($r), $main, 'the main file stays';
    my $ours = "$r->{dir}/conf.d/setup.yaml";
    like HyperDerp::Test::slurp($ours), qr/^listen:.*^tls:\n  certificates:/ms, 'ours is beside it';
    unlike HyperDerp::Test::slurp($ours), qr/load_module/, '... without modules';
    ok -e "$r->{dir}/modules-enabled/derp.yaml", 'derp is enabled';
    ok !-e "$r->{dir}/modules-enabled/stun.yaml", 'stun is not';
    ($code, $said) = setup($r, '--yes');
    like $said, qr/nothing to change/, 'again: nothing';
    HyperDerp::Test::spew("$r->{dir}/conf.d/mine.yaml", "listen: [{addr: \"[::]:4445\", tls: true}]\n");
    ($code, $said) = setup($r, '--port', HyperDerp::Test::free_port(), '--yes');
    is $code, 1, 'another file that has listeners';
    like $said, qr/`listen` is set in another file/, '... is named';
    like HyperDerp::Test::slurp($ours), qr/:$r->{port}"/, '... and nothing changes';
};

# In its build folder a relay finds them all.
subtest 'a module that is not installed' => sub {
    my $modules = "$top/modules";
    mkdir $_ for $modules, "$top/bin";
    system('cp', $hdctl, "$HyperDerp::Test::build/hyper-derp", "$top/bin") == 0 or die 'cp failed';
    local $hdctl = "$top/bin/hdctl";
    symlink "$HyperDerp::Test::build/modules.d/$_.so", "$modules/$_.so" for qw(derp stun);
    my $r = relay(modules => $modules);
    my ($code, $said) = setup($r, @whole, '--port', $r->{port}, '--who', 'tailscaled', '--yes');
    is $code, 1, 'refused';
    like $said, qr/the module policy is not installed: apt install hyper-derp-mod-policy/, '... says which package';
    is text($r), $r->{yaml}, 'nothing is written';
    ($code, $said) = setup($r, '--host', 'localhost', '--acme', '--accept-tos', '--who', 'tailscaled', '--yes');
    like $said, qr/the modules policy, acme are not installed: apt install hyper-derp-mod-policy hyper-derp-mod-acme,/,
        'all of them, at once';
};

subtest 'questions' => sub {
    my $why = HyperDerp::Terminal::missing();
    plan skip_all => $why if $why;
    my $r = relay();
    my $t = HyperDerp::Terminal->new(120, 50, $hdctl, 'setup', '-c', $r->{file}, '--no-start');
    for ([qr/as clients will use it\?/, 'localhost'], [qr/^certificate: .*keep\?/m, 'self-signed'],
        [qr/^who may use it: /m, 'open'], [qr/^TCP port\?/m, $r->{port}], [qr/^STUN on UDP/m, 'yes'],
        [qr/^change this\? \[y\/N\]/m, 'y']) {
        my ($question, $answer) = @$_;
        ok $t->shows($question), $question or diag $t->text;
        $t->type($answer);
    }
    is $t->ended, 0, 'it ends' or diag $t->text;
    $t = HyperDerp::Terminal->new(120, 50, $hdctl, 'setup', '-c', relay()->{file}, '--no-start', '--host', 'localhost');
    ok $t->shows(qr/^certificate: /m), 'once more';
    $t->type('lets encrypt');
    ok $t->shows(qr/"lets encrypt" is not one of these; nothing has changed/), 'an answer that is none' or diag $t->text;
    is $t->ended, 2, '... is no answer';
    like text($r), qr/^  - \{addr: "[^"]+:$r->{port}", tls: true\}$/m, 'what was answered is written';
};

done_testing;

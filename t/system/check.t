#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/check.t - hyper-derp -t, by root for a relay that will be somebody
# else: what that user cannot do fails now, and not at the renewal of a
# certificate.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;

my ($nobody, $group) = (getpwnam 'nobody')[2, 3];
plan skip_all => 'needs root and a user nobody' if $> || !$nobody;
my $program = "$HyperDerp::Test::build/hyper-derp";
plan skip_all => "$HyperDerp::Test::build is not for everybody to read"
    if system("setpriv --reuid $nobody --regid $group --clear-groups test -x $program 2>/dev/null");

my $top = File::Temp->newdir('hd-check-XXXXXX', TMPDIR => 1);
chmod 0755, "$top";
my $n = 0;

# A relay's files in a folder of their own: all is as it should be.
sub files (%o) {
    my $dir = "$top/" . $n++;
    mkdir $_ or die "$_: $!" for $dir, "$dir/state", "$dir/run";
    my ($crt, $key) = HyperDerp::Test::certificate($dir);
    chown 0, $group, $key;
    chmod 0640, $key;
    chmod 0700, "$dir/state";
    my $user = exists $o{user} ? $o{user} : "user: nobody\n";
    HyperDerp::Test::spew("$dir/hd.yaml", <<~"END" . ($o{conf} // ''));
        port: 3340
        tls_cert: $crt
        tls_key: $key
        module_path: [$HyperDerp::Test::build/modules.d]
        load_module: [@{[ $o{modules} // 'derp' ]}]
        state_dir: $dir/state
        ${user}control: {socket: $dir/run/control.sock}
        END
    chmod 0644, "$dir/hd.yaml";
    return { dir => $dir, crt => $crt, key => $key, file => "$dir/hd.yaml" };
}

sub check ($f) {
    my $text = qx{$program -t -c $f->{file} 2>&1};
    return ($? >> 8, $text);
}

sub good ($f, $name) {
    my ($code, $text) = check($f);
    is $code, 0, $name or diag $text;
    unlike $text, qr/ warn /, '... without a warning';
    return;
}

sub bad ($f, $want, $re, $name) {
    my ($code, $text) = check($f);
    is $code, $want, "$name: exit $want";
    like $text, $re, '... and says what' or diag $text;
    unlike $text, qr/Sanitizer|runtime error:/, '... and nothing else';
    return;
}

my $as = qr/checked as the user nobody, of the key `user`: /;
good(files(), 'all is well');

subtest 'the certificate and its key' => sub {
    my $f = files();
    chmod 0600, $f->{key};
    bad($f, 1, qr/$as.*\Q$f->{key}\E: Permission denied \(tls_key at \Q$f->{file}\E:3\); the user nobody .*hyper-derp-cert/,
        'a key that only root may read');
    chmod 0640, $f->{key};
    chmod 0600, $f->{crt};
    bad($f, 1, qr/$as.*\Q$f->{crt}\E: Permission denied \(tls_cert at \Q$f->{file}\E:2\)/, 'a certificate');
};

subtest 'the configuration' => sub {
    my $f = files();
    chmod 0600, $f->{file};
    bad($f, 1, qr/$as.*cannot read the configuration \Q$f->{file}\E: Permission denied/, 'a file that a reload cannot read');
    chmod 0644, $f->{file};
    mkdir "$f->{dir}/modules-enabled";
    HyperDerp::Test::spew("$f->{dir}/modules-enabled/stun.yaml", "load_module: [stun]\n");
    good($f, 'what is enabled');
    chmod 0600, "$f->{dir}/modules-enabled/stun.yaml";
    bad($f, 1, qr/$as.*stun\.yaml: Permission denied/, 'one that only root may read');
};

subtest 'a user and a group that are not there' => sub {
    my $f = files(user => "user: no-such-user\n");
    bad($f, 78, qr/\Q$f->{file}\E:7: user: there is no user no-such-user.*useradd/, 'a user');
    $f = files(user => "user: nobody\ngroup: no-such-group\n");
    bad($f, 78, qr/\Q$f->{file}\E:8: group: there is no group no-such-group.*groupadd/, 'a group');
    $f = files();
    HyperDerp::Test::spew($f->{file},
        HyperDerp::Test::slurp($f->{file}) =~ s/^control: \{/control: {group: no-such-group, /mr);
    bad($f, 78, qr/control\.group: there is no group no-such-group/, 'the group of the control socket');
};

# As packages have it: the service manager starts the relay as its user.
subtest 'a user that the state folder shows' => sub {
    my $f = files(user => '');
    good($f, 'root\'s own: root runs it');
    chown $nobody, $group, "$f->{dir}/state", "$f->{dir}/run";
    good($f, 'somebody\'s');
    chmod 0600, $f->{key};
    bad($f, 1, qr/checked as the user nobody, who owns state_dir: .*Permission denied/, '... who cannot read the key');
    chmod 0640, $f->{key};
    chown 0, 0, "$f->{dir}/run";
    bad($f, 1, qr/control\.socket .*the user nobody cannot write in its folder: chown nobody/, '... nor make the socket');
    rmdir "$f->{dir}/run";
    bad($f, 1, qr/control\.socket: the folder of \S+ is missing/, '... which has no folder');
};

subtest 'the state folder' => sub {
    my $f = files();
    chown 0, 0, "$f->{dir}/state";
    good($f, 'root\'s: the start gives it away');
    my $old = HyperDerp::Test::spew("$f->{dir}/state/derp.key", "x\n");
    chmod 0600, $old;
    chown $nobody, $group, "$f->{dir}/state";
    my ($code, $text) = check($f);
    is $code, 0, 'a key from an earlier start by root';
    like $text, qr/ warn state_dir: the user nobody cannot read \Q$old\E; .*chown nobody/, '... warns';
    unlink $old;
    rmdir "$f->{dir}/state";
    good($f, 'none: the start makes it');
    HyperDerp::Test::spew("$f->{dir}/state", '');
    bad($f, 1, qr/state_dir .*this is not a folder/, 'a file');
};

subtest 'files of modules' => sub {
    my $key = HyperDerp::Test::spew("$top/derp.key", 'privkey:' . '1' x 64 . "\n");
    chmod 0600, $key;
    my $f = files(conf => "derp: {private_key: $key}\n");
    my ($code, $text) = check($f);
    isnt $code, 0, 'a key that only root may read';
    like $text, qr/$as.*\Q$key\E/, '... is named';
    chown $nobody, $group, $key;
    good($f, '... and the user\'s own is good');
};

subtest 'values of hd have their line' => sub {
    my $none = HyperDerp::Test::spew("$top/no.key", "no key\n");
    my $key = HyperDerp::Test::spew("$top/hd.key", 'hdseed:' . '1' x 64 . "\n");
    chown $nobody, $group, $none, $key;
    chmod 0600, $none, $key;
    for my $case (
        ["operators: [hd1xx]", qr/hd\.operators: hd1xx is not an identity/],
        ["redirect: [a/b]", qr{hd\.redirect: a/b: give a name or an address}],
        ["private_key: $none", qr/hd\.private_key: the file holds no key; it should hold hdseed:/],
        ["operator_key: $none", qr/hd\.operator_key: the file holds no key/],
    ) {
        my $f = files(modules => 'hd', conf => "hd:\n  enroll: nobody\n  $case->[0]\n");
        my $lines = () = HyperDerp::Test::slurp($f->{file}) =~ /\n/g;
        my ($code, $text) = check($f);
        is $code, 78, $case->[0];
        like $text, qr/\Q$f->{file}\E:$lines: module hd: $case->[1]/, '... and where it stands';
    }
    good(files(modules => 'hd', conf => "hd: {private_key: $key, operator_key: $key}\n"), 'a key is good');
};

subtest 'a congestion control that the kernel does not have' => sub {
    my ($code, $text) = check(files(conf => "tcp_congestion: nosuch\n"));
    is $code, 0, 'is no error';
    like $text, qr/ warn tcp_congestion: nosuch: No such file/, '... but said';
};

subtest 'who could use it, or get a certificate: nobody' => sub {
    my ($code, $text) = check(files(modules => 'derp, policy'));
    is $code, 0, 'no rules: no error';
    like $text, qr/ warn policy has no rules: nobody may log in; write some /, '... but said before the start';
    my $f = files(modules => 'derp, acme', conf => "acme: {hosts: [relay.example.net]}\n");
    unless (-e "$HyperDerp::Test::build/modules.d/acme.so") {
        note 'the build has no module acme';
        return;
    }
    ($code, $text) = check($f);
    is $code, 0, 'the terms of the authority are not agreed to: no error';
    like $text, qr/ warn acme: accept_tos is not set, .* set `accept_tos: true`/, '... but said, too';
    HyperDerp::Test::spew($f->{file}, HyperDerp::Test::slurp($f->{file}) =~ s/net\]/net], accept_tos: true/r);
    good($f, 'agreed to');
};

# It starts, as it always did: a relay that is down is worse than one that cannot
# be reloaded. But it says so at once, and not on the day of the renewal.
subtest 'the relay itself' => sub {
    my $hd = HyperDerp::Test->new(conf => "user: nobody\n");
    chmod 0711, $hd->dir;
    chmod 0600, $hd->{key};
    $hd->run;
    ok $hd->ready, 'starts' or diag $hd->log_text;
    like $hd->log_text, qr/ warn the user nobody cannot read the certificate key \Q$hd->{key}\E: a reload will be refused/,
        '... and warns';
    like $hd->ctl('reload'), qr/\Q$hd->{key}\E: Permission denied .*the user nobody must be able to read it/,
        'a reload says who must read it';
    is $?, 1, '... and is refused';
    $hd->finish;
};

for my $user ("user: nobody\n", '') {
    my $who = $user ? 'the user nobody' : 'root';
    my $f = files(user => $user);
    for (["$f->{dir}/run", qr/log\.target \Q$f->{dir}\E\/run: this is a folder/, 'a folder'],
        ["$f->{dir}/none/hd.log", qr/log\.target .*none\/hd\.log: its folder is missing: make it/, 'a missing folder']) {
        my ($target, $re, $name) = @$_;
        bad(files(user => $user, conf => "log: {target: $target}\n"), 1, $re, "log.target, $name, $who");
    }
}

done_testing;

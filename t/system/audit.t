#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/audit.t - the audit log: what operators and rules did, read by hdctl
# audit; and names of peers, where hdctl shows peers.
use v5.36;
use JSON::PP qw(decode_json);
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [qw(derp policy)]);
my $file = "$hd->{dir}/audit.log";
HyperDerp::Test::spew("$hd->{dir}/keys", '');
$hd->{conf} = <<"END";
audit: {file: $file}
policy:
  rules:
    - {keys: $hd->{dir}/keys, tenant: office}
END
$hd->write_conf;
$hd->run;
$hd->ready or die $hd->log_text;

my ($alice, $mallory) = HyperDerp::Raw::logins($hd, 2);
HyperDerp::Test::spew("$hd->{dir}/keys", "$alice->{key} alice, at home\n");

# Its lines as hdctl audit --json has them.
sub lines (@words) {
    return map { decode_json($_) } split /\n/, $hd->ctl('--json', 'audit', @words);
}

sub has ($want, @words) {
    my @found;
    HyperDerp::Test::wait_for(sub { @found = grep { $want->() } lines(@words) });
    return $found[-1];
}

subtest 'operators' => sub {
    ok ctl($hd, qw(policy reread))->{ok}, 'a command';
    my $l = has(sub { ($_->{command} // '') eq 'policy reread' });
    is_deeply [@{$l}{qw(what uid role result)}, $l->{args}], ['command', $>, 'admin', 'ok', {}], '... is in it';
    like $l->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '... when';
    ok $l->{pid} > 0, '... and by which process';
    ctl($hd, qw(peer revoke), "nodekey:$mallory->{key}", '--why', q(says "no" result=ok));
    $l = has(sub { ($_->{command} // '') eq 'peer revoke' });
    is_deeply $l->{args}, { key => $mallory->{key}, why => 'says "no" result=ok' }, 'arguments, nodekey: is understood';
    like $hd->ctl(qw(audit --what peer)), qr/command="peer revoke" key=\w{64} why="says \\"no\\" result=ok" result=ok$/m,
        '... for people, as one text';
    ctl($hd, qw(peer close), 'ab' x 32);
    $l = has(sub { ($_->{command} // '') eq 'peer close' });
    is $l->{result}, 'refused', 'one that fails';
    like $l->{why}, qr/no peer has a key/, '... and why';
    ctl($hd, 'peers');
    is scalar(grep { ($_->{command} // '') eq 'peers' } lines()), 0, 'who only looks is not in it';
};

subtest 'rules' => sub {
    my $c = HyperDerp::Raw->start($hd, $mallory);
    ok $c->closed, 'a key is refused';
    my $l = has(sub { $_->{what} eq 'peer.denied' });
    is $l->{key}, $mallory->{key}, '... and in it';
    like $l->{why}, qr/revoked/, '... with the reason';
    my $a = HyperDerp::Raw->login($hd, $alice);
    HyperDerp::Test::spew("$hd->{dir}/keys", '');
    ctl($hd, qw(policy reread));
    ok $a->closed, 'one that leaves the list is put out';
    $l = has(sub { $_->{what} eq 'peer.put_out' });
    is "$l->{key} $l->{name} $l->{tenant}", "$alice->{key} alice, at home office", '... and in it, with name and tenant';
};

subtest 'what is wanted' => sub {
    is_deeply [map { $_->{what} } lines(qw(--what peer.denied))], ['peer.denied'], '--what';
    is scalar(grep { $_->{what} ne 'command' } lines('--user', $>)), 0, '--user: a number';
    ok scalar(lines('--user', scalar getpwuid $>)), '... or a name' if defined getpwuid $>;
    is scalar(lines('--user', 54321)), 0, '... of nobody';
    ok scalar(lines(qw(--since 1d))), '--since: a day ago';
    ok scalar(lines(qw(--since 2026-01-01T00:00Z))), '... a time';
    is scalar(lines(qw(--since 9000-01-01))), 0, '... in the future';
    like $hd->ctl(qw(audit --since yesterday)), qr/give a time as/, '... nonsense';
    is $?, 2, '... is a usage error';
};

subtest 'rotation' => sub {
    rename $file, "$file.1" or die $!;
    ctl($hd, qw(log reopen));
    ok has(sub { ($_->{command} // '') eq 'log reopen' }), 'a new file';
    ok scalar(grep { $_->{what} eq 'peer.denied' } lines()), '... and the old one is read, too';
    ok -s $file, '... it is there';
    is ctl($hd, 'status')->{data}{audit_file}, $file, 'status names it';
    is ctl($hd, 'status')->{data}{audit_lines_lost}, 0, '... and what was lost';
};

subtest 'followed' => sub {
    my $pid = open my $out, '-|', "$HyperDerp::Test::build/hdctl", '--socket', $hd->control,
        qw(audit -f --what), 'log level' or die "hdctl: $!";
    ctl($hd, qw(log level info));
    local $SIG{ALRM} = sub { die "no line\n" };
    alarm 60;
    like scalar(<$out>), qr/command="log level" level=info result=ok$/, 'a line as it comes';
    truncate $file, 0 or die $!;
    ctl($hd, qw(log level debug));
    like scalar(<$out>), qr/command="log level" level=debug result=ok$/, '... also of a file that was cut';
    alarm 0;
    kill TERM => $pid;
    close $out;
};

subtest 'names' => sub {
    HyperDerp::Test::spew("$hd->{dir}/keys", "$alice->{key} alice, at home\n");
    ctl($hd, qw(policy reread));
    my $a = HyperDerp::Raw->login($hd, $alice);
    like $hd->ctl('peers'), qr/ alice, at home +office /, 'peers';
    like $hd->ctl('peers', "nodekey:$alice->{key}"), qr/alice/, '... by nodekey:';
    like $hd->ctl(qw(top -1)), qr/^key +name +tenant .*\n\w+ +alice, at home +office /m, 'top';
    like $hd->ctl(qw(--sort tenant top -1)), qr/alice/, '... sorted by tenant';
};

subtest 'a relay that is down' => sub {
    $hd->stop;
    like $hd->ctl('audit', '--file', $file, qw(--what log)), qr/log level/, '--file';
    like $hd->ctl('audit', '--file', $hd->{dir}), qr/cannot read \Q$hd->{dir}\E: Is a directory/, '... a folder';
    my $why = qr/cannot reach|no relay|--file FILE/;
    like $hd->ctl('audit'), $why, '... else it is said' unless -e '/var/log/hyper-derp/audit.log';
    $hd->{conf} = "audit: {file: $hd->{dir}/nowhere/audit.log}\n";
    $hd->{load_module} = ['derp'];
    $hd->write_conf;
    my $said = qx($HyperDerp::Test::build/hyper-derp -t -c $hd->{file} 2>&1);
    isnt $?, 0, '-t refuses a file that cannot be';
    like $said, qr/audit\.file \S+: its folder is missing/, '... and says why';
};

subtest 'without one' => sub {
    $hd->{conf} = '';
    $hd->write_conf;
    $hd->run;
    $hd->ready or die $hd->log_text;
    like $hd->ctl('audit'), qr/writes no audit log: set audit\.file/, 'hdctl audit says what to do';
    unlike $hd->ctl(qw(top -1)), qr/ tenant /, 'top has no empty columns';
};

$hd->finish;
done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd.t - HD, as doc/reference/protocol-hd.md says, by the implementation in
# t/hd/, which shares no line with the relay's.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Test;
use JSON::PP ();
use POSIX ();

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;


# Each line of its TAP becomes one of ours.
sub tap_ok ($what, @cmd) {
    subtest $what => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', @cmd or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# (.*)/) { diag $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
}

# FILE is t/hd/test_FILE.py.
sub python_ok ($hd, $what, $file, @only) {
    return tap_ok($what, "$FindBin::Bin/../hd/test_$file.py", $hd->{tls}, $hd->{plain}, $hd->control, @only);
}

local $ENV{HDCTL} = "$HyperDerp::Test::build/hdctl";

my $conf = "hd: {enroll: anybody, contacts_max: 100}\n";
for my $how (['our records', ''], ["OpenSSL's records", "tls: {record_layer: openssl}\n"]) {
    my ($name, $tls) = @$how;
    my $hd = HyperDerp::Test->start(load_module => [qw(derp hd)], conf => $conf . $tls);
    python_ok $hd, "packets, $name", 'packets';
    python_ok $hd, "logins, $name", 'login';
    like $hd->ctl(qw(hd info)), qr/hd1[a-z0-9]{58}\b/, 'the relay says who it is';
    $hd->finish;
}

# doc/reference/metrics.md has exactly what there is, and its types.
sub documented ($hd) {
    my ($part) = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/reference/metrics.md") =~ /^## Module hd\n(.*?)^## /ms;
    my %doc = $part =~ /^\| `(\w+)` \| (\w+) \|/mg;
    my %is = map { $_->{name} => $_->{kind} } grep { $_->{module} eq 'hd' } @{ JSON::PP::decode_json($hd->ctl(qw(--json metrics))) };
    return is_deeply \%is, \%doc, 'doc/reference/metrics.md lists what there is';
}

# Of an operator of another relay: of the seed 7, 32 times.
my $operator = qx(/usr/bin/python3 -B -c "import sys; sys.path.insert(0, '$FindBin::Bin/../hd'); import hd; from nacl.signing import SigningKey; print(hd.to_text(bytes(SigningKey(bytes([7]) * 32).verify_key)), end='')");
my $asks = HyperDerp::Test->start(load_module => [qw(hd)],
    conf => "hd: {enroll: approved, keepalive: 1s, operators: [$operator]}\n");
python_ok $asks, 'who may enrol', 'admission';
python_ok $asks, 'a reload', admission => 'reloaded' if -e "$HyperDerp::Test::build/modules.d/hd.so";
{
    local $ENV{STATE} = $asks->{dir};
    python_ok $asks, 'a file that cannot be written', admission => 'not_kept';
}
documented $asks;

# What operators have said is there after a restart.
my $members = $asks->ctl(qw(--json hd members));
$asks->finish;
$asks->run;
ok $asks->ready, 'it starts again';
is $asks->ctl(qw(--json hd members)), $members, 'and knows whom it knew';
isnt $members, "[]\n", '... somebody';
$asks->{conf} =~ s/enroll: approved/$&, approval_wait: 1s/;
$asks->write_conf;
$asks->ctl('reload');
python_ok $asks, 'time is up', admission => 'nobody_approves';
$asks->finish;

SKIP: {
    skip 'the module policy is not built', 1 unless -e "$HyperDerp::Test::build/modules.d/policy.so";
    my $ruled = HyperDerp::Test->start(load_module => [qw(policy hd)],
        conf => "hd: {enroll: anybody}\npolicy: {default: allow}\n");
    python_ok $ruled, 'rules of policy', admission => 'ruled';
    $ruled->finish;

    my $slow = HyperDerp::Test->new(load_module => [qw(hd policy)]);
    my $file = HyperDerp::Test::spew("$slow->{dir}/service", 'hang');
    local $ENV{SERVICE_SAID} = "$file.said";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$file.said";
        exec "$FindBin::Bin/../lib/client/verify_server.py", $file or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    ok HyperDerp::Test::wait_for(sub { -s "$file.said" }), 'a service' or BAIL_OUT('it does not start');
    my $port = HyperDerp::Test::whole_lines("$file.said") =~ s/\s//gr;
    $slow->{conf} = "hd: {enroll: anybody}\nlogin_timeout: 100s\n"
        . "policy: {ask_timeout: 60s, rules: [{name: slow, url: 'http://127.0.0.1:$port/'}]}\n";
    $slow->write_conf;
    $slow->run->ready or BAIL_OUT($slow->log_text);
    python_ok $slow, 'denied while another module is asked', admission => 'denied_in_between';
    $slow->finish;
}

# 100,000 handles, by four connections.
my $holds = HyperDerp::Test->start(workers => 1, load_module => [qw(hd)], conf => "hd: {enroll: anybody, contacts_max: 25000}\n");
tap_ok('many handles', "$FindBin::Bin/../hd/test_handles.py", $holds->{tls}, $holds->pid, 4, 25_000);
ok HyperDerp::Test::wait_for(sub { $holds->ctl('metrics') =~ /hd_contacts\s+\S+\s+0\b/ }), 'and with the connections they go';
$holds->finish;

my $drains = HyperDerp::Test->start(load_module => [qw(hd)],
    conf => qq(hd: {enroll: anybody, redirect: [one.example, "[2001:db8::2]:8443"]}\n));
python_ok $drains, 'a relay that drains', admission => 'redirected';
$drains->{conf} =~ s/one.example/https:\/\/one.example/;
$drains->write_conf;
like $drains->ctl('reload'), qr/hd\.redirect: https:/, 'a name, and no URL';
$drains->finish;

my $closed = HyperDerp::Test->start(load_module => [qw(hd)]);
my $said = qx(/usr/bin/python3 -B $FindBin::Bin/../hd/test_packets.py $closed->{tls} $closed->{plain} ${\$closed->control} test_single_bytes);
like $said, qr/Denied: this relay is for those who have an invitation/, 'nobody may enrol whom nobody knows';
$closed->finish;

done_testing;

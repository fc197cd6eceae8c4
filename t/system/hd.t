#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hd.t - HD, as doc/protocol-hd.md says, by the implementation in
# t/hd/, which shares no line with the relay's.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use JSON::PP ();

plan skip_all => 'needs python3-nacl and python3-openssl'
    if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;

my $python = "$FindBin::Bin/../hd/test_hd.py";

# Each line of its TAP becomes one of ours.
sub python_ok ($hd, $what, @only) {
    subtest $what => sub {
        open my $out, '-|', '/usr/bin/python3', '-B', $python, $hd->{tls}, $hd->{plain}, @only or die "python3: $!";
        while (my $line = <$out>) {
            if ($line =~ /^(not )?ok \d+ - (.*)/) { ok !$1, $2 }
            elsif ($line =~ /^# (.*)/) { diag $1 }
        }
        close $out;
        is $?, 0, 'python3 ends well';
    };
}

my $conf = "hd: {enroll: anybody, contacts_max: 100}\n";
for my $how (['our records', ''], ["OpenSSL's records", "tls: {record_layer: openssl}\n"]) {
    my ($name, $tls) = @$how;
    my $hd = HyperDerp::Test->start(load_module => [qw(derp hd)], conf => $conf . $tls);
    python_ok $hd, $name;
    like $hd->ctl(qw(hd info)), qr/hd1[a-z0-9]{58}\b/, 'the relay says who it is';
    $hd->finish;
}

# doc/metrics.md has exactly what there is, and its types.
sub documented ($hd) {
    my ($part) = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/doc/metrics.md") =~ /^## Module hd\n(.*?)^## /ms;
    my %doc = $part =~ /^\| `(\w+)` \| (\w+) \|/mg;
    my %is = map { $_->{name} => $_->{kind} } grep { $_->{module} eq 'hd' } @{ JSON::PP::decode_json($hd->ctl(qw(--json metrics))) };
    return is_deeply \%is, \%doc, 'doc/metrics.md lists what there is';
}

my $closed = HyperDerp::Test->start(load_module => [qw(hd)]);
my $said = qx(/usr/bin/python3 -B $python $closed->{tls} $closed->{plain} test_single_bytes);
like $said, qr/Denied: this relay is not open/, 'who may enrol must be said';
documented $closed;
$closed->finish;

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/policy_accounting.t - who has used the relay how much: while a
# connection lasts, over a kill -9, a reload of the module, a file that is cut
# off and one that cannot be written.
use v5.36;
use POSIX qw(strftime);
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Live;
use HyperDerp::Raw;
use HyperDerp::Test;

my $hd = HyperDerp::Test->new(no_tls => 1, workers => 2, load_module => [qw(derp policy)]);
HyperDerp::Test::spew("$hd->{dir}/$_", "") for qw(keys more);

sub conf ($tenants = '[]') {
    $hd->{conf} = <<"END";
policy:
  rules:
    - {keys: $hd->{dir}/keys, tenant: office}
    - {keys: $hd->{dir}/more, tenant: office}
  tenants: $tenants
END
    return $hd->write_conf;
}
conf;

my ($alice, $bob);

# The month may turn while this runs: what is counted is in one or the other.
my $since = strftime '%Y-%m', gmtime;
my ($file) = "$hd->{dir}/accounting.$since";

sub rows (@more) {
    my $a = ctl($hd, 'accounting', '--since', $since, @more);
    diag $a->{error}{message} unless $a->{ok};
    return @{ $a->{data} // [] };
}

# Of one key, over all months: bytes_in bytes_out packets_in packets_out.
sub of ($login) {
    my %sum;
    for my $row (grep { $_->{key} eq $login->{key} } rows()) {
        $sum{$_} += $row->{$_} for qw(bytes_in bytes_out packets_in packets_out);
    }
    return \%sum;
}

sub becomes ($login, $what, $n, $why) {
    my $r = HyperDerp::Test::wait_for(sub { (of($login)->{$what} // 0) >= $n });
    return is of($login)->{$what}, $n, $why;
}

# What the file has of packets that were sent, all keys together.
sub on_disk ($path = $file) {
    my $data = HyperDerp::Test::slurp($path);
    my ($at, $sum) = (8, 0);
    while ($at + 12 <= length $data) {
        my $n = unpack 'V', substr $data, $at, 4;
        last if $at + 12 + $n > length $data;
        my @b = unpack 'C*', substr $data, $at + 12, $n;
        my $varint = sub {
            my ($x, $shift) = (0, 0);
            while (1) {
                my $b = shift @b;
                $x |= ($b & 127) << $shift;
                return $x if $b < 128;
                $shift += 7;
            }
        };
        while (@b) {
            my $tag = shift @b;
            $varint->();
            if ($tag == 1) {
                splice @b, 0, 32;
                splice @b, 0, shift @b for 1 .. 2;
            } else {
                my @n = map { $varint->() } 1 .. 5;
                $sum += $n[2];
            }
        }
        $at += 12 + $n;
    }
    return $sum;
}

sub number ($name, @labels) {
    for my $m (@{ ctl($hd, 'metrics')->{data} }) {
        next if $m->{name} ne $name;
        return $m->{value} unless grep { ($m->{labels} // '') !~ $_ } @labels;
    }
    return 0;
}

sub talk ($n, $from, $to, $key) {
    $from->send($key, "packet $_") for 1 .. $n;
    return scalar grep { defined scalar $to->packet } 1 .. $n;
}

$hd->run;
$hd->ready or die $hd->log_text;
($alice, $bob) = HyperDerp::Raw::logins($hd, 2);
HyperDerp::Test::spew("$hd->{dir}/keys", "$alice->{key} alice, at home\n");
HyperDerp::Test::spew("$hd->{dir}/more", "$bob->{key} =2+3\n");
ok ctl($hd, qw(policy reread))->{ok}, 'their keys are read';
my ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;

subtest 'while they are connected' => sub {
    is talk(100, $a, $b, $bob->{key}), 100, 'alice sends bob 100 packets';
    becomes $alice, 'packets_in', 100, '... which are counted as she goes';
    becomes $bob, 'packets_out', 100, '... and to him';
    my ($row) = rows('--key', substr $alice->{key}, 0, 8);
    is "$row->{tenant} $row->{name}", 'office alice, at home', 'tenant and name';
    cmp_ok $row->{bytes_in}, '>', 100 * 8, 'bytes';
    is scalar(rows('--tenant', 'nobody')), 0, 'of a tenant that there is not';
    my ($t) = @{ ctl($hd, qw(accounting tenants --tenant office --since), $since)->{data} };
    is "$t->{keys} $t->{packets_in} $t->{packets_out}", '2 100 100', 'the tenant';
    is number('hyper_derp_tenant_packets_total', qr/tenant="office"/, qr/direction="in"/), 100, 'metrics';
    my $csv = $hd->ctl(qw(--csv accounting --key), $alice->{key}, '--since', $since);
    like $csv, qr/\Amonth,tenant,key,name,bytes_in,.*\r\n[\d-]+,office,$alice->{key},"alice, at home",\d+,/, '--csv';
    like $hd->ctl(qw(--csv accounting --key), $bob->{key}, '--since', $since), qr/,office,$bob->{key},'=2\+3,\d/,
        '... in which no name is a formula';
    like $hd->ctl(qw(--csv accounting tenants --tenant office --since), $since),
        qr/\A[^\r]*,drops,bytes_quota,percent\r\n[^\r]*,office,2,[\d,]+,,\r\n/, '... and columns do not depend on the rows';
    is scalar(@{ ctl($hd, qw(accounting --since), substr($since, 0, 4) + 1 . '-12')->{data} }), 0,
        'since a month that is to come';
    like $hd->ctl(qw(--csv status)), qr/--csv: the answer is not a table/, '... of what is no table';
    like ctl($hd, qw(accounting --since 2026-13))->{error}{message}, qr/give a month as/, '--since nonsense';
};

subtest 'a reload of the module' => sub {
    ok ctl($hd, qw(module reload policy))->{ok}, 'reloaded';
    is talk(10, $a, $b, $bob->{key}), 10, 'they stay';
    becomes $alice, 'packets_in', 110, 'nothing is lost or counted twice';
    $a->close;
    ok HyperDerp::Test::wait_for(sub { !grep { $_->{key} eq $alice->{key} } @{ ctl($hd, 'peers')->{data} } }),
        'alice leaves';
    my $closed = qr/ closed: key=\Q@{[substr $alice->{key}, 0, 8]}\E .* in=(\d+) /;
    ok $hd->log_like($closed), '... and the log says so';
    my ($in) = $hd->log_text =~ $closed;
    becomes $alice, 'bytes_in', $in, 'all her bytes are counted';
};

subtest 'kill -9' => sub {
    ok HyperDerp::Test::wait_for(sub { on_disk() == 110 }), 'the file has them';
    $hd->stop('KILL');
    $hd->ports_free;
    $hd->run;
    $hd->ready or die $hd->log_text;
    becomes $alice, 'packets_in', 110, 'they are there after it';
    ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    is talk(5, $a, $b, $bob->{key}), 5, 'they come back';
    becomes $alice, 'packets_in', 115, '... and it goes on';
    is $hd->stop, 0, 'the relay ends';
    is on_disk(), 115, '... and has written all';
};

subtest 'half a record' => sub {
    truncate $file, -2 + -s $file or die "$file: $!";
    $hd->run;
    $hd->ready or die $hd->log_text;
    ok $hd->log_like(qr/accounting: \S+ ends within a record, as after a crash/), 'is said';
    cmp_ok of($alice)->{packets_in}, '>=', 110, 'what stands before it counts';
};

# A folder in its place: root may write what is not writable.
subtest 'a file that cannot be written' => sub {
    is $hd->stop, 0, 'the relay ends';
    rename $file, "$file.away" or die $!;
    mkdir $file or die $!;
    $hd->run;
    $hd->ready or die $hd->log_text;
    ok $hd->log_like(qr/error accounting: \S+accounting\.\S+: Is a directory; what is counted waits/), 'is said';
    ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    is talk(7, $a, $b, $bob->{key}), 7, 'the relay relays';
    becomes $alice, 'packets_in', 7, '... and counts';
    ok HyperDerp::Test::wait_for(sub { number('hyper_derp_policy_accounting_failures_total') > 0 }), 'a metric';
    rmdir $file or die $!;
    rename "$file.away", $file or die $!;
    ok $hd->log_like(qr/accounting: it is written again/), 'a file that can be written again';
    ok HyperDerp::Test::wait_for(sub { (of($alice)->{packets_in} // 0) >= 117 }), '... has both';
};

sub quota ($words) {
    conf "[{name: office, quota: {$words}}]";
    my $r = ctl($hd, 'reload');
    diag $r->{error}{message} unless $r->{ok};
    return $r->{ok};
}

sub told ($c) { return HyperDerp::Raw::expect($c, HyperDerp::Raw::HEALTH) // 'nothing' }

subtest 'a quota' => sub {
    plan skip_all => 'the month has turned' if strftime('%Y-%m', gmtime) ne $since;
    my $tenant = sub { ctl($hd, qw(accounting tenants --tenant office))->{data}[0] };
    my ($sent, $got) = (of($alice)->{packets_in}, of($bob)->{packets_out});
    talk(100, $a, $b, $bob->{key});
    becomes $alice, 'packets_in', $sent + 100, 'some more packets';
    becomes $bob, 'packets_out', $got + 100, '... of which the other worker knows, too';
    my $used = $tenant->()->{bytes_in} + $tenant->()->{bytes_out};
    ok quota('bytes: ' . int($used * 1.15)), '80 %';
    ok $hd->log_like(qr/ warn quota: tenant=office used=\d+ of=\d+ \(it has used 80 %\)/), '... is said';
    cmp_ok $tenant->()->{percent}, '>=', 80, 'hdctl shows it';
    ok $a->ping, '... and nobody leaves';
    ok quota('bytes: 1KiB'), 'it is used';
    my $why = 'its tenant has used its quota of this month';
    is told($_), $why, 'who is connected is told' for $a, $b;
    ok $_->closed, '... and leaves' for $a, $b;
    is told(HyperDerp::Raw->start($hd, $alice)), $why, 'nobody of it comes back';
    is ctl($hd, qw(policy explain), $alice->{key})->{data}{by}, 'quota', 'explain';
    ok quota('bytes: 1KiB, then: slow, rate: 1KiB'), 'it is slow instead';
    ok $hd->log_like(qr/quota: tenant=office .*\(it is used: nobody is let in\)/), '... and said before';
    ok HyperDerp::Test::wait_for(sub { ctl($hd, qw(policy explain), $alice->{key})->{data}{by} eq 'rule' }),
        'they may come';
    ($a, $b) = map { HyperDerp::Raw->login($hd, $_) } $alice, $bob;
    $a->write_some(HyperDerp::Raw::packet_frame($bob->{key}, 'x' x 32768)) for 1 .. 12;
    ok $hd->log_like(qr/recv_paused: tenant=office/), '... slowly';
    ok quota('bytes: 1TiB'), 'it is raised';
    ok $hd->log_like(qr/notice quota: tenant=office .*\(it may go on\)/), '... and said';
    $a->close;
    ok HyperDerp::Raw->login($hd, $alice)->ping, 'they are as before';
    conf '[{name: office, quota: {bytes: 1}}], accounting: false';
    HyperDerp::Test::spew($hd->{file}, HyperDerp::Test::slurp($hd->{file}) =~ s/\], accounting/]\n  accounting/r);
    like ctl($hd, 'reload')->{error}{message}, qr/quota: tenant office has one, but nothing is counted/,
        'a quota without accounting is refused';
};

subtest 'a quota of each key' => sub {
    plan skip_all => 'the month has turned' if strftime('%Y-%m', gmtime) ne $since;
    my $each = sub ($bytes, $more = '') {
        $hd->{conf} = <<~"END";
            policy:
              rules:
                - {name: first, keys: $hd->{dir}/third, tenant: office, quota: {bytes: $bytes$more}}
                - {keys: $hd->{dir}/more, tenant: office}
            END
        $hd->write_conf;
        my $r = ctl($hd, 'reload');
        return $r->{ok} || diag $r->{error}{message};
    };
    my ($c, $carol) = (undef, scalar HyperDerp::Raw::logins($hd));
    HyperDerp::Test::spew("$hd->{dir}/third", "$carol->{key} carol\n");
    my $explained = sub { ctl($hd, qw(policy explain), $carol->{key})->{data} };
    my $short = substr $carol->{key}, 0, 8;
    $each->('1TiB');
    ($c, $b) = map { HyperDerp::Raw->login($hd, $_) } $carol, $bob;
    is talk(100, $c, $b, $bob->{key}), 100, 'carol sends bob 100 packets';
    becomes $carol, 'packets_in', 100, '... which are counted';
    my $used = $explained->()->{quota}{used};
    is $used, of($carol)->{bytes_in} + of($carol)->{bytes_out}, 'explain says what she has used';
    ok $each->(int($used * 1.15)), '80 %';
    ok $hd->log_like(qr/ warn quota: key=$short tenant=office used=\d+ of=\d+ \(it has used 80 %\)/), '... is said';
    ok $c->ping, '... and nobody leaves';
    ok $each->('1KiB'), 'it is used';
    my $why = 'this key has used its quota of this month';
    is told($c), $why, 'she is told';
    ok $c->closed, '... and leaves';
    ok $hd->log_like(qr/ warn quota: key=$short .*\(it is used\)/), '... the log says so';
    is told(HyperDerp::Raw->start($hd, $carol)), $why, 'she does not come back';
    is $explained->()->{by}, 'quota', 'explain';
    ok $b->ping, 'bob, of another rule and the same tenant, stays';
    ok HyperDerp::Test::wait_for(sub { number('hyper_derp_policy_quotas_total', qr/of="key"/, qr/percent="100"/) == 1 }),
        'a metric';
    $hd->stop('KILL');
    $hd->ports_free;
    $hd->run->ready or die $hd->log_text;
    ok HyperDerp::Test::wait_for(sub { $explained->()->{by} eq 'quota' }), 'after a kill -9 it is known';
    is told(HyperDerp::Raw->start($hd, $carol)), $why, '... and she stays out';
    ok $each->('1KiB', ', then: slow, rate: 1KiB'), 'she is slow instead';
    ($c, $b) = map { HyperDerp::Raw->login($hd, $_) } $carol, $bob;
    $c->write_some(HyperDerp::Raw::packet_frame($bob->{key}, 'x' x 32768)) for 1 .. 6;
    ok $hd->log_like(qr/recv_paused: key=$short/), '... and held back';
    $c->close;
    ok $each->('1TiB'), 'it is raised';
    ok HyperDerp::Raw->login($hd, $carol)->ping, 'she may go on';
    $hd->{conf} = "policy: {rules: [{keys: $hd->{dir}/third, action: deny, quota: {bytes: 1}}]}\n";
    $hd->write_conf;
    like ctl($hd, 'reload')->{error}{message}, qr/quota: a rule that denies cannot have one/, 'a rule that denies has none';
};

$hd->finish;
subtest 'metrics of the keys that used most' => sub {
    my $top = HyperDerp::Test->new(no_tls => 1, workers => 2, load_module => [qw(derp policy)]);
    HyperDerp::Test::spew("$top->{dir}/keys", '');
    $top->{conf} = "policy: {rules: [{keys: $top->{dir}/keys, tenant: home}], metrics_keys: 2}\n";
    $top->write_conf;
    $top->run;
    $top->ready or die $top->log_text;
    my ($alice, $bob, $carol) = my @logins = HyperDerp::Raw::logins($top, 3);
    HyperDerp::Test::spew("$top->{dir}/keys", "$alice->{key} alice\n$bob->{key} bob\n$carol->{key}\n");
    ok ctl($top, qw(policy reread))->{ok}, 'their keys are read';
    # {key, direction} => bytes, with what else stands there
    my $of = sub {
        my %n;
        for my $m (@{ ctl($top, 'metrics')->{data} }) {
            next if $m->{name} ne 'hyper_derp_key_bytes_total';
            my %l = $m->{labels} =~ /(\w+)="([^"]*)"/g;
            $n{"$l{name} $l{tenant} $l{direction} " . substr $l{key}, 0, 8} = $m->{value} if $m->{value};
        }
        return \%n;
    };
    my $row = sub ($login, $name, $way) { return "$name home $way " . substr $login->{key}, 0, 8 };
    my ($a, $b, $c) = map { HyperDerp::Raw->login($top, $_) } @logins;
    # each pings: nobody gets what another sends
    my $use = sub ($client, $n) { $client->ping for 1 .. $n };
    $use->($a, 200);
    $use->($b, 100);
    $use->($c, 50);
    my $becomes = sub (@want) {
        my $got;
        HyperDerp::Test::wait_for(sub {
            $got = $of->();
            return "@{[sort keys %$got]}" eq "@{[sort @want]}";
        });
        return is_deeply [sort keys %$got], [sort @want], "two of three: @want";
    };
    my @both = map { my $way = $_; ($row->($alice, 'alice', $way), $row->($bob, 'bob', $way)) } qw(in out);
    $becomes->(@both);
    cmp_ok $of->()->{ $row->($alice, 'alice', 'in') }, '>=', 200 * 13, 'so many bytes';
    $use->($c, 500);
    $becomes->(map { my $way = $_; ($row->($alice, 'alice', $way), $row->($carol, '', $way)) } qw(in out));
    my $before = $of->()->{ $row->($carol, '', 'in') };
    ok ctl($top, qw(module reload policy))->{ok}, 'the module is reloaded';
    $use->($c, 50);
    ok HyperDerp::Test::wait_for(sub { ($of->()->{ $row->($carol, '', 'in') } // 0) >= $before + 50 * 13 }),
        '... and it goes on';
    $top->finish;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdprobe-mesh.t - hdprobe --mesh: a region of two of ours and a real
# derper, from each to each; and what is wrong is named.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use HyperDerp::Children;
use HyperDerp::Test;
use JSON::PP qw(decode_json encode_json);

my $hdprobe = "$HyperDerp::Test::build/hdprobe";
my $dir = tempdir(CLEANUP => 1);
my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';
my $derper = $ENV{HD_INTEROP_DERPER} // '';

# Returns the exit status and everything it printed.
sub probe (@args) {
    my $pid = open my $f, '-|' // die "fork: $!";
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        exec $hdprobe, '--mesh', @args or die "$hdprobe: $!";
    }
    local $/;
    my $text = <$f> // '';
    close $f;
    return ($? >> 8, $text);
}

sub verdict ($text, $check) { return $text =~ /^(\w+) +\Q$check\E /m ? $1 : "no line for $check" }

sub relay (%o) {
    my $hd = HyperDerp::Test->new(load_module => [qw(derp mesh)], %o);
    HyperDerp::Test::spew($hd->dir . '/mesh.key', "$mesh_key\n");
    return $hd;
}

sub run_with ($hd, @members) {
    local $" = ', ';
    $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  silence_max: 2m\n  members: [@members]\n";
    $hd->write_conf;
    $hd->run;
    $hd->ready or die 'the daemon does not start: ' . $hd->log_text;
    return $hd;
}

sub at ($hd)     { return '127.0.0.1:' . $hd->port }
sub member ($hd) { return $hd->{no_tls} ? qq({name: "@{[at($hd)]}", tls: false}) : qq({name: "@{[at($hd)]}", ca_file: $hd->{crt}}) }

subtest 'wrong usage' => sub {
    my $map = HyperDerp::Test::spew("$dir/wrong", "just text\n");
    my $two = HyperDerp::Test::spew("$dir/two", encode_json({ Regions => { 1 => {}, 2 => {} } }));
    my $alone = HyperDerp::Test::spew("$dir/alone", encode_json({ Regions => { 1 => { Nodes => [{ HostName => 'a' }] } } }));
    my %case = (
        'a'                       => qr/needs two relays/,
        'a b:0'                   => qr/'b:0' is not HOST/,
        'a b --sni c'             => qr/--mesh goes without/,
        "--map $map a"            => qr/--map names the relays/,
        "--map $map"              => qr/wrong: no configuration|no DERP map/,
        "--map $dir/none"         => qr/none: No such file/,
        "--map $two"              => qr/several regions: say which/,
        "--map $two --region-id 3" => qr/no region 3/,
        "--map $alone"            => qr/two relays at least/,
    );
    for my $args (sort keys %case) {
        my ($status, $text) = probe(split / /, $args);
        is $status, 3, "hdprobe --mesh $args: 3";
        like $text, qr/^hdprobe: .*$case{$args}/m, '... with the reason';
    }
};

# A derper that links to ours.
sub start_derper (@with) {
    my $port = HyperDerp::Test::free_port();
    my ($crt) = HyperDerp::Test::certificate($dir, '127.0.0.1');
    my $cas = HyperDerp::Test::spew("$dir/cas", join '', map { HyperDerp::Test::slurp($_->{crt}) } @with);
    my $key = HyperDerp::Test::spew("$dir/mesh.key", "$mesh_key\n");
    chmod 0600, $key;
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$dir/derper.log" or die;
        open STDERR, '>&', \*STDOUT or die;
        $ENV{SSL_CERT_FILE} = $cas;
        exec $derper, '-a', "127.0.0.1:$port", '-http-port', -1, '-stun=false', '-certmode', 'manual', '-hostname',
            '127.0.0.1', '-certdir', $dir, '-c', "$dir/derper.key", '-mesh-psk-file', $key, '-mesh-with',
            join(',', map { at($_) } @with) or die "$derper: $!";
    }
    HyperDerp::Children::keep($pid);
    HyperDerp::Test::wait_for(sub { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") }) or die 'derper does not start';
    return ("127.0.0.1:$port", $crt);
}

# A DERP map of what `hdprobe --derpmap` says of each.
sub map_of (@relays) {
    my @nodes = map {
        my $map = qx($hdprobe --derpmap --format tailcat --no-stun $_ 2>/dev/null);
        @{ decode_json($map)->{Regions}{900}{Nodes} };
    } @relays;
    return { Regions => { 900 => { RegionID => 900, Nodes => \@nodes } } };
}

subtest 'a region' => sub {
    my ($one, $two) = (relay(), relay());
    run_with($one, member($two));
    run_with($two, member($one));
    my @relays = map { at($_) } $one, $two;
    SKIP: {
        skip 'HD_INTEROP_DERPER names no derper program', 1 if !-x $derper;
        my ($third, $crt) = start_derper($one, $two);
        my $all = join ', ', map { member($_) } $one, $two;
        for my $hd ($one, $two) {
            $hd->{conf} = "derp: {mesh_key: @{[$hd->dir]}/mesh.key}\nmesh:\n  silence_max: 2m\n"
                . qq(  members: [$all, {name: "$third", ca_file: $crt}]\n);
            $hd->write_conf;
            is $hd->ctl('reload'), "ok\n", 'derper is a member';
        }
        push @relays, $third;
    }
    my $n = @relays;
    my $ways = $n * ($n - 1);
    my ($status, $text) = probe('-t', 60, @relays);
    is $status, 0, "$n relays: ok" or diag $text, $one->log_text, HyperDerp::Test::slurp("$dir/derper.log");
    is scalar(() = $text =~ /^ok +\S+ +logged in; the relay's key is [0-9a-f]{8}$/mg), $n, 'a line for each';
    is scalar(() = $text =~ /^ok +\S+ -> \S+ +10 packets of 1400 bytes, one way p50 [\d.]+ max [\d.]+ ms$/mg), $ways,
        '... and for each way' or diag $text;
    like $text, qr/^mesh of $n relays: ok - @{[$n + $ways]} ok, 0 warnings, 0 failed, 0 skipped$/m, 'the sum';

    my $map = map_of(@relays);
    HyperDerp::Test::spew("$dir/map", encode_json($map));
    ($status, $text) = probe('-t', 60, '--json', '--map', "$dir/map");
    is $status, 0, 'by a DERP map: ok' or diag $text;
    my $json = eval { decode_json($text) } // {};
    my @way = grep { $_->{data}{from} } @{ $json->{checks} };
    is scalar(@way), $ways, '... --json has each way';
    is_deeply [sort keys %{ $way[0]{data} }], [qw(first_ms from max_ms p50_ms packets to)], '... with figures';
    is $json->{exit}, 0, '... and the exit status';

    my $node = $map->{Regions}{900}{Nodes}[0];
    HyperDerp::Test::spew("$dir/map.yaml", <<~"END");
        regions:
          900:
            nodes:
              - {hostname: 127.0.0.1, derpport: @{[$one->port]}, certname: "sha256-raw:@{['0' x 64]}"}
              - {hostname: localhost, ipv4: 127.0.0.1, derpport: @{[$two->port]}}
          901: {}
        END
    ($status, $text) = probe('-t', 60, '--map', "$dir/map.yaml", '--region-id', 900);
    is $status, 2, 'another pin in a map of Headscale: failed';
    like $text, qr/^FAIL +127\.0\.0\.1:\d+ +cert-chain: it is not the pinned one, but \Q$node->{CertName}\E$/m,
        '... and said' or diag $text;
    is verdict($text, 'localhost:' . $two->port), 'ok', '... the other one is well';
    $_->finish for $one, $two;
};

# Of three only two ways are open: who dials sends there.
subtest 'what is wrong' => sub {
    my ($one, $two) = (relay(no_tls => 1), relay(no_tls => 1));
    run_with($one);
    run_with($two, member($one));
    my ($a, $b) = (at($one), at($two));
    my ($status, $text) = probe('-t', 3, '--plain', $a, $b);
    is $status, 2, 'a link in one direction: failed';
    like $text, qr/^FAIL +\Q$a -> $b\E +nothing arrives: it says that nobody has the key\n +-> \Q$a\E must have a link to \Q$b\E:/m,
        'the way is named, and what to do' or diag $text;
    is verdict($text, "$b -> $a"), 'ok', '... the other way is fine' or diag $text, $two->log_text;

    my $nobody = '127.0.0.1:' . HyperDerp::Test::free_port();
    ($status, $text) = probe('--plain', '-t', 60, $nobody, $a, $a);
    is $status, 2, 'a relay that is down, and one that is named twice: failed';
    like $text, qr/^FAIL +\Q$nobody\E +tcp: .*refused/m, 'what is down is named';
    like $text, qr/^skip +\Q$nobody -> $a\E +no client at \Q$nobody\E$/m, '... and its ways are skipped';
    like $text, qr/^FAIL +\Q$a -> $a\E +both have the key [0-9a-f]{8}\n +-> is this one relay under two names/m,
        'two with one key are told';
    ($status, $text) = probe('--plain', '-q', '-t', 60, $nobody, $a);
    like $text, qr/\ADERP mesh of 2 relays: failed - [^\n]*\Q$nobody\E[^\n]*\n\z/, '--quiet: one line';
    $_->finish for $one, $two;
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/compose.t - contrib/oci: its files agree with each other, and Headscale
# and the relay do with them what contrib/oci/compose/README.md says, without an
# engine: one port for both, and a certificate for each from a test authority.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Children;
use HyperDerp::Pebble;
use HyperDerp::Test;

my ($headscale) = grep { -x } $ENV{HD_INTEROP_HEADSCALE} // (),
    glob(($ENV{XDG_CACHE_HOME} // "$ENV{HOME}/.cache") . '/hyper-derp-interop/headscale-*/headscale');
my $why = !$headscale ? 'no Headscale: TestHeadscale of t/interop builds it, or HD_INTEROP_HEADSCALE=PATH'
    : system('unshare -mn ip link set lo up >/dev/null 2>&1') ? 'names of its own need root and ip'
    : !HyperDerp::Pebble::program() ? 'pebble could not be built: it needs Go 1.26 and its module proxy' : '';
if (!$why && !$ENV{HD_COMPOSE_ROOM}) {
    local $ENV{HD_COMPOSE_ROOM} = 1;
    exec qw(unshare -mn sh -c), 'ip link set lo up && exec "$@"', 'sh', $^X, $0;
}

my $oci = "$HyperDerp::Test::srcdir/contrib/oci";
my %text = map { $_ => HyperDerp::Test::slurp("$oci/$_") }
    qw(Containerfile compose/compose.yaml compose/relay/hyper-derp.yaml compose/headscale/config.yaml compose/headscale/derp.yaml);
my $relay_yaml = $text{'compose/relay/hyper-derp.yaml'};
my $dir = File::Temp->newdir('hd-compose-XXXXXX', TMPDIR => 1);

# As the Compose specification names them; compose-go 2.16.2 has read the file, too.
my %keys = map { $_ => 1 } qw(image command restart read_only cap_drop cap_add security_opt tmpfs ports volumes
    stop_grace_period healthcheck networks);

subtest 'compose.yaml' => sub {
    plan skip_all => 'no YAML::XS: apt-get install libyaml-libyaml-perl' unless eval { require YAML::XS };
    my $file = YAML::XS::Load($text{'compose/compose.yaml'});
    is_deeply [sort keys %{ $file->{services} }], [qw(headscale relay)], 'two services';
    for my $name (qw(headscale relay)) {
        my $s = $file->{services}{$name};
        is_deeply [grep { !$keys{$_} } keys %$s], [], "$name: keys of the specification";
        ok $s->{read_only}, '... a root that is read-only';
        is_deeply $s->{cap_drop}, ['ALL'], '... without capabilities';
        ok $s->{healthcheck}{test}, '... a health check';
        my @from = map { m{^([^:]+):} } @{ $s->{volumes} };
        ok m{^\./} ? -d "$oci/compose/$_" : exists $file->{volumes}{$_}, "... $_ is there" for @from;
    }
    my %to = map { /^(\d+):(\d+)/ ? ($1 => $2) : () } @{ $file->{services}{relay}{ports} };
    my ($tls, $http, $stun) = @to{qw(443 80 3478)};
    like $relay_yaml, qr/"\[::\]:$tls", tls: true/, '443 leads to the listener with TLS';
    like $relay_yaml, qr/"\[::\]:$http", only: \[acme, captive_portal\]/, '80 to the one for certificates';
    like $relay_yaml, qr/^stun:\n  listen: "\[::\]:$stun"/m, '3478 to STUN';
    like $file->{services}{headscale}{image}, qr/:v\d+\.\d+\.\d+\z/, "Headscale's version is said";
    my ($tested) = HyperDerp::Test::slurp("$HyperDerp::Test::srcdir/t/interop/tailscaled/headscale_test.go")
        =~ /headscaleVersion = "(.*)"/;
    like $file->{services}{headscale}{image}, qr/:\Q$tested\E\z/, '... the one that is tested';
    my ($uid) = $text{Containerfile} =~ /^USER (\d+:\d+)$/m;
    is $uid, '3340:3340', 'the image runs as a number that is not 0';
    like $file->{services}{relay}{tmpfs}[0], qr/uid=3340,gid=3340/, '... whose the control socket is';
    is_deeply $file->{services}{headscale}{networks}{default}{aliases}, ['hs.example.net'], 'the relay finds Headscale';
};

subtest 'the image' => sub {
    like $text{Containerfile}, qr/^HEALTHCHECK .*\\\n\tCMD \["\/usr\/bin\/hdctl", "status"\]$/m, 'a health check';
    like $text{Containerfile}, qr/org\.opencontainers\.image\.$_=/, "label $_"
        for qw(title description licenses version revision created base.name);
    plan skip_all => 'no dpkg-query' if system 'command -v dpkg-query >/dev/null';
    local $ENV{SOURCE_DATE_EPOCH} = 0;
    my $sbom = qx($oci/sbom test);
    is $?, 0, 'sbom';
    like $sbom, qr/\ASPDXVersion: SPDX-2\.3\nDataLicense: CC0-1\.0\n/, '... is SPDX';
    like $sbom, qr/^Created: 1970-01-01T00:00:00Z$/m, '... of the date that is given';
    my $version = qx(dpkg-query -W -f '\${Version}' dpkg);
    like $sbom, qr/^PackageName: dpkg\nSPDXID: \S+\nPackageVersion: \Q$version\E$/m, '... has packages with their versions';
    my %seen;
    is_deeply [grep { $seen{$_}++ } $sbom =~ /^SPDXID: (\S+)$/mg], [], '... each with a name of its own';
    is scalar(() = $sbom =~ /^PackageName: /mg), scalar(() = qx(dpkg -l) =~ /^ii /mg), '... all that are installed';
};

subtest 'names' => sub {
    my @names = map { "$_.example.net" } qw(relay hs);
    like $relay_yaml, qr/^  hosts: \[$names[0]\]$/m, "the relay's certificate";
    like $text{'compose/headscale/derp.yaml'}, qr/hostname: "$names[0]"/, '... and entry';
    like $relay_yaml, qr/name: $names[1], to: "headscale:443"/, 'what is passed on to Headscale';
    like $text{'compose/headscale/config.yaml'}, qr{^server_url: https://$names[1]$}m, '... which is called so';
};

# Both programs with these files, where the names lead here.
subtest 'one port for both' => sub {
    plan skip_all => $why if $why;
    HyperDerp::Test::spew("$dir/hosts", "127.0.0.1 localhost relay.example.net\n127.0.0.2 headscale hs.example.net\n");
    my $ca = HyperDerp::Pebble->start(http => 8080, tls => 8443);
    HyperDerp::Test::spew("$dir/ca.pem", HyperDerp::Test::slurp($ca->{crt}) . HyperDerp::Test::slurp($ca->root));
    for (['hosts', '/etc/hosts'], ['ca.pem', '/etc/ssl/certs/ca-certificates.crt']) {
        system('mount', '--bind', "$dir/$_->[0]", $_->[1]) == 0 or die "mount $_->[1]";
    }
    $ENV{SSL_CERT_FILE} = "$dir/ca.pem";

    my $hd = HyperDerp::Test->new(no_tls => 1);
    $hd->{file} = "$hd->{dir}/hyper-derp.yaml";
    $hd->{log}  = "$hd->{dir}/log";
    my $backend = $ENV{HD_EVENT_BACKEND} // 'auto';
    HyperDerp::Test::spew($hd->{file}, $relay_yaml =~ s/^(  accept_tos: true).*$/$1\n  directory: "@{[$ca->url]}"/mr
            =~ s{/var/lib/hyper-derp}{$hd->{dir}}r . <<~"END");
        module_path: [$HyperDerp::Test::build/modules.d]
        control: {socket: $hd->{dir}/control.sock}
        event_backend: $backend
        workers: 1
        END
    $hd->run;
    ok $hd->ready(8443), 'the relay starts' or BAIL_OUT($hd->log_text);

    my $conf = HyperDerp::Test::spew("$dir/config.yaml", $text{'compose/headscale/config.yaml'}
            =~ s{/etc/headscale/}{$oci/compose/headscale/}gr =~ s{/var/(?:lib|run)/headscale/}{$dir/}gr
            =~ s{^listen_addr: .*}{listen_addr: 127.0.0.2:443\nacme_url: @{[$ca->url]}}mr);
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$dir/headscale.log";
        open STDERR, '>&', \*STDOUT;
        exec $headscale, '-c', $conf, 'serve' or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    my $log = sub { HyperDerp::Test::slurp("$dir/headscale.log") };
    ok HyperDerp::Test::wait_for(sub { system("$headscale -c $conf health >$dir/health 2>&1") == 0 }),
        'Headscale takes its file, and is healthy' or diag $log->(), HyperDerp::Test::slurp("$dir/health");

    my $said = '';
    my $health = HyperDerp::Test::spew("$dir/request", "GET /health HTTP/1.0\r\nHost: hs.example.net\r\n\r\n");
    ok HyperDerp::Test::wait_for(sub {
        $said = qx(openssl s_client -quiet -ign_eof -verify_return_error -verify_hostname hs.example.net \\
            -servername hs.example.net -connect 127.0.0.1:8443 <$health 2>&1);
        return $said =~ /"status":"pass"/;
    }), "... behind the relay's port, with a certificate that it got through it" or diag $said, $log->(), $hd->log_text;
    ok HyperDerp::Test::wait_for(sub { $hd->ctl('acme', 'status') =~ /^certificate +(?:true|yes)/m }),
        'the relay has its own' or diag $hd->ctl('acme', 'status'), $hd->log_text;
    $said = qx($HyperDerp::Test::build/hdprobe --known-only relay.example.net:8443 2>&1);
    like $said, qr/^skip  login +the relay refuses a key that it does not know/m, 'it asks Headscale who may come in' or diag $said;
    like $log->(), qr{path=/verify .*status=200}, '... who answers' or diag $log->(), $hd->log_text;
    $hd->finish;
};

done_testing;

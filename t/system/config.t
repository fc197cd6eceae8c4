# SPDX-License-Identifier: MIT
# t/system/config.t - the daemon's configuration from outside: -t, -T, the
# example file, flags, --dev, includes and reload.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Test;
use IPC::Open3;

my ($build, $srcdir) = ($HyperDerp::Test::build, $HyperDerp::Test::srcdir);
my $hd   = HyperDerp::Test->new(no_tls => 1);
my $dir  = $hd->dir;
my $mods = "module_path: [$build/modules.d]\nstate_dir: $dir\n";

# Returns exit status, standard output, standard error.
sub daemon (@args) {
    my $pid = open3(my $in, my $out, my $err = Symbol::gensym(), "$build/hyper-derp", @args);
    close $in;
    my ($o, $e) = map { local $/; readline($_) // '' } $out, $err;
    waitpid $pid, 0;
    return ($? >> 8, $o, $e);
}

my $n = 0;
sub file ($text) { return HyperDerp::Test::spew("$dir/" . ++$n . '.yaml', $text) }

subtest 'check' => sub {
    for my $flag ('-t', '--check-config') {
        my ($code, $out) = daemon($flag, '-c', file($mods));
        is $code, 0, "$flag: a good file";
        is $out, "the configuration is good\n", 'says so';
    }
    my $file = file("$mods\nwrokers: 2\n");
    my ($code, $out, $err) = daemon('-t', '-c', $file);
    is $code, 78, 'a wrong file: exit 78';
    like $err, qr/\Q$file\E:4: unknown key `wrokers`; did you mean `workers`\?/, 'and the place';
    ($code, $out, $err) = daemon('-t', '-c', file("${mods}derp: {keepalive: 5h}\n"));
    is $code, 78, 'a wrong option of a module: exit 78';
    like $err, qr/:3: `keepalive: 5h` is out of range: 1s to /, 'and the place';
    ($code, $out, $err) = daemon('-c', "$dir/none.yaml");
    is $code, 78, 'no file: exit 78';
    like $err, qr/cannot read the configuration .*none\.yaml: No such file/, 'and why';
};

subtest 'print' => sub {
    my $conf = file("${mods}port: 1234\nwrite_timeout: 90s\nstun: {listen: '127.0.0.1:1'}\n");
    my ($code, $once) = daemon('-T', '-c', $conf);
    is $code, 0, '-T';
    like $once, qr/^  - \{addr: "\[::\]:1234", tls: false\}$/m, 'the short form is written out';
    like $once, qr/^drain_time: 30s$/m, 'defaults are there';
    like $once, qr/^stun:\n  listen: "127\.0\.0\.1:1"$/m, 'modules are there';
    my (undef, $twice) = daemon('-T', '-c', file($once));
    is $twice, $once, 'what it prints means the same';
    my (undef, $flags) = daemon('-T', '-c', $conf, qw(--port 99 --workers 3 --log-level error
            --event-backend epoll --state-dir /x));
    for my $want ('  - {addr: "[::]:99", tls: false}', 'workers: 3', '  level: error',
        'event_backend: epoll', 'state_dir: /x') {
        like $flags, qr/^\Q$want\E$/m, "a flag overrides: $want";
    }
};

subtest 'dev' => sub {
    local $ENV{XDG_STATE_HOME} = "$dir/xdg";
    my ($code, $out) = daemon('--dev', '-T');
    is $code, 0, '--dev -T';
    for my $want ('  - {addr: "127.0.0.1:3340", tls: true}', "state_dir: $dir/xdg/hyper-derp-dev",
        '  listen: "127.0.0.1:3478"', "module_path: [$build/modules.d]") {
        like $out, qr/^\Q$want\E$/m, $want;
    }
    ($code, $out) = daemon('--dev', '-T', '-c', file("listen: ['127.0.0.1:7']\nworkers: 2\n"));
    like $out, qr/^listen:\n  - \{addr: "127\.0\.0\.1:7", tls: false\}\nload/m, 'a file wins';
};

subtest 'example' => sub {
    my ($code, $example, $warned) = daemon('--print-example');
    is $code, 0, '--print-example';
    is $warned, '', '... warns of nothing, as nobody runs it';
    my $kept = HyperDerp::Test::slurp("$srcdir/contrib/hyper-derp.yaml.example");
    my ($etc) = (daemon('--help'))[1] =~ m{instead of (\S+)/hyper-derp/hyper-derp\.yaml};
    # these are the prefix's
    s{^#module_path: .*}{}m, s{\Q$etc\E/hyper-derp/}{/etc/hyper-derp/}g for $example, $kept;
    is $kept, $example, 'contrib/hyper-derp.yaml.example is what it prints';

    # Each page has all of its part and nothing else.
    my ($core, %part) = split /^# ---- module (\w+) ----\n/m, $example;
    is_deeply [sort keys %part], [qw(acme derp fallback hd hd_xdp mesh mesh_nats metrics policy stun wg)], 'the modules of this tree';
    my %page = (
        'hyper-derp.yaml.5'     => $core . $part{derp} . $part{stun},
        'hyper-derp-acme.8'     => $part{acme},
        'hyper-derp-fallback.8' => $part{fallback},
        'hyper-derp-hd.8'       => $part{hd},
        'hyper-derp-hd-xdp.8'   => $part{hd_xdp},
        'hyper-derp-mesh.8'     => $part{mesh},
        'hyper-derp-mesh-nats.8' => $part{mesh_nats},
        'hyper-derp-metrics.8'  => $part{metrics},
        'hyper-derp-policy.8'   => $part{policy},
        'hyper-derp-wg.8'       => $part{wg}
    );
    for my $page (sort keys %page) {
        my @keys = $page{$page} =~ /^#(?:  )?(?!wg:|acme:|fallback:|hd:|hd_xdp:|mesh:|mesh_nats:|metrics:|policy:)(\w+):/mg;
        push @keys, 'module_path' if $page =~ /yaml/;
        my $man = HyperDerp::Test::slurp("$srcdir/doc/man/$page.scd") =~ s/.*^# OPTIONS$(.*?)^# .*/$1/smr;
        my %has = map { $_ => 1 } $man =~ /(?:^\t*|, )\*(\w+)(?::\*|\*:)/mg;
        is_deeply [grep { !$has{$_} } @keys], [], "$page has every key of " . @keys;
        my %known = map { $_ => 1 } @keys;
        is_deeply [grep { !$known{$_} } sort keys %has], [], "$page: and no other";
    }

    # Without those that exclude each other or name files.
    $example =~ s/^#(?:include|listen|port|tls_\w+|log_level|  certificates):.*//mg;
    my $all = 'load_module: [derp, stun, fallback, hd, hd_xdp, acme, mesh, mesh_nats, metrics, policy, wg]';
    $example =~ s/^#load_module: .*/#$all/m;
    my @lines = map { s/^#//r } grep { /^#(?:  )?\w+:/ } split /\n/, $example;
    my (undef, $default) = daemon('-T', '-c', file("$mods$all\n"));
    ($code, my $out, my $err) = daemon('-T', '-c', file(join "\n", @lines, "module_path: [$build/modules.d]"),
        '--state-dir', $dir);
    is $out, $default, 'every default is what is used without it' or diag $err;
    like $out, qr/^wg:\n.*^  search_rate: 4000000$/ms, 'those of wg, too';
};

subtest 'include and reload' => sub {
    mkdir "$dir/on";
    HyperDerp::Test::spew("$dir/on/a.yaml", "write_timeout: 3s\nload_module: [stun]\n");
    my $r = HyperDerp::Test->start(no_tls => 1, load_module => ['derp'],
        conf => qq(include: $dir/on/*.yaml\nstun: {listen: "127.0.0.1:$hd->{stun}"}\n));
    my $alice = $r->client;

    HyperDerp::Test::spew("$dir/on/a.yaml", "write_timeout: 4s\nload_module: [stun]\n");
    $r->signal('HUP');
    ok $r->log_like(qr/configuration reloaded/), 'a live option';

    HyperDerp::Test::spew("$dir/on/a.yaml", "\noutput_limit: 5\nload_module: [stun]\n");
    $r->signal('HUP');
    ok $r->log_like(qr{on/a\.yaml:2: `output_limit: 5` is out of range}), 'a wrong file is refused';

    HyperDerp::Test::spew("$dir/on/a.yaml", "load_module: [stun]\nsqpoll: true\n");
    $r->signal('HUP');
    ok $r->log_like(qr{on/a\.yaml:2: `sqpoll` has changed, which needs a restart}),
        'and so is one that needs a restart';
    $alice->ping('12345678');
    ok $alice->expect(qr/^pong/), 'the connection did not notice';
    $r->finish;
};

done_testing;

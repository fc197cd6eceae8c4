#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/status.t - the status page: what it is told, and what a browser
# shows. HD_LONG: 10,000 peers. t/bench/status-page makes pictures of it.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Browser;
use HyperDerp::Metrics;
use HyperDerp::Raw;
use HyperDerp::Test;
use JSON::PP ();

my $port = HyperDerp::Test::free_port();
my $hostile = q(<svg/onload=alert(1)>"'</script>);

sub conf ($on) { return "metrics: {port: $port, status_page: $on}\n" }

sub status () {
    my $r = get($port, '/status.json');
    return $r->{status} == 200 ? HyperDerp::Metrics::json($r->{body}) : undef;
}

my $busy = sub ($s) { scalar grep { $_ > 10_000 } @{ $s->{history}{recv_bytes} } };

# Until an answer satisfies; the first one of a worker has no peers yet.
sub status_with ($cond) {
    my $s;
    HyperDerp::Test::wait_for(sub { $s = status(); return $s && $s->{peers} && $cond->($s) }, 30);
    return $s;
}

my $hd = HyperDerp::Test->start(load_module => [qw(derp stun metrics)], conf => conf('false'));

subtest 'off' => sub {
    is get($port, $_)->{status}, 404, $_ for qw(/status /status.json);
    my $index = get($port, '/');
    is $index->{status}, 200, '/ says what there is';
    is get($port, $_)->{status}, 200, "... $_" for $index->{body} =~ m{^(/\w+) (?!.*is off)}mg;
    $hd->{conf} = conf('true');
    $hd->write_conf;
    $hd->ctl('reload');
    my $root = get($port, '/');
    is "$root->{status} " . ($root->{head} =~ /^Location: (.*)\r$/m ? $1 : ''), '302 status', '/ leads to the page';
    is get($hd->{plain}, '/')->{head} =~ /^Location:/m ? 1 : 0, 0, '... not on the port of the relay';
    is get($port, $_)->{status}, 200, "$_ after a reload" for qw(/status /status.json);
    is get($hd->{plain}, '/status')->{status}, 404, 'not on the port of the relay';
};

subtest 'the page' => sub {
    my $r = get($port, '/status');
    is $r->{type}, 'text/html; charset=utf-8', 'HTML';
    my ($policy) = $r->{head} =~ /^Content-Security-Policy: (.*)\r$/m;
    my ($nonce) = $policy =~ /script-src 'nonce-([0-9a-f]{32})'/;
    is $policy, "default-src 'none'; style-src 'nonce-$nonce'; script-src 'nonce-$nonce'; connect-src 'self'; "
        . "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", 'its policy';
    is_deeply [$r->{body} =~ /<(?:script|style)\b([^>]*)>/g], [(qq( nonce="$nonce")) x 2], 'what may run';
    isnt get($port, '/status')->{head} =~ /nonce-(\w+)/ ? $1 : '', $nonce, '... is named anew each time';
    is_deeply [$r->{body} =~ m{\b(?:src|href)="(?!data:)([^"]*)"}g], [], 'nothing from elsewhere';
    unlike $r->{body}, qr/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b/, 'texts stay texts';
    unlike $r->{body}, qr/\@(?:NONCE|STYLE|SCRIPT)\@/, 'whole';
    like $r->{head}, qr/^X-Content-Type-Options: nosniff\r$/m, 'no guessing';
};

my $login = HyperDerp::Raw::logins($hd, 1, JSON::PP::encode_json({ version => 2, appName => $hostile }));
my $mallory = HyperDerp::Raw->login($hd, $login);
my ($alice, $bob) = map { $hd->client } 1 .. 2;
$alice->fill($bob->key, 1000, 100);
$bob->packet for 1 .. 100;
$alice->fill('cd' x 32, 100, 7);
$alice->ping('12345678');
$alice->expect(qr/^pong/);

subtest 'what it is told' => sub {
    my $s = status_with(sub ($s) {
        return @{ $s->{peers} } == 3 && $busy->($s) && grep { $_->{packets} == 7 } @{ $s->{drops} };
    });
    is $s->{now}{peers}, 3, 'peers';
    my %peer = map { $_->{key} => $_ } @{ $s->{peers} };
    cmp_ok $peer{$alice->key}{bytes_in}, '>', 100_000, 'Alice sends';
    cmp_ok $peer{$bob->key}{bytes_out}, '>', 100_000, 'Bob receives';
    is $peer{$mallory->key}{proto}, 'derp', 'protocol';
    is $s->{peers}[2]{key}, $mallory->key, 'who has least comes last';
    like $peer{$mallory->key}{addr}, qr/^127\.0\.0\.1:\d+$/, 'address';
    is $peer{$mallory->key}{agent}, $hostile, 'name, as it is';
    my %drops = map { $_->{reason} => $_->{packets} } @{ $s->{drops} };
    is $drops{unknown_dest}, 7, 'drops by reason';
    is_deeply [map { $_->{worker} } @{ $s->{workers} }], [0, 1], 'workers';
    is $s->{workers}[0]{peers} + $s->{workers}[1]{peers}, 3, '... and their peers';
    ok scalar(grep { $_->{name} eq 'metrics' } @{ $s->{modules} }), 'modules';
    is $s->{certificates}[0]{names}, 'localhost,127.0.0.1', 'certificates';
    ok abs($s->{certificates}[0]{left_s} - 30 * 86400) < 3600, '... and what is left of them';
    ok $busy->($s), 'the history has the traffic of before';
    is $s->{history}{peers}[-1], 3, '... and the peers';
};

subtest 'the module is reloaded' => sub {
    built_in('metrics');
    my $samples = sub ($s) { scalar @{ $s->{history}{peers} } };
    my $before = status();    # a round is under way now
    is $hd->ctl(qw(module reload metrics)) =~ /refused|error/i ? 'refused' : 'done', 'done', 'reload';
    my $s = status_with(sub ($s) { @{ $s->{peers} } == 3 });
    cmp_ok $samples->($s), '>=', $samples->($before) - 1, 'the history is kept';
    ok $busy->($s), '... with the traffic of before';
    is scalar(@{ $s->{peers} }), 3, 'peers are asked anew';
};

# What the page makes of answers that the test wrote, in one go: what the relay
# says meanwhile cannot come between.
my $tables = <<'JS';
(() => {
    const peer = (id, agent, bytes, addr, name = "", tenant = "") => ({ id, agent, addr, name, tenant, key: id.repeat(32), proto: "derp",
        seconds: 5, bytes_in: bytes, bytes_out: 0, drops: 0 });
    const answer = (t, peers) => ({ time: t, peers_time: t, step_s: 2, history_size: 150, peers,
        relay: { version: "", commit: "", backend: "", state: "serving", uptime_s: t },
        now: { peers: peers.length, streams: 0 }, drops: [{ reason: "x", packets: t, disco: 0 }],
        history: Object.fromEntries(["recv_bytes", "send_bytes", "recv_packets", "send_packets", "drops",
            "logins", "peers"].map((n) => [n, []])),
        workers: [{ worker: 7, peers: 1, streams: 1, recv_bytes: 0, recv_packets: 0 }],
        modules: [], certificates: [] });
    const column = (id, n) => [...document.querySelectorAll(`#${id} tbody tr`)].map((r) => r.cells[n]?.textContent);
    const click = (n) => document.querySelectorAll("#peers th button")[n].click();
    const find = (text) => {
        const e = document.querySelector("#peers-search");
        e.value = text;
        e.dispatchEvent(new Event("input"));
        return column("peers", 0);
    };
    const said = {};
    show(answer(1e6, [peer("aa", "", 9, "10.0.0.2:1"), peer("cc", "", 7, "10.0.0.3:1"), peer("bb", "", 8, "10.0.0.1:1")]));
    said.first = [column("peers", 2)[0], column("workers", 3)[0], column("drops", 3)[0],
        document.querySelectorAll("#tiles b")[1].textContent];
    said.name_hidden = [1, 10, 11].every((i) => document.querySelectorAll("#peers th")[i].hidden) && document.querySelector("#peers td.cut").hidden;
    show(answer(1e6 + 2, [peer("aa", "", 9, "10.0.0.2:1"), peer("cc", "", 1e6 + 7, "10.0.0.3:1"), peer("bb", "phone", 500008, "10.0.0.1:1", "Bob's phone", "office"),
        peer("dd", "", 6, "10.0.0.4:1")]));
    said.second = column("peers", 2);
    said.name_shown = [1, 10, 11].every((i) => !document.querySelectorAll("#peers th")[i].hidden);
    said.names = [column("peers", 1)[2], column("peers", 10)[2]];
    said.relays = column("peers", 0);
    click(2);
    said.most = column("peers", 0);
    said.sorted = document.querySelectorAll("#peers th")[2].getAttribute("aria-sort");
    click(2);
    said.least = column("peers", 0);
    click(2);
    said.back = column("peers", 0);
    click(0);
    said.by_key = column("peers", 0);
    said.phone = find("PHONE");
    said.bob = find("bob's");
    said.office = find("OFFICE");
    said.address = find("0.0.3:1");
    said.key = find("aaaaaaaaaaaaaaaaaaaa");
    said.nothing = find("nobody");
    find("");
    click(0);
    click(0);
    return said;
})()
JS

subtest 'a browser' => sub {
    plan skip_all => 'Chromium is missing: apt-get install chromium' unless HyperDerp::Browser::program();
    plan skip_all => 'the plain build is looked at' if HyperDerp::Test::sanitized();
    my $page = eval { HyperDerp::Browser->open("http://127.0.0.1:$port/status") };
    plan skip_all => "Chromium does not start here: $@" unless $page;
    ok $page->wait_for('document.querySelectorAll("#peers tbody td.key8").length === 3'), 'peers appear';
    is_deeply [sort $page->texts('#peers td.key8')], [sort map { substr $_->key, 0, 8 } $alice, $bob, $mallory],
        'their keys';
    ok scalar(grep { $_ eq $hostile } $page->texts('#peers td.cut')),
        'a hostile name is shown';
    is $page->eval('document.querySelectorAll("td *").length'), 0, '... not made an element';
    ok $page->wait_for('document.querySelector("#live").textContent === "live"'), 'live';
    is_deeply [$page->texts('#state')], ['serving'], 'serving';
    my $tile = 'document.querySelector("#tiles b")';
    is $page->eval("$tile.textContent"), '3', 'the number of peers';
    my $carol = $hd->client;
    ok $page->wait_for("$tile.textContent === '4'"), '... follows';
    ok $page->wait_for('document.querySelector("#plots path.c0:not(.area)").getAttribute("d").length > 20'),
        'plots have lines';
    my $in = 'document.querySelectorAll("#tiles b")[1].textContent';
    ok HyperDerp::Test::wait_for(sub {
        $alice->fill($bob->key, 1200, 200);
        $bob->packet for 1 .. 200;
        return $page->eval($in) =~ /[km]bit/i;
    }, 30), 'rates move with traffic';
    ok $page->wait_for('[...document.querySelectorAll("#drops td")].some((e) => e.textContent === "unknown_dest")'),
        'drops by reason';
    is scalar($page->texts('#workers tbody tr')), 2, 'workers';
    my $key = sub (@letters) { [map { $_ x 8 } @letters] };
    is_deeply $page->eval($tables), {
        first => [("\x{2013}") x 4], second => ['0 bit/s', '4.00 Mbit/s', '2.00 Mbit/s', "\x{2013}"],
        name_hidden => JSON::PP::true, name_shown => JSON::PP::true, sorted => 'descending',
        relays => $key->(qw(a c b d)), most => $key->(qw(c b a d)), least => $key->(qw(a b c d)),
        back => $key->(qw(a c b d)), by_key => $key->(qw(a b c d)),
        phone => $key->('b'), bob => $key->('b'), office => $key->('b'), names => [q(Bob's phone), 'office'], address => $key->('c'), key => $key->('a'), nothing => ['None of the 4 shown here fits.'],
    }, 'rates need two samples; tables are sorted, searched; an empty column is hidden';
    my $seen = '[...document.querySelectorAll("#peers th")].filter((e) => !e.hidden && '
        . 'e.getBoundingClientRect().right <= e.closest(".scroll").getBoundingClientRect().right + 1).map((e) => e.textContent)';
    for ([1280, 'light'], [1280, 'dark'], [390, 'dark'], [390, 'light']) {
        my ($width, $scheme) = @$_;
        $page->size($width, 900, mobile => $width < 500);
        $page->scheme($scheme);
        cmp_ok $page->eval('document.documentElement.scrollWidth'), '<=', $width, "$scheme, fits $width";
        my %seen = map { $_ => 1 } @{ $page->eval($seen) };
        ok $seen{Key} && $seen{In} && $seen{Out}, '... the rates of peers too';
    }
    isnt $page->eval('getComputedStyle(document.body).backgroundColor'),
        do { $page->scheme('dark'); $page->eval('getComputedStyle(document.body).backgroundColor') },
        'dark is another colour';
    # at once: the plots are drawn anew each second
    like $page->eval('document.querySelector("#plots svg").dispatchEvent(new PointerEvent("pointermove", { clientX: 40 })), '
            . 'document.querySelector("figcaption .when").textContent'), qr/ ago$/, 'the pointer asks a plot';
    is_deeply [$page->complaints], [], 'no complaint in the console';
    is $page->dialogs, 0, 'no dialog';
    is_deeply [grep { !m{^(?:http://127\.0\.0\.1:$port/status(?:\.json)?$|data:)} } $page->urls], [],
        'nothing is loaded from elsewhere';
    $carol->quit;
    $page->quit;
};

subtest 'many peers' => sub {
    my $n = $ENV{HD_LONG} ? 10_000 : 300;
    my $have = `sh -c 'ulimit -n'`;
    chomp $have;
    plan skip_all => "$n peers need more than $have descriptors" if $have < $n + 500;
    my @many = map { HyperDerp::Raw->start($hd, $_) } HyperDerp::Raw::logins($hd, $n);
    $_->admitted or die 'no login' for @many;
    $many[17]->send($many[18]->key, 'x' x 60_000) for 1 .. 10;
    $many[17]->ping or die;
    my %two = map { $_->key => 1 } @many[17, 18];
    my $first = sub ($s) { scalar grep { $_ && $two{ $_->{key} } } @{ $s->{peers} }[0 .. 3] };
    my $s = status_with(sub ($s) { $s->{now}{peers} == $n + 3 && $first->($s) == 2 });
    is $s->{now}{peers}, $n + 3, "$n more";
    is scalar(@{ $s->{peers} }), 50, 'fifty are shown';
    is $first->($s), 2, 'those with most bytes first, of all workers';
    cmp_ok length(get($port, '/status.json')->{body}), '<', 50_000, 'an answer stays small';
    $_->close for @many;
};

$_->quit for $alice, $bob;
$hd->finish;
done_testing;

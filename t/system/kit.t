#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/kit.t - a module outside the tree, built with nothing but what `make
# install` leaves: contrib/example-chat, and what `hdctl module new` writes.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp;
use HyperDerp::Live;
use HyperDerp::Test;

my ($src, $build) = ($HyperDerp::Test::srcdir, $HyperDerp::Test::build);
my $tmp = File::Temp->newdir('hd-kit-XXXXXX', TMPDIR => 1);

sub spew { goto &HyperDerp::Test::spew }

# Output of a command; its failure fails the test.
sub sh ($name, $cmd) {
    my $out = qx{($cmd) 2>&1};
    ok($? == 0, $name) || diag "$cmd\n$out";
    return $out;
}

# The caller is a part of `make check`: its flags are not for this make.
delete @ENV{qw(MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES)};
delete $ENV{PERL5LIB};
plan skip_all => 'pkg-config is missing' unless qx{pkg-config --version 2>/dev/null};
sh 'make install', "make -s -C $build install DESTDIR=$tmp/root";
my ($pc) = split /\n/, qx{find $tmp/root -name pkgconfig};
ok $pc && -e "$pc/hyper-derp.pc", 'hyper-derp.pc is installed';
# The tree was moved after it was configured: paths follow the .pc file.
$ENV{PKG_CONFIG_PATH} = $pc;
mkdir "$tmp/bin";
chomp(my $pkg_config = qx{which pkg-config});
spew("$tmp/bin/pkg-config", "#!/bin/sh\nexec $pkg_config --define-prefix \"\$@\"\n");
chmod 0755, "$tmp/bin/pkg-config";
$ENV{PATH} = "$tmp/bin:$ENV{PATH}";
my $make = "make CFLAGS='-O2 -g -Wall -Wextra -Wshadow -Wformat=2 -Werror'";

sub variable ($name) {
    chomp(my $v = qx{pkg-config --variable=$name hyper-derp});
    return $v;
}

# A member of the chat.
sub member ($hd, $name) {
    my $s = $hd->socket;
    print {$s} "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n$name\n";
    hear($s) for 1 .. 4;    # the head of the answer
    return $s;
}

sub hear ($s) {
    local $SIG{ALRM} = sub { die "nothing to hear\n" };
    alarm 30;
    my $line = eval { readline $s } // 'nothing';
    alarm 0;
    $line =~ s/\r?\n\z//;
    return $line;
}

sub say_to ($s, $line) { return print {$s} "$line\n" }

sub metric_now ($hd, $name) {
    return ctl($hd, qw(module status chat))->{data}[0]{counters}{$name};
}

subtest 'what is installed' => sub {
    ok -d variable('moduledir'), 'moduledir exists';
    my $h = HyperDerp::Test::slurp("$src/include/hyper-derp/module.h");
    my ($major, $minor) = map { $h =~ /^#define HD_ABI_$_ (\d+)$/m } qw(MAJOR MINOR);
    is variable('abi'), "$major.$minor", 'abi is that of module.h';
    like $h, qr/^ \* \Q$major.$minor\E  \w/m, '... which module.h explains';
    ok -x variable('relay'), 'relay is a program';
    like qx{find $tmp/root -name hyper-derp.m4}, qr{/share/aclocal/}, 'the m4 macro';
};

# What the guide's code takes for granted.
my %known = (
    more_load => 'int more_load(struct hd_module *m, struct hd_error *e);',
    room_options => 'extern const struct hd_option room_options[]; struct room { int x; };'
        . ' struct good_conf { HD_ENTRIES_OF(struct room) rooms; };',
    set_limit => 'hd_post_fn set_limit; extern uint16_t realm; extern struct hd_key key; extern void *limit;',
    accept_origin => 'int accept_origin(struct hd_module *m, struct hd_request *r); extern const struct hd_proto proto;',
    link_numbers => 'struct link_numbers { struct hd_counter bytes; }; extern const struct hd_metric link_metrics[];',
    'series =' => 'extern struct hd_family *links; extern struct s { struct hd_series series; } *state;'
        . ' extern const char *name; extern size_t len;',
    'struct mine' => 'extern int r; extern struct hd_error *err; extern const struct hd_admission *who;',
    'struct chain)' => 'struct chain { int x; }; size_t chain_data(struct hd_module *m, struct hd_stream *s,'
        . ' void *state, uint8_t *p, size_t n); void chain_closed(struct hd_module *m, struct hd_stream *s, void *state, enum hd_close why);',
    chain_conf => 'struct chain_conf { const char *host, *ca_file, *pin; }; extern const struct hd_proto chain_proto;'
        . ' static hd_dial_fn on_link; void again_later(struct hd_module *m, struct hd_worker *w);',
    room_is_of => 'struct room { struct room *next; char name[8]; uint64_t since_ms; };'
        . ' struct chat_worker { struct room *rooms; }; bool room_is_of(struct room *r, struct hd_worker *w);'
        . ' int room_add(struct hd_module *m, struct hd_worker *w, struct room *r);',
    each_limit => 'struct limits { unsigned n; struct { struct hd_key key; uint64_t bytes; } *v; };',
);

# As declarations, as statements, or as a row of options.
sub compiles ($code) {
    chomp(my $flags = qx{pkg-config --cflags hyper-derp});
    my $top = join "\n", (map { "#include <hyper-derp/$_>" }
            map { s{.*/}{}r } grep { !/derp\.h$/ } glob "$src/include/hyper-derp/*.h"),
        '#include <stdlib.h>', map { $known{$_} } grep { index($code, $_) >= 0 } sort keys %known;
    for my $all ($code, "void f(struct hd_module *mod, struct hd_worker *w, struct hd_stream *s);\n"
            . "void f(struct hd_module *mod, struct hd_worker *w, struct hd_stream *s) {\n$code}",
        "const struct hd_option o[] = {\n$code};") {
        spew("$tmp/block.c", "$top\n$all\n");
        return 1 if system("cc $flags -Werror=implicit-function-declaration -Werror=implicit-int -fsyntax-only $tmp/block.c 2>/dev/null") == 0;
    }
    return 0;
}

# A module's metrics: what does not fit the field is an error, not a warning.
subtest 'what does not compile' => sub {
    chomp(my $flags = qx{pkg-config --cflags hyper-derp});
    my $compiles = sub ($body) {
        spew("$tmp/metric.c", "#include <hyper-derp/metric.h>\nstruct n { struct hd_counter c; struct hd_gauge g; "
            . "struct hd_histogram h; uint64_t u; };\n#define ROW(f) HD_METRIC(struct n, f, \"x\", NULL, \"x\")\n$body\n");
        return system("cc $flags -fsyntax-only $tmp/metric.c 2>/dev/null") == 0;
    };
    my $f = 'void f(struct n *n); void f(struct n *n) { %s; }';
    for ('hd_count(&n->c, 1)', 'hd_gauge_add(&n->g, -1)', 'hd_gauge_set(&n->g, -1)', 'hd_observe(&n->h, 1)') {
        ok $compiles->(sprintf $f, $_), "$_ does";
    }
    for ('hd_count(&n->g, 1)', 'hd_count(&n->h, 1)', 'hd_count(&n->u, 1)', 'hd_gauge_add(&n->c, 1)',
        'hd_gauge_set(&n->h, 1)', 'hd_observe(&n->c, 1)', 'hd_observe(&n->g, 1)') {
        ok !$compiles->(sprintf $f, $_), $_;
    }
    ok $compiles->("struct hd_metric m[] = { ROW($_), HD_METRIC_END };"), "a row for $_" for qw(c g h);
    ok !$compiles->('struct hd_metric m[] = { ROW(u) };'), 'a row for a plain number';
};

subtest 'the guide' => sub {
    my $guide = HyperDerp::Test::slurp("$src/doc/guides/module-guide.md");
    my $c = HyperDerp::Test::slurp("$src/contrib/example-chat/chat.c");
    is $guide =~ /\((\d+) with comments/ ? $1 : 0, $c =~ tr/\n//, 'says how long the example is';
    # Its C is that of an example, with lines `...` for what is left out, or compiles.
    my $examples = join ' ', map { HyperDerp::Test::slurp($_) =~ s/\s+/ /gr }
        "$src/contrib/example-chat/chat.c", glob "$src/t/lib/modules/*.[ch]";
    my @code = grep { /[;{,]$/m && /\b(?:hd_|HD_|struct )/ && !/^(?:cc|hdctl) /m }
        map { s/^    //gmr } $guide =~ /((?:^    .*\n|^\n(?=    ))+)/mg;
    cmp_ok @code, '>', 15, 'shows code';
    my $quoted = 0;
    for my $code (@code) {
        my @parts = map { s/\s+/ /gr =~ s/^ | $//gr } split /^ *\.\.\.\n/m, $code;
        my $is_quote = !grep { index($examples, $_) < 0 } @parts;
        $quoted += $is_quote;
        ok $is_quote || compiles($code), 'true code: ' . ($code =~ /\A\n*(.*)/)[0] or diag $code;
    }
    cmp_ok $quoted, '>', 8, 'most of it is quoted';
    ok !compiles('hd_no_such_function(mod);'), 'what is wrong does not compile';
    ok -e "$src/$_", "$_ is there" for map { /\// ? $_ : $_ eq 'chat.c' ? "contrib/example-chat/$_" : "t/lib/modules/$_" }
        grep { !m{^(?:\w+|hyper-derp/\w+)\.h$} || /^judge/ } $guide =~ /`((?:\w+\/)*\w+\.[ch])`/g;
};

# The examples are packaged: they need no more than what is installed.
subtest 'the examples' => sub {
    my $list = HyperDerp::Test::slurp("$src/contrib/debian/hyper-derp-dev.examples");
    my @files = grep { /\.c$/ } split /\n/, $list;
    cmp_ok @files, '>', 5, 'some are packaged';
    my $spec = HyperDerp::Test::slurp("$src/contrib/rpm/hyper-derp.spec.in");
    ok index($spec, $_) >= 0, "$_: RPM has it, too" for split /\n/, $list;
    chomp(my $flags = qx{pkg-config --cflags hyper-derp});
    sh "$_ compiles", "cp $src/t/lib/modules/*.[ch] $tmp && cd $tmp && cc $flags -fsyntax-only " . s{.*/}{}r
        for @files;
};

subtest 'the example' => sub {
    cmp_ok HyperDerp::Test::slurp("$src/contrib/example-chat/chat.c") =~ tr/\n//, '<=', 165,
        'a protocol and a hook in 165 lines';
    my $dir = "$tmp/chat";
    sh 'a clean folder', "cp -R $src/contrib/example-chat $dir && chmod -R u+w $dir";
    sh 'it builds', "$make -C $dir";
    my $so = "$dir/chat.so";
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp', $so],
        conf => "chat: {packet_max: 1000}\n");
    ok ctl($hd, qw(module unload chat))->{ok}, 'the relay knows its section, not the module';
    is get($hd, '/chat'), 404, '... and not its route';

    $hd->ctl('module', 'load', $so);
    is $?, 0, 'hdctl module load' or diag $hd->log_text;
    my ($alice, $bob) = map { member($hd, $_) } qw(alice bob);
    is hear($_), '* build 1', 'a member is greeted' for $alice, $bob;
    say_to $alice, 'bob good morning';
    is hear($bob), 'alice: good morning', 'bob hears alice';
    say_to $bob, 'carol are you there?';
    is hear($bob), '* carol is absent', 'nobody has that name';
    my ($dave, $erin) = map { $hd->client } 1, 2;
    $dave->send($erin->key, 'x' x 1001);
    $dave->send($erin->key, 'fits');
    is $erin->packet, 'fits', 'the hook drops what is too long, from DERP, too';
    is ctl($hd, qw(module status chat))->{data}[0]{denied}, 1, '... and the relay counts it';
    my $passed = metric_now($hd, 'chat_packets_total');
    cmp_ok $passed, '>=', 2, 'it counts what passes';

    my $c = HyperDerp::Test::slurp("$dir/chat.c");
    $c =~ s/^#define CHAT_BUILD \K1$/2/m or fail 'CHAT_BUILD is not there';
    spew("$dir/chat.c", $c);
    sh 'it is built again', "$make -C $dir";
    $hd->ctl(qw(module reload chat));
    is $?, 0, 'hdctl module reload' or diag $hd->log_text;
    say_to $alice, '';
    is hear($alice), '* build 2: NAME text', 'the connection stays, the code is new';
    say_to $bob, 'alice still here';
    is hear($alice), 'bob: still here', 'bob stays, too';
    cmp_ok metric_now($hd, 'chat_packets_total'), '>', $passed, 'numbers go on';
    $dave->send($erin->key, 'derp');
    is $erin->packet, 'derp', 'DERP did not notice';

    for my $bad ("\n", "two words\n", 'x' x 600, "a\n" . 'x' x 600 . "\n") {
        my $s = $hd->socket;
        print {$s} "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n$bad";
        my $all = '';
        while (($_ = hear($s)) ne 'nothing') { $all .= "$_\n" }
        like $all, qr/^HTTP\S* 101/, 'bad input of ' . length($bad) . ' bytes ends the connection';
    }
    say_to $alice, 'bob and us?';
    is hear($bob), 'alice: and us?', '... only that one';
    ok ctl($hd, qw(module unload chat))->{ok}, 'unloaded';
    1 until hear($alice) eq 'nothing';
    ok eof $alice, '... its members are closed';
    $hd->finish;
};

subtest 'C++' => sub {
    plan skip_all => 'g++ is missing' unless qx{g++ --version 2>/dev/null};
    chomp(my ($cflags, $libs) = map { scalar qx{pkg-config --$_ hyper-derp} } qw(cflags libs));
    sh 'it compiles without a warning', "g++ -std=c++20 $cflags -Wall -Wextra -Werror -Wno-missing-field-initializers "
        . "-o $tmp/plus.so $src/t/lib/modules/plus.cc $libs";
    my $hd = HyperDerp::Test->start(no_tls => 1, workers => 1, load_module => ['derp', "$tmp/plus.so"],
        conf => "plus: {text: well}\n");
    is get($hd, '/plus'), "well 1\n", 'it is loaded, and answers';
    $hd->ctl('module', 'reload', 'plus');
    is get($hd, '/plus'), "well 2\n", '... and keeps its state over a reload';
    $hd->finish;
};

subtest 'hdctl module new' => sub {
    like qx{cd $tmp && $build/hdctl module new Bad-name 2>&1}, qr/takes one name/, 'a bad name';
    is $? >> 8, 2, '... is wrong usage';
    my $out = sh 'hdctl module new', "cd $tmp && $build/hdctl module new greeter";
    like $out, qr/make check/, 'it says what to do next';
    like qx{cd $tmp && $build/hdctl module new greeter 2>&1}, qr/File exists/, 'not twice';
    sh 'its test passes', "$make -C $tmp/greeter check";
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
    $hd->ctl('module', 'load', "$tmp/greeter/greeter.so");
    is $?, 0, 'hdctl module load';
    is get($hd, '/greeter'), 'hello', 'it answers';
    $hd->finish;
    SKIP: {
        skip 'autoconf is missing', 2 unless qx{autoconf --version 2>/dev/null};
        my ($m4) = split /\n/, qx{find $tmp/root -name aclocal -type d};
        sh 'configure with the m4 macro', "cd $tmp/greeter && make clean "
            . "&& aclocal -I $m4 && autoconf && ./configure -q";
        sh '... and make', "make -C $tmp/greeter check";
    }
};

done_testing;

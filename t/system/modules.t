#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/modules.t - module files that the relay must take, refuse or survive;
# each refusal names the file, the reason and the remedy.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use HyperDerp::Live;
use HyperDerp::Test;

my $modules = "$HyperDerp::Test::build/t/lib/modules/.libs";
plan skip_all => "the test modules are not built: $modules" unless -d $modules;

# Starts a relay that must not start. Returns its exit code and its log.
sub refused (@load) {
    my $hd = HyperDerp::Test->new(load_module => \@load, no_tls => 1)->run;
    my $status = $hd->wait_exit(20);
    return ($status >> 8, $hd->log_text);
}

subtest 'no module at all' => sub {
    my $hd = HyperDerp::Test->start(load_module => [], no_tls => 1);
    like $hd->log_text, qr/warn no module is loaded: .*hdctl module enable derp.*\n.*notice ready, without a module$/m,
        'the log says so';
    like qx{$HyperDerp::Test::build/hyper-derp -t -c $hd->{file} 2>&1}, qr/is good, but it loads no module/, '... and so does -t';
    $hd->finish;
};

subtest 'a module that is good' => sub {
    my $hd = HyperDerp::Test->start(load_module => ['good'], no_tls => 1);
    like $hd->log_text, qr/module loaded: name=good version=1.0 abi=2\.\d+ file=\S+good.so/,
        'is named in the log';
    $hd->finish;
};

subtest 'options of a module' => sub {
    my $hd = HyperDerp::Test->new(load_module => ['good'], no_tls => 1,
        conf => "good: {numbr: 5}\n")->run;
    is $hd->wait_exit(20) >> 8, 78, 'an unknown key: exit 78';
    like $hd->log_text, qr/hd\.yaml:\d+.*numbr.*number/, '... with place and nearest key';
    $hd = HyperDerp::Test->new(load_module => ['good'], no_tls => 1,
        conf => "good: {number: 500}\n")->run;
    is $hd->wait_exit(20) >> 8, 78, 'out of range: exit 78';
    like $hd->log_text, qr/100/, '... with the range';
};

subtest 'a list of mappings in the options of a module' => sub {
    my $hd = HyperDerp::Test->new(load_module => ['good'], no_tls => 1,
        conf => "good:\n  rooms:\n    - hall\n    - {name: attic, seats: 3, tags: [a, b]}\n");
    my $check = sub ($from, $to) {
        my $file = HyperDerp::Test::spew($hd->dir . '/bad.yaml', HyperDerp::Test::slurp($hd->{file}) =~ s/\Q$from\E/$to/r);
        return scalar qx{$HyperDerp::Test::build/hyper-derp -t -c $file 2>&1};
    };
    like $check->('seats: 3', 'seats: 3000'), qr/bad\.yaml:\d+: `seats: 3000` is out of range: 1 to 500/, 'out of range';
    like $check->('name: attic', 'nam: attic'), qr/bad\.yaml:\d+: unknown key `nam` in `rooms`; did you mean `name`/,
        'an unknown key';
    like $check->('name: attic', 'tags: x'), qr/is set already/, 'a key twice';
    my $twice = $check->('attic', 'hall');
    like $twice, qr/bad\.yaml:\d+: module good: the room hall is there twice, line \d+/, 'what check() says of it';
    is scalar(() = $twice =~ /bad\.yaml:\d/g), 1, '... with one place' or diag $twice;
    $hd->run;
    ok $hd->ready, 'it starts' or diag $hd->log_text;
    like $hd->ctl(qw(config show)),
        qr/^good:\n +number: 7\n +rooms:\n +- \{name: hall, seats: 10\}\n +- \{name: attic, seats: 3, tags: \[a, b\]\}$/m,
        'config show writes it out';
    my $schema = $hd->ctl(qw(config schema));
    like $schema, qr/^good +rooms +entries .* which rooms there are$/m,      'the schema has the list';
    like $schema, qr/^good\.rooms\[\] +seats +number +10 +.* how many may be/m, '... and what is in an entry';
    HyperDerp::Test::spew($hd->{file}, HyperDerp::Test::slurp($hd->{file}) =~ s/seats: 3/seats: 4/r);
    $hd->ctl('reload');
    is $?, 0, 'a reload takes another';
    like $hd->ctl(qw(config show)), qr/attic, seats: 4/, '... which counts';
    $hd->finish;
};

subtest 'a section of a module that is not loaded' => sub {
    my $hd = HyperDerp::Test->start(load_module => ['derp'], no_tls => 1,
        conf => "good: {number: 5}\nstun: {}\n");
    like $hd->log_text, qr/warn .*hd\.yaml:\d+: the section `$_` has no effect: .* not loaded/,
        "$_: its file is there, it may be loaded later" for qw(good stun);
    $hd->ctl(qw(module load good));
    is $?, 0, '... and is';
    like $hd->ctl(qw(config show)), qr/^good:\n +number: 5$/m, '... with its section';
    $hd->finish;
    $hd = HyperDerp::Test->new(load_module => ['derp'], no_tls => 1, conf => "goood: {number: 5}\n")->run;
    is $hd->wait_exit(20) >> 8, 78, 'of one that is nowhere: exit 78';
    like $hd->log_text, qr/hd\.yaml:\d+: unknown key `goood`/, '... with file and line';
};

# -t looks where the file says that modules are, not where it is itself.
subtest 'modules that are installed elsewhere' => sub {
    my $top = File::Temp->newdir;
    mkdir "$top/opt" or die;
    copy("$modules/good.so", "$top/opt/good.so") or die "copy: $!";
    my $check = sub ($text) {
        my $file = HyperDerp::Test::spew("$top/hd.yaml", "port: 3340\nstate_dir: $top\n$text");
        my $said = qx{$HyperDerp::Test::build/hyper-derp -t -c $file 2>&1};
        return ($? >> 8, $said);
    };
    my $bad = "good: {numbr: 5}\n";
    for (["load_module: [$top/opt/good.so]\n", 'by its path'],
        ["load_module: [good]\nmodule_path: [$top/opt]\n", 'in module_path']) {
        my ($conf, $name) = @$_;
        my ($code, $said) = $check->($conf . $bad);
        is $code, 78, "$name: a wrong key";
        like $said, qr/hd\.yaml:\d: unknown key `numbr` in `good`; did you mean `number`/, '... is named';
        is +($check->($conf . "good: {number: 5}\n"))[0], 0, '... and a good one is good';
    }
    my $there = "load_module: []\nmodule_path: [$top/opt]\n";
    my ($code, $said) = $check->($there . $bad);
    is $code, 0, 'one that is not loaded stops nobody';
    like $said, qr/ warn \S+hd\.yaml:5: unknown key `numbr` in `good`.*`hdctl module load good` will be refused/,
        '... and its mistake is named';
    ($code, $said) = $check->($there . "good:\n  rooms: [a, a]\n");
    like $said, qr/ warn \S+hd\.yaml:6: the room a is there twice/, '... also what its check() finds';
    ($code, $said) = $check->($there . "good: {number: 5}\n");
    unlike $said, qr/will be refused/, '... and a good one has none';
    like $said, qr/but it loads no module/, '... and it is still not loaded';
    ($code, $said) = $check->("load_module: []\n$bad");
    is $code, 78, 'one that is nowhere';
    like $said, qr/unknown key `good`; .*path into load_module or its folder into module_path/, '... and what to do';
};

subtest 'module load takes the section as the file has it now' => sub {
    my $hd = HyperDerp::Test->start(load_module => ['derp'], no_tls => 1, conf => "good: {number: 5}\n");
    my $begin = HyperDerp::Test::slurp($hd->{file});
    my $edit = sub ($good, $more = '') {
        HyperDerp::Test::spew($hd->{file}, ($begin =~ s/^good: .*/good: {$good}/mr) . $more);
    };
    my $line = 1 + ($begin =~ s/^good:.*//msr) =~ tr/\n//;
    my $load = sub () { return $hd->ctl(qw(module load good)) };
    my $number = sub () { return ($hd->ctl(qw(config show)) =~ /^good:\n +number: (\d+)$/m)[0] };

    $edit->('numbr: 6');
    like $load->(), qr/hd\.yaml:$line: unknown key `numbr` in `good`/, 'a wrong section is refused, with its line';
    is $?, 1, '... and nothing is loaded';
    $edit->('number: 6', "workers: [\n");
    like $load->(), qr/hd\.yaml:\d+: /, 'so is a file that is none, with the line';
    $edit->('number: 6', "wrokers: 2\n");
    like $load->(), qr/hd\.yaml:\d+: unknown key `wrokers`/, '... and one with another mistake';

    $edit->('number: 6');
    is $load->(), "ok\n", 'a good one is taken';
    is $number->(), 6, '... as it is now';
    $hd->ctl(qw(module unload good));
    $edit->('number: 7', "write_timeout: 9s\nstun: {}\n");
    like $load->(), qr/^loaded, with the section `good` .* not applied, `hdctl reload` takes them: write_timeout, stun$/,
        'what else has changed is named';
    is $number->(), 7, '... the section counts';
    like $hd->ctl(qw(config show)), qr/^write_timeout: 2s$/m, '... and nothing else';
    like $hd->ctl('reload'), qr/^reloaded, but$/m, 'a reload takes the rest' or diag $hd->log_text;
    like $hd->ctl(qw(config show)), qr/^write_timeout: 9s$/m, '... and does';
    is $number->(), 7, '... with the section that is there';

    $edit->('number: 8', "write_timeout: 9s\n");
    like $hd->ctl(qw(module reload good)), qr/^reloaded, with the section `good` .* not applied, .*: stun$/,
        'module reload takes the section, too';
    is $number->(), 8, '... as it is now';
    $edit->('number: 800', "write_timeout: 9s\n");
    like $hd->ctl(qw(module reload good)), qr/hd\.yaml:$line: .*out of range/, 'a wrong one is refused';
    is $number->(), 8, '... nothing has changed';
    $edit->('number: 9', "write_timeout: 9s\n");
    is $hd->ctl(qw(module reload)), "ok\n", 'a reload of all modules';
    is $number->(), 8, '... leaves sections alone';

    # its file is somewhere else, which only the edited file knows
    $hd->ctl(qw(module unload good));
    my $dir = File::Temp->newdir;
    copy("$modules/good.so", "$dir/good.so") or die "copy: $!";
    HyperDerp::Test::spew($hd->{file}, $begin . "include: $dir/more.yaml\n");
    HyperDerp::Test::spew("$dir/more.yaml", "load_module: [$dir/good.so]\n");
    like $load->(), qr/not applied.*: write_timeout, stun$|^ok$/m, 'a new entry of load_module says where it is';
    like $hd->ctl(qw(module status good)), qr/^file +\Q$dir\E\/good\.so$/m, '... and it is there';
    is $number->(), 5, '... with its section';
    $hd->finish;
};

my @cases = (
    ['missing',          qr/no file missing\.so in .*module_path/],
    ['wrong_abi',        qr/wrong_abi\.so.*built for ABI 3\.0.*headers/],
    ['newer_minor',      qr/newer_minor\.so.*needs ABI 2\.\d+.*update the relay/],
    ['undefined_symbol', qr/undefined_symbol\.so.*undefined symbol: hd_no_such_function/],
    ['no_symbol',        qr/no_symbol\.so.*no symbol no_symbol_LTX_hd_module/],
    ['wrong_name',       qr/wrong_name\.so.*calls itself other/],
    ['bad_table',        qr/bad_table\.so.*option far/],
    ['needs',            qr/needs\.so.*requires the module good, which is not loaded.*load_module/],
    ['refuses',          qr/refuses\.so.*not today/],
    ['/nowhere/x.so',    qr{/nowhere/x\.so.*No such file.*correct the path}],
);
for my $case (@cases) {
    my ($name, $want) = @$case;
    subtest "refused: $name" => sub {
        my ($code, $log) = refused($name);
        is $code, 1, 'exit 1';
        like $log, $want, 'the log names file, reason and remedy';
        like $log, qr/hd\.yaml:\d+: module/, '... and the line of load_module';
        unlike $log, qr/worker \d+ started/, 'no worker was started';
    };
}

subtest 'a file that is no module' => sub {
    my $dir = File::Temp->newdir;
    my $junk = HyperDerp::Test::spew("$dir/junk.so", "not an ELF file\n" x 100);
    my ($code, $log) = refused($junk);
    is $code, 1, 'exit 1';
    like $log, qr/junk\.so.*invalid ELF header.*not a module/, 'the log says so';
    HyperDerp::Test::spew($junk, '');
    ($code, $log) = refused($junk);
    like $log, qr/junk\.so.*file too short/, 'an empty file too';
};

subtest 'start() fails' => sub {
    my $live = HyperDerp::Live->new;
    my ($code, $log) = refused($live->make('live', mode => 'star'));
    like $log, qr/start\(\) has a bad day/, 'with a word of its own';
    ($code, $log) = refused($live->make('live', mode => 'mute'));
    isnt $code, 0, 'without a word: the relay does not start';
    like $log, qr/module live does not start in worker \d: Operation not permitted/, '... which module, where and why';
};

subtest 'a circle' => sub {
    my ($code, $log) = refused(qw(circle_a circle_b));
    is $code, 1, 'exit 1';
    like $log, qr/circle_a.*requires circle_b.*circle/, 'both are named';
};

subtest 'one name twice' => sub {
    my ($code, $log) = refused('good', "$modules/good.so");
    isnt $code, 0, 'does not start';
    like $log, qr/good/, 'the log names it';
};

subtest 'the order is that of requirement' => sub {
    my $hd = HyperDerp::Test->start(load_module => [qw(needs good)], no_tls => 1);
    like $hd->log_text, qr/name=good.*name=needs/s, 'good is loaded first';
    $hd->finish;
};

subtest 'optional modules' => sub {
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => [
        '{name: missing, optional: true}', '{name: refuses, optional: true}',
        '{name: needs, optional: true}', '{name: circle_a, optional: true}']);
    like $hd->log_text, qr/warn .*\Q$_\E.*optional: skipped/, "$_ is skipped with a warning"
        for qw(missing refuses needs circle_a);
    unlike $hd->log_text, qr/module loaded/, 'and none is loaded';
    $hd->finish;
};

subtest 'built in' => sub {
    plan skip_all => 'derp is not built into this daemon (--with-module-derp=static)'
        if -e "$HyperDerp::Test::build/modules.d/derp.so";
    my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
    for my $change (qw(unload reload)) {
        like $hd->ctl('module', $change, 'derp'), qr/derp is built in: it comes and goes with the relay/,
            "$change says so";
        is $?, 1, '... and refuses';
    }
    like $hd->ctl(qw(module load derp)), qr/is loaded/, 'load, too';
    is $hd->ctl(qw(module reload)), "ok\n", 'reload of all leaves it out';
    like $hd->ctl(qw(module status)), qr/^derp .* built in .* -$/m, 'module status says so';
    my ($alice, $bob) = map { $hd->client } 1, 2;
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'it works as before';
    $hd->finish;
    $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['stun']);
    $hd->ctl(qw(module load derp));
    is $?, 0, 'one that was left out can be loaded';
    like $hd->ctl(qw(module status derp)), qr/^state +built in$/m, '... and is built in';
    $hd->finish;
};

# cp(1) truncates the file that the code is mapped from.
subtest 'overwritten while loaded' => sub {
    plan skip_all => 'derp is built into this daemon'
        unless -e "$HyperDerp::Test::build/modules.d/derp.so";
    my $dir = File::Temp->newdir;
    for my $name (qw(derp good)) {
        my $from = $name eq 'derp' ? "$HyperDerp::Test::build/modules.d" : $modules;
        copy("$from/$name.so", "$dir/$name.so") or die "copy: $!";
    }
    my $hd = HyperDerp::Test->start(no_tls => 1,
        load_module => ["$dir/derp.so", "$dir/good.so"]);
    HyperDerp::Test::spew("$dir/$_.so", "overwritten\n") for qw(derp good);
    my ($alice, $bob) = map { $hd->client } 1 .. 2;
    $alice->send($bob->key, 'still here');
    is $bob->packet, 'still here', 'clients log in and exchange packets';
    $hd->finish;
};

subtest '--try-module' => sub {
    my $try = "$HyperDerp::Test::build/hyper-derp --try-module";
    is system("$try $modules/good.so"), 0, 'a good one: exit 0';
    my $text = `$try $modules/wrong_abi.so 2>&1`;
    is $? >> 8, 1, 'a bad one: exit 1';
    like $text, qr/\Q$modules\E\/wrong_abi\.so: built for ABI 3\.0/, '... with the reason';
    $text = `$try good.so 2>&1`;
    like $text, qr/absolute path/, 'a relative path is refused';
    isnt system("$try $modules/crashes.so 2>/dev/null"), 0, 'a crash takes only this process';
};

done_testing;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/libhd.t - programs with libhd reach each other, and hd.py; a relay or
# a client that should not be believed is not; what is lost comes back.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Say;
use HyperDerp::Test;
use JSON::PP ();

my $hd = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
my $dir = $hd->dir;
my $relay = "localhost:$hd->{tls}";
my ($relay_key) = $hd->ctl(qw(hd info)) =~ /(hd1\w+)/;
my @by_key = ("--relay-key=$relay_key", $relay);
my @by_ca = ("--ca=$hd->{crt}", $relay);

subtest 'two programs' => sub {
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', @by_ca);
    ok $b->says(qr/^relay \Q$relay_key/), 'the relay has proven its key';
    ok $b->says(qr/^state open/), 'open, by its certificate' or diag $b->text;
    my $a = HyperDerp::Say->new($dir, 'a', @by_key, $b->key);
    ok $a->says(qr/^state open/), 'open, by its key' or diag $a->text;
    my $a_key = HyperDerp::Say->new($dir, 'a', @by_key)->key;
    ok $b->says(qr/^knock \Q$a_key\E say$/), 'a knock' or diag $b->text;
    ok $a->says(qr/^peer here \Q@{[$b->key]}/), '... is answered';
    ok $b->says(qr/^peer here \Q$a_key/), '... both know';
    $a->line('hello');
    ok $b->says(qr/^packet \Q$a_key\E hello$/), 'a packet';
    $b->line('and back');
    ok $a->says(qr/^packet \Q@{[$b->key]}\E and back$/), '... and back';
    is $a->end, 0, 'it ends';
    ok $b->says(qr/^peer gone/), '... and the other hears of it';
    is $b->end, 0, 'as does the other';
    is((stat "$dir/b.key")[2] & 0777, 0600, 'a key file is nobody else\'s');
};

# Nobody is there, the relay neither, when the lines are.
subtest 'lines that are piped in' => sub {
    my ($from, $to) = map { HyperDerp::Say->new($dir, $_, $relay) } qw(from to);
    my ($from_key, $to_key) = ($from->key, $to->key);
    $_->end for $from, $to;
    is $hd->stop, 0, 'there is no relay';
    $from = HyperDerp::Say->new($dir, 'from', @by_key, $to_key);
    $from->line($_) for 'one', 'two', 'x' x 40_000;
    print { $from->{in} } 'no end';
    close $from->{in};
    ok $from->says(qr/^state waiting/), '... which is noticed' or diag $from->text;
    $hd->run->ready or BAIL_OUT($hd->log_text);
    ok $from->says(qr/^state open/), 'there is a relay, and nobody else' or diag $from->text;
    $to = HyperDerp::Say->new($dir, 'to', @by_key, $from_key);
    ok $to->says(qr/^packet $from_key $_$/), 'a line for each' or diag $from->text for 'one', 'two', 'x{40000}', 'no end';
    is $from->end, 0, 'it ends when all has gone' or diag $from->text;
    is $to->end, 0, 'as does the other';
};

# They are read for each handshake.
subtest 'by the CAs of the system' => sub {
    local @ENV{qw(SSL_CERT_FILE SSL_CERT_DIR)} = ($hd->{crt}, '/dev/null');
    my $say = HyperDerp::Say->new($dir, 'ca', $relay);
    ok $say->says(qr/^state open/), 'open' or diag $say->text;
    is $hd->stop, 0, 'the relay ends';
    ok $say->says(qr/^state waiting /), '... which is noticed';
    $hd->run->ready or BAIL_OUT($hd->log_text);
    ok $say->says(qr/^state open/), '... and open again' or diag $say->text;
    is $say->end, 0, 'it ends';
    $ENV{SSL_CERT_FILE} = '/dev/null';
    $say = HyperDerp::Say->new($dir, 'ca', $relay);
    ok $say->says(qr/^state waiting localhost: its certificate: self.signed/), 'without any nobody is believed' or diag $say->text;
    is $say->end, 0, 'it ends';
};

subtest 'hd.py' => sub {
    plan skip_all => 'needs python3-nacl and python3-openssl'
        if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
    my $say = HyperDerp::Say->new($dir, 'py', '--allow', @by_key);
    ok $say->says(qr/^state open/), 'open';
    open my $py, '-|', '/usr/bin/python3', '-B', "$FindBin::Bin/../hd/test_libhd.py", $hd->{tls}, $say->key
        or die "python3: $!";
    ok $say->says(qr/^knock \w+ hd\.py$/), 'a knock from Python';
    my ($key) = (<$py> // '') =~ /(hd1\w+)/;
    ok $key, 'it is allowed' or return;
    ok $say->says(qr/^packet $key $_$/), 'a packet from Python' for 'one', '', 'x{40000}', 'to a key';
    $say->line('hello Python');
    is <$py>, "hello Python\n", 'a packet to Python';
    $say->line('bye');
    is <$py>, "bye\n", '... another one';
    ok close $py, 'Python ends well';
    ok $say->says(qr/^peer gone $key/), 'it is told';
    is $say->end, 0, 'say ends well';
};

subtest 'whom not to believe' => sub {
    my $say = HyperDerp::Say->new($dir, 'x', $relay);
    ok $say->says(qr/^state waiting localhost: its certificate: self.signed/), 'nobody vouches for it' or diag $say->text;
    $say->end;
    $say = HyperDerp::Say->new($dir, 'x', "--ca=$hd->{crt}", "127.0.0.2:$hd->{tls}");
    ok $say->says(qr/^state waiting 127\.0\.0\.2.*/), 'a certificate for others';
    $say->end;
    $say = HyperDerp::Say->new($dir, 'x', "--relay-key=" . $say->key, $relay);
    ok $say->says(qr/^state waiting localhost is another relay/), 'another relay' or diag $say->text;
    $say->end;
    $say = HyperDerp::Say->new($dir, 'x', '--insecure', $relay);
    ok $say->says(qr/^state open/), '... unless one says that it is all the same';
    $say->end;
    $say = HyperDerp::Say->new($dir, 'x', '--insecure', "localhost:$hd->{plain}");
    ok $say->says(qr/^state waiting localhost: TLS: /), 'no TLS at all' or diag $say->text;
    $say->end;
    chmod 0644, "$dir/x.key";
    $say = HyperDerp::Say->new($dir, 'x', @by_key);
    is $say->end, 1, 'a key that others may read';
    like $say->text, qr/x\.key: Operation not permitted/, '... is refused';
};

subtest 'a lost connection' => sub {
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', @by_key);
    $b->says(qr/^state open/);
    my $a = HyperDerp::Say->new($dir, 'a', @by_key, $b->key);
    ok $a->says(qr/^peer here/), 'both are there' or diag $a->text;
    is $hd->stop, 0, 'the relay ends';
    ok $_->says(qr/^state waiting ./), 'it is noticed' for $a, $b;
    $hd->run->ready or BAIL_OUT($hd->log_text);
    ok $_->says(qr/^state open/), 'and comes back' for $a, $b;
    ok $a->says(qr/^peer here/), '... with its peers' or diag $a->text;
    $a->line('again');
    ok $b->says(qr/^packet \w+ again$/), 'packets pass again';
    $_->end for $a, $b;
};

subtest 'a relay that sends us to another one' => sub {
    my $seed = HyperDerp::Test::spew("$dir/shared.key", 'hdseed:' . '2a' x 32 . "\n");
    chmod 0600, $seed;
    my ($one, $two) = map { HyperDerp::Test->new(load_module => ['hd']) } 1, 2;
    for ([$one, $two], [$two, $one]) {
        my ($own, $other) = @$_;
        my $redirect = $own == $one ? ", redirect: ['127.0.0.1:$other->{tls}']" : '';
        $own->{conf} = "hd: {enroll: anybody, private_key: $seed$redirect}\n";
        $own->write_conf;
        $own->run->ready or BAIL_OUT($own->log_text);
    }
    my ($key) = $one->ctl(qw(hd info)) =~ /(hd1\w+)/;
    my $b = HyperDerp::Say->new($dir, 'b', '--allow', "--relay-key=$key", "127.0.0.1:$two->{tls}");
    my $a = HyperDerp::Say->new($dir, 'a', "--relay-key=$key", "localhost:$one->{tls}", $b->key);
    ok $_->says(qr/^state open/), 'open' for $a, $b;
    $one->signal('USR2');
    ok $a->says(qr/^state waiting localhost sends us to 127\.0\.0\.1:$two->{tls}$/), 'it is told where to go' or diag $a->text;
    ok $a->says(qr/^state open/), '... and goes' or diag $a->text;
    ok $a->says(qr/^peer here/), '... where the other one is' or diag $a->text;
    $a->line('moved');
    ok $b->says(qr/^packet \w+ moved$/), 'packets pass there';
    is $one->stop, 0, 'the first one ends';
    $one->run->ready or BAIL_OUT($one->log_text);
    is $two->stop, 0, 'so does the second';
    ok $a->says(qr/^state waiting (?!localhost)/), 'which is noticed' or diag $a->text;
    ok $a->says(qr/^state open/), '... and it goes back' or diag $a->text;
    is scalar @{ json($one, 'peers') }, 1, '... to the first one';
    $_->end for $a, $b;
    $one->finish;
};

subtest 'a relay that is silent' => sub {
    $hd->{conf} = "hd: {enroll: anybody, keepalive: 1s}\n";
    $hd->write_conf;
    $hd->ctl('reload');
    my $a = HyperDerp::Say->new($dir, 'a', @by_key);
    ok $a->says(qr/^state open/), 'open';
    my ($before) = @{ json($hd, 'peers') };
    my $now;
    ok HyperDerp::Test::wait_for(sub { ($now) = @{ json($hd, 'peers') }; $now->{bytes_out} >= $before->{bytes_out} + 12 }),
        'three KeepAlives later' or diag $hd->ctl(qw(--json peers));
    is $now->{bytes_in}, $before->{bytes_in}, '... it has sent nothing';
    $hd->signal('STOP');
    ok $a->says(qr/^state waiting localhost has been silent/), 'it is noticed' or diag $a->text;
    $hd->signal('CONT');
    ok $a->says(qr/^state open/), 'and comes back';
    $a->end;
};
$hd->finish;

sub json ($relay, @words) { return JSON::PP::decode_json($relay->ctl('--json', @words)) }

subtest 'who may enrol' => sub {
    my $asks = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: approved}\n");
    my $at = "127.0.0.1:$asks->{tls}";
    my @at = ("--ca=$asks->{crt}", $at);
    my $made = json($asks, qw(hd invite));
    my $say = HyperDerp::Say->new($dir, 'invited', "--invitation=$made->{invitation}", @at);
    ok $say->says(qr/^state open/), 'by an invitation' or diag $say->text;
    $say->end;
    my $thief = HyperDerp::Say->new($dir, 'thief', "--invitation=$made->{invitation}", @at);
    ok $thief->says(qr/^state failed 127\.0\.0\.1: /), '... which is spent then' or diag $thief->text;
    is $thief->end, 1, '... and that is the end';
    $made = json($asks, qw(hd credential new fleet));
    # the relay's key and a good certificate: enrols at once
    my ($key) = $asks->ctl(qw(hd info)) =~ /(hd1\w+)/;
    $say = HyperDerp::Say->new($dir, 'fleet', "--credential=$made->{credential}", "--relay-key=$key", @at);
    ok $say->says(qr/^state open/), 'by a credential' or diag $say->text;
    $say->end;
    $say = HyperDerp::Say->new($dir, 'new', @at);
    ok $say->says(qr/^state pending ./), 'a person is asked' or diag $say->text;
    $asks->ctl(qw(hd approve), $say->key);
    ok $say->says(qr/^state open/), '... and says yes';
    $say->end;
    $say = HyperDerp::Say->new($dir, 'typo', '--invitation=hdinvite1oops', @at);
    is $say->end, 1, 'an invitation that is mistyped';
    $asks->finish;
};

subtest 'memory' => sub {
    plan skip_all => 'valgrind is not installed, or this build has sanitizers'
        if HyperDerp::Test::sanitized() || system('valgrind --version >/dev/null 2>&1') != 0;
    my $relay = HyperDerp::Test->start(load_module => ['hd'], conf => "hd: {enroll: anybody}\n");
    my @valgrind = qw(valgrind -q --leak-check=full --error-exitcode=9);
    my @at = ("--ca=$relay->{crt}", "localhost:$relay->{tls}");
    my $b = HyperDerp::Say->new($dir, 'b', \@valgrind, '--allow', @at);
    ok $b->says(qr/^state open/), 'open' or diag $b->text;
    my $a = HyperDerp::Say->new($dir, 'a', @at, $b->key);
    ok $b->says(qr/^peer here/), 'somebody comes';
    $a->line('hello');
    ok $b->says(qr/^packet \w+ hello/), '... and says something';
    $a->end;
    ok $b->says(qr/^peer gone/), '... and goes';
    is $b->end, 0, 'valgrind has nothing to say' or diag $b->text;
    $relay->finish;
};

done_testing;

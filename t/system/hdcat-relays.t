#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdcat-relays.t - a listener with two relays: when one dies, those who
# are there go on through the other, and who comes finds it where it is.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Hdcat;
use HyperDerp::Test;
use IO::Select;
use Socket ();

my $hdcat = HyperDerp::Hdcat->new or plan skip_all => 'hdcat is not built: ngtcp2 was not there';
my $other = HyperDerp::Hdcat->new;

my ($web, $port) = $hdcat->server;
my $file = $hdcat->file('ticket');
my $l = $hdcat->start(
    'listen', '--allow', "localhost:$port", '--ticket-file', $file,
    "--relay-key=$hdcat->{key}", "--relay-key=$other->{key}",
    $hdcat->{relay}, $other->{relay}
);
HyperDerp::Test::wait_for(sub { HyperDerp::Test::whole_lines($file) }) or BAIL_OUT($l->err);
my $ticket = HyperDerp::Test::whole_lines($file) =~ s/\n//r;

my $f = $hdcat->start('forward', "0:localhost:$port", $ticket);
my $way = $f->says(qr/localhost:(\d+) leads to/) // BAIL_OUT($f->err);

sub passes ($name) {
    my $near = $hdcat->connect($way);
    IO::Select->new($web)->can_read(60) or return fail "$name: nobody came: " . $f->err . $l->err;
    my $far = $web->accept;
    print {$near} "hello\n";
    $near->flush;
    is scalar readline $far, "hello\n", $name;
}

sub pings ($name) {
    my ($status, $out, $err) = $hdcat->run('ping', '-c', '1', $ticket);
    is $status, 0, $name or diag $err;
}

passes('a connection, by the first relay');
pings('... and a ping');

is $hdcat->{hd}->stop, 0, 'the first relay ends';
passes('a connection of the forward that was there, by the other relay');
pings('who comes goes to the other relay, too');

$hdcat->{hd}->run->ready or BAIL_OUT($hdcat->{hd}->log_text);
pings('the first relay is back, the listener is at the other: it is found there');
passes('... and the forward is, too');

subtest 'nobody at either' => sub {
    is $l->stop, 0, 'the listener ends';
    my ($status, undef, $err) = $hdcat->run('ping', '-c', '1', $ticket);
    is $status, 4, 'it is not found';
    like $err, qr/nobody listens with this ticket/, '... which is said';
};

# The one who dials is at another relay of a mesh: its ticket names that one.
sub ticket_for ($ticket, $relay) {
    my $py = 'import sys; sys.path.insert(0, sys.argv[1]); import hd; t = hd.from_text(sys.argv[2], "hdticket"); '
        . 'print(hd.to_text(t[:33] + hd.from_text(sys.argv[3]) + t[65:81] + sys.argv[4].encode(), "hdticket"))';
    open my $out, '-|', '/usr/bin/python3', '-B', '-c', $py, "$FindBin::Bin/../hd", $ticket, @$relay{qw(key relay)} or die "python3: $!";
    return readline($out) =~ s/\n//r;
}

sub by_udp ($hd) {
    return $hd->ctl('metrics') =~ /hd_udp_packets_received_total +\S+ +([\d,.]+\w?)/ ? $1 : 0;
}

subtest 'two relays of a mesh, by UDP' => sub {
    plan skip_all => 'the module mesh is not built' if !-e "$HyperDerp::Test::build/modules.d/mesh.so";
    plan skip_all => 'needs python3-nacl and python3-openssl' if system('/usr/bin/python3 -c "import nacl, OpenSSL" 2>/dev/null') != 0;
    my @relay = map { HyperDerp::Test->new(load_module => [qw(derp mesh hd)]) } 1 .. 2;
    for my $i (0, 1) {
        my ($own, $peer) = @relay[ $i, 1 - $i ];
        my $mesh = HyperDerp::Test::spew($own->dir . '/mesh.key', '6d' x 32 . "\n");
        chmod 0600, $mesh;
        my $udp = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
        $own->{conf} = "derp: {mesh_key: $mesh}\nmesh: {members: [{name: '127.0.0.1:$peer->{plain}', tls: false}]}\n"
            . "hd: {enroll: anybody, udp: '127.0.0.1:$udp'}\n";
        $own->write_conf;
    }
    $_->run->ready or BAIL_OUT($_->log_text) for @relay;
    my ($here, $there) = map { HyperDerp::Hdcat->around($_, '127.0.0.1') } @relay;
    my $from = HyperDerp::Test::spew($here->file('sent'), join '', map { pack 'N', $_ } 1 .. 2_000_000);
    mkdir my $to = $there->file('to');
    my $r = $there->listener('receive', '--into', $to);
    my $s = $here->start('send', $from, ticket_for($r->{ticket}, $here));
    is $s->status, 0, '8 MB are sent' or diag $s->err;
    is $r->status, 0, '... and received' or diag $r->err;
    my ($got) = glob "$to/*";
    is -s $got, -s $from, '... all of them';
    isnt by_udp($_->{hd}), 0, '... by UDP' for $here, $there;
    $_->finish for @relay;
};

subtest 'what is wrong' => sub {
    my ($status, undef, $err) = $hdcat->run('listen', ('localhost') x 5);
    is $status, 2, 'five relays';
    like $err, qr/one to four relays/, '... are too many';
    ($status, undef, $err) = $hdcat->run('listen', ("--relay-key=$hdcat->{key}") x 2, 'localhost');
    is $status, 2, 'a key too many';
    like $err, qr/more --relay-key than relays/, '... is said';
};

is $f->stop, 0, 'the forward ends';
$_->finish for $hdcat, $other;
done_testing;

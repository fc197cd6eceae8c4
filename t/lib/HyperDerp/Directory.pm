# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Directory.pm - relays that find each other's keys in NATS: the
# module mesh_nats, its configuration, and what is awaited of it.
package HyperDerp::Directory;
use v5.36;
use Exporter qw(import);
use File::Temp ();
use HyperDerp::Live qw(ctl);
use HyperDerp::Test;
use Test::More;

our @EXPORT_OK = qw(arrives begin configure directory goes has_published is_state links relay secret_file);

my $mesh_key = '6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67';

# One certificate for all of them: each knows the CA, and the name is localhost.
our $ca_dir = File::Temp->newdir;
my ($crt, $key) = HyperDerp::Test::certificate($ca_dir, 'region');

# libnats 3.4 loses answers that come while it closes a connection: a relay that
# ends on a busy machine leaves a few, and LeakSanitizer is told so.
HyperDerp::Test::spew("$ca_dir/lost", "leak:natsMsg_create\n");
$ENV{LSAN_OPTIONS} = "suppressions=$ca_dir/lost:print_suppressions=0";

sub relay ($server, %o) {
    my $hd = HyperDerp::Test->new(load_module => [qw(derp mesh mesh_nats)], %o);
    HyperDerp::Test::spew($hd->dir . '/mesh.key', "$mesh_key\n");
    system('cp', $crt, $hd->dir . '/relay.crt') == 0 or die;
    system('cp', $key, $hd->dir . '/relay.key') == 0 or die;
    return configure($hd, $server);
}

sub configure ($hd, $server, %o) {
    $hd->{conf} = <<~"END";
        derp: {mesh_key: @{[$hd->dir]}/mesh.key}
        mesh:
          silence_max: 2m
          idle_max: @{[ $o{idle_max} // '1m' ]}
          ca_file: @{[$hd->dir]}/relay.crt
          members: [@{[ $o{members} // '' ]}]
        mesh_nats:
          server: "$server"
          cache_time: @{[ $o{cache_time} // '5m' ]}
          name: "localhost:@{[$hd->port]}"
          @{[ $o{more} // '' ]}
        END
    $hd->write_conf;
    return $hd;
}

sub begin (@hd) {
    for my $hd (@hd) {
        $hd->run;
        $hd->ready or die 'the daemon does not start: ' . $hd->log_text;
    }
    return;
}

sub directory ($hd) { return ctl($hd, qw(mesh directory))->{data} // {} }
sub links ($hd)     { return @{ ctl($hd, qw(mesh status))->{data} } }

# Until so many keys of the relay are in the directory.
sub has_published ($hd, $n, $name) {
    my $d;
    return ok(HyperDerp::Test::wait_for(sub {
        $d = directory($hd);
        $d->{published} == $n && $d->{keys} == $n && $d->{state} eq 'connected';
    }), $name) || diag explain $d, $hd->log_text;
}

# Again and again, as clients do, until it is there: what is known to be nobody's
# is that for a second.
sub arrives ($from, $to, $text, $name) {
    my $got;
    HyperDerp::Test::wait_for(sub {
        $from->send($to->key, $text);
        $got = $to->expect(qr/^packet \S+ \S+ @{[unpack 'H*', $text]}/, 1);
    });
    return ok $got, $name;
}

sub goes ($from, $to, $text, $name) {
    $from->send($to->key, $text);
    return ok $to->expect(qr/^packet \S+ \S+ @{[unpack 'H*', $text]}/), $name;
}

# Until the directory is, or is not, there.
sub is_state ($hd, $state, $name) {
    return ok(HyperDerp::Test::wait_for(sub { (directory($hd)->{state} // '') eq $state }, 60), $name)
        || diag explain directory($hd), $hd->log_text;
}

sub secret_file ($hd, $name, $text) {
    my $file = HyperDerp::Test::spew($hd->dir . "/$name", "$text\n");
    chmod 0600, $file;
    return $file;
}

1;

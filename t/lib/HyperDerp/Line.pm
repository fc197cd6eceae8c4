# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Line.pm - a line to a server, or to a relay, which can be cut, and
# can hold back what is sent from a certain word, or a number of bytes, on.
#
#   my $line = HyperDerp::Line->new($nats->{port}, qr/^HPUB \$KV\.derp_keys\./m);
#   relay($line->url)
#   $line->hold; $line->is_holding; $line->go;    # all of it comes, late
#   $line->cut; $line->mend;
#   my $line = HyperDerp::Line->new($hd->{tls});
#   $line->hold_after(20);                        # 20 bytes of what comes next pass
package HyperDerp::Line;
use v5.36;
use File::Temp;
use HyperDerp::Children;
use HyperDerp::Test;
use IO::Select;
use IO::Socket::INET;
use POSIX ();

sub new ($class, $to, $word = undef) {
    my $listener = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16) or die "listen: $!";
    my $self = bless { port => $listener->sockport, dir => File::Temp->newdir }, $class;
    pipe my $orders, $self->{orders} or die;
    $self->{orders}->autoflush(1);
    $self->{pid} = fork // die;
    if ($self->{pid} == 0) {
        close $self->{orders};
        local $SIG{PIPE} = 'IGNORE';
        serve({ to => $to, word => $word, listener => $listener, orders => $orders, held => "$self->{dir}/held", peer => {}, kept => {} });
        POSIX::_exit(0);
    }
    HyperDerp::Children::keep($self->{pid});
    return $self;
}

sub url ($self)        { return "nats://127.0.0.1:$self->{port}" }
sub is_holding ($self) { return -e "$self->{dir}/held" }

# An order has been followed when this returns.
sub order ($self, $what) {
    my $done = "$self->{dir}/done";
    unlink $done;
    print { $self->{orders} } "$what $done\n";
    HyperDerp::Test::wait_for(sub { -e $done }) or die "the line does not $what";
    return;
}

sub hold ($self) {
    unlink "$self->{dir}/held";
    return $self->order('hold');
}

sub hold_after ($self, $bytes) {
    unlink "$self->{dir}/held";
    return $self->order("after=$bytes");
}

sub go ($self)   { return $self->order('go') }
sub cut ($self)  { return $self->order('cut') }
sub mend ($self) { return $self->order('mend') }

### The process of its own

sub serve ($l) {
    $l->{select} = IO::Select->new($l->{listener}, $l->{orders});
    while (1) {
        for my $s ($l->{select}->can_read) {
            if    ($s == $l->{listener}) { accept_one($l) }
            elsif ($s == $l->{orders})   { follow($l) or return }
            elsif ($l->{peer}{$s})       { pass($l, $s) }
        }
    }
}

sub accept_one ($l) {
    my $client = $l->{listener}->accept or return;
    return if $l->{is_cut};
    my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $l->{to}) or return;
    @{ $l->{peer} }{ $client, $server } = ($server, $client);
    $l->{kept}{$client} = '';
    $l->{select}->add($client, $server);
    return;
}

sub close_both ($l, $s) {
    my $other = $l->{peer}{$s};
    for ($s, $other) {
        $l->{select}->remove($_);
        delete $l->{peer}{$_};
        delete $l->{kept}{$_};
        close $_;
    }
    return;
}

sub pass ($l, $s) {
    my $n = sysread $s, my $data, 65536;
    return close_both($l, $s) unless $n;
    my $to = $l->{peer}{$s};
    return syswrite $to, $data unless defined $l->{kept}{$s};
    $l->{kept}{$s} .= $data;
    return send_on($l, $s);
}

# While it holds, a word can be cut in two by what a read brought.
sub send_on ($l, $s) {
    my $kept = \$l->{kept}{$s};
    my $n = length $$kept;
    if (defined $l->{after}) {
        HyperDerp::Test::spew($l->{held}, '') if $n >= $l->{after};
        $n = $l->{after} if $n > $l->{after};
        $l->{after} -= $n;
    } elsif ($l->{hold}) {
        $n = 1 + rindex $$kept, "\n";
        if ($$kept =~ $l->{word}) {
            $n = $-[0];
            HyperDerp::Test::spew($l->{held}, '');
        }
    }
    syswrite $l->{peer}{$s}, substr($$kept, 0, $n, '') if $n > 0;
    return;
}

sub follow ($l) {
    sysread $l->{orders}, my $text, 4096 or return 0;
    my ($what, $done) = split ' ', $text;
    $l->{hold} = $what eq 'hold' if $what =~ /^(?:hold|go)$/;
    $l->{after} = $what =~ /^after=(\d+)$/ ? $1 : undef;
    $l->{is_cut} = $what eq 'cut' if $what =~ /^(?:cut|mend)$/;
    my %socket = map { $_ => $_ } grep { ref && $l->{peer}{$_} } $l->{select}->handles;
    for my $s (values %socket) {
        next unless $l->{peer}{$s};
        if ($l->{is_cut}) { close_both($l, $s) }
        elsif (defined $l->{kept}{$s}) { send_on($l, $s) }
    }
    HyperDerp::Test::spew($done, '');
    return 1;
}

sub DESTROY ($self) {
    local $?;
    return unless HyperDerp::Children::ended($self->{pid});
    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
    return;
}

1;

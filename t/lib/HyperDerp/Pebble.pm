# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Pebble.pm - Let's Encrypt's ACME server for tests, from Go's
# proxy, and a name server: every name is 127.0.0.1, but those of `bad.`, which
# are nothing.
#
#   my $ca = HyperDerp::Pebble->start(http => $port, tls => $port) or skip ...;
#   # acme: {directory: $ca->url, ca_file: $ca->{crt}, ...}
#   $ca->root;    # PEM file: what its certificates are checked against
package HyperDerp::Pebble;
use v5.36;
use HyperDerp::Children;
use HyperDerp::Test;
use IO::Socket::IP;
use JSON::PP ();
use Socket qw(SOCK_DGRAM);

my $program;    # its path, built once

# '' where it cannot be built. uacme 1.7 cannot read what 2.10 says. Two tests may want it at once.
sub program () {
    return $program if defined $program;
    my $dir = "$HyperDerp::Test::build/t/pebble-2.8.0";
    my $module = 'github.com/letsencrypt/pebble/v2';
    system(qq(mkdir -p $dir && exec flock $dir sh -ec 'cd $dir; test -x pebble && exit
        test -e go.mod || go mod init pebble
        go get $module/cmd/pebble\@v2.8.0
        go build -o new $module/cmd/pebble
        mv new pebble' >$dir.log 2>&1));
    return $program = -x "$dir/pebble" ? "$dir/pebble" : '';
}

# Answers to one question: A is 127.0.0.1, of others there is none.
sub answer ($query) {
    my ($name, $at) = ('', 12);
    while (my $n = unpack "\@$at C", $query) {
        $name .= substr($query, $at + 1, $n) . '.';
        $at += 1 + $n;
    }
    my $type = unpack "\@@{[$at + 1]} n", $query;
    my $bad  = $name =~ /^bad\./;
    my $has  = !$bad && $type == 1;
    return pack('a2 n n n n n', $query, $bad ? 0x8183 : 0x8180, 1, $has, 0, 0)
        . substr($query, 12, $at + 5 - 12)
        . ($has ? pack('n n n N n C4', 0xc00c, 1, 1, 0, 4, 127, 0, 0, 1) : '');
}

sub name_server () {
    my $s = IO::Socket::IP->new(LocalHost => '127.0.0.1', LocalPort => 0, Type => SOCK_DGRAM)
        or die "name server: $@";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {    # over UDP; later versions ask over TCP
        while (1) {
            my $from = recv $s, my $query, 4096, 0;
            send $s, answer($query), 0, $from if defined $from && length $query > 16;
        }
    }
    HyperDerp::Children::keep($pid);
    return '127.0.0.1:' . $s->sockport;
}

# @o  http, tls: ports where it looks at challenges; conf: more of its
# configuration; env: of its failures on purpose
sub start ($class, %o) {
    return unless program();
    state $dns = name_server();
    my $self = bless { dir => File::Temp->newdir('hd-pebble-XXXXXX', TMPDIR => 1),
        port => HyperDerp::Test::free_port() }, $class;
    my $control = HyperDerp::Test::free_port();
    @$self{qw(crt key)} = HyperDerp::Test::certificate($self->{dir}, 'pebble');
    my $conf = HyperDerp::Test::spew("$self->{dir}/conf.json", JSON::PP::encode_json({ pebble => {
        listenAddress => "127.0.0.1:$self->{port}", managementListenAddress => "127.0.0.1:$control",
        certificate => $self->{crt}, privateKey => $self->{key},
        httpPort => $o{http}, tlsPort => $o{tls}, %{ $o{conf} // {} } } }));
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDOUT, '>', "$self->{dir}/log";
        open STDERR, '>&', \*STDOUT;
        local @ENV{qw(PEBBLE_VA_NOSLEEP PEBBLE_AUTHZREUSE PEBBLE_WFE_NONCEREJECT)} = (1, 0, 0);
        local @ENV{keys %{ $o{env} // {} }} = values %{ $o{env} // {} };
        exec program(), '-config', $conf, '-dnsserver', $dns or POSIX::_exit(127);
    }
    HyperDerp::Children::keep($pid);
    for my $port ($self->{port}, $control) {
        HyperDerp::Test::wait_for(sub { IO::Socket::IP->new(PeerHost => '127.0.0.1', PeerPort => $port) })
            or die "pebble does not start:\n" . HyperDerp::Test::slurp("$self->{dir}/log");
    }
    $self->{control} = $control;
    $self->{root}    = HyperDerp::Test::spew("$self->{dir}/root.pem", $self->manage('GET', '/roots/0'));
    return $self;
}

# A request to its side for tests. Returns the body.
sub manage ($self, $method, $path, $body = '') {
    my $file = HyperDerp::Test::spew("$self->{dir}/request", "$method $path HTTP/1.0\r\n"
            . "User-Agent: test\r\nContent-Length: " . length($body) . "\r\n\r\n$body");
    my $said = qx(openssl s_client -quiet -ign_eof -connect 127.0.0.1:$self->{control} <$file 2>/dev/null);
    return $said =~ s/\A.*?\r\n\r\n//sr;
}

# From now on this certificate is to be renewed at once: RFC 9773.
sub wants_renewed ($self, $pem) {
    my $window = { start => '2020-01-01T00:00:00Z', end => '2020-01-02T00:00:00Z' };
    $self->manage('POST', '/set-renewal-info/', JSON::PP::encode_json({ certificate => $pem,
        ariResponse => JSON::PP::encode_json({ suggestedWindow => $window }) }));
    return;
}

sub url ($self)  { return "https://127.0.0.1:$self->{port}/dir" }
sub root ($self) { return $self->{root} }
sub log ($self)  { return HyperDerp::Test::whole_lines("$self->{dir}/log") }

1;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/SServer.pm - openssl s_server on a leash, for one connection
# after the other: another TLS than ours, with its commands (k, K: KeyUpdate).
# Its certificate is relay.crt of a test's folder.
package HyperDerp::SServer;
use v5.36;
use parent 'HyperDerp::SClient';
use HyperDerp::Children;
use IPC::Open2;

# @args  options of s_server; -accept, -cert and -key are ours
sub new ($class, $dir, @args) {
    my $pid = open2(my $out, my $in, '/bin/sh', '-c', 'exec openssl s_server "$@" 2>&1', 'sh', '-accept', '127.0.0.1:0',
        '-cert', "$dir/relay.crt", '-key', "$dir/relay.key", @args);
    $in->autoflush(1);
    binmode $_ for $in, $out;
    HyperDerp::Children::keep($pid);
    my $self = bless { pid => $pid, in => $in, out => $out, text => '' }, $class;
    $self->expect(qr/^ACCEPT \S+:\d+$/m) or die "openssl s_server does not start: $self->{text}\n";
    ($self->{port}) = $self->{text} =~ /^ACCEPT \S+:(\d+)$/m;
    return $self;
}

sub port ($self) { return $self->{port} }

1;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Metrics.pm - HTTP by hand, and what others think of the pages.
package HyperDerp::Metrics;
use v5.36;
use Exporter qw(import);
use File::Temp;
use HyperDerp::Test;
use IO::Select;
use JSON::PP ();
use Test::More ();

our @EXPORT = qw(get request ask answer built_in eof_of samples promtool_likes parser_likes);

sub json ($text) { return JSON::PP::decode_json($text) }

sub ask ($s, $method, $path, %header) {
    my $lines = join '', map { "$_: $header{$_}\r\n" } keys %header;
    $lines = "Host: localhost\r\n$lines" unless exists $header{Host};
    print {$s} "$method $path HTTP/1.1\r\n$lines\r\n";
    return;
}

sub chunks ($s) {
    my $body = '';
    while (defined(my $line = readline $s)) {
        my $n = hex $line =~ s{\s+\z}{}r;
        read $s, my $part, $n + 2;
        return $body if $n == 0;
        $body .= substr $part, 0, $n;
    }
    return $body;
}

# One answer: status, type, body; chunked or not. cut: it has no end.
sub answer ($s, $head_only = 0) {
    my %r = (status => 0, type => '', body => '');
    local $SIG{ALRM} = sub { die "no answer\n" };
    alarm 60;
    eval {
        my $head = '';
        while (defined(my $line = readline $s)) {
            $head .= $line;
            last if $line eq "\r\n";
        }
        ($r{status}) = $head =~ m{^HTTP/1\.\d (\d+)} or return;
        ($r{type}) = $head =~ /^Content-Type: (.*?)\r$/m ? $1 : '';
        $r{head} = $head;
        if ($head_only) {
        } elsif ($head =~ /^Transfer-Encoding: chunked\r$/m) {
            $r{body} = chunks($s);
        } elsif ($head =~ /^Content-Length: (\d+)\r$/m) {
            $r{cut} = read($s, $r{body}, $1) != $1;
        } else {
            local $/;
            $r{body} = readline($s) // '';
        }
    };
    alarm 0;
    return \%r;
}

sub request ($port, $method, $path, %header) {
    my $s = HyperDerp::Test->socket($port) or return { status => 0, body => '', type => '' };
    ask($s, $method, $path, %header);
    return answer($s, $method eq 'HEAD');
}

sub get ($port, $path, %header) { return request($port, 'GET', $path, %header) }

# Whether the other end has closed; nothing else is expected.
sub eof_of ($s) {
    return IO::Select->new($s)->can_read(0) && !sysread $s, my $byte, 1;
}

# Then it comes and goes with the relay. Ends a subtest that needs it otherwise.
sub built_in (@modules) {
    my @in = grep { !-e "$HyperDerp::Test::build/modules.d/$_.so" } @modules;
    Test::More::plan(skip_all => "built in (--with-module-NAME=static): @in") if @in;
    return;
}

# "name{labels}" => value
sub samples ($text) {
    return map { /^([^# ].*) (\S+)$/ ? ($1 => $2) : () } split /\n/, $text;
}

sub filter ($text, @cmd) {
    my $file = File::Temp->new;
    print {$file} $text;
    close $file;
    open my $f, '-|', 'sh', '-c', 'in=$1; shift; exec "$@" <"$in" 2>&1', 'sh', "$file", @cmd or die;
    local $/;
    my $out = <$f> // '';
    close $f;
    return ($? >> 8, $out);
}

sub skip_without ($name, $program, $package) {
    return 0 if system("sh -c '$program' >/dev/null 2>&1") == 0;
    Test::More->builder->skip("$name: $package is missing: apt-get install $package");
    return 1;
}

sub promtool_likes ($text, $name) {
    return if skip_without($name, 'command -v promtool', 'prometheus');
    my ($status, $out) = filter($text, qw(promtool check metrics));
    Test::More::ok($status == 0, $name) or Test::More::diag($out);
    return;
}

my $parse = <<'PYTHON';
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
n = sum(len(f.samples) for f in text_string_to_metric_families(sys.stdin.read()))
sys.exit(0 if n > 50 else 1)
PYTHON

sub parser_likes ($text, $name) {
    return if skip_without($name, '/usr/bin/python3 -c "import prometheus_client"', 'python3-prometheus-client');
    my ($status, $out) = filter($text, '/usr/bin/python3', '-c', $parse);
    Test::More::ok($status == 0, $name) or Test::More::diag($out);
    return;
}

1;

#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
# t/system/hdprobe.t - hdprobe says what is wrong and what to do, and exits as
# monitoring plugins do: against what is no relay, bad certificates, and the
# relay itself.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Temp qw(tempdir);
use HyperDerp::Test;
use IO::Socket::INET;
use IPC::Open2;
use JSON::PP;
use POSIX ();
use Socket ();
use Time::HiRes qw(time);

my $builddir = $ENV{HD_BUILDDIR} // 'build';
my $hdprobe = "$builddir/hdprobe";
my $dir = tempdir(CLEANUP => 1);

# Returns the exit status and everything it printed.
sub probe (@args) {
	my $pid = open my $f, '-|' // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec $hdprobe, @args or die "$hdprobe: $!";
	}
	local $/;
	my $text = <$f> // '';
	close $f;
	return ($? >> 8, $text);
}

# The verdict of one check.
sub verdict ($text, $check) {
	return $text =~ /^(\w+) +\Q$check\E /m ? $1 : "no line for $check";
}

# A server in a child: talks to each client with $talk. Returns its port.
sub server ($talk) {
	my $l = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1')
		or die "listen: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		local $SIG{PIPE} = 'IGNORE';
		while (my $c = $l->accept) { $talk->($c) }
		POSIX::_exit(0);
	}
	HyperDerp::Children::keep($pid);
	return $l->sockport;
}

subtest 'wrong usage' => sub {
	for my $args ([], ['a', 'b'], ['host:0'], ['--no-such', 'host'],
		['--timeout', 'x', 'host'], ['--stun-port', '70000', 'host']) {
		my ($status, $text) = probe(@$args);
		is $status, 3, "hdprobe @$args: 3";
		like $text, qr/^hdprobe: /m, '... with a reason';
	}
	my ($status, $text) = probe('--help');
	is $status, 0, '--help: 0';
	like $text, qr/^usage: hdprobe/, '... with the usage';
	($status, $text) = probe('--version');
	is $status, 0, '--version: 0';
	like $text, qr/^hdprobe \d/, '... with the version';
};

subtest 'a full disk' => sub {
	plan skip_all => 'no /dev/full' unless -c '/dev/full';
	my $said = qx($HyperDerp::Test::build/hdprobe --help 2>&1 >/dev/full);
	is $? >> 8, 3, 'is no success';
	like $said, qr/^hdprobe: the output is not complete: No space left/, '... and told';
};

subtest 'a name that does not exist' => sub {
	my ($status, $text) = probe('relay.invalid');
	is $status, 3, 'could not check';
	is verdict($text, 'resolve'), 'FAIL', 'resolve fails';
	like $text, qr/-> .*(record|resolver)/, 'says what to do';
};

subtest 'a closed port' => sub {
	my $port = HyperDerp::Test::free_port();
	my ($status, $text) = probe("127.0.0.1:$port");
	is $status, 2, 'failed';
	is verdict($text, 'tcp'), 'FAIL', 'tcp fails';
	like $text, qr/-> nothing listens there/, 'says what to do';
	is verdict($text, 'relay'), 'skip', 'the rest is skipped';
	my ($map_status, $map) = probe('--derpmap', "127.0.0.1:$port");
	is $map_status, 2, '--derpmap fails too';
	unlike $map, qr/HostName/, '... and prints no entry';
	like $map, qr/nothing listens there/, '... and says what to do';
};

# An address of the loopback network that only this test has.
sub own_address () { return sprintf '127.%d.%d.77', 1 + $$ / 250 % 250, 1 + $$ % 250 }

subtest 'the port of the package' => sub {
	my $ip = own_address();
	my $l = IO::Socket::INET->new(Listen => 16, LocalAddr => $ip, LocalPort => 3340)
		or plan skip_all => "port 3340 of $ip: $!";
	plan skip_all => 'something listens on port 443 of this machine'
		if IO::Socket::INET->new(PeerAddr => $ip, PeerPort => 443);
	my ($status, $text) = probe($ip);
	is $status, 2, 'nothing on 443: failed';
	like $text, qr/^FAIL +tcp .*\n +-> something listens on port 3340.*: hdprobe \Q$ip\E:3340 /m,
		'... and where to look';
	($status, $text) = probe("$ip:443");
	unlike $text, qr/3340/, 'who names a port has chosen it';
};

subtest 'a listener that says nothing' => sub {
	my $l = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1');
	my $port = $l->sockport;
	my ($status, $text) = probe('-t', '1', '--no-stun', "127.0.0.1:$port");
	is $status, 2, 'failed';
	is verdict($text, 'tls'), 'FAIL', 'tls fails';
	like $text, qr/-> something listens but does not speak/,
		'says what to do';
	($status, $text) =
		probe('-t', '1', '--no-stun', '--plain', "127.0.0.1:$port");
	is $status, 2, '--plain: failed';
	is verdict($text, 'upgrade'), 'FAIL', '--plain: the upgrade fails';
	like $text, qr/-> something listens but does not answer/,
		'says what to do';
};

subtest 'a listener that sends garbage' => sub {
	my $port = server(sub ($c) { print $c "\x05\xff\e[31m\r\n" x 50 });
	my ($status, $text) = probe('-t', '30', '--no-stun', "127.0.0.1:$port");
	is $status, 2, 'failed';
	is verdict($text, 'tls'), 'FAIL', 'tls fails';
	like $text, qr/-> (this is not TLS|it hung up)/, 'says what to do';
	($status, $text) = probe('--no-stun', '--plain', "127.0.0.1:$port");
	is $status, 2, '--plain: failed';
	like $text, qr/^FAIL +upgrade +not HTTP/m, 'says what it found';
	unlike $text, qr/[^\n -~]/, '... without control characters';
};

subtest 'other servers' => sub {
	my $ssh = server(sub ($c) { print $c "SSH-2.0-OpenSSH_9.2p1\r\n" });
	my ($status, $text) = probe('--plain', '--no-stun', "127.0.0.1:$ssh");
	is $status, 2, 'SSH: failed';
	like $text, qr/it says "SSH-2.0-OpenSSH/, '... and recognised';

	my $web = server(sub ($c) {
		print $c "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
		my $rest = <$c>;
	});
	($status, $text) = probe('--plain', '--no-stun', "127.0.0.1:$web");
	is $status, 2, 'a web server: failed';
	like $text, qr/^FAIL +upgrade +answer 404/m, '... at the upgrade';
	like $text, qr/-> \/derp is not served/, '... says what to do';
};

subtest 'a server that drips' => sub {
	my $port = server(sub ($c) {
		$c->autoflush;
		print $c "HTTP/1.1 101 OK\r\nX: ";
		1 while select(undef, undef, undef, 0.05) == 0 && print $c 'x';
	});
	my $start = time;
	my ($status, $text) =
		probe('-t', '0.5', '--plain', '--no-stun', "127.0.0.1:$port");
	is $status, 2, 'failed';
	cmp_ok time - $start, '<', 60, 'the timeout is for the whole check';
};

### Certificates, served by openssl

my ($key, $request) = ("$dir/key.pem", "$dir/request.pem");
my $have_openssl = system("openssl req -new -newkey ec -nodes " .
	"-pkeyopt ec_paramgen_curve:P-256 -subj /CN=relay " .
	"-addext subjectAltName=DNS:localhost,IP:127.0.0.1 " .
	"-keyout $key -out $request 2>/dev/null") == 0;

sub certificate ($name, @args) {
	system('openssl', 'x509', '-req', '-in', $request, '-out',
		"$dir/$name.pem", '-copy_extensions', 'copy', @args) == 0
		or die "openssl x509 failed";
	return "$dir/$name.pem";
}

# Returns the port of a TLS server that shows this certificate and has a page
# for whoever asks, so that no check waits for its timeout. It ends when we do:
# its standard input is our pipe.
sub tls_server (@args) {
	my $pid = open2(my $out, my $in, 'openssl', 's_server', '-accept',
		'127.0.0.1:0', '-www', '-key', $key, @args);
	HyperDerp::Children::keep($pid);
	state @keep;
	push @keep, $in, $out;
	while (my $line = <$out>) {
		return $1 if $line =~ /^ACCEPT .*:(\d+)$/;
	}
	die 'openssl s_server did not start';
}

sub tls_probe ($port, @args) {
	return probe('-t', '30', '--no-stun', @args, "127.0.0.1:$port");
}

SKIP: {
	skip 'the program openssl is not installed', 1 if !$have_openssl;
	open STDERR, '>', "$dir/openssl.log";

	subtest 'certificates' => sub {
		my @self = (-signkey => $key);
		my $long = certificate('long', @self, -days => 90);
		my ($status, $text) = tls_probe(tls_server(-cert => $long));
		is verdict($text, 'cert-dates'), 'ok', '90 days are enough';
		is verdict($text, 'cert-name'), 'ok', 'an address matches';
		my ($pin) = `openssl x509 -in $long -outform DER |
			openssl dgst -sha256 -r` =~ /^(\w{64})/;
		like $text, qr/^ok +cert-chain .*sha256-raw:$pin$/m,
			'self-signed is fine; the pin is printed';
		is verdict($text, 'meta-cert'), 'skip',
			'no meta certificate: not an error';

		my ($crt, $its_key) =
			HyperDerp::Test::certificate_ending($dir, 'old',
			'localhost', 5 * 86400);
		($status, $text) =
			tls_probe(tls_server(-cert => $crt, -key => $its_key));
		is verdict($text, 'cert-dates'), 'warn', '5 days: a warning';
		like $text, qr/-> renew it/, '... with the remedy';

		my $short = certificate('short', @self, -days => 6);
		($status, $text) = tls_probe(tls_server(-cert => $short));
		is verdict($text, 'cert-dates'), 'ok',
			'... but not where it was for six from the start';

		my $past = certificate('past', @self, -days => -1);
		my $port = tls_server(-cert => $past);
		($status, $text) = tls_probe($port);
		is $status, 2, 'expired: failed';
		is verdict($text, 'cert-dates'), 'FAIL', '... by its date';

		($status, $text) = tls_probe($port, '--sni', 'other.example');
		like $text, qr/^FAIL +cert-name +other\.example is not/m,
			'another name does not match';
		($status, $text) = tls_probe($port, '--sni', 'localhost');
		is verdict($text, 'cert-name'), 'ok', 'a name matches';
	};

	subtest 'an authority' => sub {
		my $ca = "$dir/ca.pem";
		system("openssl req -x509 -newkey ec -nodes -days 30 " .
			"-pkeyopt ec_paramgen_curve:P-256 -subj /CN=authority " .
			"-keyout $dir/cakey.pem -out $ca") == 0 or die;
		my $leaf = certificate('leaf', -CA => $ca, -CAkey =>
			"$dir/cakey.pem", '-CAcreateserial', -days => 30);
		my $port = tls_server(-cert => $leaf);
		my ($status, $text) = tls_probe($port);
		is verdict($text, 'cert-chain'), 'FAIL', 'unknown: not trusted';
		like $text, qr/-> serve the whole chain/, '... with the remedy';
		($status, $text) = tls_probe($port, '--insecure');
		is verdict($text, 'cert-chain'), 'warn', '--insecure: a warning';
		local $ENV{SSL_CERT_FILE} = $ca;
		($status, $text) = tls_probe($port);
		is verdict($text, 'cert-chain'), 'ok', 'known: verified';
		my ($map_status, $map) =
			probe('--derpmap', '--format', 'json', '--no-stun', "127.0.0.1:$port");
		is $map_status, 2, '--derpmap: this is a server, but no relay';
		like $map, qr/^hdprobe: clients will not connect with this: upgrade: /m, '... says so';
		my $node = decode_json($map =~ s/^hdprobe: .*\n//mgr)->{derpMap}{Regions}{900}{Nodes}[0];
		is $node->{CertName}, undef, '... needs no pin';
		is $node->{DERPPort}, $port, '... has the port';

		my $file = "$dir/map.yaml";
		($map_status, $map) = probe('--derpmap', '--format', 'yaml', '--no-stun',
			'--output', $file, "127.0.0.1:$port");
		is $map_status, 2, '--output';
		ok !-e $file, '... writes no map that clients could not use';
	};
}

### The relay itself

# Every check that the text has lines for, but these, must be ok.
sub all_ok ($text, @but) {
	my %but = map { $_ => 1 } @but;
	my @bad = grep { !/^ok / && !$but{ (split)[1] } }
		grep { /^(ok|warn|FAIL|skip) / } split /\n/, $text;
	is_deeply \@bad, [], 'every check is ok';
}

subtest 'hyper-derp over TLS' => sub {
	my $hd = HyperDerp::Test->start;
	my @stun = ('-t', '30', '--stun-port', $hd->{stun});
	my $target = "127.0.0.1:$hd->{tls}";

	my ($status, $text) = probe(@stun, $target);
	is $status, 0, 'ok' or diag $text;
	all_ok($text);
	like $text, qr/^ok +relay +100 packets .*p50 [\d.]+/m,
		'two clients exchange packets';

	($status, $text) = probe(@stun, '--json', '--sni', 'localhost', $target);
	my $json = eval { decode_json($text) } // {};
	is $json->{status}, 'ok', '--json: ok';
	my %check = map { $_->{name} => $_ } @{ $json->{checks} };
	is scalar(keys %check), 22, '... with every check';
	ok $check{relay}{data}{p99_ms} > 0, '... and figures';

	($status, $text) = probe(@stun, '--quiet', $target);
	is $status, 0, '--quiet: ok';
	like $text, qr/\ADERP .*: ok - 22 ok.*\n\z/, '... in one line';

	($status, $text) =
		probe(@stun, '--derpmap', '--format', 'tailcat', $target);
	is $status, 0, '--derpmap';
	my $node = decode_json($text =~ s/^hdprobe: .*\n//mgr)
		->{Regions}{900}{Nodes}[0];
	is $node->{CertName}, $check{'cert-chain'}{data}{pin},
		'... pins the certificate';
	is $node->{STUNPort}, $hd->{stun}, '... has the STUN port';

	my $file = $hd->dir . '/map.yaml';
	HyperDerp::Test::spew($file, "what was there\n");
	my @map = ('--derpmap', '--format', 'yaml', '--output', $file);
	my $nobody = '127.0.0.1:' . HyperDerp::Test::free_port();
	($status, $text) = probe(@map, $nobody);
	is $status, 2, '--output, and no relay';
	like $text, qr/\Q$file\E is left as it was/, '... says so';
	is HyperDerp::Test::slurp($file), "what was there\n", '... and it is';
	($status, $text) = probe(@stun, @map, $target);
	is $status, 0, '--output' or diag $text;
	like HyperDerp::Test::slurp($file), qr/\Aregions:\n  900:\n.*^      derpport: $hd->{tls}\n/ms,
		'... writes the map';
	unlike $text, qr/regions:/, '... there only';
	is_deeply [glob "$file?*"], [], '... and nothing beside it';
	($status) = probe('--derpmap', '--output', $file, $target);
	is $status, 3, '--output needs a --format';

	($status, $text) = probe('--stun-port', HyperDerp::Test::free_port(), @map, $target);
	is $status, 1, '--derpmap, and STUN elsewhere: a warning';
	like $text, qr/^hdprobe: stun: UDP port .*\nhdprobe: .*--stun-port/m, '... with the remedy';
	unlike $text, qr/will not connect/, '... they reach it all the same';
	ok -s $file, '... and the map is written';

	($status, $text) = probe('--stun-port', HyperDerp::Test::free_port(),
		$target);
	is $status, 2, 'STUN elsewhere: failed';
	like $text, qr/^FAIL +stun .*\n +-> .*--stun-port/m,
		'... with the remedy';
	$hd->finish;
};

subtest 'port 80' => sub {
	my $ip = own_address();
	my $hd = HyperDerp::Test->new;
	my $port = HyperDerp::Test::free_port();
	my $yaml = $hd->yaml;
	plan skip_all => "port 80 of $ip: $!"
		unless IO::Socket::INET->new(Listen => 1, LocalAddr => $ip, LocalPort => 80, ReuseAddr => 1);
	my $node = sub ($listen) {
		$hd->{yaml} = $yaml =~ s/^listen: .*/listen: [{addr: "127.0.0.1:$hd->{plain}"}, $listen]/mr;
		$hd->write_conf;
		$hd->run->ready or return diag $hd->log_text;
		my ($status, $text) = probe('--derpmap', '--format', 'tailcat', '--no-stun', "$ip:$port");
		is $hd->stop, 0, 'the relay ends';
		return decode_json($text =~ s/^hdprobe: .*\n//mgr)->{Regions}{900}{Nodes}[0];
	};
	my $tls = qq({addr: "$ip:$port", tls: true});
	is $node->($tls)->{CanPort80}, undef, 'nothing on port 80';
	is $node->(qq($tls, {addr: "$ip:80"}))->{CanPort80}, JSON::PP::true, 'plain HTTP on port 80: CanPort80';
};

subtest 'hyper-derp without TLS' => sub {
	my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['derp']);
	my $target = "127.0.0.1:$hd->{plain}";
	my ($status, $text) = probe('-t', '30', '--plain', '--no-stun', $target);
	is $status, 0, 'ok' or diag $text;
	all_ok($text, qw(tls cert-dates cert-name cert-chain meta-cert stun));
	($status, $text) = probe('--no-stun', $target);
	is $status, 2, 'TLS to a plain port: failed';
	like $text, qr/^FAIL +tls .*\n +-> .*--plain/m,
		'... with the remedy';
	$hd->finish;
};

subtest 'a relay that drains' => sub {
	my $hd = HyperDerp::Test->start;
	$hd->signal('USR2');
	ok $hd->log_like(qr/drain begins/), 'it drains';
	my ($status, $text) = probe('-t', '3', '--stun-port', $hd->{stun},
		"127.0.0.1:$hd->{tls}");
	is $status, 2, 'failed';
	like $text, qr/^FAIL +upgrade .*503 instead of 101\n +-> the relay drains/m,
		'the upgrade is refused, with the remedy';
	is verdict($text, 'latency-check'), 'skip', 'nothing is asked behind it';
	is verdict($text, 'stun'), 'FAIL', 'STUN is silent';
	$hd->finish;
};

# A configuration that loads no derp still serves: but not what we want.
subtest 'hyper-derp without the module derp' => sub {
	my $hd = HyperDerp::Test->start(no_tls => 1, load_module => ['stun']);
	my ($status, $text) = probe('--plain', '--stun-port', $hd->{stun},
		"127.0.0.1:$hd->{plain}");
	is $status, 2, 'failed';
	like $text, qr/^FAIL +upgrade .*\n +-> .*module derp/m,
		'... with the remedy';
	is verdict($text, 'stun'), 'ok', 'STUN is there';
	$hd->finish;
};

subtest 'HD' => sub {
	my $udp = HyperDerp::Test::free_port(Socket::SOCK_DGRAM);
	my $conf = sub ($enroll, $more) { "hd: {enroll: $enroll$more}\n" };
	my $hd = HyperDerp::Test->start(load_module => [qw(derp stun hd)], conf => $conf->('anybody', ", udp: '127.0.0.1:$udp'"));
	my @args = ('-t', '30', '--stun-port', $hd->{stun}, "127.0.0.1:$hd->{tls}");
	my ($status, $text) = probe(@args);
	is $status, 0, 'ok' or diag $text;
	all_ok($text);
	like $text, qr/^ok +hd-login +hd1\w+, packets pass$/m, 'two clients';
	like $text, qr/^ok +hd-udp .*UDP port $udp$/m, '... by UDP';
	$hd->finish;

	$hd = HyperDerp::Test->start(load_module => [qw(derp stun hd)],
		conf => $conf->('anybody', ", udp: '127.0.0.1:$udp', udp_port: " . HyperDerp::Test::free_port(Socket::SOCK_DGRAM)));
	@args = ('-t', '5', '--stun-port', $hd->{stun}, "127.0.0.1:$hd->{tls}");
	($status, $text) = probe(@args);
	is $status, 1, 'UDP that leads nowhere: a warning' or diag $text;
	like $text, qr/^warn +hd-udp .*\n +-> .*hd\.udp_port/m, '... with the remedy';
	$hd->finish;

	$hd = HyperDerp::Test->start(load_module => [qw(derp stun hd)], conf => $conf->('invited', ''));
	@args = ('-t', '30', '--stun-port', $hd->{stun}, "127.0.0.1:$hd->{tls}");
	($status, $text) = probe(@args);
	is $status, 0, 'not for everybody: ok' or diag $text;
	like $text, qr/^skip +hd-login +hd1\w+ does not take everybody/m, '... and said';
	my ($credential) = $hd->ctl(qw(hd credential new probe)) =~ /(hdcred1\w+)/;
	($status, $text) = probe('--hd-credential', $credential, @args);
	is $status, 0, 'with a credential: ok' or diag $text;
	is verdict($text, 'hd-login'), 'ok', '... it is let in';
	like $text, qr/^skip +hd-udp .*offers no UDP/m, '... there is no UDP';
	$hd->finish;
	my $other = HyperDerp::Test->start(load_module => [qw(derp stun hd)], conf => $conf->('invited', ''));
	($status, $text) = probe('--hd-credential', $credential, '--no-stun', "127.0.0.1:$other->{tls}");
	is $status, 2, "another relay's: failed";
	like $text, qr/^FAIL +hd-login .*\n +-> .*credential/m, '... with the remedy';
	$other->finish;
};

subtest 'derper' => sub {
	my $derper = $ENV{HD_INTEROP_DERPER} // '';
	plan skip_all => 'HD_INTEROP_DERPER names no derper program' if !-x $derper;
	my ($port, $stun) = (HyperDerp::Test::free_port(),
		HyperDerp::Test::free_port());
	my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'sh',
		$derper, '-a', "127.0.0.1:$port", '-http-port', -1,
		'-stun-port', $stun, '-certmode', 'manual', '-hostname',
		'127.0.0.1', '-certdir', "$dir/certs", '-c', "$dir/derper.key");
	HyperDerp::Children::keep($pid);
	HyperDerp::Test::wait_for(sub {
		IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port");
	});
	my ($status, $text) = probe('--stun-port', $stun, "127.0.0.1:$port");
	is $status, 0, 'ok' or diag $text;
	all_ok($text);
};

done_testing;

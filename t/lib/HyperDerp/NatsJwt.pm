# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/NatsJwt.pm - accounts of NATS in operator mode, as nsc makes
# them: keys, JWTs, and a file of credentials. Ed25519 is openssl's.
package HyperDerp::NatsJwt;
use v5.36;
use Digest::SHA qw(sha256_hex);
use File::Temp ();
use HyperDerp::Test;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

# Prefixes of github.com/nats-io/nkeys: base32 makes them O, A, U, S.
my %prefix = (operator => 14 << 3, account => 0, user => 20 << 3);
my $seed_prefix = 18 << 3;
my $json = JSON::PP->new->canonical;

sub base32 ($bytes) {
    my $bits = unpack 'B*', $bytes;
    $bits .= '0' x (-length($bits) % 5);
    return join '', map { ('A' .. 'Z', 2 .. 7)[oct "0b$_"] } $bits =~ /(.{5})/g;
}

sub crc16 ($bytes) {    # XMODEM
    my $crc = 0;
    for my $byte (unpack 'C*', $bytes) {
        $crc ^= $byte << 8;
        $crc = $crc & 0x8000 ? $crc << 1 ^ 0x1021 : $crc << 1 for 1 .. 8;
        $crc &= 0xffff;
    }
    return $crc;
}

sub text ($bytes) { return base32($bytes . pack 'v', crc16($bytes)) }

# A key pair: file for openssl, public, seed.
sub pair ($dir, $kind) {
    my $file = "$dir/" . File::Temp::mktemp('key-XXXXXX') . '.pem';
    system('openssl', 'genpkey', '-algorithm', 'ed25519', '-out', $file) == 0 or die 'openssl genpkey failed';
    my $secret = substr qx(openssl pkey -in $file -outform DER), -32;
    my $public = substr qx(openssl pkey -in $file -pubout -outform DER), -32;
    my $p = $prefix{$kind};
    return {
        file => $file, public => text(chr($p) . $public),
        seed => text(chr($seed_prefix | $p >> 5) . chr(($p & 31) << 3) . $secret),
    };
}

# What one says of another, signed.
sub jwt ($dir, $by, $of, $name, $nats) {
    my %claims = (iss => $by->{public}, sub => $of->{public}, name => $name, iat => time, nats => { %$nats, version => 2 });
    $claims{jti} = sha256_hex($json->encode(\%claims));
    my $what = join '.', map { encode_base64url($json->encode($_)) } { typ => 'JWT', alg => 'ed25519-nkey' }, \%claims;
    my $in = HyperDerp::Test::spew("$dir/signed", $what);
    my $signature = qx(openssl pkeyutl -sign -rawin -inkey $by->{file} -in $in);
    die 'openssl pkeyutl failed' if length $signature != 64;
    return "$what." . encode_base64url($signature);
}

my %limits = map { $_ => -1 } qw(subs data payload imports exports conn leaf mem_storage disk_storage streams consumer);

# An operator with an account for relays. Returns lines for the server, and the
# content of a file of credentials.
sub region ($dir) {
    my ($operator, $system, $account, $user) = map { pair($dir, $_) } qw(operator account account user);
    my $all = { limits => { %limits, wildcards => JSON::PP::true }, type => 'account' };
    my %jwt = map { $_->[0]{public} => jwt($dir, $operator, @$_) }
        [$system, 'SYS', { %$all, limits => { map { $_ => -1 } qw(subs conn data payload) } }], [$account, 'RELAYS', $all];
    my $self = jwt($dir, $operator, $operator, 'test', { type => 'operator', system_account => $system->{public} });
    my $own = jwt($dir, $account, $user, 'relay', { type => 'user', subs => -1, data => -1, payload => -1 });
    my $preload = join '', map { "  $_: $jwt{$_}\n" } sort keys %jwt;
    my $conf = "operator: $self\nresolver: MEMORY\nresolver_preload {\n$preload}\n";
    my $creds = "-----BEGIN NATS USER JWT-----\n$own\n------END NATS USER JWT------\n\n"
        . "-----BEGIN USER NKEY SEED-----\n$user->{seed}\n------END USER NKEY SEED------\n";
    return ($conf, $creds);
}

1;

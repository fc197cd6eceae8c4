# SPDX-License-Identifier: MIT
# t/system/wg-quickstart.t - doc/start/wireguard-quickstart.md as it stands: its
# blocks are run, for two devices behind NATs, and what hdctl printed is all they get.
use v5.36;
use Test::More;
use FindBin;
use lib "$FindBin::Bin/../lib";
use HyperDerp::Guide;
use HyperDerp::Netns;
use HyperDerp::Test;
use JSON::PP;

my $missing = HyperDerp::Netns::missing();
plan skip_all => $missing if $missing;
plan skip_all => 'the module wg is not built' unless -e "$HyperDerp::Test::build/modules.d/wg.so";

my $net   = HyperDerp::Netns->new;
my $relay = $net->host('relay');
my %device = map { $_ => $net->host($_, behind => $net->nat("n$_")) } qw(phone laptop);
$_->wireguard for values %device;
my $hd = HyperDerp::Test->new(no_tls => 1, load_module => [], wrap => [$relay->wrap]);
$hd->run;
HyperDerp::Test::wait_for(sub { $hd->ctl('status') =~ /^state +serving$/m }) or BAIL_OUT($hd->log_text);

# The page's blocks, with keys and a name that are there.
my @blocks = HyperDerp::Guide::blocks("$HyperDerp::Test::srcdir/doc/start/wireguard-quickstart.md");
is_deeply [map { $_->{kind} } @blocks], [('run') x 6], 'all of them are run';
my $home = File::Temp->newdir('hd-wg-XXXXXX', TMPDIR => 1);
my %public;
mkdir($ENV{HDCTL_MODULES_ENABLED} = "$hd->{dir}/modules-enabled") or die $!;
$ENV{HDCTL_SOCKET} = $hd->control;
$ENV{PATH} = "$HyperDerp::Test::build:$ENV{PATH}";

sub take ($block) {
    my $text = $block->{text} =~ s/relay\.example\.com/$relay->{ip}/gr =~ s/([A-Z]+)S-PUBLIC-KEY/$public{lc $1}/gr;
    my $said = qx(@{[$relay->wrap]} sh -ec 'cd $home\n$text' 2>&1);
    is $?, 0, "line $block->{line}: " . ($text =~ /\A(.*)/)[0] or diag $said;
    return $said;
}

take($blocks[0]);
@public{qw(phone laptop)} = split /\n/, take($blocks[1]);
like take($blocks[2]), qr/\xe2\x96/, 'the QR code';
HyperDerp::Test::wait_for(sub { $hd->ctl(qw(wg show)) =~ /^port +51820$/m }) or BAIL_OUT($hd->log_text);

# As wg-quick does it: what wg does not know becomes addresses and routes.
sub bring_up ($name) {
    my $d = $device{$name};
    my $conf = $d->file('tunnel.conf');
    my $text = $name eq 'laptop' ? HyperDerp::Test::slurp("$home/wg-relay.conf")    # a QR code has the phone's
        : $hd->ctl(qw(wg client-config), $name, '--endpoint', $relay->{ip}, '--private-key', "$home/$name.key");
    HyperDerp::Test::spew($conf, $text);
    HyperDerp::Test::spew("$conf.stripped", scalar qx(wg-quick strip '$conf' 2>&1));
    $d->run('wg', 'setconf', $d->{dev}, "$conf.stripped");
    my ($address) = $text =~ /^Address = (\S+)$/m;
    $d->run(qw(ip -6 address add), $address, 'dev', $d->{dev}, 'nodad');
    $d->run(qw(ip -6 route add), $_, 'dev', $d->{dev}) for $text =~ /^AllowedIPs = (\S+)$/mg;
    return $address =~ s{/.*}{}r;
}

my %address = map { $_ => bring_up($_) } qw(phone laptop);
ok $device{laptop}->pings($address{phone}, 40), 'the laptop reaches the phone';
ok $device{phone}->pings($address{laptop}), 'the phone reaches the laptop';
my ($phone) = @{ decode_json($hd->ctl(qw(--json wg peer list phone))) };
cmp_ok $phone->{rx_bytes}, '>', 0, 'wg peer list counts it';
ok defined $phone->{handshake_s}, '... and saw the handshake';
is $phone->{path}, 'user', '... by way of user space';
like $hd->ctl(qw(wg show phone)), qr/peer=laptop handshake_s=\d/, 'wg show NAME has the link';

$hd->ctl(qw(wg link remove phone laptop));
ok $device{laptop}->silent($address{phone}), 'without the link it is silent at once';
$hd->ctl(qw(wg link add phone laptop));
ok $device{laptop}->pings($address{phone}, 40), 'and with it they talk again';

# A device gets a new key: an update, not a new peer.
my $d = $device{phone};
$hd->ctl(qw(wg peer pubkey phone), 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=');
ok $device{laptop}->silent($address{phone}), 'another key cuts the tunnels of the old one';

# The rest of the page.
take($blocks[3]);
like take($blocks[4]), qr/^drop_\w+ +\d/m, 'wg show tells what was wrong';
$public{tablet} = qx(wg genkey | wg pubkey) =~ s/\n//r;
take($blocks[5]);
my @linked = map { $_->{name} } @{ decode_json($hd->ctl(qw(--json wg peer list))) };
is_deeply [sort @linked], [qw(laptop phone tablet)], 'three devices';

$hd->finish;
done_testing;

# SPDX-License-Identifier: MIT
# t/lib/HyperDerp/Browser.pm - a page in headless Chromium, over its DevTools
# protocol on a pipe (https://chromedevtools.github.io/devtools-protocol/).
#
#   my $page = HyperDerp::Browser->open('http://127.0.0.1:9340/status');
#   is $page->eval('document.title'), 'Hyper-DERP';
#   is_deeply [$page->complaints], [];
package HyperDerp::Browser;
use v5.36;
use File::Temp;
use HyperDerp::Children;
use HyperDerp::Test;
use IO::Select;
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX ();
use Time::HiRes qw(time);

my $patience = 60;    # seconds

sub program () {
    my ($path) = grep { length } map { my $p = `command -v $_ 2>/dev/null`; chomp $p; $p }
        qw(chromium chromium-browser google-chrome);
    return $path;
}

# Dies with what the browser said when it does not start here.
sub open ($class, $url) {
    my $self = bless { id => 0, buf => '', complaints => [], dialogs => 0 }, $class;
    $self->start;
    my $target = $self->call('Target.createTarget', url => 'about:blank')->{targetId};
    $self->{session} = $self->call('Target.attachToTarget', targetId => $target, flatten => \1)->{sessionId};
    $self->call("$_.enable") for qw(Page Runtime Log Network);
    $self->size(1280, 900);
    $self->call('Page.navigate', url => $url);
    return $self;
}

my @options = qw(--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
    --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars
    --remote-debugging-pipe);

# It reads commands from 3 and writes answers to 4.
sub start ($self) {
    $self->{dir} = File::Temp->newdir('hd-browser-XXXXXX', TMPDIR => 1);
    pipe my $in, $self->{to} or die "pipe: $!";
    pipe $self->{from}, my $out or die "pipe: $!";
    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my @fds = map { POSIX::dup2($_, $_ + 20) } fileno $in, fileno $out;
        POSIX::dup2($fds[$_], 3 + $_) for 0, 1;
        CORE::open STDOUT, '>', "$self->{dir}/log";
        CORE::open STDERR, '>&', \*STDOUT;
        $ENV{HOME} = "$self->{dir}";
        exec program(), @options, "--user-data-dir=$self->{dir}/profile" or POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    HyperDerp::Children::keep($pid);
    $self->{to}->autoflush(1);
    return;
}

# ---- messages ----

# One message from the browser; nothing when there is none in time.
sub message ($self, $seconds) {
    my $until = time + $seconds;
    my $end;
    while (($end = index $self->{buf}, "\0") < 0) {
        my $left = $until - time;
        return if $left <= 0 || !IO::Select->new($self->{from})->can_read($left);
        sysread $self->{from}, $self->{buf}, 1 << 16, length $self->{buf}
            or die "the browser has ended:\n" . HyperDerp::Test::slurp("$self->{dir}/log");
    }
    my $text = substr $self->{buf}, 0, $end;
    substr $self->{buf}, 0, $end + 1, '';
    return JSON::PP::decode_json($text);
}

sub event ($self, $m) {
    my ($name, $p) = ($m->{method}, $m->{params});
    my $bad = $name eq 'Runtime.exceptionThrown' ? $p->{exceptionDetails}{exception}{description} // $p->{exceptionDetails}{text}
        : $name eq 'Runtime.consoleAPICalled' ? "console.$p->{type}: " . join ' ', map { $_->{value} // '?' } @{ $p->{args} }
        : $name eq 'Log.entryAdded' ? "$p->{entry}{source}: $p->{entry}{text}"
        : undef;
    push @{ $self->{complaints} }, $bad if defined $bad;
    push @{ $self->{urls} }, $p->{request}{url} if $name eq 'Network.requestWillBeSent';
    if ($name eq 'Page.javascriptDialogOpening') {
        $self->{dialogs}++;
        $self->send('Page.handleJavaScriptDialog', accept => \1);
    }
    return;
}

sub send ($self, $method, %params) {
    local $SIG{PIPE} = 'IGNORE';
    my %m = (id => ++$self->{id}, method => $method, params => \%params);
    $m{sessionId} = $self->{session} if $self->{session};
    print { $self->{to} } JSON::PP::encode_json(\%m), "\0";
    return $m{id};
}

sub call ($self, $method, %params) {
    my $id = $self->send($method, %params);
    while (my $m = $self->message($patience)) {
        $self->event($m), next if $m->{method};
        next if $m->{id} != $id;
        die "$method: $m->{error}{message}\n" if $m->{error};
        return $m->{result};
    }
    die "$method: no answer\n";
}

# ---- what tests ask ----

# The value of an expression.
sub eval ($self, $code) {
    my $r = $self->call('Runtime.evaluate', expression => $code, returnByValue => \1, awaitPromise => \1);
    die "$code: $r->{exceptionDetails}{text}\n" if $r->{exceptionDetails};
    return $r->{result}{value};
}

sub wait_for ($self, $code, $seconds = $patience) {
    return HyperDerp::Test::wait_for(sub { $self->eval($code) }, $seconds);
}

# The texts of all that a selector finds.
sub texts ($self, $selector) {
    return @{ $self->eval("[...document.querySelectorAll('$selector')].map((e) => e.textContent)") };
}

sub size ($self, $width, $height, %o) {
    $self->call('Emulation.setDeviceMetricsOverride', width => $width, height => $height,
        deviceScaleFactor => 1, mobile => $o{mobile} ? \1 : \0);
    return;
}

sub scheme ($self, $name) {
    $self->call('Emulation.setEmulatedMedia', features => [{ name => 'prefers-color-scheme', value => $name }]);
    return;
}

sub screenshot ($self, $path) {
    my $r = $self->call('Page.captureScreenshot', format => 'png');
    CORE::open my $f, '>:raw', $path or die "$path: $!";
    print {$f} decode_base64($r->{data});
    close $f or die "$path: $!";
    return;
}

# Errors, warnings and refused loads so far; what else was loaded, dialogs.
sub complaints ($self) { return @{ $self->{complaints} } }
sub urls ($self)       { return @{ $self->{urls} // [] } }
sub dialogs ($self)    { return $self->{dialogs} }

sub quit ($self) {
    my $pid = delete $self->{pid} // return;
    delete $self->{session};
    $self->send('Browser.close');
    HyperDerp::Test::wait_for(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 10) or kill 'KILL', $pid;
    HyperDerp::Children::ended($pid);
    return;
}

1;

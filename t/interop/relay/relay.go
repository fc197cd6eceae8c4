// SPDX-License-Identifier: MIT

// Package relay starts a relay for a test, hyper-derp or real derper, and
// stops it again: exit status 0 and a clean log are part of every test.
package relay

import (
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Patience bounds every wait on an event that must come; it is longer than any
// stall of a machine that others use too.
const Patience = 60 * time.Second

// Options says how a relay is to be started; the zero value is a relay on
// 127.0.0.1 with a TLS, a plain and a STUN port.
type Options struct {
	Host     string // listen address, "127.0.0.1" by default
	NoTLS    bool   // only the plain port; needed for DERP without TLS on derper
	NoSTUN   bool
	Modules  []string // beside derp and stun
	Sections string   // more YAML; a relay that is no hyper-derp skips the test
}

// Relay is a running relay.
type Relay struct {
	Derper bool   // real derper, not hyper-derp
	TLS    string // host:port; empty with NoTLS
	Plain  string
	STUN   string // empty with NoSTUN
	Cert   *Cert
	Dir    string // state folder

	cmd   *exec.Cmd
	log   *os.File      // also of a process that takes over
	done  chan struct{} // closed when the process has ended
	ended bool          // its end was waited for and judged
}

// derperPath is the real derper to test instead of hyper-derp, or "".
func derperPath() string { return os.Getenv("HD_INTEROP_DERPER") }

// SkipOnDerper skips a test of what derper does not do.
func SkipOnDerper(t testing.TB, reason string) {
	t.Helper()
	if derperPath() != "" {
		t.Skip("real derper: " + reason)
	}
}

// Start starts a relay and stops it when the test ends. Somebody else may bind a
// port of its own before it does: it is tried again then.
func Start(t testing.TB, opt Options) *Relay {
	t.Helper()
	if opt.Sections != "" {
		SkipOnDerper(t, "has no such configuration")
	}
	if opt.Host == "" {
		opt.Host = "127.0.0.1"
	}
	cert := newCert(t)
	for try := 0; try < 5; try++ {
		r := &Relay{Derper: derperPath() != "", Cert: cert}
		r.launch(t, opt)
		if r.awaitReady(t) {
			t.Cleanup(func() { r.Stop(t) })
			return r
		}
		if !strings.Contains(strings.ToLower(r.Log()), "in use") {
			t.Fatalf("the relay did not start:\n%s", r.Log())
		}
	}
	t.Fatal("no free port after five tries")
	return nil
}

func (r *Relay) launch(t testing.TB, opt Options) {
	t.Helper()
	r.Dir = t.TempDir()
	r.Plain = freeTCP(t, opt.Host)
	if !opt.NoTLS {
		r.TLS = freeTCP(t, opt.Host)
	}
	if !opt.NoSTUN {
		r.STUN = freeUDP(t, opt.Host)
	}
	if r.Derper {
		r.cmd = r.derperCommand(t, derperPath(), opt, "")
	} else {
		r.cmd = r.hyperDerpCommand(t, opt)
	}
	r.run(t)
}

func (r *Relay) run(t testing.TB) {
	t.Helper()
	r.openLog(t)
	r.cmd.Stdout = r.log
	r.cmd.Stderr = r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		t.Fatalf("cannot start the relay: %v", err)
	}
	r.awaitExit()
}

// awaitExit closes done when the process has ended.
func (r *Relay) awaitExit() {
	cmd, done := r.cmd, make(chan struct{})
	r.done = done
	go func() {
		cmd.Wait()
		close(done)
	}()
}

// openLog opens a file: a pipe would end with the last process that has it, and
// os/exec would wait for that.
func (r *Relay) openLog(t testing.TB) {
	t.Helper()
	if r.log != nil {
		return
	}
	log, err := os.OpenFile(filepath.Join(r.Dir, "log"),
		os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	r.log = log
}

// Restart ends the relay as Stop does and starts it again with the same ports
// and the same key.
func (r *Relay) Restart(t testing.TB) {
	t.Helper()
	r.Stop(t)
	r.again(t)
}

// Revive kills the relay and starts it again, as Restart does.
func (r *Relay) Revive(t testing.TB) {
	t.Helper()
	r.cmd.Process.Kill()
	<-r.done
	r.awaitPorts(t)
	r.again(t)
}

func (r *Relay) again(t testing.TB) {
	t.Helper()
	r.cmd = exec.Command(r.cmd.Path, r.cmd.Args[1:]...)
	r.ended = false
	r.run(t)
	if !r.awaitReady(t) {
		t.Fatalf("the relay did not start again:\n%s", r.Log())
	}
}

// awaitPorts waits until nobody has them: the kernel closes the sockets of a
// ring that was killed a little later.
func (r *Relay) awaitPorts(t testing.TB) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for _, addr := range []string{r.Plain, r.TLS} {
		for addr != "" {
			l, err := net.Listen("tcp", addr)
			if err == nil {
				l.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s stays in use: %v", addr, err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// Hdctl runs hdctl for the relay whose control socket is that, and returns what
// it says.
func Hdctl(t testing.TB, socket string, words ...string) string {
	t.Helper()
	cmd := exec.Command(built(t, "HD_HDCTL", "hdctl"),
		append([]string{"--socket", socket}, words...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("hdctl %s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return string(out)
}

// awaitReady polls until each TCP port takes connections; false: the process
// has ended instead.
func (r *Relay) awaitReady(t testing.TB) bool {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for _, addr := range []string{r.Plain, r.TLS} {
		for addr != "" {
			c, err := net.DialTimeout("tcp", addr, time.Second)
			if err == nil {
				c.Close()
				break
			}
			select {
			case <-r.done:
				return false
			case <-time.After(5 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				r.cmd.Process.Kill()
				<-r.done
				t.Fatalf("%s takes no connection:\n%s", addr, r.Log())
			}
		}
	}
	return true
}

// Signal sends sig to the relay.
func (r *Relay) Signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("signal: %v", err)
	}
}

// Stop ends the relay by TERM and checks exit status and log. It may be
// called before the end of the test.
func (r *Relay) Stop(t testing.TB) {
	t.Helper()
	if !r.ended {
		r.cmd.Process.Signal(syscall.SIGTERM)
		r.AwaitEnd(t)
	}
}

// AwaitEnd waits for the relay's end and checks exit status and log.
func (r *Relay) AwaitEnd(t testing.TB) {
	t.Helper()
	r.ended = true
	select {
	case <-r.done:
	case <-time.After(Patience):
		t.Errorf("the relay did not end")
		r.cmd.Process.Signal(syscall.SIGABRT)
		select {
		case <-r.done:
		case <-time.After(5 * time.Second):
			r.cmd.Process.Kill()
			<-r.done
		}
	}
	r.judge(t)
}

// judge fails the test for a bad exit status or a bad line in the log.
func (r *Relay) judge(t testing.TB) {
	t.Helper()
	if state := r.cmd.ProcessState; state == nil || !state.Success() {
		t.Errorf("the relay ended with %v, expected exit status 0", state)
	}
	if !r.Derper {
		for _, bad := range []string{"bug:", "AddressSanitizer",
			"LeakSanitizer", "ThreadSanitizer", "runtime error"} {
			if strings.Contains(r.Log(), bad) {
				t.Errorf("the relay's log contains %q", bad)
			}
		}
	}
	if t.Failed() {
		t.Logf("the relay's log:\n%s", r.Log())
	}
}

// Log is what the relay has written until now.
func (r *Relay) Log() string {
	b, _ := os.ReadFile(filepath.Join(r.Dir, "log"))
	return string(b)
}

func mustWrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// built returns the path in an environment variable, or a file of the build
// folder. Relative paths start at t/interop, whatever package the test is in.
func built(t testing.TB, name, file string) string {
	t.Helper()
	path := os.Getenv(name)
	if path == "" {
		path = filepath.Join(cmp.Or(os.Getenv("HD_BUILDDIR"), "../../build"), file)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(moduleRoot(t), path)
	}
	return path
}

// moduleRoot finds t/interop from a package's folder inside it.
func moduleRoot(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("run the tests inside t/interop")
	return ""
}

// Port is the port of a host:port.
func Port(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	n := 0
	fmt.Sscan(port, &n)
	return n
}

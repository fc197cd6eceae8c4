// SPDX-License-Identifier: MIT

package tailscaled

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hyper-derp/interop/relay"
	"tailscale.com/client/local"
	"tailscale.com/ipn/ipnstate"
)

// binary builds tailscaled, with the command-line program in it, once. The
// version is the one in go.mod; the build is kept, so only the first is slow.
var binary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("HD_INTEROP_TAILSCALED"); path != "" {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	path := filepath.Join(cache, "hyper-derp-interop", "tailscaled")
	// Without -trimpath, as derper: half of what both need is compiled once.
	cmd := exec.Command("nice", "go", "build",
		"-tags", "ts_include_cli,ts_debug_websockets",
		"-o", path, "tailscale.com/cmd/tailscaled")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %v\n%s", cmd, err, out)
	}
	return path, nil
})

// node is a tailscaled without a network device, and its data.
type node struct {
	t      *testing.T
	dir    string
	daemon string
	cli    string // the same program under the name tailscale
	env    []string
	client *local.Client
	log    *os.File
	kill   func() // ends the daemon
	ip     string
	name   string
}

// startNode starts a tailscaled and logs it in at a control server.
func startNode(t *testing.T, name, control string, env ...string) *node {
	t.Helper()
	return joinNode(t, name, control, nil, env...)
}

// joinNode is startNode with more arguments of tailscale up.
func joinNode(t *testing.T, name, control string, up []string, env ...string) *node {
	t.Helper()
	daemon, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, name: name, daemon: daemon, dir: shortDir(t)}
	n.cli = filepath.Join(n.dir, "tailscale")
	if err := os.Symlink(daemon, n.cli); err != nil {
		t.Fatal(err)
	}
	n.env = append(os.Environ(),
		"HOME="+n.dir, "TS_LOGS_DIR="+n.dir,
		// Nothing may leave this machine.
		"TS_NO_LOGS_NO_SUPPORT=true",
		"TS_PANIC_IF_HIT_MAIN_CONTROL=1",
		"TS_DISABLE_PORTMAPPER=1",
		"TS_NETCHECK_GENERATE_204_URL="+control+"/generate_204",
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
		// A machine that has only loopback is no reason to wait.
		"TS_ASSUME_NETWORK_UP_FOR_TEST=1",
		"SSH_CLIENT=", "SSH_CONNECTION=", "SSH_AUTH_SOCK=")
	n.env = append(n.env, env...)
	n.client = &local.Client{Socket: n.socket(), UseSocketOnly: true}
	n.start()
	n.awaitSocket()
	n.tailscale(append([]string{"up", "--login-server=" + control,
		"--hostname=" + name, "--accept-dns=false", "--reset"}, up...)...)
	n.ip = n.awaitRunning()
	return n
}

// shortDir is a temporary folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hd-interop")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (n *node) socket() string { return filepath.Join(n.dir, "ts.sock") }

// start starts the daemon, which ends with the test.
func (n *node) start() {
	n.t.Helper()
	var err error
	n.log, err = os.Create(filepath.Join(n.dir, "log"))
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command(n.daemon, "--tun=userspace-networking", "--port=0",
		"--statedir="+n.dir, "--socket="+n.socket(), "--verbose=1",
		"--no-logs-no-support")
	cmd.Env = n.env
	cmd.Stdout = n.log
	cmd.Stderr = n.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	n.t.Cleanup(func() {
		n.kill()
		n.log.Close()
		if n.t.Failed() {
			n.t.Logf("log of %s:\n%s", n.name, n.tail(150))
		}
	})
}

// tail is the end of the daemon's log.
func (n *node) tail(count int) string {
	b, _ := os.ReadFile(filepath.Join(n.dir, "log"))
	l := strings.Split(string(b), "\n")
	return strings.Join(l[max(0, len(l)-count):], "\n")
}

// tailscale runs the command-line program and returns what it says.
func (n *node) tailscale(args ...string) string {
	n.t.Helper()
	out, err := n.tryTailscale(args...)
	if err != nil {
		n.t.Fatal(err)
	}
	return out
}

func (n *node) tryTailscale(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*relay.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, n.cli,
		append([]string{"--socket=" + n.socket()}, args...)...)
	cmd.Env = n.env
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("tailscale %s: %v\n%s%s",
			strings.Join(args, " "), err, out, errs.String())
	}
	return string(out), nil
}

// await calls a condition until it holds.
func (n *node) await(what string, holds func() bool) {
	n.t.Helper()
	deadline := time.Now().Add(2 * relay.Patience)
	for !holds() {
		if time.Now().After(deadline) {
			n.t.Fatalf("%s: %s did not come", n.name, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (n *node) status() *ipnstate.Status {
	ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
	defer cancel()
	st, err := n.client.Status(ctx)
	if err != nil {
		return &ipnstate.Status{}
	}
	return st
}

func (n *node) awaitSocket() {
	n.t.Helper()
	n.await("the local socket", func() bool { return n.status().Version != "" })
}

// awaitRunning returns the node's address as soon as it has one.
func (n *node) awaitRunning() string {
	n.t.Helper()
	n.await("state Running", func() bool {
		st := n.status()
		return st.BackendState == "Running" && len(st.TailscaleIPs) > 0
	})
	return n.status().TailscaleIPs[0].String()
}

// awaitPeer waits until the control server has told of another node.
func (n *node) awaitPeer(other *node) {
	n.t.Helper()
	n.await("peer "+other.name, func() bool { return n.peer(other) != nil })
}

func (n *node) peer(other *node) *ipnstate.PeerStatus {
	for _, p := range n.status().Peer {
		if len(p.TailscaleIPs) > 0 && p.TailscaleIPs[0].String() == other.ip {
			return p
		}
	}
	return nil
}

// report is a part of what tailscale netcheck tells.
type report struct {
	UDP           bool
	PreferredDERP int
	RegionLatency map[string]time.Duration
}

// awaitNetcheck checks until the report is as it should be: a check has a few
// seconds only, and a busy machine may answer later.
func (n *node) awaitNetcheck(what string, good func(report) bool) {
	n.t.Helper()
	n.await("netcheck with "+what, func() bool {
		r := n.netcheck()
		if !good(r) {
			n.t.Logf("netcheck %+v, expected %s", r, what)
			return false
		}
		return true
	})
}

func (n *node) netcheck() report {
	n.t.Helper()
	var r report
	out := n.tailscale("netcheck", "--format=json")
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		n.t.Fatalf("%v in %q", err, out)
	}
	return r
}

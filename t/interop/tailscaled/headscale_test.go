// SPDX-License-Identifier: MIT

package tailscaled

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/types/key"
)

const headscaleVersion = "v0.29.2"

var errNoHeadscale = errors.New("lacking Headscale: set HD_LONG=1 to build it, " +
	"which takes minutes, or HD_INTEROP_HEADSCALE to the path of one")

// headscaleBinary is a real Headscale, built once from the Go module proxy and
// kept beside tailscaled.
var headscaleBinary = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("HD_INTEROP_HEADSCALE"); path != "" {
		return path, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "hyper-derp-interop", "headscale-"+headscaleVersion)
	path := filepath.Join(dir, "headscale")
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if os.Getenv("HD_LONG") == "" {
		return "", errNoHeadscale
	}
	if err := writeModule(dir); err != nil {
		return "", err
	}
	cmd := exec.Command("nice", "go", "build", "-trimpath", "-o", path,
		"github.com/juanfont/headscale/cmd/headscale")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod -buildvcs=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("lacking Headscale: %v: %v\n%s", cmd, err, out)
	}
	return path, nil
})

// writeModule makes a module that needs Headscale: go install asks the proxy for
// a list of all its versions, which not every proxy has.
func writeModule(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	os.Remove(filepath.Join(dir, "go.sum"))
	text := "module builds.headscale\n\ngo 1.26\n\n" +
		"require github.com/juanfont/headscale " + headscaleVersion + "\n"
	return os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o644)
}

// headscale is a running Headscale and its data.
type headscale struct {
	t    *testing.T
	bin  string
	dir  string
	addr string // host:port
	log  *os.File
	done chan struct{} // closed when it has ended
}

// newHeadscale picks a place for one: relays that ask it are started first.
func newHeadscale(t *testing.T) *headscale {
	t.Helper()
	bin, err := headscaleBinary()
	if err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &headscale{t: t, bin: bin, dir: shortDir(t), addr: l.Addr().String()}
}

func (h *headscale) url() string { return "http://" + h.addr }

func (h *headscale) file(name string) string { return filepath.Join(h.dir, name) }

func (h *headscale) write(name, text string) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

// start starts it with a DERP map whose only relay is r, and awaits its answer.
// Nothing of it leaves this machine.
func (h *headscale) start(r *relay.Relay) {
	h.t.Helper()
	h.write("derp.yaml", fmt.Sprintf(`regions:
  1:
    regionid: 1
    regioncode: test
    regionname: Test
    nodes:
      - {name: test1, regionid: 1, hostname: 127.0.0.1, ipv4: 127.0.0.1,
         ipv6: none, derpport: %d, certname: "%s",
         stunport: %d, stuntestip: 127.0.0.1}
`, relay.Port(r.TLS), r.Cert.Pin, relay.Port(r.STUN)))
	h.write("config.yaml", fmt.Sprintf(`server_url: %[1]s
listen_addr: %[2]s
metrics_listen_addr: ""
noise: {private_key_path: %[3]s/noise.key}
prefixes: {v4: 100.64.0.0/10, v6: "fd7a:115c:a1e0::/48"}
derp:
  server: {enabled: false}
  urls: []
  paths: [%[3]s/derp.yaml]
  auto_update_enabled: false
disable_check_updates: true
database: {type: sqlite, sqlite: {path: %[3]s/db.sqlite}}
dns: {magic_dns: false, override_local_dns: false, base_domain: tail.example}
policy: {mode: file, path: ""}
unix_socket: %[3]s/hs.sock
unix_socket_permission: "0700"
`, h.url(), h.addr, h.dir))
	var err error
	if h.log, err = os.Create(h.file("log")); err != nil {
		h.t.Fatal(err)
	}
	cmd := h.command("serve")
	cmd.Stdout, cmd.Stderr = h.log, h.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.done = make(chan struct{})
	go func() {
		cmd.Wait()
		close(h.done)
	}()
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		<-h.done
		if h.t.Failed() {
			b, _ := os.ReadFile(h.file("log"))
			h.t.Logf("log of Headscale:\n%s", b)
		}
	})
	h.awaitReady()
}

func (h *headscale) awaitReady() {
	h.t.Helper()
	deadline := time.Now().Add(2 * relay.Patience)
	for {
		if r, err := http.Get(h.url() + "/health"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-h.done:
			h.t.Fatal("Headscale has ended")
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			h.t.Fatal("Headscale does not answer")
		}
	}
}

func (h *headscale) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.bin, append([]string{"--config", h.file("config.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+h.dir, "HEADSCALE_CLI_TIMEOUT=60s")
	cmd.Dir = h.dir
	return cmd
}

// say runs its command-line program and returns what it prints.
func (h *headscale) say(args ...string) string {
	h.t.Helper()
	cmd := h.command(args...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		h.t.Fatalf("headscale %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// authKey makes a user, and a key with which nodes of that user come in.
func (h *headscale) authKey() string {
	h.t.Helper()
	h.say("users", "create", "test")
	out := strings.Fields(h.say("preauthkeys", "create", "--user", "1", "--reusable"))
	return out[len(out)-1]
}

// remove deletes a node.
func (h *headscale) remove(name string) {
	h.t.Helper()
	var nodes []struct {
		ID   json.Number `json:"id"`
		Name string      `json:"name"`
	}
	out := h.say("nodes", "list", "--output", "json")
	if err := json.Unmarshal([]byte(out), &nodes); err != nil {
		h.t.Fatalf("%v in %s", err, out)
	}
	for _, n := range nodes {
		if n.Name == name {
			h.say("nodes", "delete", "--force", "--identifier", n.ID.String())
			return
		}
	}
	h.t.Fatalf("Headscale has no node %s: %s", name, out)
}

// verify asks Headscale itself, in the words of derper, and returns its answer.
func (h *headscale) verify(k key.NodePublic) string {
	h.t.Helper()
	text, _ := k.MarshalText()
	body := `{"NodePublic":` + strconv.Quote(string(text)) + `,"Source":"127.0.0.1"}`
	r, err := http.Post(h.url()+"/verify", "application/json", strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	defer r.Body.Close()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		h.t.Fatal(err)
	}
	return b.String()
}

var privateKey = regexp.MustCompile(`"PrivateNodeKey":\s*"(privkey:[0-9a-f]{64})"`)

// nodeKey is the key that a node has in its state.
func nodeKey(n *node) key.NodePrivate {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, "tailscaled.state"))
	if err != nil {
		n.t.Fatal(err)
	}
	var state map[string]string
	if err := json.Unmarshal(b, &state); err != nil {
		n.t.Fatal(err)
	}
	for _, v := range state {
		text, _ := base64.StdEncoding.DecodeString(v)
		if m := privateKey.FindSubmatch(text); m != nil {
			var k key.NodePrivate
			if err := k.UnmarshalText(m[1]); err != nil {
				n.t.Fatal(err)
			}
			return k
		}
	}
	n.t.Fatalf("%s has no key in its state", n.name)
	return key.NodePrivate{}
}

// awaitAnswer waits until each knows where the other is at home.
func awaitAnswer(from, to *node) {
	from.t.Helper()
	from.await("an answer of "+to.name, func() bool {
		out, err := from.tryTailscale("ping", "--c=1", "--until-direct=false",
			"--timeout=1s", to.ip)
		return err == nil && strings.Contains(out, "via DERP(test)")
	})
}

// A real Headscale admits its nodes to our relay and nobody else. A node that is
// deleted there is put out of the relay, too, although its client has gone wild
// and does not leave by itself.
func TestHeadscale(t *testing.T) {
	h := newHeadscale(t)
	r := relay.Start(t, relay.Options{
		Modules: []string{"policy"},
		Sections: fmt.Sprintf("policy: {rules: [{name: headscale, url: %q}], "+
			"allow_ttl: 1s, deny_ttl: 1s}\n", h.url()+"/verify"),
	})
	h.start(r)
	join := []string{"--auth-key=" + h.authKey()}
	a := joinNode(t, "alice", h.url(), join, noDirect)
	b := joinNode(t, "bob", h.url(), join, noDirect)
	a.awaitPeer(b)
	b.awaitPeer(a)
	awaitAnswer(a, b)
	awaitAnswer(b, a)
	talk(t, a, b)

	var denied *peer.Denied
	if _, err := peer.TryDial(t, r, peer.Options{}); !errors.As(err, &denied) {
		t.Errorf("a stranger: %v, expected to be denied", err)
	}

	b.kill()
	bob := nodeKey(b)
	if answer := h.verify(bob.Public()); !strings.Contains(answer, `"Allow":true`) {
		t.Errorf("Headscale says of bob: %s", answer)
	}
	wild := peer.Dial(t, r, peer.Options{Key: bob})
	wild.Quiet()
	h.remove("bob")
	wild.Closed()
	// it has been told why, and is not again within a minute
	if _, err := peer.TryDial(t, r, peer.Options{Key: bob}); err == nil {
		t.Error("bob, who is deleted, is let in again")
	}
	if answer := h.verify(bob.Public()); !strings.Contains(answer, `"Allow":false`) {
		t.Errorf("Headscale says of bob now: %s", answer)
	}
	alice := peer.Dial(t, r, peer.Options{Key: nodeKey(a)})
	alice.Quiet()
	if n := strings.Count(r.Log(), "no answer of an admission service"); n > 0 {
		t.Errorf("%d questions without an answer", n)
	}
}

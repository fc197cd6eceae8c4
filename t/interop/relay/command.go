// SPDX-License-Identifier: MIT

package relay

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// hyperDerpCommand writes the configuration and returns the command.
func (r *Relay) hyperDerpCommand(t testing.TB, opt Options) *exec.Cmd {
	t.Helper()
	bin := built(t, "HD_RELAY_BIN", "hyper-derp")
	if _, err := os.Stat(bin); err != nil {
		if os.Getenv("HD_RELAY_BIN") != "" {
			t.Fatalf("HD_RELAY_BIN: %v", err)
		}
		t.Skipf("lacking the relay: build it first, or set HD_RELAY_BIN (%v)", err)
	}
	path := filepath.Join(r.Dir, "hyper-derp.yaml")
	mustWrite(t, path, r.config(t, opt))
	return exec.Command(bin, "--config", path)
}

// config is the YAML of the relay under test.
func (r *Relay) config(t testing.TB, opt Options) string {
	t.Helper()
	listen := []string{fmt.Sprintf("{addr: %q}", r.Plain)}
	modules := append([]string{"derp"}, opt.Modules...)
	var y strings.Builder

	if !opt.NoTLS {
		listen = append(listen, fmt.Sprintf("{addr: %q, tls: true}", r.TLS))
		fmt.Fprintf(&y, "tls_cert: %s\n", r.Cert.CertFile)
		fmt.Fprintf(&y, "tls_key: %s\n", r.Cert.KeyFile)
	}
	if !opt.NoSTUN {
		modules = append(modules, "stun")
		fmt.Fprintf(&y, "stun: {listen: %q}\n", r.STUN)
	}
	fmt.Fprintf(&y, "listen: [%s]\n", strings.Join(listen, ", "))
	fmt.Fprintf(&y, "load_module: [%s]\n", strings.Join(modules, ", "))
	fmt.Fprintf(&y, "module_path: [%s]\n",
		built(t, "HD_MODULE_PATH", "modules.d"))
	fmt.Fprintf(&y, "state_dir: %s\n", r.Dir)
	fmt.Fprintf(&y, "workers: 2\n")
	if !strings.Contains(opt.Sections, "control:") {
		fmt.Fprintf(&y, "control: {socket: %q}\n", r.control())
	}
	if backend := os.Getenv("HD_EVENT_BACKEND"); backend != "" {
		fmt.Fprintf(&y, "event_backend: %s\n", backend)
	}
	return y.String() + opt.Sections
}

// derperCommand is real derper with the same ports. It speaks DERP on the TLS
// port only, or with NoTLS on the plain one.
func (r *Relay) derperCommand(t testing.TB, bin string, opt Options, meshKeyFile string) *exec.Cmd {
	t.Helper()
	args := []string{
		"-c", filepath.Join(r.Dir, "derper.key"),
		"-mesh-psk-file", meshKeyFile, "-hostname", "127.0.0.1",
	}
	if opt.NoTLS {
		args = append(args, "-a", r.Plain, "-http-port", "-1")
	} else {
		_, plain, _ := net.SplitHostPort(r.Plain)
		args = append(args, "-a", r.TLS, "-http-port", plain,
			"-certmode", "manual", "-certdir", r.Cert.Dir)
	}
	if opt.NoSTUN {
		args = append(args, "-stun=false")
	} else {
		_, stun, _ := net.SplitHostPort(r.STUN)
		args = append(args, "-stun-port", stun)
	}
	return exec.Command(bin, args...)
}

// DerperMesh says with whom a real derper meshes.
type DerperMesh struct {
	KeyFile string
	With    []*Relay
}

// args of derper, and the file of the certificates that it is to trust.
func (m DerperMesh) args(t testing.TB, dir string) ([]string, string) {
	t.Helper()
	var names []string
	var cas strings.Builder
	for _, r := range m.With {
		names = append(names, r.TLS)
		pem, err := os.ReadFile(r.Cert.CertFile)
		if err != nil {
			t.Fatal(err)
		}
		cas.Write(pem)
	}
	file := filepath.Join(dir, "cas.pem")
	mustWrite(t, file, cas.String())
	return []string{"-mesh-with", strings.Join(names, ",")}, file
}

// StartDerper starts real derper beside the relays under test: it dials these,
// whose certificates it verifies. The test is skipped where the relay under
// test is derper, or derper cannot be built.
func StartDerper(t testing.TB, mesh DerperMesh) *Relay {
	t.Helper()
	SkipOnDerper(t, "is derper already")
	bin := buildDerper(t)
	for try := 0; try < 5; try++ {
		r := &Relay{Derper: true, Cert: newCert(t), Dir: t.TempDir()}
		r.TLS, r.Plain = freeTCP(t, "127.0.0.1"), freeTCP(t, "127.0.0.1")
		r.cmd = r.derperCommand(t, bin, Options{NoSTUN: true}, mesh.KeyFile)
		args, cas := mesh.args(t, r.Dir)
		r.cmd.Args = append(r.cmd.Args, args...)
		r.cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+cas)
		r.run(t)
		if r.awaitReady(t) {
			t.Cleanup(func() {
				r.cmd.Process.Kill() // it knows no other end
				<-r.done
			})
			return r
		}
	}
	t.Fatal("derper has not started")
	return nil
}

// buildDerper returns the path of a derper of the version in go.mod. Go keeps
// what it has built: only the first one takes long.
func buildDerper(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "derper")
	cmd := exec.Command("go", "build", "-o", path, "tailscale.com/cmd/derper")
	cmd.Dir = moduleRoot(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("lacking derper: %v\n%s", err, out)
	}
	return path
}

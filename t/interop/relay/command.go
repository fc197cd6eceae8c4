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
	if backend := os.Getenv("HD_EVENT_BACKEND"); backend != "" {
		fmt.Fprintf(&y, "event_backend: %s\n", backend)
	}
	return y.String() + opt.Sections
}

// derperCommand is real derper with the same ports. It speaks DERP on the TLS
// port only, or with NoTLS on the plain one.
func (r *Relay) derperCommand(t testing.TB, opt Options) *exec.Cmd {
	t.Helper()
	args := []string{
		"-c", filepath.Join(r.Dir, "derper.key"),
		"-mesh-psk-file", "", "-hostname", "127.0.0.1",
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
	return exec.Command(derperPath(), args...)
}

// SPDX-License-Identifier: MIT

// Package tailscaled lets two real tailscaled talk through the relay. They
// have no network device and no way to each other but DERP.
package tailscaled

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/logger"
)

// Real tailscaled finds no way around DERP: without UDP, or told so.
const (
	noUDP    = "TS_DEBUG_ALWAYS_USE_DERP=1"
	noDirect = "TS_DEBUG_NEVER_DIRECT_UDP=1"
)

// derpMap is the map of a tailnet whose only relay is r.
func derpMap(r *relay.Relay, port string) *tailcfg.DERPMap {
	n := &tailcfg.DERPNode{
		Name: "test1", RegionID: 1,
		HostName: "127.0.0.1", IPv4: "127.0.0.1", IPv6: "none",
		DERPPort: relay.Port(port), CertName: r.Cert.Pin,
		STUNPort: -1,
	}
	if r.STUN != "" {
		n.STUNPort = relay.Port(r.STUN)
		n.STUNTestIP = "127.0.0.1"
	}
	return &tailcfg.DERPMap{
		OmitDefaultRegions: true,
		Regions: map[int]*tailcfg.DERPRegion{1: {
			RegionID: 1, RegionCode: "test", RegionName: "test",
			Nodes: []*tailcfg.DERPNode{n},
		}},
	}
}

// startControl starts tailscale's control server for tests.
func startControl(t *testing.T, m *tailcfg.DERPMap) string {
	t.Helper()
	control := &testcontrol.Server{
		Logf: logger.Discard, DERPMap: m, AllNodesSameUser: true,
	}
	control.HTTPTestServer = httptest.NewUnstartedServer(control)
	control.HTTPTestServer.Start()
	t.Cleanup(func() {
		control.HTTPTestServer.CloseClientConnections()
		control.HTTPTestServer.Close()
	})
	return control.HTTPTestServer.URL
}

// tailnet is two nodes that know each other.
func tailnet(t *testing.T, m *tailcfg.DERPMap, env ...string) (a, b *node) {
	t.Helper()
	control := startControl(t, m)
	a = startNode(t, "alice", control, env...)
	b = startNode(t, "bob", control, env...)
	a.awaitPeer(b)
	b.awaitPeer(a)
	return a, b
}

// pingByDERP pings with disco and expects the answer by the relay.
func pingByDERP(t *testing.T, from, to *node) {
	t.Helper()
	out := from.tailscale("ping", "--c=3", "--until-direct=false",
		"--timeout=5s", to.ip)
	if !strings.Contains(out, "via DERP(test)") {
		t.Errorf("ping from %s to %s: %q, expected: via DERP(test)",
			from.name, to.name, out)
	}
}

// onlyDERP checks that two nodes have found no other way.
func onlyDERP(t *testing.T, a, b *node) {
	t.Helper()
	p := a.peer(b)
	if p == nil {
		t.Fatalf("%s has lost %s", a.name, b.name)
	}
	if p.CurAddr != "" || p.Relay != "test" {
		t.Errorf("%s reaches %s at %q, relay %q; expected only the relay",
			a.name, b.name, p.CurAddr, p.Relay)
	}
	for _, problem := range a.status().Health {
		if strings.Contains(strings.ToLower(problem), "relay") {
			t.Errorf("%s complains: %s", a.name, problem)
		}
	}
}

// talk is everything that two nodes do by the relay.
func talk(t *testing.T, a, b *node) {
	t.Helper()
	pingByDERP(t, a, b)
	pingByDERP(t, b, a)
	transfer(t, a, b)
	transfer(t, b, a)
	onlyDERP(t, a, b)
	onlyDERP(t, b, a)
}

func TestWithSTUN(t *testing.T) {
	r := relay.Start(t, relay.Options{})
	a, b := tailnet(t, derpMap(r, r.TLS), noDirect)
	a.awaitNetcheck("UDP and relay 1", func(got report) bool {
		return got.UDP && got.PreferredDERP == 1
	})
	talk(t, a, b)
}

func TestWithoutSTUN(t *testing.T) {
	r := relay.Start(t, relay.Options{NoSTUN: true})
	a, b := tailnet(t, derpMap(r, r.TLS), noUDP)
	a.awaitNetcheck("no UDP and the latency of relay 1", func(got report) bool {
		return !got.UDP && got.PreferredDERP == 1 &&
			len(got.RegionLatency) == 1
	})
	talk(t, a, b)
}

// The client that browsers use, in a real tailscaled.
func TestWebSocket(t *testing.T) {
	r := relay.Start(t, relay.Options{})
	a, b := tailnet(t, derpMap(r, r.TLS), noDirect,
		"TS_DEBUG_DERP_WS_CLIENT=1", "SSL_CERT_FILE="+r.Cert.CertFile)
	talk(t, a, b)
	for _, n := range []*node{a, b} {
		if !strings.Contains(n.tail(1<<30), "websocket: connected to") {
			t.Errorf("%s did not use WebSocket", n.name)
		}
	}
}

func TestWithoutTLS(t *testing.T) {
	r := relay.Start(t, relay.Options{NoTLS: true})
	a, b := tailnet(t, derpMap(r, r.Plain), noDirect,
		"TS_DEBUG_USE_DERP_HTTP=1")
	talk(t, a, b)
}

// A relay that lets in whom the tailscaled beside it knows, as derper does with
// -verify-clients: alice's is the one.
func TestVerifyClients(t *testing.T) {
	socket := filepath.Join(shortDir(t), "ts.sock")
	r := relay.Start(t, relay.Options{
		Modules:  []string{"policy"},
		Sections: fmt.Sprintf("policy: {rules: [{tailscaled: %q}]}\n", socket),
	})
	control := startControl(t, derpMap(r, r.TLS))
	a := startNode(t, "alice", control, noDirect)
	if err := os.Symlink(a.socket(), socket); err != nil {
		t.Fatal(err)
	}
	b := startNode(t, "bob", control, noDirect)
	a.awaitPeer(b)
	b.awaitPeer(a)
	a.await("an answer of bob", func() bool {
		out, err := a.tryTailscale("ping", "--c=1", "--until-direct=false",
			"--timeout=1s", b.ip)
		return err == nil && strings.Contains(out, "via DERP(test)")
	})
	transfer(t, a, b)
	var denied *peer.Denied
	_, err := peer.TryDial(t, r, peer.Options{})
	if !errors.As(err, &denied) {
		t.Errorf("a stranger: %v, expected to be denied", err)
	}
}

// A tailscaled that is denied is told why and asks later each time: one that is
// told each time believes that the relay lives, and comes 150 times a second.
func TestDeniedWaits(t *testing.T) {
	keys := filepath.Join(shortDir(t), "keys")
	if err := os.WriteFile(keys, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	r := relay.Start(t, relay.Options{
		Modules:  []string{"policy"},
		Sections: fmt.Sprintf("policy: {rules: [{keys: %q}]}\n", keys),
	})
	a := startNode(t, "alice", startControl(t, derpMap(r, r.TLS)), noDirect)
	a.await("the reason", func() bool {
		return strings.Contains(strings.Join(a.status().Health, " "),
			"not on the relay's list")
	})
	tries := func() int { return strings.Count(r.Log(), "why=denied") }
	a.await("more tries", func() bool { return tries() > 5 })
	before := tries()
	time.Sleep(5 * time.Second)
	if n := tries() - before; n > 50 {
		t.Errorf("%d tries in 5 s: it does not wait", n)
	}
}

// The relay is restarted: both nodes come back by themselves.
func TestRelayRestart(t *testing.T) {
	r := relay.Start(t, relay.Options{})
	a, b := tailnet(t, derpMap(r, r.TLS), noDirect)
	pingByDERP(t, a, b)
	r.Restart(t)
	a.await("an answer after the restart", func() bool {
		out, err := a.tryTailscale("ping", "--c=1", "--until-direct=false",
			"--timeout=1s", b.ip)
		return err == nil && strings.Contains(out, "via DERP(test)")
	})
	transfer(t, a, b)
}

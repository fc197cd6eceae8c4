// SPDX-License-Identifier: MIT

package derp

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

const meshHex = "6d657368206b65792066726f6d2061207465737420616e64206e6f7468696e67"

// meshFile is the file of the key, as derper reads it.
func meshFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mesh.key")
	if err := os.WriteFile(path, []byte(meshHex+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func meshKey(t *testing.T, hex string) key.DERPMesh {
	t.Helper()
	k, err := key.ParseDERPMesh(hex)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func startMeshed(t *testing.T) *relay.Relay {
	t.Helper()
	return relay.Start(t, relay.Options{NoSTUN: true, Sections: fmt.Sprintf(
		"derp: {mesh_key: %q}\n", meshFile(t))})
}

// link is another relay: a client with the mesh key.
func link(t *testing.T, r *relay.Relay) *peer.Peer {
	t.Helper()
	return peer.Dial(t, r, peer.Options{MeshKey: meshKey(t, meshHex)})
}

// region is what somebody who watches knows.
type region struct {
	mu      sync.Mutex
	present map[key.NodePublic]derp.PeerPresentMessage
	changed chan struct{}
}

func newRegion() *region {
	return &region{present: map[key.NodePublic]derp.PeerPresentMessage{},
		changed: make(chan struct{}, 1)}
}

func (g *region) note(change func()) {
	g.mu.Lock()
	change()
	g.mu.Unlock()
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

// watchLoop is derphttp's own, as derper runs it.
func (g *region) watchLoop(t *testing.T, r *relay.Relay, ignore key.NodePublic, as key.NodePrivate) (done chan struct{}) {
	t.Helper()
	c, err := derphttp.NewClient(as, peer.URL(r, peer.TLS13), logger.Discard,
		netmon.NewStatic())
	if err != nil {
		t.Fatal(err)
	}
	c.TLSConfig = &tls.Config{RootCAs: r.Cert.Pool}
	c.MeshKey = meshKey(t, meshHex)
	c.WatchConnectionChanges = true
	c.SetURLDialer(new(net.Dialer).DialContext)
	ctx, cancel := context.WithCancel(context.Background())
	done = make(chan struct{})
	t.Cleanup(func() { cancel(); c.Close(); <-done })
	go func() {
		defer close(done)
		c.RunWatchConnectionLoop(ctx, ignore, logger.Discard,
			func(m derp.PeerPresentMessage) {
				g.note(func() { g.present[m.Key] = m })
			},
			func(m derp.PeerGoneMessage) {
				g.note(func() { delete(g.present, m.Peer) })
			}, nil)
	}()
	return done
}

// await waits until what is known is as it should be.
func (g *region) await(t *testing.T, what string, ok func(map[key.NodePublic]derp.PeerPresentMessage) bool) {
	t.Helper()
	deadline := time.After(relay.Patience)
	for {
		g.mu.Lock()
		is, n := ok(g.present), len(g.present)
		g.mu.Unlock()
		if is {
			return
		}
		select {
		case <-g.changed:
		case <-deadline:
			t.Fatalf("%s: not within %v; %d are known", what, relay.Patience, n)
		}
	}
}

func TestMeshWatch(t *testing.T) {
	r := startMeshed(t)
	prober := peer.Dial(t, r, peer.Options{IsProber: true})
	early := map[key.NodePublic]*peer.Peer{}
	for range 40 {
		p := peer.Dial(t, r, peer.Options{})
		early[p.Pub] = p
	}
	g, self := newRegion(), key.NewNode()
	g.watchLoop(t, r, key.NodePublic{}, self)
	g.await(t, "those who were here, and itself", func(m map[key.NodePublic]derp.PeerPresentMessage) bool {
		return len(m) == 42
	})
	g.mu.Lock()
	for k, m := range g.present {
		want := derp.PeerPresentFlags(derp.PeerPresentIsRegular)
		if k == self.Public() {
			want = derp.PeerPresentIsMeshPeer
		} else if k == prober.Pub {
			want = derp.PeerPresentIsProber
		} else if early[k] == nil {
			t.Errorf("%v is not here", k)
		}
		if m.Flags != want {
			t.Errorf("flags %v, expected %v", m.Flags, want)
		}
		if m.IPPort.Addr().Unmap().String() != "127.0.0.1" || m.IPPort.Port() == 0 {
			t.Errorf("address %v", m.IPPort)
		}
	}
	g.mu.Unlock()

	one := peer.Dial(t, r, peer.Options{})
	two := peer.Dial(t, r, peer.Options{Key: one.Key})
	g.await(t, "who comes", func(m map[key.NodePublic]derp.PeerPresentMessage) bool {
		_, ok := m[one.Pub]
		return ok && len(m) == 43
	})
	one.Close()
	late := peer.Dial(t, r, peer.Options{})
	g.await(t, "one of two connections ends", func(m map[key.NodePublic]derp.PeerPresentMessage) bool {
		_, still := m[one.Pub]
		_, ok := m[late.Pub]
		return still && ok
	})
	two.Close()
	g.await(t, "the last one ends", func(m map[key.NodePublic]derp.PeerPresentMessage) bool {
		_, ok := m[one.Pub]
		return !ok
	})
	for _, p := range early {
		p.Close()
	}
	g.await(t, "all leave", func(m map[key.NodePublic]derp.PeerPresentMessage) bool {
		return len(m) == 3
	})
}

func TestMeshWatchItself(t *testing.T) {
	r := startMeshed(t)
	c := peer.Dial(t, r, peer.Options{})
	done := newRegion().watchLoop(t, r, c.HTTP.ServerPublicKey(), key.NewNode())
	select {
	case <-done:
	case <-time.After(relay.Patience):
		t.Fatal("the loop does not see that it has reached itself")
	}
}

func TestMeshForward(t *testing.T) {
	r := startMeshed(t)
	l := link(t, r)
	far := key.NewNode().Public()
	var here []*peer.Peer
	for range 8 { // on both workers
		here = append(here, peer.Dial(t, r, peer.Options{}))
	}
	for i, p := range here {
		for _, n := range []int{0, 1, 100, derp.MaxPacketSize - 1, derp.MaxPacketSize} {
			want := pattern(n)
			if err := l.Client.ForwardPacket(far, p.Pub, want); err != nil {
				t.Fatal(err)
			}
			got := p.Packet()
			if got.Source != far || !bytes.Equal(got.Data, want) {
				t.Fatalf("%d: %d bytes from %v", i, len(got.Data), got.Source)
			}
		}
	}
	// Nobody has it: it goes nowhere, and who brought it is told, as derper does.
	nobody := key.NewNode().Public()
	if err := l.Client.ForwardPacket(far, nobody, disco(100)); err != nil {
		t.Fatal(err)
	}
	l.Gone(nobody, derp.PeerGoneReasonNotHere)
	l.Quiet()
	for _, p := range here {
		p.Quiet()
	}
}

func TestMeshClosePeer(t *testing.T) {
	r := startMeshed(t)
	l := link(t, r)
	k := key.NewNode()
	one := peer.Dial(t, r, peer.Options{Key: k})
	two := peer.Dial(t, r, peer.Options{Key: k})
	other := peer.Dial(t, r, peer.Options{})
	if err := l.Client.ClosePeer(k.Public()); err != nil {
		t.Fatal(err)
	}
	one.Closed()
	two.Closed()
	other.Quiet()
	l.Quiet()
}

func TestMeshWrongLengths(t *testing.T) {
	r := startMeshed(t)
	for name, b := range map[string][]byte{
		"WatchConns":         frameBytes(derp.FrameWatchConns, []byte{0}),
		"ClosePeer, short":   frameBytes(derp.FrameClosePeer, make([]byte, 31)),
		"ClosePeer, long":    frameBytes(derp.FrameClosePeer, make([]byte, 33)),
		"ForwardPacket":      frameBytes(derp.FrameForwardPacket, make([]byte, 63)),
		"ForwardPacket long": frameBytes(derp.FrameForwardPacket, make([]byte, 64+derp.MaxPacketSize+1)),
	} {
		t.Run(name, func(t *testing.T) {
			c := meshRaw(t, r, meshHex)
			c.alive()
			c.say(string(b))
			c.closed()
		})
	}
}

func meshRaw(t *testing.T, r *relay.Relay, hex string) *raw {
	c := dialTLS(t, r, nil)
	c.upgrade(derpRequest)
	c.greet()
	k := key.NewNode()
	c.info(k, `{"version":2,"meshKey":"`+hex+`"}`)
	c.welcome(k)
	return c
}

// Every digit counts, also the last.
func TestMeshWrongKey(t *testing.T) {
	r := startMeshed(t)
	for _, hex := range []string{
		strings.Repeat("0", 64),
		meshHex[:63] + "8",
		"7" + meshHex[1:],
	} {
		c := meshRaw(t, r, hex)
		c.alive()
		c.frame(derp.FrameWatchConns, nil)
		c.closed()
	}
}

// A watcher that reads nothing costs it nothing: when it reads again it learns
// the last state of every key.
func TestMeshSlowWatcher(t *testing.T) {
	r := startMeshed(t)
	c := meshRaw(t, r, meshHex)
	c.frame(derp.FrameWatchConns, nil)
	stays := peer.Dial(t, r, peer.Options{})
	flaps := key.NewNode()
	for range 100 {
		p := peer.Dial(t, r, peer.Options{Key: flaps})
		p.Quiet()
		p.Close()
	}
	last := peer.Dial(t, r, peer.Options{Key: flaps})
	last.Quiet()
	present := map[string]bool{}
	end := peer.Dial(t, r, peer.Options{})
	want := func(k key.NodePublic) bool { return present[string(k.AppendTo(nil))] }
	for !want(stays.Pub) || !want(last.Pub) || !want(end.Pub) {
		switch typ, b := c.next(); typ {
		case derp.FramePeerPresent:
			present[string(b[:32])] = true
		case derp.FramePeerGone:
			delete(present, string(b[:32]))
		}
	}
	last.Close()
	for want(last.Pub) {
		if typ, b := c.next(); typ == derp.FramePeerGone {
			delete(present, string(b[:32]))
		}
	}
}

// Real derper as the other relay: it watches who is here, and brings what its
// clients send to them.
func TestMeshWithDerper(t *testing.T) {
	r := startMeshed(t)
	d := relay.StartDerper(t, relay.DerperMesh{KeyFile: meshFile(t), With: []*relay.Relay{r}})
	ours := peer.Dial(t, r, peer.Options{})
	theirs := peer.Dial(t, d, peer.Options{})
	deadline := time.Now().Add(relay.Patience)
	for {
		theirs.Send(ours.Pub, []byte("across"))
		m, err := ours.TryNext(probeWait)
		if p, ok := m.(derp.ReceivedPacket); ok {
			if p.Source != theirs.Pub || string(p.Data) != "across" {
				t.Fatalf("%q from %v", p.Data, p.Source)
			}
			break
		}
		if err != nil && time.Now().After(deadline) {
			t.Fatalf("nothing came\nderper's log:\n%s", d.Log())
		}
	}
	// A client that is here already, of any worker, is reached at once.
	for range 8 {
		p := peer.Dial(t, r, peer.Options{})
		for {
			theirs.Send(p.Pub, pattern(1000))
			if m, _ := p.TryNext(probeWait); m != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("derper does not know of it\n%s", d.Log())
			}
		}
	}
}

// meshedTo starts a relay that dials others: they are named once it runs.
func meshedTo(t *testing.T, sections ...string) *relay.Relay {
	t.Helper()
	return relay.Start(t, relay.Options{NoSTUN: true, Modules: []string{"mesh"},
		Sections: fmt.Sprintf("derp: {mesh_key: %q}\n", meshFile(t)) +
			strings.Join(sections, "")})
}

// members are r's from now on.
func members(t *testing.T, r *relay.Relay, others ...*relay.Relay) {
	t.Helper()
	var list []string
	for _, o := range others {
		list = append(list, fmt.Sprintf("{name: %q, ca_file: %q}", o.TLS, o.Cert.CertFile))
	}
	path := filepath.Join(r.Dir, "hyper-derp.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = fmt.Appendf(text, "mesh: {members: [%s]}\n", strings.Join(list, ", "))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.Signal(t, syscall.SIGHUP)
}

// crosses sends until the first one arrives: until both relays know. After a stall
// one of an earlier call may arrive, too, from somebody else.
func crosses(t *testing.T, from, to *peer.Peer, logs ...*relay.Relay) {
	t.Helper()
	deadline := time.Now().Add(relay.Patience)
	for {
		from.Send(to.Pub, []byte("across"))
		m, _ := to.TryNext(probeWait)
		if p, ok := m.(derp.ReceivedPacket); ok {
			if string(p.Data) != "across" {
				t.Fatalf("%q from %v", p.Data, p.Source)
			}
			if p.Source == from.Pub {
				return
			}
		}
		if time.Now().After(deadline) {
			for _, r := range logs {
				t.Log(r.Log())
			}
			t.Fatal("nothing came")
		}
	}
}

// Real derper and this relay dial each other: packets cross both ways.
func TestMeshBothWaysWithDerper(t *testing.T) {
	r := meshedTo(t)
	d := relay.StartDerper(t, relay.DerperMesh{KeyFile: meshFile(t), With: []*relay.Relay{r}})
	members(t, r, d)
	ours, theirs := peer.Dial(t, r, peer.Options{}), peer.Dial(t, d, peer.Options{})
	crosses(t, ours, theirs, r, d)
	crosses(t, theirs, ours, r, d)
	// Of every size, and from whoever comes later.
	late := peer.Dial(t, d, peer.Options{})
	crosses(t, ours, late, r, d)
	for _, n := range []int{0, 1, 1400, derp.MaxPacketSize} {
		want := pattern(n)
		ours.Send(theirs.Pub, want)
		for {
			p := theirs.Packet()
			if string(p.Data) == "across" { // sent twice above
				continue
			}
			if p.Source != ours.Pub || !bytes.Equal(p.Data, want) {
				t.Fatalf("%d bytes from %v, expected %d", len(p.Data), p.Source, n)
			}
			break
		}
	}
	// Who has heard from a client there is told when it leaves.
	theirs.Close()
	deadline := time.Now().Add(relay.Patience)
	for {
		m, _ := ours.TryNext(probeWait)
		if g, ok := m.(derp.PeerGoneMessage); ok && g.Peer == theirs.Pub {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not hear that the other one has left")
		}
	}
}

// SPDX-License-Identifier: MIT

package tailscaled

import (
	"context"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"hyper-derp/interop/relay"
	"tailscale.com/tailcfg"
)

// twoRegions is a map in which every client prefers the first relay.
func twoRegions(first, second *relay.Relay) *tailcfg.DERPMap {
	m := derpMap(first, first.TLS)
	other := derpMap(second, second.TLS).Regions[1]
	other.RegionID, other.RegionCode = 2, "other"
	other.Nodes[0].RegionID, other.Nodes[0].Name = 2, "other1"
	m.Regions[2] = other
	m.HomeParams = &tailcfg.DERPHomeParams{RegionScore: map[int]float64{2: 20}}
	return m
}

// echo is a stream of small datagrams from one node to another and back.
type echo struct {
	mu   sync.Mutex
	last time.Time
	gap  time.Duration // the longest time without an answer
	got  int
}

const echoEvery = 20 * time.Millisecond

func startEcho(t *testing.T, from, to *node) *echo {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		b := make([]byte, 2048)
		for {
			n, addr, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo(b[:n], addr)
		}
	}()
	c, err := from.client.UserDial(context.Background(), "udp", to.ip,
		uint16(server.LocalAddr().(*net.UDPAddr).Port))
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{}
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); c.Close(); server.Close() })
	go e.send(c, stop)
	go e.read(c)
	from.await("an answer from "+to.name, func() bool { return e.answers() > 10 })
	return e
}

func (e *echo) send(c net.Conn, stop chan struct{}) {
	b := []byte("echo")
	tick := time.NewTicker(echoEvery)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			c.Write(b)
		}
	}
}

func (e *echo) read(c net.Conn) {
	b := make([]byte, 2048)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		e.mu.Lock()
		if now := time.Now(); e.last.IsZero() {
			e.last = now
		} else {
			e.gap, e.last = max(e.gap, now.Sub(e.last)), now
		}
		e.got++
		e.mu.Unlock()
	}
}

func (e *echo) answers() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.got
}

func (e *echo) awaitMore(n *node) {
	n.t.Helper()
	got := e.answers()
	n.await("more answers", func() bool { return e.answers() > got+20 })
}

// reset begins anew; what it returns is the longest silence until now.
func (e *echo) reset() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	gap := max(e.gap, time.Since(e.last))
	e.gap = 0
	return gap
}

func (n *node) home() string {
	if self := n.status().Self; self != nil {
		return self.Relay
	}
	return ""
}

// startDrain has two nodes at home at the first of two relays, which then
// drains. Returns when that began.
func startDrain(t *testing.T, drainTime string, talk bool) (a, b *node, e *echo, begin time.Time) {
	t.Helper()
	first := relay.Start(t, relay.Options{
		Sections: "drain_time: " + drainTime + "\n",
	})
	second := relay.Start(t, relay.Options{})
	a, b = tailnet(t, twoRegions(first, second), noDirect)
	for _, n := range []*node{a, b} {
		n.await("home in the first region", func() bool {
			return n.home() == "test"
		})
	}
	if talk {
		e = startEcho(t, a, b)
		e.reset()
	}
	begin = time.Now()
	first.Signal(t, syscall.SIGUSR2)
	return a, b, e, begin
}

func awaitMoved(t *testing.T, begin time.Time, nodes ...*node) {
	t.Helper()
	for _, n := range nodes {
		n.await("home in the other region", func() bool {
			return n.home() == "other"
		})
		t.Logf("%s has moved after %.2f s", n.name,
			time.Since(begin).Seconds())
	}
}

// Nodes without traffic do not look for another home before they are closed;
// then they do so at once, since they have heard nothing for a while.
func TestDrainIdle(t *testing.T) {
	a, b, _, begin := startDrain(t, "12s", false)
	awaitMoved(t, begin, a, b)
	startEcho(t, a, b)
}

// Nodes with traffic stay for 8 s after the last frame, whatever we do.
func TestDrainBusy(t *testing.T) {
	a, b, e, begin := startDrain(t, "10s", true)
	awaitMoved(t, begin, a, b)
	e.awaitMore(a)
	t.Logf("longest silence: %v", e.reset())
}

// After five minutes a slow answer to STUN makes them leave by themselves.
func TestDrainUnnoticed(t *testing.T) {
	if os.Getenv("HD_LONG") == "" {
		t.Skip("takes six minutes: set HD_LONG=1, or ./bootstrap check --long")
	}
	a, b, e, begin := startDrain(t, "20m", true)
	for time.Since(begin) < 5*time.Minute {
		time.Sleep(time.Second)
	}
	awaitMoved(t, begin, a, b)
	e.awaitMore(a)
	if gap := e.reset(); gap > 3*time.Second {
		t.Errorf("longest silence: %v; before, it was that of a drain that "+
			"closes: 6 to 8 s", gap)
	} else {
		t.Logf("longest silence: %v", gap)
	}
}

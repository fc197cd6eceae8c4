// SPDX-License-Identifier: MIT

package tailscaled

import (
	"os"
	"regexp"
	"testing"

	"hyper-derp/interop/relay"
)

// What a tailscaled writes when it connects, loses a connection or a packet, or
// is told that somebody has gone.
var reconnects = regexp.MustCompile(`(?m)^.*(?:connecting to derp-|` +
	`derp-\d+ connected|derp\.Recv\(derp-|derp\.Send\(|closing connection to|` +
	`does not know about peer|peer \S+ gone).*$`)

func (n *node) reconnects() []string {
	return reconnects.FindAllString(n.tail(1<<30), -1)
}

// A stream of bytes goes on while other processes take the relay over, and
// neither node notices: HD_INTEROP_LONG has 200 MB and five upgrades.
func TestUpgrade(t *testing.T) {
	relay.SkipOnDerper(t, "hands nothing over")
	size, upgrades := int64(20_000_000), int64(2)
	if os.Getenv("HD_INTEROP_LONG") != "" {
		size, upgrades = 200_000_000, 5
	}
	r := relay.Start(t, relay.Options{})
	a, b := tailnet(t, derpMap(r, r.TLS), noDirect)
	pingByDERP(t, a, b)
	pingByDERP(t, b, a)
	before := map[*node]int{a: len(a.reconnects()), b: len(b.reconnects())}

	part := size / (upgrades + 1)
	f := &flow{from: a, to: b, size: size, held: part, release: make(chan struct{})}
	f.start(t)
	for i := range upgrades {
		a.await("a part of the bytes", func() bool { return f.came.Load() >= (i+1)*part-part/2 })
		if i+1 == upgrades {
			close(f.release) // so some are under way at the last one, too
		}
		came := f.came.Load()
		said := r.Upgrade(t)
		t.Logf("upgrade %d: %d bytes had come, %d came meanwhile; workers stood for %.1f ms",
			i+1, came, f.came.Load()-came, float64(said.SilentUs)/1000)
		if said.Moved != 2 || said.ClosedClients != 0 {
			t.Errorf("upgrade %d: %+v, expected that both move", i+1, said)
		}
	}
	f.await(t)
	onlyDERP(t, a, b)
	onlyDERP(t, b, a)
	for n, was := range before {
		if now := n.reconnects(); len(now) != was || was == 0 {
			t.Errorf("%s has noticed: %q", n.name, now)
		}
	}
	pingByDERP(t, b, a)
}

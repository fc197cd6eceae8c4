// SPDX-License-Identifier: MIT

package derp

import (
	"strconv"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
)

// A client sends all the time while other processes take the relay over: each
// packet comes once, in order, by the same connection.
func TestTakeOver(t *testing.T) {
	relay.SkipOnDerper(t, "hands nothing over")
	for _, via := range []peer.Transport{peer.TLS13, peer.Plain, peer.WSS, peer.WS} {
		t.Run(string(via), func(t *testing.T) {
			r := relay.Start(t, relay.Options{})
			a := peer.Dial(t, r, peer.Options{Via: via})
			b := peer.Dial(t, r, peer.Options{Via: via})
			stop, sent := make(chan struct{}), make(chan int)
			go func() {
				n := 0
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for {
					select {
					case <-stop:
						sent <- n
						return
					case <-tick.C:
						if a.Client.Send(b.Pub, []byte(strconv.Itoa(n))) == nil {
							n++
						}
					}
				}
			}()
			next := 0
			expect := func(until int) {
				t.Helper()
				for ; next < until; next++ {
					if got := string(b.Packet().Data); got != strconv.Itoa(next) {
						t.Fatalf("packet %s came, expected %d", got, next)
					}
				}
			}
			for range 3 {
				expect(next + 10)
				if said := r.Upgrade(t); said.Moved != 2 || said.ClosedClients != 0 {
					t.Errorf("%+v, expected that both move", said)
				}
				expect(next + 10)
			}
			close(stop)
			expect(<-sent)
		})
	}
}

// SPDX-License-Identifier: MIT

package derp

import (
	"testing"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/types/key"
)

// A relay that is stopped with clients, and started again at once, gets its
// ports back and has the same key.
func TestRestart(t *testing.T) {
	r := relay.Start(t, relay.Options{})
	var was key.NodePublic
	for i := range 20 {
		a := peer.Dial(t, r, peer.Options{})
		b := peer.Dial(t, r, peer.Options{Via: peer.TLS12})
		a.Send(b.Pub, []byte("hello"))
		b.Packet()
		bound(t, dialSTUN(t, r.STUN))
		now := a.HTTP.ServerPublicKey()
		if i > 0 && now != was {
			t.Fatal("the relay has another key now")
		}
		was = now
		r.Restart(t)
		a.Closed()
		b.Closed()
	}
}

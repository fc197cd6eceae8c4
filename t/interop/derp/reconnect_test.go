// SPDX-License-Identifier: MIT

package derp

import (
	"fmt"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// The same key logs in again around the end of its old connection, from 1 ms
// before to 1 ms after: the new connection gets the packets.
func TestReconnect(t *testing.T) {
	const rounds = 200
	r := start(t, peer.TLS13)
	from := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	old := peer.Dial(t, r, peer.Options{Key: k})
	for i := range rounds {
		shift := time.Duration(i-rounds/2) * 2 * time.Millisecond / rounds
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			if shift > 0 {
				time.Sleep(shift) // the subject of the test, not a wait
			}
			old.Close()
		}()
		if shift < 0 {
			time.Sleep(-shift)
		}
		fresh := peer.Dial(t, r, peer.Options{Key: k})
		from.Send(k.Public(), []byte{byte(i)})
		if got := fresh.Packet(); len(got.Data) != 1 || got.Data[0] != byte(i) {
			t.Fatalf("round %d: got %x", i, got.Data)
		}
		<-closed
		old = fresh
	}
	old.Quiet()
}

// Many keys come and go at the same time. Each says hello to the hub and leaves
// when it is answered: the hub hears of each key's end exactly once.
func TestChurn(t *testing.T) {
	const workers, rounds = 8, 50
	r := start(t, peer.TLS13)
	hub := peer.Dial(t, r, peer.Options{})
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			errs <- churn(t, r, hub.Pub, transports[w%2], rounds)
		}()
	}

	logins, gone := map[key.NodePublic]int{}, map[key.NodePublic]int{}
	for n := 0; n < workers*rounds; {
		m, err := hub.TryNext(relay.Patience)
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case derp.ReceivedPacket:
			logins[m.Source]++
			hub.Send(m.Source, []byte("bye"))
		case derp.PeerGoneMessage:
			gone[m.Peer]++
			n++
		}
	}
	collect(t, errs, workers)
	for k, n := range logins {
		if n != 1 || gone[k] != 1 {
			t.Errorf("%d packets and %d PeerGone, expected one of each", n, gone[k])
		}
	}
	hub.Quiet()
}

// churn logs in with one fresh key after the other.
func churn(t *testing.T, r *relay.Relay, hub key.NodePublic, via peer.Transport, rounds int) error {
	for i := range rounds {
		p, err := peer.TryDial(t, r, peer.Options{Via: via})
		if err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if err := p.Client.Send(hub, []byte("hello")); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		if _, err := peer.TryAwait[derp.ReceivedPacket](p); err != nil {
			return fmt.Errorf("round %d: %w", i, err)
		}
		p.Close()
	}
	return nil
}

// A receiver that leaves in the middle of a flood hurts nobody else.
func TestReceiverLeavesUnderFlood(t *testing.T) {
	r := start(t, peer.TLS13)
	from := peer.Dial(t, r, peer.Options{})
	other := peer.Dial(t, r, peer.Options{})
	for range 20 {
		to := peer.Dial(t, r, peer.Options{})
		for range 300 {
			from.Send(to.Pub, pattern(1400))
		}
		to.Packet()
		to.Close()
		awaitDelivery(t, from, other) // the flood may have filled a queue
	}
	from.Pong()
}

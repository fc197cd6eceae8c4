// SPDX-License-Identifier: MIT

package derp

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// disco returns a packet that looks like disco: the magic, a sender's key and
// a nonce make the 62 bytes that are the least.
func disco(n int) []byte {
	b := bytes.Repeat([]byte{0x55}, n)
	copy(b, "TS💬")
	return b
}

// probeWait is how long a probe may take before the next one is sent; it
// delays a test but never decides it.
const probeWait = 20 * time.Millisecond

func TestNewestDuplicateIsActive(t *testing.T) {
	r := start(t, peer.TLS13)
	from := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	one := peer.Dial(t, r, peer.Options{Key: k})
	from.Send(one.Pub, []byte("alone"))
	one.Packet()

	two := peer.Dial(t, r, peer.Options{Key: k})
	for i := range 20 {
		text := fmt.Sprint("newest ", i)
		from.Send(k.Public(), []byte(text))
		if got := two.Packet(); string(got.Data) != text {
			t.Fatalf("got %q", got.Data)
		}
	}
	one.Quiet()
}

// speak is anything that a client can say; each makes its connection the
// active one.
var speak = map[string]func(p *peer.Peer){
	"packet":    func(p *peer.Peer) { p.Send(key.NewNode().Public(), []byte("x")) },
	"ping":      func(p *peer.Peer) { p.Client.SendPing([8]byte{1}) },
	"preferred": func(p *peer.Peer) { p.HTTP.NotePreferred(true) },
}

func TestLastSpeakerIsActive(t *testing.T) {
	for name, say := range speak {
		t.Run(name, func(t *testing.T) {
			r := start(t, peer.TLS13)
			from := peer.Dial(t, r, peer.Options{})
			k := key.NewNode()
			one := peer.Dial(t, r, peer.Options{Key: k})
			two := peer.Dial(t, r, peer.Options{Key: k})

			say(one)
			one.Pong() // now the relay has heard it
			from.Send(k.Public(), []byte("to one"))
			if got := one.Packet(); string(got.Data) != "to one" {
				t.Fatalf("got %q", got.Data)
			}
			two.Quiet() // which also makes it the active one
			from.Send(k.Public(), []byte("to two"))
			if got := two.Packet(); string(got.Data) != "to two" {
				t.Fatalf("got %q", got.Data)
			}
			one.Quiet()
		})
	}
}

// When the active connection leaves, the one that spoke last before takes
// over.
func TestDuplicateFallsBack(t *testing.T) {
	r := start(t, peer.TLS13)
	from := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	var conns []*peer.Peer
	for range 3 {
		conns = append(conns, peer.Dial(t, r, peer.Options{Key: k}))
	}
	conns[0].Send(from.Pub, []byte("so that PeerGone is due in the end"))
	from.Packet()
	conns[2].Pong()
	conns[0].Pong()
	conns[1].Pong()

	for _, i := range []int{1, 0, 2} {
		text := []byte(fmt.Sprint("to ", i))
		from.Send(k.Public(), text)
		if got := conns[i].Packet(); !bytes.Equal(got.Data, text) {
			t.Fatalf("got %q, expected %q", got.Data, text)
		}
		conns[i].Close()
		if i != 2 {
			awaitDelivery(t, from, conns[map[int]int{1: 0, 0: 2}[i]])
		}
	}
	from.Gone(k.Public(), derp.PeerGoneReasonDisconnected)
}

// awaitDelivery probes with packets until one arrives at to: the relay learns
// of a closed connection, or has room again, only after a moment.
func awaitDelivery(t *testing.T, from, to *peer.Peer) {
	t.Helper()
	for i := range 1000 {
		probe := []byte(fmt.Sprint("probe ", i))
		from.Send(to.Pub, probe)
		from.Pong()
		m, err := to.TryNext(probeWait)
		if err != nil {
			continue
		}
		if got, ok := m.(derp.ReceivedPacket); ok && bytes.Equal(got.Data, probe) {
			return
		}
	}
	t.Fatal("no packet comes any more")
}

func TestDuplicatesNoNotHere(t *testing.T) {
	r := start(t, peer.TLS13)
	from := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	one := peer.Dial(t, r, peer.Options{Key: k})
	one.Send(from.Pub, []byte("so that PeerGone is due in the end"))
	from.Packet()
	two := peer.Dial(t, r, peer.Options{Key: k})

	for range 50 {
		from.Send(k.Public(), disco(100))
		two.Packet()
	}
	from.Quiet()
	one.Quiet()
	two.Close()
	awaitDelivery(t, from, one)
	from.Quiet() // the key has not left
	one.Close()
	from.Gone(k.Public(), derp.PeerGoneReasonDisconnected)
}

func TestPeerGoneDisconnected(t *testing.T) {
	r := start(t, peer.TLS13)
	leaver := peer.Dial(t, r, peer.Options{})
	got := peer.Dial(t, r, peer.Options{})     // has received from the leaver
	sentTo := peer.Dial(t, r, peer.Options{})  // has only sent to it
	nothing := peer.Dial(t, r, peer.Options{}) // has nothing to do with it

	leaver.Send(got.Pub, []byte("hello"))
	got.Packet()
	leaver.Send(got.Pub, []byte("hello again"))
	got.Packet()
	sentTo.Send(leaver.Pub, []byte("hello"))
	leaver.Packet()
	leaver.Close()

	got.Gone(leaver.Pub, derp.PeerGoneReasonDisconnected)
	for _, p := range []*peer.Peer{got, sentTo, nothing} {
		p.Quiet()
	}
}

func TestPeerGoneOncePerAbsence(t *testing.T) {
	relay.SkipOnDerper(t, "forgets PeerGone for a key that returned and left again")
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	for i := range 5 {
		b := peer.Dial(t, r, peer.Options{Key: k})
		b.Send(a.Pub, []byte{byte(i)})
		if got := a.Packet(); got.Data[0] != byte(i) {
			t.Fatalf("round %d: got %x", i, got.Data)
		}
		b.Close()
		a.Gone(k.Public(), derp.PeerGoneReasonDisconnected)
		a.Quiet()
	}
}

// A key that came back and left without a word is no news.
func TestPeerGoneSilentReturn(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	witness := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	b := peer.Dial(t, r, peer.Options{Key: k})
	b.Send(a.Pub, []byte("x"))
	a.Packet()
	b.Close()
	a.Gone(k.Public(), derp.PeerGoneReasonDisconnected)

	b = peer.Dial(t, r, peer.Options{Key: k})
	b.Send(witness.Pub, []byte("x"))
	witness.Packet()
	b.Close()
	witness.Gone(k.Public(), derp.PeerGoneReasonDisconnected)
	a.Quiet()
}

func TestPeerGoneNotHere(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	nobody := key.NewNode().Public()

	notDisco := disco(62)
	notDisco[5] ^= 1
	for _, packet := range [][]byte{nil, []byte("x"), pattern(1400),
		disco(61), notDisco} {
		a.Send(nobody, packet)
	}
	a.Quiet()

	a.Send(nobody, disco(62))
	a.Gone(nobody, derp.PeerGoneReasonNotHere)
	a.Quiet()
}

// A burst of such packets is answered three times, then once a second.
func TestPeerGoneNotHereLimit(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	for range 100 {
		a.Send(key.NewNode().Public(), disco(80))
	}
	n := 0
	for _, m := range a.Pong() {
		if gone, ok := m.(derp.PeerGoneMessage); ok {
			n++
			if gone.Reason != derp.PeerGoneReasonNotHere {
				t.Errorf("reason %v", gone.Reason)
			}
		}
	}
	if n < 3 || n > 4 { // a second may pass on a busy machine
		t.Errorf("%d answers to 100 packets at once, expected 3", n)
	}
}

// A packet that was sent to a key before it came is lost, later ones arrive.
func TestArrival(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	k := key.NewNode()
	a.Send(k.Public(), disco(62))
	a.Gone(k.Public(), derp.PeerGoneReasonNotHere)
	b := peer.Dial(t, r, peer.Options{Key: k})
	a.Send(k.Public(), []byte("now"))
	if got := b.Packet(); string(got.Data) != "now" {
		t.Fatalf("got %q", got.Data)
	}
	a.Quiet()
}

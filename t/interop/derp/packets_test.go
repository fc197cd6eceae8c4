// SPDX-License-Identifier: MIT

// Package derp tests a relay's DERP with tailscale's own clients.
package derp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// window is how many packets may be under way to one peer: derper keeps 32.
const window = 24

var transports = []peer.Transport{
	peer.TLS13, peer.TLS12, peer.Plain, peer.WSS, peer.WS,
}

// start starts the relay that offers a transport. Real derper has DERP on
// either the TLS or the plain port.
func start(t *testing.T, via peer.Transport) *relay.Relay {
	t.Helper()
	plain := via == peer.Plain || via == peer.WS
	return relay.Start(t, relay.Options{NoTLS: plain, NoSTUN: true})
}

func packetSizes() []int {
	sizes := []int{0, 1, 2, 31, 32, 33, 61, 62, 63, 1279, 1280, 1400, 1500,
		4091, 4096, 16379, 16383, 16384, 16385, 32767, 32768, 65498,
		65499, 65534, 65535, 65536}
	step := 509 // prime, so that sizes fall on no border of buffers
	if os.Getenv("HD_INTEROP_LONG") != "" {
		step = 1
	}
	for n := 3; n < derp.MaxPacketSize; n += step {
		sizes = append(sizes, n)
	}
	return sizes
}

// pattern is a packet whose bytes depend on its size and place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + n)
	}
	return b
}

func TestSizes(t *testing.T) {
	for _, via := range transports {
		t.Run(string(via), func(t *testing.T) {
			r := start(t, via)
			a := peer.Dial(t, r, peer.Options{Via: via})
			b := peer.Dial(t, r, peer.Options{Via: via})

			for i, n := range packetSizes() {
				from, to := a, b
				if i%2 == 1 {
					from, to = b, a
				}
				from.Send(to.Pub, pattern(n))
				got := to.Packet()
				if got.Source != from.Pub {
					t.Fatalf("packet of %d bytes: wrong source", n)
				}
				if !bytes.Equal(got.Data, pattern(n)) {
					t.Fatalf("packet of %d bytes: %d other bytes came",
						n, len(got.Data))
				}
			}
		})
	}
}

// Every size is sent in one burst, so that frames share records and buffers.
func TestSizesInBursts(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{})
	sizes := make([]int, 2000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range sizes {
		sizes[i] = rng.IntN(1 << rng.IntN(15))
	}

	for len(sizes) > 0 {
		burst := sizes[:min(8, len(sizes))]
		sizes = sizes[len(burst):]
		for _, n := range burst {
			a.Send(b.Pub, pattern(n))
		}
		for _, n := range burst {
			if got := b.Packet(); !bytes.Equal(got.Data, pattern(n)) {
				t.Fatalf("packet of %d bytes: %d other bytes came",
					n, len(got.Data))
			}
		}
	}
}

func TestTransportsMix(t *testing.T) {
	relay.SkipOnDerper(t, "speaks DERP on one port only")
	r := relay.Start(t, relay.Options{NoSTUN: true})
	var peers []*peer.Peer
	for _, via := range transports {
		peers = append(peers, peer.Dial(t, r, peer.Options{Via: via}))
	}
	for _, from := range peers {
		for _, to := range peers {
			for _, n := range []int{0, 1, 1400, 16384, 65536} {
				from.Send(to.Pub, pattern(n))
				got := to.Packet()
				if got.Source != from.Pub || !bytes.Equal(got.Data, pattern(n)) {
					t.Fatalf("packet of %d bytes came changed", n)
				}
			}
		}
	}
}

func TestToItself(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	a.Send(a.Pub, []byte("to myself"))
	if got := a.Packet(); got.Source != a.Pub || string(got.Data) != "to myself" {
		t.Fatalf("got %q", got.Data)
	}
}

// stream sends n numbered packets, at most a window of them unread, and
// expects each once and in order.
func stream(from, to *peer.Peer, n int) error {
	credit := make(chan struct{}, window)
	stop := make(chan struct{})
	sent := make(chan error, 1)
	go func() {
		packet := make([]byte, 100)
		for i := range n {
			select {
			case credit <- struct{}{}:
			case <-stop:
				return
			}
			binary.BigEndian.PutUint32(packet, uint32(i))
			if err := from.Client.Send(to.Pub, packet); err != nil {
				sent <- err
				return
			}
		}
	}()
	defer close(stop)

	for i := range n {
		m, err := peer.TryAwait[derp.ReceivedPacket](to)
		if err != nil {
			select {
			case err = <-sent:
			default:
			}
			return fmt.Errorf("packet %d: %w", i, err)
		}
		if got := binary.BigEndian.Uint32(m.Data); got != uint32(i) {
			return fmt.Errorf("packet %d came instead of %d", got, i)
		}
		if m.Source != from.Pub {
			return fmt.Errorf("packet %d: wrong source", i)
		}
		<-credit
	}
	return nil
}

func TestOrder(t *testing.T) {
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{})
	back := make(chan error, 1)
	go func() { back <- stream(b, a, 100_000) }()
	if err := stream(a, b, 100_000); err != nil {
		t.Error(err)
	}
	if err := <-back; err != nil {
		t.Errorf("way back: %v", err)
	}
}

// Without a window a relay may drop, but what comes is in order.
func TestOrderWhileDropping(t *testing.T) {
	const n = 100_000
	r := start(t, peer.TLS13)
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{})
	stop := make(chan struct{})
	sent := make(chan error, 1)
	go func() { sent <- flood(a, b, n, stop) }()

	next, came := uint32(0), 0
	for next <= n {
		m, err := peer.TryAwait[derp.ReceivedPacket](b)
		if err != nil {
			t.Fatalf("after %d packets: %v", came, err)
		}
		got := binary.BigEndian.Uint32(m.Data)
		if got < next {
			t.Fatalf("packet %d after %d", got, next-1)
		}
		next = got + 1
		came++
	}
	close(stop)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d packets came", came, n)
}

// flood sends n numbered packets at full speed, and more, slowly, until the
// receiver has seen that the flood is over: any of the n may be dropped.
func flood(from, to *peer.Peer, n uint32, stop <-chan struct{}) error {
	packet := make([]byte, 1400)
	for i := uint32(0); ; i++ {
		binary.BigEndian.PutUint32(packet, i)
		if err := from.Client.Send(to.Pub, packet); err != nil {
			return err
		}
		if i < n {
			continue
		}
		select {
		case <-stop:
			return nil
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestManyClients(t *testing.T) {
	const n, rounds = 100, 50
	r := start(t, peer.TLS13)
	peers := make([]*peer.Peer, n)
	errs := make(chan error, n)
	for i := range peers {
		go func() {
			var err error
			peers[i], err = peer.TryDial(t, r, peer.Options{Via: transports[i%2]})
			errs <- err
		}()
	}
	collect(t, errs, n)

	// In each round everybody sends to somebody else and gets one packet.
	byKey := map[key.NodePublic]int{}
	for i, p := range peers {
		byKey[p.Pub] = i
	}
	for round := 1; round <= rounds; round++ {
		for i, p := range peers {
			p.Send(peers[(i+round)%n].Pub, []byte{byte(round), byte(i)})
		}
		for i, p := range peers {
			want := (i - round + n) % n
			m := p.Packet()
			if byKey[m.Source] != want ||
				!bytes.Equal(m.Data, []byte{byte(round), byte(want)}) {
				t.Fatalf("round %d: peer %d got %x from peer %d, expected one from %d",
					round, i, m.Data, byKey[m.Source], want)
			}
		}
	}
	for _, p := range peers {
		p.Quiet()
	}
}

// collect waits for n results.
func collect(t *testing.T, errs <-chan error, n int) {
	t.Helper()
	failed := false
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
			failed = true
		}
	}
	if failed {
		t.FailNow()
	}
}

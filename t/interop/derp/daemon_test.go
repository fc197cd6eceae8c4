// SPDX-License-Identifier: MIT

package derp

import (
	"encoding/binary"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/net/stun"
)

// What real clients see of things that only this relay does.

func TestDrain(t *testing.T) {
	t.Parallel()
	r := relay.Start(t, relay.Options{Sections: "drain_time: 10s\n"})
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{Via: peer.WSS})
	udp := dialSTUN(t, r.STUN)
	bound(t, udp)
	probe := page{"", lines("GET /derp/latency-check HTTP/1.1", "Host: relay"),
		503, nil, ""}

	r.Signal(t, syscall.SIGUSR2)
	if got := peer.Await[derp.HealthMessage](a); got.Problem == "" {
		t.Error("Health says that all is well")
	}
	probe.check(dialPlain(t, r))
	if ask(t, udp, stun.Request(stun.NewTxID()), 200*time.Millisecond) != nil {
		t.Error("STUN still answers")
	}
	if late, err := peer.TryDial(t, r, peer.Options{}); err == nil {
		late.Close()
		t.Error("a login was accepted")
	}
	a.Send(b.Pub, []byte("still served"))
	if got := b.Packet(); string(got.Data) != "still served" {
		t.Errorf("got %q", got.Data)
	}

	for _, p := range []*peer.Peer{a, b} {
		m := peer.Await[derp.ServerRestartingMessage](p)
		if m.TryFor <= 0 {
			t.Errorf("Restarting says try for %v", m.TryFor)
		}
	}
	a.Closed()
	b.Closed()
	probe.check(dialPlain(t, r)) // it stays up
}

func TestDrainAndExit(t *testing.T) {
	t.Parallel()
	r := relay.Start(t, relay.Options{Sections: "drain_time: 1s\n"})
	a := peer.Dial(t, r, peer.Options{})
	r.Signal(t, syscall.SIGQUIT)
	peer.Await[derp.ServerRestartingMessage](a)
	a.Closed()
	r.AwaitEnd(t)
}

// A reload of configuration and certificates leaves connections alone.
func TestReload(t *testing.T) {
	relay.SkipOnDerper(t, "ends at HUP")
	r := relay.Start(t, relay.Options{})
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{Via: peer.Plain})
	for i := range 20 {
		r.Signal(t, syscall.SIGHUP)
		for k := range 20 {
			text := []byte{byte(i), byte(k)}
			a.Send(b.Pub, text)
			if got := b.Packet(); string(got.Data) != string(text) {
				t.Fatalf("got %x", got.Data)
			}
		}
	}
	peer.Dial(t, r, peer.Options{}).Quiet()
	a.Quiet()
	b.Quiet()
}

// Over its limit a client is read from more slowly; nothing is dropped.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	const limit, packets, size = 1 << 20, 4096, 1000
	r := relay.Start(t, relay.Options{NoSTUN: true,
		Sections: "peer_rate_limit: 1MiB\n"})
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{})
	sent := make(chan error, 1)
	begin := time.Now()
	go func() {
		packet := make([]byte, size)
		for i := range packets {
			binary.BigEndian.PutUint32(packet, uint32(i))
			if err := a.Client.Send(b.Pub, packet); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for i := range packets {
		m := b.Packet()
		if got := binary.BigEndian.Uint32(m.Data); got != uint32(i) {
			t.Fatalf("packet %d came instead of %d", got, i)
		}
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	// The burst may be a second's worth.
	least := time.Duration(packets*size-limit) * time.Second / limit
	if took := time.Since(begin); took < least {
		t.Errorf("%d bytes in %v, expected at least %v", packets*size, took, least)
	}
}

// TERM with clients, with half-open logins and with one that reads nothing.
func TestStopWithStuckClients(t *testing.T) {
	r := start(t, peer.TLS13)
	var stuck []*raw
	for range 5 {
		stuck = append(stuck, dialTLS(t, r, nil))
		half := dialTLS(t, r, nil)
		half.say(derpRequest[:10])
		stuck = append(stuck, half)
	}
	deaf := dialTLS(t, r, nil)
	k := deaf.login()
	a := peer.Dial(t, r, peer.Options{})
	for range 2000 {
		a.Send(k.Public(), pattern(1400))
	}

	begin := time.Now()
	r.Stop(t)
	if took := time.Since(begin); took > 15*time.Second && !r.Derper {
		t.Errorf("the end took %v, expected 15 s at most", took)
	}
	a.Closed()
	for _, c := range stuck {
		c.closed()
	}
}

// A second relay on the same port must not share it.
func TestPortIsNotShared(t *testing.T) {
	r := start(t, peer.TLS13)
	if l, err := net.Listen("tcp", r.TLS); err == nil {
		l.Close()
		t.Error("the port can be bound a second time")
	} else if !errors.Is(err, syscall.EADDRINUSE) {
		t.Error(err)
	}
}

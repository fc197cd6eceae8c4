// SPDX-License-Identifier: MIT

package derp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/net/stun"
)

var loopbacks = map[string]string{"IPv4": "127.0.0.1", "IPv6": "::1"}

// ask sends a datagram and returns the answer, nil if none came in time.
func ask(t *testing.T, c *net.UDPConn, b []byte, wait time.Duration) []byte {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(wait))
	answer := make([]byte, 2048)
	n, err := c.Read(answer)
	if err != nil {
		return nil
	}
	return answer[:n]
}

func dialSTUN(t *testing.T, addr string) *net.UDPConn {
	t.Helper()
	c, err := net.Dial("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// bound asks until STUN answers: it may begin later than the TCP ports.
func bound(t *testing.T, c *net.UDPConn) {
	t.Helper()
	deadline := time.Now().Add(relay.Patience)
	for time.Now().Before(deadline) {
		tx := stun.NewTxID()
		if _, err := c.Write(stun.Request(tx)); err != nil {
			continue // the port's refusal of the last one
		}
		if answered(c, tx) {
			return
		}
	}
}

// answered reads until the answer to a request has come. Answers keep the order
// of their requests: none to an earlier one can come later.
func answered(c *net.UDPConn, tx stun.TxID) bool {
	c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	b := make([]byte, 2048)
	for {
		n, err := c.Read(b)
		if err != nil {
			return false
		}
		if got, _, err := stun.ParseResponse(b[:n]); err == nil && got == tx {
			return true
		}
	}
}

func TestSTUN(t *testing.T) {
	for name, host := range loopbacks {
		t.Run(name, func(t *testing.T) {
			r := relay.Start(t, relay.Options{Host: host})
			c := dialSTUN(t, r.STUN)
			bound(t, c)
			want := netip.MustParseAddrPort(c.LocalAddr().String())
			for range 100 {
				tx := stun.NewTxID()
				answer := ask(t, c, stun.Request(tx), relay.Patience)
				gotTx, got, err := stun.ParseResponse(answer)
				if err != nil {
					t.Fatalf("%x: %v", answer, err)
				}
				if gotTx != tx || got != want {
					t.Fatalf("got %v, expected %v", got, want)
				}
			}
		})
	}
}

// An IPv4 client of a dual-stack socket is told an IPv4 address.
func TestSTUNDualStack(t *testing.T) {
	relay.SkipOnDerper(t, "cannot be told to listen on all addresses of a test")
	r := relay.Start(t, relay.Options{Host: "::"})
	_, port, _ := net.SplitHostPort(r.STUN)
	for name, host := range loopbacks {
		t.Run(name, func(t *testing.T) {
			c := dialSTUN(t, net.JoinHostPort(host, port))
			bound(t, c)
			tx := stun.NewTxID()
			answer := ask(t, c, stun.Request(tx), relay.Patience)
			_, got, err := stun.ParseResponse(answer)
			if err != nil {
				t.Fatalf("%x: %v", answer, err)
			}
			if want := netip.MustParseAddrPort(c.LocalAddr().String()); got != want {
				t.Fatalf("got %v, expected %v", got, want)
			}
		})
	}
}

func TestSTUNGarbage(t *testing.T) {
	r := relay.Start(t, relay.Options{})
	c := dialSTUN(t, r.STUN)
	bound(t, c)
	request := stun.Request(stun.NewTxID())
	var garbage [][]byte
	for n := range len(request) { // also an empty datagram
		garbage = append(garbage, request[:n])
	}
	response := stun.Response(stun.NewTxID(), netip.MustParseAddrPort("192.0.2.1:1"))
	garbage = append(garbage, response, pattern(1400), pattern(65000))
	for _, b := range garbage {
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
	}

	// The relay handles a socket's datagrams in order: the answer to a good
	// request is the first one.
	tx := stun.NewTxID()
	answer := ask(t, c, stun.Request(tx), relay.Patience)
	if got, _, err := stun.ParseResponse(answer); err != nil || got != tx {
		t.Fatalf("answered garbage: %x (%v)", answer, err)
	}
}

func TestIPv6(t *testing.T) {
	r := relay.Start(t, relay.Options{Host: "::1", NoSTUN: true})
	a := peer.Dial(t, r, peer.Options{})
	b := peer.Dial(t, r, peer.Options{Via: peer.TLS12})
	a.Send(b.Pub, []byte("six"))
	if got := b.Packet(); string(got.Data) != "six" {
		t.Fatalf("got %q", got.Data)
	}
}

// One dual-stack listener serves clients of both families.
func TestDualStack(t *testing.T) {
	relay.SkipOnDerper(t, "cannot be told to listen on all addresses of a test")
	r := relay.Start(t, relay.Options{Host: "::", NoSTUN: true})
	_, port, _ := net.SplitHostPort(r.TLS)
	var peers []*peer.Peer
	for _, host := range loopbacks {
		r.TLS = net.JoinHostPort(host, port)
		peers = append(peers, peer.Dial(t, r, peer.Options{}))
	}
	peers[0].Send(peers[1].Pub, []byte("across"))
	if got := peers[1].Packet(); string(got.Data) != "across" {
		t.Fatalf("got %q", got.Data)
	}
}

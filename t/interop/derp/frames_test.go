// SPDX-License-Identifier: MIT

package derp

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

func TestPing(t *testing.T) {
	for _, via := range transports {
		t.Run(string(via), func(t *testing.T) {
			r := start(t, via)
			p := peer.Dial(t, r, peer.Options{Via: via})
			for range 100 {
				p.Pong()
			}
			if p.HTTP == nil {
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
			defer cancel()
			if err := p.HTTP.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// A longer ping is answered with its first 8 bytes.
func TestPingLengths(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	c.login()
	for _, n := range []int{8, 9, 100, 1000} {
		ping := pattern(n)
		c.frame(derp.FramePing, ping)
		if typ, b := c.next(); typ != derp.FramePong || !bytes.Equal(b, ping[:8]) {
			t.Errorf("ping of %d bytes: frame %#x %x", n, typ, b)
		}
	}
}

// A known frame with a wrong length closes at its header already.
func TestWrongLengths(t *testing.T) {
	r := start(t, peer.TLS13)
	other := peer.Dial(t, r, peer.Options{})
	for _, bad := range []struct {
		typ derp.FrameType
		n   uint32
	}{
		{derp.FrameSendPacket, 0}, {derp.FrameSendPacket, 31},
		{derp.FrameSendPacket, 32 + 65536 + 1}, {derp.FrameSendPacket, 1<<32 - 1},
		{derp.FrameNotePreferred, 0}, {derp.FrameNotePreferred, 2},
		{derp.FramePing, 0}, {derp.FramePing, 7},
		{derp.FramePing, 1001}, {derp.FramePing, 1<<32 - 1},
	} {
		t.Run(fmt.Sprintf("type %#x length %d", byte(bad.typ), bad.n), func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.login()
			c.header(bad.typ, bad.n)
			if r.Derper && bad.typ == derp.FrameSendPacket {
				c.say(strings.Repeat("k", 32)) // reads this much first
			}
			c.refused()
		})
	}
	other.Quiet()
}

// Frames of unknown types, and those that only a server sends, are swallowed.
func TestUnknownFrames(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	k := c.login()
	p := peer.Dial(t, r, peer.Options{})
	for _, typ := range []derp.FrameType{0x00, 0x0b, 0x0f, 0x16, 0x7f, 0xff,
		derp.FrameServerKey, derp.FrameServerInfo, derp.FrameRecvPacket,
		derp.FrameKeepAlive, derp.FramePeerGone, derp.FramePong,
		derp.FrameHealth, derp.FrameRestarting} {
		for _, n := range []int{0, 1, 8, 100, 16384, 70000} {
			c.frame(typ, make([]byte, n))
		}
	}
	c.frame(0xee, make([]byte, 1<<20))
	c.alive()
	p.Send(k.Public(), []byte("still here"))
	if typ, b := c.next(); typ != derp.FrameRecvPacket || string(b[32:]) != "still here" {
		t.Fatalf("frame %#x", typ)
	}
}

// Frames cut into pieces at every place.
func TestFramesInPieces(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	c.login()
	p := peer.Dial(t, r, peer.Options{})
	b := frameBytes(derp.FrameSendPacket,
		append(p.Pub.AppendTo(nil), "in two pieces"...))
	for i := 1; i < len(b); i++ {
		c.say(string(b[:i]))
		c.say(string(b[i:]))
		if got := p.Packet(); string(got.Data) != "in two pieces" {
			t.Fatalf("cut at %d: %q", i, got.Data)
		}
	}
}

func TestNotePreferred(t *testing.T) {
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	for _, on := range []bool{true, false, true} {
		p.HTTP.NotePreferred(on)
		p.Pong()
	}
	c := dialTLS(t, r, nil)
	c.login()
	c.frame(derp.FrameNotePreferred, []byte{1})
	c.frame(derp.FrameNotePreferred, []byte{1})
	c.frame(derp.FrameNotePreferred, []byte{0})
	c.frame(derp.FrameNotePreferred, []byte{7})
	c.alive()
}

func TestKeepAlive(t *testing.T) {
	r := relay.Start(t, relay.Options{NoSTUN: true,
		Sections: "derp: {keepalive: 1s}\n"})
	p := peer.Dial(t, r, peer.Options{})
	for range 3 {
		peer.Await[derp.KeepAliveMessage](p)
	}
	p.Quiet()
}

// A client that sends nothing at all is not closed.
func TestIdleClientStays(t *testing.T) {
	t.Parallel()
	r := start(t, peer.TLS13)
	idle := peer.Dial(t, r, peer.Options{})
	busy := peer.Dial(t, r, peer.Options{})
	// Longer than any deadline of the login.
	if m, err := idle.TryNext(12 * time.Second); err == nil {
		t.Fatalf("unexpected %T", m)
	}
	busy.Send(idle.Pub, []byte("hello"))
	if got := idle.Packet(); string(got.Data) != "hello" {
		t.Fatalf("got %q", got.Data)
	}
}

// Login that does not go on is closed at its deadline.
func TestLoginDeadline(t *testing.T) {
	relay.SkipOnDerper(t, "waits for a request head three times as long")
	t.Parallel()
	r := relay.Start(t, relay.Options{NoSTUN: true,
		Sections: "login_timeout: 5s\n"}) // what is said comes before it
	waiting := map[string]*raw{} // all at the same time
	for name, say := range map[string]func(c *raw){
		"nothing":     func(c *raw) {},
		"half a head": func(c *raw) { c.say(derpRequest[:20]) },
		"no ClientInfo": func(c *raw) {
			c.upgrade(derpRequest)
			c.greet()
		},
		"half a ClientInfo": func(c *raw) {
			c.upgrade(derpRequest)
			c.greet()
			b := frameBytes(derp.FrameClientInfo, clientInfo(key.NewNode(),
				c.server, `{"version":2}`))
			c.say(string(b[:40]))
		},
	} {
		waiting[name] = dialTLS(t, r, nil)
		say(waiting[name])
	}
	for name, c := range waiting {
		t.Run(name, func(t *testing.T) { onTest(c, t).closed() })
	}
}

// SPDX-License-Identifier: MIT

package derp

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/coder/websocket"
	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// webSocket is a WebSocket whose messages the test cuts itself.
type webSocket struct {
	*raw // reads the bytes of all messages; only frames are written
	conn *websocket.Conn
	ctx  context.Context
}

func dialWebSocket(t *testing.T, r *relay.Relay) *webSocket {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
	t.Cleanup(cancel)
	conn, err := peer.WebSocket(ctx, r, peer.WSS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.CloseNow() })
	nc := websocket.NetConn(ctx, conn, websocket.MessageBinary)
	if r.Derper {
		conn.SetReadLimit(-1)
	} else {
		conn.SetReadLimit(32 << 10)
	}
	return &webSocket{&raw{Conn: nc, in: bufio.NewReader(nc), t: t}, conn, ctx}
}

// message writes one WebSocket message.
func (w *webSocket) message(b []byte) {
	w.t.Helper()
	if err := w.conn.Write(w.ctx, websocket.MessageBinary, b); err != nil {
		w.t.Fatal(err)
	}
}

func (w *webSocket) login() key.NodePrivate {
	w.t.Helper()
	k := key.NewNode()
	w.greet()
	w.info(k, `{"version":2}`)
	w.welcome(k)
	return k
}

func TestWebSocketSubprotocol(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, offer := range []string{"derp", "other, derp", "derp,other"} {
		c := dialTLS(t, r, nil)
		resp := c.upgrade(lines("GET /derp HTTP/1.1", "Host: relay",
			"Connection: keep-alive, Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Origin: https://elsewhere.example",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Extensions: permessage-deflate",
			"Sec-WebSocket-Protocol: "+offer))
		for name, want := range map[string]string{
			// RFC 6455, 1.3: the answer to this key
			"Sec-WebSocket-Accept":     "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			"Sec-WebSocket-Protocol":   "derp",
			"Sec-WebSocket-Extensions": "",
			"Upgrade":                  "websocket",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, expected %q", offer, name, got, want)
			}
		}
	}
}

func TestWebSocketRefused(t *testing.T) {
	r := start(t, peer.TLS13)
	for name, request := range map[string]string{
		"no key": lines("GET /derp HTTP/1.1", "Host: relay",
			"Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: derp"),
		"old version": lines("GET /derp HTTP/1.1", "Host: relay",
			"Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 8", "Sec-WebSocket-Protocol: derp",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
	} {
		c := dialTLS(t, r, nil)
		c.say(request)
		if resp, _ := c.answer("GET"); resp.StatusCode < 400 || resp.StatusCode > 499 {
			t.Errorf("%s: %s, expected 4xx", name, resp.Status)
		}
	}
}

// Borders of messages and of frames have nothing to do with each other.
func TestWebSocketMessagesCutAnywhere(t *testing.T) {
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	w := dialWebSocket(t, r)
	w.login()

	var stream bytes.Buffer
	const n = 20
	for i := range n {
		stream.Write(frameBytes(derp.FrameSendPacket,
			append(p.Pub.AppendTo(nil), pattern(i*37)...)))
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for b := stream.Bytes(); len(b) > 0; {
		cut := min(len(b), rng.IntN(1<<rng.IntN(11))) // also empty messages
		w.message(b[:cut])
		b = b[cut:]
	}
	for i := range n {
		if got := p.Packet(); !bytes.Equal(got.Data, pattern(i*37)) {
			t.Fatalf("packet %d came changed", i)
		}
	}
}

// One message in several WebSocket frames, with a ping between them.
func TestWebSocketFragments(t *testing.T) {
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	w := dialWebSocket(t, r)
	w.login()
	b := frameBytes(derp.FrameSendPacket,
		append(p.Pub.AppendTo(nil), pattern(20000)...))
	out, err := w.conn.Writer(w.ctx, websocket.MessageBinary)
	if err != nil {
		t.Fatal(err)
	}
	pinged := make(chan error, 1)
	go func() { pinged <- w.conn.Ping(w.ctx) }()
	go w.in.Peek(1) // takes the WebSocket pong
	for len(b) > 0 {
		n := min(len(b), 5000)
		if _, err := out.Write(b[:n]); err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if got := p.Packet(); !bytes.Equal(got.Data, pattern(20000)) {
		t.Fatal("the packet came changed")
	}
	if err := <-pinged; err != nil {
		t.Errorf("WebSocket ping: %v", err)
	}
}

// A 64 KiB packet goes in three messages; each may have 32 KiB.
func TestWebSocketLargest(t *testing.T) {
	r := start(t, peer.TLS13)
	w := dialWebSocket(t, r)
	k := w.login()
	want := pattern(65536)
	b := frameBytes(derp.FrameSendPacket, append(k.Public().AppendTo(nil), want...))
	for len(b) > 0 {
		n := min(len(b), 32<<10)
		w.message(b[:n])
		b = b[n:]
	}
	typ, got := w.next()
	if typ != derp.FrameRecvPacket || !bytes.Equal(got[32:], want) {
		t.Fatalf("frame %#x of %d bytes", typ, len(got))
	}
}

func TestWebSocketMessageTooBig(t *testing.T) {
	r := start(t, peer.TLS13)
	w := dialWebSocket(t, r)
	w.login()
	w.conn.Write(w.ctx, websocket.MessageBinary, make([]byte, 32<<10+2))
	_, err := io.Copy(io.Discard, w.in)
	if got := websocket.CloseStatus(err); got != websocket.StatusMessageTooBig {
		t.Errorf("%v, expected a close with 1009", err)
	}
}

func TestWebSocketTextRefused(t *testing.T) {
	r := start(t, peer.TLS13)
	w := dialWebSocket(t, r)
	w.login()
	w.conn.Write(w.ctx, websocket.MessageText, []byte("text"))
	_, err := io.Copy(io.Discard, w.in)
	if got := websocket.CloseStatus(err); got != websocket.StatusUnsupportedData {
		t.Errorf("%v, expected a close with 1003", err)
	}
}

// A client's Close is answered, and the others hear that the key has left.
func TestWebSocketClose(t *testing.T) {
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	w := dialWebSocket(t, r)
	k := w.login()
	w.message(frameBytes(derp.FrameSendPacket,
		append(p.Pub.AppendTo(nil), "bye"...)))
	p.Packet()
	if err := w.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Errorf("closing handshake: %v", err)
	}
	p.Gone(k.Public(), derp.PeerGoneReasonDisconnected)
}

// SPDX-License-Identifier: MIT

package derp

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go4.org/mem"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// raw is a connection that the test speaks on byte by byte.
type raw struct {
	net.Conn
	in     *bufio.Reader
	server key.NodePublic // known after greet or from the meta certificate
	t      *testing.T
}

// dialPlain connects to the port without TLS.
func dialPlain(t *testing.T, r *relay.Relay) *raw {
	t.Helper()
	c, err := net.Dial("tcp", r.Plain)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, c)
}

// dialTLS connects with TLS; nothing may be left out by the certificate.
func dialTLS(t *testing.T, r *relay.Relay, conf *tls.Config) *raw {
	t.Helper()
	c, err := tryTLS(r, conf)
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, c)
}

func tryTLS(r *relay.Relay, conf *tls.Config) (*tls.Conn, error) {
	if conf == nil {
		conf = new(tls.Config)
	}
	conf.RootCAs = r.Cert.Pool
	dialer := &net.Dialer{Timeout: relay.Patience}
	return tls.DialWithDialer(dialer, "tcp", r.TLS, conf)
}

func newRaw(t *testing.T, c net.Conn) *raw {
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(relay.Patience))
	return &raw{Conn: c, in: bufio.NewReader(c), t: t}
}

// say writes text as it is.
func (c *raw) say(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// answer reads an HTTP answer and its body.
func (c *raw) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("reading the answer: %v", err)
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp, ""
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("reading the answer's body: %v", err)
	}
	return resp, string(body)
}

// upgrade asks for DERP with the given header lines and expects the 101.
func (c *raw) upgrade(request string) *http.Response {
	c.t.Helper()
	c.say(request)
	resp, body := c.answer("GET")
	if resp.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("%s %s, expected 101", resp.Status, body)
	}
	return resp
}

const derpRequest = "GET /derp HTTP/1.1\r\nHost: relay\r\n" +
	"Upgrade: DERP\r\nConnection: Upgrade\r\n\r\n"

// frame writes one frame.
func (c *raw) frame(typ derp.FrameType, payload []byte) {
	c.t.Helper()
	c.say(string(frameBytes(typ, payload)))
}

func frameBytes(typ derp.FrameType, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(typ)}, uint32(len(payload)))
	return append(b, payload...)
}

// header writes only a frame's header, claiming a length.
func (c *raw) header(typ derp.FrameType, n uint32) {
	c.t.Helper()
	c.say(string(binary.BigEndian.AppendUint32([]byte{byte(typ)}, n)))
}

// next reads one frame.
func (c *raw) next() (derp.FrameType, []byte) {
	c.t.Helper()
	typ, payload, err := c.tryNext()
	if err != nil {
		c.t.Fatalf("reading a frame: %v", err)
	}
	return typ, payload
}

func (c *raw) tryNext() (derp.FrameType, []byte, error) {
	typ, n, err := derp.ReadFrameHeader(c.in)
	if err != nil {
		return 0, nil, err
	}
	payload := make([]byte, n)
	_, err = io.ReadFull(c.in, payload)
	return typ, payload, err
}

// greet reads the ServerKey frame.
func (c *raw) greet() {
	c.t.Helper()
	typ, b := c.next()
	if typ != derp.FrameServerKey || len(b) < 40 ||
		!bytes.HasPrefix(b, []byte(derp.Magic)) {
		c.t.Fatalf("frame %#x %x, expected ServerKey", typ, b)
	}
	c.server = key.NodePublicFromRaw32(mem.B(b[8:40]))
}

// info writes a ClientInfo frame with the given JSON.
func (c *raw) info(k key.NodePrivate, json string) {
	c.t.Helper()
	c.frame(derp.FrameClientInfo, clientInfo(k, c.server, json))
}

func clientInfo(k key.NodePrivate, server key.NodePublic, json string) []byte {
	return append(k.Public().AppendTo(nil), k.SealTo(server, []byte(json))...)
}

// login upgrades and logs in with a fresh key.
func (c *raw) login() key.NodePrivate {
	c.t.Helper()
	k := key.NewNode()
	c.upgrade(derpRequest)
	c.greet()
	c.info(k, `{"version":2}`)
	c.welcome(k)
	return k
}

// welcome reads the ServerInfo frame and opens it.
func (c *raw) welcome(k key.NodePrivate) string {
	c.t.Helper()
	typ, b := c.next()
	if typ != derp.FrameServerInfo {
		c.t.Fatalf("frame %#x, expected ServerInfo", typ)
	}
	text, ok := k.OpenFrom(c.server, b)
	if !ok {
		c.t.Fatal("ServerInfo does not open")
	}
	return string(text)
}

// closed expects the relay to close, reading whatever it sends until then.
func (c *raw) closed() {
	c.t.Helper()
	_, err := io.Copy(io.Discard, c.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the relay did not close the connection")
	}
}

// refused expects a close without any frame before it.
func (c *raw) refused() {
	c.t.Helper()
	typ, _, err := c.tryNext()
	if err == nil {
		c.t.Fatalf("frame %#x, expected the connection to close", typ)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("the relay did not close the connection")
	}
}

// alive pings; the answer must come.
func (c *raw) alive() {
	c.t.Helper()
	c.frame(derp.FramePing, []byte("12345678"))
	for {
		typ, b := c.next()
		if typ == derp.FramePong {
			if string(b) != "12345678" {
				c.t.Fatalf("pong %q", b)
			}
			return
		}
		if typ != derp.FrameKeepAlive {
			c.t.Fatalf("frame %#x, expected a pong", typ)
		}
	}
}

func lines(l ...string) string { return strings.Join(l, "\r\n") + "\r\n\r\n" }

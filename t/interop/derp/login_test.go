// SPDX-License-Identifier: MIT

package derp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

func TestUpgrade(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	resp := c.upgrade(derpRequest)
	c.greet()
	for name, want := range map[string]string{
		"Upgrade":         "DERP",
		"Connection":      "Upgrade",
		"Derp-Version":    "2",
		"Derp-Public-Key": c.server.UntypedHexString(),
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, expected %q", name, got, want)
		}
	}

	k := key.NewNode()
	c.info(k, `{"version":2,"CanAckPings":true}`)
	var info struct{ Version int }
	text := c.welcome(k)
	if err := json.Unmarshal([]byte(text), &info); err != nil || info.Version != 2 {
		t.Errorf("ServerInfo %q, expected version 2", text)
	}
	c.alive()
}

// Requests as clients and proxies write them.
func TestUpgradeSpellings(t *testing.T) {
	requests := map[string]string{
		"POST": lines("POST /derp HTTP/1.1", "Host: relay", "Upgrade: DERP",
			"Connection: Upgrade", "Content-Length: 0"), // ts_derp 0.6
		"list": lines("GET /derp HTTP/1.1", "Host: relay", "Upgrade: DERP",
			"Connection: keep-alive, Upgrade"),
		"two lines": lines("GET /derp HTTP/1.1", "Host: relay",
			"Connection: keep-alive", "Connection: upgrade", "Upgrade: DERP"),
		"case": lines("GET /derp HTTP/1.1", "host: relay", "UPGRADE: derp",
			"CONNECTION: UPGRADE"),
		"query": lines("GET /derp?x=y HTTP/1.1", "Host: relay",
			"Upgrade: DERP", "Connection: Upgrade"),
		"proxied": lines("GET /derp HTTP/1.1", "Host: relay",
			"X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.1",
			"Upgrade: DERP", "Connection: Upgrade"),
	}
	r := start(t, peer.TLS13)
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.upgrade(request)
			c.greet()
			k := key.NewNode()
			c.info(k, `{"version":2}`)
			c.welcome(k)
			c.alive()
		})
	}
}

// No client upgrades by HTTP/1.0; a proxy may (nginx below 1.29.7 without
// proxy_http_version). RFC 9110, 7.8 has it ignored; derper ignores only
// WebSocket's, which RFC 6455, 4.1 forbids too.
func TestUpgradeByHTTP10(t *testing.T) {
	requests := map[string]string{
		"DERP": lines("GET /derp HTTP/1.0", "Upgrade: DERP",
			"Connection: Upgrade"),
		"websocket": lines("GET /derp HTTP/1.0", "Upgrade: websocket",
			"Connection: Upgrade", "Sec-WebSocket-Version: 13",
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
			"Sec-WebSocket-Protocol: derp"),
	}
	r := start(t, peer.TLS13)
	for name, request := range requests {
		t.Run(name, func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.say(request)
			want := http.StatusUpgradeRequired
			if r.Derper && name == "DERP" {
				want = http.StatusSwitchingProtocols
			}
			resp, _ := c.answer("GET")
			if resp.StatusCode != want {
				t.Errorf("%s, expected %d", resp.Status, want)
			}
		})
	}
}

// The request and the first frames in one write, as tailscaled does.
func TestBytesBehindTheHead(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	server := metaKey(t, c.Conn.(*tls.Conn))
	k := key.NewNode()
	var b bytes.Buffer
	b.WriteString(derpRequest)
	b.Write(frameBytes(derp.FrameClientInfo, clientInfo(k, server, `{"version":2}`)))
	b.Write(frameBytes(derp.FrameNotePreferred, []byte{1}))
	b.Write(frameBytes(derp.FramePing, []byte("abcdefgh")))

	c.upgrade(b.String())
	c.greet()
	c.welcome(k)
	if typ, p := c.next(); typ != derp.FramePong || string(p) != "abcdefgh" {
		t.Fatalf("frame %#x %q, expected the pong", typ, p)
	}
}

// A login that comes one byte at a time.
func TestSlowLogin(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	server := metaKey(t, c.Conn.(*tls.Conn))
	k := key.NewNode()
	for _, b := range []byte(derpRequest) {
		c.Write([]byte{b})
	}
	for _, b := range frameBytes(derp.FrameClientInfo,
		clientInfo(k, server, `{"version":2}`)) {
		c.Write([]byte{b})
	}
	c.upgrade("")
	c.greet()
	c.welcome(k)
	c.alive()
}

func TestFastStart(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	server := metaKey(t, c.Conn.(*tls.Conn))
	c.server = server
	k := key.NewNode()
	c.say(strings.Replace(derpRequest, "\r\n\r\n",
		"\r\nDerp-Fast-Start: 1\r\n\r\n", 1) +
		string(frameBytes(derp.FrameClientInfo,
			clientInfo(k, server, `{"version":2}`))))
	c.greet() // no HTTP answer before it
	if c.server != server {
		t.Error("ServerKey differs from the meta certificate's key")
	}
	c.welcome(k)
	c.alive()
}

// metaKey checks the meta certificate and returns the key in it.
func metaKey(t *testing.T, c *tls.Conn) key.NodePublic {
	t.Helper()
	chain := c.ConnectionState().PeerCertificates
	if len(chain) != 2 {
		t.Fatalf("%d certificates, expected the relay's and the meta certificate",
			len(chain))
	}
	meta := chain[1]
	hex, ok := strings.CutPrefix(meta.Subject.CommonName, "derpkey")
	if !ok {
		t.Fatalf("subject %q, expected derpkey and the key", meta.Subject)
	}
	var k key.NodePublic
	if err := k.UnmarshalText([]byte("nodekey:" + hex)); err != nil {
		t.Fatal(err)
	}
	if !meta.SerialNumber.IsInt64() || meta.SerialNumber.Int64() != 2 {
		t.Errorf("serial number %v, expected 2", meta.SerialNumber)
	}
	if !meta.BasicConstraintsValid {
		t.Error("no basic constraints")
	}
	if now := time.Now(); now.Before(meta.NotBefore) ||
		now.Add(24*time.Hour).After(meta.NotAfter) {
		t.Errorf("valid from %v to %v", meta.NotBefore, meta.NotAfter)
	}
	if err := meta.CheckSignature(meta.SignatureAlgorithm,
		meta.RawTBSCertificate, meta.Signature); err != nil {
		t.Errorf("not self-signed: %v", err)
	}
	return k
}

func TestMetaCertificate(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			c := dialTLS(t, r, &tls.Config{MinVersion: version, MaxVersion: version})
			k := metaKey(t, c.Conn.(*tls.Conn))
			c.login()
			if c.server != k {
				t.Error("ServerKey differs from the meta certificate's key")
			}
		})
	}
}

// The client that tailscaled uses, with a DERP map entry that pins a
// self-signed certificate.
func TestRegionClient(t *testing.T) {
	r := start(t, peer.TLS13)
	region := &tailcfg.DERPRegion{RegionID: 900, RegionCode: "test",
		Nodes: []*tailcfg.DERPNode{
			{Name: "dead", RegionID: 900, HostName: "127.0.0.1",
				IPv4: "127.0.0.1", IPv6: "none", DERPPort: 1},
			{Name: "ours", RegionID: 900, HostName: "127.0.0.1",
				IPv4: "127.0.0.1", IPv6: "none",
				DERPPort: relay.Port(r.TLS), CertName: r.Cert.Pin},
		}}
	c := derphttp.NewRegionClient(key.NewNode(), t.Logf, netmon.NewStatic(),
		func() *tailcfg.DERPRegion { return region })
	t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
	defer cancel()

	// Not the region's first node, so the request has an Ideal-Node header.
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	if m, err := c.Recv(); err != nil {
		t.Fatal(err)
	} else if _, ok := m.(derp.ServerInfoMessage); !ok {
		t.Fatalf("got %T, expected ServerInfo", m)
	}
	go c.Recv() // takes the pong
	if err := c.Ping(ctx); err != nil {
		t.Errorf("ping: %v", err)
	}
}

// ClientInfo that is accepted.
func TestClientInfo(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, text := range []string{
		`{}`, `null`, `{"version":2}`, `{"version":99}`, `{"VERSION":2}`,
		`{"version":2,"canackpings":true,"isprober":true,"appname":"x"}`,
		`{"version":2,"unknown":{"a":[1,2,{"b":null}]},"CanAckPings":false}`,
		` {"version":2} `,
		`{"meshKey":"` + strings.Repeat("1", 64) + `"}`,
		`{"AppName":"` + strings.Repeat("long", 1000) + `"}`,
	} {
		t.Run(short(text), func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.upgrade(derpRequest)
			c.greet()
			k := key.NewNode()
			c.info(k, text)
			c.welcome(k)
			c.alive()
		})
	}
}

// ClientInfo that ends the connection.
func TestClientInfoRefused(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, text := range []string{
		``, `x`, `[]`, `2`, `"text"`, `{"version":"2"}`, `{"version":2`,
		`{"CanAckPings":1}`, `{"AppName":7}`, `{"meshKey":5}`,
		`{"meshKey":"12"}`, `{"meshKey":"` + strings.Repeat("x", 64) + `"}`,
		`{"version":2}{}`, `{"version":2} x`,
	} {
		t.Run("JSON "+short(text), func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.upgrade(derpRequest)
			c.greet()
			c.info(key.NewNode(), text)
			c.refused()
		})
	}

	k := key.NewNode()
	good := func(c *raw) []byte { return clientInfo(k, c.server, `{"version":2}`) }
	for name, say := range map[string]func(c *raw){
		"broken box": func(c *raw) {
			b := good(c)
			b[len(b)-1] ^= 1
			c.frame(derp.FrameClientInfo, b)
		},
		"other key": func(c *raw) {
			b := good(c)
			copy(b, key.NewNode().Public().AppendTo(nil))
			c.frame(derp.FrameClientInfo, b)
		},
		"no box":     func(c *raw) { c.frame(derp.FrameClientInfo, good(c)[:56]) },
		"short":      func(c *raw) { c.frame(derp.FrameClientInfo, good(c)[:55]) },
		"empty":      func(c *raw) { c.frame(derp.FrameClientInfo, nil) },
		"too long":   func(c *raw) { c.header(derp.FrameClientInfo, 256<<10+1) },
		"huge":       func(c *raw) { c.header(derp.FrameClientInfo, 1<<32-1) },
		"other type": func(c *raw) { c.frame(derp.FramePing, make([]byte, 8)) },
		"packet": func(c *raw) {
			c.frame(derp.FrameSendPacket, make([]byte, 100))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialTLS(t, r, nil)
			c.upgrade(derpRequest)
			c.greet()
			say(c)
			c.refused()
		})
	}
	peer.Dial(t, r, peer.Options{}) // the relay still serves
}

func TestZeroKeyRefused(t *testing.T) {
	relay.SkipOnDerper(t, "panics in the connection's goroutine")
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	c.upgrade(derpRequest)
	c.greet()
	b := clientInfo(key.NewNode(), c.server, `{"version":2}`)
	copy(b, make([]byte, 32))
	c.frame(derp.FrameClientInfo, b)
	c.refused()
	peer.Dial(t, r, peer.Options{})
}

// Frames for mesh peers end the connection of anybody else, also of one with
// a well-formed but wrong mesh key.
func TestPrivilegesRefused(t *testing.T) {
	frames := map[string][]byte{
		"WatchConns": frameBytes(derp.FrameWatchConns, nil),
		"ForwardPacket": frameBytes(derp.FrameForwardPacket,
			make([]byte, 64+10)),
		"ClosePeer": frameBytes(derp.FrameClosePeer,
			key.NewNode().Public().AppendTo(nil)),
	}
	infos := map[string]string{
		"no mesh key":    `{"version":2}`,
		"wrong mesh key": `{"version":2,"meshKey":"` + strings.Repeat("a", 64) + `"}`,
	}
	r := start(t, peer.TLS13)
	other := peer.Dial(t, r, peer.Options{})
	for frame, b := range frames {
		for info, text := range infos {
			t.Run(fmt.Sprint(frame, " ", info), func(t *testing.T) {
				c := dialTLS(t, r, nil)
				c.upgrade(derpRequest)
				c.greet()
				k := key.NewNode()
				c.info(k, text)
				c.welcome(k)
				c.alive()
				c.say(string(b))
				c.refused()
			})
		}
	}
	other.Quiet()
}

// short names a subtest after the beginning of a text.
func short(s string) string {
	if len(s) > 30 {
		s = s[:30]
	}
	return strings.ReplaceAll(s, "/", "_")
}

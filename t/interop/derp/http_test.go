// SPDX-License-Identifier: MIT

package derp

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hyper-derp/interop/peer"
)

// page is a request and what its answer must be.
type page struct {
	name    string
	request string
	status  int
	headers map[string]string // exact values; "" means: absent
	body    string            // must be contained
}

const noCache = "no-cache, no-store, must-revalidate, no-transform, max-age=0"

var pages = []page{
	{"probe", lines("GET /derp/probe HTTP/1.1", "Host: relay"), 200,
		map[string]string{"Access-Control-Allow-Origin": "*"}, ""},
	{"probe HEAD", lines("HEAD /derp/probe HTTP/1.1", "Host: relay"), 200,
		map[string]string{"Access-Control-Allow-Origin": "*"}, ""},
	{"latency-check", lines("GET /derp/latency-check HTTP/1.1", "Host: relay"), 200,
		map[string]string{"Access-Control-Allow-Origin": "*"}, ""},
	{"latency-check HEAD", lines("HEAD /derp/latency-check HTTP/1.1", "Host: relay"),
		200, map[string]string{"Access-Control-Allow-Origin": "*"}, ""},
	{"probe POST", lines("POST /derp/probe HTTP/1.1", "Host: relay",
		"Content-Length: 0"), 405, nil, ""},
	{"latency-check PUT", lines("PUT /derp/latency-check HTTP/1.1", "Host: relay",
		"Content-Length: 0"), 405, nil, ""},

	{"generate_204", lines("GET /generate_204 HTTP/1.1", "Host: relay"), 204,
		map[string]string{"Cache-Control": noCache, "X-Tailscale-Response": ""}, ""},
	{"challenge", lines("GET /generate_204 HTTP/1.1", "Host: relay",
		"X-Tailscale-Challenge: ts_derp-1.example:443"), 204,
		map[string]string{"X-Tailscale-Response": "response ts_derp-1.example:443"}, ""},
	{"challenge of 64", lines("GET /generate_204 HTTP/1.1", "Host: relay",
		"x-tailscale-challenge: "+strings.Repeat("a", 64)), 204,
		map[string]string{"X-Tailscale-Response": "response " + strings.Repeat("a", 64)}, ""},
	{"challenge of 65", lines("GET /generate_204 HTTP/1.1", "Host: relay",
		"X-Tailscale-Challenge: "+strings.Repeat("a", 65)), 204,
		map[string]string{"X-Tailscale-Response": ""}, ""},
	{"bad challenge", lines("GET /generate_204 HTTP/1.1", "Host: relay",
		"X-Tailscale-Challenge: a<b"), 204,
		map[string]string{"X-Tailscale-Response": ""}, ""},

	{"robots.txt", lines("GET /robots.txt HTTP/1.1", "Host: relay"), 200, nil,
		"Disallow: /"},
	{"home", lines("GET / HTTP/1.1", "Host: relay"), 200, nil, "DERP"},
	{"no upgrade", lines("GET /derp HTTP/1.1", "Host: relay"), 426, nil, ""},
	{"other upgrade", lines("GET /derp HTTP/1.1", "Host: relay",
		"Connection: Upgrade", "Upgrade: h2c"), 426, nil, ""},
}

func (p page) check(c *raw) {
	c.t.Helper()
	c.say(p.request)
	resp, body := c.answer(strings.SplitN(p.request, " ", 2)[0])
	if resp.StatusCode != p.status {
		c.t.Errorf("%s, expected %d", resp.Status, p.status)
	}
	for name, want := range p.headers {
		if got := resp.Header.Get(name); got != want {
			c.t.Errorf("%s: %q, expected %q", name, got, want)
		}
	}
	if !strings.Contains(body, p.body) {
		c.t.Errorf("body %q lacks %q", body, p.body)
	}
}

func TestPages(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) { p.check(onTest(dialTLS(t, r, nil), t)) })
	}
}

func TestPagesPlain(t *testing.T) {
	r := start(t, peer.Plain)
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) { p.check(onTest(dialPlain(t, r), t)) })
	}
}

func onTest(c *raw, t *testing.T) *raw {
	c.t = t
	return c
}

// Probes keep their connection and ask again.
func TestPagesKeepAlive(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	for range 3 {
		for _, p := range pages[:2] {
			p.check(c)
		}
	}
	var both strings.Builder // two requests in one write
	both.WriteString(pages[0].request)
	both.WriteString(pages[2].request)
	c.say(both.String())
	for range 2 {
		if resp, _ := c.answer("GET"); resp.StatusCode != 200 {
			t.Errorf("%s, expected 200", resp.Status)
		}
	}
}

// The captive-portal check on the plain port beside a TLS port.
func TestPlainPortBesideTLS(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, p := range pages {
		if p.status == 204 {
			p.check(dialPlain(t, r))
		}
	}
}

func TestConnectRefused(t *testing.T) {
	r := start(t, peer.TLS13)
	c := dialTLS(t, r, nil)
	c.say(lines("CONNECT example.com:443 HTTP/1.1", "Host: example.com:443"))
	resp, err := http.ReadResponse(c.in, &http.Request{Method: "CONNECT"})
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode < 400 {
		t.Fatalf("%s, expected a refusal", resp.Status)
	}
	if r.Derper {
		return // it refuses with other words, by its ACE option
	}
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%s, expected 405", resp.Status)
	}
	c.closed()
}

func TestALPN(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, offer := range [][]string{nil, {"http/1.1"}, {"h2", "http/1.1"}} {
		t.Run(fmt.Sprint(offer), func(t *testing.T) {
			c := dialTLS(t, r, &tls.Config{NextProtos: offer})
			got := c.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol
			if len(offer) == 0 && got != "" || len(offer) > 0 && got != "http/1.1" {
				t.Errorf("negotiated %q", got)
			}
			c.login()
		})
	}
	for _, offer := range []string{"h2", "acme-tls/1"} {
		if r.Derper && offer == "h2" {
			continue // it agrees, and fails the request then
		}
		if c, err := tryTLS(r, &tls.Config{NextProtos: []string{offer}}); err == nil {
			c.Close()
			t.Errorf("offer of only %s was accepted", offer)
		} else if !strings.Contains(err.Error(), "no application protocol") {
			t.Errorf("offer of only %s: %v, expected alert 120", offer, err)
		}
	}
}

// TLS versions and cipher suites, each with a login and a packet.
func TestTLSVariants(t *testing.T) {
	variants := map[string]*tls.Config{
		"1.3":             {MinVersion: tls.VersionTLS13},
		"1.2":             {MaxVersion: tls.VersionTLS12},
		"no server name":  {ServerName: "127.0.0.1"},
		"name":            {ServerName: "localhost"},
		"1.3 P-256 only":  {MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.CurveP256}},
		"1.3 X25519 only": {MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519}},
	}
	for _, suite := range tls.CipherSuites() {
		name := suite.Name
		if suite.SupportedVersions[0] == tls.VersionTLS12 &&
			strings.Contains(name, "ECDSA") && !strings.Contains(name, "CBC") {
			variants["1.2 "+name] = &tls.Config{MaxVersion: tls.VersionTLS12,
				CipherSuites: []uint16{suite.ID}}
		}
	}
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	for name, conf := range variants {
		t.Run(name, func(t *testing.T) {
			c := dialTLS(t, r, conf)
			k := c.login()
			p.Send(k.Public(), pattern(65536))
			if _, b := c.next(); string(b[32:]) != string(pattern(65536)) {
				t.Error("the packet came changed")
			}
		})
	}
}

func TestOldTLSRefused(t *testing.T) {
	r := start(t, peer.TLS13)
	for _, v := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c, err := tryTLS(r, &tls.Config{MinVersion: v, MaxVersion: v})
		if err == nil {
			c.Close()
			t.Errorf("%s was accepted", tls.VersionName(v))
		}
	}
}

// What is not HTTP ends the connection and nothing else.
func TestGarbage(t *testing.T) {
	r := start(t, peer.TLS13)
	p := peer.Dial(t, r, peer.Options{})
	for name, b := range map[string]string{
		"binary":         string(pattern(4000)),
		"no method":      "\r\n\r\n\r\n",
		"bad version":    lines("GET / HTTP/7.3", "Host: relay"),
		"no colon":       lines("GET / HTTP/1.1", "Host"),
		"folded":         lines("GET / HTTP/1.1", "Host: relay", " folded: x"),
		"space in name":  lines("GET / HTTP/1.1", "Host : relay"),
		"oversized head": "GET / HTTP/1.1\r\nHost: relay\r\nX: " + strings.Repeat("x", 2<<20),
	} {
		t.Run(name, func(t *testing.T) {
			c := dialTLS(t, r, nil)
			// The relay may close before it has read everything.
			c.Write([]byte(b))
			c.Conn.(*tls.Conn).CloseWrite()
			c.closed()
		})
	}
	p.Quiet()

	// Plain HTTP on the TLS port is told so.
	c, err := http.Get("http://" + r.TLS + "/derp/probe")
	if err == nil {
		c.Body.Close()
		if c.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP on the TLS port: %s, expected 400", c.Status)
		}
	} else {
		t.Errorf("plain HTTP on the TLS port: %v, expected 400", err)
	}
}

// SPDX-License-Identifier: MIT

// Package peer connects tailscale's own DERP clients to a relay under test.
package peer

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/net/netmon"
	"tailscale.com/net/wsconn"
	"tailscale.com/types/key"
	"tailscale.com/types/logger"
)

// Transport is a way to reach DERP.
type Transport string

const (
	TLS13 Transport = "tls13" // with fast start
	TLS12 Transport = "tls12" // with the ordinary 101 answer
	Plain Transport = "plain"
	WSS   Transport = "wss"
	WS    Transport = "ws"
)

// Options of a peer; the zero value is a fresh key over TLS 1.3.
type Options struct {
	Key      key.NodePrivate
	Via      Transport
	MeshKey  key.DERPMesh
	IsProber bool
	AppName  string
}

// client is what derp.Client and derphttp.Client have in common.
type client interface {
	Send(key.NodePublic, []byte) error
	Recv() (derp.ReceivedMessage, error)
	SendPing([8]byte) error
	SendPong([8]byte) error
	ForwardPacket(from, to key.NodePublic, b []byte) error
	ClosePeer(key.NodePublic) error
}

// Peer is a logged-in client; what it receives is kept in order, without a
// limit, until the test asks for it.
type Peer struct {
	Key    key.NodePrivate
	Pub    key.NodePublic
	Client client
	HTTP   *derphttp.Client // nil over WebSocket

	t     testing.TB
	close func() error

	mu    sync.Mutex
	queue []derp.ReceivedMessage
	err   error         // why receiving ended
	wake  chan struct{} // holds one token when queue or err changed
}

// Denied is why the relay did not accept the login.
type Denied struct{ Reason string }

func (d *Denied) Error() string { return "denied: " + d.Reason }

// Dial connects and waits until the relay has accepted the login.
func Dial(t testing.TB, r *relay.Relay, opt Options) *Peer {
	t.Helper()
	p, err := TryDial(t, r, opt)
	if err != nil {
		t.Fatalf("login: %v\nrelay's log:\n%s", err, r.Log())
	}
	return p
}

// TryDial is Dial for callers that expect errors or are no test's goroutine.
func TryDial(t testing.TB, r *relay.Relay, opt Options) (*Peer, error) {
	if opt.Key.IsZero() {
		opt.Key = key.NewNode()
	}
	if opt.Via == "" {
		opt.Via = TLS13
	}
	p := &Peer{Key: opt.Key, Pub: opt.Key.Public(), t: t,
		wake: make(chan struct{}, 1)}
	ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
	defer cancel()

	var err error
	if opt.Via == WS || opt.Via == WSS {
		err = p.dialWebSocket(ctx, r, opt)
	} else {
		err = p.dialHTTP(ctx, r, opt)
	}
	if err != nil {
		return nil, err
	}
	t.Cleanup(p.Close)

	m, err := p.Client.Recv()
	if err != nil {
		return nil, fmt.Errorf("before ServerInfo: %w", err)
	}
	if health, ok := m.(derp.HealthMessage); ok {
		return nil, &Denied{health.Problem}
	}
	if _, ok := m.(derp.ServerInfoMessage); !ok {
		return nil, fmt.Errorf("got %T before ServerInfo", m)
	}
	go p.receive()
	return p, nil
}

// URL is the address of the relay's DERP by a transport.
func URL(r *relay.Relay, via Transport) string {
	switch via {
	case Plain, WS:
		return "http://" + r.Plain + "/derp"
	default:
		return "https://" + r.TLS + "/derp"
	}
}

func (p *Peer) dialHTTP(ctx context.Context, r *relay.Relay, opt Options) error {
	c, err := derphttp.NewClient(opt.Key, URL(r, opt.Via), logger.Discard,
		netmon.NewStatic())
	if err != nil {
		return err
	}
	c.TLSConfig = &tls.Config{RootCAs: r.Cert.Pool}
	if opt.Via == TLS12 {
		c.TLSConfig.MaxVersion = tls.VersionTLS12
	}
	c.MeshKey = opt.MeshKey
	c.IsProber = opt.IsProber
	c.AppName = opt.AppName
	c.SetURLDialer(new(net.Dialer).DialContext)
	p.Client, p.HTTP, p.close = c, c, c.Close
	if err := c.Connect(ctx); err != nil {
		c.Close()
		return err
	}
	return nil
}

// dialWebSocket does what derphttp's WebSocket path does; that path is built
// for browsers only.
func (p *Peer) dialWebSocket(ctx context.Context, r *relay.Relay, opt Options) error {
	conn, err := WebSocket(ctx, r, opt.Via)
	if err != nil {
		return err
	}
	if r.Derper {
		// It sends a large packet as one message, beyond what its own
		// client takes; ours must keep to the client's 32 KiB.
		conn.SetReadLimit(-1)
	}
	nc := splitConn{wsconn.NetConn(context.Background(), conn,
		websocket.MessageBinary, URL(r, opt.Via))}
	brw := bufio.NewReadWriter(bufio.NewReader(nc), bufio.NewWriter(nc))
	c, err := derp.NewClient(opt.Key, nc, brw, logger.Discard,
		derp.MeshKey(opt.MeshKey))
	if err != nil {
		conn.CloseNow()
		return err
	}
	p.Client, p.close = c, conn.CloseNow
	return nil
}

// splitConn writes messages that a relay must take: at most 32 KiB.
type splitConn struct{ net.Conn }

func (c splitConn) Write(p []byte) (int, error) {
	done := 0
	for len(p)-done > 32<<10 {
		n, err := c.Conn.Write(p[done : done+32<<10])
		done += n
		if err != nil {
			return done, err
		}
	}
	n, err := c.Conn.Write(p[done:])
	return done + n, err
}

// WebSocket opens a WebSocket with subprotocol derp.
func WebSocket(ctx context.Context, r *relay.Relay, via Transport) (*websocket.Conn, error) {
	conn, _, err := websocket.Dial(ctx, URL(r, via), &websocket.DialOptions{
		Subprotocols: []string{"derp"},
		HTTPClient: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: r.Cert.Pool},
		}},
	})
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (p *Peer) receive() {
	for {
		m, err := p.Client.Recv()
		if rp, ok := m.(derp.ReceivedPacket); ok {
			rp.Data = append([]byte{}, rp.Data...)
			m = rp
		}
		if ping, ok := m.(derp.PingMessage); ok {
			p.Client.SendPong(ping)
		}
		p.mu.Lock()
		if err != nil {
			p.err = err
		} else {
			p.queue = append(p.queue, m)
		}
		p.mu.Unlock()
		select {
		case p.wake <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

var errTimeout = errors.New("nothing came in time")

// TryNext returns the next message, waiting for it.
func (p *Peer) TryNext(wait time.Duration) (derp.ReceivedMessage, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		if len(p.queue) > 0 {
			m := p.queue[0]
			p.queue = p.queue[1:]
			p.mu.Unlock()
			return m, nil
		}
		err := p.err
		p.mu.Unlock()
		if err != nil {
			return nil, err
		}
		select {
		case <-p.wake:
		case <-deadline.C:
			return nil, errTimeout
		}
	}
}

// Ended tells whether the connection has, whatever is still in the queue.
func (p *Peer) Ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err != nil
}

// Close drops the connection; the relay sees its end.
func (p *Peer) Close() {
	if p.close != nil {
		p.close()
	}
}

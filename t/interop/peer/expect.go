// SPDX-License-Identifier: MIT

package peer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// Send sends a packet or fails the test.
func (p *Peer) Send(dst key.NodePublic, packet []byte) {
	p.t.Helper()
	if err := p.Client.Send(dst, packet); err != nil {
		p.t.Fatalf("send of %d bytes: %v", len(packet), err)
	}
}

// Await returns the next message of a type; others before it are dropped.
func Await[M derp.ReceivedMessage](p *Peer) M {
	p.t.Helper()
	m, err := TryAwait[M](p)
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

// TryAwait is Await for callers that are no test's goroutine.
func TryAwait[M derp.ReceivedMessage](p *Peer) (M, error) {
	var want M
	deadline := time.Now().Add(relay.Patience)
	for {
		m, err := p.TryNext(time.Until(deadline))
		if err != nil {
			return want, fmt.Errorf("waiting for %T: %w", want, err)
		}
		if got, ok := m.(M); ok {
			return got, nil
		}
	}
}

// Packet returns the next packet.
func (p *Peer) Packet() derp.ReceivedPacket {
	p.t.Helper()
	return Await[derp.ReceivedPacket](p)
}

// Gone expects the next message to be a PeerGone of a key and reason.
// Keep-alives and the like may come before it, packets may not.
func (p *Peer) Gone(who key.NodePublic, reason derp.PeerGoneReasonType) {
	p.t.Helper()
	m := Await[derp.PeerGoneMessage](p)
	if m.Peer != who || m.Reason != reason {
		p.t.Fatalf("PeerGone of %v reason %v, expected %v reason %v",
			m.Peer.ShortString(), m.Reason, who.ShortString(), reason)
	}
}

// Pong sends a ping and returns what came before its answer. A relay handles
// a connection's frames in order, so what the frames before caused for this
// connection itself is among it.
func (p *Peer) Pong() []derp.ReceivedMessage {
	p.t.Helper()
	var ping [8]byte
	rand.Read(ping[:])
	if err := p.Client.SendPing(ping); err != nil {
		p.t.Fatalf("ping: %v", err)
	}
	var before []derp.ReceivedMessage
	deadline := time.Now().Add(relay.Patience)
	for {
		m, err := p.TryNext(time.Until(deadline))
		if err != nil {
			p.t.Fatalf("waiting for a pong: %v", err)
		}
		if pong, ok := m.(derp.PongMessage); ok && [8]byte(pong) == ping {
			return before
		}
		before = append(before, m)
	}
}

// Quiet fails the test if a packet or a PeerGone has come before the answer
// to a ping.
func (p *Peer) Quiet() {
	p.t.Helper()
	for _, m := range p.Pong() {
		switch m := m.(type) {
		case derp.ReceivedPacket:
			p.t.Errorf("unexpected packet of %d bytes", len(m.Data))
		case derp.PeerGoneMessage:
			p.t.Errorf("unexpected PeerGone, reason %v", m.Reason)
		}
	}
}

// Closed waits until the relay has closed the connection.
func (p *Peer) Closed() {
	p.t.Helper()
	deadline := time.Now().Add(relay.Patience)
	for {
		_, err := p.TryNext(time.Until(deadline))
		if errors.Is(err, errTimeout) {
			p.t.Fatal("the relay did not close the connection")
		}
		if err != nil {
			return
		}
	}
}

// SPDX-License-Identifier: MIT

package derp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// crowd is many clients of a region.
type crowd struct {
	t      *testing.T
	peers  []*peer.Peer
	at     []*relay.Relay // where each is
	round  uint64         // packets of a round have its number
	resent int
}

// gather logs n clients in at each relay, some at a time.
func gather(t *testing.T, n int, relays ...*relay.Relay) *crowd {
	t.Helper()
	c := &crowd{t: t}
	for _, r := range relays {
		for range n {
			c.peers = append(c.peers, nil)
			c.at = append(c.at, r)
		}
	}
	c.login(c.everybody(), func(int) key.NodePrivate { return key.NewNode() })
	return c
}

// busy are those who talk while somebody else waits for known(), which takes the
// first one at each relay.
func (c *crowd) busy(ok func(*relay.Relay) bool) (who []int) {
	seen := map[*relay.Relay]bool{}
	for _, i := range c.those(ok) {
		if seen[c.at[i]] {
			who = append(who, i)
		}
		seen[c.at[i]] = true
	}
	return who
}

func (c *crowd) everybody() []int {
	return c.those(func(*relay.Relay) bool { return true })
}

func (c *crowd) those(ok func(*relay.Relay) bool) (who []int) {
	for i, r := range c.at {
		if ok(r) {
			who = append(who, i)
		}
	}
	return who
}

func (c *crowd) login(who []int, keyOf func(int) key.NodePrivate) {
	c.t.Helper()
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, i := range who {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			p, err := peer.TryDial(c.t, c.at[i], peer.Options{Key: keyOf(i)})
			if err != nil {
				c.t.Errorf("client %d: %v", i, err)
			}
			c.peers[i] = p
		}()
	}
	wg.Wait()
	if c.t.Failed() {
		c.t.FailNow()
	}
}

// again logs them in anew, with the keys they had.
func (c *crowd) again(who []int) {
	c.t.Helper()
	for _, i := range who {
		c.peers[i].Close()
	}
	c.login(who, func(i int) key.NodePrivate { return c.peers[i].Key })
}

// await waits until p has the packet; now and then it is sent again, since who
// has just logged in is not known everywhere.
func (c *crowd) await(p, from *peer.Peer, want []byte, patience time.Duration) error {
	deadline := time.Now().Add(relay.Patience)
	for again := time.Now().Add(patience); ; {
		m, err := p.TryNext(time.Until(again))
		if got, ok := m.(derp.ReceivedPacket); ok && got.Source == from.Pub &&
			bytes.Equal(got.Data, want) {
			return nil
		}
		if m != nil || time.Now().Before(again) && err == nil {
			continue
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s hears nothing of %s: %w", p.Pub.ShortString(),
				from.Pub.ShortString(), err)
		}
		again = time.Now().Add(patience)
		c.resent++
		if err := from.Client.Send(p.Pub, want); err != nil {
			return err
		}
	}
}

// shift lets each of them send to the one that is k places further on: at any
// time one packet is under way to each. After all k each pair has talked, in
// both directions.
func (c *crowd) shift(who []int, k int, patience time.Duration) error {
	c.round++
	want := binary.BigEndian.AppendUint64(nil, c.round)
	n := len(who)
	for i := range n {
		from, to := c.peers[who[i]], c.peers[who[(i+k)%n]]
		if err := from.Client.Send(to.Pub, want); err != nil {
			return fmt.Errorf("client %d: %w", who[i], err)
		}
	}
	for i := range n {
		from, to := c.peers[who[i]], c.peers[who[(i+k)%n]]
		if err := c.await(to, from, want, patience); err != nil {
			return fmt.Errorf("shift %d, %d to %d: %w", k, who[i],
				who[(i+k)%n], err)
		}
	}
	return nil
}

// known waits until packets of each relay's clients reach the last one of those:
// derper dials a relay that it has lost only after some seconds.
func (c *crowd) known(last int) {
	c.t.Helper()
	seen := map[*relay.Relay]bool{c.at[last]: true}
	for i, r := range c.at {
		if seen[r] {
			continue
		}
		seen[r] = true
		crosses(c.t, c.peers[i], c.peers[last], r, c.at[last])
		crosses(c.t, c.peers[last], c.peers[i], r, c.at[last])
	}
}

// talk shifts by each of first, first+step, ...
func (c *crowd) talk(who []int, first, step int) {
	c.t.Helper()
	for k := first; k < len(who); k += step {
		if err := c.shift(who, k, time.Second/4); err != nil {
			c.t.Fatal(err)
		}
	}
}

// load lets them talk until done is called, which fails the test if anything
// was lost meanwhile: patience is longer than a stall.
func (c *crowd) load(who []int) (done func()) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	before, rounds := c.resent, 0
	go func() {
		for k := 1; ; k = k%(len(who)-1) + 1 {
			err := c.shift(who, k, 10*time.Second)
			rounds++
			select {
			case <-stop:
				ended <- err
				return
			default:
			}
			if err != nil {
				ended <- err
				<-stop
				return
			}
		}
	}()
	return func() {
		c.t.Helper()
		close(stop)
		if err := <-ended; err != nil {
			c.t.Fatal(err)
		}
		if c.resent != before {
			c.t.Fatalf("%d packets lost under way", c.resent-before)
		}
		c.t.Logf("%d clients, %d rounds meanwhile", len(who), rounds)
	}
}

// closed waits until so many of them have been closed by their relay, and
// returns these.
func (c *crowd) closed(who []int, n int) (gone []int) {
	c.t.Helper()
	deadline := time.Now().Add(relay.Patience)
	for len(gone) < n {
		gone = nil
		for _, i := range who {
			if c.peers[i].Ended() {
				gone = append(gone, i)
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("only %d clients are closed", len(gone))
		}
		time.Sleep(10 * time.Millisecond)
	}
	return gone
}

// Two of ours and a real derper, 300 clients: each pair exchanges packets. Then
// a relay is killed and comes back, and another one is drained and taken back,
// while the others' clients go on.
func TestRegion(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "control.sock")
	one := meshedTo(t, fmt.Sprintf("control: {socket: %q}\n", socket))
	two := meshedTo(t)
	d := relay.StartDerper(t, relay.DerperMesh{KeyFile: meshFile(t),
		With: []*relay.Relay{one, two}})
	members(t, one, two, d)
	members(t, two, one, d)
	start := time.Now()
	step := func(what string) { t.Logf("%4.1f s: %s", time.Since(start).Seconds(), what) }

	c := gather(t, 100, one, two, d)
	step("all are here")
	c.known(len(c.peers) - 1)
	c.talk(c.everybody(), 1, 1)
	step("each pair has talked")

	done := c.load(c.busy(func(r *relay.Relay) bool { return r != two }))
	two.Revive(t)
	there := c.those(func(r *relay.Relay) bool { return r == two })
	c.again(there)
	step("one was killed, and runs again")
	c.known(there[len(there)-1])
	done()
	c.talk(c.everybody(), 7, 41)
	step("... and is known")

	here := c.those(func(r *relay.Relay) bool { return r == one })
	done = c.load(c.those(func(r *relay.Relay) bool { return r != one }))
	relay.Hdctl(t, socket, "drain", "--for", "1s")
	moved := c.closed(here, 20)
	relay.Hdctl(t, socket, "undrain")
	done()
	moved = c.closed(here, len(moved))
	for _, i := range moved {
		c.at[i] = two
	}
	c.again(moved)
	c.known(moved[len(moved)-1])
	c.talk(c.everybody(), 3, 41)
	step(fmt.Sprintf("one was drained, %d of its clients have moved", len(moved)))
	c.at[moved[0]] = one
	c.again(moved[:1])
	c.talk(c.everybody(), 5, 97)
	step("and it takes clients again")
}

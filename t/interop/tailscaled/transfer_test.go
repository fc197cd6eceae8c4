// SPDX-License-Identifier: MIT

package tailscaled

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"hyper-derp/interop/relay"
)

const transferBytes = 32 << 20

// flow is random bytes through a TCP connection inside the tailnet. The
// receiving node hands the connection to a listener on loopback, as tailscaled
// does without a network device.
type flow struct {
	from, to *node
	size     int64
	held     int64         // of these, so many at the end wait for release
	release  chan struct{} // closed by the test
	came     atomic.Int64
	begin    time.Time
	sent     chan ended
	received chan ended
}

type ended struct {
	sum []byte
	err error
}

// transfer sends bytes from one node to another and compares the hashes.
func transfer(t *testing.T, from, to *node) {
	t.Helper()
	f := &flow{from: from, to: to, size: transferBytes}
	f.start(t)
	f.await(t)
}

// start begins; await must follow.
func (f *flow) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f.sent, f.received = make(chan ended, 1), make(chan ended, 1)
	f.begin = time.Now()
	go func() {
		sum, err := f.receive(l)
		f.received <- ended{sum, err}
	}()
	go func() {
		sum, err := f.send(l.Addr().(*net.TCPAddr).Port)
		f.sent <- ended{sum, err}
	}()
}

func (f *flow) await(t *testing.T) {
	t.Helper()
	want := <-f.sent
	if want.err != nil {
		t.Fatalf("%s to %s: %v", f.from.name, f.to.name, want.err)
	}
	select {
	case got := <-f.received:
		if got.err != nil {
			t.Fatalf("%s to %s: %v", f.from.name, f.to.name, got.err)
		}
		if !bytes.Equal(got.sum, want.sum) {
			t.Errorf("%s to %s: other bytes came", f.from.name, f.to.name)
		}
	case <-time.After(2 * relay.Patience):
		t.Fatalf("%s to %s: the end did not come", f.from.name, f.to.name)
	}
	t.Logf("%s to %s: %d MiB in %v", f.from.name, f.to.name, f.size>>20,
		time.Since(f.begin).Round(time.Millisecond))
}

func (f *flow) send(port int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), relay.Patience)
	defer cancel()
	c, err := f.from.client.DialTCP(ctx, f.to.ip, uint16(port))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(6 * relay.Patience))
	hash := sha256.New()
	to, random := io.MultiWriter(c, hash), rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(to, random, f.size-f.held); err != nil {
		return nil, err
	}
	if f.held > 0 {
		<-f.release
		if _, err := io.CopyN(to, random, f.held); err != nil {
			return nil, err
		}
	}
	// The receiver knows the size and says when it has everything; closing
	// earlier could cut the stream inside the node.
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return nil, fmt.Errorf("no acknowledgement: %w", err)
	}
	return hash.Sum(nil), nil
}

func (f *flow) receive(l net.Listener) ([]byte, error) {
	c, err := l.Accept()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(6 * relay.Patience))
	hash := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(hash, (*counter)(&f.came)), c, f.size); err != nil {
		return nil, err
	}
	_, err = c.Write([]byte{1})
	return hash.Sum(nil), err
}

// counter counts what is written to it.
type counter atomic.Int64

func (n *counter) Write(b []byte) (int, error) {
	(*atomic.Int64)(n).Add(int64(len(b)))
	return len(b), nil
}

// SPDX-License-Identifier: MIT

package relay

import (
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
)

// Below the ports that the kernel gives away by itself: nobody's connection has
// one before the relay does, or while it starts again.
const (
	firstPort = 10_000
	ports     = 22_000
)

var (
	nextPort atomic.Int64
	claimed  sync.Map // port => net.Listener: the garbage collector closes others
)

func init() { nextPort.Store(int64(os.Getpid()) * 127) }

// claim keeps other tests away from a port as long as this process lives, by an
// abstract socket with its number. HyperDerp::Test does the same.
func claim(port int64) bool {
	l, err := net.Listen("unix", fmt.Sprintf("@hd-port-%d", port))
	if err == nil {
		claimed.Store(port, l)
	}
	return err == nil
}

// freePort returns an address that nobody listens on, and no other test will.
func freePort(t testing.TB, host string, free func(addr string) error) string {
	t.Helper()
	if err := free(net.JoinHostPort(host, "0")); err != nil {
		t.Skipf("this machine has no %s: %v", host, err)
	}
	for range 1000 {
		port := firstPort + nextPort.Add(1)%ports
		addr := net.JoinHostPort(host, fmt.Sprint(port))
		if claim(port) && free(addr) == nil {
			return addr
		}
	}
	t.Fatal("no free port")
	return ""
}

func freeTCP(t testing.TB, host string) string {
	t.Helper()
	return freePort(t, host, func(addr string) error {
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
		}
		return err
	})
}

func freeUDP(t testing.TB, host string) string {
	t.Helper()
	return freePort(t, host, func(addr string) error {
		c, err := net.ListenPacket("udp", addr)
		if err == nil {
			c.Close()
		}
		return err
	})
}

// SPDX-License-Identifier: MIT

package derp

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"go4.org/mem"
	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// With hd.bridge Tailscale's client and one of HD exchange packets, after the
// latter has allowed the former; each hears that the other has gone.
func TestBridge(t *testing.T) {
	t.Parallel()
	relay.SkipOnDerper(t, "derper has no HD")
	const python = "/usr/bin/python3"
	if exec.Command(python, "-c", "import nacl, OpenSSL").Run() != nil {
		t.Skip("needs python3-nacl and python3-openssl")
	}
	r := relay.Start(t, relay.Options{Modules: []string{"hd"},
		Sections: "hd: {enroll: anybody, bridge: yes}\n"})
	for _, via := range transports {
		a := peer.Dial(t, r, peer.Options{Via: via})
		echo := exec.Command(python, "-B", "../../hd/echo.py",
			fmt.Sprint(relay.Port(r.TLS)), hex.EncodeToString(bytesOf(a.Pub)))
		var complaint bytes.Buffer
		echo.Stderr = &complaint
		out, err := echo.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := echo.Start(); err != nil {
			t.Fatal(err)
		}
		defer echo.Process.Kill()
		lines := bufio.NewScanner(out)
		said := func() string {
			if !lines.Scan() {
				echo.Wait()
				t.Fatal("echo.py has ended: ", complaint.String())
			}
			return lines.Text()
		}
		text, err := hex.DecodeString(said())
		if err != nil {
			t.Fatal(err)
		}
		b := key.NodePublicFromRaw32(mem.B(text))
		a.Send(b, []byte("not allowed yet"))
		if got := said(); !strings.HasPrefix(got, "visited ") {
			t.Fatal(got)
		}
		for _, packet := range [][]byte{[]byte("hello"), disco(62), make([]byte, 40000)} {
			a.Send(b, packet)
			if p := a.Packet(); p.Source != b || !bytes.Equal(p.Data, packet) {
				t.Errorf("%s: %d bytes of %v instead of %d", via, len(p.Data), p.Source, len(packet))
			}
		}
		if via == peer.TLS13 { // the other end first
			echo.Process.Kill()
			a.Gone(b, derp.PeerGoneReasonDisconnected)
			echo.Wait()
			continue
		}
		a.Close()
		if got := said(); got != "gone" {
			t.Error(got)
		}
		echo.Wait()
	}
}

func bytesOf(k key.NodePublic) []byte {
	b := k.Raw32()
	return b[:]
}

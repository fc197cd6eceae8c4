// SPDX-License-Identifier: MIT

package derp

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/types/key"
)

// The key file has keys as Tailscale prints them.
func TestPolicy(t *testing.T) {
	t.Parallel()
	alice, bob := key.NewNode(), key.NewNode()
	list := filepath.Join(t.TempDir(), "keys")
	text := alice.Public().String() + " alice\n" + bob.Public().String() + "\n"
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r := relay.Start(t, relay.Options{Modules: []string{"policy"},
		Sections: "policy: {rules: [{keys: " + list + "}]}\n"})
	for _, via := range transports {
		a := peer.Dial(t, r, peer.Options{Via: via, Key: alice})
		b := peer.Dial(t, r, peer.Options{Via: via, Key: bob})
		a.Send(b.Pub, []byte("hello"))
		b.Packet()

		_, err := peer.TryDial(t, r, peer.Options{Via: via})
		var denied *peer.Denied
		if !errors.As(err, &denied) ||
			denied.Reason != "this key is not on the relay's list" {
			t.Errorf("%s: a stranger got: %v", via, err)
		}
	}
}

// SPDX-License-Identifier: MIT

package derp

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"hyper-derp/interop/peer"
	"hyper-derp/interop/relay"
	"tailscale.com/derp"
	"tailscale.com/types/key"
)

// Two of one tenant meet, in all transports and on whichever worker; one of
// another is told that they are not there, as of a key that nobody has. Rules
// that change move it.
func TestTenants(t *testing.T) {
	t.Parallel()
	alice, bob, carol := key.NewNode(), key.NewNode(), key.NewNode()
	dir := t.TempDir()
	list := func(name string, keys ...key.NodePrivate) string {
		text := ""
		for _, k := range keys {
			text += k.Public().String() + "\n"
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	r := relay.Start(t, relay.Options{Modules: []string{"policy"},
		Sections: "policy: {rules: [{tenant: office, keys: " +
			list("office", alice, bob) + "}, {tenant: home, keys: " +
			list("home", carol) + "}]}\n"})
	for _, via := range transports {
		a := peer.Dial(t, r, peer.Options{Via: via, Key: alice})
		b := peer.Dial(t, r, peer.Options{Via: via, Key: bob})
		c := peer.Dial(t, r, peer.Options{Via: via, Key: carol})
		a.Send(b.Pub, []byte("hello"))
		b.Packet()
		c.Send(a.Pub, disco(62))
		c.Gone(a.Pub, derp.PeerGoneReasonNotHere)
		a.Send(c.Pub, disco(62))
		a.Gone(c.Pub, derp.PeerGoneReasonNotHere)
		b.Send(a.Pub, []byte("nothing came before"))
		if p := a.Packet(); string(p.Data) != "nothing came before" {
			t.Errorf("%s: %q crossed tenants", via, p.Data)
		}
	}
}

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

package vault

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/event"
	"weir/internal/manifest"
)

func (g *store) changeKeys(s SignersRequest) {
	g.t.Helper()
	detail, err := json.Marshal(s)
	if err != nil {
		g.t.Fatal(err)
	}
	if a := g.v.answer(Request{Action: ActionSigners, Detail: detail}); a.Error != "" {
		g.t.Fatal(a.Error)
	}
}

func signerFor(key ed25519.PrivateKey) Signer {
	return Signer{Sender: "prod", Key: key.Public().(ed25519.PublicKey)}
}

// anyKey makes a shot as it comes over the link, where nobody says who signed.
func (s *shot) anyKey() *shot { s.ref.PublicKey = nil; return s }

// TestManifestsOfSeveralKeys publishes snapshots of two keys of a sender, and lists
// which of them are signed by one that was revoked later.
func TestManifestsOfSeveralKeys(t *testing.T) {
	g := newStore(t)
	old := g.key
	_, next, _ := ed25519.GenerateKey(nil)
	g.send(g.shot(1, 100).anyKey())
	g.key = next
	stranger := g.shot(2, 200).anyKey()
	if g.send(stranger); g.state(stranger) != Partial {
		t.Fatalf("signed by a key that is not trusted: %q", g.state(stranger))
	}
	g.changeKeys(SignersRequest{Trust: []Signer{signerFor(next)}})
	if g.finish(stranger); g.state(stranger) != Whole {
		t.Fatalf("signed by a key that is trusted now: %q", g.state(stranger))
	}
	g.changeKeys(SignersRequest{Revoke: []Signer{signerFor(old)}})
	g.changeKeys(SignersRequest{Revoke: []Signer{signerFor(old)}, Trust: []Signer{signerFor(old)}}) // for good
	g.key = old
	late := g.shot(3, 300).anyKey()
	if g.send(late); g.state(late) == Whole {
		t.Fatal("signed by a revoked key, and published")
	}
	for range 2 {
		all, err := List(g.dir)
		if err != nil || len(all) != 3 || all[0].Revoked.IsZero() || !all[1].Revoked.IsZero() {
			t.Errorf("%+v, %v", all, err)
		}
		if told, err := NewListing(g.dir).List(); err != nil || len(told) != 3 || !told[0].Revoked.Equal(all[0].Revoked) || !told[1].Revoked.IsZero() {
			t.Errorf("the receiver's own list: %+v, %v", told, err)
		}
		g.verify()
		g.kill()
		g.open() // without a word of the revocation: the vault itself knows
	}
	if n := slices.Index(g.events(), event.KeyRevoked); n < 0 || slices.Contains(g.events()[n+1:], event.KeyRevoked) {
		t.Errorf("events %v", g.events())
	}
	if !g.v.isRevoked("prod", old.Public().(ed25519.PublicKey)) {
		t.Error("the revocation is forgotten")
	}
}

// TestRevokedWhileNotWhole: a snapshot whose manifest came before its key was revoked
// waits until a good key signs the same manifest.
func TestRevokedWhileNotWhole(t *testing.T) {
	for _, restart := range []bool{false, true} {
		g := newStore(t)
		_, next, _ := ed25519.GenerateKey(nil)
		s := g.shot(1, 100, 2<<20).anyKey()
		g.object(s, s.files[0])
		g.finish(s) // lacks a file
		g.changeKeys(SignersRequest{Revoke: []Signer{signerFor(g.key)}, Trust: []Signer{signerFor(next)}})
		if restart {
			g.kill()
			g.opt = func(o *Options) {
				o.Signers = map[string][]ed25519.PublicKey{"prod": {next.Public().(ed25519.PublicKey)}}
			}
			g.open()
		}
		if g.object(s, s.files[1]); g.v.Settle(true) != nil || g.state(s) != Partial {
			t.Fatalf("restart %v: all is there, signed by a revoked key, and it is %q", restart, g.state(s))
		}
		if g.finish(s); g.state(s) != Partial {
			t.Fatalf("the same signature again: %q", g.state(s))
		}
		g.key = next
		again := g.shot(1, 100, 2<<20).anyKey()
		if again.ref.SHA256 != s.ref.SHA256 {
			t.Fatal("another manifest")
		}
		if g.finish(again); g.state(s) != Whole {
			t.Fatalf("restart %v: signed by a good key it is %q", restart, g.state(s))
		}
		g.verify()
		armored, err := os.ReadFile(filepath.Join(g.v.point(s.Snapshot), sigFile))
		if err != nil {
			t.Fatal(err)
		}
		if pub, _, err := manifest.Unarmor(armored); err != nil || !pub.Equal(next.Public()) {
			t.Errorf("the signature beside it is another's: %v", err)
		}
	}
}

// TestOpenedWithoutKeys: a command that knows no keys leaves manifests for who does.
func TestOpenedWithoutKeys(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100).anyKey()
	g.opt = func(o *Options) { o.Signers = nil }
	g.kill()
	g.open()
	if g.send(s); g.state(s) != Partial {
		t.Fatalf("it is %q", g.state(s))
	}
	g.close()
	g.opt = nil
	g.open()
	if g.v.Settle(true); g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
}

func TestSignersRequestIsChecked(t *testing.T) {
	g := newStore(t)
	for name, text := range map[string]string{
		"short key": `{"trust":[{"sender":"prod","key":"AAAA"}]}`, "no key": `{"revoke":[{"sender":"prod"}]}`,
		"a path": `{"trust":[{"sender":"../x","key":"` + strings.Repeat("A", 43) + `="}]}`, "no JSON": `{`,
	} {
		if a := g.v.answer(Request{Action: ActionSigners, Detail: json.RawMessage(text)}); a.Error == "" {
			t.Errorf("%s: it was done", name)
		}
	}
	told := errors.New("told")
	g.v.opt.OnSigners = func(SignersChanged) error { return told }
	err := g.v.changeSigners(SignersRequest{Revoke: []Signer{signerFor(g.key)}})
	if !errors.Is(err, told) || !g.v.isRevoked("prod", g.key.Public().(ed25519.PublicKey)) || len(RevokedKeys(g.dir)) != 1 {
		t.Errorf("%v: it must count all the same", err)
	}
}

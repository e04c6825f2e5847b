package sender

import (
	"crypto/ed25519"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/manifest"
	"weir/protocol"
)

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestKeyIsOfferedForLong: an offer goes out at once and with each heartbeat, over a
// restart, and always is the same one; the present key signs all the while.
func TestKeyIsOfferedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Heartbeat = 10 * time.Second })
		next := newKey(t)
		if err := r.OfferKey(next); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.mu.Lock()
		if len(r.changes) != 1 {
			t.Errorf("%d offers in the first second", len(r.changes))
		}
		r.mu.Unlock()
		time.Sleep(time.Hour)
		r.stop()
		r.memoryLink.sessions = map[protocol.SessionID]*inSession{}
		r.start()
		time.Sleep(time.Hour)
		r.mu.Lock()
		defer r.mu.Unlock()
		if n := len(r.changes); n < 700 || n > 740 {
			t.Errorf("%d offers in two hours", n)
		}
		for _, c := range r.changes {
			if c != r.changes[0] || !c.Verify(r.signer.Public().(ed25519.PublicKey)) || c.Sender != "prod" {
				t.Fatalf("offer %+v", c)
			}
		}
		if len(r.sessions) == 0 {
			t.Error("no session") // memoryLink has verified them with the present key
		}
	})
}

// Each offer has a counter above all before, also when the clock was set back.
func TestKeyOfferCounters(t *testing.T) {
	r := newRig(t)
	last := uint64(0)
	for i := range 5 {
		next := newKey(t)
		c, err := r.cfg.State.newKeyChange("prod", r.signer, next, time.Now().Add(-time.Duration(i)*time.Hour))
		if err != nil || c.Counter <= last {
			t.Errorf("counter %d after %d, %v", c.Counter, last, err)
		}
		last = c.Counter
		again, err := r.cfg.State.newKeyChange("prod", r.signer, next, time.Now())
		if err != nil || again != c {
			t.Errorf("the same key again: %+v, %v", again, err)
		}
		if i%2 == 0 {
			if err := r.WithdrawKey(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestSwitchKey changes over between two snapshots: what follows is signed with the
// new key, also what is sent again of what the old one signed.
func TestSwitchKey(t *testing.T) {
	r := newRig(t)
	next := newKey(t)
	kept := 0
	keep := func() error { kept++; return nil }
	if err := r.SwitchKey(t.Context(), next, keep); !errors.Is(err, ErrNotOffered) || kept != 0 {
		t.Fatalf("to a key that was never offered: %v", err)
	}
	res, first := r.push(Job{Stream: io.LimitReader(endless{}, 5000), As: "x"})
	old := r.signer
	if err := r.OfferKey(next); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the disk is full")
	if err := r.SwitchKey(t.Context(), next, func() error { return broken }); !errors.Is(err, broken) {
		t.Fatalf("what cannot be kept: %v", err)
	}
	r.push(Job{Stream: io.LimitReader(endless{}, 5000), As: "x"}) // still the old key
	r.mu.Lock()
	r.memoryLink.signer = next
	r.mu.Unlock()
	if err := r.SwitchKey(t.Context(), next, keep); err != nil || kept != 1 {
		t.Fatal(err)
	}
	if _, ok := r.cfg.State.offered(next); ok {
		t.Error("the offer is still there")
	}
	r.push(Job{Stream: io.LimitReader(endless{}, 5000), As: "x"})
	sent, err := r.cfg.State.sent("src", res.Number)
	if err != nil {
		t.Fatal(err)
	}
	turn, err := r.turns.take(t.Context(), levelPass)
	if err != nil {
		t.Fatal(err)
	}
	r.reset()
	if _, err := r.sendAgain(t.Context(), sent, turn, func(*manifest.Entry) bool { return false }); err != nil {
		t.Fatal(err)
	}
	turn.leave()
	again, _ := r.cfg.State.sent("src", res.Number)
	if again.Signer != keyID(next) || string(again.Signature) == string(sent.Signature) || sent.Signer != keyID(old) {
		t.Errorf("signed by %v before and %v after", sent.Signer, again.Signer)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.manifests[len(r.manifests)-1]
	if m.SHA256 != protocol.Hash(sent.SHA256) || string(m.Signature[:]) != string(again.Signature) {
		t.Error("another manifest, or signature, was sent")
	}
	if !manifest.Verify(next.Public().(ed25519.PublicKey), first.digest, m.Signature) {
		t.Error("the new key did not sign what was sent again")
	}
}

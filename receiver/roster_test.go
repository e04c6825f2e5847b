package receiver

import (
	"crypto/ed25519"
	"crypto/hpke"
	"slices"
	"testing"

	"weir/protocol"
)

func (g *rig) public() ed25519.PublicKey { return g.signer.Public().(ed25519.PublicKey) }

// further makes another key of the sender trusted, and returns it.
func (g *rig) further() ed25519.PrivateKey {
	g.t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		g.t.Fatal(err)
	}
	g.change(pub, nil)
	return key
}

// change trusts a key of the sender and revokes another, as the service does.
func (g *rig) change(trust, revoke ed25519.PublicKey) {
	next := Roster{Keys: g.cfg.Keys, Senders: map[string][]ed25519.PublicKey{"prod": slices.Clone(g.cfg.Senders["prod"])}, Revoked: slices.Clone(g.cfg.Revoked)}
	if trust != nil {
		next.Senders["prod"] = append(next.Senders["prod"], trust)
	}
	if revoke != nil {
		next.Revoked = append(next.Revoked, revoke)
	}
	g.cfg.Roster = next
	g.r.Change(next)
	g.tick(0)
}

func (g *rig) dropped(reason string) uint64 { return g.r.Counters().Dropped[reason] }

// TestSeveralKeysOfOneSender opens a session with each of two keys, whose counters
// are their own, and revokes the first in the midst of it.
func TestSeveralKeysOfOneSender(t *testing.T) {
	g := newRig(t)
	first, firstAnnounce, firstSealer := g.signer, g.announce, g.sealer
	g.signer = g.further()
	g.session(1)
	g.send(g.frames(small, g.data(1, 0, []byte("by the new key"))))
	g.announce, g.sealer, g.block = firstAnnounce, firstSealer, 0
	g.send(g.frames(small, g.data(2, 0, []byte("by the old key"))))
	half := g.frames(rigGeometry, g.data(3, 0, content(room(), 1)))
	g.send(half[:len(half)/2])
	late := g.frames(small, g.data(4, 0, []byte("too late")))
	g.change(nil, first.Public().(ed25519.PublicKey))
	g.send(half[len(half)/2:])
	g.send(late)
	if n := len(g.r.sessions); n != 1 {
		t.Errorf("%d sessions", n)
	}
	g.r.Datagram(firstAnnounce)
	if g.dropped("announce-revoked") != 1 || g.dropped("unknown-session") == 0 {
		t.Errorf("dropped %v", g.r.Counters().Dropped)
	}
	if links := g.r.TakeLinks(); len(links) != 1 || links[0].Received == 0 {
		t.Errorf("links %+v", links)
	}
	g.close()
	for id, want := range map[byte]string{1: "by the new key", 2: "by the old key", 3: "", 4: ""} {
		if got := string(g.sink.objects[protocol.ObjectID{id}]); got != want {
			t.Errorf("object %d is %.20q, want %q", id, got, want)
		}
	}
	// After a restart the session of the revoked key stays away, and its counter
	// is remembered all the same.
	g.start()
	if len(g.r.sessions) != 1 || g.r.remembered[protocol.NewKeyID(first.Public().(ed25519.PublicKey)).String()].Counter != 1 {
		t.Errorf("after a restart: %d sessions, %+v", len(g.r.sessions), g.r.remembered)
	}
	g.close()
}

// TestRevokedBlocksInTheQueue: what was received before and not yet delivered is not
// delivered any more.
func TestRevokedBlocksInTheQueue(t *testing.T) {
	g := newRig(t)
	hold := make(chan struct{})
	g.sink.mu.Lock()
	go func() { <-hold; g.sink.mu.Unlock() }()
	for i := range byte(10) {
		g.send(g.frames(small, g.data(10+i, 0, []byte("x"))))
	}
	g.change(nil, g.public())
	close(hold)
	g.close()
	if n := len(g.sink.objects); n > 1 { // one was being delivered
		t.Errorf("%d objects of a revoked key were delivered", n)
	}
}

// TestSeveralReceiverKeys changes the receiver's own key: sessions to either are
// good until the old one is retired.
func TestSeveralReceiverKeys(t *testing.T) {
	g := newRig(t)
	old, oldAnnounce := g.key, g.announce
	next, err := protocol.KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	turn := func(keys ...hpke.PrivateKey) {
		g.cfg.Keys = keys
		g.change(nil, nil)
	}
	g.key = next
	g.r.Datagram(g.newAnnounce(2, rigGeometry))
	if len(g.r.sessions) != 1 || g.dropped("announce-refused") != 1 {
		t.Fatalf("a session to a key that is not there yet: %v", g.r.Counters().Dropped)
	}
	turn(next, old)
	g.send(g.frames(small, g.data(1, 0, []byte("to the old key"))))
	g.session(3)
	g.send(g.frames(small, g.data(2, 0, []byte("to the new key"))))
	if len(g.r.sessions) != 2 {
		t.Fatalf("%d sessions", len(g.r.sessions))
	}
	turn(next)
	if len(g.r.sessions) != 1 || g.r.find(g.r.sessions[0].id) == nil {
		t.Errorf("%d sessions after the old key was retired", len(g.r.sessions))
	}
	g.r.Datagram(oldAnnounce)
	if len(g.r.sessions) != 1 {
		t.Error("a session to a retired key was opened")
	}
	g.close()
	for id, want := range map[byte]string{1: "to the old key", 2: "to the new key"} {
		if got := string(g.sink.objects[protocol.ObjectID{id}]); got != want {
			t.Errorf("object %d is %q, want %q", id, got, want)
		}
	}
}

// TestKeyChanges sends offers of another key, good ones and bad ones, each in a
// session that is good.
func TestKeyChanges(t *testing.T) {
	_, next, _ := ed25519.GenerateKey(nil)
	_, stranger, _ := ed25519.GenerateKey(nil)
	for name, c := range map[string]struct {
		make   func(g *rig) protocol.KeyChange
		taken  bool
		reason string
	}{
		"good":                 {func(g *rig) protocol.KeyChange { return protocol.NewKeyChange("prod", 5, g.signer, next) }, true, ""},
		"signed by a stranger": {func(g *rig) protocol.KeyChange { return protocol.NewKeyChange("prod", 5, stranger, next) }, false, "key-change-forged"},
		"of another sender":    {func(g *rig) protocol.KeyChange { return protocol.NewKeyChange("dev", 5, g.signer, next) }, false, "key-change-forged"},
		"bit flipped": {func(g *rig) protocol.KeyChange {
			c := protocol.NewKeyChange("prod", 5, g.signer, next)
			c.Signature[5] ^= 1
			return c
		}, false, "key-change-forged"},
		"counter raised": {func(g *rig) protocol.KeyChange {
			c := protocol.NewKeyChange("prod", 5, g.signer, next)
			c.Counter++
			return c
		}, false, "key-change-forged"},
		"old counter": {func(g *rig) protocol.KeyChange { return protocol.NewKeyChange("prod", 4, g.signer, next) }, false, "key-change-replayed"},
		"signed by a revoked key": {func(g *rig) protocol.KeyChange {
			old := g.signer
			g.signer = g.further()
			g.session(1)
			g.change(nil, old.Public().(ed25519.PublicKey))
			return protocol.NewKeyChange("prod", 5, old, next)
		}, false, "key-change-revoked"},
		"back to a revoked key": {func(g *rig) protocol.KeyChange {
			old := g.signer
			g.signer = g.further()
			g.session(1)
			g.change(nil, old.Public().(ed25519.PublicKey))
			return protocol.NewKeyChange("prod", 5, g.signer, old)
		}, false, "key-change-revoked"},
		"to a key that is trusted": {func(g *rig) protocol.KeyChange { return protocol.NewKeyChange("prod", 5, g.signer, g.further()) }, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t)
			g.close()
			var taken []protocol.KeyChange
			g.cfg.Offered = func(c protocol.KeyChange) error {
				if c.Counter < 5 {
					return ErrOldOffer
				}
				taken = append(taken, c)
				return nil
			}
			g.start()
			g.session(2)
			change := c.make(g)
			g.send(g.frames(small, protocol.AppendKeyChange(nil, &change)))
			g.close()
			if got := len(taken) == 1; got != c.taken || len(taken) > 1 {
				t.Errorf("taken %d times", len(taken))
			}
			for _, reason := range []string{"key-change-forged", "key-change-replayed", "key-change-revoked"} {
				if want := reason == c.reason; (g.dropped(reason) == 1) != want {
					t.Errorf("%s was counted %d times", reason, g.dropped(reason))
				}
			}
		})
	}
}

package vault

import (
	"os"
	"testing"
	"time"

	"weir/internal/event"
)

// counted returns how often the disk is synced by something.
func (g *store) counted(something func()) (n int) {
	real := g.v.disk
	g.v.disk.sync = func(f *os.File) error { n++; return real.sync(f) }
	g.v.disk.syncAll = func(f *os.File) error { n++; return real.syncAll(f) }
	something()
	g.v.disk = real
	return n
}

// spent takes away what a sender may still have noted of its snapshots at once;
// refill gives it back.
func (g *store) spent() { g.v.entering = 0; clear(g.v.entries) }

func (g *store) refill() { g.v.entering = time.Hour; clear(g.v.entries) }

// TestSnapshotsAreEnteredInTurns names very many snapshots at once: beyond its share
// a sender costs no sync with that, and all are listed after a Settle.
func TestSnapshotsAreEnteredInTurns(t *testing.T) {
	const n = 64 // fewer than are told of one by one
	for name, tell := range map[string]func(*Vault, Snapshot) error{"heartbeats": (*Vault).Announced, "contexts": (*Vault).Touch} {
		g := newStore(t)
		g.v.clock.read() // its mark is written now
		g.spent()
		all := make([]*shot, n)
		syncs := g.counted(func() {
			for i := range all {
				all[i] = g.shot(uint64(i+1), 100)
				if err := tell(g.v, all[i].Snapshot); err != nil {
					t.Fatal(err)
				}
			}
		})
		if syncs > 0 {
			t.Errorf("%s: %d syncs for %d snapshots", name, syncs, n)
		}
		g.refill()
		g.v.Settle(false)
		listed, err := List(g.dir)
		if err != nil || len(listed) != n {
			t.Errorf("%s: %d are listed, %v", name, len(listed), err)
		}
		if unseen := g.count(event.SnapshotUnseen); unseen != n && name == "heartbeats" || unseen != 0 && name == "contexts" {
			t.Errorf("%s: %d are told of", name, unseen)
		}
		g.send(all[0])
		if g.state(all[0]) != Whole {
			t.Errorf("%s: one that came is %q", name, g.state(all[0]))
		}
	}
}

// TestManifestsAreNotedInTurns closes one snapshot again and again, each time with
// another signature, and gives others up: beyond its share that costs a sender no sync.
func TestManifestsAreNotedInTurns(t *testing.T) {
	g := newStore(t)
	s, left := g.shot(1, 100), g.shot(2, 100)
	g.v.Touch(s.Snapshot)
	g.v.Touch(left.Snapshot)
	g.v.clock.read()
	g.spent()
	good := s.ref
	syncs := g.counted(func() {
		for i := range byte(100) {
			s.ref.Signature[0] = i
			g.v.CloseSnapshot(s.Snapshot, s.ref)
		}
		g.v.Abandoned(left.Snapshot)
	})
	if told := g.count(event.SnapshotAbandoned); syncs != told {
		t.Errorf("%d syncs", syncs)
	}
	g.refill()
	s.ref = good
	g.send(s)
	if g.state(s) != Whole || g.state(left) != Abandoned {
		t.Errorf("they are %q and %q", g.state(s), g.state(left))
	}
	g.verify()
}

// TestWhatWaitsIsEntered closes the vault, and kills it, while snapshots wait to be
// entered: the one knows of them again, the other when they are told of once more.
func TestWhatWaitsIsEntered(t *testing.T) {
	for _, kill := range []bool{false, true} {
		g := newStore(t)
		s := g.shot(1, 100)
		g.spent()
		g.v.Announced(s.Snapshot)
		g.v.CloseSnapshot(s.Snapshot, s.ref)
		if kill {
			g.kill()
		} else {
			g.close()
		}
		g.open()
		if p := g.v.pending[norm(s.Snapshot)]; kill != (p == nil) || !kill && p.Ref == nil {
			t.Errorf("killed %v, it is %v", kill, p)
		}
		if g.send(s); g.state(s) != Whole {
			t.Errorf("killed %v, it is %q", kill, g.state(s))
		}
		g.verify()
	}
}

package vault

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"weir/internal/event"
)

// both spoils a file of a restore point and its second copy.
func (g *store) both(s *shot, own, spare string) {
	g.t.Helper()
	flip(g.t, filepath.Join(g.v.point(s.Snapshot), own), 60)
	flip(g.t, filepath.Join(g.v.spare(s.Snapshot), spare), 60)
}

// spoilLog makes the first event another one, and what it was when done twice.
func (g *store) spoilLog() {
	g.t.Helper()
	path := filepath.Join(g.dir, ownDir, eventsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		g.t.Fatal(err)
	}
	flip(g.t, path, int64(bytes.Index(text, []byte(`"event":"`)))+9)
	os.Chmod(path, 0o644)
}

// TestManifestThatIsBadTwiceHealsWhenItComesAgain: manifest or signature, also with a
// restart between, and with the event log lost.
func TestManifestThatIsBadTwiceHealsWhenItComesAgain(t *testing.T) {
	for name, spoil := range map[string]func(g *store, s *shot){
		"manifest":    func(g *store, s *shot) { g.both(s, manifestFile, packed) },
		"signature":   func(g *store, s *shot) { g.both(s, sigFile, sigFile) },
		"and the log": func(g *store, s *shot) { g.both(s, manifestFile, packed) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s, next := g.shot(1, 100, 5000), g.shot(2, 300)
			g.send(s)
			g.send(next)
			spoil(g, s)
			g.scrubbed()
			if g.state(s) != Partial || g.state(next) != Whole || g.count(event.SnapshotDamaged) != 1 {
				t.Fatalf("%q, %q, events %v", g.state(s), g.state(next), g.events())
			}
			f, err := Find(g.dir, s.Ref())
			if err != nil {
				t.Fatal(err)
			}
			repairs, err := Repairs(g.dir, []Found{f}, Typed)
			if err != nil || len(repairs) != 1 || repairs[0].Code == "" {
				t.Fatalf("repair codes %+v, %v", repairs, err)
			}
			for m, err := range Missing(g.dir, f) {
				if err != nil || m.Path != manifestFile && m.Path != sigFile {
					t.Errorf("missing: %+v, %v", m, err)
				}
			}
			g.close()
			g.open()
			if name == "and the log" {
				g.spoilLog()
			}
			g.finish(s)
			g.v.Settle(true)
			if name == "and the log" {
				g.spoilLog() // back again
			}
			if g.state(s) != Whole {
				t.Fatalf("it is %q, events %v", g.state(s), g.events())
			}
			g.verify()
			if !g.v.spareSound(s.Snapshot) {
				t.Error("the second copy is not good")
			}
			if k := (key{s.Sender, s.ref.Object}); g.v.has(k) || exists(g.v.layout.object(k)) {
				t.Error("the packed manifest is left among the objects")
			}
			if st := g.scrubbed(); st.Found != 0 {
				t.Errorf("%v", st.Findings)
			}
		})
	}
}

// TestAnotherManifestHealsNothing: neither one that the event log does not name, nor
// without it one that nobody signed who may.
func TestAnotherManifestHealsNothing(t *testing.T) {
	for _, log := range []bool{true, false} {
		g := newStore(t)
		s := g.shot(1, 100, 5000)
		g.send(s)
		g.both(s, manifestFile, packed)
		g.scrubbed()
		if !log {
			g.spoilLog()
		}
		other := g.shot(1, 200)
		other.Taken = s.Taken
		good := g.key
		if !log {
			_, g.key, _ = ed25519.GenerateKey(nil)
		}
		g.seal(other)
		g.key = good
		g.finish(other)
		g.v.Settle(true)
		if !log {
			g.spoilLog() // back again
		}
		if g.state(s) != Partial || g.count(event.ManifestRefused) == 0 {
			t.Fatalf("log %v: it is %q, events %v", log, g.state(s), g.events())
		}
		g.finish(s)
		g.v.Settle(true)
		if g.state(s) != Whole {
			t.Fatalf("log %v: it is %q, events %v", log, g.state(s), g.events())
		}
		own, err := os.ReadFile(filepath.Join(g.v.point(s.Snapshot), manifestFile))
		if err != nil || sha256.Sum256(own) != s.ref.SHA256 {
			t.Fatalf("log %v: not the manifest that was published: %v", log, err)
		}
	}
}

// TestHealingIsKilledAnywhere ends the process at each operation of the disk while a
// manifest that came again is put back, and while a scrub makes one anew. Whoever goes on
// ends it, without another pass once all of it had come.
func TestHealingIsKilledAnywhere(t *testing.T) {
	inMemory(t)
	for name, c := range map[string]struct {
		spoil func(g *store, s *shot)
		heal  func(g *store, s *shot)
	}{
		"it came again": {
			func(g *store, s *shot) { g.both(s, manifestFile, packed); g.scrubbed() },
			func(g *store, s *shot) { g.finish(s); g.v.Settle(true) },
		},
		"from the second copy": {
			func(g *store, s *shot) { flip(g.t, filepath.Join(g.v.point(s.Snapshot), manifestFile), 60) },
			func(g *store, s *shot) { g.scrubbed() },
		},
		"the second copy": {
			func(g *store, s *shot) { flip(g.t, filepath.Join(g.v.spare(s.Snapshot), packed), 60) },
			func(g *store, s *shot) { g.scrubbed() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			for n, killed := 1, true; killed; n++ {
				g, f := newStore(t), &faulty{left: 1 << 30}
				g.reopen(f.deadly())
				s, next := g.shot(1, 100, 5000), g.shot(2, 300)
				g.send(s)
				g.send(next)
				c.spoil(g, s)
				f.left = n
				killed = g.dies(func() { c.heal(g, s) })
				g.kill()
				f.left, f.broken = 1<<30, false
				g.open()
				g.v.Settle(true)
				if st := g.scrubbed(); g.state(s) != Whole {
					if _, again := g.v.bare[norm(s.Snapshot)]; !again || st.Found == 0 {
						t.Fatalf("killed at operation %d: it is %q, and waits for nothing", n, g.state(s))
					}
					c.heal(g, s)
				}
				g.isHealed(s, n)
				g.close()
			}
		})
	}
}

func (g *store) isHealed(s *shot, n int) {
	g.t.Helper()
	if g.state(s) != Whole || !g.v.spareSound(s.Snapshot) || len(g.v.bare) > 0 {
		g.t.Fatalf("killed at operation %d: it is %q, second copy good: %v", n, g.state(s), g.v.spareSound(s.Snapshot))
	}
	g.verify()
	if k := (key{s.Sender, s.ref.Object}); g.v.has(k) || exists(g.v.layout.object(k)) {
		g.t.Fatalf("killed at operation %d: the packed manifest is left among the objects", n)
	}
	if st := g.scrubbed(); st.Found != 0 || exists(g.v.damagedPoint(s.Snapshot)) {
		g.t.Fatalf("killed at operation %d: %v", n, st.Findings)
	}
	if left, _ := os.ReadDir(filepath.Join(g.dir, ownDir, "staging")); len(left) > 0 {
		g.t.Fatalf("killed at operation %d: staging holds %v", n, left)
	}
}

// TestHalvesHealTogether: one good manifest and one good signature are enough, wherever
// they lie.
func TestHalvesHealTogether(t *testing.T) {
	for name, bad := range map[string][2]string{"own manifest, second signature": {manifestFile, sigFile}, "own signature, second manifest": {sigFile, packed}} {
		g := newStore(t)
		s := g.shot(1, 100, 5000)
		g.send(s)
		g.both(s, bad[0], bad[1])
		if st := g.scrubbed(); st.Found == 0 || g.state(s) != Whole || !g.v.spareSound(s.Snapshot) {
			t.Errorf("bad are %s: it is %q, second copy good: %v, %v", name, g.state(s), g.v.spareSound(s.Snapshot), st.Findings)
		}
		g.verify()
	}
}

// TestMarkGoesWithItsCause: a file that nothing could heal is put right from outside.
func TestMarkGoesWithItsCause(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 5000)
	g.send(s)
	path := filepath.Join(g.v.point(s.Snapshot), dataDir, "fb")
	k := key{"prod", s.files[1].id}
	if err := g.v.catalog.remove(k); err != nil {
		t.Fatal(err)
	}
	os.Remove(g.v.layout.object(k))
	flip(t, path, 99)
	if g.scrubbed(); g.state(s) != Partial {
		t.Fatalf("it is %q", g.state(s))
	}
	flip(t, path, 99)
	if g.scrubbed(); g.state(s) != Whole {
		t.Fatalf("it is %q when it is good again", g.state(s))
	}
	g.verify()
}

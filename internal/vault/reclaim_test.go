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

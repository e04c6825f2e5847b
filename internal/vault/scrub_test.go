package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// scrubbed reads everything again and lets the vault act on it.
func (g *store) scrubbed() ScrubState {
	g.t.Helper()
	if err := g.v.beginScrub("", 0); err != nil {
		g.t.Fatal(err)
	}
	if err := g.v.finishWork(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	s, err := ReadScrub(g.dir)
	if err != nil || s.Running {
		g.t.Fatalf("%+v, %v", s, err)
	}
	return s
}

// flip changes one bit of a file in place, as a disk does.
func flip(t *testing.T, path string, at int64) {
	t.Helper()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 8
	if _, err := f.WriteAt(b[:], at); err != nil {
		t.Fatal(err)
	}
	f.Chmod(0o444)
}

// again sends the content of a shot once more, as part of a later snapshot.
func (g *store) again(s *shot, number uint64) *shot {
	next := g.shot(number)
	next.files = s.files
	g.seal(next)
	g.send(next)
	return next
}

func TestDamagedObjectIsFoundMarkedAndHealed(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, g *store, path string){
		"a bit":   func(t *testing.T, _ *store, p string) { flip(t, p, 1234) },
		"the end": func(t *testing.T, _ *store, p string) { os.Truncate(p, 100) },
		"the catalog": func(t *testing.T, g *store, p string) {
			flip(t, p, 7)
			os.Remove(filepath.Join(g.dir, ".weir", "catalog.db"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			all := g.series(4) // the second file is the same object in all
			other := g.shot(5, 10, 20)
			g.send(other)
			g.close()
			k := key{"prod", all[0].files[1].id}
			spoil(t, g, g.v.layout.object(k))
			g.open()
			r := g.scrubbed()
			if r.Found == 0 || !strings.Contains(r.Findings[0], k.id.String()) {
				t.Fatalf("findings %q", r.Findings)
			}
			for _, s := range all {
				if g.state(s) != Partial {
					t.Fatalf("%s is %q, findings %q", s.Ref(), g.state(s), r.Findings)
				}
			}
			if g.state(other) != Whole || g.count(event.SnapshotDamaged) != 4 {
				t.Fatalf("the other is %q, %d events", g.state(other), g.count(event.SnapshotDamaged))
			}
			g.lacksOnly(all[2], "fb")
			g.close()
			g.open()
			g.wrongContentDoesNotHeal(all[1], k)
			next := g.again(all[3], 9)
			g.v.Settle(true)
			if err := g.v.finishWork(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, s := range append(all, next, other) {
				if g.state(s) != Whole {
					t.Fatalf("after healing %s is %q", s.Ref(), g.state(s))
				}
			}
			g.verify()
			if g.count(event.SnapshotHealed) != 4 || g.count(event.ObjectHealed) != 1 {
				t.Errorf("events %v", g.events())
			}
			g.readOnly()
			if r := g.scrubbed(); r.Found != 0 {
				t.Errorf("a second scrub finds %q", r.Findings)
			}
		})
	}
}

// TestLostObjectIsLinkedBack: the trees have it still.
func TestLostObjectIsLinkedBack(t *testing.T) {
	g := newStore(t)
	all := g.series(3)
	path := g.v.layout.object(key{"prod", all[0].files[1].id})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r := g.scrubbed()
	g.v.Settle(true)
	g.v.finishWork(t.Context())
	if r.Found != 1 || g.count(event.ObjectHealed) != 1 || g.count(event.SnapshotDamaged) != 0 || !exists(path) {
		t.Fatalf("%+v, events %v", r, g.events())
	}
	g.holds(all...)
	if r := g.scrubbed(); r.Found != 0 {
		t.Errorf("a second scrub finds %q", r.Findings)
	}
}

// lacksOnly checks that exactly this file of a damaged restore point is missing.
func (g *store) lacksOnly(s *shot, path string) {
	g.t.Helper()
	f, err := Find(g.dir, s.Ref())
	if err != nil {
		g.t.Fatal(err)
	}
	var got []string
	for m, err := range Missing(g.dir, f) {
		if err != nil {
			g.t.Fatal(err)
		}
		got = append(got, m.Path)
	}
	if !slices.Equal(got, []string{path}) || f.Damaged != 1 || f.MissingFiles != 1 || f.MissingBytes == 0 {
		g.t.Errorf("missing %q, %+v", got, f.Info)
	}
	if r, err := Verify(g.t.Context(), g.dir, f, nil); err != nil || len(r.Findings) == 0 {
		g.t.Errorf("verify finds nothing, %v", err)
	}
	if latest, err := Find(g.dir, "prod/etc/latest"); err == nil && latest.State != Whole {
		g.t.Errorf("the latest is %+v", latest.Info)
	}
}

// wrongContentDoesNotHeal sends something else under the id of a damaged object:
// the vault may not be talked into another content.
func (g *store) wrongContentDoesNotHeal(s *shot, k key) {
	g.t.Helper()
	evil := []byte("evil")
	later := Snapshot{"prod", "etc", 77, s.Taken}
	g.v.WriteRange(later, k.id, 0, evil)
	if err := g.v.EndObject(later, k.id, 4, sha256.Sum256(evil), nil); !errors.Is(err, ErrConflict) {
		g.t.Errorf("another content: %v", err)
	}
	// A range of rubbish with the right end is dropped by its hash.
	bad := bytes.Repeat([]byte{1}, len(s.files[1].content))
	g.v.WriteRange(s.Snapshot, k.id, 0, bad)
	g.v.EndObject(s.Snapshot, k.id, int64(len(bad)), sha256.Sum256(s.files[1].content), nil)
	g.v.Settle(true)
	if g.state(s) != Partial {
		g.t.Errorf("rubbish healed it: %q", g.state(s))
	}
}

// readOnly checks the modes of what is published.
func (g *store) readOnly() {
	g.t.Helper()
	points, _ := filepath.Glob(filepath.Join(g.dir, "prod", "*", "*"))
	for _, p := range points {
		for _, d := range []string{p, filepath.Join(p, "data")} {
			if st, err := os.Stat(d); err != nil || st.Mode().Perm() != 0o555 {
				g.t.Errorf("%s has mode %v, %v", d, st.Mode(), err)
			}
		}
	}
}

// TestOwnFilesAreMadeAnew: what a restore point has for itself is healed from what
// the vault has.
func TestOwnFilesAreMadeAnew(t *testing.T) {
	for _, name := range []string{manifestFile, sigFile, sumsFile} {
		for _, spoil := range []func(t *testing.T, path string){
			func(t *testing.T, p string) { flip(t, p, 60) },
			func(_ *testing.T, p string) { os.Truncate(p, 30) },
			func(_ *testing.T, p string) { os.Remove(p) },
		} {
			g := newStore(t)
			s := g.shot(1, 100, 2000)
			g.send(s)
			received := g.points[0].Received
			g.now = g.now.Add(3 * time.Hour)
			point := g.v.point(s.Snapshot)
			os.Chmod(point, 0o755)
			spoil(t, filepath.Join(point, name))
			os.Chtimes(filepath.Join(point, name), received, received) // a disk leaves them
			os.Chmod(point, 0o555)
			if _, err := List(g.dir); err != nil {
				t.Fatal(err)
			}
			if r := g.scrubbed(); r.Found == 0 || !strings.Contains(strings.Join(r.Findings, " "), name) {
				t.Fatalf("%s: findings %q", name, r.Findings)
			}
			if g.state(s) != Whole || g.count(event.SnapshotHealed) == 0 {
				t.Fatalf("%s: it is %q, %v", name, g.state(s), g.events())
			}
			g.verify()
			g.readOnly()
			f, _ := Find(g.dir, s.Ref())
			if exact := f.Received.Equal(received.Truncate(time.Second)); f.Received.Before(received.Truncate(time.Second)) || !exact && name != sumsFile {
				t.Errorf("%s: received %v, was %v", name, f.Received, received)
			}
			if r := g.scrubbed(); r.Found != 0 {
				t.Errorf("%s: a second scrub finds %q", name, r.Findings)
			}
		}
	}
}

func TestManifestWithoutASecondCopyIsMarked(t *testing.T) {
	g := newStore(t)
	s, other := g.shot(1, 100), g.shot(2, 100)
	g.send(s)
	g.send(other)
	removeTree(filepath.Join(g.dir, ".weir", "manifests"))
	flip(t, filepath.Join(g.v.point(s.Snapshot), manifestFile), 200)
	r := g.scrubbed()
	if g.state(s) != Partial || g.state(other) != Whole || r.Found == 0 {
		t.Fatalf("%q, %q, %+v", g.state(s), g.state(other), r)
	}
}

// TestLostNamesAreLinkedAgain: a name in a tree that is gone, or another file.
func TestLostNamesAreLinkedAgain(t *testing.T) {
	for name, spoil := range map[string]func(p string) error{
		"gone": os.Remove,
		"another": func(p string) error {
			return errors.Join(os.Remove(p), os.WriteFile(p, []byte("another"), 0o444))
		},
	} {
		g := newStore(t)
		s := g.shot(1, 100, 2000)
		g.send(s)
		data := filepath.Join(g.v.point(s.Snapshot), dataDir)
		os.Chmod(data, 0o755)
		if err := spoil(filepath.Join(data, "fa")); err != nil {
			t.Fatal(err)
		}
		os.Chmod(data, 0o555)
		if r := g.scrubbed(); r.Found != 1 || g.state(s) != Whole {
			t.Fatalf("%s: %+v, %q", name, r, g.state(s))
		}
		g.verify()
		g.readOnly()
	}
}

// TestCopiesAreRead: where links are refused, a tree has bytes of its own.
func TestCopiesAreRead(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.disk.link = func(string, int, string) error { return unix.EXDEV }
	g.open()
	s := g.shot(1, 100, 2000)
	g.send(s)
	flip(t, filepath.Join(g.v.point(s.Snapshot), dataDir, "fb"), 1000)
	if r := g.scrubbed(); r.Found != 1 || g.state(s) != Whole {
		t.Fatalf("%+v, %q", r, g.state(s))
	}
	g.verify()
}

// TestHealKilledAnywhere ends the process at each step from the finding to the
// healing of an object that three restore points share.
func TestHealKilledAnywhere(t *testing.T) {
	inMemory(t)
	for n := 1; ; n++ {
		f := &faulty{left: 1 << 30}
		g := newStore(t)
		g.kill()
		g.disk = f.deadly()
		g.open()
		all := g.series(3)
		flip(t, g.v.layout.object(key{"prod", all[0].files[1].id}), 99)
		f.left = n
		killed := g.dies(func() {
			g.scrubbed()
			g.again(all[2], 9)
			g.v.finishWork(t.Context())
		})
		g.kill()
		f.left, f.broken = 1<<30, false
		g.open()
		g.scrubbed()
		next := g.again(all[2], 10)
		g.v.finishWork(t.Context())
		for _, s := range append(all, next) {
			if g.state(s) != Whole {
				t.Fatalf("killed at %d: %s is %q", n, s.Ref(), g.state(s))
			}
		}
		g.verifyLeft()
		g.readOnly()
		if r := g.scrubbed(); r.Found != 0 {
			t.Fatalf("killed at %d: %q", n, r.Findings)
		}
		g.close()
		if !killed {
			if n < 20 {
				t.Fatalf("only %d steps were seen", n)
			}
			break
		}
	}
}

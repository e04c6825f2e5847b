package vault

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"weir/internal/manifest"
)

func TestSnapshotBecomesWhole(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 0, 3<<20, 70000)
	s.extra = []manifest.Entry{
		{Path: "dir", Kind: manifest.Dir, Mode: 0o700}, {Path: "dir/sub", Kind: manifest.Dir, Mode: 0o700},
		{Path: "dir/hard", Kind: manifest.Hardlink, Target: "a"},
		{Path: "gone", Kind: manifest.File, Problem: "vanished"}, {Path: "sym", Kind: manifest.Symlink, Target: "/etc/passwd"},
	}
	s.files = append(s.files, file{"a", []byte("first name"), ObjectID{42}})
	g.seal(s)
	g.send(s)
	if g.state(s) != Whole || len(g.points) != 1 {
		t.Fatalf("it is %q, published %v", g.state(s), g.points)
	}
	g.verify()
	point := filepath.Join(g.dir, "prod", "etc", s.Name())
	if b, err := os.ReadFile(filepath.Join(point, "data/dir/hard")); err != nil || string(b) != "first name" {
		t.Errorf("the hard link: %q, %v", b, err)
	}
	for path, mode := range map[string]fs.FileMode{"": 0o555, "data": 0o555, "data/dir/sub": 0o555, "data/a": 0o444, "data/fb": 0o444} {
		if st, err := os.Stat(filepath.Join(point, path)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%q has mode %v, %v; want %v", path, st.Mode(), err, mode)
		}
	}
	g.close()
	for _, dir := range []string{"staging", "incoming/prod", "pending/prod/etc"} {
		if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir", dir)); len(left) > 0 {
			t.Errorf("%s holds %v", dir, left)
		}
	}
}

func TestBadManifestsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(g *store, s *shot){
		"signature":   func(_ *store, s *shot) { s.ref.Signature[3] ^= 1 },
		"other key":   func(_ *store, s *shot) { s.ref.PublicKey = bytes.Repeat([]byte{9}, 32) },
		"hash":        func(_ *store, s *shot) { s.ref.SHA256[0] ^= 1 },
		"previous":    func(_ *store, s *shot) { s.ref.Previous[0] ^= 1 },
		"size":        func(_ *store, s *shot) { s.ref.Size-- },
		"cut":         func(_ *store, s *shot) { s.object = s.object[:len(s.object)-5]; s.ref.ObjectSize -= 5 },
		"no zstd":     func(_ *store, s *shot) { s.object = content1(500, 3); s.ref.ObjectSize = 500 },
		"other shot":  func(g *store, s *shot) { o := g.shot(2, 10); s.object, s.ref = o.object, o.ref },
		"bomb":        func(g *store, s *shot) { g.signed(s, make([]byte, 50<<20), [64]byte{}); s.ref.Size = 1000 },
		"no manifest": func(g *store, s *shot) { g.signed(s, []byte("{}\n"), [64]byte{}) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s := g.shot(1, 100)
			good := *s
			spoil(g, s)
			g.send(s)
			if g.state(s) != Partial {
				t.Fatalf("it is %q", g.state(s))
			}
			good.ref.Object[15]++ // the good one comes as another object
			g.send(&good)
			if g.state(s) != Whole {
				t.Fatalf("with the good manifest it is %q", g.state(s))
			}
			g.verify()
		})
	}
}

func TestPublishedNeverChanges(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 5000)
	g.send(s)
	before := snapshotTree(t, filepath.Join(g.dir, "prod"))
	evil := g.shot(1, 100, 5000, 7)
	evil.files[0].content = content1(100, 99)
	g.seal(evil)
	g.send(evil)
	if err := g.v.CloseSnapshot(evil.Snapshot, evil.ref); !errors.Is(err, ErrConflict) {
		t.Errorf("a second manifest: %v", err)
	}
	for _, f := range evil.files {
		g.v.WriteRange(Snapshot{"prod", "other", 1, s.Taken}, f.id, 0, []byte("overwrite"))
		g.v.EndObject(Snapshot{"prod", "other", 1, s.Taken}, f.id, 9, sha256.Sum256([]byte("overwrite")), nil)
	}
	g.v.Settle(true)
	if after := snapshotTree(t, filepath.Join(g.dir, "prod")); !slices.Equal(before, after) {
		t.Fatalf("the restore point changed:\n%v\n%v", before, after)
	}
	g.verify()
}

func snapshotTree(t *testing.T, dir string) (lines []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sum, _, err := sumFile(p)
		lines = append(lines, p+" "+sum.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestUnseenSnapshotIsListed(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100)
	for range 3 {
		if err := g.v.Announced(s.Snapshot); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.events(); g.state(s) != Partial || !slices.Equal(got, []string{"snapshot-unseen"}) {
		t.Fatalf("it is %q, events %v", g.state(s), got)
	}
	g.send(s)
	if err := g.v.Announced(s.Snapshot); err != nil || g.state(s) != Whole {
		t.Fatalf("it is %q, %v", g.state(s), err)
	}
}

func TestBrokenChainIsNoted(t *testing.T) {
	g := newStore(t)
	first, second, third := g.shot(1, 10), g.shot(2, 10), g.shot(3, 10)
	second.Previous = first.ref.SHA256
	g.seal(second)
	third.Previous = first.ref.SHA256 // not second's
	g.seal(third)
	for _, s := range []*shot{first, second, third} {
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("%s is %q", s.Ref(), g.state(s))
		}
	}
	want := []string{"snapshot-whole", "snapshot-whole", "snapshot-whole", "manifest-chain-broken"}
	if got := g.events(); !slices.Equal(got, want) {
		t.Fatalf("events %v", got)
	}
}

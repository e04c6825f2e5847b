package vault

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

func TestCopiesWhereLinksAreRefused(t *testing.T) {
	for _, errno := range []error{unix.EMLINK, unix.EXDEV} {
		g := newStore(t)
		g.kill()
		g.disk.link = func(string, int, string) error { return errno }
		g.open()
		s := g.shot(1, 100, 2<<20, 0)
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("%v: it is %q", errno, g.state(s))
		}
		g.verify()
	}
}

// fewNames is how many names a file can have on the disk of a test.
const fewNames = 8

// limited is a disk on which a file can have few names.
func limited() disk {
	d := realDisk()
	link := d.link
	d.link = func(from string, dir int, name string) error {
		var st unix.Stat_t
		if err := unix.Lstat(from, &st); err != nil {
			return err
		}
		if st.Nlink >= fewNames {
			return unix.EMLINK
		}
		return link(from, dir, name)
	}
	return d
}

// sharing is a series of restore points that share an object, some of them under
// several names.
func (g *store) sharing(points, names int) (all []*shot) {
	for i := range points {
		s := g.shot(uint64(i+1), 10)
		s.files = append(s.files, file{"a", content1(70_000, 99), ObjectID{9}})
		for n := range names {
			s.extra = append(s.extra, manifest.Entry{Path: fmt.Sprint("h", n), Kind: manifest.Hardlink, Target: "a"})
		}
		g.seal(s)
		g.send(s)
		all = append(all, s)
	}
	return all
}

// inodes returns the files, that the trees have of the shared object.
func (g *store) inodes(all []*shot) map[fileID]int {
	ids := map[fileID]int{}
	for _, s := range all {
		paths, _ := filepath.Glob(filepath.Join(g.v.point(s.Snapshot), dataDir, "[ah]*"))
		for _, p := range paths {
			ids[pathID(p)]++
		}
	}
	return ids
}

// TestAnObjectHasMoreNamesThanAFileCan: in one restore point and over many. It takes a
// file for so many names, not one a name; a scrub reads each of them, and heals them.
func TestAnObjectHasMoreNamesThanAFileCan(t *testing.T) {
	g := newStore(t)
	g.reopen(limited())
	const points, names = 9, 10
	all := g.sharing(points, names)
	for _, s := range all {
		if g.state(s) != Whole {
			t.Fatalf("%s is %q", s.Name(), g.state(s))
		}
	}
	g.verify()
	ids := g.inodes(all)
	if n, want := len(ids), points*(names+1)/(fewNames-1)+1; n > want || n < 2 {
		t.Errorf("%d files serve %d names, want at most %d", n, points*(names+1), want)
	}
	r := g.scrubbed()
	if r.Found != 0 || r.Bytes > int64(len(ids)+1)*71_000 {
		t.Errorf("a scrub of %d files read %d bytes, and found %v", len(ids), r.Bytes, r.Findings)
	}
	flip(t, filepath.Join(g.v.point(all[0].Snapshot), dataDir, "a"), 999)
	if r := g.scrubbed(); r.Found == 0 || g.count(event.SnapshotHealed) == 0 {
		t.Errorf("a bad file that is no object any more: %+v", r)
	}
	if g.verify(); g.scrubbed().Found != 0 {
		t.Error("it did not heal")
	}
}

// TestABadObjectIsNotCopied: its content is compared before another file takes its place.
func TestABadObjectIsNotCopied(t *testing.T) {
	g := newStore(t)
	g.reopen(limited())
	all := g.sharing(1, 0)
	flip(t, g.v.layout.object(key{"prod", ObjectID{9}}), 999)
	next := g.shot(2, 10)
	next.files = append(next.files, file{"a", content1(70_000, 99), ObjectID{9}})
	for n := range 2 * fewNames {
		next.extra = append(next.extra, manifest.Entry{Path: fmt.Sprint("h", n), Kind: manifest.Hardlink, Target: "a"})
	}
	g.seal(next)
	g.object(next, next.files[0])
	g.finish(next)
	if g.state(next) != Partial {
		t.Fatalf("it is %q", g.state(next))
	}
	for range 3 {
		g.send(next)
	}
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.state(next) != Whole || g.state(all[0]) != Whole {
		t.Fatalf("when it has come again: %q, %q", g.state(next), g.state(all[0]))
	}
	g.verify()
}

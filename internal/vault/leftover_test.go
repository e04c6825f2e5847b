package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"
)

// TestLeftOversInTheWay lets a crash leave what cannot be opened for writing where
// new files are written first. It is read-only files, for a receiver that has given
// up root's powers; here it is directories, which not even root opens.
func TestLeftOversInTheWay(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	g.v.Touch(s.Snapshot)
	for _, name := range []string{manifestFile, sigFile, infoFile} {
		if err := os.Mkdir(filepath.Join(g.v.layout.pending(s.Snapshot), name+newSuffix), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g.reopen(realDisk())
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
}

// TestDirectoryThatCouldNotBeSynced makes sure that a directory whose name may not
// last is made again.
func TestDirectoryThatCouldNotBeSynced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	d, syncs, err := realDisk(), 0, error(unix.EIO)
	d.sync = func(*os.File) error { syncs++; return err }
	if d.makeDir(dir) == nil {
		t.Fatal("a failed sync is no error")
	}
	if err = nil; d.makeDir(dir) != nil || syncs != 2 {
		t.Fatalf("synced %d times", syncs)
	}
}

// TestSnapshotOfAFailingDisk begins a snapshot while nothing can be synced. When it
// can again the snapshot is listed, so that somebody asks for what it lacks.
func TestSnapshotOfAFailingDisk(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	d, broken := realDisk(), false
	d.sync = func(f *os.File) error {
		if broken {
			return unix.EIO
		}
		return f.Sync()
	}
	g.reopen(d)
	g.v.Touch(g.shot(2, 1).Snapshot) // makes the directory of the source
	broken = true
	g.v.Touch(s.Snapshot)
	g.v.Touch(s.Snapshot)
	g.v.Settle(true)
	broken = false
	g.v.Touch(s.Snapshot)
	g.v.Settle(true)
	if g.state(s) != Partial {
		t.Fatalf("it is %q", g.state(s))
	}
}

// TestTidyingIsTriedAgain fails what comes after a publication. The packed manifest
// must not stay among the objects for ever.
func TestTidyingIsTriedAgain(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	d, broken := realDisk(), false
	d.point = func(name string) { broken = broken || name == "noted" }
	d.rename = func(from, to string) error {
		if broken {
			return unix.EIO
		}
		return os.Rename(from, to)
	}
	g.reopen(d)
	g.send(s)
	left := g.v.layout.pending(s.Snapshot)
	if g.state(s) != Whole || !exists(left) {
		t.Fatalf("it is %q, and left over is %v", g.state(s), exists(left))
	}
	broken, d.point = false, func(string) {}
	g.v.disk.point = d.point
	g.v.Settle(true)
	if exists(left) || !exists(filepath.Join(g.v.spare(s.Snapshot), packed)) {
		t.Fatal("it is not tidied up when the disk works again")
	}
}

// TestManifestThatIsCountedAfterACrash: between the manifest and what is written down of
// it, a crash leaves a snapshot of which nothing says how much it lists.
func TestManifestThatIsCountedAfterACrash(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 2<<20)
	g.unfinished(s)
	g.finish(s)
	path := filepath.Join(g.v.layout.pending(s.Snapshot), infoFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	uncounted := regexp.MustCompile(`"(files|bytes)":\d+`).ReplaceAll(data, []byte(`"$1":0`))
	if bytes.Equal(data, uncounted) {
		t.Fatalf("no numbers in %s", data)
	}
	g.kill()
	if err := os.WriteFile(path, uncounted, 0o644); err != nil {
		t.Fatal(err)
	}
	g.open()
	g.object(s, s.files[1])
	g.settle()
	if g.state(s) != Whole || len(g.points) != 1 || g.points[0].Files != 2 || g.points[0].Bytes != 100+2<<20 {
		t.Fatalf("it is %q; published: %+v", g.state(s), g.points)
	}
}

package vault

import (
	"os"
	"path/filepath"
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

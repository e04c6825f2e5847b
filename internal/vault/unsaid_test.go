package vault

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRemovalIsToldOf: a restore point that is gone from its place was removed,
// whatever the disk says about the directories.
func TestRemovalIsToldOf(t *testing.T) {
	g := newStore(t)
	all := g.series(2)
	sync := g.v.disk.sync
	g.v.disk.sync = func(f *os.File) error {
		if strings.HasSuffix(f.Name(), "/"+trashDir) {
			return unix.EIO
		}
		return sync(f)
	}
	if err := g.v.remove(norm(all[0].Snapshot), "a test"); err != nil {
		t.Error(err)
	}
	g.v.disk.sync = sync
	g.v.Settle(true)
	g.eventsGood()
	if err := g.v.Announced(all[0].Snapshot); err != nil || g.state(all[0]) != "" {
		t.Errorf("it comes back as %q, %v", g.state(all[0]), err)
	}
}

// TestPublicationIsToldOf: what could not be entered into the event log is found
// again after the process was killed, and entered then.
func TestPublicationIsToldOf(t *testing.T) {
	g := newStore(t)
	write := g.v.disk.writeAt
	g.v.disk.writeAt = func(f *os.File, p []byte, off int64) (int, error) {
		if filepath.Base(f.Name()) == eventsFile {
			return 0, unix.EIO
		}
		return write(f, p, off)
	}
	s := g.shot(1, 1000)
	g.send(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.kill()
	g.open()
	g.eventsGood()
	left, _ := filepath.Glob(filepath.Join(g.dir, ".weir/pending/prod/etc/*"))
	if len(left) > 0 || g.state(s) != Whole {
		t.Errorf("it is %q, %v", g.state(s), left)
	}
}

// TestDamagedObjectIsOffTheQuota: what was thrown away fills nothing.
func TestDamagedObjectIsOffTheQuota(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = func(o *Options) { o.Quota = func(string, string) Quota { return Quota{Source: Fill{Bytes: 3000}} } }
	g.open()
	s := g.shot(1, 1000)
	for n := range 5 {
		id := ObjectID{9, byte(n)}
		g.v.WriteRange(s.Snapshot, id, 0, make([]byte, 1000))
		g.v.EndObject(s.Snapshot, id, 1000, sha256.Sum256([]byte("another")), nil)
	}
	g.send(s)
	if g.state(s) != Whole {
		t.Errorf("it is %q", g.state(s))
	}
}

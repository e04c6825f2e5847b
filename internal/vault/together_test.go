package vault

import (
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// begin gives the vault the first half of each file of a shot.
func (g *store) begin(s *shot) {
	g.v.Touch(s.Snapshot)
	for _, f := range s.files {
		g.v.WriteRange(s.Snapshot, f.id, 0, f.content[:len(f.content)/2])
		g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
	}
}

// parkAll closes what is open.
func (g *store) parkAll() { g.v.park(slices.Collect(maps.Values(g.v.open))...) }

// smallOnes is a shot of n small files.
func (g *store) smallOnes(number uint64, n int) *shot {
	s := g.shot(number)
	for i := range n {
		s.files = append(s.files, file{path: "f" + string(rune('a'+i/26%26)) + string(rune('a'+i%26)) + string(rune('a'+i/676)),
			content: content1(100, byte(i)), id: ObjectID{byte(number), 7, byte(i), byte(i >> 8)}})
	}
	g.seal(s)
	return s
}

// TestPartialsShareSyncs loses half of very many small files: their maps cost a few
// syncs in all, and say after a crash what is there.
func TestPartialsShareSyncs(t *testing.T) {
	const n = 6 * maxOpen
	g := newStore(t)
	g.v.syncEach = syncEach
	s := g.smallOnes(1, n)
	syncs := g.counted(func() {
		g.begin(s)
		g.v.Settle(true)
	})
	if syncs > n/10 {
		t.Errorf("%d syncs for %d files", syncs, n)
	}
	g.kill()
	g.open()
	if len(g.v.partial) != n {
		t.Fatalf("%d of %d are there after a crash", len(g.v.partial), n)
	}
	for _, f := range s.files {
		g.v.WriteRange(s.Snapshot, f.id, int64(len(f.content)/2), f.content[len(f.content)/2:])
	}
	g.finish(s)
	if g.state(s) != Whole {
		t.Errorf("with the other halves it is %q", g.state(s))
	}
	g.verify()
}

// TestEveryFaultOfSharedSyncsIsSurvived breaks the disk at each operation of parking,
// and ends the process there. Nothing is claimed that is not there.
func TestEveryFaultOfSharedSyncsIsSurvived(t *testing.T) {
	for name, broken := range map[string]func(*faulty) disk{"fails": (*faulty).disk, "killed": (*faulty).deadly} {
		for n := 1; ; n++ {
			f := &faulty{left: 1 << 30, err: unix.EIO}
			g := newStore(t)
			g.reopen(broken(f))
			g.v.syncEach = 0
			s := g.shot(1, 100, 3000, 2<<20)
			g.begin(s)
			f.left = n
			killed := g.dies(g.parkAll)
			hit := f.mend()
			if killed || n%2 == 0 {
				g.kill()
				g.open()
			}
			g.v.syncEach = 0
			g.now = g.now.Add(2 * maxBackoff)
			for _, file := range s.files { // what counts as there is not written again
				g.v.WriteRange(s.Snapshot, file.id, int64(len(file.content)/2), file.content[len(file.content)/2:])
			}
			g.finish(s)
			if g.state(s) != Whole {
				g.send(s)
			}
			if g.state(s) != Whole {
				t.Fatalf("%s, operation %d: it is %q", name, n, g.state(s))
			}
			g.verify()
			g.close()
			if !hit {
				if n < 10 {
					t.Fatalf("%s: only %d operations were seen", name, n)
				}
				break
			}
		}
	}
}

// TestSharedSyncThatFails: the error may have been of anything on the file system, and
// is told once. So no object is trusted either that was complete and not recorded yet.
func TestSharedSyncThatFails(t *testing.T) {
	g := newStore(t)
	g.v.syncEach = 0
	done, s := g.shot(1, 100), g.shot(2, 100, 200)
	g.object(done, done.files[0])
	g.begin(s)
	if len(g.v.fresh) != 1 {
		t.Fatalf("%d objects are fresh", len(g.v.fresh))
	}
	g.v.disk.syncAll = func(*os.File) error { return unix.EIO }
	g.parkAll()
	g.v.disk = realDisk()
	if len(g.v.fresh) != 0 || len(g.v.partial) != 0 || g.files("incoming") != 0 {
		t.Errorf("%d fresh and %d partial objects are trusted, incoming holds %d files", len(g.v.fresh), len(g.v.partial), g.files("incoming"))
	}
	g.send(done)
	g.send(s)
	if g.state(done) != Whole || g.state(s) != Whole {
		t.Errorf("sent again they are %q and %q", g.state(done), g.state(s))
	}
	g.verify()
}

// TestErrorOfOneFile: an error of writing that the sync of the whole file system does
// not tell, as it was told somewhere else, is asked of each file.
func TestErrorOfOneFile(t *testing.T) {
	g := newStore(t)
	g.v.syncEach = 0
	s := g.shot(1, 100, 200, 300)
	g.begin(s)
	bad := g.v.incoming(key{"prod", s.files[1].id})
	g.v.disk.wrote = func(f *os.File) error {
		if strings.HasPrefix(f.Name(), bad) {
			return unix.EIO
		}
		return nil
	}
	if err := g.v.park(slices.Collect(maps.Values(g.v.open))...); !errors.Is(err, unix.EIO) {
		t.Errorf("parking: %v", err)
	}
	if _, claimed := g.v.partial[key{"prod", s.files[1].id}]; claimed || len(g.v.partial) != 2 {
		t.Errorf("%d are trusted, the bad one: %v", len(g.v.partial), claimed)
	}
}

package vault

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// TestLongWorkGoesBeside has small manifests that ask for much: none is worked on
// in the vault's goroutine for longer than its bound, and each comes to what it would.
func TestLongWorkGoesBeside(t *testing.T) {
	for name, c := range map[string]struct {
		make func(g *store) *shot
		want string
	}{
		"deep paths":         {deepShot, Whole},
		"content to copy":    {copiedShot, Whole},
		"endless dead bytes": {skippedShot, Partial},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s := c.make(g)
			for _, f := range s.files {
				g.object(s, f)
			}
			if len(s.object) > 0 {
				g.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
				g.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sumOf(s.object), nil)
			}
			g.v.most = 0
			g.v.CloseSnapshot(s.Snapshot, s.ref)
			if !g.v.pending[norm(s.Snapshot)].long || !g.v.Building() {
				t.Error("it was not put aside")
			}
			g.settle()
			if got := g.state(s); got != c.want {
				t.Errorf("it is %q", got)
			}
			if c.want == Partial && g.count(event.ManifestRefused) != 1 {
				t.Errorf("events %v", g.events())
			}
			g.verify()
		})
	}
}

// deepShot lists two files below a thousand directories each.
func deepShot(g *store) *shot {
	return g.raw(1, rawFile(`"a/`+strings.Repeat("d/", 1000)+`f"`), rawFile(`"b/`+strings.Repeat("d/", 1000)+`f"`))
}

// copiedShot lists a file of which no further name can be made.
func copiedShot(g *store) *shot {
	g.kill()
	link := g.disk.link
	g.disk.link = func(from string, dir int, name string) error {
		if strings.Contains(from, "/objects/") {
			return unix.EMLINK
		}
		return link(from, dir, name)
	}
	g.open()
	return g.shot(1, 5<<20)
}

// skippedShot has a manifest whose packed form is one frame to be passed over
// (RFC 8878, 3.1.2), which costs its sender nothing, as it is a hole.
func skippedShot(g *store) *shot {
	s := g.shot(1, 100)
	s.object = nil
	head := binary.LittleEndian.AppendUint32(nil, 0x184d2a50)
	all := append(binary.LittleEndian.AppendUint32(head, 16<<20), make([]byte, 16<<20)...)
	s.ref.ObjectSize = int64(len(all))
	g.v.WriteRange(s.Snapshot, s.ref.Object, 0, all[:8])
	g.v.EndObject(s.Snapshot, s.ref.Object, s.ref.ObjectSize, sumOf(all), [][2]int64{{8, 16 << 20}})
	return s
}

// TestLargePublishedManifestIsReadBeside holds manifests against a published one that
// is too large to be read at once.
func TestLargePublishedManifestIsReadBeside(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100)
	g.send(s)
	g.opt = func(o *Options) { o.Beside = int64(len(s.manifest)) - 1 }
	g.reopen(realDisk())
	evil := s.ref
	evil.SHA256[3] ^= 1
	if err := g.v.CloseSnapshot(s.Snapshot, evil); err != nil || len(g.v.claims[norm(s.Snapshot)]) != 1 {
		t.Fatalf("it was read at once: %v, %v", err, g.v.claims)
	}
	if err := g.v.CloseSnapshot(s.Snapshot, s.ref); err != nil {
		t.Errorf("its own is refused: %v", err)
	}
	g.settle()
	if n := g.count(event.ManifestRefused); n != 1 {
		t.Errorf("%d of one were refused", n)
	}
	if err := g.v.CloseSnapshot(s.Snapshot, evil); !errors.Is(err, ErrConflict) {
		t.Errorf("now that it is known: %v", err)
	}
}

// TestTakenBackBeside removes a large restore point that could not be secured without
// waiting for that, and builds it anew meanwhile.
func TestTakenBackBeside(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100, 200)
	d, broken := realDisk(), false
	d.point = func(name string) { broken = broken || name == "renamed" }
	d.sync = func(f *os.File) error {
		if broken {
			return unix.EIO
		}
		return f.Sync()
	}
	g.reopen(d)
	g.v.syncEach = 32 // also where a whole file system is synced instead
	for _, f := range s.files {
		g.object(s, f)
	}
	g.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
	g.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sumOf(s.object), nil)
	g.v.CloseSnapshot(s.Snapshot, s.ref)
	if exists(g.v.point(s.Snapshot)) || len(g.v.sites) != 1 {
		t.Fatalf("it stands there: %v, %d at work", exists(g.v.point(s.Snapshot)), len(g.v.sites))
	}
	g.v.disk.point, broken = func(string) {}, false
	g.now = g.now.Add(time.Minute)
	g.settle()
	if left, err := os.ReadDir(g.v.own("staging")); g.state(s) != Whole || len(left) > 0 || err != nil {
		t.Errorf("it is %q, staging holds %v, %v", g.state(s), left, err)
	}
	g.verify()
}

// TestLeftOversGoInTurns has very many left-overs: a publication removes some of them,
// the others go at each Settle.
func TestLeftOversGoInTurns(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 100)
	sync := g.v.disk.sync
	g.v.disk.sync = func(f *os.File) error {
		if filepath.Base(filepath.Dir(f.Name())) == "incoming" {
			time.Sleep(leftOverTime / 4)
		}
		return sync(f)
	}
	const n = 40
	for i := range n {
		id := ObjectID{1, byte(i)}
		g.v.WriteRange(s.Snapshot, id, 5000, []byte("half"))
		g.v.park(g.v.open[key{"prod", id}])
	}
	if len(g.v.partial) != n {
		t.Fatalf("%d of %d are there", len(g.v.partial), n)
	}
	begun := time.Now()
	g.send(s)
	if g.state(s) != Whole || len(g.v.partial) == 0 {
		t.Errorf("it is %q, and %d are left after %v", g.state(s), len(g.v.partial), time.Since(begun))
	}
	for turns := 0; len(g.v.partial) > 0; turns++ {
		if turns > n {
			t.Fatalf("%d stay", len(g.v.partial))
		}
		g.v.Settle(true)
	}
	if files := g.files("incoming"); files != 0 {
		t.Errorf("%d files stay", files)
	}
}

// TestWhatCameWhileItWasLookedAt completes an object that is missing after it was
// looked up, beside, what a snapshot lacks; also where no more of that is remembered.
func TestWhatCameWhileItWasLookedAt(t *testing.T) {
	for _, most := range []int{cameMost, 0} {
		g := newStore(t)
		g.opt = func(o *Options) { o.Beside = -1 }
		g.reopen(realDisk())
		g.v.cameMost = most
		s := g.shot(1, 100, 200)
		g.object(s, s.files[0])
		g.v.WriteRange(s.Snapshot, s.ref.Object, 0, s.object)
		g.v.EndObject(s.Snapshot, s.ref.Object, int64(len(s.object)), sumOf(s.object), nil)
		g.v.CloseSnapshot(s.Snapshot, s.ref)
		for site := g.v.sites["prod"]; site == nil || site.checked; site = g.v.sites["prod"] {
			g.v.Settle(true)
		}
		site := g.v.sites["prod"]
		<-site.done // it was not there then
		g.v.WriteRange(s.Snapshot, s.files[1].id, 0, s.files[1].content)
		g.v.EndObject(s.Snapshot, s.files[1].id, 200, sumOf(s.files[1].content), nil)
		if len(site.came) > most {
			t.Errorf("%d are remembered, at most %d may be", len(site.came), most)
		}
		if g.settle(); g.state(s) != Whole {
			t.Errorf("with %d remembered it is %q", most, g.state(s))
		}
		g.verify()
	}
}

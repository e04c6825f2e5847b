package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

func TestManifestsAreBounded(t *testing.T) {
	g := newStore(t)
	g.v.opt.MaxManifest = 100_000
	for number, size := range map[uint64]int64{1: 100_001, 2: 1 << 62, 3: -1, 4: 0} {
		s := g.shot(number, 10)
		s.ref.Size = size
		if err := g.v.CloseSnapshot(s.Snapshot, s.ref); !errors.Is(err, ErrLimit) {
			t.Errorf("a manifest of %d bytes: %v", size, err)
		}
	}
	bomb := g.raw(5, crowd(20000)...) // well-formed, 20 times as much as it says
	bomb.ref.Size = 99_999
	g.send(bomb)
	if g.state(bomb) != Partial || g.count(event.ManifestRefused) != 5 {
		t.Errorf("a bomb is %q, events %v", g.state(bomb), g.events())
	}
	s := g.shot(6, 10)
	g.send(s)
	if g.state(s) != Whole {
		t.Errorf("a small manifest: %q", g.state(s))
	}
}

func TestLinksInMemoryAreBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	g := newStore(t)
	var lines []string
	for i := range 1000 {
		lines = append(lines, rawFile(fmt.Sprintf(`"f%04d"`, i)), fmt.Sprintf(`{"path":"f%04d-","kind":"hardlink","target":"f%04d"}`, i, i))
	}
	if err := os.WriteFile(path, g.raw(1, lines...).manifest, 0o600); err != nil {
		t.Fatal(err)
	}
	if all, err := linkTargets(path, 1000*(linkedEntry+5), eachEntry); err != nil || len(all) != 1000 {
		t.Errorf("%d, %v", len(all), err)
	}
	if _, err := linkTargets(path, 999*(linkedEntry+5), eachEntry); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}

// TestMoreMissingThanIsRemembered lets several snapshots lack far more than the
// vault holds in memory. All become whole in the end, and only then.
func TestMoreMissingThanIsRemembered(t *testing.T) {
	for _, restart := range []bool{false, true} {
		g := newStore(t)
		g.v.missingMost = 20
		sizes := slices.Repeat([]int{50}, 55)
		var all []*shot
		for n := range uint64(3) {
			s := g.shot(n+1, sizes...)
			g.finish(s)
			all = append(all, s)
		}
		if restart {
			g.kill()
			g.open()
			g.v.missingMost = 20
		}
		held := 0
		for _, p := range g.v.pending {
			held += len(p.missing)
		}
		if !restart && held > 20 {
			t.Errorf("%d missing objects are remembered", held)
		}
		for _, s := range all {
			for i, f := range s.files {
				if g.state(s) != Partial {
					t.Fatalf("without %d files %s is %q", len(s.files)-i, s.Name(), g.state(s))
				}
				g.v.WriteRange(s.Snapshot, f.id, 0, f.content)
				g.v.EndObject(s.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
			}
		}
		for range 20 {
			g.v.Settle(true)
		}
		for _, s := range all {
			if g.state(s) != Whole {
				t.Errorf("%s is %q", s.Name(), g.state(s))
			}
		}
		g.verify()
	}
}

// TestNotesAreBounded damages thousands of objects: the event log must not grow
// faster than the link brings bytes.
func TestNotesAreBounded(t *testing.T) {
	g := newStore(t)
	s := g.shot(1)
	for i := range 5000 {
		id := ObjectID{1, byte(i), byte(i >> 8)}
		g.v.WriteRange(s.Snapshot, id, 0, []byte("x"))
		g.v.EndObject(s.Snapshot, id, 1, Hash{1}, nil)
	}
	if n := g.count(event.ObjectDamaged); n < noteBurst || n > noteBurst+5 {
		t.Errorf("%d events were noted", n)
	}
}

func TestAllowanceComesBack(t *testing.T) {
	now := time.Unix(0, 0)
	a := allowance{left: 1, at: now}
	if _, ok := a.take(now); !ok {
		t.Error("the first was refused")
	}
	for range 7 {
		if _, ok := a.take(now); ok {
			t.Error("a second one at once")
		}
	}
	if refused, ok := a.take(now.Add(noteEvery)); !ok || refused != 7 {
		t.Errorf("later: %d, %v", refused, ok)
	}
}

// TestSendersAreBounded lets one sender name sources and snapshots without end.
// Another sender does not notice.
func TestSendersAreBounded(t *testing.T) {
	g := newStore(t)
	at := time.Unix(1.9e9, 0)
	took := 0
	for i := range maxSources + 50 {
		if g.v.Announced(Snapshot{"prod", fmt.Sprintf("s%d", i), 1, at}) == nil {
			took++
		}
	}
	if took != maxSources {
		t.Errorf("%d sources were taken, want %d", took, maxSources)
	}
	took = 0
	for i := range uint64(maxPending + 50) {
		if err := g.v.Touch(Snapshot{"prod", "s1", i + 1e9, at}); err == nil {
			took++
		} else if !errors.Is(err, ErrLimit) {
			t.Fatal(err)
		}
	}
	if took != maxPending-1 {
		t.Errorf("%d snapshots were taken, want %d", took, maxPending-1)
	}
	if err := g.v.Touch(Snapshot{"other", "s1", 1, at}); err != nil {
		t.Errorf("another sender: %v", err)
	}
	g.kill()
	g.open()
	if err := g.v.Touch(Snapshot{"prod", "one-more", 1, at}); !errors.Is(err, ErrLimit) {
		t.Errorf("after a restart: %v", err)
	}
}

// TestCopiesAskForRoom holds that an object listed so often that it has to be
// copied does not fill the disk.
func TestCopiesAskForRoom(t *testing.T) {
	g := newStore(t)
	d := realDisk()
	d.link = func(string, int, string) error { return unix.EMLINK }
	g.kill()
	g.disk = d
	g.open()
	s := g.shot(1, 3<<20)
	g.v.WriteRange(s.Snapshot, s.files[0].id, 0, s.files[0].content)
	g.v.EndObject(s.Snapshot, s.files[0].id, 3<<20, sha256.Sum256(s.files[0].content), nil)
	g.v.space.minFree, g.v.space.written = 1<<62, spaceBytes
	g.v.CloseSnapshot(s.Snapshot, s.ref)
	g.finish(s)
	if g.state(s) != Partial {
		t.Fatalf("without room it is %q", g.state(s))
	}
	g.v.space.minFree, g.v.space.written = 0, spaceBytes
	g.finish(s)
	if g.state(s) != Whole {
		t.Errorf("with room it is %q", g.state(s))
	}
	g.verify()
}

func TestInodesAreKept(t *testing.T) {
	for _, c := range []struct {
		free, all uint64
		ok        bool
	}{{0, 1000, false}, {9, 1000, false}, {10, 1000, true}, {1000, 1000, true}, {1 << 40, 1 << 45, true}} {
		if err := inodesLeft(c.free, c.all); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSpace) {
			t.Errorf("%d of %d: %v", c.free, c.all, err)
		}
	}
}

// TestPartialObjectsAreBounded: a sender cannot fill the vault with beginnings of
// objects, nor with the mere names of some, and others are not touched by it.
func TestPartialObjectsAreBounded(t *testing.T) {
	g := newStore(t)
	g.opt = func(o *Options) { o.Signers["other"] = o.Signers["prod"] }
	g.kill()
	g.open()
	g.v.partialMost = 100
	s := Snapshot{Sender: "prod", Source: "etc", Number: 1, Taken: g.now}
	refused := 0
	for n := range 1000 {
		id := ObjectID{1, byte(n), byte(n >> 8)}
		if err := g.v.WriteRange(s, id, 1000, []byte("half")); errors.Is(err, ErrLimit) {
			refused++
		}
	}
	files := g.files("incoming")
	if refused < 1000-100-2*maxOpen || files > 2*(100+2*maxOpen) {
		t.Errorf("%d of 1000 were refused, %d files", refused, files)
	}
	for n := range 1000 { // ends without content leave nothing
		g.v.EndObject(s, ObjectID{2, byte(n), byte(n >> 8)}, 1<<40, Hash{1}, nil)
	}
	if n := g.files("incoming"); n > files+2*maxOpen {
		t.Errorf("%d files, %d before", n, files)
	}
	if err := g.v.WriteRange(Snapshot{Sender: "other", Source: "etc", Number: 1, Taken: g.now}, ObjectID{1}, 10, []byte("x")); err != nil {
		t.Errorf("another sender: %v", err)
	}
	g.close()
	g.open()
	g.v.partialMost = 100
	if n := g.v.partials["prod"]; n < 90 || n > 100+2*maxOpen {
		t.Errorf("%d partial objects after a restart", n)
	}
	if err := g.v.WriteRange(s, ObjectID{3}, 1000, []byte("half")); !errors.Is(err, ErrLimit) {
		t.Errorf("one more after a restart: %v", err)
	}
	// What is there may be completed, and makes room. Giving up the snapshot makes
	// all of it.
	var k key
	for k = range g.v.partial {
		break
	}
	was := g.v.partials["prod"]
	g.v.WriteRange(s, k.id, 0, make([]byte, 1000))
	g.v.EndObject(s, k.id, 1004, sha256.Sum256(append(make([]byte, 1000), "half"...)), nil)
	if n := g.v.partials["prod"]; n != was-1 {
		t.Errorf("%d partial objects after one was completed, there were %d", n, was)
	}
	g.v.Touch(s)
	if why := g.drop(&shot{Snapshot: s}, false); why != "" {
		t.Fatal(why)
	}
	for g.v.dropSome() { // in turns, on a slow disk
	}
	if n := g.v.partials["prod"]; n != 0 {
		t.Errorf("%d partial objects after the drop", n)
	}
}

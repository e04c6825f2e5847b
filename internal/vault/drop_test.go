package vault

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"weir/internal/event"
)

func (g *store) drop(s *shot, free bool) string {
	g.t.Helper()
	detail, err := json.Marshal(DropRequest{Free: free})
	if err != nil {
		g.t.Fatal(err)
	}
	return g.v.answer(Request{Action: ActionDrop, Snapshot: s.Ref(), Detail: detail}).Error
}

// files counts what the vault holds of objects, whole and partial.
func (g *store) files(dir string) (n int) {
	all, err := filepath.Glob(filepath.Join(g.dir, ".weir", dir, "prod", "*"))
	if err != nil {
		g.t.Fatal(err)
	}
	if dir == "objects" {
		all, _ = filepath.Glob(filepath.Join(g.dir, ".weir", dir, "prod", "*", "*"))
	}
	return len(all)
}

// TestDrop gives up snapshots that are not whole; restore points stay.
func TestDrop(t *testing.T) {
	g := newStore(t)
	whole := g.shot(1, 100)
	g.send(whole)
	if why := g.drop(whole, true); why == "" {
		t.Fatal("a restore point was dropped")
	}
	half := g.shot(2, 5000, 3<<20)
	g.object(half, half.files[0])
	g.v.WriteRange(half.Snapshot, half.files[1].id, 0, half.files[1].content[:2<<20])
	g.finish(half)
	g.v.Settle(true)
	before := g.files("objects")
	if why := g.drop(half, false); why != "" {
		t.Fatal(why)
	}
	if why := g.drop(half, false); why == "" {
		t.Error("dropped twice")
	}
	for range 3 {
		g.v.Settle(true)
	}
	if g.state(half) != "" || g.files("incoming") != 0 {
		t.Errorf("it is %q, with %d partial objects", g.state(half), g.files("incoming"))
	}
	if n := g.files("objects"); n != before-1 { // the manifest's went, the file's did not
		t.Errorf("%d objects, there were %d", n, before)
	}
	for range 2 { // neither a late pass nor a heartbeat brings it back
		g.send(half)
		g.v.Announced(half.Snapshot)
		if g.state(half) != "" {
			t.Fatalf("it came back as %q", g.state(half))
		}
		g.kill()
		g.open()
	}
	// The next snapshot builds on what stayed.
	next := g.shot(3, 7000)
	next.files = append(next.files, half.files[0])
	next.files[1].path = "kept"
	g.seal(next)
	g.object(next, next.files[0])
	if g.finish(next); g.state(next) != Whole {
		t.Errorf("the next snapshot is %q", g.state(next))
	}
	g.verify()
	if n := g.events(); !slices.Contains(n, event.SnapshotRemoved) {
		t.Errorf("events %v", n)
	}
	g.close()
}

// TestDropFrees: what nothing else lists goes, when asked for, and what is shared
// stays.
func TestDropFrees(t *testing.T) {
	g := newStore(t)
	first := g.shot(1, 100)
	g.send(first)
	half := g.shot(2, 5000, 3<<20)
	half.files = append(half.files, file{"shared", first.files[0].content, first.files[0].id})
	g.seal(half)
	g.object(half, half.files[0])
	g.finish(half)
	before := g.files("objects")
	if why := g.drop(half, true); why != "" {
		t.Fatal(why)
	}
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := g.files("objects"); n != before-2 {
		t.Errorf("%d objects, there were %d", n, before)
	}
	if left, err := os.ReadDir(filepath.Join(g.dir, ".weir", trashDir)); err != nil || len(left) > 0 {
		t.Errorf("the trash holds %v, %v", left, err)
	}
	g.verify()
}

// TestDropCutShort ends the process in the midst of it: either it is there as before,
// or it is gone for good.
func TestDropCutShort(t *testing.T) {
	for _, point := range []string{"drop-noted", "dropped"} {
		g := newStore(t)
		half := g.shot(1, 100, 2<<20)
		g.object(half, half.files[0])
		g.finish(half)
		func() {
			defer func() { recover() }()
			g.v.disk.point = func(name string) {
				if name == point {
					panic("killed")
				}
			}
			g.drop(half, false)
			t.Errorf("%s was never passed", point)
		}()
		g.kill()
		g.open()
		g.v.Settle(true)
		if g.state(half) != "" {
			t.Errorf("killed at %s: it is %q", point, g.state(half))
		}
		g.send(g.shot(2, 100))
		g.verify()
	}
}

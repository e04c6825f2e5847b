package vault

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

// retaining sets rules for all sources.
func retaining(r Retention) func(*Options) {
	return func(o *Options) { o.Retention = func(string, string) Retention { return r } }
}

// series sends n snapshots an hour apart. Each has a file of its own, one that
// never changes, and one that changes with every third.
func (g *store) series(n int) (all []*shot) {
	for i := 1; i <= n; i++ {
		s := g.shot(uint64(i), 1000+i, 5000, 7000+i/3)
		s.files[1].id, s.files[2].id = ObjectID{77}, ObjectID{88, byte(i / 3)}
		g.seal(s)
		g.send(s)
		all = append(all, s)
		g.now = g.now.Add(time.Hour)
	}
	return all
}

// prune asks for it and lets the vault work to its end.
func (g *store) prune() PruneResult {
	g.t.Helper()
	r, err := g.v.prune()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.v.finishWork(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	return r
}

// objects returns the ids of the objects in the vault.
func (g *store) objects() map[string]bool {
	all := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(g.dir, ".weir", "objects", "*", "*", "*"))
	for _, f := range files {
		all[filepath.Base(f)] = true
	}
	return all
}

// held checks that exactly the objects of these shots are there, and all of them
// are whole.
func (g *store) holds(shots ...*shot) {
	g.t.Helper()
	want := map[string]bool{}
	for _, s := range shots {
		if g.state(s) != Whole {
			g.t.Fatalf("%s is %q", s.Ref(), g.state(s))
		}
		for _, f := range s.files {
			want[f.id.String()] = true
		}
	}
	got := g.objects()
	for id := range want {
		if !got[id] {
			g.t.Fatalf("object %s is gone", id)
		}
	}
	if len(got) != len(want) {
		g.t.Fatalf("%d objects are there, the restore points list %d", len(got), len(want))
	}
	g.verifyLeft()
}

// verifyLeft verifies what is listed; removed points are no longer.
func (g *store) verifyLeft() {
	g.points = nil
	g.verify()
}

func TestPruneFreesWhatNothingLinks(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 2})
	g.open()
	all := g.series(7)
	r := g.prune()
	if r.Removed() != 5 || len(r.Verdicts) != 7 {
		t.Fatalf("%+v", r)
	}
	g.holds(all[5], all[6])
	if got := slices.DeleteFunc(g.events(), func(e string) bool { return e != event.SnapshotRemoved }); len(got) != 5 {
		t.Errorf("%d events of removal", len(got))
	}
	// What is gone stays gone, whatever comes late.
	g.send(all[0])
	if err := g.v.Announced(all[1].Snapshot); err != nil || g.state(all[0]) != "" || g.state(all[1]) != "" {
		t.Errorf("a removed one came back: %q, %q, %v", g.state(all[0]), g.state(all[1]), err)
	}
	// The next one builds on the newest.
	next := g.shot(8, 40)
	for i, f := range all[6].files {
		f.path = "unchanged" + string(rune('a'+i))
		next.files = append(next.files, f)
	}
	g.seal(next)
	g.v.WriteRange(next.Snapshot, next.files[0].id, 0, next.files[0].content)
	g.v.EndObject(next.Snapshot, next.files[0].id, 40, sha256.Sum256(next.files[0].content), nil)
	g.finish(next)
	g.prune()
	g.close()
	g.open()
	g.holds(all[6], next)
	g.eventsGood()
}

func (g *store) eventsGood() {
	g.t.Helper()
	r, err := VerifyEvents(g.dir, Head{})
	if err != nil || len(r.Findings) > 0 {
		g.t.Fatalf("the event log: %v, %v", r.Findings, err)
	}
}

// TestPruneSparesWhatIsStillWanted: an object whose only restore point goes may be
// listed by a snapshot that is not whole yet.
func TestPruneSparesWhatIsStillWanted(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1})
	g.open()
	first, third := g.shot(1, 5000), g.shot(3, 60)
	second := g.shot(2, 70, 80)
	second.files = append(second.files, first.files...)
	second.files[2].path = "old"
	g.seal(second)
	g.send(first)
	g.now = g.now.Add(time.Hour)
	g.finish(second) // lacks its two new files
	g.send(third)
	g.prune()
	if g.state(first) != "" || g.state(second) != Partial {
		t.Fatalf("%q, %q", g.state(first), g.state(second))
	}
	for _, f := range second.files[:2] {
		g.v.WriteRange(second.Snapshot, f.id, 0, f.content)
		g.v.EndObject(second.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
	}
	g.v.Settle(true)
	g.holds(second, third)
}

// TestPruneWhereFilesWereCopied: link counts tell nothing there.
func TestPruneWhereFilesWereCopied(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1})
	g.disk.link = func(string, int, string) error { return unix.EXDEV }
	g.open()
	all := g.series(4)
	g.prune()
	g.verifyLeft()
	have := g.objects()
	for _, f := range all[3].files {
		if !have[f.id.String()] {
			t.Errorf("an object of the newest restore point is gone: %v", f.id)
		}
	}
	if len(have) != 3 {
		t.Errorf("%d objects are left", len(have))
	}
}

func TestPruneOnSchedule(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = func(o *Options) {
		retaining(Retention{Last: 1})(o)
		o.PruneEvery = 6 * time.Hour
	}
	g.open()
	g.series(3)
	for range 200 {
		g.now = g.now.Add(10 * time.Minute)
		g.v.Settle(true)
		time.Sleep(time.Millisecond)
	}
	if n := len(g.objects()); n != 3 {
		t.Errorf("%d objects are left", n)
	}
	if _, err := PlanPrune(g.dir, g.options()); err != nil {
		t.Error(err)
	}
}

// inMemory puts the vaults of a test that makes many of them where a sync costs
// nothing.
func inMemory(t *testing.T) {
	const dir = "/dev/shm"
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		t.Setenv("TMPDIR", dir)
	}
}

// TestPruneKilledAnywhere ends the process at each step of a removal.
func TestPruneKilledAnywhere(t *testing.T) {
	inMemory(t)
	for n := 1; ; n++ {
		f := &faulty{left: 1 << 30}
		g := newStore(t)
		g.kill()
		g.disk, g.opt = f.deadly(), retaining(Retention{Last: 2})
		g.open()
		all := g.series(5)
		f.left = n
		killed := g.dies(func() { g.prune() })
		g.kill()
		f.left, f.broken = 1<<30, false
		g.verifyLeft()
		g.open()
		for _, s := range all[:3] { // whole, or not there at all
			if st := g.state(s); st != Whole && st != "" {
				t.Fatalf("killed at %d: %s is %q", n, s.Ref(), st)
			}
		}
		g.prune()
		g.holds(all[3], all[4])
		if removed := slices.DeleteFunc(g.events(), func(e string) bool { return e != event.SnapshotRemoved }); len(removed) != 3 {
			t.Fatalf("killed at %d: %d events of removal", n, len(removed))
		}
		g.eventsGood()
		g.close()
		if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir", "trash")); len(left) > 0 {
			t.Fatalf("killed at %d: the trash holds %v", n, left)
		}
		if !killed {
			if n < 20 {
				t.Fatalf("only %d steps were seen", n)
			}
			break
		}
	}
}

package vault

import (
	"slices"
	"testing"
	"time"

	"weir/internal/event"
)

// unfinished gives the vault files of a shot whose manifest never comes, the last
// of them only in part.
func (g *store) unfinished(s *shot) {
	for _, f := range s.files[:len(s.files)-1] {
		g.object(s, f)
	}
	last := s.files[len(s.files)-1]
	g.v.WriteRange(s.Snapshot, last.id, 0, last.content[:len(last.content)/2])
	g.v.Settle(true)
}

func (g *store) abandon(s *shot) {
	g.t.Helper()
	if err := g.v.Abandoned(s.Snapshot); err != nil {
		g.t.Fatal(err)
	}
}

// pass lets time go by and the vault do its work.
func (g *store) pass(d time.Duration) {
	g.t.Helper()
	for range 3 {
		g.now = g.now.Add(d / 3)
		g.v.Settle(true)
	}
	if err := g.v.finishWork(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
}

// TestAbandonedIsCleared has a snapshot abandoned of which the next one lists a
// part: that part stays, as do the restore points, and the rest goes a week later.
func TestAbandonedIsCleared(t *testing.T) {
	g := newStore(t)
	first := g.shot(1, 5000, 6000)
	g.send(first)
	lost := g.shot(2, 70_000, 80_000, 90_000)
	g.unfinished(lost)
	if g.state(lost) != Partial {
		t.Fatalf("it is %q", g.state(lost))
	}
	g.abandon(lost)
	g.close()
	g.open()
	if g.state(lost) != Abandoned {
		t.Fatalf("it is %q after a restart", g.state(lost))
	}
	g.pass(30 * 24 * time.Hour)
	if len(g.objects()) != 4 || g.state(lost) != Abandoned {
		t.Fatalf("%d objects, %q: something went before another snapshot came", len(g.objects()), g.state(lost))
	}
	next := g.shot(3, 1000)
	next.files = append(next.files, lost.files[0])
	next.files[1].path = "from-lost"
	g.seal(next)
	g.v.Touch(next.Snapshot)
	g.object(next, next.files[0])
	g.pass(2 * time.Hour)
	if len(g.objects()) != 5 {
		t.Fatalf("%d objects: something went while a manifest was to come", len(g.objects()))
	}
	g.finish(next)
	g.pass(2 * time.Hour)
	if g.state(lost) != "" {
		t.Errorf("it is still %q", g.state(lost))
	}
	g.holds(first, next)
	if n := len(g.v.partial) + len(g.v.open); n != 0 {
		t.Errorf("%d partial objects are left", n)
	}
	if names := g.events(); !slices.Contains(names, event.SnapshotAbandoned) || !slices.Contains(names, event.AbandonedCleared) {
		t.Errorf("%v", names)
	}
	g.close()
	g.open()
	g.holds(first, next)
}

// TestAbandonedIsNotBelievedOfWhatIsFinished says so of snapshots that are whole,
// of one whose manifest came, and of one that nobody knows; and a manifest that
// comes later counts more.
func TestAbandonedIsNotBelievedOfWhatIsFinished(t *testing.T) {
	g := newStore(t)
	whole, closed, unknown, late := g.shot(1, 5000), g.shot(2, 70_000, 80_000), g.shot(3, 10), g.shot(4, 100, 70_000)
	g.send(whole)
	g.v.Touch(closed.Snapshot)
	g.finish(closed)
	g.unfinished(late)
	for _, s := range []*shot{whole, closed, unknown, late} {
		g.abandon(s)
	}
	for s, want := range map[*shot]string{whole: Whole, closed: Partial, unknown: "", late: Abandoned} {
		if got := g.state(s); got != want {
			t.Errorf("%d is %q, want %q", s.Number, got, want)
		}
	}
	g.send(late)
	g.pass(30 * 24 * time.Hour)
	g.send(closed)
	g.holds(whole, closed, late)
}

// TestClearingLeavesWhatIsOnItsWay abandons a snapshot while another one, not whole,
// lists what it brought.
func TestClearingLeavesWhatIsOnItsWay(t *testing.T) {
	g := newStore(t)
	lost := g.shot(1, 70_000, 80_000)
	g.unfinished(lost)
	g.abandon(lost)
	other := g.shot(2, 500)
	g.send(other)
	waits := g.shot(3, 9000)
	waits.files = append(waits.files, lost.files[0])
	waits.files[1].path = "from-lost"
	g.seal(waits)
	g.v.Touch(waits.Snapshot)
	g.finish(waits)
	g.pass(30 * 24 * time.Hour)
	if g.state(lost) != "" || g.state(waits) != Partial {
		t.Fatalf("%q %q", g.state(lost), g.state(waits))
	}
	g.object(waits, waits.files[0])
	g.v.Settle(true)
	g.holds(other, waits)
}

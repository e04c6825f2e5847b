package vault

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestScrubEndsWithItsMarks: whoever reads that a scrub has ended sees in the list what
// it found.
func TestScrubEndsWithItsMarks(t *testing.T) {
	g := newStore(t)
	s := g.series(3)[1]
	flip(t, g.v.layout.object(key{"prod", s.files[1].id}), 77)
	if err := g.v.beginScrub("", 0); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		g.v.Settle(true)
		if r, err := ReadScrub(g.dir); err == nil && !r.Running {
			if r.Found == 0 || g.state(s) != Partial {
				t.Errorf("it ended with %d findings, and %s is %q", r.Found, s.Ref(), g.state(s))
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the scrub does not end")
		}
	}
}

// TestMarkIsTakenOffForGood: that a restore point is whole again is told when the mark
// of its damage cannot come back.
func TestMarkIsTakenOffForGood(t *testing.T) {
	g := newStore(t)
	s := g.series(1)[0]
	flip(t, g.v.layout.object(key{"prod", s.files[1].id}), 77)
	g.scrubbed()
	mark, synced := g.v.damagedPoint(s.Snapshot), false
	sync := g.v.disk.sync
	g.v.disk.sync = func(f *os.File) error {
		synced = synced || f.Name() == filepath.Dir(mark) && !exists(mark)
		return sync(f)
	}
	g.again(s, 2)
	g.v.Settle(true)
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.state(s) != Whole || !synced {
		t.Errorf("it is %q, the removal of its mark was synced: %v", g.state(s), synced)
	}
}

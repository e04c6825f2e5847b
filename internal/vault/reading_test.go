package vault

import (
	"errors"
	"io/fs"
	"testing"
)

// TestRemovedWhileVerified: a restore point that retention removes while it is read
// is gone, not damaged.
func TestRemovedWhileVerified(t *testing.T) {
	g := newStore(t)
	all := g.series(2)
	found, err := Find(g.dir, all[0].Ref())
	if err != nil {
		t.Fatal(err)
	}
	removed := false
	report, err := Verify(t.Context(), g.dir, found, func(int64) {
		if removed {
			return
		}
		removed = true
		if err := g.v.remove(norm(all[0].Snapshot), "a test"); err != nil {
			t.Error(err)
		}
		if err := g.v.finishWork(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if !errors.Is(err, fs.ErrNotExist) || len(report.Findings) > 0 {
		t.Errorf("%v, %v", report.Findings, err)
	}
}

// TestReadIsNotRemoved: what somebody restores or verifies right now, retention
// removes the next time.
func TestReadIsNotRemoved(t *testing.T) {
	g := newStore(t)
	all := g.series(2)
	found, err := Find(g.dir, all[0].Ref())
	if err != nil {
		t.Fatal(err)
	}
	done, err := found.Hold()
	if err != nil {
		t.Fatal(err)
	}
	s := norm(all[0].Snapshot)
	if err := g.v.remove(s, "a test"); !errors.Is(err, ErrRead) || g.state(all[0]) != Whole {
		t.Errorf("it is %q, %v", g.state(all[0]), err)
	}
	done()
	if err := g.v.remove(s, "a test"); err != nil || g.state(all[0]) != "" {
		t.Errorf("it is %q, %v", g.state(all[0]), err)
	}
	if _, err := found.Hold(); !errors.Is(err, ErrNotFound) {
		t.Errorf("it is gone, and held: %v", err)
	}
}

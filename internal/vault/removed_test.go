package vault

import (
	"testing"
	"time"
)

// TestNumbersThatBeginAnew has a sender lose its state when retention has removed its
// first restore points: it numbers its snapshots from 1 again, and they are not those.
func TestNumbersThatBeginAnew(t *testing.T) {
	for _, restart := range []bool{false, true} {
		g := newStore(t)
		g.kill()
		g.opt = retaining(Retention{Last: 2})
		g.open()
		old := g.series(5)
		g.prune()
		if restart {
			g.close()
			g.open()
		}
		var anew []*shot
		for n := range uint64(3) {
			s := g.shot(n+1, 2000)
			s.Taken = old[4].Taken.Add(time.Duration(n+1) * time.Hour)
			s.files[0].id[3] = 99
			g.seal(s)
			g.v.Announced(s.Snapshot)
			if g.send(s); g.state(s) != Whole {
				t.Fatalf("%s is %q", s.Ref(), g.state(s))
			}
			g.now = g.now.Add(time.Hour)
			anew = append(anew, s)
		}
		g.prune()
		if restart {
			g.close()
			g.open()
		}
		for _, gone := range []*shot{old[0], old[2], anew[0]} {
			g.v.Announced(gone.Snapshot)
			if g.send(gone); g.state(gone) != "" {
				t.Errorf("%s was removed and is %q", gone.Ref(), g.state(gone))
			}
		}
		g.verifyLeft()
	}
}

// TestRemovedByAnEarlierRelease has no time beside the numbers: what is removed next
// brings none of the others back.
func TestRemovedByAnEarlierRelease(t *testing.T) {
	g := newStore(t)
	all := g.series(3)
	g.v.saveLocks("prod", "etc", sourceLocks{Removed: ranges{{3, 4}}})
	if err := g.v.remove(norm(all[0].Snapshot), "a test"); err != nil {
		t.Fatal(err)
	}
	if err := g.v.loadRemoved(); err != nil {
		t.Fatal(err)
	}
	if !g.v.isRemoved(norm(all[0].Snapshot)) || !g.v.isRemoved(norm(all[2].Snapshot)) || g.v.isRemoved(norm(all[1].Snapshot)) {
		t.Errorf("removed are %+v", g.v.removed)
	}
}

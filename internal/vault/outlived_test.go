package vault

import (
	"testing"

	"weir/internal/event"
)

// TestMarksGoWithTheirDamage: an object heals while a restore point that has it, too,
// has lost its manifest and cannot be told from others. Once that came again, and
// all was read, the restore point is whole.
func TestMarksGoWithTheirDamage(t *testing.T) {
	g := newStore(t)
	all := g.series(3) // the second file is the same object in all
	flip(t, g.v.layout.object(key{"prod", all[0].files[1].id}), 1234)
	g.scrubbed()
	g.both(all[0], manifestFile, packed)
	g.scrubbed()
	g.again(all[2], 9)
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.state(all[0]) != Partial || g.state(all[1]) != Whole || g.count(event.ObjectHealed) != 1 {
		t.Fatalf("%q, %q, events %v", g.state(all[0]), g.state(all[1]), g.events())
	}
	g.finish(all[0]) // its manifest
	if g.state(all[0]) != Partial {
		t.Errorf("with a file that is bad it is %q", g.state(all[0]))
	}
	g.scrubbed()
	g.scrubbed()
	if g.state(all[0]) != Whole {
		d, _ := g.v.pointDamage(all[0].Snapshot)
		t.Errorf("in the end it is %q for %v", g.state(all[0]), d)
	}
	g.verify()
}

// TestSuspicionHoldsWhatIsCondemned has a suspicious snapshot come when older restore
// points are about to be removed.
func TestSuspicionHoldsWhatIsCondemned(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1})
	g.open()
	g.office(1, asItWas)
	g.office(2, asItWas)
	if r, err := g.v.prune(); err != nil || r.Removed() != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if bad := g.office(3, noise); g.suspicious(bad) == "" {
		t.Fatal("it is not suspicious")
	}
	if all, err := List(g.dir); err != nil || len(all) != 3 {
		t.Errorf("%d are left, %v", len(all), err)
	}
}

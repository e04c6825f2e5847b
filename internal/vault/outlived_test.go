package vault

import (
	"testing"
	"time"

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

// TestReindexGoesByTheFile: a sender in bad hands lists the packed manifest of one
// snapshot as a file of another, so that it leaves the objects, and gives its id to
// something else. A catalog that is made anew knows what lies there, not what was.
func TestReindexGoesByTheFile(t *testing.T) {
	g := newStore(t)
	moved, lists, other := g.shot(2, 100), g.shot(9, 10), g.shot(3, 10)
	id := moved.ref.Object
	lists.files[0].content, lists.files[0].id = moved.object, id
	other.files[0].content, other.files[0].id = content1(len(moved.object), 7), id
	lists.files = lists.files[:1]
	g.seal(lists)
	g.seal(other)
	for _, s := range []*shot{lists, moved, other} {
		if g.send(s); g.state(s) != Whole {
			t.Fatalf("%s is %q", s.Ref(), g.state(s))
		}
	}
	k := key{"prod", id}
	was, _ := g.v.catalog.get(k)
	g.close()
	if _, err := Reindex(g.dir, g.options()); err != nil {
		t.Fatal(err)
	}
	g.open()
	if is, ok := g.v.catalog.get(k); !ok || is != was {
		t.Errorf("the catalog has %v instead of %v", is, was)
	}
	next := g.shot(10, 10)
	next.files[0] = lists.files[0]
	g.seal(next)
	g.send(next)
	g.verify()
}

// TestReindexKeepsWhatHeals makes the catalog anew when an object that was damaged has
// come again and no restore point links it yet.
func TestReindexKeepsWhatHeals(t *testing.T) {
	g := newStore(t)
	all := g.series(3) // the second file is the same object in all
	flip(t, g.v.layout.object(key{"prod", all[0].files[1].id}), 1234)
	g.scrubbed()
	g.v.surveyAfter = g.now.Add(time.Hour)
	g.object(all[2], all[2].files[1])
	g.close()
	if _, err := Reindex(g.dir, g.options()); err != nil {
		t.Fatal(err)
	}
	g.open()
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if g.state(s) != Whole {
			t.Errorf("%s is %q", s.Ref(), g.state(s))
		}
	}
	g.verify()
}

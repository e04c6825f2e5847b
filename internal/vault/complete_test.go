package vault

import (
	"crypto/sha256"
	"testing"
)

// TestReadingBackTakesTurns: an object that has to be read back at its end, which
// for one large hole would take hours, is read in slices, and nobody waits for it.
func TestReadingBackTakesTurns(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 300000)
	f := &s.files[0]
	clear(f.content[:200000])
	g.seal(s)
	g.v.sumLeft = 1000
	if err := g.v.WriteRange(s.Snapshot, f.id, 200000, f.content[200000:]); err != nil {
		t.Fatal(err)
	}
	for range 3 { // repeating the end does not buy more
		if err := g.v.EndObject(s.Snapshot, f.id, 300000, sha256.Sum256(f.content), [][2]int64{{0, 200000}}); err != nil {
			t.Fatal(err)
		}
	}
	k := key{s.Sender, f.id}
	o := g.v.open[k]
	if g.v.has(k) || o == nil || o.frontier != 1000 {
		t.Fatalf("it was read to its end at once: %+v", o)
	}
	if err := g.v.park(o); err != nil { // as for want of descriptors
		t.Fatal(err)
	}
	g.v.Settle(false)
	if !g.v.has(k) {
		t.Fatal("it was not completed at the next settling")
	}
	g.finish(s)
	if g.state(s) != Whole {
		t.Fatalf("it is %q", g.state(s))
	}
	g.verify()
}

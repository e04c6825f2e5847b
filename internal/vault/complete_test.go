package vault

import (
	"crypto/sha256"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weir/internal/event"
)

const endless = 1 << 43

// holed begins n objects of a sender that are one hole of 8 TiB each, as large as ext4 has them: they cost
// next to nothing to send, and ages to read back.
func (g *store) holed(sender string, n int) {
	s := g.from(sender, "evil", 1, 1)
	for i := range n {
		id := ObjectID{1, byte(i), byte(i >> 8)}
		g.v.EndObject(s.Snapshot, id, endless, Hash{}, [][2]int64{{0, endless}})
	}
}

// TestReadingBackIsFair lets a sender have any number of endless holes read back:
// what another one has to be read back is neither kept waiting nor begun anew.
func TestReadingBackIsFair(t *testing.T) {
	g := newStore(t)
	g.v.sums.share = 1 << 20
	g.holed("other", 3*maxOpen)
	s := g.shot(1, 3<<20)
	f := &s.files[0]
	clear(f.content[:2<<20])
	g.seal(s)
	g.v.WriteRange(s.Snapshot, f.id, 2<<20, f.content[2<<20:])
	g.v.EndObject(s.Snapshot, f.id, 3<<20, sha256.Sum256(f.content), [][2]int64{{0, 2 << 20}})
	k := key{s.Sender, f.id}
	o := g.v.open[k]
	if o == nil || o.frontier != 1<<20 {
		t.Fatalf("of its own share nothing was read: %+v", o)
	}
	g.holed("other", 6*maxOpen)
	if g.v.open[k] != o {
		t.Fatal("it had to make room for what another sender began")
	}
	g.v.sums.renew(false)
	if share := g.v.sums.share; share != sumSlice/2 {
		t.Errorf("two senders that have more to read get %d each", share)
	}
	g.v.sums.share = 1 << 20
	for range 2 {
		if err := g.v.complete(o); err != nil {
			t.Fatal(err)
		}
		g.v.sums.left = map[string]*int64{}
	}
	if !g.v.has(k) {
		t.Error("it is not complete after its third share")
	}
}

// TestSlowReadsCountForMore: on a slow disk a slice of what is read back lasts no
// longer than on a fast one.
func TestSlowReadsCountForMore(t *testing.T) {
	for _, c := range []struct {
		n    int
		took time.Duration
		want int64
	}{{1 << 20, 0, 1 << 20}, {1 << 20, time.Microsecond, 1 << 20}, {1 << 20, 250 * time.Millisecond, sumSlice}, {0, 125 * time.Millisecond, sumSlice / 2}} {
		if got := sumCost(c.n, c.took); got != c.want {
			t.Errorf("%d bytes in %v count for %d, not %d", c.n, c.took, got, c.want)
		}
	}
}

// TestWaitingToBeReadBackCostsNothing holds that objects whose sender has used up its
// share are not even opened.
func TestWaitingToBeReadBackCostsNothing(t *testing.T) {
	g := newStore(t)
	g.v.sums.share = 1 << 20
	g.holed("other", 2*maxOpen)
	ready := len(g.v.ready)
	if ready == 0 || *g.v.sums.of("other") > 0 {
		t.Fatalf("%d wait, %d are left", ready, *g.v.sums.of("other"))
	}
	open := maps.Clone(g.v.open)
	g.v.completeReady()
	if len(g.v.ready) != ready || !maps.Equal(g.v.open, open) || !g.v.sums.short["other"] {
		t.Errorf("%d of %d wait still", len(g.v.ready), ready)
	}
}

// TestReadingBackTakesTurns: an object that has to be read back at its end, which
// for one large hole would take hours, is read in slices, and nobody waits for it.
func TestReadingBackTakesTurns(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 300000)
	f := &s.files[0]
	clear(f.content[:200000])
	g.seal(s)
	*g.v.sums.of("prod") = 1000
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

// TestLargerThanAFile: what no file can hold is the sender's fault and not the disk's.
func TestLargerThanAFile(t *testing.T) {
	const size = 1 << 61
	g := newStore(t)
	probe := filepath.Join(g.dir, "probe")
	if err := errors.Join(os.WriteFile(probe, nil, 0o600), os.Truncate(probe, size)); err == nil {
		t.Skip("files may be this large here, as on tmpfs")
	}
	s := g.shot(1, 1)
	err := g.v.EndObject(s.Snapshot, ObjectID{1}, size, Hash{}, [][2]int64{{0, size}})
	if !errors.Is(err, ErrLimit) || len(g.v.open) > 0 {
		t.Errorf("%v; %d objects are open", err, len(g.v.open))
	}
}

// TestReadBackIsNoLack: a large object that has come whole may be read back for minutes.
// Nobody is asked to send it again meanwhile, and a crash loses none of it.
func TestReadBackIsNoLack(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 300000)
	f := &s.files[0]
	*g.v.sums.of("prod") = 1000
	for _, at := range []int{150000, 0} {
		if err := g.v.WriteRange(s.Snapshot, f.id, int64(at), f.content[at:at+150000]); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.v.EndObject(s.Snapshot, f.id, 300000, sha256.Sum256(f.content), nil); err != nil {
		t.Fatal(err)
	}
	for i := range 1 << 20 { // with so many a share is small
		g.v.sums.short[strconv.Itoa(i)] = true
	}
	g.finish(s)
	if lacks := lacksOf(g.v.layout, key{s.Sender, f.id}, 300000); g.state(s) != Partial || len(lacks) > 0 || g.count(event.SnapshotPartial) > 0 {
		t.Fatalf("it is %q, the map on disk lacks %v, told %d times", g.state(s), lacks, g.count(event.SnapshotPartial))
	}
	if !g.v.ReadingBack() {
		t.Error("whoever waits until all is settled is not told that it is read back")
	}
	g.v.Settle(true)
	if g.state(s) != Whole || g.v.ReadingBack() {
		t.Errorf("then it is %q, still read back: %v", g.state(s), g.v.ReadingBack())
	}
}

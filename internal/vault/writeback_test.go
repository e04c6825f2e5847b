package vault

import (
	"crypto/sha256"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"golang.org/x/sys/unix"
)

// TestLargeObjectsGoToTheDiskAsTheyCome holds that of a large object no more than a
// few windows wait for the last sync or stay in memory, and that nothing is let go of
// that was not handed to the disk.
func TestLargeObjectsGoToTheDiskAsTheyCome(t *testing.T) {
	const windows = 10
	g := newStore(t)
	g.kill()
	real := realDisk()
	var handed, forgotten int64
	all := false
	g.disk.writeOut = func(f *os.File, off, n int64) error {
		if off != handed {
			t.Errorf("after %d bytes it goes on at %d", handed, off)
		}
		handed = off + n
		return real.writeOut(f, off, n)
	}
	g.disk.forget = func(f *os.File, off, n int64) {
		if all = n == 0; !all {
			forgotten = off + n
		}
		if forgotten > handed {
			t.Errorf("the bytes up to %d are let go of when %d are on their way", forgotten, handed)
		}
		real.forget(f, off, n)
	}
	g.open()
	s, id, sum := g.shot(1), ObjectID{1}, sha256.New()
	part := content1(window/2, 1)
	for off := range int64(2 * windows) {
		g.v.WriteRange(s.Snapshot, id, off*int64(len(part)), part)
		sum.Write(part)
	}
	if handed != windows*window || forgotten != windows*window-behind || all {
		t.Errorf("%d bytes were handed over and %d let go of", handed, forgotten)
	}
	g.v.EndObject(s.Snapshot, id, windows*window, Hash(sum.Sum(nil)), nil)
	if !all {
		t.Error("what is stored stays in memory")
	}
}

// TestFailedWriteBackIsMissing holds that an object of which the disk refused a
// window counts as missing until it comes again.
func TestFailedWriteBackIsMissing(t *testing.T) {
	g := newStore(t)
	g.kill()
	real, calls := realDisk(), 0
	g.disk.writeOut = func(f *os.File, off, n int64) error {
		if calls++; calls == 1 {
			return unix.EIO
		}
		return real.writeOut(f, off, n)
	}
	g.open()
	s := g.shot(1, 2*window)
	g.send(s)
	g.v.Settle(true)
	if calls < 1 || g.state(s) == Whole {
		t.Fatalf("after %d calls, one of which failed, the snapshot is %q", calls, g.state(s))
	}
	g.send(s)
	g.v.Settle(true)
	if g.state(s) != Whole {
		t.Errorf("sent again it is %q", g.state(s))
	}
	g.verify()
}

// BenchmarkLargeObject stores a large object as blocks bring it.
func BenchmarkLargeObject(b *testing.B) {
	const part = 3 << 20
	dir, err := os.MkdirTemp("", "weir-vault-")
	if err != nil {
		b.Fatal(err)
	}
	defer removeTree(dir)
	v, err := open(dir, Options{Log: zerolog.Nop(), Now: time.Now}, realDisk())
	if err != nil {
		b.Fatal(err)
	}
	defer v.release()
	s, p := Snapshot{Sender: "prod", Source: "etc", Number: 1, Taken: time.Unix(1.9e9, 0).UTC()}, content1(part, 1)
	b.SetBytes(part)
	off := int64(0)
	for b.Loop() {
		if err := v.WriteRange(s, ObjectID{1}, off, p); err != nil {
			b.Fatal(err)
		}
		off += part
	}
}

package vault

import (
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// dump returns what the catalog of a vault that is closed holds.
func dump(t *testing.T, dir string) map[string]string {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, ownDir, catalogFile), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	all := map[string]string{}
	err = db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketObjects)
		all["number"] = fmt.Sprint(b.Sequence())
		return b.ForEach(func(k, v []byte) error { all[hex.EncodeToString(k)] = hex.EncodeToString(v); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// full makes a vault with everything in it: restore points that share objects, a
// snapshot that waits for an object, one that waits for its manifest.
func full(t *testing.T) *store {
	g := newStore(t)
	first := g.shot(1, 100, 2<<20, 0, 300)
	g.send(first)
	second := g.shot(2, 50)
	second.files = append(second.files, file{"old", first.files[1].content, first.files[1].id})
	g.seal(second)
	g.send(second)
	third := g.shot(3, 700, 1<<20+7, 900)
	lost := third.files[2]
	third.files = third.files[:2]
	g.send1(third, lost)
	fourth := g.shot(4, 1000, 2000)
	for _, f := range fourth.files {
		g.object(fourth, f)
	}
	g.v.Settle(true)
	return g
}

// send1 sends a shot whose manifest lists one more file than comes.
func (g *store) send1(s *shot, lost file) {
	whole := *s
	whole.files = append(whole.files[:len(whole.files):len(whole.files)], lost)
	g.seal(&whole)
	for _, f := range s.files {
		g.object(s, f)
	}
	g.finish(&whole)
}

func TestReindexIsIdentical(t *testing.T) {
	g := full(t)
	g.close()
	want := dump(t, g.dir)
	if len(want) != 10 { // four of restore points, two and two of pending ones, a manifest; the number
		t.Errorf("the catalog holds %d entries", len(want))
	}
	for range 2 {
		if _, err := Reindex(g.dir, Options{}); err != nil {
			t.Fatal(err)
		}
		if got := dump(t, g.dir); !maps.Equal(got, want) {
			t.Fatalf("the catalog was\n%v\nnow it is\n%v", want, got)
		}
	}
	if err := os.Remove(filepath.Join(g.dir, ownDir, catalogFile)); err != nil {
		t.Fatal(err)
	}
	g.open()
	g.close()
	if got := dump(t, g.dir); !maps.Equal(got, want) {
		t.Fatalf("the catalog was\n%v\nafter it was deleted it is\n%v", want, got)
	}
}

// TestDamagedCatalog damages the catalog in every way, after a good end and after
// a crash. After a good end it is noticed and the catalog made anew, as it was.
// After a crash it may have fallen back to an earlier state, as the library keeps
// two; what it holds is true, and what it lacks is looked for on the disk.
func TestDamagedCatalog(t *testing.T) {
	g := full(t)
	g.close()
	want := dump(t, g.dir)
	path := filepath.Join(g.dir, ownDir, catalogFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mark, err := os.ReadFile(filepath.Join(g.dir, ownDir, closedFile))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 96 {
		bad := append([]byte(nil), good...)
		at := rng.IntN(len(bad))
		switch n % 4 {
		case 0, 1:
			bad[at] ^= 1 << rng.IntN(8)
		case 2:
			bad = bad[:at]
		case 3:
			clear(bad[at/4096*4096:][:4096])
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		crash := n%8 < 4
		os.WriteFile(filepath.Join(g.dir, ownDir, closedFile), mark, 0o644)
		if crash {
			os.Remove(filepath.Join(g.dir, ownDir, closedFile))
		}
		g.open()
		orphans := g.v.orphans
		g.close()
		got := dump(t, g.dir)
		for k, v := range got {
			if crash && orphans && (want[k] == v || k == "number") {
				delete(got, k)
			}
		}
		if !maps.Equal(got, want) && !(crash && len(got) == 0) {
			t.Fatalf("round %d, at %d: the catalog was\n%v\nnow it is\n%v", n, at, want, got)
		}
	}
	g.verify()
}

// TestCatalogDamagedInUse damages the catalog while the vault has it open. What
// the page cache holds changes under the library's feet.
func TestCatalogDamagedInUse(t *testing.T) {
	for n := range 9 {
		g := full(t)
		path := filepath.Join(g.dir, ownDir, catalogFile)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(uint64(n), 2))
		page := make([]byte, 4096)
		for i := range page {
			page[i] = byte(rng.Uint32())
		}
		for at := int64(2 * 4096); at < info.Size(); at += 4096 {
			if n%3 > 0 {
				clear(page)
			}
			f.WriteAt(page, at)
		}
		f.Close()
		s := g.shot(7, 10, 20)
		g.send(s)
		g.v.Settle(true)
		g.now = g.now.Add(2 * maxBackoff)
		g.send(s)
		if g.state(s) != Whole {
			t.Fatalf("round %d: with a new catalog it is %q", n, g.state(s))
		}
		g.close()
		g.open()
		g.verify()
	}
}

// TestChangedEventLogIsNoticed is in the mark that a good end leaves.
func TestClosedMark(t *testing.T) {
	g := full(t)
	g.close()
	g.open()
	if g.v.orphans {
		t.Error("after a good end the disk is searched for orphans")
	}
	g.kill()
	g.open()
	if !g.v.orphans {
		t.Error("after a crash the disk is not searched for orphans")
	}
}

package sender

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/repaircode"
	"weir/protocol"
)

// TestSpoolKeepsForRepairCodes asks for what was deleted, after all passes: as long
// as spool_keep it is to be had, and each code makes it longer.
func TestSpoolKeepsForRepairCodes(t *testing.T) {
	for _, mode := range []SpoolMode{SpoolLink, SpoolCopy} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				r := newRig(t, three, func(c *Config) {
					c.Repeat.Spool, c.Repeat.Dir, c.Repeat.SpoolKeep = mode, filepath.Join(filepath.Dir(dir), "sent"), 48*time.Hour
				})
				write(t, dir, map[string][]byte{"a": noise(1, 70_000)})
				settle(t)
				_, first := r.push(Job{Paths: []string{dir}})
				code := r.codeFor(r.sentOnly("src", 1), repaircode.Part{Kind: repaircode.Files, Ranges: []repaircode.Range{{First: 0, Length: 1}}})
				must(t, os.Remove(filepath.Join(dir, "a")))
				defer r.withPasses()()
				for range 3 {
					time.Sleep(47 * time.Hour)
					synctest.Wait()
					r.reset()
					if all, err := r.resend(code); err != nil || all[0].Gone != 0 || all[0].Files != 1 {
						t.Fatalf("%v %+v", err, all)
					}
					r.wantContent(first.entries["a"].Object, noise(1, 70_000))
				}
				time.Sleep(49 * time.Hour)
				synctest.Wait()
				if all, err := r.resend(code); err != nil || all[0].Gone != 1 {
					t.Errorf("%v %+v", err, all)
				}
				if n, _ := r.spool.use(); n != 0 || !r.sentOnly("src", 1).Released {
					t.Errorf("%d objects are in the spool", n)
				}
			})
		})
	}
}

// TestSpoolMakesRoom fills the spool: what has had its passes goes, the oldest
// first, and what is owed passes does not; nor does anything go for what would not
// fit even so.
func TestSpoolMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, three, func(c *Config) { c.Repeat.Spool, c.Repeat.SpoolBytes = SpoolCopy, 100_000 })
		dump := func(source string, size int) {
			r.push(Job{Source: source, Stream: bytes.NewReader(noise(uint64(size), size)), As: "x"})
		}
		keeps := func(source string) bool {
			return len(r.spool.keptFor(holder{source, 1})) == 1
		}
		stop := r.withPasses()
		for _, source := range []string{"a", "b"} {
			dump(source, 40_000)
			time.Sleep(3 * time.Hour) // all of its passes
			synctest.Wait()
		}
		dir := t.TempDir()
		write(t, dir, map[string][]byte{"a": noise(9, 150_000)})
		r.push(Job{Source: "huge", Paths: []string{dir}})
		if !keeps("a") || !keeps("b") || keeps("huge") {
			t.Error("something went for what does not fit")
		}
		dump("c", 50_000)
		if keeps("a") || !keeps("b") || !keeps("c") || !r.sentOnly("a", 1).Released {
			t.Errorf("a %v b %v c %v", keeps("a"), keeps("b"), keeps("c"))
		}
		dump("d", 50_000)
		if keeps("b") || !keeps("c") || !keeps("d") {
			t.Errorf("b %v c %v d %v", keeps("b"), keeps("c"), keeps("d"))
		}
		dump("e", 50_000) // c and d are owed passes
		if !keeps("c") || !keeps("d") || keeps("e") {
			t.Errorf("c %v d %v e %v", keeps("c"), keeps("d"), keeps("e"))
		}
		stop()
	})
}

// TestSpoolForgetsTheUnfinished has a snapshot fail whose file is gone before the
// next one: it is kept for nobody, and leaves the spool with that one.
func TestSpoolForgetsTheUnfinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, three, func(c *Config) { c.Repeat.Spool = SpoolCopy })
		write(t, dir, map[string][]byte{"a": noise(1, 70_000)})
		settle(t)
		r.push(Job{Paths: []string{dir}})
		must(t, r.cfg.State.forgetSent("src", 1, nil)) // as if it had been killed before it was remembered
		must(t, os.Remove(filepath.Join(dir, "a")))
		write(t, dir, map[string][]byte{"b": noise(2, 70_000)})
		settle(t)
		r.push(Job{Paths: []string{dir}})
		stop := r.withPasses()
		time.Sleep(DefaultSpoolKeep + 3*time.Hour)
		synctest.Wait()
		stop()
		if n, _ := r.spool.use(); n != 0 {
			t.Errorf("%d objects are in the spool", n)
		}
	})
}

// TestSpoolDirOfSomebodyElse names a directory with other files as the spool: not
// one of them goes.
func TestSpoolDirOfSomebodyElse(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"accounts.db": noise(1, 10), "stream-1": nil, "sub/x": nil})
	if _, err := openSpool(dir, SpoolCopy, 1000); !errors.Is(err, errForeign) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"accounts.db", "stream-1", "sub/x"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	must(t, os.Remove(filepath.Join(dir, "accounts.db")))
	id := protocol.ObjectID{1}
	write(t, dir, map[string][]byte{id.String(): noise(1, 10)})
	s, err := openSpool(dir, SpoolCopy, 1000)
	must(t, err)
	if n, bytes := s.use(); n != 1 || bytes != 10 {
		t.Errorf("%d objects, %d bytes", n, bytes)
	}
	if _, err := os.Stat(filepath.Join(dir, "stream-1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a crash left: %v", err)
	}
}

// TestSpoolOnAnotherFileSystem cannot link, says what to do, and holds no room for it.
func TestSpoolOnAnotherFileSystem(t *testing.T) {
	s, err := openSpool(t.TempDir(), SpoolLink, 10_000)
	must(t, err)
	f, err := os.Open("/proc/self/status")
	must(t, err)
	defer f.Close()
	if err := s.put(protocol.ObjectID{1}, f, 100, holder{}); !errors.Is(err, errOtherDisk) {
		t.Errorf("%v", err)
	}
	if n, bytes := s.use(); n != 0 || bytes != 0 {
		t.Errorf("%d objects, %d bytes", n, bytes)
	}
}

// TestLinksOfTheSpoolAreNoNames has files that the spool links to: a walk remembers
// those that have a further name in the tree, and no others.
func TestLinksOfTheSpoolAreNoNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, three, func(c *Config) { c.Repeat.Spool = SpoolLink })
		write(t, dir, map[string][]byte{"a": noise(1, 1000), "b": noise(2, 1000), "c": noise(3, 1000)})
		must(t, os.Link(filepath.Join(dir, "b"), filepath.Join(dir, "bb")))
		settle(t)
		r.push(Job{Paths: []string{dir}})
		snap, err := r.newSnapshot(Job{Source: "src", Paths: []string{dir}})
		must(t, err)
		defer snap.close()
		must(t, snap.send(t.Context()))
		if n, _ := r.spool.use(); n != 3 || len(snap.links) != 0 || snap.result.SentFiles != 0 || snap.result.Files != 4 {
			t.Errorf("%d objects in the spool, %d files remembered, %+v", n, len(snap.links), snap.result)
		}
	})
}

// TestSpoolOfAFileThatGrows copies what was sent of a log that is written to.
func TestSpoolOfAFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"log": noise(1, 5000)})
	s, err := openSpool(filepath.Join(dir, "spool"), SpoolCopy, 10_000)
	must(t, err)
	f, err := os.Open(filepath.Join(dir, "log"))
	must(t, err)
	defer f.Close()
	id := protocol.ObjectID{1}
	must(t, s.put(id, f, 4000, holder{}))
	kept := s.open(id, 4000)
	if kept == nil {
		t.Fatal("what is kept is of another size")
	}
	defer kept.Close()
	if got, err := io.ReadAll(kept); err != nil || !bytes.Equal(got, noise(1, 5000)[:4000]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

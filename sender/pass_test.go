package sender

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/protocol"
)

// withPasses starts the passes of a rig, which end with it.
func (r *rig) withPasses() (stop func()) {
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Passes(ctx)
	}()
	return func() { cancel(); <-done }
}

// three is for tests that last days: they need no announce a second.
func three(c *Config) {
	c.Repeat = Repeat{Passes: 3, Spacing: time.Hour}
	c.Announce = time.Minute
}

// wantContent holds that an object came whole, with this content.
func (r *rig) wantContent(id protocol.ObjectID, want []byte) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !bytes.Equal(r.content(id), want) {
		r.t.Errorf("object %s is another content", id)
	}
}

// came returns how many objects came.
func (r *rig) came() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.objects)
}

// arrived returns what came of an object, nil for nothing. It may be looked at when
// nothing more comes.
func (r *rig) arrived(id protocol.ObjectID) *sentObject {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects[id]
}

func (r *rig) sentOnly(source string, n uint64) *Sent {
	r.t.Helper()
	s, err := r.cfg.State.sent(source, n)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func TestPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t, three), t.TempDir()
		files := map[string][]byte{"a": noise(1, 300_000), "d/b": noise(2, 5000), "c": noise(3, 9)}
		write(t, dir, files)
		settle(t)
		_, first := r.push(Job{Paths: []string{dir}})
		text := r.content(first.record.Object)
		stop := r.withPasses()
		for pass := 2; pass <= 3; pass++ {
			r.reset()
			time.Sleep(time.Hour + time.Minute)
			synctest.Wait()
			for name, want := range files {
				r.wantContent(first.entries[name].Object, want)
			}
			r.mu.Lock()
			if len(r.manifests) == 0 || r.manifests[0] != first.record {
				t.Errorf("pass %d: %d manifests", pass, len(r.manifests))
			}
			r.mu.Unlock()
			r.wantContent(first.record.Object, text)
			if s := r.sentOnly("src", 1); len(s.Passes) != pass || s.Owed != 0 {
				t.Errorf("%+v", s)
			}
			if n := r.cfg.State.times("src", first.entries["a"].Object); int(n.Count) != pass || time.Since(n.Last) > time.Hour {
				t.Errorf("after pass %d it is said to have gone out %+v", pass, n)
			}
		}
		r.reset()
		time.Sleep(5 * time.Hour)
		synctest.Wait()
		stop()
		if r.came() != 0 {
			t.Errorf("%d objects after the last pass", r.came())
		}
	})
}

// TestPassOfAPathThatIsNotUTF8 sends once more what lies below such a path.
func TestPassOfAPathThatIsNotUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t, three), filepath.Join(t.TempDir(), "caf\xe9")
		write(t, dir, map[string][]byte{"a": noise(1, 10_000)})
		settle(t)
		_, got := r.push(Job{Paths: []string{dir}})
		r.reset()
		defer r.withPasses()()
		time.Sleep(r.cfg.Repeat.Spacing + time.Minute)
		synctest.Wait()
		r.wantContent(got.entries["a"].Object, noise(1, 10_000))
		if owed := r.sentOnly("src", 1).Owed; owed != 0 {
			t.Errorf("%d files are owed", owed)
		}
	})
}

// TestPassOwes changes files between the passes in all ways: what was sent before
// must not be overwritten by other content, and what is owed is said.
func TestPassOwes(t *testing.T) {
	for _, mode := range []SpoolMode{SpoolNone, SpoolLink, SpoolCopy} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { passOwes(t, mode) })
		})
	}
}

func passOwes(t *testing.T, mode SpoolMode) {
	dir := t.TempDir()
	r := newRig(t, three, func(c *Config) { c.Repeat.Spool, c.Repeat.Dir = mode, filepath.Join(filepath.Dir(dir), "sent") })
	files := map[string][]byte{
		"deleted": noise(1, 70_000), "replaced": noise(2, 70_000), "same-size": noise(3, 70_000), "stays": noise(4, 70_000), "touched": noise(5, 70_000),
	}
	write(t, dir, files)
	settle(t)
	_, first := r.push(Job{Paths: []string{dir}})
	_, again := r.push(Job{Paths: []string{dir}})
	if len(again.entries) != 5 || again.entries["stays"].Object != first.entries["stays"].Object || r.arrived(first.entries["stays"].Object) != nil {
		t.Error("a file that did not change was sent again")
	}
	must(t, os.Remove(filepath.Join(dir, "deleted")))
	must(t, os.Rename(filepath.Join(dir, "same-size"), filepath.Join(dir, "elsewhere")))
	write(t, dir, map[string][]byte{"same-size": noise(6, 70_000)})
	must(t, os.Remove(filepath.Join(dir, "replaced")))
	write(t, dir, map[string][]byte{"replaced": noise(7, 123)})
	must(t, os.Chtimes(filepath.Join(dir, "touched"), time.Now(), time.Now()))
	r.reset()
	stop := r.withPasses()
	time.Sleep(time.Hour + time.Minute)
	synctest.Wait()
	owed := int64(0)
	for name, want := range files {
		o := r.arrived(first.entries[name].Object)
		if gone := mode == SpoolNone && slices.Contains([]string{"deleted", "replaced", "same-size"}, name); gone {
			if owed++; o != nil {
				t.Errorf("%s is gone and was sent", name)
			}
			continue
		}
		r.wantContent(first.entries[name].Object, want)
	}
	if s := r.sentOnly("src", 1); s.Owed != owed || s.OwedBytes != owed*70_000 {
		t.Errorf("%d files with %d bytes are owed, want %d", s.Owed, s.OwedBytes, owed)
	}
	time.Sleep(2*time.Hour + DefaultSpoolKeep)
	synctest.Wait()
	stop()
	if n, bytes := r.spool.use(); n != 0 || bytes != 0 {
		t.Errorf("spool_keep after the last pass the spool holds %d objects with %d bytes", n, bytes)
	}
	r.reset()
	if _, third := r.push(Job{Paths: []string{dir}}); r.arrived(first.entries["stays"].Object) != nil || third.entries["stays"].Object != first.entries["stays"].Object {
		t.Error("what the spool does to a file's inode makes it count as changed")
	}
}

// TestPassOfStream sends a stream again from the spool's copy.
func TestPassOfStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, three, func(c *Config) { c.Repeat.Spool = SpoolCopy })
		want := noise(1, 200_000)
		_, first := r.push(Job{Stream: bytes.NewReader(want), As: "db.sql"})
		r.reset()
		stop := r.withPasses()
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		r.wantContent(first.entries["db.sql"].Object, want)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n, _ := r.spool.use(); n != 1 || r.sentOnly("src", 1).Owed != 0 {
			t.Errorf("%d objects are in the spool after the last pass", n)
		}
		time.Sleep(DefaultSpoolKeep)
		synctest.Wait()
		stop()
		if n, _ := r.spool.use(); n != 0 {
			t.Errorf("%d objects are in the spool", n)
		}
	})
}

// TestSpoolIsBounded lets the spool have room for one of two files.
func TestSpoolIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, three, func(c *Config) { c.Repeat.Spool, c.Repeat.SpoolBytes = SpoolCopy, 100_000 })
		write(t, dir, map[string][]byte{"a": noise(1, 70_000), "b": noise(2, 70_000)})
		settle(t)
		_, first := r.push(Job{Paths: []string{dir}})
		r.push(Job{Source: "dump", Stream: bytes.NewReader(noise(3, 50_000)), As: "x"})
		if n, used := r.spool.use(); n != 1 || used != 70_000 {
			t.Errorf("%d objects, %d bytes", n, used)
		}
		must(t, os.RemoveAll(filepath.Join(dir, "a")))
		must(t, os.RemoveAll(filepath.Join(dir, "b")))
		r.reset()
		stop := r.withPasses()
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		stop()
		r.wantContent(first.entries["a"].Object, noise(1, 70_000))
		if s := r.sentOnly("src", 1); s.Owed != 1 || r.sentOnly("dump", 1).Owed != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestPassAcrossRestarts cuts a pass short, and starts the sender anew: the pass
// goes on with what had not gone out, and the spool is what it was.
func TestPassAcrossRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, three, func(c *Config) { c.Rate, c.Repeat.Spool = 10e6, SpoolCopy })
		files := map[string][]byte{}
		for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
			files[name] = noise(uint64(name[0]), 200_000)
		}
		write(t, dir, files)
		settle(t)
		_, first := r.push(Job{Paths: []string{dir}})
		must(t, os.RemoveAll(dir))
		r.reset()
		stop := r.withPasses()
		time.Sleep(time.Hour + 500*time.Millisecond) // 1.2 MB take a second
		synctest.Wait()
		stop()
		r.stop()
		half := 0
		for name := range files {
			if o := r.arrived(first.entries[name].Object); o != nil && o.end != nil {
				half++
			}
		}
		if half == 0 || half == len(files) {
			t.Fatalf("%d of %d objects went out before the stop", half, len(files))
		}
		r.start()
		stop = r.withPasses()
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		for name, want := range files {
			r.wantContent(first.entries[name].Object, want)
		}
		if n := r.cfg.State.times("src", first.entries["a"].Object).Count; n != 2 {
			t.Errorf("the first object went out %d times", n)
		}
	})
}

// TestSpoolOfUnfinished has a snapshot fail after its files went out. The next one
// lists them without sending them; the spool has them for its passes even so.
func TestSpoolOfUnfinished(t *testing.T) {
	for _, mode := range []SpoolMode{SpoolLink, SpoolCopy} {
		t.Run(string(mode), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				r := newRig(t, three, func(c *Config) { c.Repeat.Spool, c.Repeat.Dir = mode, filepath.Join(filepath.Dir(dir), "sent") })
				write(t, dir, map[string][]byte{"a": noise(1, 70_000)})
				_, first := r.push(Job{Paths: []string{dir}})
				must(t, r.cfg.State.forgetSent("src", 1, nil)) // as if it had been killed before it was remembered
				r.stop()
				r.start()
				if n, _ := r.spool.use(); n != 1 {
					t.Fatalf("the spool holds %d objects of the unfinished snapshot", n)
				}
				_, second := r.push(Job{Paths: []string{dir}})
				must(t, os.Remove(filepath.Join(dir, "a")))
				r.reset()
				stop := r.withPasses()
				time.Sleep(time.Hour + time.Minute)
				synctest.Wait()
				stop()
				if second.entries["a"].Object != first.entries["a"].Object {
					t.Error("it was sent again")
				}
				r.wantContent(second.entries["a"].Object, noise(1, 70_000))
			})
		})
	}
}

// TestPassMakesRoom has a push come while a pass is under way: it waits for one
// block, and the pass goes on afterwards.
func TestPassMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		r := newRig(t, three, func(c *Config) { c.Rate = 10e6 }) // a block of 57 KiB takes 60 ms
		write(t, dir, map[string][]byte{"large": noise(1, 3_000_000)})
		settle(t)
		_, first := r.push(Job{Paths: []string{dir}})
		r.reset()
		stop := r.withPasses()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		asked := time.Now()
		if _, err := r.Push(t.Context(), Job{Source: "urgent", Stream: bytes.NewReader(noise(2, 500_000)), As: "x"}); err != nil {
			t.Fatal(err)
		}
		r.mu.Lock()
		var began time.Time
		between := 0
		for _, b := range r.blocks {
			c, err := protocol.ParseContext(b.data[protocol.RecordHeaderSize:][:protocol.ContextSize(&protocol.Context{Source: "urgent"})-protocol.RecordHeaderSize])
			urgent := err == nil && c.Source == "urgent"
			if urgent && began.IsZero() {
				began = b.at
			}
			if !urgent && b.at.After(asked) && began.IsZero() {
				between++
			}
		}
		r.mu.Unlock()
		if delay := began.Sub(asked); delay > 150*time.Millisecond || between > 1 {
			t.Errorf("new data waited for %v and %d blocks", delay, between)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		r.wantContent(first.entries["large"].Object, noise(1, 3_000_000))
	})
}

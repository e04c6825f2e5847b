package sender

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/protocol"
)

// jumping is a clock that is set while it runs.
type jumping struct{ shift atomic.Int64 }

func (c *jumping) Now() time.Time        { return time.Now().Add(time.Duration(c.shift.Load())) }
func (c *jumping) Sleep(d time.Duration) { time.Sleep(d) }
func (c *jumping) jump(d time.Duration)  { c.shift.Add(int64(d)) }

func TestCounterOnlyGrows(t *testing.T) {
	p := filepath.Join(t.TempDir(), "state")
	s := openState(t, p)
	now := time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)
	var last uint64
	for i, at := range []time.Time{now, now, now.Add(time.Second), now.Add(-time.Hour), time.Unix(-5, 0), now.Add(time.Hour)} {
		n, err := s.nextCounter(at)
		must(t, err)
		if n <= last {
			t.Errorf("%d: %d after %d", i, n, last)
		}
		last = n
		if i == 3 { // over a restart too
			must(t, s.Close())
			s = openState(t, p)
		}
	}
	must(t, s.Close())
	must(t, os.Remove(p))
	s = openState(t, p)
	defer s.Close()
	if n, err := s.nextCounter(now.Add(time.Hour + time.Millisecond)); err != nil || n <= last {
		t.Errorf("the state was lost: %d after %d, %v", n, last, err)
	}
}

func TestStateInUse(t *testing.T) {
	p := filepath.Join(t.TempDir(), "state")
	s := openState(t, p)
	defer s.Close()
	if _, err := OpenState(p); !errors.Is(err, ErrInUse) {
		t.Errorf("%v", err)
	}
	if _, err := OpenState(filepath.Join(p, "x")); err == nil {
		t.Error("a state below a file opened")
	}
}

// TestDamagedState says what to do, whatever befell the file.
func TestDamagedState(t *testing.T) {
	for name, spoil := range map[string]func(f *os.File) error{
		"cut":          func(f *os.File) error { return f.Truncate(9000) },
		"no database":  func(f *os.File) error { _, err := f.WriteAt(noise(1, 8192), 0); return err },
		"damaged page": func(f *os.File) error { _, err := f.WriteAt(noise(1, 3*4096), 2*4096); return err },
	} {
		p := filepath.Join(t.TempDir(), "state")
		must(t, openState(t, p).Close())
		f, err := os.OpenFile(p, os.O_RDWR, 0)
		must(t, err)
		must(t, spoil(f))
		must(t, f.Close())
		if _, err := OpenState(p); !errors.Is(err, ErrStateDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNumbersAndLatest(t *testing.T) {
	s := openState(t, filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	for want := range uint64(3) {
		for _, source := range []string{"a", "b"} {
			if n, err := s.nextNumber(source); err != nil || n != want+1 {
				t.Errorf("%s: %d, %v", source, n, err)
			}
		}
	}
	l := latest{Number: 3, Taken: math.MaxInt64, Manifest: protocol.Hash{1, 255}}
	must(t, s.setLatest("b", l))
	if got, err := s.latest("b"); err != nil || got != l {
		t.Errorf("%+v, %v", got, err)
	}
	for _, none := range []string{"a", "c"} {
		if got, err := s.latest(none); err != nil || got != (latest{}) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

func TestSweepInBatches(t *testing.T) {
	s := openState(t, filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	_, err := s.nextNumber("a")
	must(t, err)
	var files []sentFile
	for i := range 2*sweepBatch + 10 {
		files = append(files, sentFile{path: fmt.Sprintf("d/%d", i)})
	}
	must(t, s.save("a", files))
	walk := s.recall("a")
	if _, ok, err := walk.find("d/77"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	must(t, walk.finish())
	for _, f := range files {
		if _, ok := s.known("a", f.path); ok != (f.path == "d/77") {
			t.Fatalf("%s: %v", f.path, ok)
		}
	}
}

func TestPathsThatAreGoneAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{}
		for _, p := range []string{"a", "a-b", "a.c/x", "b/c", "b/c.d", "b-/c", "b/\x01", "z"} {
			files[p] = noise(1, 100)
		}
		write(t, dir, files)
		r.push(Job{Paths: []string{dir}})
		must(t, os.Remove(filepath.Join(dir, "a-b")))
		must(t, os.RemoveAll(filepath.Join(dir, "b")))
		r.push(Job{Paths: []string{dir}, Exclude: []string{"z"}})
		for p := range files {
			want := p == "a" || p == "a.c/x" || p == "b-/c"
			if _, ok := r.cfg.State.known("src", p); ok != want {
				t.Errorf("%q is known: %v", p, ok)
			}
		}
	})
}

// A sender that is killed remembers what had left, under a new session and
// number, and sends the rest.
func TestKilledBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		files := map[string][]byte{}
		for i := range 50 {
			files[fmt.Sprintf("f%02d", i)] = noise(uint64(i), 40000)
		}
		write(t, dir, files)
		state := r.cfg.State.db.Path()
		copied := filepath.Join(t.TempDir(), "state")
		r.mu.Lock()
		r.hook = func(h *protocol.Header) {
			if h.Block == 20 && h.Index() == 0 { // what a kill here leaves on the disk
				data, err := os.ReadFile(state)
				must(t, err)
				must(t, os.WriteFile(copied, data, 0o600))
			}
			time.Sleep(10 * time.Millisecond) // several ledgers are written
		}
		r.mu.Unlock()
		r.push(Job{Paths: []string{dir}})
		r.stop()
		must(t, r.cfg.State.Close())
		r.cfg.State = openState(t, copied)
		r.hook = nil
		r.start()
		res, got := r.push(Job{Paths: []string{dir}})
		if res.Number != 2 || res.SentFiles == 0 || res.SentFiles == 50 || len(got.order) != 50 || got.header.Previous != [32]byte{} {
			t.Errorf("%+v", res)
		}
		if len(r.sessions) != 2 {
			t.Errorf("%d sessions", len(r.sessions))
		}
	})
}

func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &jumping{}
		r := newRig(t, func(c *Config) { c.Clock = clock })
		if got := r.Due("src", time.Hour); !got.Equal(clock.Now()) {
			t.Errorf("never sent, due %v", got)
		}
		res, _ := r.push(Job{Stream: bytes.NewReader(nil), As: "x"})
		for _, c := range []struct {
			jump, want time.Duration // want is after the snapshot; -1: at once
		}{
			{0, time.Hour}, {10 * time.Minute, time.Hour}, {time.Hour, time.Hour}, {100 * time.Hour, time.Hour},
			{-time.Second, -1}, {-100 * time.Hour, -1},
		} {
			clock.jump(c.jump + res.Taken.Sub(clock.Now())) // to so long after the snapshot
			want := res.Taken.Add(c.want)
			if c.want < 0 {
				want = clock.Now()
			}
			if got := r.Due("src", time.Hour); !got.Equal(want) {
				t.Errorf("%v after a snapshot: due %v, want %v", c.jump, got, want)
			}
		}
	})
}

// TestHistoryAfterTheClockWasSetBack takes snapshots with a clock that is set back
// while the history is full: what is forgotten is the oldest, not the newest.
func TestHistoryAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &jumping{}
		r := newRig(t, func(c *Config) { c.Clock, c.Repeat.History = clock, 3 })
		for n := range 6 {
			if n == 3 {
				clock.jump(-1000 * time.Hour)
			}
			r.push(Job{Stream: bytes.NewReader(noise(1, 100)), As: "x"})
		}
		all, err := r.cfg.State.Sent()
		must(t, err)
		if len(all) != 3 || all[0].Number != 4 || all[2].Number != 6 {
			t.Errorf("%d are remembered, from %d on", len(all), all[0].Number)
		}
	})
}

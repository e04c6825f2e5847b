package sender

import (
	"bytes"
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"weir/protocol"
)

// TestAbandonedIsTold has pushes cut short by an error and by the end of the
// program: both are told with the heartbeats, from then on and over restarts, and
// none that was finished is.
func TestAbandonedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Rate = 8e6 })
		r.push(Job{Stream: bytes.NewReader(noise(1, 1000)), As: "x"})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Push(ctx, Job{Source: "src", Stream: endless{}, As: "x"}); err == nil {
			t.Fatal("the push did not fail")
		}
		r.tells(2)
		must(t, r.cfg.State.begin("src", 3, time.Unix(3, 0), protocol.Hash{})) // killed in the midst of it
		r.stop()
		r.start()
		r.tells(2, 3)
		r.push(Job{Stream: bytes.NewReader(noise(4, 1000)), As: "x"})
		r.tells(2, 3)
	})
}

// TestSentIsNotAbandoned has no room for the manifest of a snapshot that was sent: it
// cannot be sent again, and is not told as abandoned after a restart either.
func TestSentIsNotAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		must(t, os.Remove(r.history.dir))
		must(t, os.WriteFile(r.history.dir, nil, 0o600)) // no directory can be made there
		r.push(Job{Stream: bytes.NewReader(noise(1, 1000)), As: "x"})
		if _, err := r.cfg.State.sent("src", 1); !errors.Is(err, ErrForgotten) {
			t.Fatalf("it is remembered: %v", err)
		}
		r.stop()
		r.start()
		r.tells()
	})
}

// tells holds that two rounds of heartbeats name these snapshots, and no others.
func (r *rig) tells(want ...uint64) {
	r.t.Helper()
	r.reset()
	r.memoryLink.mu.Lock()
	r.memoryLink.abandoned = nil
	r.memoryLink.mu.Unlock()
	time.Sleep(2*r.cfg.Heartbeat + time.Second)
	synctest.Wait()
	got := map[uint64]int{}
	for _, c := range r.memoryLink.abandoned {
		got[c.Number]++
	}
	for _, n := range want {
		if got[n] == 0 {
			r.t.Errorf("snapshot %d is not told of: %v", n, got)
		}
	}
	if len(got) != len(want) {
		r.t.Errorf("told of %v, want %v", got, want)
	}
}

// TestAbandonedTakeTurns tells more than a record holds.
func TestAbandonedTakeTurns(t *testing.T) {
	var a abandoned
	for n := range uint64(600) {
		a.add(protocol.Context{Source: "etc", Number: n + 1})
	}
	seen := map[uint64]bool{}
	for range 10 {
		r := a.record(4000)
		if n := protocol.AbandonedSize(&r); n > 4000 || len(r.Snapshots) == 0 {
			t.Fatalf("%d snapshots in %d bytes", len(r.Snapshots), n)
		}
		for _, c := range r.Snapshots {
			seen[c.Number] = true
		}
	}
	if len(seen) != 600 {
		t.Errorf("%d of 600 were told", len(seen))
	}
}

package main

import (
	"testing"
	"time"

	"weir/internal/config"
)

// TestFirst goes by the wall clock, which is set, and goes on while the host sleeps.
func TestFirst(t *testing.T) {
	sources := []config.Source{{Every: config.Duration(time.Hour)}, {Every: config.Duration(24 * time.Hour)}}
	start := time.Now()
	for _, c := range []struct {
		passed time.Duration // by the wall clock
		next   int
		wait   time.Duration
	}{
		{0, 0, time.Hour}, {50 * time.Minute, 0, 10 * time.Minute}, {9 * time.Hour, 0, -8 * time.Hour},
		{-time.Second, 0, 0}, {-1000 * time.Hour, 0, 0},
	} {
		due := []time.Time{start.Add(time.Hour), start.Add(24 * time.Hour)}
		now := start.Add(c.passed)
		next := first(due, sources, now)
		if wait := due[next].Sub(now.Round(0)); next != c.next || wait != c.wait {
			t.Errorf("%v later: %d in %v, want %d in %v", c.passed, next, wait, c.next, c.wait)
		}
	}
	// The clock was set back: the one that is due often does not keep the other waiting.
	due := []time.Time{start.Add(30 * time.Minute), start.Add(4 * 365 * 24 * time.Hour)}
	if next := first(due, sources, start); next != 1 {
		t.Errorf("%d is first", next)
	}
}

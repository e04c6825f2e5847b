package main

import (
	"testing"
	"time"
)

// TestDueIn goes by the wall clock, which is set and goes on while the host sleeps.
func TestDueIn(t *testing.T) {
	const every = time.Hour
	at := time.Now().Add(every)
	for passed, want := range map[time.Duration]time.Duration{
		0: every, 50 * time.Minute: 10 * time.Minute, every: 0, 9 * time.Hour: 0, -time.Second: 0, -1000 * time.Hour: 0,
	} {
		now := at.Add(passed - every).Round(0)
		if got := dueIn(at, now, every); got != want {
			t.Errorf("%v later: due in %v, want %v", passed, got, want)
		}
	}
}

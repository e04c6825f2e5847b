package pacing

import (
	"time"

	"golang.org/x/sys/unix"
)

// System is the machine's clock. Its Sleep is exact to some ten microseconds:
// time.Sleep, which is late by up to a millisecond, takes the bulk of a long
// sleep, clock_nanosleep(2) the rest.
type System struct{}

const (
	coarse   = 3 * time.Millisecond // sleeps longer than this begin with time.Sleep
	fineRest = 2 * time.Millisecond // and leave this much to clock_nanosleep
	tooShort = 5 * time.Microsecond // a call takes as long
)

// Now returns the time, with a monotonic reading.
func (System) Now() time.Time { return time.Now() }

// Sleep returns after d, or up to 5 us earlier.
func (System) Sleep(d time.Duration) {
	end := time.Now().Add(d)
	if d > coarse {
		time.Sleep(d - fineRest)
		d = time.Until(end)
	}
	for d > tooShort {
		ts := unix.NsecToTimespec(int64(d))
		if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil); err == nil {
			return
		}
		d = time.Until(end) // a signal came: the runtime sends them to preempt
	}
}

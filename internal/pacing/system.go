package pacing

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// System is the machine's clock. Its Sleep is exact to some ten microseconds:
// time.Sleep, which is late by up to a millisecond, takes the bulk of a long
// sleep, clock_nanosleep(2) the rest, of which the runtime is not told: it would look
// every 20 us whether the thread is back.
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
	if d > tooShort {
		// Others are woken up to 50 us late, so that they wake together (PR_SET_TIMERSLACK,
		// prctl(2)). That is said of a thread, and this may be another than the last time.
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	}
	for d > tooShort {
		ts := unix.NsecToTimespec(int64(d))
		if _, _, errno := unix.RawSyscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0); errno == 0 {
			return
		}
		d = time.Until(end) // a signal came: the runtime sends them to preempt
	}
}

// Package affinity keeps a goroutine on one CPU, so that above 10 Gbit/s the
// thread that serves a link shares neither the CPU of the network card's
// interrupts nor that of another link.
package affinity

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Pin keeps the calling goroutine on a thread of its own, and that thread on a CPU
// (sched_setaffinity(2)), from now on. Threads that are begun later are not bound.
// For a number below 0 it does nothing; those up to 1023 are CPUs.
func Pin(cpu int) error {
	if cpu < 0 {
		return nil
	}
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("keeping a thread on CPU %d: %w; /proc/self/status shows under Cpus_allowed_list which this host lets it have", cpu, err)
	}
	return nil
}

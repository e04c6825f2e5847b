package main

import (
	"os"
	"runtime"
)

// minThreads is how many threads run Go code at once, at the least: the one that
// owns the socket counts as running while the kernel holds it, so a host with one
// or two cores would leave one idle.
const minThreads = 3

// spareThread sees to it that a thread in the kernel keeps nobody from working. An
// operator who sets GOMAXPROCS knows better.
func spareThread() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(minThreads, runtime.GOMAXPROCS(0)))
	}
}

// ballastSize is memory of a sender that is never touched, so that none is taken. The
// garbage collector runs when the heap has doubled, and the heap is next to nothing:
// what the library of the parity throws away, 40 KB a block, would set it off every
// second or more often, and cost 1 to 3 % of the CPU time.
const ballastSize = 8 << 20

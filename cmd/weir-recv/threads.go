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
func spareThread(lanes int) {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(minThreads+lanes-1, runtime.GOMAXPROCS(0)))
	}
}

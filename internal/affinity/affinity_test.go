package affinity

import (
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// allowed returns the CPUs of the calling thread.
func allowed(t *testing.T) unix.CPUSet {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	return set
}

// TestPinBindsOneThread holds that a goroutine stays where it was put, and that no
// other is put there with it.
func TestPinBindsOneThread(t *testing.T) {
	before := allowed(t)
	last := 1023
	for !before.IsSet(last) {
		last--
	}
	var pinned, beside unix.CPUSet
	var wait sync.WaitGroup
	wait.Go(func() { // its thread ends with it
		runtime.LockOSThread()
		if err := Pin(last); err != nil {
			t.Error(err)
		}
		pinned = allowed(t)
		var other sync.WaitGroup
		other.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			beside = allowed(t)
		})
		other.Wait()
	})
	wait.Wait()
	if pinned.Count() != 1 || !pinned.IsSet(last) {
		t.Errorf("the thread may run on %d CPUs", pinned.Count())
	}
	if beside != before {
		t.Errorf("another thread may run on %d CPUs, %d before", beside.Count(), before.Count())
	}
	if err := Pin(-1); err != nil || allowed(t) != before {
		t.Errorf("no CPU in particular: %v", err)
	}
}

func TestPinTellsOfACPUThatIsNotThere(t *testing.T) {
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := Pin(1023); err == nil && runtime.NumCPU() < 1024 {
			t.Error("there is no such CPU, and nobody says so")
		}
	})
	wait.Wait()
}

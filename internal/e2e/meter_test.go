package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// meter follows the most memory that a program held. What wait4(2) tells would
// not do: it begins with the memory of whoever started the program.
type meter struct {
	peak atomic.Int64 // resident, in bytes
	done chan struct{}
}

// meterInterval is how often a meter looks; memory that grew in the last
// interval of a program is not seen.
const meterInterval = 20 * time.Millisecond

// watch follows a program that was started, until ended is called.
func watch(cmd *exec.Cmd) *meter {
	m := &meter{done: make(chan struct{})}
	go func() {
		for {
			select {
			case <-m.done:
				return
			case <-time.After(meterInterval):
				m.peak.Store(max(m.peak.Load(), highWater(cmd.Process.Pid)))
			}
		}
	}()
	return m
}

func (m *meter) ended() { close(m.done) }

// highWater returns VmHWM of proc_pid_status(5) in bytes, 0 of a program that has
// ended.
func highWater(pid int) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}

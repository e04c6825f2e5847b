//go:build amd64

package powercut

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// wall is the clock on the wall as some programs see it: the real one, and so many
// seconds ahead. The clock that nobody sets goes on as it is, as when somebody sets the
// time of a host. The programs are the ones that are shipped: what is changed is the
// piece of code that the kernel puts into each process for telling the time, vdso(7).
type wall struct {
	mu      sync.Mutex
	ahead   time.Duration
	holders map[int]int64 // of each process that runs, where the seconds stand
}

// tellTime is clock_gettime(clock, result): it asks the kernel, and adds the seconds that
// stand at aheadAt to CLOCK_REALTIME, which is 0.
var tellTime = []byte{
	0xb8, 0xe4, 0, 0, 0, // mov eax, 228
	0x0f, 0x05, //          syscall
	0x85, 0xff, //          test edi, edi
	0x75, 0x0a, //          jne ret
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov rcx, [rip+6]
	0x48, 0x01, 0x0e, //    add [rsi], rcx
	0xc3,       //          ret
	0x90, 0x90, // up to aheadAt
}

const (
	aheadAt        = 24
	atSysinfoEhdr  = 33 // getauxval(3)
	timeOfDay      = "__vdso_clock_gettime"
	mostOfTheVdso  = 64 << 10 // bytes
	auxvEntryBytes = 16
)

// start starts a program that sees this clock.
func (w *wall) start(cmd *exec.Cmd) error {
	runtime.LockOSThread() // ptrace(2) knows threads
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("waiting for %s to begin: %v, %w", cmd.Path, status, err)
	}
	if err := w.take(pid); err != nil {
		cmd.Process.Kill()
		return fmt.Errorf("giving %s another clock: %w", cmd.Path, err)
	}
	return syscall.PtraceDetach(pid)
}

// take changes a process that has not begun.
func (w *wall) take(pid int) error {
	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer mem.Close()
	at, err := findTime(pid, mem)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.holders == nil {
		w.holders = map[int]int64{}
	}
	w.holders[pid] = at + aheadAt
	_, err = mem.WriteAt(append(bytes.Clone(tellTime), w.seconds()...), at)
	return err
}

func (w *wall) seconds() []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(w.ahead/time.Second))
}

// findTime returns where the code is that tells the time.
func findTime(pid int, mem *os.File) (int64, error) {
	aux, err := os.ReadFile(fmt.Sprintf("/proc/%d/auxv", pid))
	if err != nil {
		return 0, err
	}
	for ; len(aux) >= auxvEntryBytes; aux = aux[auxvEntryBytes:] {
		if binary.LittleEndian.Uint64(aux) != atSysinfoEhdr {
			continue
		}
		base := int64(binary.LittleEndian.Uint64(aux[8:]))
		image := make([]byte, mostOfTheVdso)
		n, _ := mem.ReadAt(image, base) // it ends where nothing is mapped
		file, err := elf.NewFile(bytes.NewReader(image[:n]))
		if err != nil {
			return 0, err
		}
		symbols, err := file.DynamicSymbols()
		for _, s := range symbols {
			if s.Name == timeOfDay && int(s.Size) >= aheadAt+8 {
				return base + int64(s.Value), nil
			}
		}
		return 0, fmt.Errorf("no %s: %w", timeOfDay, err)
	}
	return 0, fmt.Errorf("no vdso")
}

// set moves the clock for all programs that run, and those that are started.
func (w *wall) set(ahead time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ahead = ahead
	for pid, at := range w.holders {
		mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_RDWR, 0)
		if err == nil && runs(pid) {
			_, err = mem.WriteAt(w.seconds(), at)
		}
		mem.Close()
		if err != nil && runs(pid) {
			return fmt.Errorf("setting the clock of process %d: %w", pid, err)
		}
	}
	return nil
}

// runs reports whether a process has not ended.
func runs(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	_, rest, _ := strings.Cut(string(data), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

package control

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Stream returns content that Close interrupts while it is read, where that may last:
// a pipe or a terminal, opened once more without waiting. Whoever shares the old
// descriptor notices nothing. What cannot be opened again is returned as it is.
func Stream(f *os.File) *os.File {
	if !waits(f) {
		return f
	}
	again, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return f
	}
	f.Close()
	return again
}

func waits(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if info.Mode()&os.ModeNamedPipe != 0 {
		return true
	}
	_, err = unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

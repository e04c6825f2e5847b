package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// describe writes what was measured on, in the lines of benchstat's configuration:
// what they say holds for the lines that follow.
func describe(w io.Writer) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	var memory unix.Sysinfo_t
	if err := unix.Sysinfo(&memory); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\ncpus: %d\nmemory: %.0f GiB\nkernel: %s\ngo: %s\n", runtime.GOOS, runtime.GOARCH,
		processor(), runtime.NumCPU(), float64(memory.Totalram)*float64(memory.Unit)/(1<<30), unix.ByteSliceToString(name.Release[:]), runtime.Version())
	return err
}

// processor returns what the kernel calls the first CPU.
func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

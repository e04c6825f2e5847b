// Package confinement takes from the running process what it does not need: the
// means to send, to start programs, to trace others, and every file outside of
// the named directories. The kernel holds these limits, for all threads, and
// nothing in the process can lift them again.
//
// The layers, each a Linux mechanism of its own:
//
//   - no_new_privs (prctl(2), PR_SET_NO_NEW_PRIVS)
//   - no core dumps, no tracing by others of the same user (PR_SET_DUMPABLE,
//     RLIMIT_CORE): the keys are in memory
//   - no capabilities (capabilities(7))
//   - landlock(7): files only below the named directories, no network ports
//   - seccomp(2): only the system calls of Allowed
package confinement

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	seccomp "github.com/elastic/go-seccomp-bpf"
	"github.com/landlock-lsm/go-landlock/landlock"
	llsys "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// ErrIncomplete is returned by Apply when a layer is missing that was asked for.
var ErrIncomplete = errors.New("the kernel lacks a layer of the confinement; use a kernel that has it, or set confinement = \"best-effort\"")

// Layer is one of the mechanisms and what became of it.
type Layer struct {
	Name  string
	Does  string // what is held, in words
	Error error  // why it is not in force, or nil
}

// String returns the layer as a line for an operator.
func (l Layer) String() string {
	if l.Error != nil {
		return fmt.Sprintf("%-17s MISSING: %v", l.Name, l.Error)
	}
	return fmt.Sprintf("%-17s %s", l.Name, l.Does)
}

// Apply confines the process for ever. It may read and write below the given
// directories, which are there, and use the descriptors that are open already.
// With strict, ErrIncomplete is returned if a layer is missing; what could be put
// in force is in force all the same.
func Apply(dirs []string, strict bool) ([]Layer, error) {
	layers := []Layer{
		{Name: "no-new-privileges", Does: "no program can gain privileges", Error: noNewPrivs()},
		{Name: "no-core-dumps", Does: "memory, which holds keys, is never dumped", Error: noDumps()},
		{Name: "no-capabilities", Does: "root's powers are given up", Error: dropCapabilities()},
		{Name: "landlock", Does: "files only below " + strings.Join(dirs, ", ") + "; no TCP", Error: restrictFiles(dirs)},
		{Name: "seccomp", Does: fmt.Sprintf("%d system calls, none that opens a socket, connects, sends, starts a program or traces", len(Allowed())), Error: filterCalls()},
	}
	for _, l := range layers {
		if l.Error != nil && strict {
			return layers, fmt.Errorf("%s: %w: %w", l.Name, l.Error, ErrIncomplete)
		}
	}
	return layers, nil
}

func noNewPrivs() error { return seccomp.SetNoNewPrivs() }

func noDumps() error {
	return errors.Join(
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0),
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}),
	)
}

func dropCapabilities() error { return cap.NewSet().SetProc() }

// restrictFiles lets renames and links go from one directory to another, which
// is how restore points are published. As much of landlock is used as the kernel
// has, but it must have it at all.
func restrictFiles(dirs []string) error {
	if v, err := llsys.LandlockGetABIVersion(); err != nil || v < minLandlock {
		return fmt.Errorf("version %d of landlock, %d is needed: %w", v, minLandlock, unix.ENOSYS)
	}
	// In one go: a second layer for the network alone would forbid the renames
	// again, which every layer does that does not name them.
	return landlock.V6.BestEffort().Restrict(landlock.RWDirs(dirs...).WithRefer())
}

// minLandlock is the first version that allows renames between directories.
const minLandlock = 2

// filterCalls refuses every system call that is not allowed, with EPERM. clone3
// is said not to be there, so that the C library falls back to clone.
func filterCalls() error {
	return seccomp.LoadFilter(seccomp.Filter{
		NoNewPrivs: true,
		Flag:       seccomp.FilterFlagTSync,
		Policy: seccomp.Policy{
			DefaultAction: seccomp.ActionErrno,
			Syscalls: []seccomp.SyscallGroup{
				{Names: names(), NamesWithCondtions: slices.Concat(threadsOnly, own), Action: seccomp.ActionAllow},
				{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
			},
		},
	})
}

// names are the system calls that are allowed with whatever arguments.
func names() []string {
	all := append([]string{}, allowed...)
	if runtime.GOARCH == "amd64" {
		all = append(all, allowedAMD64...)
	}
	return all
}

// Allowed returns the system calls that stay possible, as an operator reads them.
func Allowed() []string { return append(names(), "clone(CLONE_THREAD)", "sched_setaffinity(0)") }

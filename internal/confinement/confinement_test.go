package confinement

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A confined process stays confined, so each test runs in a process of its own:
// this program again, told by the environment what to do.
const tellDir = "WEIR_TEST_CONFINED"

func TestMain(m *testing.M) {
	if dir := os.Getenv(tellDir); dir != "" {
		os.Exit(confined(dir))
	}
	os.Exit(m.Run())
}

// confined confines itself to dir and prints what it can still do that it should
// not, and what it no longer can that it should.
func confined(dir string) int {
	sock, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err == nil {
		err = unix.Bind(sock, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	if err != nil {
		fmt.Println("preparing:", err)
		return 1
	}
	threads := newThreads(sock) // those that are there before count too
	layers, err := Apply([]string{dir}, false)
	if err != nil {
		fmt.Println("applying:", err)
		return 1
	}
	landlocked := false
	for _, l := range layers {
		landlocked = landlocked || l.Name == "landlock" && l.Error == nil
		if l.Error != nil && l.Name != "landlock" {
			fmt.Println(l)
		}
	}
	threads.tryAll()
	newThreads(sock).tryAll()
	tryForbidden(sock, "the main thread")
	if _, err := unix.Write(sock, []byte("x")); err == nil {
		fmt.Println("write to the socket is possible")
	}
	if _, err := os.ReadFile("/etc/passwd"); landlocked && err == nil {
		fmt.Println("files outside are readable")
	}
	if !landlocked {
		fmt.Println("note: this kernel has no landlock")
	}
	if err := work(dir); err != nil {
		fmt.Println("work is not possible:", err)
	}
	tryMissing(dir)
	return 0
}

// tryMissing applies the confinement once more, which is now a kernel that lacks
// layers: strict has to say which, best-effort has to go on and say so too.
func tryMissing(dir string) {
	if _, err := Apply([]string{dir}, true); !errors.Is(err, ErrIncomplete) {
		fmt.Println("strict goes on without a layer:", err)
	}
	layers, err := Apply([]string{dir}, false)
	missing := 0
	for _, l := range layers {
		if l.Error != nil && strings.Contains(l.String(), "MISSING") {
			missing++
		}
	}
	if err != nil || missing == 0 {
		fmt.Println("best-effort with layers missing:", missing, err)
	}
}

func tryForbidden(sock int, who string) {
	for name, call := range forbidden(sock) {
		if err := call(); !errors.Is(err, unix.EPERM) {
			fmt.Printf("%s is possible on %s: %v\n", name, who, err)
		}
	}
}

// threads are threads of the system that wait to be told to try what is forbidden.
type threads struct {
	try  chan struct{}
	done sync.WaitGroup
}

const threadCount = 4

func newThreads(sock int) *threads {
	t := &threads{try: make(chan struct{})}
	ready := make(chan int, threadCount)
	for range threadCount {
		t.done.Go(func() {
			runtime.LockOSThread() // each goroutine a thread of its own
			ready <- unix.Gettid()
			<-t.try
			tryForbidden(sock, fmt.Sprintf("thread %d", unix.Gettid()))
		})
	}
	ids := map[int]bool{}
	for range threadCount {
		ids[<-ready] = true
	}
	if len(ids) != threadCount {
		fmt.Println("these are not threads of their own:", ids)
	}
	return t
}

func (t *threads) tryAll() {
	close(t.try)
	t.done.Wait()
}

// fork makes a process, which ends at once.
func fork() error {
	pid, _, e := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if e != 0 {
		return e
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	return nil
}

// forbidden are calls that must fail with EPERM.
func forbidden(sock int) map[string]func() error {
	to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}
	raw := func(nr uintptr, args ...uintptr) func() error {
		return func() error {
			a := append(args, 0, 0, 0, 0, 0, 0)
			if _, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
				return e
			}
			return nil
		}
	}
	b := []byte("x")
	return map[string]func() error{
		"socket":            func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); return err },
		"unix socket":       func() error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
		"raw socket":        func() error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err },
		"connect":           func() error { return unix.Connect(sock, to) },
		"sendto":            func() error { return unix.Sendto(sock, b, 0, to) },
		"sendmsg":           func() error { return unix.Sendmsg(sock, b, nil, to, 0) },
		"sendmmsg":          raw(unix.SYS_SENDMMSG, uintptr(sock), 0, 0),
		"bind":              func() error { return unix.Bind(sock, to) },
		"accept":            raw(unix.SYS_ACCEPT4, uintptr(sock)),
		"listen":            func() error { return unix.Listen(sock, 1) },
		"socketpair":        func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0); return err },
		"setsockopt":        func() error { return unix.SetsockoptInt(sock, unix.SOL_SOCKET, unix.SO_BROADCAST, 1) },
		"sched_setaffinity": func() error { return unix.SchedSetaffinity(os.Getpid(), &unix.CPUSet{}) },
		"execveat":          raw(unix.SYS_EXECVEAT),
		"fork":              fork,
		"memfd_create":      raw(unix.SYS_MEMFD_CREATE),
		"pidfd_getfd":       raw(unix.SYS_PIDFD_GETFD),
		"io_uring_enter":    raw(unix.SYS_IO_URING_ENTER),
		"io_uring_register": raw(unix.SYS_IO_URING_REGISTER),
		"umount":            func() error { return unix.Unmount("/tmp", 0) },
		"pivot_root":        raw(unix.SYS_PIVOT_ROOT),
		"chroot":            func() error { return unix.Chroot("/") },
		"open_tree":         raw(unix.SYS_OPEN_TREE),
		"move_mount":        raw(unix.SYS_MOVE_MOUNT),
		"fsopen":            raw(unix.SYS_FSOPEN),
		"fsmount":           raw(unix.SYS_FSMOUNT),
		"mount_setattr":     raw(unix.SYS_MOUNT_SETATTR),
		"open_by_handle_at": raw(unix.SYS_OPEN_BY_HANDLE_AT),
		"mknod":             func() error { return unix.Mknod("/tmp/x", unix.S_IFBLK, 0) },
		"perf_event_open":   raw(unix.SYS_PERF_EVENT_OPEN),
		"userfaultfd":       raw(unix.SYS_USERFAULTFD),
		"process_vm_writev": raw(unix.SYS_PROCESS_VM_WRITEV),
		"vmsplice":          raw(unix.SYS_VMSPLICE),
		"tee":               raw(unix.SYS_TEE),
		"prctl":             func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
		"capset":            raw(unix.SYS_CAPSET),
		"setuid":            raw(unix.SYS_SETUID),
		"execve":            func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
		"ptrace":            raw(unix.SYS_PTRACE, unix.PTRACE_TRACEME),
		"process_vm":        raw(unix.SYS_PROCESS_VM_READV),
		"io_uring_setup":    raw(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&b[0]))),
		"mount":             func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
		"unshare":           func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"setns":             func() error { return unix.Setns(0, 0) },
		"bpf":               raw(unix.SYS_BPF),
		"keyctl":            raw(unix.SYS_KEYCTL),
		"kill":              func() error { return unix.Kill(1, 0) },
		"sendfile":          raw(unix.SYS_SENDFILE, uintptr(sock), 0),
		"splice":            raw(unix.SYS_SPLICE),
		"init_module":       raw(unix.SYS_INIT_MODULE),
		"reboot":            raw(unix.SYS_REBOOT),
		"settimeofday":      raw(unix.SYS_SETTIMEOFDAY),
	}
}

// work does what the vault does.
func work(dir string) error {
	sub := filepath.Join(dir, "sub")
	if err := os.MkdirAll(filepath.Join(sub, "a", "b"), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(sub, "f"), []byte("x"), 0o444); err != nil {
		return err
	}
	if err := os.Link(filepath.Join(sub, "f"), filepath.Join(sub, "a", "f")); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(sub, "a"), filepath.Join(dir, "a")); err != nil {
		return err
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	_, lerr := os.ReadDir(dir)
	var cpus unix.CPUSet
	if err := errors.Join(unix.SchedGetaffinity(0, &cpus), unix.SchedSetaffinity(0, &cpus)); err != nil {
		return err
	}
	return errors.Join(f.Sync(), unix.Syncfs(int(f.Fd())), os.Chmod(sub, 0o555), os.Chmod(sub, 0o755), os.RemoveAll(sub), lerr)
}

func TestConfinement(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), tellDir+"="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "note: ") {
			t.Log(line)
			continue
		}
		t.Error(line)
	}
}

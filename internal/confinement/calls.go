package confinement

import (
	seccomp "github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// allowed are the system calls of all architectures that weir-recv needs once its
// socket is open. Reading from a socket is among them, writing to one is not: the
// socket is not connected, so write(2) to it fails, and what would connect it or
// name an address is missing.
var allowed = []string{
	// The link.
	"recvmmsg", "getsockopt",

	// Files of the vault.
	"openat", "openat2", "close", "close_range", "read", "pread64", "readv", "write", "pwrite64", "writev", "lseek", "ftruncate",
	"fallocate", "fsync", "fdatasync", "syncfs", "sync_file_range", "fadvise64", "copy_file_range", "fstat", "newfstatat", "statx",
	"statfs", "fstatfs", "faccessat", "faccessat2", "readlinkat", "getdents64", "mkdirat", "unlinkat", "renameat", "renameat2",
	"linkat", "fchmod", "fchmodat", "fchmodat2", "utimensat", "flock", "fcntl", "ioctl", "dup", "dup3", "pipe2", "getcwd", "umask",

	// Memory, threads and time of the Go runtime.
	"mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "brk", "exit", "exit_group", "futex", "set_robust_list",
	"rseq", "set_tid_address", "sigaltstack", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "restart_syscall",
	"tgkill", "gettid", "getpid", "sched_yield", "sched_getaffinity", "nanosleep", "clock_nanosleep", "clock_gettime",
	"clock_getres", "gettimeofday", "timer_create", "timer_settime", "timer_delete", "setitimer", "epoll_create1", "epoll_ctl",
	"epoll_pwait", "eventfd2", "ppoll", "getrandom", "membarrier", "uname", "sysinfo", "getrusage", "prlimit64", "getuid", "geteuid",
	"getgid", "getegid", "capget",
}

// allowedAMD64 are the older forms that only this architecture has.
var allowedAMD64 = []string{
	"open", "stat", "lstat", "access", "readlink", "mkdir", "rmdir", "unlink", "rename", "link", "chmod", "poll", "epoll_wait",
	"getrlimit", "arch_prctl", "time", "pipe",
}

// own are calls that concern the calling thread alone.
var own = []seccomp.NameWithConditions{{
	Name:       "sched_setaffinity",
	Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.Equal, Value: 0}},
}}

// threadsOnly is clone(2) where it makes a thread: never a process, and so never
// a namespace with powers of its own either.
var threadsOnly = []seccomp.NameWithConditions{{
	Name:       "clone",
	Conditions: seccomp.ArgumentConditions{{Argument: 0, Operation: seccomp.BitsSet, Value: unix.CLONE_THREAD}},
}}

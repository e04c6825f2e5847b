package sender

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// procPath names a node for the calls that have no *at form. The kernel
// resolves it from the open directory, so long paths work too.
func (n *node) procPath() string {
	if n.dir == unix.AT_FDCWD {
		return n.name
	}
	b := append(make([]byte, 0, 32+len(n.name)), "/proc/self/fd/"...)
	b = append(strconv.AppendInt(b, int64(n.dir), 10), '/')
	return string(append(b, n.name...))
}

// machineXattrs belong to this machine and would be refused or wrong elsewhere.
var machineXattrs = []string{"security.selinux", "security.ima", "security.evm"}

// listSize is room for the names of a usual file; longer lists are asked for
// again.
const listSize = 1 << 10

// attributes are the extended attributes of a node.
type attributes struct {
	all  map[string][]byte
	left []string // names of those that are left out
	// bare says that there are none to read, as against some that could not be.
	bare bool
	at   int64 // the time of fileClock before they were asked for; 0 if they were not
}

// extend reads the extended attributes of a node at the time now of fileClock or later.
func (n *node) extend(most int, now int64) {
	n.ext = n.xattrs(most)
	n.ext.at = now
}

// extendAhead does so ahead of the walk. What takes more room, or could not be had, is
// left to the walk: many names are looked at ahead.
func (n *node) extendAhead(most int, now int64) {
	if n.extend(most, now); n.ext.left != nil {
		n.ext = attributes{}
	}
}

// xattrs returns the extended attributes of a node, as far as they can be read and
// have most bytes in all. File systems without them have none.
func (n *node) xattrs(most int) (a attributes) {
	list, err := n.listXattrs()
	if err != nil || len(list) == 0 {
		a.bare = err == nil || errors.Is(err, unix.ENOTSUP)
		return a
	}
	a.bare = true
	p := n.procPath()
	total, buf := 0, make([]byte, manifest.MaxXattr)
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if slices.Contains(machineXattrs, name) {
			continue
		}
		a.bare = false
		got, err := unix.Lgetxattr(p, name, buf)
		if errors.Is(err, unix.ENODATA) {
			continue // removed meanwhile
		}
		if err != nil || len(name) > manifest.MaxXattrName || total+len(name)+got > most {
			a.left = append(a.left, name)
			continue
		}
		total += len(name) + got
		if a.all == nil {
			a.all = map[string][]byte{}
		}
		a.all[name] = slices.Clone(buf[:got])
	}
	return a
}

// problemXattrs stands in manifests before the names.
const problemXattrs = "extended attributes left out: "

// leftOut tells of attributes that are not in the snapshot. An entry without content
// has no place for it: there a problem says that the content lacks.
func (s *snapshot) leftOut(e *manifest.Entry, names []string) {
	if len(names) == 0 {
		return
	}
	words := printable(problemXattrs + strings.Join(names, ", "))
	s.complain(e.Path, event.FileUnreadable, words)
	if e.Problem == "" && (e.Kind == manifest.Dir || e.Object != ([16]byte{})) {
		e.Problem = words
	}
}

// listXattrs returns the names, each with a NUL behind it.
func (n *node) listXattrs() ([]byte, error) {
	var room [listSize]byte
	list := room[:]
	size, err := n.llistxattr(list)
	if err == unix.ERANGE {
		list = make([]byte, manifest.MaxXattrNames) // more than that cannot be
		size, err = n.llistxattr(list)
	}
	if err != nil || size == 0 {
		return nil, err
	}
	return slices.Clone(list[:size]), nil
}

// olderKernel is set where the kernel has no listxattrat(2): it is there since Linux 6.13.
var olderKernel atomic.Bool

// llistxattr asks for the names from the open directory, which spares the kernel the way
// through procfs for every file.
func (n *node) llistxattr(list []byte) (int, error) {
	if !olderKernel.Load() {
		size, err := listxattrat(n.dir, n.name, list)
		if err != unix.ENOSYS && err != unix.EPERM { // what guards a container may say either
			return size, err
		}
		olderKernel.Store(err == unix.ENOSYS)
	}
	return unix.Llistxattr(n.procPath(), list)
}

// listxattrat lists the extended attributes of a name in an open directory (listxattrat(2)).
// It follows no symbolic link.
func listxattrat(dir int, name string, list []byte) (int, error) {
	p, err := unix.BytePtrFromString(name)
	if err != nil {
		return 0, err
	}
	size, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dir), uintptr(unsafe.Pointer(p)), unix.AT_SYMLINK_NOFOLLOW,
		uintptr(unsafe.Pointer(unsafe.SliceData(list))), uintptr(len(list)), 0)
	if errno != 0 {
		return 0, errno
	}
	return int(size), nil
}

// timed remembers of which devices the file systems move a file's change time
// when an attribute of it is set.
type timed map[uint64]bool

// timedKinds are the file systems that are known to (magic numbers of statfs(2)).
var timedKinds = []int64{unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.F2FS_SUPER_MAGIC}

func (t timed) covers(n *node) bool {
	known, ok := t[n.stat.Dev]
	if !ok {
		var st unix.Statfs_t
		known = unix.Statfs(n.procPath(), &st) == nil && slices.Contains(timedKinds, int64(st.Type))
		t[n.stat.Dev] = known
	}
	return known
}

// attributes returns the extended attributes of a file of the version v, of which
// known is what is remembered. It sets v.Bare where they need not be read again
// for as long as the version stands.
func (s *snapshot) attributes(n *node, v, known *version) attributes {
	timed := s.timed.covers(n)
	v.Bare = timed && known.Bare && known.sameFile(v)
	s.walker.extend.Store(!v.Bare) // those that follow are likely to be alike
	if v.Bare {
		return attributes{bare: true}
	}
	if n.ext.at == 0 {
		n.extend(s.xattrsMost, fileClock())
	}
	// An attribute that is set later must show.
	v.Bare = timed && n.ext.bare && v.settled(n.ext.at)
	return n.ext
}

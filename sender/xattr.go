package sender

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

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

// xattrs returns the extended attributes of a node that can be read. File
// systems without them have none. Bare says that there are none to read, as
// against some that could not be.
func (n *node) xattrs() (all map[string][]byte, bare bool) {
	p := n.procPath()
	list, err := listXattrs(p)
	if err != nil {
		return nil, errors.Is(err, unix.ENOTSUP)
	}
	if len(list) == 0 {
		return nil, true
	}
	bare = true
	total, buf := 0, make([]byte, manifest.MaxXattr)
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		if slices.Contains(machineXattrs, name) || len(name) > manifest.MaxXattrName {
			continue
		}
		bare = false
		got, err := unix.Lgetxattr(p, name, buf)
		if total += len(name) + max(got, 0); err != nil || total > manifest.MaxXattrs {
			continue
		}
		if all == nil {
			all = map[string][]byte{}
		}
		all[name] = slices.Clone(buf[:got])
	}
	return all, bare
}

// listXattrs returns the names, each with a NUL behind it.
func listXattrs(path string) ([]byte, error) {
	list := make([]byte, listSize)
	size, err := unix.Llistxattr(path, list)
	if errors.Is(err, unix.ERANGE) {
		list = make([]byte, manifest.MaxXattrNames) // more than that cannot be
		size, err = unix.Llistxattr(path, list)
	}
	if err != nil {
		return nil, err
	}
	return list[:size], nil
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
func (s *snapshot) attributes(n *node, v, known *version) map[string][]byte {
	timed := s.timed.covers(n)
	if v.Bare = timed && known.Bare && known.sameFile(v); v.Bare {
		return nil
	}
	now := fileClock() // before they are read: an attribute set later must show
	all, bare := n.xattrs()
	v.Bare = timed && bare && v.settled(now)
	return all
}

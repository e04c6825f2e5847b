package sender

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// owners translates user and group numbers into names, each once.
type owners struct {
	users, groups map[uint32]string
}

func newOwners() *owners { return &owners{users: map[uint32]string{}, groups: map[uint32]string{}} }

func (o *owners) user(id uint32) string {
	return remember(o.users, id, func(s string) (string, error) {
		u, err := user.LookupId(s)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (o *owners) group(id uint32) string {
	return remember(o.groups, id, func(s string) (string, error) {
		g, err := user.LookupGroupId(s)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// remember looks an id up once; one without a name has the name "".
func remember(names map[uint32]string, id uint32, look func(string) (string, error)) string {
	name, ok := names[id]
	if !ok {
		name, _ = look(strconv.FormatUint(uint64(id), 10))
		names[id] = name
	}
	return name
}

// entry returns the manifest entry of a node, without its content.
func (o *owners) entry(n *node) *manifest.Entry {
	e := &manifest.Entry{
		Path: n.path, Mode: n.stat.Mode & 0o7777, UID: n.stat.Uid, GID: n.stat.Gid,
		User: o.user(n.stat.Uid), Group: o.group(n.stat.Gid),
		ModTime: time.Unix(n.stat.Mtim.Unix()).UTC(),
	}
	switch n.kind() {
	case unix.S_IFDIR:
		e.Kind = manifest.Dir
	case unix.S_IFLNK:
		e.Kind = manifest.Symlink
	default:
		e.Kind, e.Size = manifest.File, n.stat.Size
	}
	return e
}

// procPath names a node for the calls that have no *at form. The kernel
// resolves it from the open directory, so long paths work too.
func (n *node) procPath() string {
	if n.dir == unix.AT_FDCWD {
		return n.name
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", n.dir, n.name)
}

// machineXattrs belong to this machine and would be refused or wrong elsewhere.
var machineXattrs = []string{"security.selinux", "security.ima", "security.evm"}

// xattrs returns the extended attributes of a node that can be read. File
// systems without them have none.
func (n *node) xattrs() map[string][]byte {
	p := n.procPath()
	size, err := unix.Llistxattr(p, nil)
	if err != nil || size <= 0 {
		return nil
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(p, list); err != nil {
		return nil
	}
	all := map[string][]byte{}
	total := 0
	for name := range strings.SplitSeq(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		if slices.Contains(machineXattrs, name) || len(name) > manifest.MaxXattrName {
			continue
		}
		value := make([]byte, manifest.MaxXattr)
		got, err := unix.Lgetxattr(p, name, value)
		if total += len(name) + max(got, 0); err != nil || total > manifest.MaxXattrs {
			continue
		}
		all[name] = slices.Clone(value[:got])
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// target reads a symbolic link.
func (n *node) target() (string, error) {
	buf := make([]byte, manifest.MaxTarget+1)
	size, err := unix.Readlinkat(n.dir, n.name, buf)
	if err != nil {
		return "", err
	}
	if size == 0 {
		return "", unix.EINVAL // some file systems in user space do that
	}
	return string(buf[:size]), nil
}

// fileClock returns the time that the kernel would stamp a change with now. It
// goes on in ticks of some milliseconds.
func fileClock() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &ts); err != nil {
		return 0 // nothing is settled then
	}
	return ts.Nano()
}

// fileVersion returns the version that a stat tells of.
func fileVersion(st *unix.Stat_t) version {
	return version{Size: st.Size, ModTime: st.Mtim.Nano(), ChangeTime: st.Ctim.Nano(), Inode: st.Ino, Device: st.Dev}
}

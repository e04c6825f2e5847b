package sender

import (
	"os/user"
	"strconv"
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

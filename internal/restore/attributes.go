package restore

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

const setID = unix.S_ISUID | unix.S_ISGID

// setAttributes sets owner, xattrs and mode of the file or directory fd, in
// this order: a change of owner clears setuid bits and file capabilities.
func setAttributes(fd int, e *manifest.Entry) error {
	owned, err := setOwner(fd, e)
	for name, value := range e.Xattrs {
		if xerr := unix.Fsetxattr(fd, name, value, 0); xerr != nil {
			err = errors.Join(err, fmt.Errorf("setting the xattr %q: %w", name, xerr))
		}
	}
	mode := e.Mode
	if !owned && e.Kind != manifest.Dir && mode&setID != 0 {
		mode &^= setID
		err = errors.Join(err, ErrSetID)
	}
	if merr := unix.Fchmod(fd, mode); merr != nil {
		err = errors.Join(err, fmt.Errorf("setting the mode: %w", merr))
	}
	return err
}

// setOwner says whether fd now has the owner and group of e. Only root can
// give files away, so for others it is no error if not.
func setOwner(fd int, e *manifest.Entry) (bool, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return false, fmt.Errorf("looking at the owner: %w", err)
	}
	if st.Uid == e.UID && st.Gid == e.GID {
		return true, nil
	}
	if os.Geteuid() == 0 {
		if err := unix.Fchown(fd, int(e.UID), int(e.GID)); err != nil {
			return false, fmt.Errorf("setting the owner: %w", err)
		}
		return true, nil
	}
	err := unix.Fchown(fd, -1, int(e.GID)) // works for groups that the user is in
	return err == nil && st.Uid == e.UID, nil
}

// setLinkAttributes sets owner, xattrs and time of the symlink name in dir.
func setLinkAttributes(dir int, name string, e *manifest.Entry) error {
	var err error
	if os.Geteuid() == 0 {
		if oerr := unix.Fchownat(dir, name, int(e.UID), int(e.GID), unix.AT_SYMLINK_NOFOLLOW); oerr != nil {
			err = fmt.Errorf("setting the owner: %w", oerr)
		}
	}
	if len(e.Xattrs) > 0 {
		err = errors.Join(err, setLinkXattrs(dir, name, e))
	}
	return errors.Join(err, setTime(dir, name, e))
}

// setLinkXattrs goes by /proc: there is no other way to name a symlink by a
// descriptor in a call for xattrs.
func setLinkXattrs(dir int, name string, e *manifest.Entry) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening the symlink: %w", err)
	}
	defer unix.Close(fd)
	for attr, value := range e.Xattrs {
		if xerr := unix.Setxattr(fmt.Sprintf("/proc/self/fd/%d", fd), attr, value, 0); xerr != nil {
			err = errors.Join(err, fmt.Errorf("setting the xattr %q: %w", attr, xerr))
		}
	}
	return err
}

// setTime sets the time of modification of name in dir; the time of access
// becomes the same. A symlink is not followed.
func setTime(dir int, name string, e *manifest.Entry) error {
	ts := unix.Timespec{Sec: e.ModTime.Unix(), Nsec: int64(e.ModTime.Nanosecond())}
	if err := unix.UtimesNanoAt(dir, name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("setting the time: %w", err)
	}
	return nil
}

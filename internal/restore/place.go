package restore

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// inode names a file whatever it is called.
type inode struct{ dev, ino uint64 }

func inodeAt(dir int, name string) (inode, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return inode{}, err
	}
	return inode{st.Dev, st.Ino}, nil
}

// free returns ErrExists if name is taken and may not be replaced: better known
// before a long copy than after it.
func (r *run) free(name string) error {
	var st unix.Stat_t
	err := unix.Fstatat(r.tree.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case missing(err):
		return nil
	case err != nil:
		return fmt.Errorf("looking whether the name is free: %w", err)
	case !r.o.Overwrite:
		return ErrExists
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		if err := unix.Unlinkat(r.tree.fd(), name, unix.AT_REMOVEDIR); err != nil {
			return fmt.Errorf("replacing the directory that stands there: %w", err)
		}
	}
	return nil
}

// place gives the finished file temp in the current directory its name.
func (r *run) place(temp, name string) error {
	dir := r.tree.fd()
	var err error
	if r.o.Overwrite {
		err = unix.Renameat(dir, temp, dir, name)
	} else {
		err = renameNew(dir, temp, name)
	}
	if errors.Is(err, unix.EEXIST) {
		return ErrExists
	}
	if err != nil {
		return fmt.Errorf("giving the file its name: %w", err)
	}
	return nil
}

// renameNew does not replace. File systems without such a rename get a look
// and a rename, with a moment between them.
func renameNew(dir int, temp, name string) error {
	err := unix.Renameat2(dir, temp, dir, name, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if _, err := inodeAt(dir, name); !missing(err) {
		return unix.EEXIST
	}
	return unix.Renameat(dir, temp, dir, name)
}

func (r *run) symlink(e *manifest.Entry, name string) error {
	dir, temp := r.tree.fd(), r.temp.next()
	if err := unix.Symlinkat(e.Target, dir, temp); err != nil {
		return fmt.Errorf("making the symlink: %w", err)
	}
	unset := setLinkAttributes(dir, temp, e)
	if err := r.place(temp, name); err != nil {
		unix.Unlinkat(dir, temp, 0)
		return err
	}
	r.unset(e.Path, unset)
	r.result.Symlinks++
	return nil
}

// hardlink gives a restored file a further name. If the file itself was not
// selected, its first selected link becomes the file.
func (r *run) hardlink(e *manifest.Entry, name string) error {
	o := r.plan.origins[e.Target]
	switch {
	case o == nil: // the manifest changed since it was planned
		return ErrOrigin
	case o.path != "":
		if err := r.link(o, name); err != nil {
			return err
		}
		r.result.Hardlinks++
		return nil
	case o.entry != nil:
		if err := r.content(o.entry, e.Path, name); err != nil {
			return err
		}
		return r.remember(o, e.Path, name)
	}
	return ErrOrigin
}

// remember notes under which name a file with hard links was restored.
func (r *run) remember(o *origin, path, name string) error {
	id, err := inodeAt(r.tree.fd(), name)
	if err != nil {
		return fmt.Errorf("looking at the file restored: %w", err)
	}
	o.path, o.inode = path, id
	return nil
}

// link makes the link under a temporary name and looks that it leads to the
// file that was restored, not to something put in its place.
func (r *run) link(o *origin, name string) error {
	path, base := split(o.path)
	from, err := r.reach(path)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOrigin, err)
	}
	defer unix.Close(from)
	dir, temp := r.tree.fd(), r.temp.next()
	if err := unix.Linkat(from, base, dir, temp, 0); err != nil {
		return fmt.Errorf("making the hard link: %w", err)
	}
	// A rename between two names of one file does nothing, so the temporary
	// name may be left over even after success.
	defer unix.Unlinkat(dir, temp, 0)
	if id, err := inodeAt(dir, temp); err != nil || id != o.inode {
		return errors.Join(ErrOrigin, err)
	}
	return r.place(temp, name)
}

// reach opens the directory path below the folder.
func (r *run) reach(path string) (int, error) {
	fd, err := unix.Openat(r.tree.levels[0].fd, ".", openDir, 0)
	if err != nil || path == "" {
		return fd, err
	}
	for start := 0; start < len(path); {
		end := start
		for end < len(path) && path[end] != '/' {
			end++
		}
		next, err := unix.Openat(fd, path[start:end], openDir, 0)
		unix.Close(fd)
		if err != nil {
			return -1, err
		}
		fd, start = next, end+1
	}
	return fd, nil
}

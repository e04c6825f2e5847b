package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// clearDir removes what is in dir. What lies there may be read-only, and deeper
// than a path can say: it was made from a manifest.
func clearDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := removeAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// removeAll removes a tree and follows no link. It holds one descriptor, however
// deep the tree is.
func removeAll(path string) error {
	err := unix.Unlink(path)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	fd, err := enterDir(unix.AT_FDCWD, path)
	if err != nil {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	var below []string // names of the directories on the way down
	for err == nil {
		var sub string
		if sub, err = emptyFiles(fd); err != nil {
			break
		}
		if sub != "" {
			fd, err = step(fd, sub)
			below = append(below, sub)
			continue
		}
		if len(below) == 0 {
			break
		}
		if fd, err = step(fd, ".."); err == nil {
			err = unix.Unlinkat(fd, below[len(below)-1], unix.AT_REMOVEDIR)
			below = below[:len(below)-1]
		}
	}
	unix.Close(fd)
	if err == nil {
		err = unix.Rmdir(path)
	}
	if err != nil {
		return &os.PathError{Op: "remove", Path: path + "/" + strings.Join(below[:min(len(below), 10)], "/"), Err: err}
	}
	return nil
}

// enterDir opens a directory in which names can be removed from now on.
func enterDir(at int, name string) (int, error) {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := unix.Fchmod(fd, 0o755); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// step goes from an open directory to another one.
func step(fd int, name string) (int, error) {
	next, err := enterDir(fd, name)
	if err != nil {
		return fd, err
	}
	unix.Close(fd)
	return next, nil
}

// emptyFiles removes what is no directory, and the directories that are empty. It
// returns the name of the first that is not.
func emptyFiles(fd int) (sub string, err error) {
	names, err := namesIn(fd)
	for _, name := range names {
		if err := unix.Unlinkat(fd, name, 0); err == nil {
			continue
		}
		err := unix.Unlinkat(fd, name, unix.AT_REMOVEDIR)
		if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			return name, nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", err
}

// namesIn lists an open directory, whose descriptor stays the caller's.
func namesIn(fd int) ([]string, error) {
	other, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(other), ".")
	defer f.Close()
	return f.Readdirnames(-1)
}

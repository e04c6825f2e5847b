package vault

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// disk is what the vault asks of the system when it writes. All that must
// happen in order, and may fail, goes through it, so that tests can make it fail.
type disk struct {
	writeAt func(f *os.File, p []byte, off int64) (int, error)
	create  func(path string, p []byte) error // a new file with this content, read-only
	sync    func(f *os.File) error
	syncAll func(f *os.File) error // the whole file system that f lies on
	// writeOut begins to write a range of f to the disk and does not wait for it.
	writeOut func(f *os.File, off, n int64) error
	// wrote waits for what is being written of f, and returns the first error of that
	// since f was opened, or since it was asked last.
	wrote func(f *os.File) error
	// forget lets go of the memory that a range of f takes, all from off on for 0, as
	// far as the disk has it.
	forget func(f *os.File, off, n int64)
	rename func(from, to string) error
	link   func(from string, dir int, name string) error
	point  func(name string) // a named point of the discipline is passed
}

func realDisk() disk {
	return disk{
		writeAt: func(f *os.File, p []byte, off int64) (int, error) { return f.WriteAt(p, off) },
		create:  createFile,
		sync:    func(f *os.File) error { return f.Sync() },
		syncAll: func(f *os.File) error { return unix.Syncfs(int(f.Fd())) },
		writeOut: func(f *os.File, off, n int64) error {
			return unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE)
		},
		wrote: func(f *os.File) error { return unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WAIT_BEFORE) },
		forget: func(f *os.File, off, n int64) {
			_ = unix.Fadvise(int(f.Fd()), off, n, unix.FADV_DONTNEED) // it stays in memory otherwise
		},
		rename: os.Rename,
		link: func(from string, dir int, name string) error {
			return unix.Linkat(unix.AT_FDCWD, from, dir, name, 0)
		},
		point: func(string) {},
	}
}

// createFile does without os.File: hundreds of thousands of small objects are made
// this way, and each would be offered to the runtime's poller first.
func createFile(path string, p []byte) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o444)
	if err != nil {
		return err
	}
	for off := 0; off < len(p) && err == nil; {
		var n int
		n, err = unix.Pwrite(fd, p[off:], int64(off))
		off += max(n, 0)
		if errors.Is(err, unix.EINTR) {
			err = nil
		}
	}
	if cerr := unix.Close(fd); err == nil {
		err = cerr
	}
	if err != nil {
		unix.Unlink(path)
	}
	return err
}

// syncPath syncs a file or directory by name.
func (d *disk) syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.sync(f); err != nil {
		return fmt.Errorf("syncing %s: %w", path, err)
	}
	return nil
}

// makeDir makes a directory with its parents and syncs the parent of each that
// is new, so that the name lasts.
func (d *disk) makeDir(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	parent := filepath.Dir(path)
	if err := d.makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	err := d.syncPath(parent)
	if err != nil {
		// Left there, it would be taken for one that lasts. It is empty, or others
		// count on it.
		os.Remove(path)
	}
	return err
}

// replace writes a small file so that after a crash either the old or the new
// content is there.
func (d *disk) replace(path string, data []byte, mode os.FileMode) error {
	tmp := path + newSuffix
	err := d.writeAnew(tmp, data, mode, d.sync)
	if err == nil {
		if err = d.rename(tmp, path); err != nil {
			os.Remove(tmp)
		}
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return d.syncPath(filepath.Dir(path))
}

// writeAnew writes a small file and syncs it in that way, or leaves none.
func (d *disk) writeAnew(path string, data []byte, mode os.FileMode, sync func(*os.File) error) error {
	f, err := createAnew(path, mode)
	if err != nil {
		return err
	}
	_, err = d.writeAt(f, data, 0)
	if err == nil {
		err = sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}

// unsynced is for what is synced later, with others.
func unsynced(*os.File) error { return nil }

// createAnew makes a file in the place of what a crash may have left there, which
// may be read-only: a process without root's powers cannot open that for writing.
func createAnew(path string, mode os.FileMode) (*os.File, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
}

// isFull reports whether an error says that there is no room.
func isFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

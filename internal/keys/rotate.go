package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Files beside a key's: the one that is to replace it, and the one it has replaced.
const (
	NextSuffix = ".next"
	OldSuffix  = ".old"
)

// Prepare has a key made beside the one at path, to take its place later; one that
// was made before is kept. A key that path has replaced must be gone (ErrExists).
func Prepare(path string, make func(path string) error) error {
	if _, err := os.Lstat(path + OldSuffix); !errors.Is(err, fs.ErrNotExist) && !sameFile(path, path+OldSuffix) {
		return errors.Join(ErrExists, err)
	}
	if err := make(path + NextSuffix); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	if err := copyOwner(path, path+NextSuffix); err != nil {
		return fmt.Errorf("giving the key %s its owner: %w", path+NextSuffix, err)
	}
	return nil
}

// copyOwner gives a file the owner of another: root may make a key for a service
// that runs as somebody else.
func copyOwner(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return os.Lchown(to, int(st.Uid), int(st.Gid))
}

// Switch puts the key that waits beside the one at path in its place. That one stays
// beside it, under OldSuffix. At every moment there is a whole key at path, and a
// change that was cut short goes on where it was.
func Switch(path string) error {
	if _, err := os.Lstat(path + NextSuffix); err != nil {
		return fmt.Errorf("changing over to the key %s: %w", path+NextSuffix, err)
	}
	if err := os.Link(path, path+OldSuffix); err != nil && !sameFile(path, path+OldSuffix) {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return fmt.Errorf("keeping the key %s: %w", path+OldSuffix, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("keeping the key %s: %w", path+OldSuffix, err)
	}
	if err := os.Rename(path+NextSuffix, path); err != nil {
		return fmt.Errorf("changing over to the key %s: %w", path+NextSuffix, err)
	}
	return syncDir(filepath.Dir(path))
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// Destroy overwrites a key file and removes it. What the disk keeps of what was
// overwritten is not in our hands. Where the file has another name, which is that of
// the present key if Switch was cut short, only this one goes.
func Destroy(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("removing the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err == nil && !shared(info) {
		_, err = f.Write(make([]byte, min(info.Size(), maxFile)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("removing the key %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func shared(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Nlink > 1
}

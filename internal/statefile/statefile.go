// Package statefile replaces small files so that a crash or a power cut leaves the
// old content or the new one, and the new one once the call has returned.
package statefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/renameio/v2"
)

// Replace puts a file of this content and mode, whatever the umask, in the place of
// the one at path, which need not be there. What it needs meanwhile lies beside it:
// a confined process may not write anywhere else. After an error the old file may
// be there or the new one, whole.
func Replace(path string, content []byte, mode fs.FileMode) error {
	return replace(path, content, mode, nil)
}

// Renew is Replace for a file that is there and keeps its mode and owner: the one
// who changes it may be another than the one who has to read it.
func Renew(path string, content []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("replacing a file: %w", err)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	return replace(path, content, info.Mode().Perm(), owner)
}

func replace(path string, content []byte, mode fs.FileMode, owner *syscall.Stat_t) error {
	err := put(path, content, mode, owner)
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return nil
}

func put(path string, content []byte, mode fs.FileMode, owner *syscall.Stat_t) error {
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(mode))
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if owner != nil {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	if _, err := f.Write(content); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// syncDir makes the names in a directory last. Tests let it fail.
var syncDir = func(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

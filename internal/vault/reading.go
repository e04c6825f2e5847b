package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrRead is returned for a restore point that somebody reads.
var ErrRead = errors.New("somebody restores or verifies it right now; it stays until the next prune")

// ErrRemoved is returned for what is not there any more when it was read.
var ErrRemoved = fmt.Errorf("it was removed or published while it was read: %w", fs.ErrNotExist)

// Hold keeps retention from removing a restore point while it is read, until done is
// called or the process ends. It returns ErrNotFound for one that was removed since it
// was looked up.
func (f Found) Hold() (done func(), err error) {
	dir, err := os.Open(f.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the snapshot: %w", err)
	}
	// Where the file system knows no such locks it is read without.
	if err != nil || errors.Is(unix.Flock(int(dir.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) || !exists(f.Dir) {
		dir.Close()
		return nil, fmt.Errorf("%s: %w", f.Ref(), ErrNotFound)
	}
	return func() { dir.Close() }, nil
}

// claim makes sure that nobody reads a restore point that is to be removed, nor
// begins to.
func (v *Vault) claim(s Snapshot) (done func(), err error) {
	dir, err := os.Open(v.point(s))
	if err != nil {
		return nil, err
	}
	if errors.Is(unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		dir.Close()
		return nil, ErrRead
	}
	return func() { dir.Close() }, nil
}

package vault

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// How much is written, or how long, between two looks at the free space.
const (
	spaceBytes = 64 << 20
	spaceEvery = time.Second
)

// spaceWatch keeps new data from filling the disk up.
type spaceWatch struct {
	dir     string
	minFree int64
	written int64
	looked  time.Time
	err     error
}

// ask returns ErrSpace when n more bytes would leave less than the reserve.
func (w *spaceWatch) ask(n int) error {
	w.written += int64(n)
	if w.written < spaceBytes && time.Since(w.looked) < spaceEvery {
		return w.err
	}
	need := w.minFree + int64(n)
	if w.err != nil {
		need += max(spaceBytes, w.minFree/16) // not to begin and stop every second
	}
	w.written, w.looked, w.err = 0, time.Now(), nil
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil {
		return nil // the write itself will tell
	}
	if free := int64(st.Bavail) * st.Bsize; free < need {
		w.err = fmt.Errorf("%d bytes are free, min_free is %d: %w", free, w.minFree, ErrSpace)
	} else if st.Files > 0 {
		w.err = inodesLeft(st.Ffree, st.Files)
	}
	return w.err
}

// inodeReserve is the share of a file system's inodes that new data must leave
// free, in percent.
const inodeReserve = 1

// inodes returns ErrSpace when few inodes are left. File systems that make them
// as they go have no number.
func (w *spaceWatch) inodes() error {
	var st unix.Statfs_t
	if err := unix.Statfs(w.dir, &st); err != nil || st.Files == 0 {
		return nil // what comes next will tell
	}
	return inodesLeft(st.Ffree, st.Files)
}

func inodesLeft(free, all uint64) error {
	if free/inodeReserve < all/100 {
		return fmt.Errorf("%d of %d inodes are free: %w", free, all, ErrSpace)
	}
	return nil
}

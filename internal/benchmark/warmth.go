package main

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// warmMore is what a run takes beside the file: socket buffer and blocks.
	warmMore = 1 << 30
	// feedEvery and feedLead: how often memory is given, and how much of it ahead of
	// what the run has stored.
	feedEvery = 10 * time.Millisecond
	feedLead  = 768 << 20
)

// warmth is memory that the machine holds ready. A virtual machine gives free
// memory back to its host within seconds, and what it gets anew costs several
// times what is measured here. So a file is held before each run, and cut shorter
// as the run stores something.
type warmth struct {
	file *os.File
	dir  string
	size int64
	used int64 // of the file system, by others, when the run began
}

// usedBytes returns what the file system of a directory holds.
func usedBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, nil
}

// warm makes as much memory warm as a run writes.
func (b *bench) warm() (w *warmth, err error) {
	w = &warmth{dir: b.place.dir, size: int64(b.opt.size) + warmMore}
	if w.used, err = usedBytes(w.dir); err != nil {
		return nil, err
	}
	if w.file, err = os.Create(b.place.path("warm")); err != nil {
		return nil, err
	}
	os.Remove(w.file.Name()) // it goes when it is closed
	block := make([]byte, 4<<20)
	for at := int64(0); at < w.size; at += int64(len(block)) {
		if _, err := w.file.Write(block); err != nil {
			return nil, errors.Join(err, w.file.Close())
		}
	}
	return w, nil
}

// feed gives the memory away, until nothing is left or the run is over.
func (w *warmth) feed(ctx context.Context) {
	for left := w.size; left > 0; {
		used, err := usedBytes(w.dir)
		if err != nil {
			return
		}
		stored := used - w.used - left
		if next := max(w.size-feedLead-stored, 0); next < left {
			left = next
			if w.file.Truncate(left) != nil {
				return // the run is over and the file closed
			}
		}
		select {
		case <-time.After(feedEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (w *warmth) close() { w.file.Close() }

package vault

import "fmt"

const (
	// window is how much of a large object is handed to the disk at once, in bytes.
	window = 8 << 20
	// behind is how much must have come after a window before it is let go of, in
	// bytes. By then the disk mostly has it; what it does not have stays in memory.
	behind = 8 * window
)

// writeback follows the bytes of a large object to the disk while more of it comes.
// Its sync at the end is short then, and the host's memory stays with what others
// keep in it. Nobody waits for the disk here: memory is what takes up a disk that
// stands still for a while, as the sender cannot be told to.
//
// Nothing is preallocated. How large an object is comes after its bytes, so it could
// only be guessed; what is handed over in windows lies in large pieces all the same (1
// GiB in 5 on ext4, 1 on xfs), and was written faster than into room from fallocate(2).
type writeback struct {
	end    int64 // of the run of bytes that is written
	handed int64 // up to here it is on its way to the disk
	kept   int64 // from here on it is in memory
}

// writeBack notes that the bytes up to end were written from off on, and hands over
// each window that is full. An error counts as that of a sync: which of the bytes
// are on the disk is unknown.
func (v *Vault) writeBack(o *object, off, end int64) error {
	w := &o.out
	if off > w.end || end < w.kept {
		*w = writeback{off, off, off} // another run; what is left of the last one is for the sync
	}
	for w.end = max(w.end, end); w.end-w.handed >= window; w.handed += window {
		if err := v.disk.writeOut(o.file, w.handed, window); err != nil {
			v.revert(o)
			return fmt.Errorf("writing object %v out: %w", o.key.id, err)
		}
		if w.handed-w.kept >= behind {
			v.disk.forget(o.file, w.kept, window)
			w.kept += window
		}
	}
	return nil
}

package sender

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// uncachedFrom is from which size a file is read without leaving it in memory.
	uncachedFrom = 8 << 20
	// forgetEvery is after how many bytes a kernel that cannot read so is told to let
	// go of what was read.
	forgetEvery = 8 << 20
)

// uncached reads a large file once and leaves the host's memory to what others keep
// in it. What was in memory before stays there (RWF_DONTCACHE, preadv2(2), since
// Linux 6.14); elsewhere it goes too (posix_fadvise(2)).
type uncached struct {
	*os.File
	plain bool  // the kernel or the file system cannot
	kept  int64 // from here on it may be in memory
}

// reading returns what a file of that size is best read through.
func reading(f *os.File, size int64) io.ReaderAt {
	if size < uncachedFrom {
		return f
	}
	return &uncached{File: f}
}

// ReadAt reads as os.File does.
func (u *uncached) ReadAt(p []byte, off int64) (n int, err error) {
	for !u.plain && n < len(p) {
		got, err := unix.Preadv2(int(u.Fd()), [][]byte{p[n:]}, off+int64(n), unix.RWF_DONTCACHE)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
			u.plain = true
		case err != nil:
			return n, err
		case got == 0:
			return n, io.EOF
		}
		n += max(got, 0)
	}
	if n == len(p) {
		return n, nil
	}
	rest, err := u.File.ReadAt(p[n:], off+int64(n))
	u.forget(off + int64(n+rest))
	return n + rest, err
}

// forget lets go of what was read up to end.
func (u *uncached) forget(end int64) {
	if end-u.kept >= forgetEvery {
		_ = unix.Fadvise(int(u.Fd()), u.kept, end-u.kept, unix.FADV_DONTNEED) // it stays in memory otherwise
		u.kept = end
	}
}

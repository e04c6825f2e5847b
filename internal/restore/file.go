package restore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// bufferSize is how much of a file is read at a time, in bytes.
const bufferSize = 1 << 20

// file restores e under name in the current directory.
func (r *run) file(e *manifest.Entry, name string) error {
	if err := r.content(e, e.Path, name); err != nil {
		return err
	}
	if o := r.plan.origins[e.Path]; o != nil {
		return r.remember(o, e.Path, name)
	}
	return nil
}

// content restores the file e as path, whose last name is name. Both differ
// from e's own where a hard link stands for a file that was not selected.
func (r *run) content(e *manifest.Entry, path, name string) error {
	src, err := r.open(e)
	if err != nil {
		return err
	}
	if src != nil {
		defer src.Close()
	}
	dir, temp := r.tree.fd(), r.temp.next()
	fd, err := unix.Openat(dir, temp, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("making the file: %w", err)
	}
	dst := os.NewFile(uintptr(fd), path)
	err = r.copy(dst, src, e)
	var unset error
	if err == nil {
		unset = setAttributes(fd, e)
	}
	if cerr := dst.Close(); err == nil && cerr != nil {
		err = fmt.Errorf("closing the file: %w", cerr)
	}
	if err == nil {
		unset = errors.Join(unset, setTime(dir, temp, e))
		err = r.place(temp, name)
	}
	if err != nil {
		return r.discard(temp, name, err)
	}
	r.unset(path, unset)
	r.problem(e, path)
	r.result.Files++
	r.result.Bytes += e.Size
	return nil
}

// open returns the content of e, or nil if it is empty.
func (r *run) open(e *manifest.Entry) (*os.File, error) {
	if e.Object == [16]byte{} {
		if e.Problem != "" {
			return nil, fmt.Errorf("%w: %s", ErrNoContent, e.Problem)
		}
		return nil, nil
	}
	src, err := r.o.Open(e)
	if err != nil {
		return nil, fmt.Errorf("opening the stored content: %w", err)
	}
	return src, nil
}

// discard removes what could not be finished, or keeps it as partial.
func (r *run) discard(temp, name string, err error) error {
	dir := r.tree.fd()
	if r.o.Partial && errors.Is(err, ErrDamaged) {
		kept := r.place(temp, name+PartialSuffix)
		if kept == nil {
			return fmt.Errorf("%w; kept as %q", err, name+PartialSuffix)
		}
		err = errors.Join(err, kept)
	}
	unix.Unlinkat(dir, temp, 0)
	return err
}

// copy writes the content of src, which must have the size and the SHA-256
// that e says. ErrDamaged means that dst holds what there was.
func (r *run) copy(dst, src *os.File, e *manifest.Entry) error {
	if src == nil {
		return nil
	}
	if r.buffer == nil {
		r.buffer = make([]byte, bufferSize)
	}
	if e.Plain > 0 && !r.o.Encrypted {
		return r.unseal(dst, src, e)
	}
	sum := sha256.New()
	w := sparse{dst: dst, holes: e.Holes}
	if err := r.pump(&w, src, sum, e.Size); err != nil {
		return err
	}
	if err := dst.Truncate(w.at); err != nil {
		return fmt.Errorf("setting the size: %w", err)
	}
	if w.at != e.Size {
		return fmt.Errorf("%w: it has %d bytes, not %d", ErrDamaged, w.at, e.Size)
	}
	if [32]byte(sum.Sum(nil)) != e.SHA256 {
		return fmt.Errorf("%w: its SHA-256 is another", ErrDamaged)
	}
	return nil
}

// pump copies to the end of src or one byte beyond size.
func (r *run) pump(w *sparse, src io.Reader, sum hash.Hash, size int64) error {
	src = io.LimitReader(src, size+1)
	for {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		n, err := src.Read(r.buffer)
		sum.Write(r.buffer[:n])
		if werr := w.write(r.buffer[:n]); werr != nil {
			return fmt.Errorf("writing: %w", werr)
		}
		if r.o.Progress != nil && n > 0 {
			r.o.Progress(int64(n))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: reading it: %w", ErrDamaged, err)
		}
	}
}

// sparse writes a file and leaves out zeros where the manifest has holes. What
// is not zero is written wherever it stands: the hash decides, not the holes.
type sparse struct {
	dst   io.WriterAt
	holes [][2]int64
	at    int64
}

func (s *sparse) write(b []byte) error {
	for len(b) > 0 {
		n, hole := s.stretch(len(b))
		if !hole || !zero(b[:n]) {
			if _, err := s.dst.WriteAt(b[:n], s.at); err != nil {
				return err
			}
		}
		s.at += int64(n)
		b = b[n:]
	}
	return nil
}

// stretch returns how many of the next n bytes lie together inside or outside
// a hole.
func (s *sparse) stretch(n int) (int, bool) {
	for len(s.holes) > 0 && s.holes[0][0]+s.holes[0][1] <= s.at {
		s.holes = s.holes[1:]
	}
	if len(s.holes) == 0 {
		return n, false
	}
	start, end := s.holes[0][0], s.holes[0][0]+s.holes[0][1]
	if s.at < start {
		return int(min(int64(n), start-s.at)), false
	}
	return int(min(int64(n), end-s.at)), true
}

var zeros [64 << 10]byte

func zero(b []byte) bool {
	for len(b) > len(zeros) {
		if !bytes.Equal(b[:len(zeros)], zeros[:]) {
			return false
		}
		b = b[len(zeros):]
	}
	return bytes.Equal(b, zeros[:len(b)])
}

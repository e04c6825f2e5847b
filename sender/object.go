package sender

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
	"weir/protocol"
)

// maxHoles returns how many holes of a file are left out; those beyond are sent
// as zeros. An End record must fit a block with them.
func maxHoles(full protocol.Geometry) int {
	const holeSize = 16
	return min(manifest.MaxHoles, protocol.MaxHoles, full.DataBytes()/2/holeSize)
}

// object is the content of one file on its way: it is read once, into the
// block and the hash.
type object struct {
	id    protocol.ObjectID
	size  int64 // bytes read so far, holes included
	hash  hash.Hash
	holes []protocol.Range
	raw   bool // not worth compressing
	again bool // it was sent before
}

func newObject(id protocol.ObjectID) *object { return &object{id: id, hash: sha256.New()} }

// idRun is how many objects in a row share the first byte of their ids. The vault
// keeps objects in directories by that byte, and files made one after the other
// in one directory lie together on the disk.
const idRun = 4096

// newID returns the id of a new object.
func (s *snapshot) newID() (id protocol.ObjectID) {
	rand.Read(id[:])
	if s.ids%idRun == 0 {
		s.idPrefix = id[0]
	}
	s.ids++
	id[0] = s.idPrefix
	return id
}

func (o *object) end() *protocol.End {
	e := &protocol.End{Object: o.id, Size: uint64(o.size), Holes: o.holes}
	o.hash.Sum(e.SHA256[:0])
	return e
}

// zeros is what holes are hashed as.
var zeros [64 << 10]byte

// skip counts n bytes of a hole. Hashing a large one takes a while.
func (o *object) skip(ctx context.Context, n int64) error {
	if n > 0 {
		o.holes = append(o.holes, protocol.Range{Offset: uint64(o.size), Length: uint64(n)})
	}
	for end := o.size + n; o.size < end; {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := min(end-o.size, int64(len(zeros)))
		o.hash.Write(zeros[:part])
		o.size += part
	}
	return nil
}

// sendFile sends size bytes of f, without its holes. A file that is shorter now
// ends early; the caller sees that in o.size.
func (s *snapshot) sendFile(ctx context.Context, f *os.File, size int64, sparse bool, o *object) error {
	from := reading(f, size)
	for o.size < size {
		start, end := o.size, size
		if sparse && len(o.holes) < maxHoles(s.packer.t.full) {
			start, end = nextData(f, o.size, size)
		}
		if err := o.skip(ctx, start-o.size); err != nil {
			return err
		}
		if start == end {
			continue
		}
		n, err := s.sendRange(ctx, io.NewSectionReader(from, start, end-start), end-start, o)
		if err != nil || n < end-start {
			return err
		}
	}
	return nil
}

// nextData returns the next run of data at or after off (lseek(2), SEEK_DATA).
// Where the file system cannot tell, all is data.
func nextData(f *os.File, off, size int64) (start, end int64) {
	start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return size, size // a hole up to the end
	}
	if err != nil || start > size {
		return off, size
	}
	end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
	if err != nil || end > size || end <= start {
		end = size
	}
	return start, end
}

// sendRange reads up to want bytes from r straight into blocks. It returns how
// many there were.
func (s *snapshot) sendRange(ctx context.Context, r io.Reader, want int64, o *object) (done int64, err error) {
	if s.squeezer != nil && !o.raw {
		return s.sendSqueezed(ctx, r, want, o)
	}
	for done < want {
		place, err := s.packer.data(ctx, o.id, o.size, want-done)
		if err != nil {
			return done, err
		}
		n, rerr := readHashed(r, place, o.hash)
		s.packer.filled(o.id, o.size, n)
		o.size += int64(n)
		done += int64(n)
		s.progress(int64(n))
		if errors.Is(rerr, io.EOF) || errors.Is(rerr, io.ErrUnexpectedEOF) {
			return done, nil
		}
		if rerr != nil {
			return done, &readError{rerr}
		}
	}
	return done, nil
}

// readStep is how much is read at once, in bytes: the hash takes it while the
// processor's cache still holds it.
const readStep = 1 << 20

// readHashed fills place from r, and the hash with it. It returns io.EOF or
// io.ErrUnexpectedEOF where r has less.
func readHashed(r io.Reader, place []byte, h hash.Hash) (n int, err error) {
	for n < len(place) && err == nil {
		var got int
		got, err = io.ReadFull(r, place[n:min(n+readStep, len(place))])
		h.Write(place[n : n+got])
		n += got
	}
	return n, err
}

// readError is trouble with a source file, as against trouble with the link.
type readError struct{ error }

func (e *readError) Unwrap() error { return e.error }

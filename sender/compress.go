package sender

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"weir/protocol"
)

const (
	// squeezeChunk is how much content one Compressed record holds at most, in
	// bytes. A lost symbol costs the whole of it.
	squeezeChunk = 256 << 10
	// squeezeLeast is the least that is worth trying.
	squeezeLeast = 256
	// sampleSize is how much of a chunk is tried before the whole.
	sampleSize = 32 << 10
	// gainPercent is what compression must save to be used.
	gainPercent = 5
	// pauseMost is how many chunks of content that does not compress go by, at
	// most, before it is tried again.
	pauseMost = 15
)

// squeezersMost is how many chunks are compressed at once, at most. One processor
// compresses some 200 MB/s.
const squeezersMost = 4

// squeezer compresses content on its way into blocks, where that gains something:
// several chunks at once, while they are read and sent in order.
type squeezer struct {
	zip    *zstd.Encoder
	chunks []*piece // a ring
	first  int      // of those that are under way
	n      int      // how many are
	frame  []byte   // of what is compressed on the spot
	skip   int      // chunks that are not tried
	pause  int      // how many were not tried the last time
	trying int      // how many are tried now
}

// piece is a chunk of content on its way.
type piece struct {
	plain, frame []byte // frame has no bytes where compressing gains nothing
	read         int    // bytes of plain
	err          error  // of reading what follows
	tried        bool
	done         chan struct{} // has room for one
}

// newSqueezer returns a squeezer for blocks that hold full bytes of records. A
// record must fit a block with room to spare.
func newSqueezer(full int) (*squeezer, error) {
	size := max(alignment, min(squeezeChunk, full/4/alignment*alignment))
	width := min(squeezersMost, runtime.GOMAXPROCS(0))
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(width),
		zstd.WithWindowSize(squeezeChunk), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("preparing to compress: %w", err)
	}
	q := &squeezer{zip: zip, frame: make([]byte, 0, size+size/8)}
	for range width {
		q.chunks = append(q.chunks, &piece{plain: make([]byte, size), frame: make([]byte, 0, size+size/8), done: make(chan struct{}, 1)})
	}
	return q, nil
}

// begin forgets what was learned of the object before.
func (q *squeezer) begin() { q.skip, q.pause = 0, 0 }

// read reads up to want bytes into the next chunk, of which one must be free, and
// begins to compress it. It reports whether there may be more.
func (q *squeezer) read(r io.Reader, want int64, h hash.Hash) (int64, bool) {
	c := q.chunks[(q.first+q.n)%len(q.chunks)]
	q.n++
	c.read, c.err = readHashed(r, c.plain[:min(int64(len(c.plain)), want)], h)
	if c.tried = q.worthwhile(c.read); c.tried {
		q.trying++
		go func() {
			c.frame = squeezed(q.zip, c.plain[:c.read], c.frame)
			c.done <- struct{}{}
		}()
	}
	return int64(c.read), c.err == nil
}

// next returns the oldest chunk, valid until the next call of read, and its frame,
// nil where it goes as it is.
func (q *squeezer) next() (c *piece, frame []byte) {
	c = q.chunks[q.first]
	q.first, q.n = (q.first+1)%len(q.chunks), q.n-1
	if !c.tried {
		return c, nil
	}
	<-c.done
	q.trying--
	return c, q.learned(c.frame)
}

// settle waits until nothing is under way any more.
func (q *squeezer) settle() {
	for q.n > 0 {
		q.next()
	}
}

// squeeze returns p compressed, valid until the next call, or nil where that
// gains too little.
func (q *squeezer) squeeze(p []byte) []byte {
	if !q.worthwhile(len(p)) {
		return nil
	}
	q.frame = squeezed(q.zip, p, q.frame)
	return q.learned(q.frame)
}

// worthwhile reports whether to try n bytes. After a pause one try must have
// succeeded before there is another.
func (q *squeezer) worthwhile(n int) bool {
	if n < squeezeLeast || q.pause > 0 && q.trying > 0 {
		return false
	}
	if q.skip > 0 {
		q.skip--
		return false
	}
	return true
}

// learned draws the conclusion from a try. It returns the frame, nil for none.
func (q *squeezer) learned(frame []byte) []byte {
	if len(frame) == 0 {
		q.pause = min(2*q.pause+1, pauseMost)
		q.skip = q.pause
		return nil
	}
	q.pause = 0
	return frame
}

// squeezed compresses p into the memory of frame. It returns an empty slice where
// that gains too little.
func squeezed(zip *zstd.Encoder, p, frame []byte) []byte {
	if len(p) > 2*sampleSize {
		middle := p[len(p)/2-sampleSize/2:][:sampleSize]
		if frame = zip.EncodeAll(middle, frame[:0]); !gains(frame, middle) {
			return frame[:0]
		}
	}
	if frame = zip.EncodeAll(p, frame[:0]); !gains(frame, p) {
		return frame[:0]
	}
	return frame
}

func gains(frame, plain []byte) bool {
	return (len(frame)+protocol.CompressedHeaderSize)*100 <= len(plain)*(100-gainPercent)
}

// sendSqueezed is sendRange for content that may go out compressed.
func (s *snapshot) sendSqueezed(ctx context.Context, r io.Reader, want int64, o *object) (done int64, err error) {
	q := s.squeezer
	q.begin()
	defer q.settle()
	for read, more := int64(0), true; done < want; {
		for more && read < want && q.n < len(q.chunks) {
			var n int64
			n, more = q.read(r, want-read, o.hash)
			read += n
		}
		c, frame := q.next()
		if err := s.sendChunk(ctx, o, c.plain[:c.read], frame); err != nil {
			return done, err
		}
		done += int64(c.read)
		s.progress(int64(c.read))
		if errors.Is(c.err, io.EOF) || errors.Is(c.err, io.ErrUnexpectedEOF) {
			return done, nil
		}
		if c.err != nil {
			return done, &readError{c.err}
		}
	}
	return done, nil
}

// sendChunk puts content into blocks, compressed if that gains something. Where a
// block has no room for all of it, the room is filled with plain content.
func (s *snapshot) sendChunk(ctx context.Context, o *object, p, frame []byte) error {
	for len(p) > 0 {
		if frame != nil {
			c := &protocol.Compressed{Object: o.id, Offset: uint64(o.size), Length: uint32(len(p)), Frame: frame}
			put, err := s.packer.compressed(ctx, c)
			if err != nil {
				return err
			}
			if put {
				o.size += int64(len(p))
				return nil
			}
		}
		var err error
		if p, err = s.sendPlain(ctx, o, p); err != nil {
			return err
		}
		if frame != nil {
			frame = s.squeezer.squeeze(p)
		}
	}
	return nil
}

// sendPlain puts what the block has room for into a Data record and returns the
// rest.
func (s *snapshot) sendPlain(ctx context.Context, o *object, p []byte) ([]byte, error) {
	place, err := s.packer.data(ctx, o.id, o.size, int64(len(p)))
	if err != nil {
		return nil, err
	}
	n := copy(place, p)
	s.packer.filled(o.id, o.size, n)
	o.size += int64(n)
	return p[n:], nil
}

package sender

import (
	"context"
	"errors"
	"fmt"
	"io"

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

// squeezer compresses content on its way into blocks, where that gains something.
type squeezer struct {
	zip   *zstd.Encoder
	chunk []byte // content
	frame []byte
	skip  int // chunks that are not tried
	pause int // how many were not tried the last time
}

// newSqueezer returns a squeezer for blocks that hold full bytes of records. A
// record must fit a block with room to spare.
func newSqueezer(full int) (*squeezer, error) {
	size := min(squeezeChunk, full/4/alignment*alignment)
	zip, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(squeezeChunk), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("preparing to compress: %w", err)
	}
	return &squeezer{zip: zip, chunk: make([]byte, max(size, alignment)), frame: make([]byte, 0, size+size/8)}, nil
}

// begin forgets what was learned of the object before.
func (q *squeezer) begin() { q.skip, q.pause = 0, 0 }

// squeeze returns p compressed, valid until the next call, or nil where that
// gains too little.
func (q *squeezer) squeeze(p []byte) []byte {
	if len(p) < squeezeLeast {
		return nil
	}
	if q.skip > 0 {
		q.skip--
		return nil
	}
	if len(p) > 2*sampleSize {
		middle := p[len(p)/2-sampleSize/2:][:sampleSize]
		if q.frame = q.zip.EncodeAll(middle, q.frame[:0]); !gains(q.frame, middle) {
			q.lost()
			return nil
		}
	}
	if q.frame = q.zip.EncodeAll(p, q.frame[:0]); !gains(q.frame, p) {
		q.lost()
		return nil
	}
	q.pause = 0
	return q.frame
}

func (q *squeezer) lost() {
	q.pause = min(2*q.pause+1, pauseMost)
	q.skip = q.pause
}

func gains(frame, plain []byte) bool {
	return (len(frame)+protocol.CompressedHeaderSize)*100 <= len(plain)*(100-gainPercent)
}

// sendSqueezed is sendRange for content that may go out compressed.
func (s *snapshot) sendSqueezed(ctx context.Context, r io.Reader, want int64, o *object) (done int64, err error) {
	s.squeezer.begin()
	for done < want {
		chunk := s.squeezer.chunk[:min(int64(len(s.squeezer.chunk)), want-done)]
		n, rerr := readHashed(r, chunk, o.hash)
		if err := s.sendChunk(ctx, o, chunk[:n]); err != nil {
			return done, err
		}
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

// sendChunk puts content into blocks, compressed if that gains something. Where a
// block has no room for all of it, the room is filled with plain content.
func (s *snapshot) sendChunk(ctx context.Context, o *object, p []byte) error {
	frame := s.squeezer.squeeze(p)
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

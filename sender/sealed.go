package sender

import (
	"bufio"
	"context"
	"io"
	"os"

	"weir/internal/manifest"
	"weir/internal/sealing"
)

// sealedRight reports whether what is known of a file was sealed as its source
// says now. If not it is sent anew, as another object.
func (s *snapshot) sealedRight(known *version) bool {
	to := s.cfg.Sealed[s.job.Source]
	if to == nil {
		return known.Seal == ""
	}
	return to.Made(known.Seal) || known.Object == [16]byte{}
}

// sealFor returns the seal of content that is about to be sent: that of the known
// object, a new one, or "" where nothing is sealed.
func (s *snapshot) sealFor(known *version) (sealing.Seal, error) {
	to := s.cfg.Sealed[s.job.Source]
	switch {
	case to == nil:
		return "", nil
	case known != nil:
		return known.Seal, nil
	}
	return to.Begin()
}

// stored returns the size of the object that a version becomes.
func (v *version) stored() int64 {
	if v.Seal == "" {
		return v.Size
	}
	return v.Seal.Size(v.Size)
}

// sendSealed sends a file sealed, its holes as zeros: what an enemy sees of it is
// its length.
func (s *snapshot) sendSealed(ctx context.Context, f *os.File, size int64, o *object, seal sealing.Seal) error {
	if size == 0 {
		return nil
	}
	sealed, err := seal.Open(reading(f, size), size)
	if err != nil {
		return err
	}
	_, err = s.sendRange(ctx, io.NewSectionReader(sealed, 0, sealed.Size()), sealed.Size(), o)
	return err
}

// content is what an object is read from once more.
func (a *again) content(f *os.File, e *manifest.Entry) (io.ReaderAt, error) {
	if e.Plain == 0 {
		return reading(f, e.Size), nil
	}
	known, ok := a.cfg.State.known(a.sent.Source, e.Path)
	if !ok || known.Object != e.Object || known.Seal == "" {
		return reading(f, e.Size), nil // from the spool of a stream: the object itself
	}
	return known.Seal.Open(reading(f, e.Plain), e.Plain)
}

// counting counts what passes.
type counting struct {
	io.Reader
	n int64
}

// Read reads and counts.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

// sealStream puts a seal between the stream of a job and what is sent of it. It
// returns the count of what went in, nil where nothing is sealed: an empty stream
// is not.
func (s *snapshot) sealStream() (*counting, error) {
	to := s.cfg.Sealed[s.job.Source]
	if to == nil {
		return nil, nil
	}
	plain := bufio.NewReader(s.job.Stream)
	if _, err := plain.Peek(1); err == io.EOF {
		return nil, nil
	}
	c := &counting{Reader: plain}
	sealed, err := to.Stream(c)
	if err != nil {
		return nil, err
	}
	s.job.Stream = sealed
	return c, nil
}

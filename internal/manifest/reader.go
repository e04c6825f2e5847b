package manifest

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
)

// Limits bound what a Reader takes. A zero field stands for its default.
type Limits struct {
	Line    int   // bytes of one line, newline included; MaxLine
	Entries int64 // MaxEntries
}

// Reader reads a manifest that may come from an enemy. It holds one line and
// one entry in memory, whatever the manifest claims. It is not safe for
// concurrent use.
type Reader struct {
	r       *bufio.Reader
	sum     hash.Hash // SHA-256
	digest  hash.Hash // SHA-512
	limits  Limits
	header  Header
	last    previous
	totals  Trailer // of the entries read
	long    []byte  // a line longer than the buffer of r
	written []byte  // the entry as the writer writes it
	number  int64   // of the line read last
	err     error   // what every further Next returns
}

// NewReader reads the header from r. Its errors wrap ErrManifest or ErrLimit,
// or are those of r.
func NewReader(r io.Reader, limits Limits) (*Reader, error) {
	if limits.Line == 0 {
		limits.Line = MaxLine
	}
	if limits.Entries == 0 {
		limits.Entries = MaxEntries
	}
	m := &Reader{sum: sha256.New(), digest: sha512.New(), limits: limits}
	m.r = bufio.NewReaderSize(io.TeeReader(r, io.MultiWriter(m.sum, m.digest)), bufferSize)
	line, err := m.line()
	if err == nil {
		m.header, err = parseHeader(line)
	}
	if err != nil {
		return nil, m.wrap(err)
	}
	return m, nil
}

// Header returns the first line.
func (m *Reader) Header() Header { return m.header }

// Next returns the next entry, which is the caller's to keep. It returns
// io.EOF after the last one, when the trailer agrees with what was read and
// nothing follows it. All other errors say which line is wrong, and wrap
// ErrManifest, ErrPath, ErrOrder or ErrLimit unless reading itself failed.
func (m *Reader) Next() (*Entry, error) {
	if m.err != nil {
		return nil, m.err
	}
	e, err := m.next()
	if err == io.EOF {
		m.err = err
		return nil, err
	}
	if err != nil {
		m.err = m.wrap(err)
		return nil, m.err
	}
	return e, nil
}

// Trailer returns the totals of the entries read so far; after io.EOF they are
// those of the last line.
func (m *Reader) Trailer() Trailer { return m.totals }

// Sum returns the SHA-256 of the manifest file. It means something only after
// Next returned io.EOF.
func (m *Reader) Sum() [32]byte { return [32]byte(m.sum.Sum(nil)) }

// Digest returns the SHA-512 of the manifest file, which Verify takes. It
// means something only after Next returned io.EOF.
func (m *Reader) Digest() [64]byte { return [64]byte(m.digest.Sum(nil)) }

func (m *Reader) next() (*Entry, error) {
	line, err := m.line()
	if err != nil {
		return nil, err
	}
	if isTrailer(line) {
		return nil, m.finish(line)
	}
	if m.totals.Entries == m.limits.Entries {
		return nil, fmt.Errorf("%w: more than %d entries", ErrLimit, m.limits.Entries)
	}
	e := new(Entry)
	if err := parseEntry(line, e); err != nil {
		return nil, err
	}
	if err := e.check(); err != nil {
		return nil, err
	}
	m.written = appendEntry(m.written[:0], e)
	if err := same(line, m.written); err != nil {
		return nil, err
	}
	if err := m.last.admit(e); err != nil {
		return nil, err
	}
	m.last.set(e)
	return e, m.totals.count(e)
}

// finish returns io.EOF if line is a right trailer and the last line.
func (m *Reader) finish(line []byte) error {
	t, err := parseTrailer(line)
	if err != nil {
		return err
	}
	if t != m.totals {
		return fmt.Errorf("%w: the totals do not agree with the entries", ErrManifest)
	}
	if _, err := m.r.ReadByte(); err == nil {
		return fmt.Errorf("%w: more follows the last line", ErrManifest)
	} else if err != io.EOF {
		return err
	}
	return io.EOF
}

// line returns the next line with its newline, valid until the next call.
// Memory grows with what was really read, to the limit and no further.
func (m *Reader) line() ([]byte, error) {
	m.number++
	line, err := m.r.ReadSlice('\n')
	if err == nil && len(line) <= m.limits.Line {
		return line, nil
	}
	m.long = m.long[:0]
	for {
		if len(m.long)+len(line) > m.limits.Line {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrLimit, m.limits.Line)
		}
		m.long = append(m.long, line...)
		switch {
		case err == nil:
			return m.long, nil
		case err == io.EOF:
			return nil, fmt.Errorf("%w: it ends in the middle", ErrManifest)
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
		line, err = m.r.ReadSlice('\n')
	}
}

func (m *Reader) wrap(err error) error {
	return fmt.Errorf("reading line %d of the manifest: %w", m.number, err)
}

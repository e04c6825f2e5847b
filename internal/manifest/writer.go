package manifest

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

const bufferSize = 16 << 10

// Writer writes a manifest line by line and hashes it on the way. It holds one
// line in memory. It is not safe for concurrent use.
type Writer struct {
	w       *bufio.Writer
	sum     hash.Hash // SHA-256
	digest  hash.Hash // SHA-512
	line    []byte
	last    previous
	trailer Trailer
	err     error // the first error; nothing is written after it
	closed  bool
}

// NewWriter writes the header to w. Its errors are those of w, and ErrManifest
// or ErrLimit for a header that no reader would take.
func NewWriter(w io.Writer, h Header) (*Writer, error) {
	h.Tool = fit(h.Tool, MaxTool)
	roots := make([]string, len(h.Roots))
	for i, r := range h.Roots {
		roots[i] = strings.ToValidUTF8(r, "\ufffd")
	}
	h.Roots = roots
	if err := h.check(); err != nil {
		return nil, err
	}
	m := &Writer{sum: sha256.New(), digest: sha512.New()}
	m.w = bufio.NewWriterSize(io.MultiWriter(w, m.sum, m.digest), bufferSize)
	if _, err := m.w.Write(appendHeader(nil, &h)); err != nil {
		return nil, fmt.Errorf("writing the manifest: %w", err)
	}
	return m, nil
}

// Add writes the entry e, which must come after all before it in path order
// and not below a file or a symlink. An entry that is refused (ErrPath,
// ErrOrder, ErrManifest, ErrLimit) leaves the manifest as it was; after an
// error of the underlying writer nothing more can be added.
//
// Some things are made to fit and not refused, since no file should be left
// out for their sake: User, Group and Problem become UTF-8 and are cut to
// their limits, ModTime is moved to the nearest time of the years 0 to 9999,
// and a hard link keeps only Path and Target. e itself is not changed.
func (m *Writer) Add(e *Entry) error {
	if m.err != nil {
		return m.err
	}
	if m.closed {
		return errors.New("the manifest is closed")
	}
	fitted := e.fit()
	if err := fitted.check(); err != nil {
		return err
	}
	if err := m.last.admit(&fitted); err != nil {
		return err
	}
	totals := m.trailer
	if err := totals.count(&fitted); err != nil {
		return err
	}
	m.line = appendEntry(m.line[:0], &fitted)
	if _, err := m.w.Write(m.line); err != nil {
		m.err = fmt.Errorf("writing the manifest: %w", err)
		return m.err
	}
	m.last.set(&fitted)
	m.trailer = totals
	return nil
}

// Close writes the trailer and returns it. It does not close the underlying
// writer.
func (m *Writer) Close() (Trailer, error) {
	if m.err != nil || m.closed {
		return m.trailer, m.err
	}
	m.closed = true
	m.w.Write(appendTrailer(nil, &m.trailer)) // an error stays in m.w for Flush
	if err := m.w.Flush(); err != nil {
		m.err = fmt.Errorf("writing the manifest: %w", err)
	}
	return m.trailer, m.err
}

// Sum returns the SHA-256 of the manifest file. It means something only after
// Close.
func (m *Writer) Sum() [32]byte { return [32]byte(m.sum.Sum(nil)) }

// Digest returns the SHA-512 of the manifest file, which Sign takes. It means
// something only after Close.
func (m *Writer) Digest() [64]byte { return [64]byte(m.digest.Sum(nil)) }

// fit returns e with what Add makes to fit.
func (e *Entry) fit() Entry {
	if e.Kind == Hardlink {
		return Entry{Path: e.Path, Kind: Hardlink, Target: e.Target}
	}
	f := *e
	f.User = fit(e.User, MaxOwner)
	f.Group = fit(e.Group, MaxOwner)
	f.Problem = fit(e.Problem, MaxProblem)
	f.ModTime = clamp(e.ModTime)
	return f
}

// fit makes s valid UTF-8 of at most limit bytes.
func fit(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "")
	}
	return s
}

// previous remembers the entry before, which is enough to see order,
// repetition and entries below what is no directory: see the package comment.
type previous struct {
	path string
	kind Kind
}

func (p *previous) admit(e *Entry) error {
	if p.path == "" {
		return nil
	}
	switch c := ComparePath(p.path, e.Path); {
	case c == 0:
		return fmt.Errorf("%w: %.100q stands twice", ErrOrder, e.Path)
	case c > 0:
		return fmt.Errorf("%w: %.100q comes after %.100q", ErrOrder, e.Path, p.path)
	}
	if p.kind != Dir && below(e.Path, p.path) {
		return fmt.Errorf("%w: %.100q lies below the %s %.100q", ErrOrder, e.Path, p.kind, p.path)
	}
	return nil
}

func (p *previous) set(e *Entry) { p.path, p.kind = e.Path, e.Kind }

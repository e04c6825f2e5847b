package masschange

import (
	"errors"
	"fmt"
	"io"

	"weir/internal/manifest"
)

// Measure is how a snapshot differs from the one before it.
type Measure struct {
	Name    string `json:"name"`    // of the snapshot
	Before  int64  `json:"before"`  // files of the one before, 0 if there is none
	Files   int64  `json:"files"`   // of the snapshot
	Changed int64  `json:"changed"` // files of both with another content
	Gone    int64  `json:"gone"`    // files of the one before only
	New     int64  `json:"new"`     // files of the snapshot only
	Was     int64  `json:"was"`     // bytes of the one before
	Bytes   int64  `json:"bytes"`   // of the snapshot

	// Of the files that changed or are new, those looked into and those of them
	// that look random.
	Sampled int64 `json:"sampled"`
	Dense   int64 `json:"dense"`

	Blind      bool `json:"blind,omitempty"`      // the one before could not be read
	Suspicious bool `json:"suspicious,omitempty"` // and nobody has accepted it
}

// ErrBefore is returned where the manifest before cannot be read to its end.
var ErrBefore = errors.New("the manifest of the restore point before cannot be read")

// Compare measures the manifest next against the one before it, which may be nil.
// Both are read to their ends; nothing of them is held. fresh is called for each
// file that changed or is new. If before cannot be read, that is ErrBefore.
func Compare(before, next *manifest.Reader, fresh func(*manifest.Entry)) (Measure, error) {
	var m Measure
	a, b := files{r: before}, files{r: next}
	for a.step(); b.step(); {
		for a.e != nil && manifest.ComparePath(a.e.Path, b.e.Path) < 0 {
			m.Gone++
			a.step()
		}
		switch {
		case a.e == nil || a.e.Path != b.e.Path:
			m.New++
			fresh(b.e)
			continue
		case a.e.SHA256 != b.e.SHA256:
			m.Changed++
			fresh(b.e)
		}
		a.step()
	}
	for ; a.e != nil; a.step() {
		m.Gone++
	}
	m.Before, m.Was, m.Files, m.Bytes = a.n, a.bytes, b.n, b.bytes
	if a.err != nil {
		return m, fmt.Errorf("%w: %w", ErrBefore, a.err)
	}
	return m, b.err
}

// files goes through the files of a manifest.
type files struct {
	r     *manifest.Reader
	e     *manifest.Entry // nil after the last one
	n     int64
	bytes int64
	err   error
}

// step goes to the next file and reports whether there is one. Files that the
// sender could not read count as gone.
func (f *files) step() bool {
	f.e = nil
	for f.r != nil && f.err == nil {
		e, err := f.r.Next()
		if err == io.EOF {
			f.r = nil
			return false
		}
		if err != nil {
			f.err = err
			return false
		}
		if e.Kind == manifest.File && (e.Problem == "" || e.Object != [16]byte{}) {
			f.e, f.n, f.bytes = e, f.n+1, f.bytes+e.Size
			return true
		}
	}
	return false
}

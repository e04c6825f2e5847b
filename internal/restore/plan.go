package restore

import (
	"context"
	"fmt"
	"io"

	"weir/internal/manifest"
)

// maxHeld bounds what is remembered for hard links and for the attributes of
// directories, each, in bytes.
const maxHeld = 256 << 20

// An origin is a file that selected hard links lead to.
type origin struct {
	entry *manifest.Entry // the file, if it is itself not selected
	path  string          // the first name that was restored, or ""
	inode inode           // of path
}

// plan is what the first reading of the manifest finds out. It proves the
// whole manifest well-formed before anything is written.
type plan struct {
	header  manifest.Header
	sum     [32]byte
	files   int64 // selected
	bytes   int64
	origins map[string]*origin
	held    int64
}

func newPlan(ctx context.Context, o Options, selected *selection) (*plan, error) {
	m, err := rewind(o)
	if err != nil {
		return nil, err
	}
	p := &plan{header: m.Header(), origins: make(map[string]*origin)}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := m.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if !selected.has(e.Path) {
			continue
		}
		if err := p.add(e); err != nil {
			return nil, err
		}
	}
	p.sum = m.Sum()
	if o.Sum != [32]byte{} && p.sum != o.Sum {
		return nil, ErrChanged
	}
	return p, selected.unmatched()
}

func (p *plan) add(e *manifest.Entry) error {
	switch e.Kind {
	case manifest.File:
		p.files++
		p.bytes += e.Size
	case manifest.Hardlink:
		if p.origins[e.Target] == nil {
			p.origins[e.Target] = &origin{}
			return p.hold(len(e.Target) + 200) // and about what a map entry takes
		}
	}
	return nil
}

// keep remembers a file that only hard links of the selection lead to.
func (p *plan) keep(o *origin, e *manifest.Entry) error {
	o.entry = e
	return p.hold(weight(e))
}

func (p *plan) hold(n int) error {
	p.held += int64(n)
	if p.held > maxHeld {
		return fmt.Errorf("hard links: %w", ErrLimit)
	}
	return nil
}

// weight is about what an entry takes in memory, in bytes.
func weight(e *manifest.Entry) int {
	n := 300 + len(e.Path) + len(e.User) + len(e.Group) + 16*len(e.Holes)
	for name, value := range e.Xattrs {
		n += 100 + len(name) + len(value)
	}
	return n
}

func rewind(o Options) (*manifest.Reader, error) {
	if _, err := o.Manifest.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	return manifest.NewReader(o.Manifest, o.Limits)
}

// known holds the directories above the entry that is being read, whether they
// are selected or not, since what lies below may be.
type known struct {
	path string // of the deepest; those of the others are its beginnings
	dirs []knownDir
	held int
}

type knownDir struct {
	end    int // length of its path
	entry  *manifest.Entry
	weight int
}

// pass takes note of the next entry of the manifest.
func (k *known) pass(e *manifest.Entry) {
	for n := len(k.dirs); n > 0 && !below(e.Path, k.path[:k.dirs[n-1].end]); n-- {
		k.held -= k.dirs[n-1].weight
		k.dirs = k.dirs[:n-1]
	}
	if e.Kind != manifest.Dir {
		return
	}
	attributes := *e
	attributes.Path = "" // a deep tree would hold each path again and again
	w := weight(&attributes)
	if k.held+w > maxHeld {
		attributes.Xattrs = nil
		w = weight(&attributes)
	}
	k.held += w
	k.path = e.Path
	k.dirs = append(k.dirs, knownDir{len(e.Path), &attributes, w})
}

// at returns the directory whose path has the length end, or nil if the
// manifest has none.
func (k *known) at(end int) *manifest.Entry {
	for i := len(k.dirs) - 1; i >= 0 && k.dirs[i].end >= end; i-- {
		if k.dirs[i].end == end {
			return k.dirs[i].entry
		}
	}
	return nil
}

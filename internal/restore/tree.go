package restore

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// maxOpen bounds the descriptors held for directories. Deeper trees work too:
// descriptors far above the current directory are closed and opened again on
// the way back.
const maxOpen = 64

const openDir = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// tree is the way from the folder to the directory being restored to.
type tree struct {
	path   string  // of the current directory, "" at the top
	levels []level // levels[0] is the folder itself
	low    int     // levels[0] and levels[low:] have open descriptors
}

type level struct {
	end   int // length of its path
	fd    int
	entry *manifest.Entry // attributes still to be set, or nil
}

func (t *tree) start(root int) {
	t.levels = []level{{fd: root}}
	t.low = 1
}

func (t *tree) top() *level { return &t.levels[len(t.levels)-1] }

// fd is the descriptor of the current directory.
func (t *tree) fd() int { return t.top().fd }

func (t *tree) push(l level) {
	t.levels = append(t.levels, l)
	if len(t.levels)-t.low > maxOpen {
		unix.Close(t.levels[t.low].fd)
		t.low++
	}
}

// pop leaves the current directory for the one above.
func (t *tree) pop() error {
	last := len(t.levels) - 1
	if t.low <= last {
		unix.Close(t.levels[last].fd)
	}
	t.levels = t.levels[:last]
	t.path = t.path[:t.top().end]
	if t.low < last || last == 1 {
		t.low = min(t.low, last)
		return nil
	}
	return t.reopen()
}

// reopen opens the lowest levels again, as many as may be open.
func (t *tree) reopen() error {
	n := len(t.levels)
	low := max(1, n-maxOpen/2)
	above := t.levels[0].fd
	for i := 1; i < n; i++ {
		name := t.path[t.begin(i):t.levels[i].end]
		fd, err := unix.Openat(above, name, openDir, 0)
		if i-1 >= 1 && i-1 < low {
			unix.Close(above)
		}
		if err != nil {
			t.abandon(i, low)
			return fmt.Errorf("opening the directory again: %w", err)
		}
		t.levels[i].fd = fd
		above = fd
	}
	t.low = low
	return nil
}

// abandon closes what reopen opened before it failed at level i. All later
// steps below fail, since no descriptor is good.
func (t *tree) abandon(i, low int) {
	for j := low; j < i; j++ {
		unix.Close(t.levels[j].fd)
	}
	for j := 1; j < len(t.levels); j++ {
		t.levels[j].fd = -1
	}
	t.low = len(t.levels)
}

// begin is where the name of level i begins in the path.
func (t *tree) begin(i int) int {
	if i == 1 {
		return 0
	}
	return t.levels[i-1].end + 1
}

// enter makes dir the current directory: it leaves those that are done and
// makes those that are missing.
func (r *run) enter(dir string) error {
	t := &r.tree
	if t.path == dir && t.fd() >= 0 {
		return nil
	}
	for len(t.levels) > 1 && t.path != dir && !below(dir, t.path) {
		r.leave()
	}
	for t.path != dir {
		start := t.top().end
		if start > 0 {
			start++
		}
		end := start
		for end < len(dir) && dir[end] != '/' {
			end++
		}
		l, err := r.makeDir(dir[start:end], r.known.at(end))
		if err != nil {
			return err
		}
		l.end = end
		t.push(l)
		t.path = dir[:end]
	}
	if t.fd() < 0 {
		return unix.ESTALE
	}
	return nil
}

// makeDir makes or opens the directory name in the current one. Until it is
// left, only its owner may enter a new one.
func (r *run) makeDir(name string, e *manifest.Entry) (level, error) {
	parent := r.tree.fd()
	err := unix.Mkdirat(parent, name, 0o700)
	existed := errors.Is(err, unix.EEXIST)
	if err != nil && !existed {
		return level{}, fmt.Errorf("making the directory %q: %w", name, err)
	}
	fd, err := unix.Openat(parent, name, openDir, 0)
	if (errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)) && existed {
		existed = false
		fd, err = r.replaceByDir(parent, name)
	}
	if err != nil {
		return level{}, fmt.Errorf("opening the directory %q: %w", name, err)
	}
	l := level{fd: fd, entry: e}
	switch {
	case existed && !r.o.Overwrite:
		l.entry = nil
	case existed && e != nil:
		unix.Fchmod(fd, e.Mode|0o700) // a read-only one of an earlier restore; if it fails, writing will tell
	case e == nil:
		unix.Fchmod(fd, 0o755)
	}
	return l, nil
}

func (r *run) replaceByDir(parent int, name string) (int, error) {
	if !r.o.Overwrite {
		return -1, ErrNotDir
	}
	if err := unix.Unlinkat(parent, name, 0); err != nil {
		return -1, err
	}
	if err := unix.Mkdirat(parent, name, 0o700); err != nil {
		return -1, err
	}
	return unix.Openat(parent, name, openDir, 0)
}

// leave sets the attributes of the current directory, now that nothing will
// change in it any more, and goes up.
func (r *run) leave() {
	t := &r.tree
	l := *t.top()
	path := t.path
	var err error
	if l.entry != nil && l.fd >= 0 {
		err = setAttributes(l.fd, l.entry)
	}
	if up := t.pop(); up != nil {
		err = errors.Join(err, up)
	}
	if l.entry != nil {
		_, name := split(path)
		err = errors.Join(err, setTime(t.fd(), name, l.entry))
	}
	r.unset(path, err)
}

func (r *run) leaveAll() {
	for len(r.tree.levels) > 1 {
		r.leave()
	}
}

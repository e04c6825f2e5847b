package sender

import (
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// chunkNames is how many names of a directory are looked at in one go.
const chunkNames = 128

// errand is work that is done once: ahead of the walk by a worker, or by the walk
// itself when it comes to it first.
type errand struct {
	claimed atomic.Bool
	done    chan struct{}
}

// try does the work unless somebody does it already.
func (t *errand) try(work func()) bool {
	if !t.claimed.CompareAndSwap(false, true) {
		return false
	}
	work()
	close(t.done)
	return true
}

// do does the work, or waits until it is done.
func (t *errand) do(work func()) {
	if !t.try(work) {
		<-t.done
	}
}

// listing is an open directory and the names in it, in order.
type listing struct {
	errand
	path   string // in the snapshot
	dir    int    // of the directory's own directory
	name   string // in dir
	flags  int    // for open(2)
	fd     int    // -1 if it could not be opened
	err    error  // why it could not be read
	names  []string
	more   bool // names are left to read
	chunks []*chunk
}

// newListing returns the listing of the directory n, which is not read yet.
func newListing(n *node, flags int) *listing {
	return &listing{errand: errand{done: make(chan struct{})}, path: n.path, dir: n.dir, name: n.name, flags: flags, fd: -1}
}

// open opens the directory and reads about most names of it.
func (l *listing) open(most int) {
	l.fd, l.err = unix.Openat(l.dir, l.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|l.flags, 0)
	if l.err != nil {
		l.fd = -1
		return
	}
	l.read(most)
}

// read reads on, and sorts the names when it has all of them. One that is removed
// and made again meanwhile may come twice.
func (l *listing) read(most int) {
	if l.more, l.err = l.readNames(most); l.err != nil || l.more {
		return
	}
	slices.Sort(l.names)
	l.names = slices.Compact(l.names)
	for part := range slices.Chunk(l.names, chunkNames) {
		l.chunks = append(l.chunks, &chunk{errand: errand{done: make(chan struct{})}, of: l, names: part})
	}
	l.names = nil
}

func (l *listing) close() {
	if l.fd >= 0 {
		unix.Close(l.fd)
		l.fd = -1
	}
}

// direntBytes is how much of a directory is read at once.
const direntBytes = 32 << 10

// readNames reads names until there are most, and reports whether there may be
// more.
func (l *listing) readNames(most int) (more bool, err error) {
	buf := make([]byte, direntBytes)
	for len(l.names) < most {
		n, err := unix.ReadDirent(l.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return false, err
		}
		_, _, l.names = unix.ParseDirent(buf[:n], -1, l.names)
	}
	return true, nil
}

// chunk is some of the names of a directory.
type chunk struct {
	errand
	of    *listing
	names []string
	nodes []node     // without those that are left out
	dirs  []*listing // of each node, nil if it is no directory or not looked into
	next  int        // the first node that was not considered for looking into
}

// read looks at each name. The paths share one piece of memory.
func (c *chunk) read(w *walker) {
	prefix := c.of.path
	if prefix != "" {
		prefix += "/"
	}
	var all strings.Builder
	size := len(c.names) * len(prefix)
	for _, name := range c.names {
		size += len(name)
	}
	all.Grow(size)
	c.nodes = make([]node, 0, len(c.names))
	begun := fileClock()
	for _, name := range c.names {
		at := all.Len()
		all.WriteString(prefix)
		all.WriteString(name)
		n := node{path: all.String()[at:], dir: c.of.fd}
		n.name = n.path[len(prefix):]
		if w.excluded(n.path) {
			continue
		}
		if n.look(); w.own.has(&n) {
			continue
		}
		if n.isFile() && w.extend.Load() {
			n.extendAhead(w.most, begun)
		}
		c.nodes = append(c.nodes, n)
	}
	c.names = nil
	c.dirs = make([]*listing, len(c.nodes))
}

package sender

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// node is one name that a walk met. Its directory is open, so that it can be
// read however long its path is.
type node struct {
	path string // in the snapshot
	dir  int    // descriptor of its directory, unix.AT_FDCWD for a root
	name string // in dir
	stat unix.Stat_t
	ext  attributes // as far as they were read with the stat
	bare bool       // no extended attributes: see version
	err  error      // why there is no stat, or why a directory could not be read
}

// look takes the stat of the node (fstatat(2)).
func (n *node) look() { n.err = unix.Fstatat(n.dir, n.name, &n.stat, unix.AT_SYMLINK_NOFOLLOW) }

// lookAgain takes the stat anew. What was read with the old one stays if it is of the
// same version.
func (n *node) lookAgain() {
	was := fileVersion(&n.stat)
	n.look()
	if is := fileVersion(&n.stat); n.err != nil || !was.sameFile(&is) {
		n.ext = attributes{}
	}
}

func (n *node) kind() uint32 { return n.stat.Mode & unix.S_IFMT }

// root is one path that goes into a snapshot, and the name that it gets there;
// "" puts the content of a directory at the snapshot's root.
type root struct {
	at, name string
}

// roots lays out the paths of a job. One directory becomes the root of the
// snapshot; anything else stands under its base name.
func roots(paths []string) ([]root, error) {
	if len(paths) == 1 {
		if info, err := os.Stat(paths[0]); err != nil {
			return nil, fmt.Errorf("looking at what to send: %w", err)
		} else if info.IsDir() {
			return []root{{at: path.Clean(paths[0])}}, nil
		}
	}
	var all []root
	for _, p := range paths {
		p = path.Clean(p)
		if _, err := os.Lstat(p); err != nil {
			return nil, fmt.Errorf("looking at what to send: %w", err)
		}
		name := path.Base(p)
		if err := manifest.CheckPath(name); err != nil {
			return nil, fmt.Errorf("%s has no name of its own to stand under; send it alone: %w", p, ErrPaths)
		}
		if slices.ContainsFunc(all, func(r root) bool { return r.name == name }) {
			return nil, fmt.Errorf("two of the paths are called %q; send them as two sources: %w", name, ErrPaths)
		}
		all = append(all, root{at: p, name: name})
	}
	slices.SortFunc(all, func(a, b root) int { return manifest.ComparePath(a.name, b.name) })
	return all, nil
}

// ErrPaths is returned for paths that cannot go into one snapshot.
var ErrPaths = errors.New("these paths do not fit together")

// walker meets every name below roots in path order. It follows no symbolic
// link, and directories that vanish under it are no error of the walk.
type walker struct {
	exclude []string // globs
	own     own      // left out too
	visit   func(*node) error
	most    int         // bytes of the extended attributes of a name that are read ahead
	extend  atomic.Bool // read them with the stats
	ahead   *lookahead
}

// walk visits the roots. A root that is a symbolic link to a directory is
// followed if it is the only one: it is what its user named.
func (w *walker) walk(all []root) error {
	w.ahead = newLookahead(w)
	defer w.ahead.close()
	for _, r := range all {
		n := &node{path: r.name, dir: unix.AT_FDCWD, name: r.at}
		if r.name == "" {
			if err := w.directory(n, newListing(n, 0)); err != nil {
				return err
			}
			continue
		}
		if w.excluded(n.path) {
			continue
		}
		n.look()
		if err := w.node(n, nil); err != nil {
			return err
		}
	}
	return nil
}

// node visits one name, and what is below it. The listing is nil for a directory
// that nobody looked into yet.
func (w *walker) node(n *node, l *listing) error {
	if !n.isDir() {
		return w.visit(n)
	}
	if l == nil {
		l = newListing(n, unix.O_NOFOLLOW)
	}
	return w.directory(n, l)
}

func (n *node) isFile() bool { return n.err == nil && n.kind() == unix.S_IFREG }

func (n *node) isDir() bool { return n.err == nil && n.kind() == unix.S_IFDIR }

// directory visits a directory and then the names in it. What cannot be read is
// visited with the reason.
func (w *walker) directory(n *node, l *listing) error {
	w.ahead.take(l)
	err := w.below(n, l)
	if err != nil {
		w.ahead.leave(l)
		return err
	}
	l.close()
	return nil
}

func (w *walker) below(n *node, l *listing) error {
	n.err = l.err
	if n.path != "" {
		if err := w.visit(n); err != nil {
			return err
		}
	} else if n.err != nil {
		return fmt.Errorf("reading %s: %w", n.name, n.err)
	}
	for i := range l.chunks {
		w.ahead.offerChunks(l, i)
		c := l.chunks[i]
		l.chunks[i] = nil
		if err := w.chunk(c); err != nil {
			return err
		}
	}
	return nil
}

// chunk visits some of the names of a directory.
func (w *walker) chunk(c *chunk) error {
	w.ahead.takeChunk(c)
	for i := range c.nodes {
		w.ahead.offerDirs(c, i)
		if err := w.node(&c.nodes[i], c.dirs[i]); err != nil {
			return err
		}
	}
	return nil
}

// excluded reports whether a glob matches the path or, where the glob has no
// slash, its last name. "x/**" matches a name x too, so that a glob with a slash
// must not be held against names of other directories.
func (w *walker) excluded(p string) bool {
	for _, glob := range w.exclude {
		if doublestar.MatchUnvalidated(glob, p) ||
			!strings.Contains(glob, "/") && doublestar.MatchUnvalidated(glob, path.Base(p)) {
			return true
		}
	}
	return false
}

package sender

import (
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

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
	bare bool  // no extended attributes: see version
	err  error // why there is no stat, or why a directory could not be read
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
	visit   func(*node) error
}

// walk visits the roots. A root that is a symbolic link to a directory is
// followed if it is the only one: it is what its user named.
func (w *walker) walk(all []root) error {
	for _, r := range all {
		n := &node{path: r.name, dir: unix.AT_FDCWD, name: r.at}
		if r.name == "" {
			if err := w.directory(n, 0); err != nil {
				return err
			}
			continue
		}
		n.err = unix.Fstatat(n.dir, n.name, &n.stat, unix.AT_SYMLINK_NOFOLLOW)
		if err := w.node(n); err != nil {
			return err
		}
	}
	return nil
}

// node visits one name, and what is below it.
func (w *walker) node(n *node) error {
	if w.excluded(n.path) {
		return nil
	}
	if n.err != nil || n.kind() != unix.S_IFDIR {
		return w.visit(n)
	}
	return w.directory(n, unix.O_NOFOLLOW)
}

// directory visits a directory and then the names in it. What cannot be read is
// visited with the reason.
func (w *walker) directory(n *node, flags int) error {
	fd, err := unix.Openat(n.dir, n.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|flags, 0)
	var dir *os.File
	var names []string
	if err == nil {
		dir = os.NewFile(uintptr(fd), n.name)
		defer dir.Close()
		names, err = dir.Readdirnames(-1)
	}
	n.err = err
	if n.path != "" {
		if err := w.visit(n); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("reading %s: %w", n.name, err)
	}
	if n.err != nil {
		return nil
	}
	slices.Sort(names)
	for _, name := range names {
		child := &node{path: path.Join(n.path, name), dir: fd, name: name}
		if n.path == "" {
			child.path = name
		}
		child.err = unix.Fstatat(fd, name, &child.stat, unix.AT_SYMLINK_NOFOLLOW)
		if err := w.node(child); err != nil {
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

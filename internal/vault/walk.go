package vault

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// walking is a walk through a tree by descriptors: each directory is opened from the
// one above it. By its path it would take as many steps as it is deep, and a sender
// can make one as deep as it likes with a single line.
type walking struct {
	fd     int    // of the directory where the walk is
	path   []byte // of it, relative to the top
	levels []walkLevel
	visit  func(path []byte, err error) error
}

type walkLevel struct {
	subs   []string // directories still to be entered
	length int      // of path
}

// walk visits everything below a directory, in no order, and follows no link. The
// path is good during the call only; with an error it is that of a directory that
// could not be read. An error of visit ends the walk.
func walk(top string, visit func(path []byte, err error) error) error {
	fd, err := openDirAt(unix.AT_FDCWD, top)
	if err != nil {
		return &os.PathError{Op: "open", Path: top, Err: err}
	}
	w := &walking{fd: fd, visit: visit}
	defer func() { unix.Close(w.fd) }()
	if err := w.list(); err != nil {
		return err
	}
	for len(w.levels) > 0 {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// next enters the next directory of this level, or goes up.
func (w *walking) next() error {
	level := &w.levels[len(w.levels)-1]
	w.path = w.path[:level.length]
	if len(level.subs) == 0 {
		w.levels = w.levels[:len(w.levels)-1]
		if len(w.levels) == 0 {
			return nil
		}
		return w.move("..")
	}
	name := level.subs[0]
	level.subs = level.subs[1:]
	if err := w.move(name); err != nil {
		return w.visit(w.join(name), err)
	}
	w.path = w.join(name)
	return w.list()
}

func (w *walking) move(name string) error {
	fd, err := openDirAt(w.fd, name)
	if err != nil {
		return err
	}
	unix.Close(w.fd)
	w.fd = fd
	return nil
}

// join returns the path of a name in the present directory.
func (w *walking) join(name string) []byte {
	p := w.path
	if len(p) > 0 {
		p = append(p, '/')
	}
	return append(p, name...)
}

// list visits what is in the present directory and notes its directories.
func (w *walking) list() error {
	w.levels = append(w.levels, walkLevel{length: len(w.path)})
	other, err := openDirAt(w.fd, ".")
	if err != nil {
		return w.visit(w.path, err)
	}
	f := os.NewFile(uintptr(other), ".")
	defer f.Close()
	entries, err := f.ReadDir(-1)
	level := &w.levels[len(w.levels)-1]
	for _, e := range entries {
		if err := w.visit(w.join(e.Name()), nil); err != nil {
			return err
		}
		if e.IsDir() {
			level.subs = append(level.subs, e.Name())
		}
	}
	slices.Sort(level.subs)
	if err != nil {
		return w.visit(w.path, err)
	}
	return nil
}

func openDirAt(at int, name string) (fd int, err error) {
	for {
		fd, err = unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

package sender

import (
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// trees opens the files of a snapshot where they lie on this host, below the
// paths that it was taken of and never outside of them.
type trees struct {
	paths []string
	laid  bool
	below map[string]*os.Root // by the first name in the snapshot; "" for all
}

// open returns the regular file of an entry that has the entry's size, and its
// version; nil if there is none.
func (t *trees) open(e *manifest.Entry) (*os.File, version) {
	root, name := t.place(e.Path)
	if root == nil {
		return nil, version{}
	}
	f, err := root.OpenFile(name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, version{}
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != plainSize(e) {
		f.Close()
		return nil, version{}
	}
	return f, fileVersion(&st)
}

// place returns the directory below which a path of the snapshot lies, and its
// name there.
func (t *trees) place(p string) (*os.Root, string) {
	if !t.laid {
		t.lay()
	}
	if root := t.below[""]; root != nil {
		return root, p
	}
	first, rest, deep := strings.Cut(p, "/")
	if deep {
		return t.below[first], rest
	}
	return t.below["/"+first], first
}

// lay opens the roots. A single directory is the root of all; other paths stand
// under their last names, files below the directory that they are in. Paths that
// are gone have no root.
func (t *trees) lay() {
	t.laid, t.below = true, map[string]*os.Root{}
	for _, p := range t.paths {
		name, look := path.Base(p), os.Lstat
		if len(t.paths) == 1 {
			look = os.Stat // it is followed if it is a link, as it was then
		}
		info, err := look(p)
		at := p
		switch {
		case err != nil:
			continue
		case !info.IsDir():
			at, name = path.Dir(p), "/"+name
		case len(t.paths) == 1:
			name = ""
		}
		if root, err := os.OpenRoot(at); err == nil {
			t.below[name] = root
		}
	}
}

func (t *trees) close() {
	for _, root := range t.below {
		root.Close()
	}
}

// plainSize returns the size of the file behind an entry.
func plainSize(e *manifest.Entry) int64 {
	if e.Plain != 0 {
		return e.Plain
	}
	return e.Size
}

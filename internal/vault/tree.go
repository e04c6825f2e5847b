package vault

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// tree builds the data directory of a restore point from a manifest. The paths
// come from the sender: every directory is made and opened by itself, relative
// to its parent and without following links, so nothing outside can be reached.
type tree struct {
	*builder
	of      *pending
	base    string   // the data directory
	at      *os.File // the directory that is being filled, nil in the end
	path    string   // of it in the snapshot; "" is data itself
	sumFile *os.File
	sums    *bufio.Writer
	line    []byte
	targets linkedFiles
	copies  map[ObjectID]string // the last file made of an object that has all its names, by path
	dirs    []string            // made, up to what is synced one by one
	made    []string            // files made, likewise
	files   int                 // all files made, not linked
	inodes  int                 // made of any kind
	long    bool                // some path is too long to be synced by name
}

const (
	// longPath is up to which length a path can be opened in one call, in bytes:
	// PATH_MAX, less than what may stand before it.
	longPath = 4000
	// inodesAsk is after how many new inodes the disk is asked for room. They come
	// from the manifest alone, so that little on the link makes many.
	inodesAsk = 1000
)

func (b *builder) newTree(p *pending, dir string) (*tree, error) {
	t := &tree{builder: b, of: p, base: filepath.Join(dir, dataDir), copies: map[ObjectID]string{}}
	var err error
	if t.sumFile, err = os.OpenFile(filepath.Join(dir, sumsFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444); err != nil {
		return nil, err
	}
	t.sums = bufio.NewWriterSize(&diskWriter{disk: &b.disk, file: t.sumFile}, 64<<10)
	if err := os.Mkdir(t.base, 0o755); err != nil {
		return t, err
	}
	f, err := os.Open(t.base)
	if err != nil {
		return t, err
	}
	t.at = f
	t.dirs = append(t.dirs, t.base)
	return t, nil
}

// build makes everything that the manifest lists.
func (t *tree) build(manifestPath string) (err error) {
	if t.targets, err = t.hardlinkTargets(manifestPath); err != nil {
		return err
	}
	if err := t.each(manifestPath, t.entry); err != nil {
		return err
	}
	for t.at != nil {
		if err := t.pop(); err != nil {
			return err
		}
	}
	return t.sums.Flush()
}

func (t *tree) entry(e *manifest.Entry) error {
	switch e.Kind {
	case manifest.Dir:
		_, err := t.enter(e.Path)
		return err
	case manifest.Hardlink:
		target := t.targets[e.Target]
		if !target.good {
			return nil // it is no file, or could not be read
		}
		return t.place(target.entry(e.Path))
	case manifest.File:
		t.targets.note(e)
		return t.place(e)
	}
	return nil // symbolic links are in the manifest only
}

// place puts a file into the tree. One that the sender could not read has no
// content and gets no place.
func (t *tree) place(e *manifest.Entry) error {
	if !isObject(e) && (e.Size != 0 || e.Problem != "") {
		return nil
	}
	dir, err := t.enter(parent(e.Path))
	if err != nil {
		return err
	}
	if isObject(e) {
		err = t.link(dir, e)
	} else {
		err = t.empty(dir, path.Base(e.Path), e.Path)
	}
	if err != nil {
		return fmt.Errorf("placing %q: %w", e.Path, err)
	}
	t.line = manifest.AppendSumLine(t.line[:0], e.SHA256, dataDir+"/"+e.Path)
	_, err = t.sums.Write(t.line)
	return err
}

func (t *tree) link(dir int, e *manifest.Entry) error {
	k := key{t.of.Sender, ObjectID(e.Object)}
	have, ok := t.catalog.get(k) // which has nothing that is not synced
	if !ok || have != (content{e.Size, Hash(e.SHA256)}) {
		return errMismatch
	}
	copied, err := t.linkObject(k, dir, e)
	if errors.Is(err, fs.ErrNotExist) {
		return &lostObject{k}
	}
	if copied {
		t.note(e.Path)
	}
	return err
}

// lostObject is an object that the catalog has and the disk has lost.
type lostObject struct{ key key }

func (e *lostObject) Error() string { return fmt.Sprintf("the disk has lost object %v", e.key.id) }

func (e *lostObject) Unwrap() error { return errMismatch }

// badObject is an object whose bytes are not what the catalog says.
type badObject struct {
	key key
	content
}

func (e *badObject) Error() string { return fmt.Sprintf("object %v is damaged", e.key.id) }

func (e *badObject) Unwrap() error { return errMismatch }

// disown makes what the disk has lost, or spoilt, count as missing again.
func (v *Vault) disown(err error) {
	if lost := (*lostObject)(nil); errors.As(err, &lost) {
		v.forget(lost.key)
	}
	if bad := (*badObject)(nil); errors.As(err, &bad) {
		if err := v.markObject(bad.key, bad.content, "its content is not what it was"); err != nil {
			v.troubled(err)
		}
	}
}

func (t *tree) empty(dir int, name, full string) error {
	f, err := createAt(dir, name)
	if err != nil {
		return err
	}
	t.note(full)
	return errors.Join(f.Close(), t.room())
}

// room asks for room now and then: a manifest of a few megabytes can list more
// empty files and directories than the disk has inodes.
func (t *tree) room() error {
	if t.inodes++; t.inodes%inodesAsk != 0 {
		return nil
	}
	return t.space.inodes()
}

// note remembers a new file, while there are so few that they are synced one by
// one.
func (t *tree) note(full string) {
	if t.files++; len(t.made) <= t.syncEach {
		t.made = append(t.made, filepath.Join(t.base, full))
		t.long = t.long || len(full) > longPath
	}
}

func parent(p string) string {
	return p[:max(0, strings.LastIndexByte(p, '/'))]
}

// enter returns the open directory p, and makes it and its parents where they
// are not there. Directories that the walk has left are closed, read-only.
func (t *tree) enter(p string) (int, error) {
	for !within(p, t.path) {
		if err := t.pop(); err != nil {
			return 0, err
		}
	}
	for t.path != p {
		rest := strings.TrimPrefix(strings.TrimPrefix(p, t.path), "/")
		name, _, _ := strings.Cut(rest, "/")
		if err := t.push(p[:len(p)-len(rest)+len(name)], name); err != nil {
			return 0, fmt.Errorf("making the directory %.200q: %w", p, err)
		}
	}
	return int(t.at.Fd()), nil
}

func within(p, dir string) bool {
	return dir == "" || p == dir || strings.HasPrefix(p, dir) && p[len(dir)] == '/'
}

// push makes the directory name in the present one and goes into it. Only the
// deepest one is open: a manifest can be deeper than there are descriptors.
func (t *tree) push(full, name string) error {
	if err := t.stopped(); err != nil {
		return err
	}
	at := int(t.at.Fd())
	if err := unix.Mkdirat(at, name, 0o755); err != nil {
		return err
	}
	if err := t.move(name, full); err != nil {
		return err
	}
	if len(t.dirs) <= t.syncEach {
		t.dirs = append(t.dirs, filepath.Join(t.base, full))
		t.long = t.long || len(full) > longPath
	}
	return t.room()
}

// move goes to the directory that name leads to from the present one.
func (t *tree) move(name, full string) error {
	fd, err := unix.Openat(int(t.at.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	t.at.Close()
	t.at, t.path = os.NewFile(uintptr(fd), name), full
	return nil
}

// pop makes the present directory read-only and goes up. Nobody else moves
// anything below staging/, so ".." is where the walk came from.
func (t *tree) pop() error {
	if err := t.at.Chmod(0o555); err != nil {
		return err
	}
	if t.path == "" {
		err := t.at.Close()
		t.at = nil
		return err
	}
	return t.move("..", t.path[:max(strings.LastIndexByte(t.path, '/'), 0)])
}

// close lets go of everything, also after an error.
func (t *tree) close() error {
	if t.at != nil {
		t.at.Close()
	}
	return t.sumFile.Close()
}

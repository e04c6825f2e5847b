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
	vault   *Vault
	pending *pending
	base    string // the data directory
	stack   []openDir
	sumFile *os.File
	sums    *bufio.Writer
	line    []byte
	targets map[string]*manifest.Entry // of hard links
	dirs    []string                   // made, up to what is synced one by one
	made    []string                   // files made, likewise
	files   int                        // all files made, not linked
}

type openDir struct {
	path string // in the snapshot; "" is data itself
	file *os.File
}

func (v *Vault) newTree(p *pending, dir string) (*tree, error) {
	t := &tree{vault: v, pending: p, base: filepath.Join(dir, dataDir)}
	var err error
	if t.sumFile, err = os.OpenFile(filepath.Join(dir, sumsFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444); err != nil {
		return nil, err
	}
	t.sums = bufio.NewWriterSize(&diskWriter{disk: &v.disk, file: t.sumFile}, 1<<20)
	if err := os.Mkdir(t.base, 0o755); err != nil {
		return t, err
	}
	f, err := os.Open(t.base)
	if err != nil {
		return t, err
	}
	t.stack = []openDir{{"", f}}
	t.dirs = append(t.dirs, t.base)
	return t, nil
}

// build makes everything that the manifest lists.
func (t *tree) build(manifestPath string) (err error) {
	if t.targets, err = hardlinkTargets(manifestPath); err != nil {
		return err
	}
	if err := eachEntry(manifestPath, t.entry); err != nil {
		return err
	}
	for len(t.stack) > 0 {
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
		if target == nil {
			return nil // of a file that could not be read
		}
		link := *target
		link.Path = e.Path
		return t.place(&link)
	case manifest.File:
		if _, ok := t.targets[e.Path]; ok {
			kept := *e
			t.targets[e.Path] = &kept
		}
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
	k := key{t.pending.Sender, ObjectID(e.Object)}
	want := content{e.Size, Hash(e.SHA256)}
	have, ok := t.vault.known(k)
	if _, fresh := t.vault.fresh[k]; !ok || have != want || fresh {
		return errMismatch
	}
	copied, err := t.vault.linkAt(t.vault.layout.object(k), dir, path.Base(e.Path))
	if errors.Is(err, fs.ErrNotExist) {
		// The catalog has it, the disk has lost it. It counts as missing again.
		t.vault.forget(k)
		return errMismatch
	}
	if copied {
		t.note(e.Path)
	}
	return err
}

func (t *tree) empty(dir int, name, full string) error {
	f, err := createAt(dir, name)
	if err != nil {
		return err
	}
	t.note(full)
	return f.Close()
}

// note remembers a new file, while there are so few that they are synced one by
// one.
func (t *tree) note(full string) {
	if t.files++; len(t.made) <= t.vault.syncEach {
		t.made = append(t.made, filepath.Join(t.base, full))
	}
}

func parent(p string) string {
	if dir := path.Dir(p); dir != "." {
		return dir
	}
	return ""
}

// enter returns the open directory p, and makes it and its parents where they
// are not there. Directories that the walk has left are closed, read-only.
func (t *tree) enter(p string) (int, error) {
	for top := t.stack[len(t.stack)-1]; !within(p, top.path); top = t.stack[len(t.stack)-1] {
		if err := t.pop(); err != nil {
			return 0, err
		}
	}
	for {
		top := t.stack[len(t.stack)-1]
		if top.path == p {
			return int(top.file.Fd()), nil
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(p, top.path), "/")
		name, _, _ := strings.Cut(rest, "/")
		if err := t.push(top, name); err != nil {
			return 0, fmt.Errorf("making the directory %q: %w", p, err)
		}
	}
}

func within(p, dir string) bool {
	return dir == "" || p == dir || strings.HasPrefix(p, dir+"/")
}

func (t *tree) push(top openDir, name string) error {
	at := int(top.file.Fd())
	if err := unix.Mkdirat(at, name, 0o755); err != nil {
		return err
	}
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	p := path.Join(top.path, name)
	t.stack = append(t.stack, openDir{p, os.NewFile(uintptr(fd), name)})
	if len(t.dirs) <= t.vault.syncEach {
		t.dirs = append(t.dirs, filepath.Join(t.base, p))
	}
	return nil
}

func (t *tree) pop() error {
	top := t.stack[len(t.stack)-1]
	t.stack = t.stack[:len(t.stack)-1]
	err := top.file.Chmod(0o555)
	if cerr := top.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// close lets go of everything, also after an error.
func (t *tree) close() error {
	for _, d := range t.stack {
		d.file.Close()
	}
	return t.sumFile.Close()
}

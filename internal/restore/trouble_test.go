package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

func TestAttributesNotSet(t *testing.T) {
	list := []*manifest.Entry{folder("d"), content("d/f", "x"), symlink("l", "x")}
	for _, e := range list {
		e.Xattrs = map[string][]byte{"nonsense": []byte("x")} // no such namespace
	}
	warned := map[string]error{}
	r := mustRun(t, Options{
		Manifest: bytes.NewReader(write(t, list)), Open: texts{"d/f": "x"}.open(t), Dest: t.TempDir(),
		Warn: func(path string, err error) { warned[path] = err },
	})
	if r.Attributes != 3 || len(warned) != 3 || r.Files != 1 || r.Dirs != 1 || r.Symlinks != 1 {
		t.Errorf("%+v, warnings %v", r, warned)
	}
	for path, err := range warned {
		if !errors.Is(err, unix.EOPNOTSUPP) {
			t.Errorf("%s: %v, want EOPNOTSUPP", path, err)
		}
	}
}

func TestSymlinkXattrs(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may set xattrs on a symlink")
	}
	probe := filepath.Join(t.TempDir(), "probe")
	must(t, os.Symlink("x", probe))
	if err := xattr.LSet(probe, "trusted.weir", []byte("v")); err != nil {
		t.Skipf("this file system or kernel takes none on symlinks: %v", err)
	}
	l := symlink("l", "absent")
	l.Xattrs = map[string][]byte{"trusted.weir": []byte("v")}
	dest := t.TempDir()
	if r := mustRun(t, Options{Manifest: bytes.NewReader(write(t, []*manifest.Entry{l})), Dest: dest}); r.Attributes != 0 {
		t.Error("the xattr could not be set")
	}
	compare(t, []*manifest.Entry{l}, snapshot(t, dest))
}

// Directories that the manifest does not list are made, with a usual mode.
func TestUnlistedFolders(t *testing.T) {
	dest := t.TempDir()
	mustRun(t, Options{Manifest: bytes.NewReader(write(t, []*manifest.Entry{content("a/b/c", "")})), Dest: dest})
	if e := entry(t, filepath.Join(dest, "a/b"), "a/b"); e.Mode != 0o755 {
		t.Errorf("mode %o, want 755", e.Mode)
	}
}

// A directory that is moved away while the restore is deep below it.
func TestFolderMovedAway(t *testing.T) {
	var list []*manifest.Entry
	files := texts{}
	path := "a"
	for range 2 * maxOpen {
		list = append(list, folder(path), content(path+"/z", "x"))
		files[path+"/z"] = "x"
		path += "/m"
	}
	list = append(list, content("b", "b"))
	files["b"] = "b"
	dest, away, read := t.TempDir(), filepath.Join(t.TempDir(), "away"), files.open(t)
	moved := false
	open := func(e *manifest.Entry) (*os.File, error) {
		if !moved { // the deepest file comes first
			moved = true
			must(t, os.Rename(filepath.Join(dest, "a"), away))
		}
		return read(e)
	}
	before := descriptors(t)
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Open: open, Dest: dest})
	must(t, err)
	if r.Failures == 0 || r.Files == 0 {
		t.Errorf("%d files restored, %d failures, want some of both", r.Files, r.Failures)
	}
	if b, err := os.ReadFile(filepath.Join(dest, "b")); string(b) != "b" {
		t.Errorf("the file beside it: %q, %v", b, err)
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open after a restore, %d before", after, before)
	}
}

// changing gives another manifest at each reading.
type changing struct {
	*bytes.Reader
	next [][]byte
}

func (c *changing) Seek(int64, int) (int64, error) {
	c.Reader, c.next = bytes.NewReader(c.next[0]), c.next[1:]
	return 0, nil
}

func TestManifestChangesBetweenReadings(t *testing.T) {
	one, two := write(t, []*manifest.Entry{content("a", "")}), write(t, []*manifest.Entry{content("a", ""), content("b", ""), hardlink("c", "a")})
	_, err := Run(context.Background(), Options{Manifest: &changing{next: [][]byte{one, two}}, Dest: t.TempDir()})
	if !errors.Is(err, ErrChanged) {
		t.Errorf("Run = %v, want ErrChanged", err)
	}
}

func TestNoSpace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a small file system")
	}
	dest := t.TempDir()
	if err := unix.Mount("tmpfs", dest, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted here: %v", err)
	}
	defer unix.Unmount(dest, 0)
	big := strings.Repeat("x", 3<<20)
	list := []*manifest.Entry{content("a", "a"), content("b", big), content("c", "c")}
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Open: texts{"a": "a", "b": big, "c": "c"}.open(t), Dest: dest})
	if !errors.Is(err, unix.ENOSPC) || r.Files != 1 || r.Failures != 1 {
		t.Errorf("Run = %+v, %v, want ENOSPC after one file", r, err)
	}
	noTemp(t, dest)
}

func TestFailedIsBounded(t *testing.T) {
	var list []*manifest.Entry
	for i := range MaxFailed + 10 {
		e := content(fmt.Sprintf("%08d", i), "x")
		list = append(list, e)
	}
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Open: texts{}.open(t), Dest: t.TempDir()})
	must(t, err)
	if r.Failures != MaxFailed+10 || len(r.Failed) != MaxFailed {
		t.Errorf("%d failures, %d listed", r.Failures, len(r.Failed))
	}
}

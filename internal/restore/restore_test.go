package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// grow builds a tree with everything that is awkward.
func grow(t testing.TB) string {
	dir := t.TempDir()
	in := func(s string) string { return filepath.Join(dir, s) }
	deep := in(strings.Repeat(strings.Repeat("d", 200)+"/", 15)) // 3 KB
	for _, d := range []string{"empty", "a/b/c", "with space", "new\nline", "\xff\xfe", "closed", deep[len(dir)+1:]} {
		must(t, os.MkdirAll(in(d), 0o755))
	}
	for name, text := range map[string]string{
		"zero": "", "a/one": "1", "a/b/two": strings.Repeat("two", 1e6), "a.txt": "order", "a-": "order", "-rf": "x", " ": "space", "back\\slash": "x",
		"new\nline/cr\r": "x", "\xff\xfe/\x80": "bytes", "*": "star", "closed/in": "x", "setuid": "x", "ro": "read only", deep[len(dir)+1:] + "/leaf": "leaf",
	} {
		must(t, os.WriteFile(in(name), []byte(text), 0o640))
	}
	must(t, os.Symlink("../zero", in("a/link")))
	must(t, os.Symlink("/etc/passwd", in("a/absolute")))
	must(t, os.Symlink("nowhere\n\xff", in("dangling")))
	must(t, os.Link(in("a/one"), in("a/b/c/again")))
	must(t, os.Link(in("a/one"), in("z")))
	sparseFile(t, in("sparse"))
	if err := xattr.Set(in("a/one"), "user.weir", []byte{0, 1, 255}); err == nil {
		must(t, xattr.Set(in("a/b"), "user.dir", []byte("d")))
	}
	must(t, os.Chmod(in("setuid"), 0o4755|os.ModeSetuid))
	must(t, os.Chmod(in("ro"), 0o400))
	must(t, os.Chmod(in("empty"), 0o1777|os.ModeSticky))
	for i, name := range []string{"a/one", "a/b", "a", "zero", "a/b/two"} {
		when := time.Unix(1_000_000_000+int64(i), 123456789)
		must(t, os.Chtimes(in(name), when, when))
	}
	ts := []unix.Timespec{{Sec: -5, Nsec: 7}, {Sec: -5, Nsec: 7}}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, in("dangling"), ts, unix.AT_SYMLINK_NOFOLLOW))
	must(t, os.Chmod(in("closed"), 0o555))
	t.Cleanup(func() { os.Chmod(in("closed"), 0o755) })
	return dir
}

func sparseFile(t testing.TB, name string) {
	f, err := os.Create(name)
	must(t, err)
	_, err = f.WriteAt([]byte("end"), 8<<20)
	must(t, err)
	must(t, f.Close())
}

// options restores the tree dir, whose manifest says that the file "sparse"
// has a hole.
func options(t testing.TB, dir string) Options {
	entries := snapshot(t, dir)
	for _, e := range entries {
		if e.Path == "sparse" {
			e.Holes = [][2]int64{{0, 8 << 20}}
		}
	}
	tree, err := OpenTree(dir)
	must(t, err)
	dest := filepath.Join(t.TempDir(), "dest")
	t.Cleanup(func() { tree.Close(); os.Chmod(filepath.Join(dest, "closed"), 0o755) })
	return Options{Manifest: bytes.NewReader(write(t, entries)), Open: tree.Open, Dest: dest}
}

func mustRun(t testing.TB, o Options) Result {
	t.Helper()
	r, err := Run(context.Background(), o)
	must(t, err)
	for _, f := range r.Failed {
		t.Errorf("%.60q: %v", f.Path, f.Err)
	}
	return r
}

func compare(t testing.TB, want, got []*manifest.Entry) {
	t.Helper()
	if len(want) != len(got) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
	for i := range min(len(want), len(got)) {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("restored\n%+v\nwant\n%+v", got[i], want[i])
		}
	}
}

func TestRestoreWholeTree(t *testing.T) {
	dir := grow(t)
	o := options(t, dir)
	var planned, progress int64
	o.Planned = func(_, b int64) { planned = b }
	o.Progress = func(n int64) { progress += n }
	r := mustRun(t, o)
	compare(t, snapshot(t, dir), snapshot(t, o.Dest))
	if r.Failures != 0 || r.Attributes != 0 || r.Hardlinks != 2 || r.Symlinks != 3 || r.Bytes != planned || progress != planned || planned == 0 {
		t.Errorf("result %+v, %d bytes planned, %d in progress", r, planned, progress)
	}
	var st syscall.Stat_t
	must(t, syscall.Stat(filepath.Join(o.Dest, "sparse"), &st))
	if st.Blocks*512 >= 8<<20 {
		t.Errorf("the sparse file takes %d bytes", st.Blocks*512)
	}
}

func TestRestoreAgain(t *testing.T) {
	dir := grow(t)
	o := options(t, dir)
	mustRun(t, o)
	r, err := Run(context.Background(), o)
	must(t, err)
	if r.Files != 0 || r.Failures == 0 {
		t.Errorf("over an existing tree: %d files restored, %d failures", r.Files, r.Failures)
	}
	for _, f := range r.Failed {
		if !errors.Is(f.Err, ErrExists) {
			t.Errorf("%.60q: %v, want ErrExists", f.Path, f.Err)
		}
	}
	compare(t, snapshot(t, dir), snapshot(t, o.Dest))
	o.Overwrite = true
	must(t, os.WriteFile(filepath.Join(o.Dest, "a.txt"), []byte("changed"), 0o600))
	mustRun(t, o)
	compare(t, snapshot(t, dir), snapshot(t, o.Dest))
}

func TestPaths(t *testing.T) {
	dir := grow(t)
	for _, c := range []struct {
		paths string
		want  []string
	}{
		{"a.txt", []string{"a.txt"}},
		{"./a/b/", []string{"a", "a/b", "a/b/c", "a/b/c/again", "a/b/two"}},
		{"a/b/c|zero", []string{"a", "a/b", "a/b/c", "a/b/c/again", "zero"}},
		{"*.txt", []string{"a.txt"}},
		{"*", nil}, // also the name of a file
		{"**/two", []string{"a", "a/b", "a/b/two"}},
		{"[e]mpty", []string{"empty"}},
		{"new\nline", []string{"new\nline", "new\nline/cr\r"}},
		{"\xff\xfe", []string{"\xff\xfe", "\xff\xfe/\x80"}},
		{"a/b/c/again|z", []string{"a", "a/b", "a/b/c", "a/b/c/again", "z"}},
		{".", nil},
	} {
		o := options(t, dir)
		o.Paths = strings.Split(c.paths, "|")
		mustRun(t, o)
		got := snapshot(t, o.Dest)
		var paths []string
		for _, e := range got {
			paths = append(paths, e.Path)
		}
		if c.want == nil {
			compare(t, snapshot(t, dir), got)
		} else if !reflect.DeepEqual(paths, c.want) {
			t.Errorf("paths %q restore %q, want %q", c.paths, paths, c.want)
		}
	}
}

func TestPathsRefused(t *testing.T) {
	o := options(t, grow(t))
	for _, c := range []struct {
		path string
		want error
	}{
		{"nothing", ErrNoMatch}, {"a.tx", ErrNoMatch}, {"*.none", ErrNoMatch}, {"/a.txt", ErrPattern}, {"../x", ErrPattern}, {"", ErrPattern}, {"/", ErrPattern}, {"a//b", ErrPattern},
	} {
		o.Paths = []string{"a.txt", c.path}
		if _, err := Run(context.Background(), o); !errors.Is(err, c.want) {
			t.Errorf("path %q: %v, want %v", c.path, err, c.want)
		}
	}
	if _, err := os.Lstat(o.Dest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a refused restore made the folder: %v", err)
	}
}

func TestHardlinkWithoutItsFirstName(t *testing.T) {
	dir := grow(t)
	o := options(t, dir) // the file's first name is a/b/c/again
	o.Paths = []string{"a/one", "z"}
	r := mustRun(t, o)
	if r.Files != 1 || r.Hardlinks != 1 {
		t.Errorf("%d files and %d hard links, want one of each", r.Files, r.Hardlinks)
	}
	one, err := os.Stat(filepath.Join(o.Dest, "a/one"))
	must(t, err)
	two, err := os.Stat(filepath.Join(o.Dest, "z"))
	must(t, err)
	if !os.SameFile(one, two) {
		t.Error("the two names lead to two files")
	}
	want, got := entry(t, filepath.Join(dir, "z"), "z"), entry(t, filepath.Join(o.Dest, "z"), "z")
	compare(t, []*manifest.Entry{want}, []*manifest.Entry{got})
}

// A tree deeper than the descriptors held, left and entered in many ways.
func TestDeepTree(t *testing.T) {
	var entries []*manifest.Entry
	files := texts{}
	for _, top := range []string{"a", "b"} {
		path := top
		for i := range 3 * maxOpen {
			entries = append(entries, folder(path))
			name := fmt.Sprintf("%s/z%d", path, i)
			files[name] = name
			entries = append(entries, content(name, name))
			path += "/m"
		}
	}
	entries = append(entries, hardlink("c", entries[len(entries)-1].Path))
	o := Options{Manifest: bytes.NewReader(write(t, entries)), Open: files.open(t), Dest: t.TempDir()}
	before := descriptors(t)
	mustRun(t, o)
	got := snapshot(t, o.Dest)
	compare(t, entries, got)
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open after a restore, %d before", after, before)
	}
}

func TestPathBeyondPathMax(t *testing.T) {
	path, files := "", texts{}
	var entries []*manifest.Entry
	for range 40 {
		path += strings.Repeat("p", 250)
		entries = append(entries, folder(path))
		path += "/"
	}
	entries = append(entries, content(path+"f", "far"))
	files[path+"f"] = "far"
	dest := t.TempDir()
	mustRun(t, Options{Manifest: bytes.NewReader(write(t, entries)), Open: files.open(t), Dest: dest})
	root, err := os.OpenRoot(dest)
	must(t, err)
	defer root.Close()
	if b, err := root.ReadFile(path + "f"); string(b) != "far" {
		t.Errorf("the file of a path of %d bytes: %q, %v", len(path)+1, b, err)
	}
}

func TestCancel(t *testing.T) {
	o := options(t, grow(t))
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(int64) { cancel() }
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %v, want context.Canceled", err)
	}
	noTemp(t, o.Dest)
}

func noTemp(t testing.TB, dir string) {
	t.Helper()
	for _, e := range snapshot(t, dir) {
		if strings.Contains(e.Path, ".weir-restore-") {
			t.Errorf("%q is left over", e.Path)
		}
	}
}

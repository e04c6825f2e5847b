package restore

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// trap is a folder to restore to, beside a folder that must stay as it is.
func trap(t *testing.T) (dest string, untouched func()) {
	top := t.TempDir()
	dest = filepath.Join(top, "dest")
	out := filepath.Join(top, "out")
	must(t, os.MkdirAll(filepath.Join(out, "sub"), 0o755))
	must(t, os.Mkdir(dest, 0o755))
	must(t, os.WriteFile(filepath.Join(out, "file"), []byte("precious"), 0o600))
	before := snapshot(t, out)
	return dest, func() {
		t.Helper()
		compare(t, before, snapshot(t, out))
	}
}

func TestSymlinksInTheWay(t *testing.T) {
	entries := func() []*manifest.Entry {
		return []*manifest.Entry{folder("d"), folder("d/sub"), content("d/sub/x", "x"), content("d/file", "new"), content("file", "new")}
	}
	open := texts{"d/file": "new", "file": "new", "d/sub/x": "x"}.open(t)
	for _, overwrite := range []bool{false, true} {
		dest, untouched := trap(t)
		must(t, os.Symlink("../out", filepath.Join(dest, "d")))
		must(t, os.Symlink("../out/file", filepath.Join(dest, "file")))
		r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, entries())), Open: open, Dest: dest, Overwrite: overwrite})
		must(t, err)
		untouched()
		if overwrite {
			if r.Failures != 0 {
				t.Errorf("overwriting: %v", r.Failed)
			}
			if info, err := os.Lstat(filepath.Join(dest, "file")); err != nil || !info.Mode().IsRegular() {
				t.Errorf("the symlink was not replaced: %v, %v", info, err)
			}
		} else if r.Failures != 5 {
			t.Errorf("not overwriting: %d failures, want 5: %v", r.Failures, r.Failed)
		}
	}
}

// A symlink that stays inside the folder is not followed either.
func TestSymlinkInside(t *testing.T) {
	dest := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dest, "real"), 0o755))
	must(t, os.Symlink("real", filepath.Join(dest, "d")))
	list := []*manifest.Entry{folder("d"), content("d/x", "")}
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Dest: dest})
	must(t, err)
	if r.Failures != 2 || !errors.Is(r.Failed[1].Err, ErrNotDir) {
		t.Errorf("failures %v, want two ErrNotDir", r.Failed)
	}
	if names, _ := os.ReadDir(filepath.Join(dest, "real")); len(names) != 0 {
		t.Errorf("%v was written through the symlink", names)
	}
}

// Manifests that the writer refuses, made by hand.
func TestHostileManifests(t *testing.T) {
	good := string(write(t, []*manifest.Entry{folder("d"), symlink("d/l", "/tmp"), content("d/x", "x"), hardlink("d/y", "d/x")}))
	for name, change := range map[string][2]string{
		"dots":             {`"path":"d/x"`, `"path":"d/../x"`},
		"absolute":         {`"path":"d/x"`, `"path":"/tmp/x"`},
		"through a link":   {`"path":"d/x"`, `"path":"d/l/x"`},
		"hard link out":    {`"target":"d/x"`, `"target":"../out/file"`},
		"hard link, dots":  {`"target":"d/x"`, `"target":"d/../x"`},
		"totals":           {`"files":2`, `"files":1`},
		"repeated":         {`"path":"d/y"`, `"path":"d/x"`},
		"negative size":    {`"size":1`, `"size":-1`},
		"link to nothing ": {`"path":"d/y","kind":"hardlink","target":"d/x"`, `"path":"d/y","kind":"hardlink"`},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("%s changes nothing", name)
		}
		dest, untouched := trap(t)
		_, err := Run(context.Background(), Options{Manifest: strings.NewReader(bad), Open: texts{"d/x": "x"}.open(t), Dest: dest})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		untouched()
		if names, _ := os.ReadDir(dest); len(names) != 0 {
			t.Errorf("%s: %v was written before the manifest was known to be bad", name, names)
		}
	}
}

func TestHardlinkTargets(t *testing.T) {
	dest, untouched := trap(t)
	must(t, os.WriteFile(filepath.Join(dest, "theirs"), []byte("secret"), 0o600))
	list := []*manifest.Entry{
		folder("d"), symlink("l", "../out/file"), content("theirs", "x"), content("bad", "x"),
		hardlink("z1", "d"), hardlink("z2", "l"), hardlink("z3", "theirs"), hardlink("z4", "bad"), hardlink("z5", "absent"),
	}
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Open: texts{"bad": "y", "theirs": "x"}.open(t), Dest: dest})
	must(t, err)
	untouched()
	failed := map[string]error{}
	for _, f := range r.Failed {
		failed[f.Path] = f.Err
	}
	for path, want := range map[string]error{
		"theirs": ErrExists, "bad": ErrDamaged, "z1": ErrOrigin, "z2": ErrOrigin, "z3": ErrOrigin, "z4": ErrOrigin, "z5": ErrOrigin,
	} {
		if !errors.Is(failed[path], want) {
			t.Errorf("%s: %v, want %v", path, failed[path], want)
		}
	}
	if r.Failures != 7 {
		t.Errorf("%d failures, want 7", r.Failures)
	}
}

func TestDamagedContent(t *testing.T) {
	list := []*manifest.Entry{content("absent", "1"), content("good", "good"), content("long", "long"), content("other", "other"), content("short", "short")}
	files := texts{"good": "good", "long": "long and more", "other": "OTHER", "short": "sh"}
	for _, partial := range []bool{false, true} {
		dest := t.TempDir()
		warned := 0
		r, err := Run(context.Background(), Options{
			Manifest: bytes.NewReader(write(t, list)), Open: files.open(t), Dest: dest, Partial: partial,
			Warn: func(string, error) { warned++ },
		})
		must(t, err)
		if r.Failures != 4 || warned != 4 || r.Files != 1 || !errors.Is(r.Failed[0].Err, fs.ErrNotExist) {
			t.Errorf("partial %v: %+v, %d warnings", partial, r, warned)
		}
		for _, f := range r.Failed[1:] {
			if !errors.Is(f.Err, ErrDamaged) {
				t.Errorf("%s: %v, want ErrDamaged", f.Path, f.Err)
			}
		}
		var names []string
		for _, e := range snapshot(t, dest) {
			names = append(names, e.Path)
		}
		want := "good"
		if partial {
			want = "good long.partial other.partial short.partial"
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("partial %v leaves %q, want %q", partial, got, want)
		}
	}
}

func TestProblems(t *testing.T) {
	changed, gone, closed := content("changed", "x"), content("gone", ""), folder("closed")
	changed.Problem, gone.Problem, closed.Problem = "changed while read", "vanished", "unreadable: permission denied"
	dest := t.TempDir()
	r, err := Run(context.Background(), Options{
		Manifest: bytes.NewReader(write(t, []*manifest.Entry{changed, gone, closed})), Open: texts{"changed": "x"}.open(t), Dest: dest,
	})
	must(t, err)
	if r.Problems != 2 || r.Files != 1 || r.Dirs != 1 || r.Failures != 1 || !errors.Is(r.Failed[0].Err, ErrNoContent) {
		t.Errorf("result %+v", r)
	}
}

// Holes that are none must not cost a byte.
func TestLyingHoles(t *testing.T) {
	text := strings.Repeat("data", 1<<19) + strings.Repeat("\x00", 1<<16)
	e := content("f", text)
	e.Holes = [][2]int64{{0, 5}, {1 << 20, 1 << 20}, {int64(len(text) - 10), 10}}
	dest := t.TempDir()
	mustRun(t, Options{Manifest: bytes.NewReader(write(t, []*manifest.Entry{e})), Open: texts{"f": text}.open(t), Dest: dest})
	if b, err := os.ReadFile(filepath.Join(dest, "f")); string(b) != text {
		t.Errorf("the file has %d bytes and is another (%v)", len(b), err)
	}
}

func TestReplaceKinds(t *testing.T) {
	dest := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dest, "full", "x"), 0o755))
	must(t, os.Mkdir(filepath.Join(dest, "empty"), 0o755))
	must(t, os.WriteFile(filepath.Join(dest, "file"), []byte("old"), 0o600))
	must(t, unix.Mkfifo(filepath.Join(dest, "fifo"), 0o600))
	must(t, os.Link(filepath.Join(dest, "file"), filepath.Join(dest, "kept")))
	list := []*manifest.Entry{content("empty", ""), symlink("fifo", "x"), folder("file"), content("full", "")}
	r, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, list)), Dest: dest, Overwrite: true})
	must(t, err)
	if r.Failures != 1 || r.Failed[0].Path != "full" || !errors.Is(r.Failed[0].Err, unix.ENOTEMPTY) {
		t.Errorf("failures %v, want only the full directory", r.Failed)
	}
	if b, _ := os.ReadFile(filepath.Join(dest, "kept")); string(b) != "old" {
		t.Errorf("another name of the replaced file reads %q", b)
	}
}

func TestManifestSum(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "dest")
	_, err := Run(context.Background(), Options{Manifest: bytes.NewReader(write(t, nil)), Dest: dest, Sum: [32]byte{1}})
	if !errors.Is(err, ErrChanged) {
		t.Errorf("Run = %v, want ErrChanged", err)
	}
	if _, err := os.Stat(dest); err == nil {
		t.Error("the folder was made for a manifest that is another")
	}
}

func TestOwners(t *testing.T) {
	mine, other := content("mine", "x"), content("other", "x")
	mine.Mode, other.Mode = 0o6755, 0o6755
	other.UID, other.GID = 12345, 54321
	dest := t.TempDir()
	o := Options{Manifest: bytes.NewReader(write(t, []*manifest.Entry{mine, other})), Open: texts{"mine": "x", "other": "x"}.open(t), Dest: dest}
	r := mustRun(t, o)
	got := snapshot(t, dest)
	if got[0].Mode != 0o6755 {
		t.Errorf("mode %o of a file of one's own, want 6755", got[0].Mode)
	}
	if os.Geteuid() == 0 {
		if got[1].UID != 12345 || got[1].GID != 54321 || got[1].Mode != 0o6755 || r.Attributes != 0 {
			t.Errorf("as root: %+v, %d attributes not set", got[1], r.Attributes)
		}
	} else if got[1].Mode != 0o755 || r.Attributes != 1 {
		t.Errorf("not as root: mode %o, %d attributes not set, want 755 and 1", got[1].Mode, r.Attributes)
	}
}

func TestTreeRefuses(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "out"), nil, 0o600))
	data := filepath.Join(dir, "data")
	must(t, os.Mkdir(data, 0o755))
	must(t, os.Symlink("../out", filepath.Join(data, "link")))
	must(t, unix.Mkfifo(filepath.Join(data, "fifo"), 0o600))
	must(t, os.Mkdir(filepath.Join(data, "dir"), 0o755))
	tree, err := OpenTree(data)
	must(t, err)
	defer tree.Close()
	for _, path := range []string{"link", "fifo", "dir", "absent", "../out"} {
		if f, err := tree.Open(&manifest.Entry{Path: path}); err == nil {
			f.Close()
			t.Errorf("Open(%q) = nil, want an error", path)
		}
	}
}

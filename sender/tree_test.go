package sender

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

func TestKindsOfFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a/one": noise(1, 5000), "z": nil})
		must(t, os.Mkdir(filepath.Join(dir, "empty"), 0o750))
		must(t, os.Symlink("a/one", filepath.Join(dir, "link")))
		must(t, os.Symlink("no\nwhere\xff", filepath.Join(dir, "broken")))
		must(t, os.Link(filepath.Join(dir, "a/one"), filepath.Join(dir, "b")))
		must(t, os.Link(filepath.Join(dir, "a/one"), filepath.Join(dir, "a/two")))
		must(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
		socket(t, dir, "socket")
		must(t, os.Chmod(filepath.Join(dir, "z"), 0o4711|os.ModeSetuid))
		res, got := r.push(Job{Paths: []string{dir}})
		if want := []string{"a", "a/one", "a/two", "b", "broken", "empty", "link", "z"}; !slices.Equal(got.order, want) {
			t.Errorf("%q", got.order)
		}
		if res.Skipped != 2 || res.Problems != 0 || res.SentFiles != 1 || res.SentBytes != 5000 || res.Files != 4 {
			t.Errorf("%+v", res)
		}
		if e := got.entries["a/two"]; e.Kind != manifest.Hardlink || e.Target != "a/one" {
			t.Errorf("%+v", e)
		}
		if e := got.entries["b"]; e.Kind != manifest.Hardlink || e.Target != "a/one" {
			t.Errorf("%+v", e)
		}
		if e := got.entries["broken"]; e.Kind != manifest.Symlink || e.Target != "no\nwhere\xff" {
			t.Errorf("%+v", e)
		}
		if e := got.entries["empty"]; e.Kind != manifest.Dir || e.Mode != 0o750 {
			t.Errorf("%+v", e)
		}
		if e := got.entries["z"]; e.Mode != 0o4711 || e.UID != uint32(os.Getuid()) {
			t.Errorf("%+v", e)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// socket makes a socket file with no listener, whose path may be long.
func socket(t *testing.T, dir, name string) {
	t.Helper()
	must(t, unix.Mknod(filepath.Join(dir, name), unix.S_IFSOCK|0o600, 0))
}

// deep makes a chain of directories with openat, so that the path may be longer
// than PATH_MAX, with a file at the end. It returns the file's path.
func deep(t *testing.T, dir, name string, levels int, content []byte) string {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	var p string
	for range levels {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		must(t, err)
		fd, p = next, path.Join(p, name)
	}
	file, err := unix.Openat(fd, "file", unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	must(t, err)
	_, err = unix.Write(file, content)
	must(t, err)
	unix.Fsetxattr(file, "user.deep", []byte("yes"), 0) // some file systems have none
	unix.Close(file)
	unix.Close(fd)
	return p + "/file"
}

func TestPathsLongerThanTheKernelTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		long := deep(t, dir, strings.Repeat("d", 255), 40, noise(1, 9000)) // 10 KiB
		many := deep(t, dir, "e", 600, noise(2, 9000))
		settle(t)
		for pass := range 2 {
			res, got := r.push(Job{Paths: []string{dir}, All: true})
			r.want(got, map[string][]byte{long: noise(1, 9000), many: noise(2, 9000)})
			if res.Problems != 0 || len(got.order) != 642 {
				t.Errorf("pass %d: %+v, %d entries", pass, res, len(got.order))
			}
			if xattrsWork(t) && string(got.entries[long].Xattrs["user.deep"]) != "yes" {
				t.Errorf("pass %d: xattrs %v", pass, got.entries[long].Xattrs)
			}
		}
	})
}

// Keys of the state are limited to 32 KiB; what lies deeper is sent each time.
func TestPathsLongerThanTheStateTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		long := deep(t, dir, strings.Repeat("d", 255), 140, noise(1, 9000)) // 35 KiB
		over := deep(t, dir, strings.Repeat("o", 255), 256, noise(1, 9000)) // 64 KiB and a file
		settle(t)
		for range 2 {
			res, got := r.push(Job{Paths: []string{dir}})
			r.want(got, map[string][]byte{long: noise(1, 9000)})
			if got.entries[over] != nil || res.Problems != 1 {
				t.Errorf("%+v", res)
			}
		}
	})
}

func xattrsWork(t *testing.T) bool {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x")
	must(t, os.WriteFile(p, nil, 0o600))
	return unix.Setxattr(p, "user.test", []byte("1"), 0) == nil
}

func TestXattrs(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"f": noise(1, 5), "d/g": nil})
		must(t, unix.Setxattr(filepath.Join(dir, "f"), "user.a", []byte("\x00\xff"), 0))
		must(t, unix.Setxattr(filepath.Join(dir, "f"), "user.empty", nil, 0))
		must(t, unix.Setxattr(filepath.Join(dir, "f"), "user.\xff", []byte("b"), 0))
		must(t, unix.Setxattr(filepath.Join(dir, "d"), "user.dir", []byte("c"), 0))
		_, got := r.push(Job{Paths: []string{dir}})
		x := got.entries["f"].Xattrs
		if len(x) != 3 || string(x["user.a"]) != "\x00\xff" || string(x["user.\xff"]) != "b" {
			t.Errorf("%q", x)
		}
		if v, ok := x["user.empty"]; !ok || len(v) != 0 {
			t.Errorf("%q", x)
		}
		if x := got.entries["d"].Xattrs; string(x["user.dir"]) != "c" {
			t.Errorf("%q", x)
		}
	})
}

// asNobody lets this process see files as a user without rights.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	must(t, syscall.Setresuid(-1, 65534, -1)) // of all threads
	t.Cleanup(func() { must(t, syscall.Setresuid(-1, 0, -1)) })
}

func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		must(t, os.Chmod(r.cfg.Scratch, 0o777))
		for p := filepath.Dir(dir); p != "/" && p != os.TempDir(); p = filepath.Dir(p) {
			must(t, os.Chmod(p, 0o755))
		}
		write(t, dir, map[string][]byte{"a": noise(1, 50), "b": noise(2, 50), "d/x": noise(3, 50), "e": noise(4, 50)})
		must(t, os.Link(filepath.Join(dir, "b"), filepath.Join(dir, "b2")))
		must(t, os.Chmod(filepath.Join(dir, "b"), 0))
		must(t, os.Chmod(filepath.Join(dir, "d"), 0))
		t.Cleanup(func() { os.Chmod(filepath.Join(dir, "d"), 0o700) })
		asNobody(t)
		res, got := r.push(Job{Paths: []string{dir}})
		r.want(got, map[string][]byte{"a": noise(1, 50), "e": noise(4, 50)})
		if res.Problems != 2 || res.SentFiles != 2 {
			t.Errorf("%+v", res)
		}
		for _, p := range []string{"b", "d"} {
			if e := got.entries[p]; e.Problem != problemRead+"permission denied" || e.Size != 0 {
				t.Errorf("%+v", e)
			}
		}
		if got.entries["d/x"] != nil || got.entries["b2"].Target != "b" {
			t.Errorf("%q", got.order)
		}
	})
}

func TestRoots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"x/a": noise(1, 5), "y/a": noise(2, 6), "y/x/b": noise(3, 7), "a.b": noise(4, 8)})
		must(t, os.Symlink("y", filepath.Join(dir, "to-y")))
		in := func(names ...string) (all []string) {
			for _, n := range names {
				all = append(all, filepath.Join(dir, n))
			}
			return all
		}
		for _, c := range []struct {
			paths, want []string
		}{
			{in("x"), []string{"a"}},
			{in("x/a"), []string{"a"}},
			{in("to-y"), []string{"a", "x", "x/b"}},
			{in("y", "x", "a.b"), []string{"a.b", "x", "x/a", "y", "y/a", "y/x", "y/x/b"}},
			{in("to-y", "x/"), []string{"to-y", "x", "x/a"}},
		} {
			_, got := r.push(Job{Paths: c.paths})
			if !slices.Equal(got.order, c.want) {
				t.Errorf("%q: %q, want %q", c.paths, got.order, c.want)
			}
		}
		for _, c := range []struct {
			paths []string
			want  error
		}{
			{in("x", "y/x"), ErrPaths}, {in("x", "x"), ErrPaths}, {[]string{"/", dir}, ErrPaths}, {[]string{".", dir}, ErrPaths},
			{in("none"), os.ErrNotExist}, {in("x", "none"), os.ErrNotExist}, {nil, ErrJob},
		} {
			if _, err := r.Push(t.Context(), Job{Source: "s", Paths: c.paths}); !errors.Is(err, c.want) {
				t.Errorf("%q: %v, want %v", c.paths, err, c.want)
			}
		}
	})
}

func TestExclude(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"a.log": nil, "b/a.log": nil, "b/keep": nil, "cache/x/y": nil, "d/cache/z": nil, "d/e/f": nil})
		_, got := r.push(Job{Paths: []string{dir}, Exclude: []string{"*.log", "cache/**", "d/**/f"}})
		if want := []string{"b", "b/keep", "d", "d/cache", "d/cache/z", "d/e"}; !slices.Equal(got.order, want) {
			t.Errorf("%q", got.order)
		}
	})
}

// TestOwnFilesAreNotSent leaves out what is the sender's own, wherever it lies and by
// whatever name, and what is below it.
func TestOwnFilesAreNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, map[string][]byte{"etc/weir/key": nil, "etc/weir/toml": nil, "etc/weir/state.d/spool/x": nil, "spool/y": nil, "z": nil})
		must(t, os.Symlink("spool", filepath.Join(dir, "link")))
		must(t, os.Link(filepath.Join(dir, "etc/weir/key"), filepath.Join(dir, "other")))
		r := newRig(t, func(c *Config) {
			for _, name := range []string{"etc/weir/key", "etc/weir/key.old", "etc/weir/state.d", "link"} {
				c.Own = append(c.Own, filepath.Join(dir, name))
			}
		})
		_, got := r.push(Job{Paths: []string{dir}})
		if want := []string{"etc", "etc/weir", "etc/weir/toml", "link", "z"}; !slices.Equal(got.order, want) {
			t.Errorf("%q", got.order)
		}
		if _, got = r.push(Job{Paths: []string{filepath.Join(dir, "spool")}}); !slices.Equal(got.order, []string{"y"}) {
			t.Errorf("asked for by name: %q", got.order)
		}
	})
}

func TestJobsRefused(t *testing.T) {
	stream := strings.NewReader("x")
	for name, j := range map[string]Job{
		"no source":        {Paths: []string{"x"}},
		"a bad source":     {Source: "../x", Paths: []string{"x"}},
		"a slash before":   {Source: "s", Paths: []string{"x"}, Exclude: []string{"/x/y"}},
		"a bad glob":       {Source: "s", Paths: []string{"x"}, Exclude: []string{"[a"}},
		"paths and stream": {Source: "s", Paths: []string{"x"}, Stream: stream, As: "y"},
		"no name":          {Source: "s", Stream: stream},
		"a name outside":   {Source: "s", Stream: stream, As: "../y"},
		"nothing":          {Source: "s"},
	} {
		if err := j.check(); !errors.Is(err, ErrJob) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinksOfAnotherFile meets a name of a file that has the number of one which was
// deleted during the walk: it is no further name of that one.
func TestLinksOfAnotherFile(t *testing.T) {
	links := hardLinks{}
	one, other := &node{path: "a"}, &node{path: "b"}
	one.stat.Nlink, one.stat.Size, one.stat.Mtim.Nsec = 2, 10, 1
	other.stat = one.stat
	other.stat.Mtim.Nsec = 2
	links.met(one, 0)
	if first, again := links.met(other, 0); again {
		t.Errorf("b is taken for another name of %s", first)
	}
	if first, again := links.met(other, 0); !again || first != "b" {
		t.Errorf("%q, %v", first, again)
	}
}

// Files with several names are remembered until all were met, not longer.
func TestHardLinksAreForgotten(t *testing.T) {
	links := hardLinks{}
	met := func(p string, ino, names uint64) string {
		n := &node{path: p}
		n.stat.Ino = ino
		for range names {
			n.stat.Nlink++
		}
		first, _ := links.met(n, 0)
		return first
	}
	for _, c := range []struct {
		path       string
		ino, names uint64
		want       string
		left       int
	}{
		{"a", 1, 1, "", 0}, {"b", 2, 3, "", 1}, {"c", 3, 2, "", 2}, {"d", 2, 3, "b", 2}, {"e", 3, 2, "c", 1}, {"f", 2, 3, "b", 0},
	} {
		if got := met(c.path, c.ino, c.names); got != c.want || len(links) != c.left {
			t.Errorf("%s: %q and %d remembered, want %q and %d", c.path, got, len(links), c.want, c.left)
		}
	}
}

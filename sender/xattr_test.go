package sender

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// Attributes beyond what an entry may have are left out, and it is told each time:
// in the manifest, where restore finds it, and in the log.
func TestXattrsBeyondTheLimit(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r, dir := newRig(t, func(c *Config) { c.Log = zerolog.New(zerolog.SyncWriter(&log)) }), t.TempDir()
		r.xattrsMost = 100
		write(t, dir, map[string][]byte{"f": noise(1, 500), "d/empty": nil, "good": noise(2, 500)})
		large := bytes.Repeat([]byte("x"), 90)
		for _, name := range []string{"f", "d", "d/empty"} {
			must(t, unix.Setxattr(filepath.Join(dir, name), "user.large", large, 0))
			must(t, unix.Setxattr(filepath.Join(dir, name), "user.second", large, 0))
		}
		must(t, unix.Setxattr(filepath.Join(dir, "good"), "user.large", large, 0))
		settle(t)
		for pass := range 2 {
			synctest.Wait() // the link has its say first
			log.Reset()
			res, got := r.push(Job{Paths: []string{dir}})
			if res.Problems != 3 || strings.Count(log.String(), problemXattrs+"user.") != 3 {
				t.Errorf("pass %d: %d problems\n%s", pass, res.Problems, log.String())
			}
			for name, told := range map[string]bool{"f": true, "d": true, "d/empty": false, "good": false} {
				e := got.entries[name]
				if len(e.Xattrs) != 1 || strings.HasPrefix(e.Problem, problemXattrs) != told {
					t.Errorf("pass %d: %s has %d attributes, problem %q", pass, name, len(e.Xattrs), e.Problem)
				}
			}
			if e := got.entries["f"]; e.Size != 500 || e.Object == ([16]byte{}) {
				t.Errorf("pass %d: the content lacks: %+v", pass, e)
			}
		}
	})
}

// An attribute that is set between the look ahead and the reading of a file is listed
// with the content that is read, and one look ahead is enough where nothing was.
func TestXattrsReadAhead(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"f": noise(1, 10)})
	settle(t)
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(fd)
	n := &node{path: "f", dir: fd, name: "f"}
	n.look()
	n.extend(1000, fileClock())
	if n.lookAgain(); n.ext.at == 0 || !n.ext.bare {
		t.Errorf("a file that is as it was has %+v", n.ext)
	}
	must(t, unix.Setxattr(filepath.Join(dir, "f"), "user.late", []byte("x"), 0))
	write(t, dir, map[string][]byte{"f": noise(2, 20)}) // for file systems that do not stamp the attribute
	if n.lookAgain(); n.ext.at != 0 {
		t.Errorf("what was read of another version stays: %+v", n.ext)
	}
	if got := n.xattrs(1000); string(got.all["user.late"]) != "x" {
		t.Errorf("read again it has %+v", got)
	}
}

// Attributes that would fill the memory, held for all names ahead, are left to the walk.
func TestLargeXattrsAreNotHeldAhead(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"f": nil})
	n := &node{path: "f", dir: unix.AT_FDCWD, name: filepath.Join(dir, "f")}
	for _, size := range []int{100, aheadXattrs} {
		must(t, unix.Setxattr(n.name, "user.x", noise(1, size), 0))
		n.extendAhead(aheadXattrs, 1)
		if held := len(n.ext.all["user.x"]); held != size%aheadXattrs || (n.ext.at != 0) != (held > 0) {
			t.Errorf("%d bytes: %d of them are held, at %d", size, held, n.ext.at)
		}
		if got := n.xattrs(2 * aheadXattrs); len(got.all["user.x"]) != size {
			t.Errorf("%d bytes: the walk has %d", size, len(got.all["user.x"]))
		}
	}
}

// The names come the same way from a kernel that has listxattrat(2) and from an older
// one, also where they need more room than usual.
func TestListXattrsOfOlderKernels(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"none": nil, "one": nil, "many": nil})
	must(t, unix.Setxattr(filepath.Join(dir, "one"), "user.a", nil, 0))
	for i := range 2 * listSize / 200 {
		must(t, unix.Setxattr(filepath.Join(dir, "many"), "user."+strings.Repeat(string(rune('a'+i)), 200), nil, 0))
	}
	must(t, unix.Symlink("one", filepath.Join(dir, "link")))
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(fd)
	defer olderKernel.Store(false)
	for _, older := range []bool{false, true} {
		for name, want := range map[string]int{"none": 0, "one": len("user.a") + 1, "many": 2 * listSize / 200 * 206, "link": 0} {
			olderKernel.Store(older)
			list, err := (&node{dir: fd, name: name}).listXattrs()
			if err != nil || len(list) != want {
				t.Errorf("older kernel %v: %s has %d bytes of names, %v; want %d", older, name, len(list), err, want)
			}
		}
		if _, err := (&node{dir: fd, name: "gone"}).listXattrs(); err != unix.ENOENT {
			t.Errorf("older kernel %v: a name that is not there: %v", older, err)
		}
	}
}

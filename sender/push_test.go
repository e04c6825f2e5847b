package sender

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// noise returns n bytes that no compression shrinks.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

// write makes files below dir, and the directories they need.
func write(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	settle(t)
}

// settle waits until the kernel's file clock has passed all that was changed
// until now: files that changed in its present tick are not remembered.
func settle(t *testing.T) {
	t.Helper()
	var now unix.Timespec
	must(t, unix.ClockGettime(unix.CLOCK_REALTIME, &now))
	for fileClock() <= now.Nano() {
		unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil)
	}
}

// want compares files of a snapshot with what they should hold.
func (r *rig) want(got *received, files map[string][]byte) {
	r.t.Helper()
	for name, content := range files {
		e := got.entries[name]
		switch {
		case e == nil:
			r.t.Errorf("%q is not in the manifest", name)
		case e.Kind != manifest.File || e.Problem != "" || e.Size != int64(len(content)):
			r.t.Errorf("%q: %+v", name, e)
		case len(content) > 0 && !bytes.Equal(r.content(e.Object), content):
			r.t.Errorf("%q: other content", name)
		}
	}
}

func TestPushTree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		dir := t.TempDir()
		files := map[string][]byte{
			"a": noise(1, 10), "b/c": noise(2, 300000), "b/d": {}, "b.x": noise(3, 57344), "e": noise(4, 4096),
			"new\nline": noise(5, 5), "\xff\xfe": noise(6, 6), string(bytes.Repeat([]byte{'n'}, 255)): noise(7, 7),
		}
		write(t, dir, files)
		res, got := r.push(Job{Paths: []string{dir}})
		r.want(got, files)
		if res.Problems != 0 || res.Files != int64(len(files)) || len(got.entries) != len(files)+1 || res.SentFiles != int64(len(files)-1) {
			t.Errorf("%+v, %q", res, got.order)
		}
	})
}

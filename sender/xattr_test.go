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

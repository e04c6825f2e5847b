package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// TestVerifyIsLinearInDepth verifies a restore point with one file, as deep as paths
// may be: one line of a manifest makes that many directories.
func TestVerifyIsLinearInDepth(t *testing.T) {
	took := func(depth int) time.Duration { // of processor time: others run too
		g := newStore(t)
		deep := g.raw(1, rawFile(`"`+strings.Repeat("a/", depth)+`f"`))
		if g.send(deep); g.state(deep) != Whole {
			t.Fatalf("it is %q, events %v", g.state(deep), g.events())
		}
		begun := processorTime(t)
		g.verify()
		return processorTime(t) - begun
	}
	most := 4000
	if os.Getenv("WEIR_LONG") != "" {
		most = manifest.MaxPath/2 - 1
	}
	short, long := took(most/8), took(most)
	t.Logf("%d directories in %v, %d in %v", most/8, short, most, long)
	// Eight times the depth: eight times the time if it is linear, 64 if it is not.
	if long > 24*max(short, 20*time.Millisecond) {
		t.Errorf("%d directories took %v, %d took %v", most/8, short, most, long)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// TestWalk visits all there is, once, links as what they are, and goes on past what
// cannot be entered.
func TestWalk(t *testing.T) {
	top := t.TempDir()
	want := map[string]bool{"a": true, "a/b": true, "a/b/c": true, "a/f": true, "z": true, "z/link": true}
	for _, dir := range []string{"a/b/c", "z"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(top, "a/f"), nil, 0o644)
	os.Symlink("../a", filepath.Join(top, "z/link"))
	visit := func(p []byte, err error) error {
		if !want[string(p)] || err != nil {
			t.Errorf("%q, %v", p, err)
		}
		delete(want, string(p))
		return nil
	}
	if err := walk(top, visit); err != nil || len(want) > 0 {
		t.Errorf("%v, not visited %v", err, want)
	}
	end := errors.New("the end")
	visits := 0
	if err := walk(top, func([]byte, error) error { visits++; return end }); err != end || visits != 1 {
		t.Errorf("%v after %d visits", err, visits)
	}
	if err := walk(filepath.Join(top, "none"), visit); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing there: %v", err)
	}
}

package sender

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// forest makes a tree that is wide, deep and full in places. It returns the
// number of names in it.
func forest(t testing.TB, dir string, wide, full int) int {
	t.Helper()
	count := 0
	file := func(p string) {
		fd, err := unix.Open(filepath.Join(dir, p), unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
		count++
	}
	folder := func(p string) {
		if err := os.Mkdir(filepath.Join(dir, p), 0o755); err != nil {
			t.Fatal(err)
		}
		count++
	}
	for i := range wide {
		p := fmt.Sprintf("w%d", i)
		folder(p)
		for j := range i % 5 {
			file(fmt.Sprintf("%s/f%d", p, j))
			folder(fmt.Sprintf("%s/f%d.d", p, j))
			file(fmt.Sprintf("%s/f%d.d/x", p, j))
		}
		file(p + ".txt") // between a directory and what is in it, byte by byte
	}
	folder("full")
	for i := range full {
		file(fmt.Sprintf("full/%d", i))
	}
	folder("full-sub")
	for i := range full / 10 {
		folder(fmt.Sprintf("full-sub/%d", i))
	}
	return count
}

func openFiles(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(all)
}

// What is looked at ahead comes in path order, each name once, as it is.
func TestWalkMeetsAllInOrder(t *testing.T) {
	dir := t.TempDir()
	count := forest(t, dir, 300, 2*aheadNames+100) // a directory larger than what is read ahead
	before := openFiles(t)
	last, met := "", 0
	w := walker{visit: func(n *node) error {
		if last != "" && manifest.ComparePath(last, n.path) >= 0 {
			t.Fatalf("%q after %q", n.path, last)
		}
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, n.path), &st); err != nil || n.err != nil || st.Ino != n.stat.Ino {
			t.Fatalf("%q: %v %v, inode %d, want %d", n.path, err, n.err, n.stat.Ino, st.Ino)
		}
		last = n.path
		met++
		return nil
	}}
	must(t, w.walk([]root{{at: dir}}))
	if met != count || openFiles(t) != before {
		t.Errorf("%d of %d names; %d files are open, %d were", met, count, openFiles(t), before)
	}
}

// A walk that is cut short leaves nothing open, wherever that happens.
func TestWalkCutShort(t *testing.T) {
	dir := t.TempDir()
	count := forest(t, dir, 50, 1000)
	before, stop := openFiles(t), errors.New("stop")
	for at := 0; at < count; at += 17 {
		left := at
		w := walker{visit: func(*node) error {
			if left--; left < 0 {
				return stop
			}
			return nil
		}}
		if err := w.walk([]root{{at: dir}}); !errors.Is(err, stop) {
			t.Fatalf("at %d: %v", at, err)
		}
	}
	if now := openFiles(t); now != before {
		t.Errorf("%d files are open, %d were", now, before)
	}
}

// Directories that come, go and turn into something else under a walk are no
// error of it, and what stays is met.
func TestWalkOfATreeThatChanges(t *testing.T) {
	dir := t.TempDir()
	forest(t, dir, 100, 3000)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ; i = (i + 1) % 100 {
			select {
			case <-quit:
				return
			default:
			}
			p := filepath.Join(dir, fmt.Sprintf("w%d", i))
			os.Rename(p, p+"-away")
			os.Symlink(".", p)
			os.Remove(p)
			os.Rename(p+"-away", p)
			os.Remove(filepath.Join(dir, "full", fmt.Sprint(i)))
		}
	}()
	for range 8 {
		last, kept := "", 0
		w := walker{visit: func(n *node) error {
			if last != "" && manifest.ComparePath(last, n.path) >= 0 {
				t.Errorf("%q after %q", n.path, last)
			}
			if last = n.path; strings.HasPrefix(last, "full-sub/") || strings.HasSuffix(last, ".txt") {
				kept++
			}
			if n.err != nil && !errors.Is(n.err, fs.ErrNotExist) && !errors.Is(n.err, unix.ENOTDIR) && !errors.Is(n.err, unix.ELOOP) {
				t.Errorf("%q: %v", n.path, n.err)
			}
			return nil
		}}
		if err := w.walk([]root{{at: dir}}); err != nil || kept != 400 {
			t.Errorf("%d of 400 that stay, %v", kept, err)
		}
	}
	close(quit)
	<-ended
}

// What is excluded is not even opened ahead.
func TestWalkOpensNothingExcluded(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"a/x": nil, "b/x": nil, "c/x": nil})
	old := time.Unix(1e9, 0)
	must(t, os.Chtimes(filepath.Join(dir, "b"), old, old))
	var met []string
	w := walker{exclude: []string{"b"}, visit: func(n *node) error { met = append(met, n.path); return nil }}
	must(t, w.walk([]root{{at: dir}}))
	var st unix.Stat_t
	must(t, unix.Stat(filepath.Join(dir, "b"), &st))
	if want := []string{"a", "a/x", "c", "c/x"}; !slices.Equal(met, want) || st.Atim.Sec != old.Unix() {
		t.Errorf("met %q; the excluded directory was read at %d", met, st.Atim.Sec)
	}
}

// BenchmarkWalk visits one name of a tree of usual shape, all in memory.
func BenchmarkWalk(b *testing.B) {
	dir := b.TempDir()
	forest(b, dir, 3000, 20000)
	b.ReportAllocs()
	b.ResetTimer()
	met := 0
	for met < b.N {
		w := walker{visit: func(*node) error { met++; return nil }}
		if err := w.walk([]root{{at: dir}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(met), "ns/name")
}

// TestNameReadTwice reads a directory in which a name was removed and made again
// between two reads: it comes twice, and is listed once.
func TestNameReadTwice(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"a": nil, "b": nil})
	l := newListing(&node{dir: unix.AT_FDCWD, name: dir}, 0)
	l.names = []string{"b"} // of an earlier read
	l.open(math.MaxInt)
	defer l.close()
	if l.err != nil || len(l.chunks) != 1 || !slices.Equal(l.chunks[0].names, []string{"a", "b"}) {
		t.Errorf("%v, %v", l.chunks, l.err)
	}
}

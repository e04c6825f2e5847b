package vault

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// faulty makes the n-th operation of the disk that is counted fail, and all after
// it until it is mended.
type faulty struct {
	turn   sync.Mutex
	left   int
	broken bool
	err    error
}

func (f *faulty) fails() bool {
	f.turn.Lock()
	defer f.turn.Unlock()
	f.left--
	if f.left == 0 {
		f.broken = true
	}
	return f.broken
}

func (f *faulty) mend() (hit bool) {
	f.turn.Lock()
	defer f.turn.Unlock()
	hit = f.broken
	f.left, f.broken = 1<<30, false
	return hit
}

func (f *faulty) disk() disk {
	real := realDisk()
	d := real
	d.writeAt = func(file *os.File, p []byte, off int64) (int, error) {
		if f.fails() {
			n, _ := real.writeAt(file, p[:len(p)/2], off) // a write that is cut short
			return n, f.err
		}
		return real.writeAt(file, p, off)
	}
	d.create = func(path string, p []byte) error {
		if f.fails() {
			return f.err
		}
		return real.create(path, p)
	}
	d.sync = func(file *os.File) error {
		if f.fails() {
			return f.err
		}
		return real.sync(file)
	}
	d.syncAll = func(file *os.File) error {
		if f.fails() {
			return f.err
		}
		return real.syncAll(file)
	}
	d.wrote = func(file *os.File) error {
		if f.fails() {
			return f.err
		}
		return real.wrote(file)
	}
	d.rename = func(from, to string) error {
		if f.fails() {
			return f.err
		}
		return real.rename(from, to)
	}
	d.link = func(from string, dir int, name string) error {
		if f.fails() {
			return f.err
		}
		return real.link(from, dir, name)
	}
	return d
}

// TestEveryFaultIsSurvived breaks the disk at each operation in turn. Whatever is
// reported whole is whole, and when the disk is mended a second pass completes
// everything, without a restart and with one.
func TestEveryFaultIsSurvived(t *testing.T) { everyFault(t, 0) }

// TestEveryFaultBesideIsSurvived does that while restore points are built beside the
// vault's goroutine.
func TestEveryFaultBesideIsSurvived(t *testing.T) { everyFault(t, -1) }

func everyFault(t *testing.T, beside int64) {
	for _, errno := range []error{unix.EIO, unix.ENOSPC, unix.EROFS} {
		for n := 1; ; n++ {
			f := &faulty{left: 1 << 30, err: errno}
			g := newStore(t)
			g.kill()
			g.disk, g.opt = f.disk(), func(o *Options) { o.Beside = beside }
			g.open()
			first, second := g.shot(1, 100, 2<<20), g.shot(2, 3000, 1<<20+5)
			g.send(first)
			f.left = n
			g.send(second)
			g.settle()
			hit := f.mend()
			g.now = g.now.Add(2 * maxBackoff)
			g.verify()
			if n%2 == 0 {
				g.kill()
				g.open()
			}
			g.send(second)
			if g.state(first) != Whole || g.state(second) != Whole {
				t.Fatalf("%v at operation %d: %q, %q after the disk was mended", errno, n, g.state(first), g.state(second))
			}
			g.verify()
			g.close()
			if !hit {
				if n < 20 {
					t.Fatalf("only %d operations were seen", n)
				}
				break
			}
		}
	}
}

var errKilled = errors.New("killed")

// deadly is a disk on which the process dies at an operation or a named point.
func (f *faulty) deadly() disk {
	real, d := realDisk(), f.disk()
	die := func() {
		if f.fails() {
			panic(errKilled)
		}
	}
	d.writeAt = func(file *os.File, p []byte, off int64) (int, error) { die(); return real.writeAt(file, p, off) }
	d.create = func(path string, p []byte) error { die(); return real.create(path, p) }
	d.sync = func(file *os.File) error { die(); return real.sync(file) }
	d.syncAll = func(file *os.File) error { die(); return real.syncAll(file) }
	d.wrote = func(file *os.File) error { die(); return real.wrote(file) }
	d.rename = func(from, to string) error { die(); return real.rename(from, to) }
	d.link = func(from string, dir int, name string) error { die(); return real.link(from, dir, name) }
	d.point = func(string) { die() }
	return d
}

// dies reports whether the process dies of something.
func (g *store) dies(something func()) (killed bool) {
	defer func() {
		if r := recover(); r != nil && r != errKilled {
			panic(r)
		} else if r != nil {
			killed = true
		}
	}()
	something()
	return false
}

// TestKilledAnywhere ends the process at each operation of the disk in turn, and
// starts anew.
func TestKilledAnywhere(t *testing.T) {
	for n := 1; ; n++ {
		f := &faulty{left: 1 << 30}
		g := newStore(t)
		g.kill()
		g.disk = f.deadly()
		g.open()
		first, second := g.shot(1, 100, 2<<20), g.shot(2, 3000, 1<<20+5)
		g.send(first)
		f.left = n
		killed := g.dies(func() { g.send(second) })
		g.kill()
		f.mend()
		g.verify()
		g.open()
		g.verify()
		g.send(second)
		if g.state(first) != Whole || g.state(second) != Whole {
			t.Fatalf("killed at operation %d: %q, %q after a second pass", n, g.state(first), g.state(second))
		}
		g.verify()
		g.close()
		for _, dir := range []string{"staging", "incoming/prod", "pending/prod/etc"} {
			if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir", dir)); len(left) > 0 {
				t.Fatalf("killed at operation %d: %s holds %v", n, dir, left)
			}
		}
		if !killed {
			break
		}
	}
}

func TestTwoWriters(t *testing.T) {
	g := newStore(t)
	if _, err := Open(g.dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("a second writer: %v", err)
	}
}

func TestCatalogIsRebuilt(t *testing.T) {
	g := newStore(t)
	first := g.shot(1, 100, 2<<20)
	g.send(first)
	g.close()
	path := filepath.Join(g.dir, ".weir", "catalog.db")
	if err := os.WriteFile(path, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	g.open()
	again := g.shot(2)
	again.files = first.files // unchanged files are not sent again
	g.seal(again)
	g.finish(again)
	if g.state(again) != Whole {
		t.Fatalf("with a rebuilt catalog it is %q", g.state(again))
	}
	g.verify()
	g.close()
	if n, err := Reindex(g.dir, Options{}); err != nil || n != 2 {
		t.Fatalf("reindex found %d objects, %v", n, err)
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	g := newStore(t)
	g.send(g.shot(1, 10))
	later := g.now
	g.now = g.now.AddDate(-30, 0, 0)
	g.send(g.shot(2, 10))
	g.close()
	g.open()
	g.send(g.shot(3, 10))
	for _, p := range g.points {
		if p.Received.Before(later.UTC()) {
			t.Errorf("%s was received at %v, before %v", p.Name, p.Received, later)
		}
	}
}

func TestVerifyFindsDamage(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, point string) error{
		"a flipped bit": func(t *testing.T, p string) error {
			path := filepath.Join(p, "data", "fb")
			os.Chmod(path, 0o644)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[77] ^= 4
			return os.WriteFile(path, b, 0o644)
		},
		"a cut file":     func(t *testing.T, p string) error { return os.Truncate(filepath.Join(p, "data", "fa"), 5) },
		"a lost file":    func(t *testing.T, p string) error { return os.Remove(filepath.Join(p, "data", "fa")) },
		"a stray file":   func(t *testing.T, p string) error { return os.WriteFile(filepath.Join(p, "data", "x"), nil, 0o644) },
		"a stray beside": func(t *testing.T, p string) error { return os.WriteFile(filepath.Join(p, "x"), nil, 0o644) },
		"the sums":       func(t *testing.T, p string) error { return appendTo(filepath.Join(p, sumsFile), "x") },
		"the manifest":   func(t *testing.T, p string) error { return appendTo(filepath.Join(p, manifestFile), "x") },
		"the signature":  func(t *testing.T, p string) error { return os.Truncate(filepath.Join(p, sigFile), 100) },
		"no signature":   func(t *testing.T, p string) error { return os.Remove(filepath.Join(p, sigFile)) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			s := g.shot(1, 100, 2000)
			g.send(s)
			point := filepath.Join(g.dir, "prod", "etc", s.Name())
			for _, d := range []string{point, filepath.Join(point, "data")} {
				if err := os.Chmod(d, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := damage(t, point); err != nil {
				t.Fatal(err)
			}
			f, err := Find(g.dir, s.Ref())
			if err != nil {
				if name == "the manifest" {
					return // it is not even listed as good
				}
				t.Fatal(err)
			}
			if r, err := Verify(t.Context(), g.dir, f, nil); err != nil || len(r.Findings) == 0 {
				t.Fatalf("nothing was found, %v", err)
			}
		})
	}
}

func appendTo(path, text string) error {
	os.Chmod(path, 0o644)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func TestPlainToolsRead(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("sha256sum is not on this machine")
	}
	g := newStore(t)
	s := g.shot(1, 100, 2000, 0)
	s.files = append(s.files, file{"new\nline", []byte("x"), ObjectID{7}}, file{"back\\slash", []byte("y"), ObjectID{8}}, file{"\xff", []byte("z"), ObjectID{9}})
	g.seal(s)
	g.send(s)
	cmd := exec.Command("sha256sum", "--strict", "-c", sumsFile)
	cmd.Dir = filepath.Join(g.dir, "prod", "etc", s.Name())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func FuzzRanges(f *testing.F) {
	f.Add([]byte{1, 5, 3, 9, 20, 30})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var r ranges
		var model [300]bool
		for i := 0; i+1 < len(steps); i += 2 {
			from, n := int64(steps[i]), int64(steps[i+1]%40)+1
			r.add(from, from+n)
			for j := from; j < from+n; j++ {
				model[j] = true
			}
		}
		if !r.valid() {
			t.Fatalf("%v is no set", r)
		}
		for i := range model {
			if r.holds(int64(i), int64(i)+1) != model[i] {
				t.Fatalf("byte %d in %v", i, r)
			}
		}
		total := int64(0)
		for _, gap := range r.lacking(0, 300) {
			total += gap[1] - gap[0]
		}
		for _, have := range r {
			total += have[1] - have[0]
		}
		if total != 300 {
			t.Fatalf("%v and its gaps make %d", r, total)
		}
	})
}

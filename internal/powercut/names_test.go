package powercut

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// mostNames is more names than a file can have on ext4 and btrfs.
const mostNames = 70_000

// onDisk makes a file system in a file and returns how to mount it.
func (s system) onDisk(t *testing.T, size string) (mount []string) {
	t.Helper()
	s.need(t)
	disk := filepath.Join(scratch(t), "disk")
	do(t, "truncate", "-s", size, disk)
	do(t, s.mkfs[0], append(s.mkfs[1:], disk)...)
	return []string{"-t", s.name, "-o", "loop", disk}
}

// TestObjectWithAllItsNames gives an object as many names as the file system allows, as
// tens of thousands of restore points would. The next ones become whole all the same.
func TestObjectWithAllItsNames(t *testing.T) {
	limited := []system{systems[0], systems[2]}
	for i, s := range limited {
		t.Run(s.name, func(t *testing.T) {
			shortOf(t, 1, i, len(limited))
			g := newTrouble(t, 0, s.onDisk(t, "300M")...)
			if n := g.send(g.world.shots[:2]); n != 2 {
				t.Fatalf("%d of 2 are whole", n)
			}
			elsewhere := filepath.Join(g.dir, "elsewhere")
			must(os.Mkdir(elsewhere, 0o755))
			nameUntilRefused(t, g.shared(), elsewhere)
			if n := g.send(g.world.shots[2:4]); n != 4 {
				t.Fatalf("%d of 4 are whole\n%s", n, g.log.String())
			}
			if lines, _ := g.said("disk-error"); lines > 0 {
				t.Errorf("it is no error:\n%s", g.log.String())
			}
		})
	}
}

// shared returns the file of an object that the third snapshot shares with the first.
func (g *trouble) shared() string {
	g.t.Helper()
	for _, f := range g.world.shots[2].files {
		found, _ := filepath.Glob(filepath.Join(g.path(), ".weir", "objects", sender, "*", fmt.Sprintf("%x", f.id[:])))
		if f.old && len(found) == 1 {
			return found[0]
		}
	}
	g.t.Fatal("the snapshots share no object")
	return ""
}

func nameUntilRefused(t *testing.T, path, dir string) {
	t.Helper()
	for i := range mostNames {
		err := os.Link(path, filepath.Join(dir, fmt.Sprint(i)))
		if errors.Is(err, syscall.EMLINK) {
			return
		}
		must(err)
	}
	t.Fatalf("the file system gives a file more than %d names", mostNames)
}

// TestProgramsManyNames pushes, with the real programs, a file under more names than its
// copy in the vault can have, and as many files with the same content.
func TestProgramsManyNames(t *testing.T) {
	if os.Getenv("WEIR_LONG") == "" {
		t.Skip("it takes minutes; WEIR_LONG=1 runs it")
	}
	mounted := filepath.Join(scratch(t), "mounted")
	must(os.Mkdir(mounted, 0o755))
	do(t, "mount", append(systems[0].onDisk(t, "3G"), mounted)...)
	t.Cleanup(func() { do(t, "umount", "-l", mounted) })
	h := newHost(t, mounted, 1)
	r, err := h.begin(nil, nil)
	if err == nil {
		err = r.ready()
	}
	must(err)
	work := filepath.Join(scratch(t), "work") // in memory, where a file can have any number of names
	must(os.MkdirAll(filepath.Join(work, "names"), 0o755))
	must(os.MkdirAll(filepath.Join(work, "files"), 0o755))
	first := filepath.Join(work, "names", "first")
	must(os.WriteFile(first, bytes.Repeat([]byte("x"), 5000), 0o644))
	for i := range mostNames {
		must(os.Link(first, filepath.Join(work, "names", fmt.Sprint("name-", i))))
		must(os.WriteFile(filepath.Join(work, "files", fmt.Sprint(i)), []byte("the same in all\n"), 0o644))
	}
	for n := 1; n <= 2; n++ {
		begun := time.Now()
		must(h.push(grows, work))
		for end := begun.Add(patience); len(h.told("snapshot-whole")) < n; time.Sleep(time.Second) {
			if time.Now().After(end) {
				t.Fatalf("snapshot %d does not become whole:\n%s", n, r.log())
			}
		}
		t.Logf("snapshot %d is whole after %v", n, time.Since(begun).Round(time.Millisecond))
	}
	must(r.stop())
	if err := h.verifyWhole(nil, 100); err != nil {
		t.Fatal(err)
	}
	ids := map[uint64]bool{}
	must(filepath.WalkDir(filepath.Join(h.vault, sender, grows), func(p string, d fs.DirEntry, err error) error {
		if info, ierr := d.Info(); ierr == nil && filepath.Base(filepath.Dir(p)) == "names" {
			ids[info.Sys().(*syscall.Stat_t).Ino] = true
		}
		return err
	}))
	if len(ids) < 2 || len(ids) > 4 {
		t.Errorf("%d files serve %d names", len(ids), 2*mostNames)
	}
}

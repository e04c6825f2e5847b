package sender

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"weir/internal/manifest"
)

// Files before, between, behind and across the batches that are read at once.
func TestRecallInStepWithAWalk(t *testing.T) {
	s := openState(t, filepath.Join(t.TempDir(), "state"))
	defer s.Close()
	_, err := s.nextNumber("a")
	must(t, err)
	const count = 2*recallBatch + 100
	var files []sentFile
	for i := range count {
		files = append(files, sentFile{path: fmt.Sprintf("d/%06d", 2*i), version: version{Size: int64(i), Bare: i%2 == 0}})
	}
	must(t, s.save("a", files))
	walk := s.recall("a")
	asked := map[string]bool{}
	for i := 1; i < 2*count+10; i += 3 {
		path := fmt.Sprintf("d/%06d", i)
		asked[path] = true
		v, ok, err := walk.find(path)
		must(t, err)
		if ok != (i%2 == 0 && i < 2*count) || ok && (v.Size != int64(i/2) || v.Bare != (i/2%2 == 0)) {
			t.Fatalf("%s: %v %+v", path, ok, v)
		}
	}
	must(t, walk.finish())
	for _, f := range files {
		if _, ok := s.known("a", f.path); ok != asked[f.path] {
			t.Fatalf("%s: remembered %v, walked by %v", f.path, ok, asked[f.path])
		}
	}
}

// States of older programs have no flags.
func TestVersionWithoutFlags(t *testing.T) {
	want := version{Size: 5, ModTime: -7, ChangeTime: 8, Inode: 9, Device: 10, Bare: true}
	want.Object[0], want.SHA256[31] = 1, 2
	b := appendVersion(nil, &want)
	var got version
	if !got.decode(b) || got != want {
		t.Errorf("%+v", got)
	}
	if want.Bare = false; !got.decode(b[:versionSize]) || got != want {
		t.Errorf("%+v", got)
	}
	if got.decode(b[:versionSize-1]) || got.decode(nil) {
		t.Error("took a version that is cut short")
	}
}

// The keys of the state lie in the order of a walk.
func TestKeysInWalkOrder(t *testing.T) {
	paths := []string{"a", "a/b", "a/b/c", "a-b", "a.c", "a\x01", "a/\x01", "b", "a\xff/x"}
	byKey := map[string]string{}
	for _, p := range paths {
		byKey[string(fileKey(p))] = p
	}
	slices.SortFunc(paths, manifest.ComparePath)
	for i, k := range slices.Sorted(maps.Keys(byKey)) {
		if byKey[k] != paths[i] {
			t.Errorf("%d: %q, want %q", i, byKey[k], paths[i])
		}
	}
}

// An attribute that is set, changed or removed later stands in the next manifest,
// whatever is remembered of the file.
func TestXattrsOfUnchangedContent(t *testing.T) {
	if !xattrsWork(t) {
		t.Skip("the file system of the temporary directory has no extended attributes")
	}
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"f": noise(1, 500)})
		f := filepath.Join(dir, "f")
		for i, c := range []struct {
			change func() error
			want   string
		}{
			{func() error { return nil }, ""},
			{func() error { return nil }, ""},
			{func() error { return unix.Setxattr(f, "user.a", []byte("1"), 0) }, "1"},
			{func() error { return nil }, "1"},
			{func() error { return unix.Setxattr(f, "user.a", []byte("2"), 0) }, "2"},
			{func() error { return unix.Removexattr(f, "user.a") }, ""},
		} {
			must(t, c.change())
			settle(t)
			_, got := r.push(Job{Paths: []string{dir}})
			if v := string(got.entries["f"].Xattrs["user.a"]); v != c.want {
				t.Errorf("step %d: %q, want %q", i, v, c.want)
			}
		}
	})
}

// What an older program remembered is completed, once.
func TestBareIsRememberedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		write(t, dir, map[string][]byte{"f": noise(1, 500)})
		settle(t)
		if info, err := os.Lstat(filepath.Join(dir, "f")); err != nil || !(timed{}).covers(nodeOf(t, dir, info.Name())) {
			t.Skip("the file system of the temporary directory does not tell of changed attributes")
		}
		r.push(Job{Paths: []string{dir}})
		v, ok := r.cfg.State.known("src", "f")
		if !ok || !v.Bare {
			t.Fatalf("%v %+v", ok, v)
		}
		v.Bare = false
		must(t, r.cfg.State.save("src", []sentFile{{path: "f", version: v}}))
		res, _ := r.push(Job{Paths: []string{dir}})
		if again, _ := r.cfg.State.known("src", "f"); !again.Bare || again.Object != v.Object || res.SentFiles != 0 {
			t.Errorf("%+v, was %+v", again, v)
		}
	})
}

func nodeOf(t *testing.T, dir, name string) *node {
	n := &node{dir: unix.AT_FDCWD, name: filepath.Join(dir, name)}
	must(t, unix.Lstat(n.name, &n.stat))
	return n
}

// States of older programs hold the hash of the latest manifest as numbers.
func TestLatestOfAnOlderProgram(t *testing.T) {
	numbers := strings.TrimSuffix(strings.Repeat("7,", 32), ",")
	var l latest
	must(t, l.decode([]byte(`{"number":3,"taken":9,"manifest":[`+numbers+`]}`)))
	if l.Number != 3 || l.Taken != 9 || l.Manifest[0] != 7 || l.Manifest[31] != 7 {
		t.Errorf("%+v", l)
	}
	if l.decode([]byte(`{"number":"x"}`)) == nil {
		t.Error("took what is no snapshot")
	}
}

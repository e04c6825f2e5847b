package restore

import (
	"bytes"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"

	"weir/internal/manifest"
)

var header = manifest.Header{Sender: "prod", Source: "etc", Number: 1, Taken: time.Unix(1e9, 0), Tool: "test"}

// write returns the manifest of the entries, which it sorts.
func write(t testing.TB, entries []*manifest.Entry) []byte {
	t.Helper()
	sort.Slice(entries, func(i, j int) bool { return manifest.ComparePath(entries[i].Path, entries[j].Path) < 0 })
	var b bytes.Buffer
	w, err := manifest.NewWriter(&b, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := w.Add(e); err != nil {
			t.Fatalf("Add(%q): %v", e.Path, err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// snapshot walks dir as a sender would. What it sees is also what two equal
// trees must agree in.
func snapshot(t testing.TB, dir string) []*manifest.Entry {
	t.Helper()
	var entries []*manifest.Entry
	first := map[uint64]*manifest.Entry{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		e := entry(t, path, path[len(dir)+1:])
		entries = append(entries, e)
		if info, _ := d.Info(); e.Kind == manifest.File && info.Sys().(*syscall.Stat_t).Nlink > 1 {
			ino := info.Sys().(*syscall.Stat_t).Ino
			if first[ino] == nil || manifest.ComparePath(e.Path, first[ino].Path) < 0 {
				first[ino] = e
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range entries {
		var st syscall.Stat_t
		syscall.Lstat(filepath.Join(dir, e.Path), &st)
		if f := first[st.Ino]; f != nil && f != e && e.Kind == manifest.File {
			entries[i] = &manifest.Entry{Path: e.Path, Kind: manifest.Hardlink, Target: f.Path}
		}
	}
	return entries
}

func entry(t testing.TB, path, name string) *manifest.Entry {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	e := &manifest.Entry{Path: name, Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, ModTime: time.Unix(st.Mtim.Unix()).UTC()}
	if names, err := xattr.LList(path); err == nil && len(names) > 0 {
		e.Xattrs = map[string][]byte{}
		for _, n := range names {
			e.Xattrs[n], _ = xattr.LGet(path, n)
		}
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		e.Kind = manifest.Dir
	case syscall.S_IFLNK:
		e.Kind = manifest.Symlink
		e.Target, _ = os.Readlink(path)
	default:
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e.Kind, e.Size, e.SHA256 = manifest.File, int64(len(b)), sha256.Sum256(b)
		if len(b) > 0 {
			e.Object = [16]byte{1}
		}
	}
	return e
}

// content is an entry for a file with the given bytes.
func content(path, text string) *manifest.Entry {
	e := &manifest.Entry{
		Path: path, Kind: manifest.File, Size: int64(len(text)), SHA256: sha256.Sum256([]byte(text)),
		Mode: 0o644, UID: uint32(os.Getuid()), GID: uint32(os.Getgid()), ModTime: time.Unix(1e9, 5).UTC(),
	}
	if text != "" {
		e.Object = [16]byte{1}
	}
	return e
}

func folder(path string) *manifest.Entry {
	e := content(path, "")
	return &manifest.Entry{Path: path, Kind: manifest.Dir, Mode: 0o755, UID: e.UID, GID: e.GID, ModTime: e.ModTime}
}

func symlink(path, target string) *manifest.Entry {
	e := folder(path)
	e.Kind, e.Mode, e.Target = manifest.Symlink, 0o777, target
	return e
}

func hardlink(path, target string) *manifest.Entry {
	return &manifest.Entry{Path: path, Kind: manifest.Hardlink, Target: target}
}

// texts serves contents by path from memory.
type texts map[string]string

func (m texts) open(t testing.TB) func(*manifest.Entry) (*os.File, error) {
	dir := t.TempDir()
	return func(e *manifest.Entry) (*os.File, error) {
		text, ok := m[e.Path]
		if !ok {
			return nil, fs.ErrNotExist
		}
		name := filepath.Join(dir, "content")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			return nil, err
		}
		return os.Open(name)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// descriptors counts what this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(fds)
}

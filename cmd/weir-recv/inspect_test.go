package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"weir/internal/manifest"
	"weir/internal/vault"
)

func signManifest(key ed25519.PrivateKey, text []byte) [64]byte {
	return manifest.Sign(key, sha512.Sum512(text))
}

// Bounds of what a run may leave behind.
const (
	maxHeap = 256 << 20 // bytes of live heap; blocks lie outside of it
	// maxDisk is what the vault may take beside what was sent: its catalog, and a
	// page or two for each of many small files.
	maxDisk = 8 << 20
	unpacks = 256 // times that a manifest may be larger than it was sent
)

// inspect holds the vault to what must be true whatever was sent.
func (a *attacker) inspect() {
	a.t.Helper()
	if a.apart { // what was being built is swept away by whoever opens the vault next
		a.apart = false
		a.start()
		a.end()
	}
	if a.sumOthers() != a.others {
		a.t.Error("something outside of the sender's folder changed")
	}
	a.inspectNames()
	a.inspectPoints()
	a.inspectSize()
	a.inspectKeys()
}

// inspectNames looks for what has no business where it is.
func (a *attacker) inspectNames() {
	for dir, allowed := range map[string][]string{
		"":                     {"vault", "outside", "receiver.state"},
		"outside":              {"keep"},
		"vault":                {".weir", "prod", "other", "lost+found"},
		"vault/prod":           {"a", "b", "lost-found"},
		"vault/.weir/objects":  {"prod"},
		"vault/.weir/incoming": {"prod"},
		"vault/.weir/pending":  {"prod"},
		"vault/.weir/staging":  nil,
	} {
		entries, _ := os.ReadDir(filepath.Join(a.dir, dir))
		for _, e := range entries {
			if !slices.Contains(allowed, e.Name()) {
				a.t.Errorf("%s lies in %q", e.Name(), dir)
			}
		}
	}
}

// inspectPoints verifies every restore point, and that none has changed since it
// became whole.
func (a *attacker) inspectPoints() {
	dir := filepath.Join(a.dir, "vault")
	all, err := vault.List(dir)
	a.must(err)
	whole := 0
	for _, p := range all {
		if p.State != vault.Whole || p.Sender != "prod" {
			continue
		}
		whole++
		ref := p.Snapshot().Ref()
		f, err := vault.Find(dir, ref)
		a.must(err)
		if r, err := vault.Verify(a.t.Context(), dir, f, nil); err != nil || len(r.Findings) > 0 {
			a.t.Errorf("%s is published and not good: %v %v", ref, r.Findings, err)
		}
		if got := a.sumTree(filepath.Join(dir, ref)); got != a.published[ref] {
			a.t.Errorf("%s has changed since it was published, or was never told of", ref)
		}
	}
	if whole != len(a.published) {
		a.t.Errorf("%d restore points were told of as whole, %d are", len(a.published), whole)
	}
}

// inspectSize bounds memory and disk.
func (a *attacker) inspectSize() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > maxHeap {
		a.t.Errorf("%d bytes of heap", m.HeapAlloc)
	}
	var used int64
	filepath.WalkDir(filepath.Join(a.dir, "vault"), func(path string, _ fs.DirEntry, err error) error {
		var st syscall.Stat_t
		if err == nil && syscall.Lstat(path, &st) == nil {
			used += st.Blocks * 512
		}
		return nil
	})
	if used > maxDisk+unpacks*a.sent {
		a.t.Errorf("the vault takes %d bytes of the disk, %d were sent", used, a.sent)
	}
}

// sumOthers sums up what is not the sender's.
func (a *attacker) sumOthers() [32]byte {
	h := sha256.New()
	for _, dir := range []string{"outside", "vault/other", "vault/lost+found"} {
		sum := a.sumTree(filepath.Join(a.dir, dir))
		h.Write(sum[:])
	}
	return [32]byte(h.Sum(nil))
}

// sumTree sums up names, modes and content below a directory. Symbolic links have
// no place in the vault.
func (a *attacker) sumTree(dir string) [32]byte {
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a symbolic link", path)
		}
		fmt.Fprintf(h, "%q %v %d\n", path[len(dir):], info.Mode(), info.Size())
		if e.IsDir() {
			return nil
		}
		data, err := os.ReadFile(path)
		h.Write(data)
		return err
	})
	if err != nil {
		a.t.Errorf("looking at %s: %v", dir, err)
	}
	return [32]byte(h.Sum(nil))
}

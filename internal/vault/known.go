package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/event"
	"weir/internal/manifest"
)

// syncEach is up to how many files and directories are synced one by one; more
// are synced with their whole file system.
const syncEach = 32

// known returns what is known of a complete object.
func (v *Vault) known(k key) (content, bool) {
	if c, ok := v.fresh[k]; ok {
		return c, true
	}
	if c, ok := v.catalog.get(k); ok {
		return c, true
	}
	if !v.orphans {
		return content{}, false
	}
	return v.orphan(k)
}

func (v *Vault) has(k key) bool {
	_, ok := v.known(k)
	return ok
}

// orphan looks for an object that was written before a crash but not yet
// recorded. What it is says its content: it was named by its id only.
func (v *Vault) orphan(k key) (c content, ok bool) {
	path := v.layout.object(k)
	f, err := os.Open(path)
	if err != nil {
		return c, false
	}
	defer f.Close()
	h := sha256.New()
	if c.Size, err = io.Copy(h, f); err != nil || c.Size == 0 {
		os.Remove(path)
		return c, false
	}
	h.Sum(c.SHA256[:0])
	if !v.wanted(k, c) {
		os.Remove(path) // cut short, or of a snapshot that nobody closed
		return c, false
	}
	v.fresh[k] = c
	return c, true
}

// wanted reports whether some pending snapshot lists the object as this. Only
// a manifest can tell for sure what an object is.
func (v *Vault) wanted(k key, c content) bool {
	for _, p := range v.pending {
		if p.snap.Sender == k.sender && p.lists(k.id, c) {
			return true
		}
	}
	return false
}

// gained notes that an object is complete, and lets the snapshots know that
// waited for it.
func (v *Vault) gained(k key, c content) {
	v.fresh[k] = c
	for _, p := range v.pending {
		if p.snap.Sender == k.sender {
			p.gain(k.id, c)
		}
	}
}

// damaged says that an object was dropped.
func (v *Vault) damaged(k key, why string) {
	v.log.Warn().Str(event.Field, event.ObjectDamaged).Str("sender", k.sender).Stringer("object", k.id).Msg(why)
	v.note(event.ObjectDamaged, Snapshot{}, k.sender+"/"+k.id.String()+": "+why)
}

// syncFresh brings the complete objects to stable storage and then records
// them. If that fails none of them is trusted.
func (v *Vault) syncFresh() error {
	if len(v.fresh) == 0 {
		return nil
	}
	if err := v.syncObjects(); err != nil {
		v.distrust()
		return err
	}
	v.disk.point("objects-synced")
	if err := v.catalog.put(v.fresh); err != nil {
		return err
	}
	clear(v.fresh)
	return nil
}

func (v *Vault) syncObjects() error {
	dirs := map[string]bool{}
	for k := range v.fresh {
		dirs[filepath.Dir(v.layout.object(k))] = true
	}
	if len(v.fresh)+len(dirs) > syncEach {
		return v.disk.syncFileSystem(v.dir)
	}
	for k := range v.fresh {
		if err := v.disk.syncPath(v.layout.object(k)); err != nil {
			return err
		}
	}
	for dir := range dirs {
		if err := v.disk.syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

// distrust drops every object that was to be synced: which of their pages made
// it to the disk cannot be known.
func (v *Vault) distrust() {
	for k := range v.fresh {
		os.Remove(v.layout.object(k))
		for _, p := range v.pending {
			if p.snap.Sender == k.sender {
				p.stale = p.manifest
			}
		}
	}
	clear(v.fresh)
}

// reindex fills the catalog from the manifests of the restore points, and
// returns how many objects it found.
func (v *Vault) reindex() (int, error) {
	infos, err := listPoints(v.layout)
	if err != nil {
		return 0, err
	}
	found := 0
	for _, s := range infos {
		all := map[key]content{}
		err := eachEntry(filepath.Join(v.point(s), manifestFile), func(e *manifest.Entry) error {
			k := key{s.Sender, ObjectID(e.Object)}
			if st, err := os.Stat(v.layout.object(k)); isObject(e) && err == nil && st.Size() == e.Size {
				all[k] = content{e.Size, Hash(e.SHA256)}
			}
			return nil
		})
		if err != nil {
			v.log.Error().Str(event.Field, event.ManifestRefused).Str("snapshot", s.Ref()).Err(err).Msg("a stored manifest is damaged")
			continue
		}
		found += len(all)
		if err := v.catalog.put(all); err != nil {
			return found, err
		}
	}
	return found, nil
}

// Reindex rebuilds the catalog of a vault that nobody writes to. It returns how
// many objects it holds.
func Reindex(dir string) (int, error) {
	v, err := Open(dir, Options{})
	if err != nil {
		return 0, err
	}
	path := v.own("catalog.db")
	if err := v.catalog.close(); err != nil {
		return 0, fmt.Errorf("closing the catalog: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("removing the catalog: %w", err)
	}
	if v.catalog, _, err = openCatalog(path); err != nil {
		return 0, err
	}
	n, err := v.reindex()
	if cerr := v.Close(); err == nil {
		err = cerr
	}
	return n, err
}

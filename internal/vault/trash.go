package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

const (
	trashDir = "trash"
	// freeEach bounds the objects that are freed at one Settle.
	freeEach = 5000
)

func (l layout) trash(s Snapshot) string {
	return l.own(trashDir, s.Sender+"+"+s.Source+"+"+s.Name())
}

// sweep empties one restore point of the trash: first, beside the vault's
// goroutine, its tree goes and the objects are found that nothing else links;
// then, in the goroutine, these are freed; the manifest, from which all that
// starts, goes last. Ended anywhere, it begins again.
type sweep struct {
	dir    string
	sender string
	source string
	found  chan sweepFound
	ids    []ObjectID // left to be freed
	freed  int
	gaveUp []Snapshot // abandoned ones that this is about, instead of dir; those that are left
	ready  bool       // found has been read
}

type sweepFound struct {
	ids    []ObjectID
	damage error // of the manifest: what it does not tell stays
	err    error
}

// sweepTrash carries the emptying of the trash a bit further, and reports
// whether there is more to do.
func (v *Vault) sweepTrash() bool {
	if v.sweep == nil && !v.beginSweep() {
		return false
	}
	s := v.sweep
	if !s.ready {
		select {
		case found := <-s.found:
			s.ready, s.ids = true, found.ids
			if found.damage != nil {
				v.log.Warn().Str(event.Field, event.ManifestRefused).Err(found.damage).Msg("the manifest of a removed restore point is damaged; objects that it alone listed stay")
			}
			if found.err != nil {
				v.troubled(fmt.Errorf("emptying the trash: %w", found.err))
				v.sweep, v.sweepAfter = nil, v.opt.Now().Add(diskEvery)
				return false
			}
		default:
			return true
		}
	}
	if s.gaveUp != nil && v.awaitsManifest(s.sender) {
		v.sweep = nil // it may list any of them
		return false
	}
	n := min(len(s.ids), freeEach)
	if err := v.free(s.sender, s.source, s.ids[:n]); err != nil {
		v.troubled(err)
		v.sweep, v.sweepAfter = nil, v.opt.Now().Add(diskEvery)
		return false
	}
	s.freed += n
	if s.ids = s.ids[n:]; len(s.ids) == 0 {
		v.disk.point("freed")
		if s.gaveUp != nil {
			if v.cleared(s); len(s.gaveUp) == 0 {
				v.sweep = nil
			}
			return true
		}
		v.sweep = nil
		if err := removeBelow(filepath.Dir(s.dir), filepath.Base(s.dir)); err != nil {
			v.troubled(fmt.Errorf("emptying the trash: %w", err))
		}
	}
	return true
}

// beginSweep begins with the next restore point in the trash.
func (v *Vault) beginSweep() bool {
	if v.opt.Now().Before(v.sweepAfter) {
		return false // there was trouble a moment ago
	}
	entries, err := os.ReadDir(v.own(trashDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.troubled(err)
	}
	if len(entries) == 0 {
		return false
	}
	sender, rest, _ := strings.Cut(entries[0].Name(), "+")
	source, _, _ := strings.Cut(rest, "+")
	s := &sweep{dir: v.own(trashDir, entries[0].Name()), sender: sender, source: source, found: make(chan sweepFound, 1)}
	v.sweep = s
	l := v.layout
	go func() { s.found <- l.unlinked(s.dir, sender) }()
	return true
}

// unlinked removes the tree of a restore point in the trash, and returns the
// objects of its manifest that no other tree links. Those that the newest
// restore points or snapshots under way list are left out, whatever their links:
// where files were copied into the trees, links tell nothing.
func (l layout) unlinked(dir, sender string) (f sweepFound) {
	if f.err = removeBelow(dir, dataDir); f.err != nil {
		return f
	}
	lone := map[ObjectID]bool{}
	err := eachEntry(filepath.Join(dir, manifestFile), func(e *manifest.Entry) error {
		if id := ObjectID(e.Object); isObject(e) && l.links(key{sender, id}) == 1 {
			lone[id] = true
		}
		return nil
	})
	if !errors.Is(err, fs.ErrNotExist) {
		f.damage = err
	}
	if f.err = l.exceptListed(lone, sender); f.err == nil {
		f.ids = slices.Collect(maps.Keys(lone))
	}
	return f
}

// links returns the number of names that an object has, 0 if it is not there.
func (l layout) links(k key) uint64 {
	var st unix.Stat_t
	if unix.Lstat(l.object(k), &st) != nil {
		return 0
	}
	return uint64(st.Nlink)
}

// exceptListed takes out of a set what the manifests list that the sender may
// still build on.
func (l layout) exceptListed(set map[ObjectID]bool, sender string) error {
	if len(set) == 0 {
		return nil
	}
	manifests, err := l.livingManifests(sender)
	if err != nil {
		return err
	}
	for _, path := range manifests {
		err := eachEntry(path, func(e *manifest.Entry) error {
			delete(set, ObjectID(e.Object))
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// livingManifests returns the manifests of the newest restore point of each
// source of a sender, and of its snapshots that are not whole.
func (l layout) livingManifests(sender string) (paths []string, err error) {
	points, err := snapshotsBelow(l.dir)
	if err != nil {
		return nil, err
	}
	newest := map[string]Snapshot{}
	for _, s := range points {
		if old, ok := newest[s.Source]; s.Sender == sender && (!ok || s.Number > old.Number) {
			newest[s.Source] = s
		}
	}
	for _, s := range newest {
		paths = append(paths, filepath.Join(l.point(s), manifestFile))
	}
	pending, err := filepath.Glob(filepath.Join(globQuote(l.own("pending", sender)), "*", "*", manifestFile))
	return append(paths, pending...), err
}

// free drops objects that nothing links. The catalog forgets them first: it must
// never know an object that is not there.
func (v *Vault) free(sender, source string, ids []ObjectID) error {
	var keys []key
	var freed int64
	for _, id := range ids {
		if k := (key{sender, id}); v.links(k) == 1 {
			c, _ := v.catalog.get(k)
			keys, freed = append(keys, k), freed+c.Size
		}
	}
	if len(keys) == 0 {
		return nil
	}
	if err := v.catalog.removeAll(keys); err != nil {
		return fmt.Errorf("freeing objects: %w", err)
	}
	if v.stored(sender, source, Fill{-freed, -int64(len(keys))}); v.opt.Quota != nil {
		v.saveUsage()
	}
	v.disk.point("forgotten")
	for _, k := range keys {
		delete(v.fresh, k)
		if err := os.Remove(v.layout.object(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("freeing an object: %w", err)
		}
	}
	for _, p := range v.pending {
		if p.snap.Sender == sender {
			p.stale = p.manifest
		}
	}
	v.log.Debug().Str(event.Field, event.SnapshotRemoved).Int("objects", len(keys)).Msg("objects that no restore point links were freed")
	return nil
}

// removeBelow removes a tree of read-only directories below dir. Paths in it may
// be longer than the system takes in one piece.
func removeBelow(dir, name string) error { return removeAll(filepath.Join(dir, name)) }

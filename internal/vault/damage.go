package vault

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/event"
)

// What a scrub found damaged stands in DAMAGED/objects/<sender>/<id>, one file an
// object that is to come again, and DAMAGED/points/<sender>/<source>/<name>, one
// file a restore point that is not whole for it. They outlive a rebuilt catalog.
const (
	damagedDir    = "damaged"
	damagedPoints = "points"
	damagedObject = "objects"
	// maxDamage bounds the objects that are remembered as damaged. A disk that has
	// more of them is at its end.
	maxDamage = 100_000
	// maxMark bounds the file of one mark, in bytes.
	maxMark = 64 << 20
)

// damage is an object whose bytes are no longer what they were. Only the same
// content heals it.
type damage struct {
	content
	Why    string `json:"why"`
	Taken  bool   `json:"taken"`  // the vault does not have it any more
	Listed bool   `json:"listed"` // the restore points that share it are marked
}

// pointDamage is what a published restore point lacks.
type pointDamage struct {
	Objects map[string]sharedDamage `json:"objects,omitempty"` // by id
	Own     map[string]string       `json:"own,omitempty"`     // files of the point alone: what is wrong
	Again   *ManifestRef            `json:"again,omitempty"`   // its manifest, as it comes again
}

// sharedDamage says how many files of a restore point a damaged object is.
type sharedDamage struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

func (d pointDamage) totals() (files, bytes int64) {
	for _, o := range d.Objects {
		files, bytes = files+o.Files, bytes+o.Bytes
	}
	return files + int64(len(d.Own)), bytes
}

func (d pointDamage) empty() bool { return len(d.Objects)+len(d.Own) == 0 }

func (l layout) damagedObject(k key) string {
	return l.own(damagedDir, damagedObject, k.sender, k.id.String())
}

func (l layout) damagedPoint(s Snapshot) string {
	return l.own(damagedDir, damagedPoints, s.Sender, s.Source, s.Name())
}

// pointDamage returns what is known to be wrong with a restore point.
func (l layout) pointDamage(s Snapshot) (d pointDamage, err error) {
	data, err := readBounded(l.damagedPoint(s), maxMark)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	if err != nil {
		// That there is a mark says enough: it is not whole.
		d.Own = map[string]string{damagedDir: "the record of its damage cannot be read: " + err.Error()}
	}
	return d, nil
}

func (v *Vault) savePointDamage(s Snapshot, d pointDamage) error {
	path := v.damagedPoint(s)
	if d.empty() {
		return v.takeMarkOff(path)
	}
	return v.saveMark(path, d)
}

// takeMarkOff removes the mark of a restore point for good: one that a power cut brings
// back would stay when that of its object has gone.
func (v *Vault) takeMarkOff(path string) error {
	err := os.Remove(path)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = v.disk.syncPath(filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("taking a mark of damage off: %w", err)
	}
	return nil
}

func (v *Vault) saveMark(path string, mark any) error {
	if err := v.makeDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("marking damage: %w", err)
	}
	data, err := json.Marshal(mark)
	if err != nil {
		return err
	}
	return v.disk.replace(path, append(data, '\n'), 0o644)
}

// loadDamage reads which objects are damaged.
func (v *Vault) loadDamage() error {
	files, err := filepath.Glob(filepath.Join(globQuote(v.own(damagedDir, damagedObject)), "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range files {
		k := key{sender: filepath.Base(filepath.Dir(path))}
		id, err := hex.DecodeString(filepath.Base(path))
		if err != nil || copy(k.id[:], id) != len(k.id) {
			continue // not ours, or not renamed yet
		}
		d := &damage{}
		data, err := readBounded(path, maxMark)
		if err == nil {
			err = json.Unmarshal(data, d)
		}
		if err != nil {
			v.troubled(fmt.Errorf("reading a mark of damage: %w", err))
			continue
		}
		v.damage[k] = d
		if _, ok := v.catalog.get(k); ok && d.Taken {
			v.regained[k] = true
		}
		if !d.Taken {
			v.takeOut(k, d)
		}
	}
	return nil
}

// markObject takes a damaged object out of what the vault has. From now on it
// counts as missing, and what comes of it is stored. The trees keep their links.
func (v *Vault) markObject(k key, c content, why string) error {
	if v.damage[k] == nil && len(v.damage) >= maxDamage {
		return fmt.Errorf("%d objects are damaged already, the disk should be replaced: %w", maxDamage, ErrLimit)
	}
	d := &damage{content: c, Why: why}
	if err := v.saveMark(v.damagedObject(k), d); err != nil {
		return err
	}
	v.disk.point("damage-marked")
	v.damage[k] = d
	v.takeOut(k, d)
	for _, p := range v.pending {
		if p.snap.Sender == k.sender {
			p.stale = p.manifest
		}
	}
	v.damaged(k, why)
	return nil
}

// takeOut makes the vault forget a damaged object.
func (v *Vault) takeOut(k key, d *damage) {
	delete(v.regained, k)
	delete(v.fresh, k)
	if err := v.catalog.remove(k); err != nil {
		v.troubled(err)
		return
	}
	os.Remove(v.layout.object(k))
	v.stored(k.sender, "", Fill{-d.Size, -1})
	d.Taken = true
	if err := v.saveMark(v.damagedObject(k), d); err != nil {
		v.troubled(err)
	}
}

// markPoint says that a published restore point is not whole.
func (v *Vault) markPoint(s Snapshot, change func(*pointDamage)) error {
	if !exists(v.point(s)) {
		return nil // removed meanwhile
	}
	d, err := v.pointDamage(s)
	if err != nil {
		return err
	}
	was := d.empty()
	if d.Objects == nil {
		d.Objects = map[string]sharedDamage{}
	}
	if d.Own == nil {
		d.Own = map[string]string{}
	}
	change(&d)
	if err := v.savePointDamage(s, d); err != nil {
		return err
	}
	files, bytes := d.totals()
	switch {
	case was && !d.empty():
		v.log.Error().Str(event.Field, event.SnapshotDamaged).Str("snapshot", s.Ref()).Int64("files", files).Int64("bytes", bytes).
			Msg("a restore point is not whole any more; weir-vault missing names its files; push the source again, in full, to heal them")
		v.note(event.SnapshotDamaged, s, fmt.Sprintf("%d files, %d bytes", files, bytes))
	case !was && d.empty():
		v.log.Info().Str(event.Field, event.SnapshotHealed).Str("snapshot", s.Ref()).Msg("a restore point is whole again")
		v.note(event.SnapshotHealed, s, "")
	}
	return nil
}

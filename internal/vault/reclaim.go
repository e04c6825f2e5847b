package vault

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weir/internal/event"
	"weir/internal/manifest"
)

// bare is a published restore point whose manifest or signature is bad in both
// copies. Its files are there; what they are called and were, only its sender can
// say again.
type bare struct {
	sum  *Hash        // of its manifest, as the event log has it; nil where it does not
	ref  *ManifestRef // as it came again, nil until then
	read bool         // the event log was
	look bool         // a crash may have cut its healing short
}

// lostOwn names what a restore point has lost of manifest and signature.
func (d pointDamage) lostOwn() (names []string) {
	for _, name := range []string{manifestFile, sigFile} {
		if _, lost := d.Own[name]; lost {
			names = append(names, name)
		}
	}
	return names
}

// loadBare finds the restore points that wait for their manifests.
func (v *Vault) loadBare() error {
	snaps, err := snapshotsBelow(v.own(damagedDir, damagedPoints))
	if err != nil {
		return fmt.Errorf("listing the damaged restore points: %w", err)
	}
	for _, s := range snaps {
		if d, err := v.pointDamage(s); err == nil && len(d.lostOwn()) > 0 {
			v.bare[norm(s)] = &bare{ref: d.Again, look: true}
		}
	}
	return nil
}

// isDone reports whether nothing that comes for a snapshot is of use any more.
func (v *Vault) isDone(s Snapshot, k key) bool {
	if v.damage[k] != nil || !v.isPublished(s) {
		return false
	}
	if len(v.bare) == 0 {
		return true
	}
	b := v.bare[norm(s)]
	return b == nil || b.ref != nil && b.ref.Object != k.id
}

// expectManifest notes what the manifest is that comes again. One that is not what
// was published is refused, if that is known.
func (v *Vault) expectManifest(s Snapshot, b *bare, ref ManifestRef) error {
	if most := v.opt.MaxManifest; ref.Size <= 0 || ref.Size > most || ref.ObjectSize <= 0 || ref.ObjectSize > most {
		return fmt.Errorf("a manifest of %d bytes: %w", ref.Size, ErrLimit)
	}
	if !b.read {
		b.read, b.sum = true, v.publishedSum(s)
	}
	if b.sum != nil && *b.sum != ref.SHA256 {
		v.noteOften(event.ManifestRefused, s, "another manifest for a restore point that has lost its own: "+ref.SHA256.String())
		v.rejectObject(s, ref.Object)
		return fmt.Errorf("another manifest for %s: %w", s.Ref(), ErrConflict)
	}
	ref.PublicKey = nil
	if b.ref == nil || b.ref.Object != ref.Object || b.ref.SHA256 != ref.SHA256 {
		// Whoever goes on after a crash need not wait until it comes once more.
		if err := v.markPoint(s, func(d *pointDamage) { d.Again = &ref }); err != nil {
			v.troubled(err)
		}
	}
	b.ref = &ref
	return nil
}

// rejectObject makes room for the good manifest, which may have the same id, unless
// a restore point links what is there.
func (v *Vault) rejectObject(s Snapshot, id ObjectID) {
	k := key{s.Sender, id}
	if v.small != nil && v.small.key == k {
		v.small = nil
	}
	if o := v.open[k]; o != nil {
		v.drop(o)
	} else if _, begun := v.partial[k]; begun {
		v.dropPartial(k)
	}
	err := v.syncFresh()
	if v.has(k) && err == nil {
		err = v.free(s.Sender, s.Source, []ObjectID{id})
	}
	if err != nil {
		v.troubled(err)
	}
}

// publishedSum returns the hash of a manifest that the event log has.
func (v *Vault) publishedSum(s Snapshot) (sum *Hash) {
	ref := s.Ref()
	err := EachEvent(v.dir, func(e Event) {
		if e.Event != event.SnapshotWhole || e.Snapshot != ref {
			return
		}
		if raw, err := hex.DecodeString(e.Detail); err == nil && len(raw) == len(Hash{}) {
			h := Hash(raw)
			sum = &h
		}
	})
	if err != nil {
		v.troubled(fmt.Errorf("looking for the manifest of %s in the event log: %w", ref, err))
	}
	return sum
}

// reclaimSome puts manifests back that came again.
func (v *Vault) reclaimSome() {
	for s, b := range v.bare {
		if !exists(v.point(s)) {
			delete(v.bare, s) // removed meanwhile
			continue
		}
		err := v.goOn(s, b)
		if err == nil && b.ref != nil {
			if k := (key{s.Sender, b.ref.Object}); v.sizeOf(k) == b.ref.ObjectSize {
				err = v.reclaim(s, k, b.ref)
			}
		}
		if err == nil {
			continue
		}
		if b.ref != nil && (errors.Is(err, ErrDamaged) || errors.Is(err, ErrLimit)) {
			v.noteOften(event.ManifestRefused, s, err.Error())
			v.rejectObject(s, b.ref.Object)
			err = errors.Join(err, v.markPoint(s, func(d *pointDamage) { d.Again = nil }))
		}
		b.ref = nil // until it comes once more
		v.troubled(fmt.Errorf("healing %s: %w", s.Ref(), err))
	}
}

// goOn ends a healing that a crash cut short when the files were in place already.
func (v *Vault) goOn(s Snapshot, b *bare) error {
	if !b.look {
		return nil
	}
	if b.look = false; !v.soundOwn(s) {
		return nil
	}
	if b.ref != nil {
		v.rejectObject(s, b.ref.Object)
		b.ref = nil
	}
	return v.reclaimed(s)
}

// sizeOf returns the size of a complete object, -1 if there is none.
func (v *Vault) sizeOf(k key) int64 {
	if c, ok := v.known(k); ok {
		return c.Size
	}
	return -1
}

// reclaim puts a manifest back whose packed form is an object, and the object in the
// place of the second copy.
func (v *Vault) reclaim(s Snapshot, k key, ref *ManifestRef) error {
	if err := v.syncFresh(); err != nil {
		return err
	}
	p := &pending{snap: s, Ref: ref, Info: Info{Name: s.Name(), Sender: s.Sender, Source: s.Source, Number: s.Number, Taken: s.Taken}}
	err := v.remakeOwn(s, func(dir string) error { return v.unpackOwn(p, k, dir) })
	if err != nil {
		return err
	}
	if err := v.catalog.remove(k); err != nil {
		return err
	}
	v.disk.point("manifest-back")
	v.stored(s.Sender, s.Source, Fill{-ref.ObjectSize, -1})
	if err := v.keepSpare(p); err != nil {
		v.troubled(err) // it is made anew
	}
	v.disk.point("spare-back")
	return v.reclaimed(s)
}

// reclaimed notes that a restore point has its manifest again.
func (v *Vault) reclaimed(s Snapshot) error {
	if err := v.remakeSpare(s); err != nil {
		v.troubled(err) // the next scrub makes it anew
	}
	delete(v.bare, s)
	v.noteHealed(s, Finding{Path: manifestFile, What: "it came again"})
	for k, d := range v.damage {
		if k.sender == s.Sender {
			d.Listed = false // it could not be told before whether they stand here
			if err := v.saveMark(v.damagedObject(k), d); err != nil {
				v.troubled(err)
			}
		}
	}
	return v.markPoint(s, func(d *pointDamage) {
		for _, name := range []string{manifestFile, sigFile, sumsFile} {
			delete(d.Own, name)
		}
		d.Again = nil
	})
}

// unpackOwn makes manifest and signature of what came, and checks both.
func (v *Vault) unpackOwn(p *pending, k key, dir string) error {
	path := filepath.Join(dir, manifestFile)
	if err := v.builder().unpackManifest(p, v.mayHaveSigned(p), path); err != nil {
		if errors.Is(err, errUnread) {
			v.forget(k)
		}
		return err
	}
	if _, err := hardlinkTargets(path); err != nil {
		return err
	}
	if err := v.disk.create(filepath.Join(dir, sigFile), manifest.Armor(p.Ref.PublicKey, p.Ref.Signature)); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(dir, sigFile), 0o444); err != nil {
		return err
	}
	return v.checkOwn(p.snap, dir)
}

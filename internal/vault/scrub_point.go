package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

// points looks at all restore points: manifest, signature and sums are read, and
// of each file it is made sure that it is a link to an object, which was read
// before. Those that are copies are read.
func (s *scrub) points() error {
	all, err := listPoints(s.layout)
	if err != nil {
		return err
	}
	for _, snap := range all {
		if strings.Compare(snap.Ref(), s.state.PointCursor) <= 0 && s.state.PointCursor != "" {
			continue
		}
		if exists(s.pending(snap)) {
			continue // just coming
		}
		if err := s.point(snap, s.linked); err != nil {
			return err
		}
		err := s.moved(func(state *ScrubState) { state.PointCursor = snap.Ref(); state.Points++ })
		if err != nil {
			return err
		}
	}
	return nil
}

// onePoint reads every byte of one restore point.
func (s *scrub) onePoint() error {
	snap, err := snapshotOf(Request{Snapshot: s.state.Scope})
	if err != nil {
		return err
	}
	total := int64(0)
	if t, err := readTrailer(filepath.Join(s.layout.point(snap), manifestFile)); err == nil {
		total = t.Bytes
	}
	if err := s.moved(func(state *ScrubState) { state.Total, state.Points = total, 1 }); err != nil {
		return err
	}
	return s.point(snap, nil)
}

// point verifies a restore point. Files for which sound returns true are good
// without being read; nil reads all.
func (s *scrub) point(snap Snapshot, sound func(snap Snapshot, e *manifest.Entry) bool) error {
	dir := s.layout.point(snap)
	f := Found{Info: Info{Name: snap.Name(), Sender: snap.Sender, Source: snap.Source, Number: snap.Number, Taken: snap.Taken, State: Whole},
		Dir: dir, Manifest: filepath.Join(dir, manifestFile), layout: s.layout}
	v := &verifier{ctx: s.ctx, found: f, sums: sha256.New(), names: map[string]bool{}}
	v.progress = func(n int64) {
		s.took(n)
		s.pace.wait(s.ctx.Done(), n)
	}
	if sound != nil {
		v.sound = func(e *manifest.Entry) bool { return sound(snap, e) }
	}
	healed := s.healedObjects(snap)
	report, err := v.run(s.layout)
	switch {
	case s.ctx.Err() != nil:
		return s.ctx.Err()
	case err != nil && errors.Is(err, fs.ErrNotExist) && !exists(dir):
		return nil // removed meanwhile
	case err != nil:
		report.Findings = append(report.Findings, Finding{Path: manifestFile, What: err.Error(), own: true})
	}
	for i := range report.Findings {
		finding := report.Findings[i]
		s.tell(scrubFinding{point: &pointFinding{snap, finding}}, "%s: %s", snap.Ref(), finding)
	}
	if len(report.Findings) > 0 {
		return nil
	}
	if !s.spareSound(snap) {
		s.hand(scrubFinding{spare: &snap})
	}
	if exists(s.damagedPoint(snap)) {
		s.hand(scrubFinding{sound: &soundPoint{snap, healed}})
	}
	return nil
}

// soundPoint is a restore point that is marked and in which nothing is wrong.
type soundPoint struct {
	snap   Snapshot
	healed []string // ids of objects that its mark names
}

// healedObjects returns what the mark of a restore point names and is not damaged any
// more: it healed while it could not be told whether it stands there.
func (s *scrub) healedObjects(snap Snapshot) (ids []string) {
	d, _ := s.pointDamage(snap)
	for text := range d.Objects {
		k := key{sender: snap.Sender}
		if decodeID(text, &k.id) && !exists(s.damagedObject(k)) {
			ids = append(ids, text)
		}
	}
	return ids
}

// linked reports whether a file of a restore point is a link to its object, to an
// object that is known to be damaged, or to the file that the object was before it had
// all the names that a file can have, which is read once.
func (s *scrub) linked(snap Snapshot, e *manifest.Entry) bool {
	if !isObject(e) {
		return false
	}
	k := key{snap.Sender, ObjectID(e.Object)}
	var of, at unix.Stat_t
	if unix.Lstat(s.layout.object(k), &of) != nil {
		return exists(s.layout.damagedObject(k))
	}
	path := filepath.Join(s.layout.point(snap), dataDir, e.Path)
	if unix.Lstat(path, &at) != nil {
		return false
	}
	return at.Ino == of.Ino && at.Dev == of.Dev || at.Nlink > 1 && s.wasRead(path, &at, content{e.Size, Hash(e.SHA256)})
}

// wasRead reports whether a file that trees share is known to be good, by reading it
// when it comes up first.
func (s *scrub) wasRead(path string, at *unix.Stat_t, want content) bool {
	id := fileID{uint64(at.Dev), at.Ino}
	if s.good[id] == want {
		return true
	}
	if s.buf == nil {
		s.buf = make([]byte, scrubBuffer)
	}
	if id, why := s.compare(path, want, s.buf); why == "" && id == (fileID{uint64(at.Dev), at.Ino}) && len(s.good) < maxGood {
		s.good[id] = want
		return true
	}
	return false
}

// actOn does what a finding asks for, in the vault's goroutine.
func (v *Vault) actOn(f scrubFinding) {
	var err error
	switch {
	case f.object != nil:
		err = v.objectFound(f.object)
	case f.point != nil:
		err = v.pointFound(f.point.snap, f.point.Finding)
	case f.spare != nil:
		err = v.remakeSpare(*f.spare)
	case f.sound != nil:
		err = v.isSound(f.sound)
	default:
		v.eventsFound()
	}
	if err != nil {
		v.troubled(err)
	}
}

// isSound takes the mark of a restore point off, as far as it was read.
func (v *Vault) isSound(p *soundPoint) error {
	if err := v.ownIsSound(p.snap); err != nil || len(p.healed) == 0 {
		return err
	}
	return v.markPoint(p.snap, func(d *pointDamage) {
		for _, id := range p.healed {
			delete(d.Objects, id)
		}
	})
}

// objectFound marks an object, if it is still the one that was read.
func (v *Vault) objectFound(f *objectFinding) error {
	if c, ok := v.catalog.get(f.key); !ok || c != f.content || pathID(v.layout.object(f.key)) != f.file {
		return nil // healed, or freed, meanwhile
	}
	return v.markObject(f.key, f.content, f.why)
}

// pointFound deals with a file of a restore point that is not what its manifest
// says. Its bytes are those of an object that everybody links, or its own: then
// the object is linked there again.
func (v *Vault) pointFound(s Snapshot, f Finding) error {
	if !exists(v.point(s)) {
		return nil
	}
	if f.own {
		return v.healOwn(s, f)
	}
	k := key{s.Sender, f.object}
	at := pathID(filepath.Join(v.point(s), dataDir, f.Path))
	if f.outdated(at) {
		return nil // healed, or damaged in another way, meanwhile
	}
	c, known := v.catalog.get(k)
	switch {
	case f.object == (ObjectID{}):
	case known && at == pathID(v.layout.object(k)) && at != (fileID{}):
		return v.markObject(k, c, f.What)
	case known:
		err := v.relink(s, k, []string{f.Path})
		if err == nil {
			v.noteHealed(s, f)
		}
		return err
	case v.damage[k] != nil:
		return nil // every restore point that has it is marked
	}
	return v.markPoint(s, func(d *pointDamage) { d.Own[f.Path] = f.What })
}

// noteHealed tells of a file that was put right again from what the vault has.
func (v *Vault) noteHealed(s Snapshot, f Finding) {
	v.log.Warn().Str(event.Field, event.SnapshotHealed).Str("snapshot", s.Ref()).Str("found", strings.ToValidUTF8(f.String(), "\uFFFD")).
		Msg("a damaged file of a restore point was made anew from what the vault has")
	v.note(event.SnapshotHealed, s, fmt.Sprintf("made anew: %s", strings.ToValidUTF8(f.String(), "\uFFFD")))
}

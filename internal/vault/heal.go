package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/manifest"
)

const (
	// surveyMost bounds the objects that one reading of all manifests looks for.
	surveyMost = 1000
	// healTime bounds how long links are replaced at one Settle.
	healTime = 200 * time.Millisecond
)

// survey finds where objects stand in the restore points of a sender, beside the
// vault's goroutine: to mark these as not whole, or to link the objects there
// again once they are good.
type survey struct {
	sender string
	heal   bool
	ids    map[ObjectID]content
	tried  map[fileID]bool // files whose content was compared
	found  chan surveyed
	places []placed // left to be dealt with
	ready  bool
}

type surveyed struct {
	places []placed
	good   map[ObjectID]string // files with the content of an object, in trees that share no link with it
	err    error
}

// placed is one object in one restore point.
type placed struct {
	snap  Snapshot
	id    ObjectID
	size  int64
	paths []string
}

// look reads the manifests of all restore points of the sender.
func (s *survey) look(l layout) (r surveyed) {
	r.good = map[ObjectID]string{}
	snaps, err := listPoints(l)
	if err != nil {
		return surveyed{err: err}
	}
	for _, snap := range snaps {
		if snap.Sender != s.sender {
			continue
		}
		places, err := s.lookAt(l, snap)
		if err != nil && exists(l.point(snap)) {
			// The other entries of a damaged manifest cannot be told; a scrub says so.
			r.err = errors.Join(r.err, err)
		}
		r.places = append(r.places, places...)
		for _, p := range places {
			if path, ok := s.rescue(l, p); ok {
				r.good[p.id] = path
			}
		}
	}
	return r
}

// rescue looks whether a tree still has the good content of a damaged object.
func (s *survey) rescue(l layout, p placed) (string, bool) {
	path := filepath.Join(l.point(p.snap), dataDir, p.paths[0])
	id := pathID(path)
	if s.heal || s.tried[id] || id == (fileID{}) {
		return "", false
	}
	s.tried[id] = true
	sum, size, err := sumFile(path)
	return path, err == nil && s.ids[p.id] == content{size, sum}
}

func (s *survey) lookAt(l layout, snap Snapshot) (all []placed, err error) {
	found := map[ObjectID]*placed{}
	links := map[string]ObjectID{} // first names of hard links that are wanted
	note := func(id ObjectID, e *manifest.Entry, size int64) {
		p := found[id]
		if p == nil {
			p = &placed{snap: snap, id: id, size: size}
			found[id] = p
		}
		p.paths = append(p.paths, e.Path)
	}
	err = eachEntry(filepath.Join(l.point(snap), manifestFile), func(e *manifest.Entry) error {
		id := ObjectID(e.Object)
		if _, ok := s.ids[id]; ok && isObject(e) {
			note(id, e, e.Size)
			links[e.Path] = id
		}
		if e.Kind == manifest.Hardlink {
			if id, ok := links[e.Target]; ok {
				note(id, e, found[id].size)
			}
		}
		return nil
	})
	for _, p := range found {
		all = append(all, *p)
	}
	return all, err
}

// healSome begins surveys, and acts on what they find, for a while.
func (v *Vault) healSome() (more bool) {
	if v.survey == nil && !v.beginSurvey() {
		return false
	}
	s := v.survey
	if !s.ready {
		select {
		case r := <-s.found:
			s.ready, s.places = true, r.places
			if r.err != nil {
				v.troubled(fmt.Errorf("looking for damaged files in the restore points: %w", r.err))
			}
			v.linkBack(s, r.good)
		default:
			return true
		}
	}
	for end := time.Now().Add(healTime); len(s.places) > 0 && time.Now().Before(end); s.places = s.places[1:] {
		if err := v.dealWith(s, s.places[0]); err != nil {
			v.troubled(err)
			v.survey, v.surveyAfter = nil, v.opt.Now().Add(diskEvery)
			return false
		}
	}
	if len(s.places) == 0 {
		v.endSurvey(s)
	}
	return true
}

// linkBack makes objects of files of trees that have their content. They need not
// come again, and no restore point has to be marked for them.
func (v *Vault) linkBack(s *survey, good map[ObjectID]string) {
	for id, path := range good {
		k := key{s.sender, id}
		err := v.objectDir(k)
		if err == nil {
			err = v.builder().linkOrCopy(path, filepath.Dir(v.layout.object(k)), id.String())
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			v.troubled(fmt.Errorf("linking an object back: %w", err))
			continue
		}
		v.gained(k, s.ids[id])
		s.places = slices.DeleteFunc(s.places, func(p placed) bool { return p.id == id })
	}
}

// beginSurvey looks for work: objects that came again first, then such whose
// restore points are not marked yet.
func (v *Vault) beginSurvey() bool {
	if len(v.damage) == 0 || v.opt.Now().Before(v.surveyAfter) {
		return false
	}
	s := &survey{ids: map[ObjectID]content{}, tried: map[fileID]bool{}, found: make(chan surveyed, 1)}
	for k := range v.regained {
		if _, ok := v.catalog.get(k); ok && (s.sender == "" || s.sender == k.sender) && len(s.ids) < surveyMost {
			s.sender, s.heal, s.ids[k.id] = k.sender, true, v.damage[k].content
		}
	}
	for k, d := range v.damage {
		if !s.heal && !d.Listed && (s.sender == "" || s.sender == k.sender) && len(s.ids) < surveyMost {
			s.sender, s.ids[k.id] = k.sender, d.content
		}
	}
	if s.sender == "" {
		return false
	}
	v.survey = s
	l := v.layout
	go func() { s.found <- s.look(l) }()
	return true
}

// unmarked reports whether restore points are about to be marked for objects that are
// known to be damaged.
func (v *Vault) unmarked() bool {
	for _, d := range v.damage {
		if !d.Listed {
			return !v.opt.Now().Before(v.surveyAfter)
		}
	}
	return false
}

// dealWith marks one restore point, or heals it.
func (v *Vault) dealWith(s *survey, p placed) error {
	if !exists(v.point(p.snap)) {
		return nil // removed meanwhile
	}
	if !s.heal {
		return v.markPoint(p.snap, func(d *pointDamage) {
			n := int64(len(p.paths))
			d.Objects[p.id.String()] = sharedDamage{n, n * p.size}
		})
	}
	k := key{s.sender, p.id}
	if _, ok := v.catalog.get(k); !ok {
		return nil // damaged once more
	}
	if err := v.relink(p.snap, k, p.paths); err != nil {
		return err
	}
	return v.markPoint(p.snap, func(d *pointDamage) { delete(d.Objects, p.id.String()) })
}

// endSurvey notes what is done for good.
func (v *Vault) endSurvey(s *survey) {
	v.survey = nil
	for id := range s.ids {
		k := key{s.sender, id}
		d := v.damage[k]
		if d == nil {
			continue
		}
		if !s.heal {
			d.Listed = true
			if err := v.saveMark(v.damagedObject(k), d); err != nil {
				v.troubled(err)
			}
			continue
		}
		if !v.regained[k] {
			continue
		}
		if err := os.Remove(v.damagedObject(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			v.troubled(err)
			continue
		}
		delete(v.damage, k)
		delete(v.regained, k)
		v.log.Info().Str(event.Field, event.ObjectHealed).Str("sender", k.sender).Stringer("object", k.id).Msg("a damaged object came again and is in place")
		v.note(event.ObjectHealed, Snapshot{}, k.sender+"/"+k.id.String())
	}
}

// relink puts an object that is good in the place of names in a restore point.
// Each is replaced at once, and where that was done already nothing happens.
func (v *Vault) relink(s Snapshot, k key, paths []string) error {
	root, err := os.OpenRoot(filepath.Join(v.point(s), dataDir))
	if err != nil {
		return fmt.Errorf("healing %s: %w", s.Ref(), err)
	}
	defer root.Close()
	for _, p := range paths {
		if err := v.relinkOne(root, k, p); err != nil {
			return fmt.Errorf("healing %q of %s: %w", p, s.Ref(), err)
		}
	}
	v.disk.point("healed")
	return nil
}

func (v *Vault) relinkOne(root *os.Root, k key, p string) error {
	dirName := path.Dir(p)
	dir, err := root.OpenFile(dirName, os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	var of, at unix.Stat_t
	if err := unix.Lstat(v.layout.object(k), &of); err != nil {
		return err
	}
	base := path.Base(p)
	if unix.Fstatat(int(dir.Fd()), base, &at, unix.AT_SYMLINK_NOFOLLOW) == nil && at.Ino == of.Ino && at.Dev == of.Dev {
		return v.closeDir(dir)
	}
	staging, err := os.Open(v.own("staging"))
	if err != nil {
		return err
	}
	defer staging.Close()
	if err := os.Remove(v.own("staging", "heal")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := v.builder().linkAt(v.layout.object(k), int(staging.Fd()), "heal"); err != nil {
		return err
	}
	// A published directory may not be written, save for this moment.
	if err := dir.Chmod(0o755); err != nil {
		return err
	}
	v.disk.point("relinking")
	err = unix.Renameat(int(staging.Fd()), "heal", int(dir.Fd()), base)
	return errors.Join(err, v.closeDir(dir))
}

// closeDir makes a published directory read-only again, and its entries last.
func (v *Vault) closeDir(dir *os.File) error {
	return errors.Join(dir.Chmod(0o555), v.disk.sync(dir))
}

// damagedOf goes through the files of a published restore point that are damaged.
func damagedOf(l layout, s Snapshot) iter.Seq2[MissingFile, error] {
	return func(yield func(MissingFile, error) bool) {
		d, err := l.pointDamage(s)
		if err != nil {
			yield(MissingFile{}, err)
			return
		}
		for _, name := range d.lostOwn() {
			if !yield(MissingFile{Path: name, Ranges: [][2]int64{}}, nil) {
				return
			}
		}
		if len(d.lostOwn()) > 0 {
			return // the manifest cannot be believed
		}
		err = eachEntry(filepath.Join(l.point(s), manifestFile), func(e *manifest.Entry) error {
			_, lost := d.Objects[ObjectID(e.Object).String()]
			_, own := d.Own[e.Path]
			if !lost && !own {
				return nil
			}
			lacks := [][2]int64{{0, e.Size}}
			if lost {
				lacks = lacksOf(l, key{s.Sender, ObjectID(e.Object)}, e.Size)
			}
			if len(lacks) > 0 && !yield(MissingFile{Path: e.Path, Size: e.Size, Ranges: lacks}, nil) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			yield(MissingFile{}, err)
		}
	}
}

package vault

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A restore point that was removed must not come back by a pass that is late, or
// a sender that means ill, and a heartbeat that names it raises no alarm. So the
// numbers of those that are gone stay in the record of locks. A sender that has lost
// its state begins to number anew: what was taken later than all that was removed is
// none of these.

// removed says which snapshots of a source are gone.
type removed struct {
	numbers ranges
	last    time.Time // see sourceLocks
}

func (r removed) has(s Snapshot) bool {
	return r.numbers.holds(int64(s.Number), int64(s.Number)+1) && (r.last.IsZero() || !s.Taken.After(r.last))
}

// loadRemoved reads which snapshots are gone.
func (v *Vault) loadRemoved() error {
	files, err := filepath.Glob(filepath.Join(globQuote(v.own(locksDir)), "*", "*"+locksSuffix))
	if err != nil {
		return err
	}
	for _, path := range files {
		sender, source := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), locksSuffix)
		if s, err := readLocks(v.layout, sender, source); err == nil && s.Removed.valid() {
			v.removed[sender+"/"+source] = removed{s.Removed, s.LastRemoved}
		}
	}
	trashed, err := v.trashed()
	for _, s := range trashed {
		if !v.isRemoved(s) {
			v.noteRemoved(s)
		}
	}
	return err
}

func (v *Vault) isRemoved(s Snapshot) bool {
	return v.removed[s.Sender+"/"+s.Source].has(s)
}

// noteRemoved enters the number of a restore point that is gone, and drops the
// date of its lock.
func (v *Vault) noteRemoved(s Snapshot) {
	v.dropSpare(s)
	os.Remove(v.damagedPoint(s))
	os.Remove(v.mark(s)) // which nobody could accept any more
	all, err := readLocks(v.layout, s.Sender, s.Source)
	if err != nil {
		v.troubled(err)
		return
	}
	delete(all.Until, s.Name())
	if len(all.Removed) > 0 && all.LastRemoved.IsZero() {
		all.LastRemoved = v.clock.read() // none of them is newer
	}
	// Past the limit of ranges the lowest gap counts as removed too: the numbers
	// in it are older than maxRanges others.
	for !all.Removed.add(int64(s.Number), int64(s.Number)+1) {
		all.Removed[0][1] = all.Removed[1][1]
		all.Removed = append(all.Removed[:1], all.Removed[2:]...)
	}
	if s.Taken.After(all.LastRemoved) {
		all.LastRemoved = s.Taken
	}
	v.removed[s.Sender+"/"+s.Source] = removed{all.Removed, all.LastRemoved}
	if err := v.saveLocks(s.Sender, s.Source, all); err != nil {
		v.troubled(err)
	}
}

package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/event"
)

const (
	// pruneFirst is how long after its start the holder prunes for the first time.
	pruneFirst = time.Minute
	// removeEach bounds the restore points that are removed at one Settle.
	removeEach = 20
)

// PruneResult says what retention makes of all restore points.
type PruneResult struct {
	Verdicts []Verdict `json:"verdicts"`
	Held     time.Time `json:"held,omitzero"` // nothing is removed until then, as the clock has leapt
	Trouble  []string  `json:"trouble,omitempty"`
}

// Removed counts the restore points that no rule keeps.
func (r PruneResult) Removed() (n int) {
	for _, v := range r.Verdicts {
		if !v.Keep {
			n++
		}
	}
	return n
}

// PlanPrune says what a prune would remove, and why everything else stays. It
// needs no lock and changes nothing.
func PlanPrune(dir string, opt Options) (PruneResult, error) {
	l := layout{dir}
	c, err := openClock(l.own("clock"), opt, nil)
	if err != nil {
		return PruneResult{}, err
	}
	at := c.mark
	if t := c.now().UTC(); t.After(at) && (at.IsZero() || t.Sub(at) <= JumpAfter) {
		at = t
	}
	return l.plan(opt, at, c.heldUntil)
}

// plan judges the restore points of all sources.
func (l layout) plan(opt Options, now, held time.Time) (r PruneResult, err error) {
	snaps, err := listPoints(l)
	if err != nil {
		return r, err
	}
	if held.After(now) {
		r.Held = held
	}
	for len(snaps) > 0 {
		n := 1
		for n < len(snaps) && snaps[n].Sender == snaps[0].Sender && snaps[n].Source == snaps[0].Source {
			n++
		}
		rules := opt.retention(snaps[0].Sender, snaps[0].Source)
		points, err := l.storedPoints(snaps[:n], rules)
		snaps = snaps[n:]
		if err != nil {
			// What is not known for sure is not removed.
			r.Trouble = append(r.Trouble, err.Error())
			continue
		}
		r.Verdicts = append(r.Verdicts, rules.judge(points, now)...)
	}
	return r, nil
}

// storedPoints finds out what retention needs of the points of one source.
func (l layout) storedPoints(snaps []Snapshot, rules Retention) ([]stored, error) {
	locks, err := readLocks(l, snaps[0].Sender, snaps[0].Source)
	if err != nil {
		return nil, err
	}
	suspect, err := suspectUntil(l, snaps[0].Sender, snaps[0].Source)
	if err != nil {
		return nil, err
	}
	out := make([]stored, 0, len(snaps))
	for _, s := range snaps {
		if l.unsettled(s) {
			continue // just coming
		}
		p := stored{snap: s}
		if st, err := os.Stat(filepath.Join(l.point(s), sumsFile)); err == nil {
			p.received = st.ModTime().UTC()
		} else if errors.Is(err, fs.ErrNotExist) && !exists(l.point(s)) {
			continue // removed meanwhile
		}
		p.held = l.heldBack(s, p.received, suspect)
		p.locked = locks.until(s.Name(), p.received, rules.Lock)
		out = append(out, p)
	}
	return out, nil
}

// heldBack returns why a restore point is left out of retention, or "". Such
// points are never removed, and do not push others out.
func (l layout) heldBack(s Snapshot, received, suspect time.Time) string {
	switch {
	case len(suspicions(l, s)) > 0:
		return "it is suspicious and nobody has accepted it"
	case !received.After(suspect):
		return "a later one is suspicious and nobody has accepted it"
	case exists(l.damagedPoint(s)):
		return "damaged, kept to be healed"
	}
	return ""
}

// pruneAction judges everything and begins to remove what no rule keeps.
func pruneAction(v *Vault, _ Request) (any, error) {
	if v.opt.Retention == nil {
		return nil, errors.New("no retention is configured, so nothing is removed")
	}
	return v.prune()
}

func (v *Vault) prune() (PruneResult, error) {
	v.prunedAt = v.opt.Now()
	held, doubted := v.clock.held()
	if !doubted {
		held = time.Time{}
	}
	r, err := v.plan(v.opt, v.clock.read(), held)
	if err != nil {
		return r, fmt.Errorf("pruning: %w", err)
	}
	for _, text := range r.Trouble {
		v.troubled(errors.New(text))
	}
	v.condemned = v.condemned[:0]
	if r.Held.IsZero() {
		for _, verdict := range r.Verdicts {
			if !verdict.Keep {
				v.condemned = append(v.condemned, verdict)
			}
		}
	}
	return r, nil
}

// pruneIfDue prunes on schedule.
func (v *Vault) pruneIfDue() {
	every, now := v.opt.PruneEvery, v.opt.Now()
	if every <= 0 || v.opt.Retention == nil {
		return
	}
	if v.prunedAt.IsZero() {
		v.prunedAt = now.Add(min(pruneFirst, every) - every)
	}
	if now.Sub(v.prunedAt) < every && !now.Before(v.prunedAt) {
		return
	}
	if _, err := v.prune(); err != nil {
		v.troubled(err)
	}
}

// removeSome removes some of what was condemned.
func (v *Vault) removeSome() {
	for range min(removeEach, len(v.condemned)) {
		verdict := v.condemned[0]
		v.condemned = v.condemned[1:]
		if err := v.remove(verdict.snap, verdict.Why); errors.Is(err, ErrRead) {
			v.log.Info().Err(err).Msg("a restore point was not removed")
		} else if err != nil {
			v.troubled(err)
		}
	}
}

// remove is the only way by which a restore point leaves the vault. It is gone
// with one rename; what it held is freed later, bit by bit.
func (v *Vault) remove(s Snapshot, why string) error {
	now := v.clock.read()
	if _, held := v.clock.held(); held {
		return nil
	}
	until, err := v.lockedUntil(s)
	if err != nil {
		return fmt.Errorf("removing %s: %w", s.Ref(), err)
	}
	if until.After(now) {
		return fmt.Errorf("removing %s: until %s: %w", s.Ref(), until.Format(time.RFC3339), ErrLocked)
	}
	if held, err := v.heldSince(s); err != nil || held {
		return err
	}
	if err := v.moveToTrash(s); err != nil {
		return fmt.Errorf("removing %s: %w", s.Ref(), err)
	}
	v.log.Info().Str(event.Field, event.SnapshotRemoved).Str("snapshot", s.Ref()).Str("why", why).Msg("a restore point was removed by retention")
	v.note(event.SnapshotRemoved, s, why)
	v.noteRemoved(s)
	return nil
}

// heldSince reports whether something has come up, since a restore point was judged,
// for which it stays.
func (v *Vault) heldSince(s Snapshot) (bool, error) {
	suspect, err := suspectUntil(v.layout, s.Sender, s.Source)
	if err != nil {
		return false, fmt.Errorf("removing %s: %w", s.Ref(), err)
	}
	st, err := os.Stat(filepath.Join(v.point(s), sumsFile))
	if err != nil {
		return false, fmt.Errorf("removing %s: %w", s.Ref(), err)
	}
	return v.heldBack(s, st.ModTime().UTC(), suspect) != "", nil
}

func (v *Vault) moveToTrash(s Snapshot) error {
	if err := v.makeDir(v.own(trashDir)); err != nil {
		return err
	}
	from := v.point(s)
	done, err := v.claim(s)
	if err != nil {
		return err
	}
	defer done()
	// A directory that may not be written cannot be renamed.
	if err := os.Chmod(from, 0o755); err != nil {
		return err
	}
	v.disk.point("condemned")
	if err := v.disk.rename(from, v.trash(s)); err != nil {
		os.Chmod(from, 0o555)
		return err
	}
	delete(v.whole, norm(s))
	v.disk.point("trashed")
	for _, dir := range []string{v.own(trashDir), filepath.Dir(from)} {
		if err := v.disk.syncPath(dir); err != nil {
			v.troubled(err) // it is gone all the same, and that is to be told
		}
	}
	return nil
}

package vault

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"weir/internal/event"
)

const (
	// abandonedKeep is how long what came of an abandoned snapshot stays: the next
	// snapshots of its source list most of it, and it need not come again for them.
	abandonedKeep = 7 * 24 * time.Hour
	clearEvery    = time.Hour
	// clearEach bounds the abandoned snapshots that are forgotten at one Settle: an
	// event is synced for each, and one sender may have maxPendingSender of them.
	clearEach = 20
)

// Abandoned tells that the sender will never finish a snapshot. That counts only
// while no manifest of it has come, and makes nothing of which nothing came.
func (v *Vault) Abandoned(s Snapshot) error {
	p := v.pending[norm(s)]
	if p == nil || p.Ref != nil || !p.AbandonedAt.IsZero() {
		return nil
	}
	p.AbandonedAt = v.clock.read()
	if err := v.enter(p); err != nil {
		p.AbandonedAt = time.Time{}
		return v.failed(err)
	}
	if v.noteOften(event.SnapshotAbandoned, p.snap, "") {
		v.log.Warn().Str(event.Field, event.SnapshotAbandoned).Str("snapshot", p.snap.Ref()).
			Msg("the sender was ended in the midst of it and will never finish it; the next snapshot of the source stands for it")
	}
	return nil
}

// followed reports whether a restore point of the same source with a higher number
// is published: what an abandoned snapshot brought and that one does not list, none
// will list.
func (v *Vault) followed(s Snapshot) bool {
	entries, err := os.ReadDir(filepath.Join(v.dir, s.Sender, s.Source))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		later, err := parseName(s.Sender, s.Source, e.Name())
		return err == nil && later.Number > s.Number
	})
}

// clearIfDue begins to clear what came of the abandoned snapshots of one sender,
// when they are old and others followed, and no manifest of the sender is to come
// that may list anything. Objects go that no tree links and that neither the newest
// restore points nor snapshots under way list: the trees of restore points have
// their own names for their files, and nothing is ever removed from there.
func (v *Vault) clearIfDue() {
	now := v.opt.Now()
	if v.sweep != nil || now.Before(v.clearAfter) || now.Before(v.sweepAfter) {
		return
	}
	v.clearAfter = now.Add(clearEvery)
	due := map[string][]Snapshot{}
	for s, p := range v.pending {
		if !p.AbandonedAt.IsZero() && v.clock.read().Sub(p.AbandonedAt) >= abandonedKeep && v.followed(s) {
			due[s.Sender] = append(due[s.Sender], s)
		}
	}
	for sender, all := range due {
		if v.awaitsManifest(sender) {
			continue
		}
		v.dropLeftOvers(sender)
		s := &sweep{sender: sender, source: all[0].Source, gaveUp: all, found: make(chan sweepFound, 1)}
		v.sweep = s
		l := v.layout
		go func() { s.found <- l.unlisted(sender) }()
		return
	}
}

// unlisted returns the complete objects of a sender that nothing lists or links.
func (l layout) unlisted(sender string) (f sweepFound) {
	paths, err := filepath.Glob(filepath.Join(globQuote(l.own("objects", sender)), "*", "*"))
	if f.err = err; err != nil {
		return f
	}
	lone := map[ObjectID]bool{}
	for _, path := range paths {
		if k, ok := objectKey(sender, filepath.Base(path)); ok && l.links(k) == 1 {
			lone[k.id] = true
		}
	}
	if f.err = l.exceptListed(lone, sender); f.err == nil {
		f.ids = slices.Collect(maps.Keys(lone))
	}
	return f
}

// cleared forgets some of the abandoned snapshots of which nothing is left.
func (v *Vault) cleared(s *sweep) {
	n := min(len(s.gaveUp), clearEach)
	for _, snap := range s.gaveUp[:n] {
		if p := v.pending[snap]; p == nil || p.AbandonedAt.IsZero() {
			continue // its manifest has come after all
		}
		delete(v.pending, snap)
		if err := os.RemoveAll(v.layout.pending(snap)); err != nil {
			v.troubled(err)
		}
		v.note(event.AbandonedCleared, snap, strconv.Itoa(s.freed)+" objects of the sender that no snapshot lists were removed")
	}
	s.gaveUp = s.gaveUp[n:]
	v.log.Info().Str(event.Field, event.AbandonedCleared).Str("sender", s.sender).Int("snapshots", n).Int("objects", s.freed).
		Msg("what came of abandoned snapshots and no other lists was removed")
}

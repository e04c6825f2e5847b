package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"weir/internal/event"
)

// ActionDrop gives up a snapshot that is not whole: Snapshot is its full name, Detail
// a DropRequest or nothing.
const ActionDrop = "drop"

// DropRequest says how much of a snapshot goes.
type DropRequest struct {
	// Free says that files of it that are complete go too, where nothing lists them
	// and no later restore point of the source is whole. The sender may count on them.
	Free bool `json:"free"`
}

// ErrNotPending is returned for a snapshot that cannot be dropped.
var ErrNotPending = errors.New("it is a restore point, and no command removes one before retention does; only a snapshot that was never whole can be dropped")

func dropAction(v *Vault, r Request) (any, error) {
	s, err := snapshotOf(r)
	if err != nil {
		return nil, err
	}
	var how DropRequest
	if r.Detail != nil {
		if err := json.Unmarshal(r.Detail, &how); err != nil {
			return nil, fmt.Errorf("reading the request: %w", err)
		}
	}
	s = norm(s)
	p := v.pending[s]
	switch {
	case exists(v.point(s)): // whole, damaged, or just becoming so
		return nil, fmt.Errorf("%s: %w", s.Ref(), ErrNotPending)
	case p == nil:
		return nil, fmt.Errorf("%s: %w", s.Ref(), ErrNotFound)
	}
	return nil, v.dropPending(p, how.Free)
}

// dropPending forgets a snapshot for good: what comes of it later is not taken up
// again. Its number is entered first, so that a crash in between ends it too.
func (v *Vault) dropPending(p *pending, free bool) error {
	s := p.snap
	if !free && !v.superseded(s) {
		// The sender may list what came of it in its next snapshot, and not send it.
		if err := os.Remove(filepath.Join(v.layout.pending(s), manifestFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("dropping %s: %w", s.Ref(), err)
		}
		p.manifest = false
	}
	v.noteRemoved(s)
	v.disk.point("drop-noted")
	if err := v.record(event.SnapshotRemoved, s, "dropped by an operator, it was not whole"); err != nil {
		return fmt.Errorf("dropping %s: %w", s.Ref(), err)
	}
	if err := v.makeDir(v.own(trashDir)); err != nil {
		return fmt.Errorf("dropping %s: %w", s.Ref(), err)
	}
	if err := v.disk.rename(v.layout.pending(s), v.trash(s)); err != nil {
		return fmt.Errorf("dropping %s: %w", s.Ref(), err)
	}
	v.disk.point("dropped")
	delete(v.pending, s)
	v.log.Warn().Str(event.Field, event.SnapshotRemoved).Str("snapshot", s.Ref()).Msg("a snapshot that was not whole was dropped by an operator")
	v.dropLeftOvers(s.Sender)
	if p.Ref != nil {
		if err := v.free(s.Sender, s.Source, []ObjectID{p.Ref.Object}); err != nil {
			v.troubled(err)
		}
	}
	for _, dir := range []string{v.own(trashDir), filepath.Dir(v.layout.pending(s))} {
		if err := v.disk.syncPath(dir); err != nil {
			return fmt.Errorf("dropping %s: %w", s.Ref(), err)
		}
	}
	return nil
}

// superseded reports whether a later restore point of the source is whole: then
// nothing that the sender sends builds on this one.
func (v *Vault) superseded(s Snapshot) bool {
	points, err := snapshotsBelow(v.dir)
	if err != nil {
		return false
	}
	for _, other := range points {
		if other.Sender == s.Sender && other.Source == s.Source && other.Number > s.Number && !v.unsettled(other) {
			return true
		}
	}
	return false
}

package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"weir/internal/event"
)

// The events that tell of a restore point's coming and going.
const (
	publishedEvent = event.SnapshotWhole
	removedEvent   = event.SnapshotRemoved
)

// saveHead notes the end of the log in a file beside it. It is not synced: after
// a power cut it may be an older one, which is still true of the log.
func (l *eventLog) saveHead() {
	data, err := json.Marshal(Head{l.next - 1, l.last})
	if err != nil {
		return
	}
	path := filepath.Join(filepath.Dir(l.file.Name()), headFile)
	if os.WriteFile(path+newSuffix, append(data, '\n'), 0o644) == nil {
		os.Rename(path+newSuffix, path)
	}
}

// checkHead tells once of a log that ends before the head that was noted of it, or
// holds another event there: a crash does neither.
func (v *Vault) checkHead() {
	h, err := readHead(v.layout)
	if err != nil || h.Sequence == 0 || h == (Head{v.events.next - 1, v.events.last}) {
		return
	}
	c := &chain{heads: map[uint64]string{h.Sequence: h.SHA256}}
	if err := c.follow(v.own(eventsFile)); err != nil {
		v.troubled(err)
		return
	}
	c.checkHeads()
	if n := len(c.report.Findings); n > 0 {
		v.log.Error().Str(event.Field, event.EventsDamaged).Stringer("first", c.report.Findings[0]).
			Msg("the event log is not what was written; see weir-vault events --verify")
		v.note(event.EventsDamaged, Snapshot{}, c.report.Findings[0].String())
	}
}

// recoverRemovals enters what a crash kept from being logged: a restore point
// that had just gone into the trash. Publications are taken up with the pending
// snapshots.
func (v *Vault) recoverRemovals() error {
	trashed, err := v.trashed()
	if err != nil || len(trashed) == 0 {
		return err
	}
	c := &chain{whole: map[string]int{}, gone: map[string]int{}}
	if err := c.follow(v.own(eventsFile)); err != nil {
		return err
	}
	for _, s := range trashed {
		if c.gone[s.Ref()] == 0 || c.gone[s.Ref()] < c.whole[s.Ref()] {
			v.note(removedEvent, s, "found in the trash at start")
		}
	}
	return nil
}

// trashed returns the restore points in the trash.
func (l layout) trashed() (all []Snapshot, err error) {
	entries, err := os.ReadDir(l.own(trashDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the trash: %w", err)
	}
	for _, e := range entries {
		if parts := strings.SplitN(e.Name(), "+", 3); len(parts) == 3 {
			if s, err := parseName(parts[0], parts[1], parts[2]); err == nil {
				all = append(all, s)
			}
		}
	}
	return all, nil
}

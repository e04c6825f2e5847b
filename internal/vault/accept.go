package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"weir/internal/event"
)

// ActionAccept says that a suspicious restore point is good: Snapshot is its full
// name.
const ActionAccept = "accept"

// ErrNotSuspicious is returned for a restore point that needs no acceptance.
var ErrNotSuspicious = errors.New("it is not suspicious, or was accepted before")

func acceptAction(v *Vault, r Request) (any, error) {
	s, err := snapshotOf(r)
	if err != nil {
		return nil, err
	}
	reasons := suspicions(v.layout, s)
	if len(reasons) == 0 {
		return nil, fmt.Errorf("%s: %w", s.Ref(), ErrNotSuspicious)
	}
	if err := v.writeJSON(v.mark(s), mark{At: suspected(v.layout, s), Reasons: reasons, Accepted: v.clock.read()}); err != nil {
		return nil, err
	}
	history := readHistory(v.layout, s)
	for i := range history {
		if history[i].Name == s.Name() {
			history[i].Suspicious = false
		}
	}
	if err := v.writeJSON(v.history(s), history); err != nil {
		return nil, err
	}
	return nil, v.record(event.MassChangeAccepted, s, strings.Join(reasons, "; "))
}

// suspectUntil returns when the latest restore point of a source was published
// that is suspicious and not accepted. None that was published up to then must be
// removed, whatever retention says.
func suspectUntil(l layout, sender, source string) (until time.Time, err error) {
	entries, err := os.ReadDir(l.own(marksDir, sender, source))
	if errors.Is(err, fs.ErrNotExist) {
		return until, nil
	}
	if err != nil {
		return until, fmt.Errorf("listing the suspicious restore points: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), jsonSuffix)
		if !ok {
			continue
		}
		var m mark
		if err := readJSON(l.own(marksDir, sender, source, e.Name()), &m); err != nil {
			return until, fmt.Errorf("reading why %s/%s/%s is suspicious: %w", sender, source, name, err)
		}
		if m.Accepted.IsZero() && m.At.After(until) {
			until = m.At
		}
	}
	return until, nil
}

// suspected returns when a restore point was marked.
func suspected(l layout, s Snapshot) time.Time {
	var m mark
	if readJSON(l.mark(s), &m) != nil {
		return time.Time{}
	}
	return m.At
}

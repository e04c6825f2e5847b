package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Listing lists a vault again and again, and reads the manifest of each restore
// point once. It is not safe for concurrent use.
type Listing struct {
	layout
	known map[Snapshot]Info
}

// NewListing returns a Listing of the vault in dir.
func NewListing(dir string) *Listing { return &Listing{layout{dir}, map[Snapshot]Info{}} }

// List returns what List does. A restore point that cannot be read is left out:
// a scrub is what tells of damage.
func (l *Listing) List() ([]Info, error) {
	all, err := listPending(l.layout)
	if err != nil {
		return nil, err
	}
	points, err := listPoints(l.layout)
	if err != nil {
		return nil, err
	}
	now := make(map[Snapshot]Info, len(points))
	for _, s := range points {
		if l.unsettled(s) {
			continue
		}
		info, err := l.about(s)
		if err != nil {
			continue
		}
		now[s] = info
	}
	l.known = now
	all = slices.DeleteFunc(all, func(p Info) bool { return now[p.Snapshot()].Name != "" })
	for _, info := range now {
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b Info) int {
		return strings.Compare(a.Snapshot().Ref(), b.Snapshot().Ref())
	})
	markRevoked(l.layout, all)
	return all, nil
}

// about returns what pointInfo does. What was published never changes, but a scrub
// may have found it damaged since, or an operator have accepted it.
func (l *Listing) about(s Snapshot) (Info, error) {
	info, ok := l.known[s]
	if d, err := l.pointDamage(s); !ok || info.Damaged > 0 || err != nil || !d.empty() {
		return pointInfo(l.layout, s)
	}
	info.Suspicious = suspicions(l.layout, s)
	return info, nil
}

// Mark returns the latest time that the clock of the vault in dir has written
// down; the vault's time is this or the host's, whichever is later.
func Mark(dir string) (time.Time, error) {
	data, err := os.ReadFile(layout{dir}.own("clock"))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the vault's clock: %w", err)
	}
	mark, _ := time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data))) // one that is no time is as good as none
	return mark, nil
}

// LogHead returns the SHA-256 of the last whole line of the event log of the
// vault in dir, in hex, or "" where there is none.
func LogHead(dir string) (string, error) {
	f, err := os.Open(layout{dir}.own("events.jsonl"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading the event log: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("reading the event log: %w", err)
	}
	from := max(0, info.Size()-2*maxEventLine)
	tail := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(tail, from); err != nil {
		return "", fmt.Errorf("reading the event log: %w", err)
	}
	end := bytes.LastIndexByte(tail, '\n')
	if end < 0 {
		return "", nil
	}
	return lineHash(tail[bytes.LastIndexByte(tail[:end], '\n')+1 : end]), nil
}

// ManifestSum returns the SHA-256 of the manifest of a restore point, in hex.
func ManifestSum(dir string, s Snapshot) (string, error) {
	sum, _, err := sumFile(layout{dir}.point(s) + "/" + manifestFile)
	if err != nil {
		return "", fmt.Errorf("reading the manifest of %s: %w", s.Ref(), err)
	}
	return sum.String(), nil
}

// Note writes an alarm, or its end, to the event log.
func (v *Vault) Note(name, detail string) {
	if len(detail) > maxAlarm {
		detail = detail[:maxAlarm]
	}
	v.note(name, Snapshot{}, detail)
}

// maxAlarm bounds the text of an alarm, in bytes: it must fit a line of the log
// also with all of it escaped.
const maxAlarm = 4 << 10

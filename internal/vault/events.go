package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// maxEventLine bounds the lines of the event log, in bytes.
const maxEventLine = 64 << 10

// Event is one line of the event log.
type Event struct {
	Sequence uint64    `json:"seq"`
	Time     time.Time `json:"time"` // by the vault's clock
	Event    string    `json:"event"`
	Snapshot string    `json:"snapshot,omitempty"`
	Detail   string    `json:"detail,omitempty"`
	Previous string    `json:"previous"` // SHA-256 of the line before, newline excluded
}

// eventLog is a file that only grows. Each line names the hash of the one before,
// so that an edit, a cut or another order shows.
type eventLog struct {
	file *os.File
	disk *disk
	next uint64
	last string
}

func openEvents(path string, d *disk) (*eventLog, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the event log: %w", err)
	}
	l := &eventLog{file: f, disk: d, next: 1}
	if err := l.resume(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading the event log: %w", err)
	}
	return l, nil
}

// resume finds the last line. One that a crash cut short is taken off: what it
// told of is found again in the tree.
func (l *eventLog) resume() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	from := max(0, info.Size()-2*maxEventLine)
	tail := make([]byte, info.Size()-from)
	if _, err := l.file.ReadAt(tail, from); err != nil {
		return err
	}
	whole := bytes.LastIndexByte(tail, '\n') + 1
	if whole < len(tail) {
		if err := l.file.Truncate(from + int64(whole)); err != nil {
			return err
		}
	}
	if whole == 0 {
		return nil
	}
	line := tail[bytes.LastIndexByte(tail[:whole-1], '\n')+1 : whole-1]
	var e Event
	if err := json.Unmarshal(line, &e); err != nil {
		return fmt.Errorf("its last line is damaged: %w", err)
	}
	l.next, l.last = e.Sequence+1, lineHash(line)
	return nil
}

func lineHash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// add appends an event and syncs it.
func (l *eventLog) add(e Event) error {
	e.Sequence, e.Previous = l.next, l.last
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	info, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("writing the event log: %w", err)
	}
	if _, err := l.disk.writeAt(l.file, append(line, '\n'), info.Size()); err != nil {
		l.file.Truncate(info.Size())
		return fmt.Errorf("writing the event log: %w", err)
	}
	if err := l.disk.sync(l.file); err != nil {
		return fmt.Errorf("syncing the event log: %w", err)
	}
	l.next, l.last = e.Sequence+1, lineHash(line)
	return nil
}

func (l *eventLog) close() error { return l.file.Close() }

package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
	size int64 // up to the end of the last line that is synced
	next uint64
	last string
	time time.Time // of the last line, when it was read
	held []Event   // that could not be written yet
	torn bool      // something may stand behind size
}

// maxHeldEvents bounds the events that wait for a disk that can be written.
const maxHeldEvents = 1000

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
// told of is found again in the tree. Only one can be, as each is synced before
// the next; what is damaged before it stays as it is, for those who verify.
func (l *eventLog) resume() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	from := max(0, info.Size()-tailLines*maxEventLine)
	tail := make([]byte, info.Size()-from)
	if _, err := l.file.ReadAt(tail, from); err != nil {
		return err
	}
	whole := bytes.LastIndexByte(tail, '\n') + 1
	line, before := lastLine(tail[:whole])
	if whole == len(tail) && len(line) > 0 && !parses(line) {
		whole = before
		line, _ = lastLine(tail[:whole])
	}
	l.size, l.torn = from+int64(whole), whole < len(tail)
	var e Event
	if len(line) > 0 {
		l.last = lineHash(line)
		if err := json.Unmarshal(line, &e); err != nil {
			e.Sequence = uint64(bytes.Count(tail[:whole], []byte("\n")))
		}
	}
	l.next, l.time = e.Sequence+1, e.Time
	return l.clear()
}

// tailLines is how many of the longest lines are read to find the last ones.
const tailLines = 2

// lastLine returns the last line of text that ends with a newline, without it,
// and where it begins.
func lastLine(text []byte) (line []byte, from int) {
	if len(text) == 0 {
		return nil, 0
	}
	from = bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	return text[from : len(text)-1], from
}

func parses(line []byte) bool {
	var e Event
	return json.Unmarshal(line, &e) == nil && e.Sequence > 0
}

func lineHash(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// told reports whether one of the latest events is this.
func (l *eventLog) told(name, snapshot string) bool {
	for _, e := range l.held {
		if e.Event == name && e.Snapshot == snapshot {
			return true
		}
	}
	from := max(0, l.size-tailLines*maxEventLine)
	tail := make([]byte, l.size-from)
	if _, err := l.file.ReadAt(tail, from); err != nil {
		return false
	}
	for line := range bytes.Lines(tail) {
		var e Event
		if json.Unmarshal(line, &e) == nil && e.Event == name && e.Snapshot == snapshot {
			return true
		}
	}
	return false
}

// add appends an event and syncs it. One that cannot be written is kept, and
// written before the next.
func (l *eventLog) add(e Event) error {
	if len(l.held) < maxHeldEvents {
		l.held = append(l.held, e)
	}
	return l.flush()
}

// flush writes the events that wait.
func (l *eventLog) flush() error {
	for len(l.held) > 0 {
		if err := l.write(l.held[0]); err != nil {
			return fmt.Errorf("writing the event log: %w", err)
		}
		l.held = l.held[1:]
	}
	return nil
}

func (l *eventLog) write(e Event) error {
	if err := l.clear(); err != nil {
		return err
	}
	e.Sequence, e.Previous = l.next, l.last
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	l.torn = true
	_, err = l.disk.writeAt(l.file, append(line, '\n'), l.size)
	if err == nil {
		l.disk.point("event-written")
		err = l.disk.sync(l.file)
	}
	if err != nil {
		return errors.Join(err, l.clear())
	}
	l.torn, l.size = false, l.size+int64(len(line))+1
	l.next, l.last = e.Sequence+1, lineHash(line)
	l.saveHead()
	return nil
}

// clear takes off what stands behind the last line that is good.
func (l *eventLog) clear() error {
	if !l.torn {
		return nil
	}
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	l.torn = false
	return nil
}

func (l *eventLog) close() error { return l.file.Close() }

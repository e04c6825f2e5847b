package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

const (
	scrubFile = "scrub.json"
	// scrubSave is how often the state of a scrub is written down.
	scrubSave = 500 * time.Millisecond
	// maxScrubState bounds the file, in bytes.
	maxScrubState = 4 << 20
)

// ScrubState says how far a scrub is, or what the last one found.
type ScrubState struct {
	Running  bool      `json:"running"`          // or cut short: the next one goes on from here
	Failed   string    `json:"failed,omitempty"` // why it was cut short, until it goes on
	Scope    string    `json:"scope"`            // a snapshot's name, or "" for everything
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Objects  int64     `json:"objects"` // read
	Points   int64     `json:"points"`  // restore points looked at
	Bytes    int64     `json:"bytes"`   // read
	Total    int64     `json:"total"`   // bytes to read, as far as is known
	Busy     float64   `json:"busy"`    // seconds of reading, without the waits for the rate
	Found    int64     `json:"found"`
	Findings []string  `json:"findings,omitempty"` // the first of them

	ObjectsDone bool   `json:"objects_done"`
	Cursor      string `json:"cursor,omitempty"` // the last object read, as SENDER/ID
	CursorBytes int64  `json:"cursor_bytes"`     // of Bytes, what need not be read again
	PointCursor string `json:"point_cursor,omitempty"`
}

// ReadScrub returns the state of the latest scrub.
func ReadScrub(dir string) (s ScrubState, err error) {
	data, err := readBounded(layout{dir}.own(scrubFile), maxScrubState)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return ScrubState{}, fmt.Errorf("reading the state of the scrub: %w", err)
	}
	if json.Unmarshal(data, &s) != nil {
		return ScrubState{}, nil // as a power cut leaves it, see save: all is read once more
	}
	return s, nil
}

// save writes the state down. It is not synced: what a power cut takes back, or leaves
// empty, is read once more.
func (s *ScrubState) save(l layout) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := l.own(scrubFile)
	if err := os.WriteFile(path+newSuffix, data, 0o644); err != nil {
		return fmt.Errorf("saving the state of the scrub: %w", err)
	}
	return os.Rename(path+newSuffix, path)
}

func (s *ScrubState) add(what string, args ...any) {
	s.Found++
	if len(s.Findings) < maxFindings {
		s.Findings = append(s.Findings, fmt.Sprintf(what, args...))
	}
}

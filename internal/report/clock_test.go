package report

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"weir/internal/event"
	"weir/internal/expectation"
)

// TestLeapThatIsUndone: a host's clock that was wrong for a moment, and that the vault
// never followed, is no reason for alarms until the next start.
func TestLeapThatIsUndone(t *testing.T) {
	h := newHost(t)
	if err := os.WriteFile(filepath.Join(h.dir, ".weir", "clock"), []byte(h.now.Format(time.RFC3339Nano)), 0o644); err != nil {
		t.Fatal(err)
	}
	const leap = 10 * 365 * 24 * time.Hour
	facts := func() Facts { return Facts{Heard: map[string]time.Time{"prod": h.now}} }
	h.look(time.Minute, facts())
	h.look(leap, facts())
	s, _ := h.look(time.Minute-leap, facts())
	behind := func(a expectation.Alarm) bool { return a.Event == event.ClockBehind }
	if !s.Written.Equal(h.now) || slices.ContainsFunc(s.Alarms, behind) {
		t.Errorf("it is %v, and the status says %v, %v", h.now, s.Written, s.Alarms)
	}
	// One that was set back only is told of, and time stands still.
	before := s.Written
	s, _ = h.look(-time.Hour, facts())
	if !s.Written.Equal(before) || !slices.ContainsFunc(s.Alarms, behind) {
		t.Errorf("set back by an hour: %v, %v", s.Written, s.Alarms)
	}
}

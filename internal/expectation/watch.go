package expectation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Watch remembers what was seen when, and which alarms are on. The zero Watch
// has seen nothing. It is not safe for concurrent use.
type Watch struct {
	state   state
	touched map[string]bool // what this look saw
}

// state is what outlives a restart.
type state struct {
	Time   float64          `json:"time"` // seconds that somebody watched, or that the clock says passed between
	Last   time.Time        `json:"last"` // the vault's clock at the last look
	Seen   map[string]sight `json:"seen"`
	Alarms []Alarm          `json:"alarms"`
}

// sight is when something was first seen to be as it is.
type sight struct {
	What string  `json:"what,omitempty"`
	Time float64 `json:"time"`
}

// Look judges the facts and returns what is to be said: alarms that began, that
// last for another day, and that ended.
func (w *Watch) Look(f Facts, l Limits) []Change {
	w.advance(f)
	w.touched = map[string]bool{}
	findings := w.judge(f, l)
	for key := range w.state.Seen {
		if !w.touched[key] {
			delete(w.state.Seen, key)
		}
	}
	return w.compare(f.Now, findings)
}

// advance moves the watch's own time, which never stands still and never goes
// back.
func (w *Watch) advance(f Facts) {
	if w.state.Seen == nil {
		w.state.Seen = map[string]sight{}
	}
	passed := f.Elapsed
	if passed <= 0 && !w.state.Last.IsZero() {
		passed = f.Now.Sub(w.state.Last) // nobody watched meanwhile
	}
	w.state.Time += max(passed, 0).Seconds()
	w.state.Last = f.Now
}

// age returns for how long the thing called key has been what it is: the longer
// of what the clock and what the watch say.
func (w *Watch) age(key, what string, at, now time.Time) time.Duration {
	w.touched[key] = true
	seen, ok := w.state.Seen[key]
	if !ok || seen.What != what {
		seen = sight{what, w.state.Time}
		w.state.Seen[key] = seen
	}
	watched := time.Duration((w.state.Time - seen.Time) * float64(time.Second))
	if at.IsZero() {
		return watched
	}
	return max(watched, now.Sub(at))
}

// compare makes changes of the difference to the alarms that are on.
func (w *Watch) compare(now time.Time, findings []finding) (changes []Change) {
	type id struct{ event, subject string }
	on, kept := map[id]*Alarm{}, []Alarm{}
	for i := range w.state.Alarms {
		a := &w.state.Alarms[i]
		on[id{a.Event, a.Subject}] = a
	}
	for _, f := range findings {
		key := id{f.event, f.subject}
		a := on[key]
		delete(on, key)
		switch {
		case a == nil && len(kept) >= MaxAlarms:
			continue
		case a == nil:
			a = &Alarm{Event: f.event, Subject: f.subject, Since: now, Text: f.text, Told: w.state.Time}
			changes = append(changes, Change{*a, Began})
		case w.state.Time-a.Told >= RepeatEvery.Seconds():
			a.Told, a.Text = w.state.Time, f.text
			changes = append(changes, Change{*a, Again})
		}
		a.Text = f.text
		kept = append(kept, *a)
	}
	for _, a := range w.state.Alarms {
		if on[id{a.Event, a.Subject}] != nil {
			changes = append(changes, Change{a, Ended})
		}
	}
	sortAlarms(kept)
	w.state.Alarms = kept
	return changes
}

// Alarms returns those that are on, by event and subject.
func (w *Watch) Alarms() []Alarm { return append([]Alarm{}, w.state.Alarms...) }

// MaxSaved bounds what Load takes, in bytes.
const MaxSaved = 64 << 20

// ErrSaved is returned for what is no saved watch.
var ErrSaved = errors.New("this is no record of alarms")

// Save returns the watch as JSON.
func (w *Watch) Save() ([]byte, error) { return json.Marshal(w.state) }

// Load takes up where a watch that was saved stopped.
func (w *Watch) Load(data []byte) error {
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if s.Time < 0 || len(s.Alarms) > MaxAlarms {
		return ErrSaved
	}
	w.state = s
	return nil
}

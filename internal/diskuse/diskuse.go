// Package diskuse follows how a disk fills, and foresees when it is full.
package diskuse

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// How finely the past is kept, and how much of it a forecast needs and uses.
const (
	Step    = time.Hour
	Span    = 30 * 24 * time.Hour
	Needed  = 24 * time.Hour
	Window  = 7 * 24 * time.Hour
	Longest = 10 * 365 * 24 * time.Hour // further ahead nothing is foreseen
)

const stepSeconds = int64(Step / time.Second)

// Sample is the disk at one time.
type Sample struct {
	Time int64 `json:"t"` // Unix time, seconds
	Used int64 `json:"u"` // bytes
}

// History is the past of a disk. The zero History is empty. It is not safe for
// concurrent use.
type History struct{ samples []Sample }

// Add takes what is used now, in bytes; of each hour the latest counts.
func (h *History) Add(now time.Time, used int64) {
	s := Sample{now.Unix(), used}
	for len(h.samples) > 0 && h.samples[len(h.samples)-1].Time > s.Time { // a clock that was set back
		h.samples = h.samples[:len(h.samples)-1]
	}
	oldest := now.Add(-Span).Unix()
	first := 0
	for first < len(h.samples) && h.samples[first].Time < oldest {
		first++
	}
	h.samples = append(h.samples[:0], h.samples[first:]...)
	if n := len(h.samples); n > 0 && h.samples[n-1].Time/stepSeconds == s.Time/stepSeconds {
		h.samples[n-1] = s
		return
	}
	h.samples = append(h.samples, s)
}

// Samples returns the past by time. It is not to be changed.
func (h *History) Samples() []Sample { return h.samples }

// PerDay returns how many bytes a day the disk has filled by of late: the slope
// of a straight line through the window. It is not ok before enough is known.
func (h *History) PerDay(now time.Time) (bytes float64, ok bool) {
	from := now.Add(-Window).Unix()
	var n, sx, sy, sxx, sxy float64
	first := int64(0)
	for _, s := range h.samples {
		if s.Time < from {
			continue
		}
		if first == 0 {
			first = s.Time
		}
		x, y := float64(s.Time-first), float64(s.Used)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if n < 3 || now.Unix()-first < int64(Needed/time.Second) {
		return 0, false
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return slope * (24 * time.Hour).Seconds(), !math.IsNaN(slope)
}

// Left returns how long it takes at the present pace until room bytes more are
// used; 0 where that is not foreseen.
func (h *History) Left(now time.Time, room int64) time.Duration {
	pace, ok := h.PerDay(now)
	if !ok || pace <= 0 {
		return 0
	}
	days := float64(max(room, 0)) / pace
	if days > Longest.Hours()/24 {
		return 0
	}
	return max(time.Duration(days*24*float64(time.Hour)), time.Second)
}

// ErrSaved is returned for what is no saved History.
var ErrSaved = errors.New("this is no record of a disk")

// Save returns the past as JSON.
func (h *History) Save() ([]byte, error) { return json.Marshal(h.samples) }

// Load takes up the past of another History.
func (h *History) Load(data []byte) error {
	var all []Sample
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if len(all) > int(Span/Step)+2 {
		return ErrSaved
	}
	h.samples = all
	return nil
}

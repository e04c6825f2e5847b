package diskuse

import (
	"strings"
	"testing"
	"time"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// fill adds a sample every minute, growing by bytes an hour.
func fill(h *History, from time.Time, hours int, used, perHour int64) time.Time {
	for range hours * 60 {
		from = from.Add(time.Minute)
		used += perHour / 60
		h.Add(from, used)
	}
	return from
}

func TestForecast(t *testing.T) {
	var h History
	now := fill(&h, start, 20, 1e9, 6e9)
	if left := h.Left(now, 1e12); left != 0 {
		t.Errorf("%v left after less than a day", left)
	}
	now = fill(&h, now, 28, 121e9, 6e9)
	left := h.Left(now, 1440e9)
	if days := left.Hours() / 24; days < 9.9 || days > 10.1 {
		t.Errorf("%v left, want 10 days", left)
	}
	if left := h.Left(now, -5); left != time.Second {
		t.Errorf("%v left on a disk that is full", left)
	}
	if left := h.Left(now, 1<<60); left != 0 {
		t.Errorf("%v left on a disk that lasts", left)
	}
}

func TestNoForecastWhereNothingGrows(t *testing.T) {
	var h History
	now := fill(&h, start, 48, 1e12, -6e9)
	if pace, ok := h.PerDay(now); !ok || pace > -143e9 || pace < -145e9 {
		t.Errorf("%g a day, %v", pace, ok)
	}
	if left := h.Left(now, 1e9); left != 0 {
		t.Errorf("%v left", left)
	}
}

func TestPastIsKeptAndBounded(t *testing.T) {
	var h, again History
	now := fill(&h, start, 40*24, 0, 6e9)
	if n := len(h.Samples()); n < 715 || n > 722 {
		t.Errorf("%d samples of 30 days", n)
	}
	saved, err := h.Save()
	if err != nil || again.Load(saved) != nil || again.Left(now, 1e12) != h.Left(now, 1e12) {
		t.Errorf("another forecast after Load, %v", err)
	}
	h.Add(start, 5) // a clock that was set back
	if n := len(h.Samples()); n != 1 {
		t.Errorf("%d samples, those of the future among them", n)
	}
	for _, s := range []string{"", "{}", "[" + strings.Repeat("{},", 1000) + "{}]"} {
		if h.Load([]byte(s)) == nil {
			t.Errorf("%.10s was taken", s)
		}
	}
}

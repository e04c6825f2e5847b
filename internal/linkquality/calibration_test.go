package linkquality

import (
	"strings"
	"testing"

	"weir/internal/geometry"
)

func TestSettings(t *testing.T) {
	l := link(Counts{})[0]
	for _, c := range []struct {
		lost    []uint64
		longest uint64
		highest uint64
		words   string
	}{
		{[]uint64{0, 0, 0}, 0, 3e8, "set rate to 280Mbit; burst and overhead can stay as they are; nothing was lost at any step, so the link may carry more"},
		{[]uint64{0, 0, 5}, 5, 2e8, "set rate to 190Mbit; burst and overhead can stay as they are"},
		{[]uint64{0, 1, 0}, 1, 1e8, "set rate to 95Mbit; burst and overhead can stay as they are"},
		{[]uint64{3, 9, 9}, 1, 0, "frames were lost at every rate; at 100Mbit parity heals all of it as it is"},
		{[]uint64{30000, 0, 0}, 2, 0, "raise overhead to"},
		{[]uint64{3000, 0, 0}, 3000, 0, "parity bridges 202ms: raise burst to"},
	} {
		var steps []Step
		for i, n := range c.lost {
			steps = append(steps, Step{Rate: uint64(i+1) * 1e8, Frames: 1e6, Lost: n, Longest: min(c.longest, n)})
		}
		highest, words := Settings(steps, l)
		if highest != c.highest || !strings.Contains(words, c.words) {
			t.Errorf("%v: %d, %q", c.lost, highest, words)
		}
	}
}

// TestStepThatWasNotReached: a rate at which the sender did not send is not one that
// the link carries.
func TestStepThatWasNotReached(t *testing.T) {
	l := link(Counts{})[0]
	pace := func(rate float64) uint64 { return uint64(rate / geometry.FrameBits(l.Geometry.Symbol)) }
	steps := []Step{{Rate: 1e8, Frames: 1e6, Pace: pace(99e6)}, {Rate: 2e8, Frames: 1e6, Pace: pace(140e6)}, {Rate: 3e8, Frames: 1e6, Pace: pace(139e6)}}
	highest, words := Settings(steps, l)
	if highest < 1.39e8 || highest > 1.4e8 || !strings.Contains(words, "set rate to 130Mbit") || !strings.Contains(words, "the sender's host did not reach 300Mbit") {
		t.Errorf("%d, %q", highest, words)
	}
	steps[2].Lost = 9
	if highest, words := Settings(steps, l); highest < 1.39e8 || highest > 1.4e8 || strings.Contains(words, "nothing was lost") {
		t.Errorf("%d, %q", highest, words)
	}
}

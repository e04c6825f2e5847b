package linkquality

import (
	"fmt"
	"strings"

	"weir/internal/geometry"
)

// Step is what became of the frames of a calibration that left at one rate.
type Step struct {
	Rate    uint64 // bits a second on the wire
	Frames  uint64 // that left
	Lost    uint64 // of them
	Longest uint64 // frames lost in a row
	Pace    uint64 // frames a second that came or were lost, 0 if that could not be seen
}

// paced is the share of its rate that a step reaches on a host that can send so quickly.
const paced = 0.9

// reached returns the rate of a step: what came, if its sender was too slow for it.
func (s Step) reached(l Link) uint64 {
	came := float64(s.Pace) * geometry.FrameBits(l.Geometry.Symbol)
	if came == 0 || came >= float64(s.Rate)*paced {
		return s.Rate
	}
	return uint64(came)
}

// calibrated is the share of the highest rate without loss that is advised: what
// is steady for seconds may not be for hours.
const calibrated = 0.95

// Settings returns the highest rate without loss at it or below, 0 if there is
// none, and in words what to set.
func Settings(steps []Step, l Link) (highest uint64, words string) {
	clean := 0
	for ; clean < len(steps) && steps[clean].Lost == 0; clean++ {
		highest = max(highest, steps[clean].reached(l))
	}
	if highest > 0 {
		words = fmt.Sprintf("set rate to %s; burst and overhead can stay as they are", rate(float64(highest)*calibrated))
		switch last := steps[len(steps)-1].Rate; {
		case clean < len(steps):
		case highest < last:
			words += fmt.Sprintf("; nothing was lost at any step, but the sender's host did not reach %s", rate(float64(last)))
		default:
			words += "; nothing was lost at any step, so the link may carry more"
		}
		return highest, words
	}
	return 0, "frames were lost at every rate; " + leastBad(steps[0], l)
}

// leastBad is the advice for a link that loses at its lowest rate too.
func leastBad(s Step, l Link) string {
	l.Rate = s.Rate
	q := Quality{Received: s.Frames - min(s.Lost, s.Frames), Lost: s.Lost, Longest: s.Longest, Rate: s.Rate}
	if s.Longest <= uint64(l.Geometry.Depth) {
		q.Bursts = []uint64{s.Lost} // taken as scattered, as parity sees them
	}
	q.hold(&l)
	if len(q.Advice) == 0 {
		return fmt.Sprintf("at %s parity heals all of it as it is", rate(float64(s.Rate)))
	}
	return fmt.Sprintf("at %s: %s", rate(float64(s.Rate)), strings.Join(q.Advice, "; "))
}

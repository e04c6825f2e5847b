package progress

import "time"

// pace measures a rate over the last window of time.
type pace struct {
	marks []mark
}

type mark struct {
	at   time.Time
	done int64
}

func newPace(now time.Time, done int64) *pace {
	return &pace{marks: []mark{{now, done}}}
}

// rate notes that done bytes are done now and returns the bytes a second since
// the oldest mark within the window.
func (p *pace) rate(now time.Time, done int64) float64 {
	p.marks = append(p.marks, mark{now, done})
	for len(p.marks) > 2 && now.Sub(p.marks[0].at) > window {
		p.marks = p.marks[1:]
	}
	first := p.marks[0]
	seconds := now.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0
	}
	return max(float64(done-first.done)/seconds, 0)
}

package relay

import (
	"math/rand/v2"
	"time"
)

// Faults says what a link does to datagrams. Rates are probabilities of each
// datagram, from 0 to 1.
type Faults struct {
	Seed      uint64
	Loss      float64
	Bursts    Bursts
	Duplicate float64
	Reorder   float64 // a datagram is held back until up to ReorderBy later ones have come
	ReorderBy int
	Corrupt   float64 // one bit is flipped
	Truncate  float64 // at least the last byte is cut off
	Cuts      []Cut
	// Drop, if not nil, decides on each datagram by itself. It is called in the
	// order in which they come, with numbers from 1.
	Drop func(number uint64, datagram []byte) bool
}

// Bursts is the model of Gilbert and Elliott: a link that is good or bad, with a
// loss rate in either state. A bad stretch has 1/Leave datagrams on average.
type Bursts struct {
	Enter    float64 // probability of turning bad, for each datagram
	Leave    float64 // probability of turning good
	LossGood float64
	LossBad  float64
}

// Cut is an outage. It begins with the datagram From, counted from 1, and takes
// that one and all that follow until Length are lost or, where For is given,
// until so much time has passed.
type Cut struct {
	From, Length uint64
	For          time.Duration
}

// verdict is what becomes of a datagram.
type verdict int

const (
	pass verdict = iota
	lost         // at random, in a burst, or by Drop
	cutOut
	heldBack
)

// judge decides the fate of datagrams: the same for the same seed and order,
// except for cuts that are given in time.
type judge struct {
	Faults
	fate  *rand.Rand // of every datagram, also of those that are cut out
	rest  *rand.Rand // of those that pass
	now   func() time.Time
	bad   bool
	until []time.Time // end of each cut that is given in time, once it began
}

func newJudge(f Faults, now func() time.Time) *judge {
	return &judge{Faults: f, now: now, until: make([]time.Time, len(f.Cuts)),
		fate: rand.New(rand.NewPCG(f.Seed, 1)), rest: rand.New(rand.NewPCG(f.Seed, 2))}
}

func chance(rng *rand.Rand, p float64) bool { return p > 0 && rng.Float64() < p }

// twice decides whether a datagram that passes does so twice.
func (j *judge) twice() bool { return chance(j.rest, j.Duplicate) }

// judge decides on datagram n. Random numbers are drawn also inside of a cut, so
// that a cut changes nothing for what comes after it.
func (j *judge) judge(n uint64, d []byte) verdict {
	gone := chance(j.fate, j.Loss)
	gone = j.burst() || gone
	gone = j.Drop != nil && j.Drop(n, d) || gone
	held := j.ReorderBy > 0 && chance(j.fate, j.Reorder)
	switch {
	case j.isCut(n):
		return cutOut
	case gone:
		return lost
	case held:
		return heldBack
	}
	return pass
}

// burst moves the state of the link on and reports whether it loses a datagram.
func (j *judge) burst() bool {
	b := j.Bursts
	if b == (Bursts{}) {
		return false
	}
	if j.bad {
		j.bad = !chance(j.fate, b.Leave)
	} else {
		j.bad = chance(j.fate, b.Enter)
	}
	if j.bad {
		return chance(j.fate, b.LossBad)
	}
	return chance(j.fate, b.LossGood)
}

func (j *judge) isCut(n uint64) bool {
	for i, c := range j.Cuts {
		switch {
		case n < c.From:
		case c.For > 0:
			if j.until[i].IsZero() {
				j.until[i] = j.now().Add(c.For)
			}
			if j.now().Before(j.until[i]) {
				return true
			}
		case n-c.From < c.Length:
			return true
		}
	}
	return false
}

// delay returns how many later datagrams one that is held back waits for.
func (j *judge) delay() uint64 { return 1 + j.rest.Uint64N(uint64(j.ReorderBy)) }

// damage flips a bit in place or cuts d short, and says which.
func (j *judge) damage(d []byte) (damaged []byte, corrupted, truncated bool) {
	if len(d) == 0 {
		return d, false, false
	}
	if chance(j.rest, j.Corrupt) {
		corrupted = true
		d[j.rest.IntN(len(d))] ^= 1 << j.rest.IntN(8)
	}
	if chance(j.rest, j.Truncate) {
		truncated = true
		d = d[:j.rest.IntN(len(d))]
	}
	return d, corrupted, truncated
}

package receiver

import (
	"math/rand/v2"
	"time"
)

// A signature costs about 50 us to verify, and whoever can put a frame on the
// link can ask for that. These bound what it takes of the receive thread.
const (
	verifyBusy = 1000 // a second while frames of live sessions come: 5 % of a core
	verifyIdle = 8000 // and while none come: 40 %
	idleAfter  = time.Second
)

// A good sender opens a session an hour, or one for each push. Each costs log
// lines and a write of the state, so a sender in bad hands gets no more.
const (
	openRate  = 1 // a second, of one sender
	openBurst = 100
)

// verifyBudget says which announces are worth verifying. Under a flood it draws
// lots, afresh for each announce: one that is repeated every second gets through
// in time, and nobody can keep it out by being always a moment earlier.
type verifyBudget struct {
	left   float64
	chance float64 // of an announce, until the next refill
	asked  int     // announces since the last refill
	at     time.Time
}

func (b *verifyBudget) refill(now time.Time, rate float64) {
	if b.at.IsZero() {
		b.left = rate
	} else if d := now.Sub(b.at); d > 0 {
		b.left = min(rate, b.left+rate*d.Seconds())
	}
	b.chance = b.left / float64(max(b.asked, 1))
	b.at, b.asked = now, 0
}

func (b *verifyBudget) take() bool {
	b.asked++
	if b.left < 1 || b.chance < 1 && rand.Float64() >= b.chance {
		return false
	}
	b.left--
	return true
}

// bucket is a token bucket for the sessions of a sender.
type bucket struct {
	tokens float64
	at     time.Time
}

func (b *bucket) take(now time.Time) bool {
	if b.at.IsZero() {
		b.tokens = openBurst
	} else if d := now.Sub(b.at); d > 0 {
		b.tokens = min(openBurst, b.tokens+openRate*d.Seconds())
	}
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// Lines of one kind that may be logged in each stretch of reportEvery. What
// comes from the link must not fill the disk with words.
const maxLines = 50

// limiter lets the first lines of each stretch through and counts the others.
type limiter struct {
	began time.Time
	lines int
	held  uint64
}

// pass reports whether a line may be logged, and how many were held back since
// the last one.
func (l *limiter) pass(now time.Time) (held uint64, ok bool) {
	if d := now.Sub(l.began); d >= reportEvery || d < 0 {
		l.began, l.lines = now, 0
	}
	if l.lines >= maxLines {
		l.held++
		return 0, false
	}
	l.lines++
	held, l.held = l.held, 0
	return held, true
}

package vault

import (
	"fmt"
	"time"
)

// What a sender can cause again and again is noted so often: noteBurst times in a
// row, then once in noteEvery. Each note is a line in a log that is never
// shortened, and a sync of the disk.
const (
	noteBurst = 100
	noteEvery = 10 * time.Second
)

// longAttempt is how long the work on a snapshot may take, without it becoming
// whole, before it has to pause attemptPause times as long. So a snapshot that
// cannot become whole takes a tenth of the time at most.
const (
	longAttempt  = time.Second
	attemptPause = 10
)

// notedKey is what is counted together.
type notedKey struct{ event, sender string }

// allowance is a token bucket.
type allowance struct {
	left    float64
	at      time.Time
	refused int64
}

// take takes a token if there is one, and returns how many were refused since
// the last time that there was.
func (a *allowance) take(now time.Time) (refused int64, ok bool) {
	a.left = min(noteBurst, a.left+float64(now.Sub(a.at))/float64(noteEvery))
	a.at = now
	if a.left < 1 {
		a.refused++
		return 0, false
	}
	a.left--
	refused, a.refused = a.refused, 0
	return refused, true
}

// noteOften is note for what a sender can cause at will. It reports whether it
// was noted, and so should be logged.
func (v *Vault) noteOften(name string, s Snapshot, detail string) bool {
	k := notedKey{name, s.Sender}
	a := v.often[k]
	if a == nil { // as many as there are senders and events
		a = &allowance{left: noteBurst, at: time.Now()}
		v.often[k] = a
	}
	refused, ok := a.take(time.Now())
	if !ok {
		return false
	}
	if refused > 0 {
		detail = fmt.Sprintf("%s (and %d more like it that were not noted)", detail, refused)
	}
	v.note(name, s, detail)
	return true
}

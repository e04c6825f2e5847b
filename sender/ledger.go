package sender

import (
	"sync"
	"time"

	"weir/internal/pacing"
)

const (
	ledgerFiles = 10000
	ledgerTime  = 2 * time.Second
)

// ledger collects the files whose blocks have left until they are written to the
// state, many at a time.
type ledger struct {
	state  *State
	source string
	clock  pacing.Clock
	mu     sync.Mutex
	files  []sentFile
	saved  time.Time
}

func newLedger(state *State, source string, clock pacing.Clock) *ledger {
	return &ledger{state: state, source: source, clock: clock, saved: clock.Now()}
}

// add notes files that have left. It is called from the transmitter.
func (l *ledger) add(files []sentFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, files...)
}

// save writes what was noted, if there is enough of it or all is asked for.
func (l *ledger) save(all bool) error {
	return l.state.save(l.source, l.take(all))
}

// take returns what is to be written. The clock is not asked for nothing: on some hosts
// that costs as much as looking at a file.
func (l *ledger) take(all bool) []sentFile {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) == 0 {
		return nil
	}
	now := l.clock.Now()
	if !all && len(l.files) < ledgerFiles && now.Sub(l.saved) < ledgerTime {
		return nil
	}
	files := l.files
	l.files, l.saved = nil, now
	return files
}

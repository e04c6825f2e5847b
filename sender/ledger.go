package sender

import (
	"sync"
	"time"
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
	mu     sync.Mutex
	files  []sentFile
	saved  time.Time
}

// add notes files that have left. It is called from the transmitter.
func (l *ledger) add(files []sentFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, files...)
}

// save writes what was noted, if there is enough of it or all is asked for.
func (l *ledger) save(now time.Time, all bool) error {
	l.mu.Lock()
	if !all && len(l.files) < ledgerFiles && now.Sub(l.saved) < ledgerTime {
		l.mu.Unlock()
		return nil
	}
	files := l.files
	l.files, l.saved = nil, now
	l.mu.Unlock()
	return l.state.save(l.source, files)
}

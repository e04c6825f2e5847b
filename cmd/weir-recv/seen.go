package main

import (
	"maps"
	"sync"
	"time"

	"weir/internal/status"
	"weir/internal/vault"
)

// seen is what passes between the goroutine that stores and the one that reports.
type seen struct {
	moving status.Moving
	notes  chan [2]string // for the event log: name, detail

	mu    sync.Mutex
	skews map[string]time.Duration // of each sender, at its last heartbeat
}

// maxNotes bounds the notes that wait. More are lost for the event log, not for
// the log.
const maxNotes = 1024

func newSeen() *seen {
	return &seen{notes: make(chan [2]string, maxNotes), skews: map[string]time.Duration{}}
}

func (s *seen) heartbeat(sender string, skew time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skews[sender] = skew
}

func (s *seen) skew() map[string]time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.skews)
}

// note never waits: what reports must not wait for what stores.
func (s *seen) note(name, detail string) {
	select {
	case s.notes <- [2]string{name, detail}:
	default:
	}
}

// write writes the notes that wait. It belongs to who may call the vault.
func (s *seen) write(v *vault.Vault) {
	for {
		select {
		case n := <-s.notes:
			v.Note(n[0], n[1])
		default:
			return
		}
	}
}

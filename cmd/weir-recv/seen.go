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
	latest vault.Snapshot // of which something was stored, and its name; the sink's own
	ref    string

	mu    sync.Mutex
	skews map[string]time.Duration // of each sender, at its last heartbeat
}

// maxNotes bounds the notes that wait. More are lost for the event log, not for
// the log.
const maxNotes = 1024

func newSeen() *seen {
	return &seen{notes: make(chan [2]string, maxNotes), skews: map[string]time.Duration{}}
}

// stored notes bytes of a snapshot. The name is spelled once for all ranges in a
// row: there may be a hundred thousand a second.
func (s *seen) stored(snap vault.Snapshot, bytes int) {
	if snap != s.latest {
		s.latest, s.ref = snap, snap.Ref()
	}
	s.moving.Add(s.ref, bytes, time.Now())
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

package vault

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// maxSources bounds the sources of one sender: each is a directory for ever.
	maxSources = 1024
	// maxPendingSender bounds the snapshots of one sender that are not whole.
	maxPendingSender = 4000
	// maxPartial bounds the objects of one sender that are not complete. A million
	// small files at a loss of five percent that parity does not heal make 50,000.
	maxPartial = 200_000
)

// bounds hold what one sender can cause.
type bounds struct {
	sources     map[string]map[string]bool // of each sender that came up
	often       map[notedKey]*allowance
	missingMost int            // missing objects that are remembered of one sender
	partials    map[string]int // of each sender, objects in partial
	partialMost int
	leftOvers   map[string][]key // of each sender, partial objects that may be of no use any more
}

func newBounds() bounds {
	return bounds{sources: map[string]map[string]bool{}, often: map[notedKey]*allowance{}, missingMost: missingMost, partials: map[string]int{}, partialMost: maxPartial, leftOvers: map[string][]key{}}
}

// mayBegin returns ErrLimit where a sender has too much that is not whole, or too
// many sources, for one more snapshot.
func (v *Vault) mayBegin(s Snapshot) error {
	ofSource, ofSender := 0, 0
	for o := range v.pending {
		if o.Sender == s.Sender {
			ofSender++
			if o.Source == s.Source {
				ofSource++
			}
		}
	}
	switch {
	case ofSource >= maxPending:
		return fmt.Errorf("%s/%s has %d snapshots that are not whole: %w", s.Sender, s.Source, ofSource, ErrLimit)
	case ofSender >= maxPendingSender:
		return fmt.Errorf("%s has %d snapshots that are not whole: %w", s.Sender, ofSender, ErrLimit)
	}
	return v.admitSource(s)
}

func (v *Vault) admitSource(s Snapshot) error {
	known := v.sources[s.Sender]
	if known == nil {
		known = map[string]bool{}
		v.sources[s.Sender] = known
		for _, dir := range []string{filepath.Join(v.dir, s.Sender), v.own("pending", s.Sender)} {
			entries, err := os.ReadDir(dir)
			if err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("listing the sources of %s: %w", s.Sender, err)
			}
			for _, e := range entries {
				known[e.Name()] = true
			}
		}
	}
	if !known[s.Source] && len(known) >= maxSources {
		return fmt.Errorf("%s has %d sources: %w", s.Sender, len(known), ErrLimit)
	}
	known[s.Source] = true
	return nil
}

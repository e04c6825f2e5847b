package vault

import (
	"fmt"
	"strconv"
)

// chore is work that takes long, goes on beside the vault's goroutine, and belongs to
// no snapshot that is under way. Each counts as a turn of its sender.
type chore struct {
	do   func(stopped func() error) error
	then func(error) error // in the vault's goroutine, with what do returned; may be nil
}

// later puts a chore of a sender at the end of its row.
func (v *Vault) later(sender string, c chore) {
	v.chores[sender] = append(v.chores[sender], c)
	v.startSites()
}

// nextChore returns the sender with a chore that was served longest ago, "" if none.
func (v *Vault) nextChore() (next string) {
	for sender := range v.chores {
		if v.sites[sender] == nil && (next == "" || v.turns[sender] < v.turns[next]) {
			next = sender
		}
	}
	return next
}

func (v *Vault) beginChore(sender string) {
	row := v.chores[sender]
	c := row[0]
	if v.chores[sender] = row[1:]; len(row) == 1 {
		delete(v.chores, sender)
	}
	s := &site{then: c.then, done: make(chan struct{})}
	v.occupyFor(s, sender)
	go func() {
		defer close(s.done)
		s.err = c.do(s.stopped)
	}()
}

// endChore takes up what a chore has come to.
func (s *site) endChore() error {
	if s.then == nil {
		return s.err
	}
	return s.then(s.err)
}

// discard removes a restore point that was built for nothing, which takes as long as
// to build it. It gets a name of its own below staging/ first, as the same may be built
// anew meanwhile; whoever opens the vault next clears what is left there.
func (v *Vault) discard(sender, path string) error {
	v.discarded++
	gone := v.own("staging", sender+"+"+strconv.Itoa(v.discarded))
	if err := v.disk.rename(path, gone); err != nil {
		return fmt.Errorf("taking %s back: %w", path, err)
	}
	v.later(sender, chore{do: func(func() error) error { return removeAll(gone) }})
	return nil
}

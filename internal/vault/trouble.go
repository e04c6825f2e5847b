package vault

import (
	"errors"
	"time"

	"weir/internal/event"
)

// note writes an event and logs it. Trouble with the event log must not stop
// the vault from storing.
func (v *Vault) note(name string, s Snapshot, detail string) {
	if err := v.record(name, s, detail); err != nil {
		v.troubled(err)
	}
}

// record writes an event. One that cannot be written is kept, and written before
// the next.
func (v *Vault) record(name string, s Snapshot, detail string) error {
	e := Event{Time: v.clock.read(), Event: name, Detail: detail}
	switch {
	case s.Source != "":
		e.Snapshot = s.Ref()
	case s.Sender != "":
		e.Snapshot = s.Sender
	}
	return v.events.add(e)
}

// diskEvery bounds how often trouble with the disk of one kind is logged.
const diskEvery = time.Minute

// troubled logs an error of the disk, each kind once a minute. From the first
// that says that the disk is full until there is room again is one event.
func (v *Vault) troubled(err error) {
	name, words := event.DiskError, "the vault's disk makes trouble; what cannot be stored counts as missing"
	if isFull(err) || errors.Is(err, ErrSpace) {
		name, words = event.DiskFull, "the vault's disk is full; what comes is not stored and counts as missing; nothing stored is deleted"
	}
	if now := v.opt.Now(); !v.noted[name].IsZero() && now.Sub(v.noted[name]).Abs() < diskEvery {
		return
	}
	v.noted[name] = v.opt.Now()
	v.log.Error().Str(event.Field, name).Err(err).Msg(words)
	if name == event.DiskFull && !v.full {
		v.full = true
		v.note(event.DiskFull, Snapshot{}, err.Error())
	}
}

// roomAgain tells once that data is stored again. What is not whole is reported
// anew, with what it lacks.
func (v *Vault) roomAgain() {
	if !v.full {
		return
	}
	v.full = false
	clear(v.noted)
	for _, p := range v.pending {
		p.reported = false
		p.backoff = 0
	}
	v.log.Info().Str(event.Field, event.DiskRoom).
		Msg("there is space again; push the sources again that are not whole: weir-vault list shows them, weir-vault missing what they lack")
	v.note(event.DiskRoom, Snapshot{}, "")
}

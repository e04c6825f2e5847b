package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weir/internal/event"
)

// Actions that can be asked for.
const (
	// ActionNote enters an event of an operator's command into the log: Detail is
	// a NoteRequest.
	ActionNote = "note"
	// ActionPrune removes what retention does not keep. The result is a PruneResult.
	ActionPrune = "prune"
	// ActionLock makes the lock of Snapshot longer: Detail is a LockRequest, the
	// result the time until which it holds.
	ActionLock = "lock"
	// ActionScrub begins to read everything again, or Snapshot: Detail is a
	// ScrubRequest. ReadScrub tells how far it is.
	ActionScrub = "scrub"
	// ActionClock tells the vault's time, and confirms a leap of the host's clock:
	// Detail is a ClockRequest, the result a ClockResult.
	ActionClock = "clock"
)

// actions are what requests can be for. Each is carried out in the vault's one
// goroutine.
var actions map[string]action

func init() { // the handlers reach actions themselves, through answer
	actions = map[string]action{
		ActionNote:   noteAction,
		ActionPrune:  pruneAction,
		ActionLock:   lockAction,
		ActionAccept: acceptAction,
		ActionScrub:  scrubAction,
		ActionClock:  clockAction,

		ActionSigners: signersAction,
		ActionDrop:    dropAction,
		ActionYield:   yieldAction,
	}
}

// NoteRequest is the detail of ActionNote.
type NoteRequest struct {
	Event  string `json:"event"`
	Detail string `json:"detail"`
}

// notable are the events that commands may enter.
var notable = []string{event.DrillPassed, event.DrillFailed}

// maxNote bounds the text that a command may enter, in bytes.
const maxNote = 4 << 10

func noteAction(v *Vault, r Request) (any, error) {
	var n NoteRequest
	if err := json.Unmarshal(r.Detail, &n); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	if !slices.Contains(notable, n.Event) || len(n.Detail) > maxNote {
		return nil, fmt.Errorf("event %q of %d bytes: %w", n.Event, len(n.Detail), ErrRequest)
	}
	var s Snapshot
	if r.Snapshot != "" {
		var err error
		if s, err = snapshotOf(r); err != nil {
			return nil, err
		}
	}
	return nil, v.record(n.Event, s, n.Detail)
}

// keeping is what the vault remembers of its own upkeep.
type keeping struct {
	removed    map[string]removed // restore points, by SENDER/SOURCE
	prunedAt   time.Time
	condemned  []Verdict // to be removed
	sweep      *sweep    // of the trash, nil if none is under way
	sweepAfter time.Time // not before
	clearAfter time.Time // not before that time abandoned snapshots are looked at

	scrub       *scrub // nil if none is under way
	scrubErr    error  // why the last one was cut short
	scrubLook   time.Time
	damage      map[key]*damage // objects that are to come again
	regained    map[key]bool    // of these, such as have
	accounts    map[sourceKey]*account
	arrivals    map[key]arrival
	bare        map[Snapshot]*bare // restore points that wait for their manifests
	survey      *survey            // of where they stand, nil if none is under way
	surveyAfter time.Time          // not before

	alone  bool // a command holds the vault, no receiver
	yields bool // to a receiver that starts
}

func newKeeping() keeping {
	return keeping{removed: map[string]removed{}, damage: map[key]*damage{}, regained: map[key]bool{},
		accounts: map[sourceKey]*account{}, arrivals: map[key]arrival{}, bare: map[Snapshot]*bare{}}
}

// work does a bit of what goes on for long, at each Settle.
func (v *Vault) work(quiet bool) {
	v.reportLeap()
	v.serveRequests()
	v.pruneIfDue()
	v.removeSome()
	v.clearIfDue()
	v.dropSome()
	v.sweepTrash()
	v.scrubIfDue()
	v.scrubSome(quiet)
	v.healSome()
	v.reclaimSome()
}

// finishWork does all of what was begun, for a command that holds the vault, and
// what others ask for meanwhile. A receiver that starts is given way to: what is
// not finished then is so by the receiver, a scrub or a prune when it is asked again.
func (v *Vault) finishWork(ctx context.Context) error {
	v.alone = true
	for ctx.Err() == nil {
		if v.serveRequests(); v.yields {
			return errYielded
		}
		v.removeSome()
		dropped, swept, scrubbed, healed := !v.dropSome(), !v.sweepTrash(), !v.scrubSome(true), !v.healSome()
		if dropped && swept && scrubbed && healed && len(v.condemned) == 0 {
			return v.scrubErr
		}
		time.Sleep(time.Millisecond) // what works beside us needs it
	}
	return ctx.Err()
}

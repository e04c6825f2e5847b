package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weir/internal/event"
)

// Actions that can be asked for.
const (
	// ActionNote enters an event of an operator's command into the log: Detail is
	// a NoteRequest.
	ActionNote = "note"
)

// actions are what requests can be for. Each is carried out in the vault's one
// goroutine.
var actions map[string]action

func init() { // the handlers reach actions themselves, through answer
	actions = map[string]action{
		ActionNote: noteAction,
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

// work does a bit of what goes on for long, at each Settle.
func (v *Vault) work(quiet bool) {
	v.serveRequests()
}

// finishWork does all of what was begun, for a command that holds the vault.
func (v *Vault) finishWork(ctx context.Context) error {
	return ctx.Err()
}

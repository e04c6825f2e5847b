package receiver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/internal/statefile"
	"weir/protocol"
)

// maxState bounds the state file that is read, in bytes.
const maxState = 16 << 20

// savedState is the file of session counters. It is what keeps a session from
// being replayed to a receiver that was restarted, and lets it go on with the
// sessions that are under way. It goes by the id of the sender's key: a new key
// begins a new count, and one that is trusted again goes on with its own.
type savedState struct {
	Senders map[string]*savedSender `json:"senders"`
}

type savedSender struct {
	Name     string         `json:"name"` // for who reads the file
	Counter  uint64         `json:"counter"`
	Sessions []savedSession `json:"sessions"`
}

type savedSession struct {
	Announce []byte   `json:"announce"`
	Floor    uint64   `json:"floor"`           // sequences up to here were taken
	More     []uint64 `json:"lanes,omitempty"` // the same of the lanes beside the first
}

func loadState(path string) (savedState, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return savedState{}, nil
	}
	if err == nil && info.Size() > maxState {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	var s savedState
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("reading the session counters in %s: %w; without them old sessions could be replayed, so move the file away only if you accept that", path, err)
	}
	return s, nil
}

// resume makes the saved sessions live again, as far as their senders are still
// trusted.
func (r *Receiver) resume(saved savedState) {
	r.remembered = saved.Senders
	r.enlist()
	for id := range r.signers {
		old := saved.Senders[id.String()]
		if old == nil {
			continue
		}
		for _, o := range old.Sessions {
			a, err := protocol.ParseAnnounce(o.Announce)
			if err != nil {
				continue
			}
			if s, err := r.verify(a, o.Announce, append([]uint64{o.Floor}, o.More...)); err == nil && len(r.sessions) < maxSessions*len(r.signers) {
				r.sessions = append(r.sessions, s)
			}
		}
	}
}

// state writes the file beside the receive thread, which must never wait for a
// disk. Of several states that wait, the newest is written.
type state struct {
	path  string
	log   zerolog.Logger
	next  chan savedState
	done  chan struct{}
	saved time.Time
	err   error
}

func newState(path string, log zerolog.Logger) *state {
	s := &state{path: path, log: log, next: make(chan savedState, 1), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *state) run() {
	defer close(s.done)
	for next := range s.next {
		if s.err = writeState(s.path, next); s.err != nil {
			s.log.Error().Str(event.Field, event.DiskError).Err(s.err).Msg("the session counters could not be saved")
		}
	}
}

func writeState(path string, s savedState) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := statefile.Replace(path, data, 0o600); err != nil {
		return fmt.Errorf("saving the session counters: %w", err)
	}
	return nil
}

// persist hands the present state over, when it is due or forced.
func (r *Receiver) persist(force bool) {
	if r.state == nil || !force && r.now.Sub(r.state.saved) < persistEvery {
		return
	}
	if !force && !r.moved() {
		return
	}
	r.state.saved = r.now
	next := r.snapshot()
	select {
	case <-r.state.next: // an older one that nobody took
	default:
	}
	r.state.next <- next
}

// moved reports whether frames came since the last state.
func (r *Receiver) moved() bool {
	moved := false
	for _, s := range r.sessions {
		moved = moved || s.lanes.moved()
	}
	return moved
}

func (r *Receiver) snapshot() savedState {
	all := savedState{Senders: maps.Clone(r.remembered)}
	if all.Senders == nil {
		all.Senders = map[string]*savedSender{}
	}
	for id, snd := range r.signers {
		all.Senders[id.String()] = &savedSender{Name: snd.name, Counter: snd.counter}
	}
	for _, s := range r.sessions {
		floors := s.lanes.floors()
		saved := all.Senders[s.signer.id.String()]
		saved.Sessions = append(saved.Sessions, savedSession{Announce: s.announce, Floor: floors[0], More: floors[1:]})
	}
	return all
}

// close waits until the newest state is written.
func (s *state) close() error {
	close(s.next)
	<-s.done
	return s.err
}

// Package sender turns files into snapshots, snapshots into records, records
// into blocks with parity, and blocks into sealed frames, paced. It knows no
// socket: frames go to a Link.
//
// One goroutine owns the link (transmitter). Another reads files straight into
// block memory, hashes what it read and computes the parity (snapshot, packer);
// three blocks go round between the two, so memory does not grow with what is
// sent. Nothing tells the sender what arrived: all it ever says is "sent".
package sender

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/manifest"
	"weir/internal/pacing"
	"weir/internal/sealing"
	"weir/protocol"
)

// Config is what a Sender needs.
type Config struct {
	Name     string             // of the sender, as the receiver trusts it
	Signer   ed25519.PrivateKey // signs announces and manifests
	Receiver hpke.PublicKey
	Rate     uint64            // bits per second on the wire
	Geometry protocol.Geometry // of full blocks, from NewGeometry
	Burst    time.Duration     // the longest outage that parity bridges
	// BurstBytes bounds what leaves back to back, in bytes on the wire; 0 is
	// DefaultBurstBytes.
	BurstBytes int
	Heartbeat  time.Duration // between heartbeats of an idle link
	Announce   time.Duration // between announces of a session; 0 for every second
	Clock      pacing.Clock
	Link       Link
	Lanes      []Link // several that carry one session together, instead of Link
	// Patient, if not nil, says of an error with which no lane could send whether to
	// wait until one can again. Otherwise Run ends with the error.
	Patient func(error) bool
	State   *State
	Scratch string // directory for the manifest while it is written
	Repeat  Repeat // what is kept of what was sent, and how often it is sent
	Tool    string // name and version for the manifest
	// Own are paths of the sender's own key, state and spool, which are not sent where
	// they lie below what is.
	Own []string
	// Sealed says to whom the content of sources is sealed, by the source's name;
	// what is not in it goes as it is.
	Sealed map[string]*sealing.Recipients
	Log    zerolog.Logger
}

// DefaultBurstBytes is one super-packet: what a network card takes at once.
const DefaultBurstBytes = 64 << 10

// minBlock is the least that a full block must hold, in bytes: a page of data
// and the records around it, with room to spare.
const minBlock = 16 << 10

// ErrSmallBlock is returned for a geometry whose blocks hold next to nothing.
var ErrSmallBlock = errors.New("a block holds too little")

// pause waits, unless the context ends before.
func (s *Sender) pause(ctx context.Context, d time.Duration) error {
	for ; d > 0 && ctx.Err() == nil; d -= sleepStep {
		s.cfg.Clock.Sleep(min(d, sleepStep))
	}
	return ctx.Err()
}

// ErrStopped is returned by Push when Run has ended, for whatever reason Run
// returned.
var ErrStopped = errors.New("the link is not served any more")

// Sender sends snapshots over one link.
type Sender struct {
	cfg     Config
	t       *transmitter
	turns   turns // one piece of work at a time
	history history
	spool   *spool
	wake    chan struct{} // something may be due
	// xattrsMost is how many bytes of extended attributes one entry may have.
	xattrsMost int
}

// New returns a Sender. Nothing is sent before Run.
func New(cfg Config) (*Sender, error) {
	if err := cfg.Geometry.Check(); err != nil {
		return nil, err
	}
	if n := cfg.Geometry.DataBytes(); n < minBlock {
		return nil, fmt.Errorf("%d bytes: %w, %d are needed; raise k, depth or symbol", n, ErrSmallBlock, minBlock)
	}
	if cfg.Rate == 0 {
		return nil, errors.New("the rate is zero; set rate to what the link carries, as in 900Mbit")
	}
	if cfg.BurstBytes == 0 {
		cfg.BurstBytes = DefaultBurstBytes
	}
	s := &Sender{cfg: cfg, wake: make(chan struct{}, 1), xattrsMost: manifest.MaxXattrs}
	s.cfg.Repeat.complete(cfg.Scratch)
	s.history = history{dir: filepath.Join(s.cfg.Repeat.Dir, "manifests"), state: cfg.State, most: s.cfg.Repeat.History, bytes: s.cfg.Repeat.HistoryBytes}
	s.makeKept()
	if err := s.newSpool(); err != nil {
		return nil, err
	}
	s.t = newTransmitter(&s.cfg, cfg.Geometry)
	if err := cfg.State.loadAbandoned(&s.t.abandoned); err != nil {
		return nil, err
	}
	return s, nil
}

// Run owns the link until the context ends: it announces the session, sends what
// Push gives it, and heartbeats when there is nothing. It returns the error that
// made the link unusable, or nil. It can be called once.
func (s *Sender) Run(ctx context.Context) error { return s.t.run(ctx) }

// Job is one snapshot to take and send.
type Job struct {
	Source  string
	Paths   []string // what to send; with Stream, nothing
	Exclude []string // doublestar globs on paths in the snapshot; without a slash, on last names too
	Stream  Stream   // instead of Paths: the content of a single file
	As      string   // its path in the snapshot
	All     bool     // send unchanged files again, which fills holes at the receiver
	// Compress makes content smaller on the wire where that gains something. At
	// the receiver it is stored as it was.
	Compress bool
	// Progress, if not nil, is told of bytes as they are read.
	Progress func(bytes int64)
	// Planned, if not nil, is told how much there is to read, once that is known.
	Planned func(bytes int64)
}

// Stream is content of unknown length.
type Stream interface {
	Read(p []byte) (int, error)
}

// Result says what was sent.
type Result struct {
	Source    string
	Number    uint64
	Taken     time.Time
	Files     int64 // in the snapshot
	Bytes     int64 // in the snapshot
	SentFiles int64 // in this pass
	SentBytes int64 // in this pass, content only
	WireBytes int64 // all of it, with parity and headers
	Problems  int64 // files that changed, vanished or could not be read
	Skipped   int64 // FIFOs, sockets, devices
	Duration  time.Duration
}

// Name returns the snapshot's name, as the vault will call it.
func (r *Result) Name() string {
	return fmt.Sprintf("%s.%06d", r.Taken.Format("2006-01-02T150405Z"), r.Number)
}

// Push takes one snapshot and sends it, while Run runs. When it returns without
// an error everything has left the socket, which is all that can be known here;
// the Result tells of single files that could not be sent as they should.
func (s *Sender) Push(ctx context.Context, job Job) (Result, error) {
	if err := job.check(); err != nil {
		return Result{}, err
	}
	turn, err := s.turns.take(ctx, levelPush)
	if err != nil {
		return Result{}, err
	}
	defer turn.leave()
	snap, err := s.newSnapshot(job)
	if err != nil {
		return Result{}, err
	}
	defer snap.close()
	snap.packer.turn = turn
	if err := snap.send(ctx); err != nil {
		if _, kept := s.cfg.State.sent(job.Source, snap.result.Number); errors.Is(kept, ErrForgotten) {
			s.t.abandoned.add(snap.packer.context)
		}
		return Result{}, fmt.Errorf("sending a snapshot of %s: %w", job.Source, err)
	}
	s.awake()
	return snap.result, nil
}

// Due returns when the next snapshot of a source is due: every after the last one
// that was sent, at once if there is none.
func (s *Sender) Due(source string, every time.Duration) time.Time {
	now := s.cfg.Clock.Now()
	l, err := s.cfg.State.latest(source)
	if err != nil || l.Number == 0 {
		return now
	}
	// A clock that was set back must not make it wait for longer than a period.
	if due := time.Unix(0, l.Taken).Add(every); !due.After(now.Add(every)) {
		return due
	}
	return now
}

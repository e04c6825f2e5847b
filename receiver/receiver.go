// Package receiver turns the frames of a one-way link back into records: it
// opens sessions, fills blocks, rebuilds what was lost, and hands ranges of
// objects to a Sink. It knows no socket and no disk.
//
// One thread calls Datagram and Tick; it never waits, and what it does for one
// frame allocates nothing. A worker goroutine rebuilds and delivers the closed
// blocks. Between the two stands the memory budget: where the Sink is slower
// than the link, new blocks are refused and counted, never queued without
// bound.
//
// Every byte from the link is hostile until its tag has been verified, and its
// content is so after that too, as the sender may be in an attacker's hands.
package receiver

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"weir/protocol"
)

// Sink takes what arrived. Its methods are called from one goroutine. What they
// return is logged; the receiver goes on.
type Sink interface {
	// Touch tells that something of a snapshot came.
	Touch(sender string, c protocol.Context) error
	// WriteRange takes bytes of an object; p is only valid during the call.
	WriteRange(sender string, c protocol.Context, id protocol.ObjectID, off uint64, p []byte) error
	// EndObject tells what an object is when it is whole.
	EndObject(sender string, c protocol.Context, e protocol.End) error
	// CloseSnapshot tells the manifest of a snapshot.
	CloseSnapshot(sender string, c protocol.Context, m protocol.Manifest) error
	// Heartbeat tells what the sender sent last.
	Heartbeat(sender string, hb protocol.Heartbeat) error
	// Abandoned tells of snapshots that the sender will never finish.
	Abandoned(sender string, a protocol.Abandoned) error
	// Settle is called about every second; quiet when no data has come lately.
	Settle(quiet bool) error
}

// Config is what a Receiver needs.
type Config struct {
	Roster        // at the start; see Change
	Memory int64  // bytes for blocks
	State  string // path of the file of session counters
	Log    zerolog.Logger
	Now    func() time.Time
	Sink   Sink
	// Offered, if not nil, is told of another key that a sender offers, signed by one
	// that is trusted. It returns ErrOldOffer for one whose counter is not above that
	// of the sender's last, and is called from the goroutine that calls the Sink.
	Offered func(c protocol.KeyChange) error
	// Stranger, if not nil, may say more to an operator of a key that is not trusted
	// and came in an announce; nil for nothing. It is called from the thread that
	// calls Datagram, a few times a second at most.
	Stranger func(id protocol.KeyID) error
	// Calibrated, if not nil, is told how a calibration ended, on the thread that
	// calls Tick.
	Calibrated func(Calibrated)
}

// Times of the receiver.
const (
	blockIdle    = 3 * time.Second // a block that nothing came for is closed
	settleEvery  = time.Second
	quietAfter   = 2 * time.Second
	reportEvery  = 10 * time.Second // of what was dropped
	lossEvery    = time.Second      // reports of lost frames
	persistEvery = time.Second
)

// Receiver receives. Datagram and Tick belong to one thread.
type Receiver struct {
	cfg      Config
	memory   *memory
	senders  map[string]*sender
	signers  map[protocol.KeyID]*signer
	present  *roster    // that the thread which receives goes by
	sessions []*session // all live ones; few
	last     *session   // of the latest frame
	budget   verifyBudget
	refused  refusedRing
	refusals limiter
	drops    drops
	header   protocol.Header
	scratch  [protocol.MaxSymbol]byte
	now      time.Time // as of the latest Tick
	live     time.Time // when a frame was authentic, as of the latest Tick
	settled  time.Time
	reported time.Time
	lossSeen time.Time

	roster       atomic.Pointer[roster] // the newest
	offers       offers
	calibrations chan calibrationNote // from the worker

	closing    bool
	turns      *turns
	worker     sync.WaitGroup
	lastData   atomic.Int64 // ns, when the worker last delivered data
	queued     atomic.Int64 // blocks that the worker has not finished
	rest       atomic.Bool  // no block was finished since the sink settled while it was quiet
	throughput throughput   // of the sink
	state      *state

	remembered map[string]*savedSender // what the state tells of keys, trusted or not any more
}

// signer is one key of a trusted sender.
type signer struct {
	*sender
	id      protocol.KeyID
	key     ed25519.PublicKey
	counter uint64 // the highest session counter accepted
}

// sender is a trusted sender, with whichever of its keys it signs, and what is
// remembered of it.
type sender struct {
	name string

	past     [protocol.MaxLanes]pastLane
	params   protocol.Params // of the newest session
	lanes    int             // of that
	openings bucket
}

// ErrMemory is returned when the configured memory cannot hold even small
// blocks.
var ErrMemory = errors.New("the memory for blocks is too small")

const minMemory = 8 << 20

// New returns a Receiver and starts its worker. Sessions that were live when
// the state was written are live again. Call Close in the end.
func New(cfg Config) (*Receiver, error) {
	if cfg.Memory < minMemory {
		return nil, fmt.Errorf("%d bytes: %w; set memory to 64MiB or more", cfg.Memory, ErrMemory)
	}
	r := &Receiver{cfg: cfg, memory: newMemory(cfg.Memory), senders: map[string]*sender{}, signers: map[protocol.KeyID]*signer{}}
	r.present = newRoster(cfg.Roster)
	r.roster.Store(r.present)
	r.now = cfg.Now()
	r.budget.refill(r.now, verifyIdle)
	saved, err := loadState(cfg.State)
	if err != nil {
		return nil, err
	}
	r.resume(saved)
	r.state = newState(cfg.State, cfg.Log)
	r.calibrations = make(chan calibrationNote, maxCalibrationNotes)
	r.turns = newTurns()
	r.worker.Add(1)
	go r.runWorker()
	return r, nil
}

// Datagram takes one datagram off the link. The bytes are not kept.
func (r *Receiver) Datagram(b []byte) {
	r.drops.datagrams.Add(1)
	kind, id, err := protocol.FrameKindOf(b)
	switch {
	case err != nil:
		r.drops.count(DropMalformed)
	case kind == protocol.FrameAnnounce:
		r.announce(b, id)
	default:
		r.symbol(b, id)
	}
}

// symbol goes from the cheapest check to the dearest. Only a frame whose tag is
// good gets memory, and only a symbol that is still wanted is decrypted.
func (r *Receiver) symbol(b []byte, id protocol.SessionID) {
	s := r.find(id)
	if s == nil {
		r.drops.count(DropSession)
		return
	}
	h := &r.header
	if protocol.ParseHeader(b, h) != nil {
		r.drops.count(DropMalformed)
		return
	}
	if reason := s.admit(h); reason != admitted {
		r.drops.count(reason)
		return
	}
	blk := s.block(h.Block)
	switch {
	case blk != nil:
		r.fill(s, blk, h, b)
	case s.wasClosed(h.Block):
		r.surplus(s, h, b, DropClosed)
	default:
		r.open(s, h, b)
	}
	r.closePassed(s)
}

// fill opens a symbol straight into its place in the block.
func (r *Receiver) fill(s *session, blk *block, h *protocol.Header, b []byte) {
	i := h.Index()
	switch {
	case blk.geometry != h.Geometry || blk.length != int(h.Length):
		r.drops.count(DropChanged)
		return
	case blk.has(i):
		r.surplus(s, h, b, DropDuplicate)
		return
	case blk.columnDone(h.Column):
		r.surplus(s, h, b, DropSurplus)
		return
	}
	if s.opener.Open(blk.symbol(i), b) != nil {
		r.drops.count(DropForged)
		return
	}
	r.took(s, blk, h, i)
}

// surplus drops a symbol that is not needed, most of them without a look at the
// tag. Its sequence counts all the same: it came. But a sequence that may be
// forged must lead nowhere, so one that is far ahead is verified first.
func (r *Receiver) surplus(s *session, h *protocol.Header, b []byte, reason Drop) {
	if !s.lanes.near(h) {
		if s.opener.Open(r.scratch[:h.Symbol], b) != nil {
			r.drops.count(DropForged)
			return
		}
		s.lanes.verified(h, r.now)
	} else {
		s.lanes.all[h.Lane].link.mark(h.LaneSequence())
	}
	r.drops.count(reason)
}

// open begins a block with its first authentic symbol. The tag is verified
// before the block gets its memory.
func (r *Receiver) open(s *session, h *protocol.Header, b []byte) {
	if s.opener.Open(r.scratch[:h.Symbol], b) != nil {
		r.drops.count(DropForged)
		return
	}
	accept, ok := s.replay.Check(h.Block)
	if !ok {
		r.drops.count(DropReplayed)
		return
	}
	if len(s.blocks) >= maxOpenBlocks {
		r.closeBlock(s, s.blocks[0])
	}
	arena := r.memory.get(h.BlockBytes(), s.sender.name, r.now)
	if arena == nil {
		r.makeRoom(s.sender.name)
		s.lanes.verified(h, r.now)
		s.refused.count(h.Block)
		r.drops.count(DropMemory)
		return
	}
	accept()
	blk := newBlock(h, arena)
	blk.refused = s.refused.of(h.Block)
	s.add(blk)
	i := h.Index()
	copy(blk.symbol(i), r.scratch[:h.Symbol])
	r.took(s, blk, h, i)
}

func (r *Receiver) took(s *session, blk *block, h *protocol.Header, i int) {
	s.lanes.verified(h, r.now)
	s.filled(h, r.now)
	blk.touched, r.live = r.now, r.now
	blk.mark(i, h.Column)
	if blk.complete() {
		r.closeBlock(s, blk)
	}
}

// closePassed closes blocks that so many frames of newer ones have overtaken
// that no reordering explains it.
func (r *Receiver) closePassed(s *session) {
	for len(s.blocks) > 1 && s.lanes.passed(&s.blocks[0].expires, r.now) {
		r.closeBlock(s, s.blocks[0])
	}
}

// closeBlock ends the filling of a block and hands it to the worker.
func (r *Receiver) closeBlock(s *session, blk *block) {
	s.remove(blk)
	r.queued.Add(1)
	r.turns.add(job{block: blk, sender: s.sender.name, key: s.signer.id, cut: r.closing})
}

// makeRoom ends a block of the sender that holds more memory than its share, for one
// that found none and holds less. Where the worker has blocks of it, their memory comes
// back by itself.
func (r *Receiver) makeRoom(wants string) {
	over := r.memory.over(wants)
	if over == "" || r.turns.waits(over) {
		return
	}
	for _, s := range r.sessions {
		if s.sender.name == over && len(s.blocks) > 0 {
			s.blocks[0].refused++
			r.closeBlock(s, s.blocks[0])
			return
		}
	}
}

// Tick does what time asks for. Call it about every 100 ms from the thread that
// calls Datagram.
func (r *Receiver) Tick() {
	r.now = r.cfg.Now()
	r.takeRoster()
	r.budget.refill(r.now, r.verifyRate())
	for _, s := range r.sessions {
		for len(s.blocks) > 0 && r.now.Sub(s.blocks[0].touched) >= blockIdle {
			r.closeBlock(s, s.blocks[0])
		}
	}
	if r.now.Sub(r.lossSeen) >= lossEvery {
		r.lossSeen = r.now
		r.reportLoss()
	}
	if r.now.Sub(r.reported) >= reportEvery {
		r.reported = r.now
		r.reportDrops()
	}
	if r.now.Sub(r.settled) >= settleEvery {
		r.settled = r.now
		r.settle()
	}
	r.watchLanes()
	r.calibrate()
	r.persist(false)
}

// verifyRate is how many signatures may be verified a second. Where no session
// is alive there is nothing better to do than to look for one.
func (r *Receiver) verifyRate() float64 {
	if d := r.now.Sub(r.live); d < 0 || d > idleAfter {
		return verifyIdle
	}
	return verifyBusy
}

// settle asks the worker to let the sink settle, unless it has not got to it since
// the last time.
func (r *Receiver) settle() {
	idle := r.now.Sub(time.Unix(0, r.lastData.Load())) // by the wall: it may have been set back
	r.turns.ask(r.unfinished() == 0 && (idle >= quietAfter || idle < 0))
}

// unfinished counts the blocks that are not delivered yet.
func (r *Receiver) unfinished() int {
	n := int(r.queued.Load())
	for _, s := range r.sessions {
		n += len(s.blocks)
	}
	return n
}

// Settled reports whether all that came is delivered and the sink has settled since,
// while it was quiet. It belongs to the thread that calls Tick.
func (r *Receiver) Settled() bool { return r.unfinished() == 0 && r.rest.Load() }

// Close closes the open blocks, waits until everything is delivered, settles
// and persists. Datagram must not be called any more.
func (r *Receiver) Close() error {
	r.closing = true
	for _, s := range r.sessions {
		for len(s.blocks) > 0 {
			r.closeBlock(s, s.blocks[0])
		}
		s.lanes.decideAll()
	}
	r.reportLoss()
	r.reportDrops()
	r.turns.close()
	r.worker.Wait()
	r.persist(true)
	err := r.state.close()
	r.memory.close()
	return err
}

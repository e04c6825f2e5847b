package receiver

import (
	"crypto/hpke"
	"math"
	"slices"

	"github.com/pion/transport/v3/replaydetector"

	"weir/protocol"
)

const (
	maxOpenBlocks = 64 // of one session; the oldest is closed for a new one
	maxSessions   = 2  // of one sender: the old one and the one that replaces it

	// reorderFrames is how many frames of newer blocks close an older one: more
	// than any switch reorders.
	reorderFrames = 512
	// replayWindow is how far behind the newest a block may begin. It is a
	// multiple of 64: the detector's bitmap accepts old numbers again with other
	// sizes.
	replayWindow = 1024
	closedRing   = 64
)

// session is one session of a sender. The replay detector guards block numbers:
// one is opened once, whatever happens to its frames, and so a frame sent again
// by somebody in between finds its block closed or its symbol there.
type session struct {
	id       protocol.SessionID
	sender   *sender
	signer   *signer
	sealedTo hpke.PrivateKey
	params   protocol.Params
	announce []byte
	opener   *protocol.Opener
	replay   replaydetector.ReplayDetector
	lanes    *lanes
	blocks   []*block // open ones by age
	latest   *block
	closed   [closedRing]uint64 // block numbers closed of late, by number modulo the size
	refused  refusal
}

// refusal counts the frames of the newest block that found no memory. If the rest of
// them does, what is lost of the block is not the link's loss.
type refusal struct {
	block  uint64
	frames int
}

func (f *refusal) count(block uint64) {
	if f.block != block {
		*f = refusal{block: block}
	}
	f.frames++
}

func (f *refusal) of(block uint64) int {
	if f.block != block {
		return 0
	}
	return f.frames
}

func newSession(snd *signer, id protocol.SessionID, p protocol.Params, o *protocol.Opener, announce []byte, floors []uint64) *session {
	return &session{
		id: id, sender: snd.sender, signer: snd, params: p, opener: o, announce: slices.Clone(announce),
		replay: replaydetector.New(replayWindow, math.MaxUint64), lanes: newLanes(floors),
	}
}

// find returns the session with the id, or nil.
func (r *Receiver) find(id protocol.SessionID) *session {
	if r.last != nil && r.last.id == id {
		return r.last
	}
	for _, s := range r.sessions {
		if s.id == id {
			r.last = s
			return s
		}
	}
	return nil
}

// admit checks what the session allows.
func (s *session) admit(h *protocol.Header) Drop {
	switch {
	case h.LaneSequence() <= s.lanes.all[h.Lane].floor:
		return DropOld
	case !h.Geometry.Within(s.params.Geometry):
		return DropGeometry
	}
	return admitted
}

func (s *session) block(number uint64) *block {
	if s.latest != nil && s.latest.number == number {
		return s.latest
	}
	for _, b := range s.blocks {
		if b.number == number {
			return b
		}
	}
	return nil
}

// wasClosed is the cheap look at what the replay detector knows: it allocates
// nothing for the parity that follows a complete block.
func (s *session) wasClosed(number uint64) bool { return s.closed[number%closedRing] == number }

// add opens a block.
func (s *session) add(blk *block) {
	s.lanes.began(blk)
	s.blocks = append(s.blocks, blk)
	s.latest = blk
}

func (s *session) remove(blk *block) {
	s.blocks = slices.DeleteFunc(s.blocks, func(b *block) bool { return b == blk })
	s.closed[blk.number%closedRing] = blk.number
	if s.latest == blk {
		s.latest = nil
	}
}

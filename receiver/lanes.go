package receiver

import (
	"time"

	"weir/internal/event"
	"weir/protocol"
)

const (
	// laneLate is for how long a lane that brings nothing is waited for before the
	// others close a block without it: lanes may be apart by so much.
	laneLate = 300 * time.Millisecond
	// A lane is silent when for silentTime, and for silentBlocks blocks a lane, only
	// the others have brought anything. A block of few shards leaves lanes out, but
	// never one of so many.
	silentTime   = time.Second
	silentBlocks = 2
)

// lane is one of the links that carry a session.
type lane struct {
	link   link
	floor  uint64    // sequences up to here were taken before a restart
	frames uint64    // authentic ones that filled a block
	block  uint64    // the newest that one of them was of
	heard  time.Time // when the last of them came, or when the lane was told of

	received uint64    // frames, as of the latest look that found more
	since    time.Time // when that was
	opened   uint64    // blocks of the session then
	silent   bool
}

// lanes are all of a session.
type lanes struct {
	all    [protocol.MaxLanes]lane
	n      int    // of them that the session has, as far as is known
	opened uint64 // blocks
}

// newLanes returns the lanes of a session, of which sequences up to the floors were
// taken before.
func newLanes(floors []uint64) *lanes {
	l := &lanes{n: 1}
	for i, floor := range floors[:min(len(floors), protocol.MaxLanes)] {
		l.all[i].floor, l.all[i].link.decided = floor, floor
	}
	return l
}

// first returns the link of a session with one lane, and of one that is calibrated.
func (l *lanes) first() *link { return &l.all[0].link }

// near reports whether a sequence that may be forged can be marked; see link.near.
func (l *lanes) near(h *protocol.Header) bool {
	return h.Lane < l.n && l.all[h.Lane].link.near(h.LaneSequence())
}

// verified marks the sequence of an authentic frame. Lanes of which it is the first
// to tell are waited for.
func (l *lanes) verified(h *protocol.Header, now time.Time) {
	for ; l.n <= h.More; l.n++ {
		l.all[l.n].heard = now
	}
	l.all[h.Lane].link.verified(h.LaneSequence())
}

// expiry is, for each lane, the count of its frames at which those of newer blocks
// have overtaken a block; 0 while the lane brought none of these.
type expiry [protocol.MaxLanes]uint64

// filled notes that a frame has filled a place in a block. The older blocks have
// from the first frame of a newer one on reorderFrames to complete.
func (s *session) filled(h *protocol.Header, now time.Time) {
	l := &s.lanes.all[h.Lane]
	l.frames++
	l.heard = now
	if h.Block <= l.block {
		return
	}
	l.block = h.Block
	for _, b := range s.blocks {
		if b.number < h.Block && b.expires[h.Lane] == 0 {
			b.expires[h.Lane] = s.lanes.after(l)
		}
	}
}

// after returns the count of a lane's frames at which a block is overtaken.
func (l *lanes) after(o *lane) uint64 { return o.frames + uint64(reorderFrames/l.n) }

// began notes a block that is opened. Some lanes may be past it already.
func (l *lanes) began(blk *block) {
	l.opened++
	for i := range l.n {
		if o := &l.all[i]; o.block > blk.number {
			blk.expires[i] = l.after(o)
		}
	}
}

// passed reports whether a block is overtaken on every lane that is alive.
func (l *lanes) passed(e *expiry, now time.Time) bool {
	passed := false
	for i := range l.n {
		if o := &l.all[i]; e[i] != 0 && o.frames >= e[i] {
			passed = true
		} else if now.Sub(o.heard) < laneLate {
			return false
		}
	}
	return passed
}

func (l *lanes) decideAll() {
	for i := range l.n {
		l.all[i].link.decideAll()
	}
}

// moved reports whether frames came since the last state.
func (l *lanes) moved() bool {
	for i := range l.n {
		if o := &l.all[i]; o.link.newest > o.floor && o.link.newest != o.link.persisted {
			return true
		}
	}
	return false
}

// floors returns up to where the sequences of each lane were taken. They are
// persisted now.
func (l *lanes) floors() (floors []uint64) {
	for i := range l.n {
		o := &l.all[i]
		o.link.persisted = o.link.newest
		floors = append(floors, max(o.floor, o.link.newest))
	}
	return floors
}

// watchLanes tells of lanes over which nothing comes while the others bring blocks,
// and of their return.
func (r *Receiver) watchLanes() {
	for _, s := range r.sessions {
		if s.lanes.n == 1 {
			continue
		}
		for i := range s.lanes.n {
			l, came := &s.lanes.all[i], false
			if came = l.look(s.lanes, r.now); came && l.received > 0 {
				s.sender.past[i].state = LaneAlive
			}
			switch {
			case came && l.silent:
				l.silent = false
				r.cfg.Log.Info().Str(event.Field, event.LaneBack).Str("sender", s.sender.name).Int("lane", i+1).
					Int("lanes", s.lanes.n).Msg("frames come over this lane again")
			case !l.silent && s.lanes.opened-l.opened >= uint64(silentBlocks*s.lanes.n) && r.now.Sub(l.since) >= silentTime:
				l.silent, s.sender.past[i].state = true, LaneSilent
				r.cfg.Log.Error().Str(event.Field, event.LaneSilent).Str("sender", s.sender.name).Int("lane", i+1).
					Int("lanes", s.lanes.n).Bool("healed", s.params.Geometry.SparesLane(s.lanes.n)).Msg(laneSilent)
			}
		}
	}
}

const laneSilent = "nothing comes over this lane while the others go on: look at its cable and interfaces; with healed true parity makes up for one lost lane, otherwise later passes must"

// look reports whether anything came since the last look.
func (l *lane) look(of *lanes, now time.Time) bool {
	if l.link.Received == l.received && !l.since.IsZero() {
		return false
	}
	l.received, l.since, l.opened = l.link.Received, now, of.opened
	return true
}

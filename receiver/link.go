package receiver

import (
	"math/bits"

	"weir/internal/event"
)

const (
	linkWindow = 8192 // sequences whose fate may still be open; a power of two
	// linkReorder is how far behind the newest a sequence is given up as lost.
	linkReorder = 1024
	// linkTrust is how far ahead a sequence counts without its tag verified. Who
	// forges can take that many frames from what follows a restart, no more.
	linkTrust = 256
	burstBins = 32
)

// link counts what the link did to the frames of a session. A sequence is
// decided, lost or not, when it is linkReorder behind the newest, or when the
// link goes quiet.
type link struct {
	window  [linkWindow / 64]uint64
	newest  uint64
	anchor  uint64 // the newest of a frame whose tag was verified
	decided uint64 // all up to here are decided
	run     uint64 // lost ones without a gap up to decided
	Link
	reported Link
	recent   uint64 // longest burst since the last report
	peak     peak   // since TakeLinks

	calibration *calibration // that is under way, or nil
	persisted   uint64       // newest, as of the last saved state
}

// Link is what a link did to the frames of a session.
type Link struct {
	Received  uint64            // frames, each once
	Lost      uint64            // frames
	Longest   uint64            // frames lost in a row, at most
	Reordered uint64            // frames that came after a later one
	Distance  uint64            // sequences that one came late by, at most
	Late      uint64            // frames that came twice, or too late to count
	Bursts    [burstBins]uint64 // bursts by length: bin i counts those of 2^i to 2^(i+1)-1
}

func (l *link) bit(seq uint64) (word *uint64, mask uint64) {
	i := seq % linkWindow
	return &l.window[i/64], 1 << (i % 64)
}

// near reports whether a sequence that may be forged can be marked: it is at most
// linkTrust ahead of the newest that was verified.
func (l *link) near(seq uint64) bool { return seq <= l.anchor || seq-l.anchor <= linkTrust }

// verified marks the sequence of an authentic frame.
func (l *link) verified(seq uint64) {
	l.anchor = max(l.anchor, seq)
	l.mark(seq)
}

// mark counts the frame with this sequence as received.
func (l *link) mark(seq uint64) {
	switch {
	case l.newest == 0 && seq-l.decided > linkReorder:
		l.decided = seq - 1 // joined a session that is under way
	case seq <= l.decided:
		l.Late++
		return
	}
	if word, mask := l.bit(seq); seq <= l.newest && *word&mask != 0 {
		l.Late++
		return
	}
	if seq < l.newest {
		l.Reordered++
		l.Distance, l.peak.Distance = max(l.Distance, l.newest-seq), max(l.peak.Distance, l.newest-seq)
	} else {
		if seq-l.decided > linkReorder {
			l.decide(seq - linkReorder)
		}
		l.newest = seq
	}
	word, mask := l.bit(seq)
	*word |= mask
	l.Received++
}

// decide settles the fate of all sequences up to the given one.
func (l *link) decide(upTo uint64) {
	if gap := l.newest + 1; upTo > gap && gap > l.decided { // nothing after newest has come
		l.decide(gap - 1)
		l.lose(l.decided+1, upTo-l.decided)
		l.decided = upTo
		return
	}
	for l.decided < upTo {
		l.decided++
		word, mask := l.bit(l.decided)
		if *word&mask == 0 {
			l.lose(l.decided, 1)
			continue
		}
		*word &^= mask
		l.endRun()
	}
}

func (l *link) decideAll() {
	l.decide(l.newest)
	l.endRun()
}

// lose counts n sequences as lost, the first of which is from.
func (l *link) lose(from, n uint64) {
	l.calibration.lose(from, n)
	l.Lost += n
	l.run += n
	l.Longest, l.recent = max(l.Longest, l.run), max(l.recent, l.run)
	l.peak.Longest = max(l.peak.Longest, l.run)
}

func (l *link) endRun() {
	if l.run > 0 {
		l.Bursts[min(bits.Len64(l.run)-1, burstBins-1)]++
		l.run = 0
	}
}

// reportLoss logs what each session lost since the last time.
func (r *Receiver) reportLoss() {
	for _, s := range r.sessions {
		if len(s.blocks) == 0 {
			s.lanes.decideAll() // the link is quiet, nothing is on its way
		}
		for i := range s.lanes.n {
			l := &s.lanes.all[i].link
			if lost := l.Lost - l.reported.Lost; lost > 0 {
				line := r.cfg.Log.Warn().Str(event.Field, event.FramesLost).Str("sender", s.sender.name)
				if s.lanes.n > 1 {
					line = line.Int("lane", i+1)
				}
				line.Uint64("frames", lost).Uint64("received", l.Received-l.reported.Received).Uint64("longest", l.recent).
					Uint64("total", l.Lost).Msg("frames lost on the link")
			}
			l.reported, l.recent = l.Link, 0
		}
	}
}

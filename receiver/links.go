package receiver

import "weir/protocol"

// SenderLink is what one link did to the frames of a sender, over all of its
// sessions since the receiver was made. Longest and Distance are the most since
// they were last taken.
type SenderLink struct {
	Sender string
	Lane   int             // from 0
	Lanes  int             // of the newest session
	Params protocol.Params // of the newest session; none has a rate of 0
	State  LaneState
	Link
}

// LaneState is what was last seen of a lane of a sender with several.
type LaneState int

// States of a lane. Of one that is not used any more nothing is known.
const (
	LaneUnknown LaneState = iota
	LaneAlive
	LaneSilent // nothing comes over it while the others go on
)

// peak is the most of what does not add up.
type peak struct{ Longest, Distance uint64 }

func (p *peak) raise(o peak) {
	p.Longest, p.Distance = max(p.Longest, o.Longest), max(p.Distance, o.Distance)
}

// pastLane is what is remembered of a lane of sessions that have ended.
type pastLane struct {
	Link
	peak  peak // since TakeLinks
	state LaneState
}

// take adds up what is left of earlier sessions.
func (p *pastLane) take(l *SenderLink) {
	l.Link = p.Link
	l.Longest, l.Distance, l.State = p.peak.Longest, p.peak.Distance, p.state
	p.peak = peak{}
}

// TakeLinks returns the links of all senders of which anything came, lane by lane.
// It belongs to the thread that calls Tick.
func (r *Receiver) TakeLinks() (out []SenderLink) {
	for _, s := range r.sessions {
		s.sender.params, s.sender.lanes = s.params, s.lanes.n // the newest is the last
	}
	for _, snd := range r.senders {
		for i := range snd.past {
			l := SenderLink{Sender: snd.name, Lane: i, Lanes: max(1, snd.lanes), Params: snd.params}
			snd.past[i].take(&l)
			live := r.addLive(snd, &l)
			if l.Received > 0 || live {
				out = append(out, l)
			}
		}
	}
	return out
}

// addLive adds what the sessions that are alive have counted, and reports whether
// there is any that has this lane.
func (r *Receiver) addLive(snd *sender, l *SenderLink) (live bool) {
	for _, s := range r.sessions {
		if s.sender != snd || l.Lane >= s.lanes.n {
			continue
		}
		link := &s.lanes.all[l.Lane].link
		most := link.peak
		most.raise(peak{l.Longest, l.Distance})
		l.Link.add(&link.Link)
		l.Longest, l.Distance = most.Longest, most.Distance
		link.peak = peak{}
		live = true
	}
	return live
}

// keep adds up the lanes of a session that has ended.
func (s *sender) keep(l *lanes) {
	for i := range l.n {
		link := &l.all[i].link
		s.past[i].Link.add(&link.Link)
		s.past[i].peak.raise(link.peak)
	}
}

func (l *Link) add(o *Link) {
	l.Received, l.Lost = l.Received+o.Received, l.Lost+o.Lost
	l.Reordered, l.Late = l.Reordered+o.Reordered, l.Late+o.Late
	l.Longest, l.Distance = max(l.Longest, o.Longest), max(l.Distance, o.Distance)
	for i := range l.Bursts {
		l.Bursts[i] += o.Bursts[i]
	}
}

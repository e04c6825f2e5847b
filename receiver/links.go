package receiver

import "weir/protocol"

// SenderLink is what the link did to the frames of a sender, over all of its
// sessions since the receiver was made. Longest and Distance are the most since
// they were last taken.
type SenderLink struct {
	Sender string
	Params protocol.Params // of the newest session; none has a rate of 0
	Link
}

// peak is the most of what does not add up.
type peak struct{ Longest, Distance uint64 }

func (p *peak) raise(o peak) {
	p.Longest, p.Distance = max(p.Longest, o.Longest), max(p.Distance, o.Distance)
}

// TakeLinks returns the links of all senders of which anything came. It belongs
// to the thread that calls Tick.
func (r *Receiver) TakeLinks() []SenderLink {
	bySender := map[*sender]*SenderLink{}
	var all []*SenderLink
	of := func(snd *sender) *SenderLink {
		l := bySender[snd]
		if l == nil {
			l = &SenderLink{Sender: snd.name, Params: snd.params, Link: snd.past}
			l.Longest, l.Distance = snd.peak.Longest, snd.peak.Distance
			snd.peak = peak{}
			bySender[snd], all = l, append(all, l)
		}
		return l
	}
	for _, snd := range r.senders {
		if snd.past.Received > 0 {
			of(snd)
		}
	}
	for _, s := range r.sessions {
		l, most := of(s.sender), s.link.peak
		most.raise(peak{l.Longest, l.Distance})
		l.Link.add(&s.link.Link)
		l.Longest, l.Distance = most.Longest, most.Distance
		l.Params, s.sender.params = s.params, s.params // the newest is the last
		s.link.peak = peak{}
	}
	out := make([]SenderLink, len(all))
	for i, l := range all {
		out[i] = *l
	}
	return out
}

// keep adds up the link of a session that has ended.
func (s *sender) keep(l *link) {
	s.past.add(&l.Link)
	s.peak.raise(l.peak)
}

func (l *Link) add(o *Link) {
	l.Received, l.Lost = l.Received+o.Received, l.Lost+o.Lost
	l.Reordered, l.Late = l.Reordered+o.Reordered, l.Late+o.Late
	l.Longest, l.Distance = max(l.Longest, o.Longest), max(l.Distance, o.Distance)
	for i := range l.Bursts {
		l.Bursts[i] += o.Bursts[i]
	}
}

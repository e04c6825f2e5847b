package linkquality

import (
	"maps"
	"slices"
	"time"
)

// Quality is what a link was like over some time.
type Quality struct {
	Sender    string   `json:"sender"`
	Received  uint64   `json:"received"` // frames
	Lost      uint64   `json:"lost"`
	Loss      float64  `json:"loss"`           // share of the frames
	Longest   uint64   `json:"longest"`        // frames lost in a row
	Outage    float64  `json:"longest_ms"`     // the same at the sender's rate, in ms
	Bridged   uint64   `json:"bridged"`        // frames in a row that parity heals
	Bridge    float64  `json:"bridged_ms"`     // the same at the sender's rate, in ms
	Margin    float64  `json:"margin"`         // Bridged / Longest; 0 while nothing is lost
	Unhealed  float64  `json:"unhealed"`       // columns a TB that scattered loss leaves unhealed
	Reordered uint64   `json:"reordered"`      // frames
	Distance  uint64   `json:"distance"`       // sequences that one came late by, at most
	Late      uint64   `json:"duplicates"`     // frames that came twice, or too late to count
	Bursts    []uint64 `json:"bursts"`         // by length: 1, 2-3, 4-7, ...
	Socket    uint64   `json:"lost_socket"`    // of Lost, in this host's receive buffer
	Interface uint64   `json:"lost_interface"` // of Lost, at this host's network card
	Link      uint64   `json:"lost_link"`      // the rest
	Rate      uint64   `json:"rate"`
	Advice    []string `json:"advice"` // what to change, in words; empty where nothing is wrong
	// Narrow tells that the advice is about loss that parity does not bridge, or
	// hardly.
	Narrow bool `json:"narrow"`
}

// Senders returns the names of those that are followed.
func (m *Monitor) Senders() []string { return slices.Sorted(maps.Keys(m.senders)) }

// Series returns the buckets of a sender by time, of the last day in steps of
// Fine or of the last month in steps of Coarse. It is not to be changed.
func (m *Monitor) Series(sender string, coarse bool) []Bucket {
	p := m.senders[sender]
	switch {
	case p == nil:
		return nil
	case coarse:
		return p.Coarse
	}
	return p.Fine
}

// Quality sums up the last span of a sender's link.
func (m *Monitor) Quality(sender string, now time.Time, span time.Duration) Quality {
	p := m.senders[sender]
	if p == nil {
		return Quality{Sender: sender}
	}
	buckets, from := p.Fine, now.Add(-span).Unix()
	if span > FineSpan {
		buckets = p.Coarse
	}
	var sum Bucket
	for i := range buckets {
		if buckets[i].Start >= from {
			sum.add(&buckets[i])
		}
	}
	q := Quality{
		Sender: sender, Received: sum.Received, Lost: sum.Lost, Longest: sum.Longest, Reordered: sum.Reordered,
		Distance: sum.Distance, Late: sum.Late, Bursts: sum.Bursts, Rate: p.Link.Rate,
	}
	q.Socket = min(sum.Socket, sum.Lost)
	q.Interface = min(sum.Interface, sum.Lost-q.Socket)
	q.Link = sum.Lost - q.Socket - q.Interface
	if all := sum.Received + sum.Lost; all > 0 {
		q.Loss = float64(sum.Lost) / float64(all)
	}
	q.hold(&p.Link)
	return q
}

// hold compares what was lost with what the geometry in use heals.
func (q *Quality) hold(l *Link) {
	g := l.Geometry
	if l.Rate == 0 || g.Check() != nil {
		return
	}
	q.Bridged = uint64(g.M * g.Depth)
	q.Outage, q.Bridge = millis(q.Longest, l), millis(q.Bridged, l)
	if q.Longest > 0 {
		q.Margin = float64(q.Bridged) / float64(q.Longest)
	}
	q.Unhealed = unhealed(q.scattered(g.Depth), g.K, g.M, g.Symbol)
	q.advise(l)
}

// scattered returns the share of frames that went in bursts no longer than the
// depth, which take at most one symbol of a column each.
func (q *Quality) scattered(depth int) float64 {
	lost := 0.0
	for i, n := range q.Bursts {
		if 1<<i <= depth {
			lost += float64(n) * min(1.5*float64(uint64(1)<<i)-0.5, float64(depth)) // the middle of the bin
		}
	}
	all := float64(q.Received + q.Lost)
	if all == 0 {
		return 0
	}
	return min(lost, float64(q.Lost)) / all
}

// Package linkquality follows what links do to frames, over hours and weeks,
// holds it against what parity bridges, and says in words what to change. It
// has no clock and no disk, and keeps a bounded number of buckets.
package linkquality

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/protocol"
)

// Bins is how many lengths of bursts are told apart: bin i counts those of 2^i
// to 2^(i+1)-1 frames.
const Bins = 32

// How far back and how finely the past is kept.
const (
	Fine       = 5 * time.Minute // buckets of the last day
	FineSpan   = 24 * time.Hour
	Coarse     = time.Hour // buckets of the last month
	CoarseSpan = 30 * 24 * time.Hour
	// MaxSenders bounds the senders that are followed.
	MaxSenders = 64
)

// Counts is what happened to the frames of a sender. Longest and Distance are
// the most since they were last taken, all others count since the start.
type Counts struct {
	Received, Lost  uint64
	Reordered, Late uint64
	Longest         uint64 // frames lost in a row
	Distance        uint64 // sequences that a frame came late by
	Bursts          [Bins]uint64
}

// Add adds those of another lane.
func (c *Counts) Add(o *Counts) {
	c.Received, c.Lost = c.Received+o.Received, c.Lost+o.Lost
	c.Reordered, c.Late = c.Reordered+o.Reordered, c.Late+o.Late
	c.Longest, c.Distance = max(c.Longest, o.Longest), max(c.Distance, o.Distance)
	for i := range c.Bursts {
		c.Bursts[i] += o.Bursts[i]
	}
}

// LaneName is under which name one of several lanes of a sender, counted from 0,
// stands beside all of them together. No sender has such a name.
func LaneName(sender string, lane int) string { return fmt.Sprintf("%s lane %d", sender, lane+1) }

// Link is what a sender's live session is like, and its counts.
type Link struct {
	Sender   string            `json:"-"`
	Rate     uint64            `json:"rate"` // bits a second on the wire
	Geometry protocol.Geometry `json:"geometry"`
	Counts   Counts            `json:"-"`
}

// Host is what this host lost before anybody read it, since the start.
type Host struct {
	Socket    uint64 // frames for which the receive buffer had no room
	Interface uint64 // packets that the network card or its driver dropped or found damaged
}

// Bucket is a stretch of time.
type Bucket struct {
	Start     int64    `json:"t"` // Unix time, seconds
	Received  uint64   `json:"r,omitempty"`
	Lost      uint64   `json:"l,omitempty"`
	Reordered uint64   `json:"o,omitempty"`
	Late      uint64   `json:"d,omitempty"`
	Longest   uint64   `json:"m,omitempty"`
	Distance  uint64   `json:"x,omitempty"`
	Socket    uint64   `json:"s,omitempty"` // of the whole host
	Interface uint64   `json:"i,omitempty"` // of the whole host
	Bursts    []uint64 `json:"b,omitempty"` // without the zeros at the end
}

// add adds the later bucket b to a.
func (a *Bucket) add(b *Bucket) {
	a.Received, a.Lost = a.Received+b.Received, a.Lost+b.Lost
	a.Reordered, a.Late = a.Reordered+b.Reordered, a.Late+b.Late
	a.Socket, a.Interface = a.Socket+b.Socket, a.Interface+b.Interface
	a.Longest, a.Distance = max(a.Longest, b.Longest), max(a.Distance, b.Distance)
	for len(a.Bursts) < len(b.Bursts) {
		a.Bursts = append(a.Bursts, 0)
	}
	for i, n := range b.Bursts {
		a.Bursts[i] += n
	}
}

func (a *Bucket) empty() bool { return a.Received == 0 && a.Lost == 0 && a.Late == 0 }

// past is what is kept of one sender.
type past struct {
	Link   Link     `json:"link"`
	Fine   []Bucket `json:"fine"` // by time; only those in which something came
	Coarse []Bucket `json:"coarse"`
	before Counts
}

// Monitor follows links. It is not safe for concurrent use.
type Monitor struct {
	senders map[string]*past
	host    Host // as of the last look
}

// New returns a Monitor that has seen nothing.
func New() *Monitor { return &Monitor{senders: map[string]*past{}} }

// Observe takes the counts of all links at one time.
func (m *Monitor) Observe(now time.Time, links []Link, host Host) {
	lostHere := Bucket{Socket: since(host.Socket, m.host.Socket), Interface: since(host.Interface, m.host.Interface)}
	m.host = host
	for i := range links {
		l := &links[i]
		p := m.senders[l.Sender]
		if p == nil {
			if len(m.senders) >= MaxSenders {
				continue
			}
			p = &past{}
			m.senders[l.Sender] = p
		}
		b := difference(&l.Counts, &p.before)
		p.before, p.Link = l.Counts, *l
		if b.empty() {
			continue
		}
		b.Socket, b.Interface = lostHere.Socket, lostHere.Interface
		p.Fine = put(p.Fine, b, now, Fine, FineSpan)
		p.Coarse = put(p.Coarse, b, now, Coarse, CoarseSpan)
	}
}

// since returns how much a counter grew; one that fell began anew.
func since(now, before uint64) uint64 {
	if now < before {
		return now
	}
	return now - before
}

func difference(now, before *Counts) Bucket {
	b := Bucket{
		Received: since(now.Received, before.Received), Lost: since(now.Lost, before.Lost),
		Reordered: since(now.Reordered, before.Reordered), Late: since(now.Late, before.Late),
		Longest: now.Longest, Distance: now.Distance,
	}
	for i := range now.Bursts {
		if n := since(now.Bursts[i], before.Bursts[i]); n > 0 {
			for len(b.Bursts) <= i {
				b.Bursts = append(b.Bursts, 0)
			}
			b.Bursts[i] = n
		}
	}
	return b
}

// put adds b to the bucket of now and drops those that are older than span, or
// that a clock which was set back has left in the future.
func put(all []Bucket, b Bucket, now time.Time, width, span time.Duration) []Bucket {
	b.Start = now.Truncate(width).Unix()
	oldest := now.Add(-span).Unix()
	first := 0
	for first < len(all) && all[first].Start < oldest {
		first++
	}
	all = append(all[:0], all[first:]...)
	for len(all) > 0 && all[len(all)-1].Start > b.Start {
		all = all[:len(all)-1]
	}
	if n := len(all); n > 0 && all[n-1].Start == b.Start {
		all[n-1].add(&b)
		return all
	}
	b.Bursts = slices.Clone(b.Bursts) // each bucket adds to its own
	return append(all, b)
}

// MaxSaved bounds what Load takes, in bytes.
const MaxSaved = 256 << 20

// ErrSaved is returned for what is no saved Monitor.
var ErrSaved = errors.New("this is no record of links")

// Save returns the past as JSON.
func (m *Monitor) Save() ([]byte, error) { return json.Marshal(m.senders) }

// Load takes up the past of another Monitor.
func (m *Monitor) Load(data []byte) error {
	senders := map[string]*past{}
	if err := json.Unmarshal(data, &senders); err != nil {
		return fmt.Errorf("%w: %w", ErrSaved, err)
	}
	if len(senders) > MaxSenders {
		return ErrSaved
	}
	for _, p := range senders {
		if p == nil || len(p.Fine) > int(FineSpan/Fine)+1 || len(p.Coarse) > int(CoarseSpan/Coarse)+1 {
			return ErrSaved
		}
	}
	m.senders = senders
	return nil
}

// Package pacing spreads what is sent over time. On a one-way link that is part
// of correctness: the receiver cannot slow the sender down, and what comes in a
// burst is lost in whatever buffer is smallest.
package pacing

import "time"

// FrameOverhead is what one UDP datagram takes on an Ethernet beside its
// payload, in bytes: preamble and delimiter 8, header 14, frame check sequence
// 4, gap 12 (IEEE 802.3), IPv4 20 and UDP 8 (RFC 791, RFC 768).
const FrameOverhead = 8 + 14 + 4 + 12 + 20 + 8

// WireBytes returns what a datagram with a payload of n bytes takes on the
// wire. Rates are counted in these.
func WireBytes(n int) int { return n + FrameOverhead }

// Clock is the time that a Pacer lives by.
type Clock interface {
	Now() time.Time
	Sleep(d time.Duration)
}

const (
	// maxDebt is how much lateness is made up, at most, where burst bytes take
	// less: a hundredth of 100 ms, so that making up shows in no such stretch of
	// time. What a stall made later than that is forgiven.
	maxDebt = time.Millisecond
	// hurry is how much faster than the rate what is late is made up.
	hurry = 1.25
)

// Pacer is a token bucket by absolute due times: each send moves the due time
// of the next one by exactly the time that its bytes take, so that lateness of
// one sleep is made up by the next and the average rate is exact. No more than
// burst bytes ever leave at once: what is later than that is made up a little
// faster than the rate, and what a stall made late never. A Pacer is not safe for
// concurrent use.
type Pacer struct {
	clock     Clock
	perByte   float64 // ns
	burst     int
	allowance time.Duration // that burst bytes take in a hurry
	debt      time.Duration
	due       time.Time // by the rate
	gate      time.Time // by hurry: nothing leaves before
}

// New returns a Pacer for rate bits per second on the wire that lets at most
// burst bytes be made up at once.
func New(rate uint64, burst int, clock Clock) *Pacer {
	now := clock.Now()
	p := &Pacer{clock: clock, burst: burst, due: now, gate: now}
	p.SetRate(rate)
	return p
}

// SetRate changes the rate, in bits per second, from the next Wait on.
func (p *Pacer) SetRate(rate uint64) {
	p.perByte = 8e9 / float64(rate)
	p.allowance = time.Duration(float64(p.burst) * p.perByte / hurry)
	p.debt = max(maxDebt, time.Duration(float64(p.burst)*p.perByte))
}

// Wait returns when n more bytes may be sent.
func (p *Pacer) Wait(n int) {
	now := p.clock.Now()
	p.due = later(p.due, now.Add(-p.debt))
	p.gate = later(p.gate, now.Add(-p.allowance))
	if early := later(p.due, p.gate).Sub(now); early > 0 {
		p.clock.Sleep(early)
	}
	took := float64(n) * p.perByte
	p.due = p.due.Add(time.Duration(took))
	p.gate = p.gate.Add(time.Duration(took / hurry))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

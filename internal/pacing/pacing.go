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

// Pacer is a token bucket by absolute due times: each send moves the due time
// of the next one by exactly the time that its bytes take, so that lateness of
// one sleep is made up by the next and the average rate is exact. What a stall
// made late is forgiven beyond burst bytes, never caught up with. A Pacer is
// not safe for concurrent use.
type Pacer struct {
	clock     Clock
	perByte   float64 // ns
	allowance time.Duration
	burst     int
	due       time.Time
}

// New returns a Pacer for rate bits per second on the wire that lets at most
// burst bytes of delay be made up at once.
func New(rate uint64, burst int, clock Clock) *Pacer {
	p := &Pacer{clock: clock, burst: burst, due: clock.Now()}
	p.SetRate(rate)
	return p
}

// SetRate changes the rate, in bits per second, from the next Wait on.
func (p *Pacer) SetRate(rate uint64) {
	p.perByte = 8e9 / float64(rate)
	p.allowance = time.Duration(float64(p.burst) * p.perByte)
}

// Wait returns when n more bytes may be sent.
func (p *Pacer) Wait(n int) {
	now := p.clock.Now()
	if early := p.due.Sub(now); early > 0 {
		p.clock.Sleep(early)
	} else if -early > p.allowance {
		p.due = now.Add(-p.allowance)
	}
	p.due = p.due.Add(time.Duration(float64(n) * p.perByte))
}

// Package relay is a one-way link for tests and demonstrations: a UDP relay on
// loopback that loses, repeats, reorders and damages datagrams as it is told,
// the same way for the same seed, and counts whatever comes back.
package relay

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/udprx"
)

// Faults says what the relay does to datagrams. Rates are probabilities of each.
type Faults struct {
	Seed      uint64
	Loss      float64
	Duplicate float64
	Reorder   float64 // a datagram is held back until up to ReorderBy later ones have passed
	ReorderBy int
	Corrupt   float64 // one bit is flipped
	Truncate  float64
	// Cuts are runs of consecutive datagrams that are lost, by number from 1.
	Cuts []Cut
	// Drop, if not nil, decides on each datagram by itself.
	Drop func(number uint64, datagram []byte) bool
}

// Cut is a run of datagrams that is lost.
type Cut struct{ From, Length uint64 }

// Counts is what happened so far.
type Counts struct {
	Received, Lost, CutOut, Duplicated, Reordered, Corrupted, Truncated, Passed uint64
	KernelDrops                                                                 uint64 // at the relay's own socket
	Returned                                                                    uint64 // bytes that came back
}

// Relay passes datagrams on, one way.
type Relay struct {
	in     *udprx.Conn
	out    *net.UDPConn
	faults Faults
	rng    *rand.Rand
	held   []heldBack
	done   chan error
	stop   atomic.Bool

	received, lost, cut, duplicated, reordered, corrupted, truncated, passed, returned atomic.Uint64
}

type heldBack struct {
	datagram []byte
	until    uint64
}

// buffer is the size of the relay's own receive buffer, in bytes.
const buffer = 64 << 20

// Start begins to relay what comes to a new loopback address to the given one.
func Start(to netip.AddrPort, f Faults) (*Relay, error) {
	in, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: buffer, Timeout: 20 * time.Millisecond})
	if err != nil {
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	out, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	r := &Relay{in: in, out: out, faults: f, rng: rand.New(rand.NewPCG(f.Seed, 1)), done: make(chan error, 1)}
	go func() { r.done <- r.run() }()
	go r.countReturned()
	return r, nil
}

// Addr returns where to send.
func (r *Relay) Addr() netip.AddrPort { return r.in.LocalAddr() }

// Counts returns the counts so far.
func (r *Relay) Counts() Counts {
	return Counts{
		Received: r.received.Load(), Lost: r.lost.Load(), CutOut: r.cut.Load(), Duplicated: r.duplicated.Load(),
		Reordered: r.reordered.Load(), Corrupted: r.corrupted.Load(), Truncated: r.truncated.Load(),
		Passed: r.passed.Load(), KernelDrops: r.in.Stats().KernelDrops, Returned: r.returned.Load(),
	}
}

// Close stops the relay.
func (r *Relay) Close() error {
	r.stop.Store(true)
	err := <-r.done
	r.in.Close()
	r.out.Close()
	return err
}

func (r *Relay) run() error {
	for !r.stop.Load() {
		n, err := r.in.Receive(r.datagram)
		if err != nil {
			return fmt.Errorf("relaying: %w", err)
		}
		if n == 0 {
			r.release(^uint64(0))
		}
	}
	return nil
}

// datagram decides the fate of one.
func (r *Relay) datagram(d []byte) {
	n := r.received.Add(1)
	r.release(n)
	f := &r.faults
	switch {
	case f.isCut(n):
		r.cut.Add(1)
		return
	case r.chance(f.Loss), f.Drop != nil && f.Drop(n, d):
		r.lost.Add(1)
		return
	case f.ReorderBy > 0 && r.chance(f.Reorder):
		r.reordered.Add(1)
		r.held = append(r.held, heldBack{append([]byte(nil), d...), n + 1 + r.rng.Uint64N(uint64(f.ReorderBy))})
		return
	}
	d = r.damage(d)
	r.pass(d)
	if r.chance(f.Duplicate) {
		r.duplicated.Add(1)
		r.pass(d)
	}
}

func (r *Relay) chance(p float64) bool { return p > 0 && r.rng.Float64() < p }

func (f *Faults) isCut(n uint64) bool {
	for _, c := range f.Cuts {
		if n >= c.From && n < c.From+c.Length {
			return true
		}
	}
	return false
}

func (r *Relay) damage(d []byte) []byte {
	if r.chance(r.faults.Corrupt) {
		r.corrupted.Add(1)
		d[r.rng.IntN(len(d))] ^= 1 << r.rng.IntN(8)
	}
	if r.chance(r.faults.Truncate) {
		r.truncated.Add(1)
		d = d[:1+r.rng.IntN(len(d))]
	}
	return d
}

// release passes on what was held back until now.
func (r *Relay) release(now uint64) {
	kept := r.held[:0]
	for _, h := range r.held {
		if h.until <= now {
			r.pass(h.datagram)
		} else {
			kept = append(kept, h)
		}
	}
	r.held = kept
}

// pass sends a datagram on. That nobody listens is the receiver's matter.
func (r *Relay) pass(d []byte) {
	if _, err := r.out.Write(d); err == nil || errors.Is(err, unix.ECONNREFUSED) {
		r.passed.Add(1)
	}
}

// countReturned counts what comes back to the socket that sends. Nothing should.
func (r *Relay) countReturned() {
	b := make([]byte, 64<<10)
	for {
		n, err := r.out.Read(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		r.returned.Add(uint64(n))
	}
}

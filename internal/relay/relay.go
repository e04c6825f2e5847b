// Package relay is a one-way link for tests and demonstrations: a UDP relay on
// loopback that loses, repeats, reorders and damages datagrams as it is told,
// the same way for the same seed, and counts whatever comes back.
package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"weir/internal/udprx"
)

// Roomy is the least receive buffer, in bytes, with which a busy machine of two
// cores carries 1 Gbit/s through a relay. Systems that nobody has tuned give
// 208 KiB to users without privileges, which is full after 2 ms.
const Roomy = 4 << 20

// Room returns the size of the receive buffer that this system gives to this
// user, in bytes.
func Room() (int, error) {
	c, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: buffer})
	if err != nil {
		return 0, fmt.Errorf("asking for a receive buffer: %w", err)
	}
	return c.Buffer(), c.Close()
}

// Counts is what happened so far, in datagrams.
type Counts struct {
	Received    uint64
	Lost        uint64 // at random, in bursts, or by Drop
	CutOut      uint64
	Duplicated  uint64
	Reordered   uint64
	Corrupted   uint64
	Truncated   uint64
	Passed      uint64 // sent on, duplicates included
	Failed      uint64 // that the system did not send on
	KernelDrops uint64 // at the relay's own socket, before it saw them
	Returned    uint64 // bytes that came back
}

// Relay passes datagrams on, one way.
type Relay struct {
	in    *udprx.Conn
	out   *net.UDPConn // not connected, so that an answer from any port is noticed
	to    netip.AddrPort
	judge *judge
	held  []waiting
	done  chan error
	stop  atomic.Bool

	received, lost, cut, duplicated, reordered, corrupted, truncated, passed, failed, returned atomic.Uint64
}

// waiting is a datagram that is held back until a later one has come.
type waiting struct {
	datagram []byte
	until    uint64
}

const (
	// buffer is the size of the relay's own receive buffer, in bytes.
	buffer = 64 << 20
	// idle is how long nothing comes until what is held back is let go.
	idle = 20 * time.Millisecond
)

// ErrNotLoopback is returned for addresses that other machines could have.
var ErrNotLoopback = errors.New("the relay sends to loopback addresses only")

// Start begins to relay to a loopback address what comes to a new one.
func Start(to netip.AddrPort, f Faults) (*Relay, error) {
	if !to.Addr().IsLoopback() {
		return nil, fmt.Errorf("starting the relay to %v: %w", to, ErrNotLoopback)
	}
	local := netip.AddrPortFrom(to.Addr(), 0)
	in, err := udprx.Listen(udprx.Config{Listen: local, Buffer: buffer, Timeout: idle})
	if err != nil {
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	out, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(local))
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("starting the relay: %w", err)
	}
	r := &Relay{in: in, out: out, to: to, judge: newJudge(f, time.Now), done: make(chan error, 1)}
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
		Passed: r.passed.Load(), Failed: r.failed.Load(), KernelDrops: r.in.Stats().KernelDrops, Returned: r.returned.Load(),
	}
}

// Close stops the relay. It returns what ended it before that.
func (r *Relay) Close() error {
	r.stop.Store(true)
	err := <-r.done
	r.done <- err // for a second Close
	return errors.Join(err, r.in.Close(), ignoreClosed(r.out.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (r *Relay) run() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
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
	switch r.judge.judge(n, d) {
	case cutOut:
		r.cut.Add(1)
	case lost:
		r.lost.Add(1)
	case heldBack:
		r.reordered.Add(1)
		r.held = append(r.held, waiting{append([]byte(nil), d...), n + r.judge.delay()})
	case pass:
		r.deliver(d)
	}
	r.release(n)
}

// deliver passes a datagram on, damaged or twice if that is its fate.
func (r *Relay) deliver(d []byte) {
	d, corrupted, truncated := r.judge.damage(d)
	if corrupted {
		r.corrupted.Add(1)
	}
	if truncated {
		r.truncated.Add(1)
	}
	r.send(d)
	if r.judge.twice() {
		r.duplicated.Add(1)
		r.send(d)
	}
}

// release passes on what was held back until datagram n came.
func (r *Relay) release(n uint64) {
	kept := r.held[:0]
	for _, w := range r.held {
		if w.until <= n {
			r.send(w.datagram)
		} else {
			kept = append(kept, w)
		}
	}
	clear(r.held[len(kept):])
	r.held = kept
}

func (r *Relay) send(d []byte) {
	if _, err := r.out.WriteToUDPAddrPort(d, r.to); err != nil {
		r.failed.Add(1)
		return
	}
	r.passed.Add(1)
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

package main

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"weir/internal/affinity"
	"weir/internal/config"
	"weir/internal/udprx"
)

// sockets are one for each lane. All feed one receiver, in turn; with one lane
// there is no turn to take.
type sockets struct {
	all    []*udprx.Conn
	cpus   []int // for each, see config.Lane
	turn   sync.Mutex
	others sync.WaitGroup
	frames atomic.Uint64 // that came over lanes but the first
	failed chan error    // has room for one
}

func listen(c config.Receiver) (*sockets, error) {
	s := &sockets{failed: make(chan error, 1)}
	for _, l := range c.Lanes {
		rx := udprx.Config{Listen: l.Address, Interface: l.Interface, Buffer: int(c.Buffer), NoGRO: !c.Offload, Timeout: tick}
		if len(c.Lanes) > 1 {
			rx.Turn = &s.turn
		}
		socket, err := udprx.Listen(rx)
		if err != nil {
			_ = s.close()
			return nil, fmt.Errorf(listenFailed, l.Address, err)
		}
		s.all, s.cpus = append(s.all, socket), append(s.cpus, l.CPU)
	}
	return s, nil
}

// start receives from all lanes but the first, each on a thread of its own.
func (s *sockets) start(handle func([]byte)) {
	for i := range s.all[1:] {
		s.others.Go(func() {
			runtime.LockOSThread()
			select {
			case s.failed <- s.serve(i+1, handle):
			default:
			}
		})
	}
}

// serve receives from a lane until that fails, and returns why.
func (s *sockets) serve(lane int, handle func([]byte)) error {
	err := affinity.Pin(s.cpus[lane])
	for err == nil {
		var n int
		n, err = s.all[lane].Receive(handle)
		s.frames.Add(uint64(n))
	}
	return err
}

// receive receives from the first lane. It also returns an error of the others.
func (s *sockets) receive(handle func([]byte)) (int, error) {
	select {
	case err := <-s.failed:
		return 0, err
	default:
	}
	before := s.frames.Load()
	n, err := s.all[0].Receive(handle)
	return n + int(s.frames.Load()-before), err
}

// alone does work that no datagram may come into.
func (s *sockets) alone(work func()) {
	if len(s.all) > 1 {
		s.turn.Lock()
		defer s.turn.Unlock()
	}
	work()
}

// stats adds up those of all lanes.
func (s *sockets) stats() (sum udprx.Stats) {
	for _, socket := range s.all {
		one := socket.Stats()
		sum.Datagrams, sum.Bytes = sum.Datagrams+one.Datagrams, sum.Bytes+one.Bytes
		sum.KernelDrops, sum.Truncated = sum.KernelDrops+one.KernelDrops, sum.Truncated+one.Truncated
	}
	return sum
}

// buffer returns the smallest receive buffer, in bytes.
func (s *sockets) buffer() int {
	least := s.all[0].Buffer()
	for _, socket := range s.all {
		least = min(least, socket.Buffer())
	}
	return least
}

func (s *sockets) warning() string {
	for _, socket := range s.all {
		if w := socket.Warning(); w != "" {
			return w
		}
	}
	return ""
}

func (s *sockets) addresses() string {
	var all []string
	for _, socket := range s.all {
		all = append(all, socket.LocalAddr().String())
	}
	return strings.Join(all, " ")
}

// close returns when nothing is received any more.
func (s *sockets) close() (err error) {
	for _, socket := range s.all {
		if cerr := socket.Close(); err == nil {
			err = cerr
		}
	}
	s.others.Wait()
	return err
}

package receiver

import (
	"testing"
	"time"
)

// settlingSink tells with what it was settled.
type settlingSink struct {
	*memorySink
	quiet chan bool
}

func (s *settlingSink) Settle(quiet bool) error {
	s.quiet <- quiet
	return nil
}

// newSettlingRig returns a rig whose sink tells of each time that it settles.
func newSettlingRig(t *testing.T) (*rig, *settlingSink) {
	g := newRig(t)
	g.close()
	sink := &settlingSink{g.sink, make(chan bool, 100)}
	g.cfg.Sink = sink
	g.start()
	return g, sink
}

// TestStalledDiskQueuesNoSettling: after a disk has taken nothing for an hour, what is
// to be done every second is done once and not 3,600 times.
func TestStalledDiskQueuesNoSettling(t *testing.T) {
	g, sink := newSettlingRig(t)
	g.sink.stall = make(chan struct{})
	g.send(g.frames(rigGeometry, g.data(1, 0, content(room(), 1))))
	for range 3600 {
		g.tick(settleEvery)
	}
	close(g.sink.stall)
	g.close()
	if n := len(sink.quiet); n == 0 || n > 3 {
		t.Errorf("it settled %d times", n)
	}
}

// TestQuietAfterTheClockWasSetBack: what lacks is to be told also then.
func TestQuietAfterTheClockWasSetBack(t *testing.T) {
	g, sink := newSettlingRig(t)
	g.r.lastData.Store(g.now.UnixNano())
	g.r.now = g.now.Add(-time.Hour)
	g.r.settle()
	if !<-sink.quiet {
		t.Error("the link counts as busy for as long as the clock was set back")
	}
	g.close()
}

// TestSettledOnlyWhenAllIsDelivered: who ends the receiver when nothing comes any more
// must not do so before the sink has had its say about what came last.
func TestSettledOnlyWhenAllIsDelivered(t *testing.T) {
	g, sink := newSettlingRig(t)
	g.session(2)
	// When the second is begun, what came of the first is known.
	settle := func(want bool) {
		t.Helper()
		for range 2 {
			g.r.settle()
			if got := <-sink.quiet; got != want {
				t.Errorf("quiet: %v", got)
			}
		}
	}
	frames := g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))
	settle(true)
	if !g.r.Settled() {
		t.Error("nothing has come, and it is not settled")
	}
	g.r.Datagram(frames[0])
	if g.r.Settled() {
		t.Error("settled, though a block is open")
	}
	g.send(frames[1:])
	settle(false)
	if g.r.Settled() {
		t.Error("settled, though data came just now")
	}
	g.r.now = g.now.Add(quietAfter)
	settle(true)
	if !g.r.Settled() {
		t.Error("not settled once it was quiet")
	}
	g.close()
}

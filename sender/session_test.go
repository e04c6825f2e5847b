package sender

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/protocol"
)

// times returns the times of the announces of one session.
func (l *memoryLink) times(id protocol.SessionID) (all []time.Time) {
	for _, a := range l.announces {
		if a.session == id {
			all = append(all, a.at)
		}
	}
	return all
}

func TestAnnounces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		time.Sleep(30 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		id := r.announces[0].session
		p := r.announces[0].params
		if p.Sender != "prod" || p.Rate != r.cfg.Rate || p.Geometry != small || p.Start != time.Now().Add(-30*time.Second).UnixNano() {
			t.Errorf("%+v", p)
		}
		all := r.times(id)
		warm, spread := 0, tailGap(r.cfg.Burst)
		for i, at := range all {
			if at.Sub(all[0]) <= spread+warmupEvery {
				warm = i + 1
			} else if gap := at.Sub(all[i-1]); gap > announceEvery+announceEvery/4 {
				t.Errorf("%v without an announce", gap)
			}
		}
		if warm < 10 || all[warm-1].Sub(all[0]) < spread {
			t.Errorf("%d announces in the first %v", warm, all[warm-1].Sub(all[0]))
		}
		if len(all) > warm+31 || len(r.sessions) != 1 {
			t.Errorf("%d announces in 30 s, %d sessions", len(all), len(r.sessions))
		}
	})
}

// sleepy is the clock of a host that is busy.
type sleepy struct{ plain }

func (sleepy) Sleep(d time.Duration) { time.Sleep(d + 50*time.Millisecond) }

// A busy host sends no fewer announces before its first block.
func TestAnnouncesOfABusyHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Clock = sleepy{} })
		r.push(Job{Stream: strings.NewReader("x"), As: "x"})
		warm := 0
		for _, a := range r.announces {
			if a.at.Before(r.blocks[0].at) {
				warm++
			}
		}
		if warm < int(tailGap(r.cfg.Burst)/warmupEvery) {
			t.Errorf("%d announces before the first block", warm)
		}
	})
}

// A long snapshot does not keep the announces from being repeated.
func TestAnnouncesWhileSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Rate = 8e6 })
		r.push(Job{Stream: io.LimitReader(endless{}, 5e6), As: "x"})
		last := r.announces[0].at
		for _, a := range r.announces {
			if gap := a.at.Sub(last); gap > announceEvery+announceEvery/4 {
				t.Errorf("%v without an announce", gap)
			}
			last = a.at
		}
		if n := len(r.announces); n < 5 || time.Since(last) > 2*announceEvery {
			t.Errorf("%d announces", n)
		}
	})
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Heartbeat = 10 * time.Second })
		resA, a := r.push(Job{Source: "a", Stream: io.LimitReader(endless{}, 5000), As: "x"})
		resOld, old := r.push(Job{Source: "b", Stream: io.LimitReader(endless{}, 0), As: "x"})
		resB, b := r.push(Job{Source: "b", Stream: io.LimitReader(endless{}, 5000), As: "x"})
		r.reset()
		time.Sleep(60 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.beats) < 5 || len(r.beats) > 6 {
			t.Fatalf("%d heartbeats in a minute", len(r.beats))
		}
		want := []protocol.SourceState{
			{Source: "a", Number: resA.Number, Taken: resA.Taken.UnixNano(), Manifest: a.record.SHA256},
			{Source: "b", Number: resOld.Number, Taken: resOld.Taken.UnixNano(), Manifest: old.record.SHA256},
			{Source: "b", Number: resB.Number, Taken: resB.Taken.UnixNano(), Manifest: b.record.SHA256},
		}
		for _, h := range r.beats {
			got := slices.SortedFunc(slices.Values(h.Sources), func(a, b protocol.SourceState) int {
				return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Number, b.Number))
			})
			if !slices.Equal(got, want) {
				t.Errorf("%+v", h)
			}
		}
		if at := r.blocks[0].at.UnixNano(); r.beats[0].Clock > at || at-r.beats[0].Clock > int64(time.Second) {
			t.Errorf("clock %d at %d", r.beats[0].Clock, at)
		}
	})
}

// More snapshots than fit into a heartbeat are told of in turn, those of one
// source too.
func TestHeartbeatOfManySnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tiny := protocol.Geometry{K: 4, M: 2, Depth: 3, Symbol: protocol.SymbolMTU1500} // 16.5 KiB
		r := newRig(t, func(c *Config) {
			c.Heartbeat, c.Geometry = time.Second, tiny
			for i := range 400 {
				name := fmt.Sprintf("%064d", i)
				if _, err := c.State.nextNumber(name); err != nil {
					t.Fatal(err)
				}
				for n := range uint64(1 + i%3) {
					if err := c.State.saveSent(&Sent{Source: name, Number: n + 1, Taken: time.Unix(1, 0)}); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
		time.Sleep(20 * time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		told := map[beatPlace]int{}
		for _, h := range r.beats {
			for _, s := range h.Sources {
				told[beatPlace{s.Source, s.Number}]++
			}
		}
		least, most := 1000, 0
		for _, n := range told {
			least, most = min(least, n), max(most, n)
		}
		if len(told) != 799 || most > least+1 {
			t.Errorf("%d heartbeats told of %d snapshots, %d to %d times", len(r.beats), len(told), least, most)
		}
	})
}

// wantAhead checks that each session but the first was announced well before its
// first block, and more than once.
func (r *rig) wantAhead(sessions int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sessions) < sessions {
		r.t.Errorf("%d sessions, want %d", len(r.sessions), sessions)
	}
	first := map[protocol.SessionID]time.Time{}
	for _, b := range r.blocks {
		if _, ok := first[b.Session]; !ok {
			first[b.Session] = b.at
		}
	}
	if len(first) < sessions {
		r.t.Errorf("blocks of %d sessions, want %d", len(first), sessions)
	}
	for id, at := range first {
		all := r.times(id)
		if id == r.blocks[0].Session {
			continue
		}
		n := 0
		for n < len(all) && all[n].Before(at) {
			n++
		}
		if n < 5 || at.Sub(all[0]) < aheadTime {
			r.t.Errorf("%d announces, the first %v before the first block", n, at.Sub(all[0]))
		}
	}
}

func TestSessionsRotateByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Heartbeat = time.Minute })
		time.Sleep(3*sessionTime + time.Minute)
		r.wantAhead(3)
	})
}

func TestSessionsRotateByBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.Rate = 8e6 })
		r.stop()
		r.tune = func(t *transmitter) { t.maxBytes = 1 << 20 }
		r.start()
		r.push(Job{Stream: io.LimitReader(endless{}, 30e6), As: "x"})
		r.wantAhead(3)
	})
}

// A machine that stood still, as under a hypervisor, finds its session too old
// and no next one announced.
func TestSessionAfterStandstill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &jumping{}
		r := newRig(t, func(c *Config) { c.Clock, c.Heartbeat = clock, time.Second })
		time.Sleep(5 * time.Second)
		clock.jump(2 * sessionTime)
		time.Sleep(30 * time.Second)
		r.wantAhead(2)
	})
}

// A session that cannot be made, as on a full disk, ends nothing: the present one goes
// on, and the next is made as soon as that is possible.
func TestSessionThatCannotBeMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, func(c *Config) { c.Log = zerolog.New(zerolog.SyncWriter(&log)) })
		r.push(Job{Stream: bytes.NewReader(noise(1, 100)), As: "x"})
		r.cfg.State.damaged.Store(true)
		time.Sleep(3 * sessionTime)
		synctest.Wait()
		if n := strings.Count(log.String(), event.SessionFailed); n != 1 {
			t.Errorf("it is told %d times:\n%s", n, log.String())
		}
		r.mu.Lock()
		if len(r.sessions) != 1 {
			t.Errorf("%d sessions", len(r.sessions))
		}
		r.mu.Unlock()
		r.cfg.State.damaged.Store(false)
		time.Sleep(2*sessionRetry + aheadTime)
		if _, err := r.Push(t.Context(), Job{Source: "src", Stream: bytes.NewReader(noise(1, 100)), As: "x"}); err != nil {
			t.Error(err)
		}
		r.wantAhead(2)
	})
}

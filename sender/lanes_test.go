package sender

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"weir/protocol"
)

// laneLink is one lane of several: it hands on what it gets, unless it is down.
type laneLink struct {
	lanes *laneLinks
	lane  int
}

// laneLinks puts the frames of several lanes back in the order of one.
type laneLinks struct {
	t       *testing.T
	mu      sync.Mutex
	down    map[int]error
	sends   int // with symbols
	counts  []int
	last    []uint64
	block   uint64
	columns map[[2]int]int // symbols of each column that each lane of the block had
	geos    []protocol.Geometry
}

func (l laneLink) Send(frames []byte, size int) error {
	all := l.lanes
	all.mu.Lock()
	defer all.mu.Unlock()
	if err := all.down[l.lane]; err != nil {
		return err
	}
	if kind, _, err := protocol.FrameKindOf(frames); err == nil && kind == protocol.FrameSymbol {
		all.sends++
	}
	for ; len(frames) > 0; frames = frames[min(size, len(frames)):] {
		frame := frames[:min(size, len(frames))]
		if kind, _, err := protocol.FrameKindOf(frame); err != nil {
			all.t.Error(err)
		} else if kind == protocol.FrameSymbol {
			all.symbol(l.lane, frame)
		}
	}
	return nil
}

func (l *laneLinks) symbol(lane int, frame []byte) {
	var h protocol.Header
	if err := protocol.ParseHeader(frame, &h); err != nil {
		l.t.Fatal(err)
	}
	if h.Lane != lane || h.More != len(l.counts)-1 || h.LaneSequence() <= l.last[lane] {
		l.t.Errorf("on lane %d: %+v after number %d", lane, h, l.last[lane])
	}
	if h.Block != l.block {
		l.block, l.columns = h.Block, map[[2]int]int{}
		l.geos = append(l.geos, h.Geometry)
	}
	l.last[lane] = h.LaneSequence()
	l.counts[lane]++
	l.columns[[2]int{lane, h.Column}]++
	if n := l.columns[[2]int{lane, h.Column}]; n > (h.K+h.M+len(l.counts)-1)/len(l.counts) {
		l.t.Errorf("lane %d has %d symbols of a column of %d+%d", lane, n, h.K, h.M)
	}
}

// lanesRig is a sender over n lanes.
func lanesRig(t *testing.T, n int, geo protocol.Geometry) (*rig, *laneLinks, *bytes.Buffer) {
	links, log := &laneLinks{t: t, down: map[int]error{}, counts: make([]int, n), last: make([]uint64, n)}, &bytes.Buffer{}
	r := newRig(t, func(c *Config) {
		c.Geometry, c.Log = geo, zerolog.New(zerolog.SyncWriter(log))
		for i := range n {
			c.Lanes = append(c.Lanes, laneLink{links, i})
		}
	})
	return r, links, log
}

// TestLanesShareEvenly: of each column of each block a lane carries its share, and
// small blocks can spare a lane.
func TestLanesShareEvenly(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			geo := protocol.Geometry{K: 20, M: 20, Depth: 3, Symbol: protocol.SymbolMTU1500}
			r, links, _ := lanesRig(t, n, geo)
			src := t.TempDir()
			write(t, src, map[string][]byte{"a": noise(1, 3_000_000)})
			if _, err := r.Push(t.Context(), Job{Source: "src", Paths: []string{src}}); err != nil {
				t.Fatal(err)
			}
			r.stop()
			all := 0
			for _, c := range links.counts {
				all += c
			}
			for i, c := range links.counts {
				if c < all/n*95/100 || c > all/n*105/100 {
					t.Errorf("lane %d carried %d frames of %d", i, c, all)
				}
			}
			for _, g := range links.geos {
				if !g.SparesLane(n) {
					t.Errorf("a block of %d+%d does not cover one of %d lanes", g.K, g.M, n)
				}
			}
		})
	}
}

// TestShortShardsOfALaneLeaveTogether: what one call costs does not depend on how
// short the shards are.
func TestShortShardsOfALaneLeaveTogether(t *testing.T) {
	const lanes = 3
	r, links, _ := lanesRig(t, lanes, protocol.Geometry{K: 40, M: 20, Depth: 2, Symbol: protocol.SymbolMTU1500})
	src := t.TempDir()
	write(t, src, map[string][]byte{"a": noise(1, 3_000_000)})
	if _, err := r.Push(t.Context(), Job{Source: "src", Paths: []string{src}}); err != nil {
		t.Fatal(err)
	}
	r.stop()
	all, batch := 0, r.Sender.t.batch
	for _, c := range links.counts {
		all += c
	}
	if most := all/batch + 2*lanes*len(links.geos); batch < 10 || links.sends > most {
		t.Errorf("%d frames left in %d calls for %d blocks, in batches of %d", all, links.sends, len(links.geos), batch)
	}
}

// TestLaneThatCannotSend takes nothing from the others, is tried again, and is told
// of once; where none can send, that is an error.
func TestLaneThatCannotSend(t *testing.T) {
	r, links, log := lanesRig(t, 2, small)
	src := t.TempDir()
	write(t, src, map[string][]byte{"a": noise(1, 500_000)})
	push := func() error {
		_, err := r.Push(t.Context(), Job{Source: "src", Paths: []string{src}, All: true})
		return err
	}
	set := func(lane int, err error) {
		links.mu.Lock()
		defer links.mu.Unlock()
		links.down[lane] = err
	}
	errDown := errors.New("the network is down")
	set(1, errDown)
	if err := push(); err != nil {
		t.Fatal(err)
	}
	if links.counts[0] == 0 || links.counts[1] != 0 {
		t.Errorf("frames: %v", links.counts)
	}
	set(1, nil)
	time.Sleep(laneRetry)
	if err := push(); err != nil {
		t.Fatal(err)
	}
	if links.counts[1] == 0 {
		t.Error("the lane was not tried again")
	}
	set(0, errDown)
	set(1, errDown)
	time.Sleep(laneRetry)
	if err := push(); err == nil {
		t.Error("with no lane a push ended well")
	}
	if err := <-r.ran; !errors.Is(err, errLanes) || !errors.Is(err, errDown) {
		t.Errorf("Run: %v", err)
	}
	r.ran = nil
	if n := strings.Count(log.String(), `"event":"lane-failed"`); n != 3 {
		t.Errorf("told %d times of a failed lane:\n%s", n, log)
	}
	if !strings.Contains(log.String(), `"event":"lane-back"`) {
		t.Errorf("not told that it can send again:\n%s", log)
	}
}

// TestPatientSenderWaits has the link fail in the midst of a push: nothing is lost, and
// it is told of once; an error that nobody should wait for ends it.
func TestPatientSenderWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, errDown, errMTU := &bytes.Buffer{}, errors.New("no such device"), errors.New("too large")
		r := newRig(t, func(c *Config) {
			c.Log, c.Patient = zerolog.New(zerolog.SyncWriter(log)), func(err error) bool { return errors.Is(err, errDown) }
		})
		set := func(err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.fail = err
		}
		r.mu.Lock()
		r.hook = func(h *protocol.Header) {
			if h.Block == 3 && h.Index() == 7 {
				r.hook, r.fail = nil, errDown
				time.AfterFunc(time.Minute, func() { set(nil) })
			}
		}
		r.mu.Unlock()
		start := time.Now()
		_, got := r.push(Job{Stream: bytes.NewReader(noise(1, 300_000)), As: "x"})
		if time.Since(start) < time.Minute || !bytes.Equal(r.content(got.entries["x"].Object), noise(1, 300_000)) {
			t.Errorf("it took %v", time.Since(start))
		}
		if n := strings.Count(log.String(), `"event":"lane-failed"`); n != 1 || strings.Count(log.String(), `"event":"lane-back"`) != 1 {
			t.Errorf("told %d times of a failed link:\n%s", n, log)
		}
		set(errMTU)
		if err := <-r.ran; !errors.Is(err, errMTU) {
			t.Errorf("%v", err)
		}
		r.ran = nil
	})
}

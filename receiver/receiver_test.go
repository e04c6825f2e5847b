package receiver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/protocol"
)

// transfer sends blocks of content through spoil and compares what came.
func transfer(t *testing.T, blocks int, spoil func(rng *rand.Rand, frames [][]byte) [][]byte) *rig {
	g := newRig(t)
	rng := rand.New(rand.NewPCG(uint64(blocks), 9))
	n := room()
	want := content(n*blocks, 7)
	for i := range blocks {
		g.send(spoil(rng, g.frames(rigGeometry, g.data(1, uint64(i*n), want[i*n:(i+1)*n]))))
	}
	g.tick(blockIdle)
	g.close()
	if got := g.sink.objects[protocol.ObjectID{1}]; !bytes.Equal(got, want) {
		t.Fatalf("%d of %d bytes came as they were sent", len(got), len(want))
	}
	return g
}

func TestLinksThatParityHeals(t *testing.T) {
	for name, spoil := range map[string]func(*rand.Rand, [][]byte) [][]byte{
		"clean": func(_ *rand.Rand, f [][]byte) [][]byte { return f },
		"a burst of m*depth": func(rng *rand.Rand, f [][]byte) [][]byte {
			at := rng.IntN(len(f) - 16)
			return append(f[:at:at], f[at+16:]...)
		},
		"3 of 24 in each column": func(rng *rand.Rand, f [][]byte) [][]byte {
			var kept [][]byte
			for i := range f {
				if (i/4)%8 != 0 {
					kept = append(kept, f[i])
				}
			}
			return kept
		},
		"twice": func(_ *rand.Rand, f [][]byte) [][]byte { return append(f, f...) },
		"reordered": func(rng *rand.Rand, f [][]byte) [][]byte {
			for i := range f {
				j := min(len(f)-1, i+rng.IntN(30))
				f[i], f[j] = f[j], f[i]
			}
			return f
		},
		"corrupted": func(rng *rand.Rand, f [][]byte) [][]byte {
			f[rng.IntN(len(f))][rng.IntN(192)] ^= 4
			f[rng.IntN(len(f))][60] ^= 1
			return f
		},
		"with rubbish between": func(rng *rand.Rand, f [][]byte) [][]byte {
			var out [][]byte
			for _, b := range f {
				out = append(out, b, []byte{1, 2, 3}, make([]byte, len(b)), b[:50])
			}
			return out
		},
	} {
		t.Run(name, func(t *testing.T) { transfer(t, 30, spoil) })
	}
}

func TestLostBlockCostsOnlyItsRanges(t *testing.T) {
	g := newRig(t)
	n := room()
	want := content(n*3, 3)
	for i := range 3 {
		f := g.frames(rigGeometry, g.data(1, uint64(i*n), want[i*n:(i+1)*n]))
		if i == 1 {
			f = append(f[:20:20], f[60:]...) // 40 in a row, 16 would be healed
		}
		g.send(f)
	}
	g.tick(blockIdle)
	g.close()
	lost := make([]bool, len(want))
	for i := range lost {
		lost[i] = true
	}
	for _, r := range g.sink.written[protocol.ObjectID{1}] {
		for i := r.Offset; i < r.Offset+r.Length; i++ {
			lost[i] = false
		}
	}
	head := rigGeometry.DataBytes() - n
	for i, l := range lost {
		inHole := i >= n+20*128-head && i < n+60*128-head
		if l != inHole {
			t.Fatalf("byte %d: lost is %v", i, l)
		}
		if got := g.sink.objects[protocol.ObjectID{1}]; !l && got[i] != want[i] {
			t.Fatalf("byte %d differs", i)
		}
	}
}

func TestEveryKindOfRecordIsDelivered(t *testing.T) {
	g := newRig(t)
	b := g.data(1, 0, []byte("hello"))
	b = protocol.AppendEnd(b, &protocol.End{Object: protocol.ObjectID{1}, Size: 5})
	b = protocol.AppendRecordHeader(b, 77, 3) // a kind of the future
	b = append(b, 1, 2, 3)
	b = protocol.AppendManifest(b, &protocol.Manifest{ObjectSize: 1, Size: 1})
	g.send(g.frames(protocol.Geometry{K: 3, M: 2, Depth: 1, Symbol: 128}, b))
	hb := protocol.AppendHeartbeat(nil, &protocol.Heartbeat{Clock: 5, Sources: []protocol.SourceState{{Source: "etc", Number: 1}}})
	g.send(g.frames(protocol.Geometry{K: 1, M: 2, Depth: 1, Symbol: 128}, hb)[2:]) // parity alone
	g.close()
	s := g.sink
	if len(s.ends) != 1 || len(s.manifests) != 1 || len(s.heartbeats) != 1 || s.contexts["prod/etc@1"] != 1 || string(s.objects[protocol.ObjectID{1}]) != "hello" {
		t.Fatalf("delivered %+v", s)
	}
}

func TestRecordsBeforeAContextAreRefused(t *testing.T) {
	g := newRig(t)
	b := protocol.AppendData(nil, &protocol.Data{Object: protocol.ObjectID{1}, Bytes: []byte("x")})
	g.send(g.frames(protocol.Geometry{K: 1, M: 2, Depth: 1, Symbol: 128}, b))
	g.close()
	if len(g.sink.objects) != 0 {
		t.Fatal("data of no snapshot was delivered")
	}
}

func TestGoodFramesAllocateNothing(t *testing.T) {
	g := newRig(t)
	var frames [][]byte
	for range 30 {
		frames = append(frames, g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))...)
	}
	per := rigGeometry.Symbols()
	i := 0
	allocs := testing.AllocsPerRun(25, func() { // blocks, without what the worker does
		for range per {
			g.r.Datagram(frames[i])
			i++
		}
	})
	if perFrame := allocs / float64(per); perFrame > 0.5 {
		t.Fatalf("%v allocations a frame, %v a block", perFrame, allocs)
	}
	g.close()
}

func TestMemoryIsBounded(t *testing.T) {
	g := newRig(t)
	g.r.memory.budget = 1 << 20
	g.sink.stall = make(chan struct{})
	for range 300 {
		g.send(g.frames(rigGeometry, g.data(1, 0, []byte("x"))))
	}
	if got := g.r.Counters().Dropped[DropMemory.String()]; got == 0 {
		t.Fatalf("with a stalled sink: %v", g.r.Counters().Dropped)
	}
	if g.r.memory.used > 1<<20 {
		t.Fatalf("%d bytes used", g.r.memory.used)
	}
	close(g.sink.stall)
	g.close()
}

// TestLossIsTheDisks: a block whose first frames found no memory is not called lost on
// the link, by no line and no count.
func TestLossIsTheDisks(t *testing.T) {
	g := newRig(t)
	g.close()
	var log bytes.Buffer
	g.cfg.Log = zerolog.New(zerolog.SyncWriter(&log)) // the worker has things to tell too
	g.start()
	g.session(2)
	budget := g.r.memory.budget
	g.r.memory.budget = 0
	frames := g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))
	half := len(frames) / 2
	g.send(frames[:half])
	g.r.memory.budget = budget
	g.send(frames[half:])
	g.tick(time.Minute)
	g.close()
	want := fmt.Sprintf(`"refused":%d,"message":"symbols lost, as frames of the block found no memory`, half)
	for _, part := range []string{`"event":"block-lost"`, want, `"event":"memory-full","frames":` + strconv.Itoa(half)} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %s:\n%s", part, log.String())
		}
	}
	if links := g.r.TakeLinks(); strings.Contains(log.String(), "frames-lost") || len(links) != 1 || links[0].Lost != 0 {
		t.Errorf("it is laid to the link: %+v\n%s", links, log.String())
	}
}

func TestHalfFilledBlocks(t *testing.T) {
	g := newRig(t)
	for range 5000 {
		g.send(g.frames(protocol.Geometry{K: 2, M: 2, Depth: 1, Symbol: 128}, g.data(1, 0, []byte("x")))[:1])
	}
	if n := len(g.r.sessions[0].blocks); n > maxOpenBlocks {
		t.Fatalf("%d open blocks", n)
	}
	g.close()
}

func TestLinkCountsLoss(t *testing.T) {
	var l link
	for seq := uint64(1); seq <= 20000; seq++ {
		if seq%1000 == 0 || seq > 5000 && seq <= 5064 {
			continue
		}
		l.mark(seq)
	}
	l.mark(30000) // 9,999 in a row, and 20,000 before them
	l.mark(7)
	l.decideAll()
	if l.Lost != 19+64+1+9999 || l.Longest != 10000 || l.Late != 1 {
		t.Fatalf("%+v", l.Link)
	}
	if l.Bursts[0] != 18 || l.Bursts[6] != 1 || l.Bursts[13] != 1 {
		t.Fatalf("bursts %v", l.Bursts)
	}
}

func TestLinkReordering(t *testing.T) {
	var l link
	for i := uint64(0); i < 5000; i += 2 {
		l.mark(i + 2)
		l.mark(i + 1)
		l.mark(i + 1)
	}
	l.decideAll()
	if l.Lost != 0 || l.Reordered != 2500 || l.Distance != 1 || l.Late != 2500 {
		t.Fatalf("%+v", l.Link)
	}
}

func FuzzDatagram(f *testing.F) {
	f.Add([]byte("etc"), uint16(3), false)
	f.Add(protocol.AppendContext(nil, &protocol.Context{Source: "a", Number: 1}), uint16(0), true)
	f.Fuzz(func(t *testing.T, records []byte, lose uint16, raw bool) {
		g := newRig(t)
		if raw {
			g.r.Datagram(records)
		}
		if len(records) == 0 || len(records) > rigGeometry.DataBytes() {
			g.close()
			return
		}
		frames := g.frames(rigGeometry, records)
		for i, b := range frames {
			if i%16 != int(lose%17) {
				g.r.Datagram(b)
			}
		}
		g.tick(blockIdle)
		g.close()
		if g.r.memory.used != 0 {
			t.Fatalf("%d bytes of memory are not given back", g.r.memory.used)
		}
	})
}

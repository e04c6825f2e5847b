package receiver

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/fec"
	"weir/protocol"
)

// deal seals a block of the records for n lanes, and returns the frames of each.
func (g *rig) deal(n int, geo protocol.Geometry, records []byte) [][][]byte {
	g.t.Helper()
	buf := make([]byte, geo.BlockBytes())
	copy(buf, records)
	code, err := fec.New(geo.K, geo.M)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := code.Encode(buf[:geo.DataBytes()], buf[geo.DataBytes():], geo.Shard()); err != nil {
		g.t.Fatal(err)
	}
	g.block++
	out := make([][][]byte, n)
	for i := range geo.Symbols() {
		shard := i / geo.Depth
		h := protocol.Header{
			Lane: (shard + int(g.block)) % n, More: n - 1, Block: g.block, Shard: shard, Column: i % geo.Depth,
			Geometry: geo, Length: uint32(len(records)),
		}
		out[h.Lane] = append(out[h.Lane], g.sealer.Seal(nil, &h, buf[i*geo.Symbol:(i+1)*geo.Symbol]))
	}
	return out
}

// lanesRig is a rig with a session of the geometry, whose log is kept: to be read
// when the rig is closed.
func lanesRig(t *testing.T, geo protocol.Geometry) (*rig, *bytes.Buffer) {
	g, log := newRig(t), &bytes.Buffer{}
	g.close()
	g.cfg.Log = zerolog.New(zerolog.SyncWriter(log))
	g.start()
	g.announce, g.sealer = g.newSession(2, geo)
	g.r.Datagram(g.announce)
	g.tick(time.Millisecond)
	return g, log
}

// TestLanesApart: one lane is far behind the other, by more than any switch
// reorders. Nothing is lost, late or out of order.
func TestLanesApart(t *testing.T) {
	g, _ := lanesRig(t, rigGeometry)
	const blocks, behind = 60, 20
	var slow [][]byte
	want := content(blocks*room(), 1)
	for i := range blocks {
		f := g.deal(2, rigGeometry, g.data(1, uint64(i*room()), want[i*room():(i+1)*room()]))
		g.send(f[0])
		slow = append(slow, f[1]...)
		if per := len(f[1]); len(slow) > behind*per {
			g.send(slow[:per])
			slow = slow[per:]
		}
		g.tick(10 * time.Millisecond)
	}
	g.send(slow)
	links := g.r.TakeLinks()
	g.close()
	if got := g.sink.objects[protocol.ObjectID{1}]; !bytes.Equal(got, want) {
		at := 0
		for at < len(got) && got[at] == want[at] {
			at++
		}
		t.Errorf("%d bytes came, of %d, and differ at %d", len(got), len(want), at)
	}
	if len(links) != 2 {
		t.Fatalf("%d links: %+v", len(links), links)
	}
	for i, l := range links {
		if l.Lane != i || l.Lanes != 2 || l.Received != uint64(blocks*rigGeometry.Symbols()/2) || l.Lost+l.Reordered+l.Late > 0 {
			t.Errorf("lane %d: %+v", i, l)
		}
	}
}

// TestLaneDies: a lane brings nothing any more. Where parity covers it, all comes;
// elsewhere what the other brings is not held up. Both are told, and the return.
func TestLaneDies(t *testing.T) {
	for name, geo := range map[string]protocol.Geometry{
		"covered":     {K: 10, M: 10, Depth: 4, Symbol: 128},
		"not covered": {K: 20, M: 4, Depth: 4, Symbol: 128},
	} {
		t.Run(name, func(t *testing.T) {
			g, log := lanesRig(t, geo)
			records := g.data(1, 0, content(200, 1))
			for i := range 60 {
				f := g.deal(2, geo, records)
				g.send(f[0])
				if i < 5 || i >= 50 {
					g.send(f[1])
				}
				g.tick(50 * time.Millisecond)
				if open := len(g.r.sessions[0].blocks); open > maxOpenBlocks/2 {
					t.Fatalf("%d blocks are open after %d", open, i)
				}
			}
			g.close()
			covered, lines := name == "covered", log.String()
			if n := strings.Count(lines, `"event":"lane-silent"`); n != 1 {
				t.Errorf("told %d times that the lane is silent:\n%s", n, lines)
			}
			if strings.Contains(lines, `"healed":true`) != covered {
				t.Errorf("it is told otherwise whether parity heals it:\n%s", lines)
			}
			if !strings.Contains(lines, `"event":"lane-back"`) {
				t.Errorf("not told that the lane is back:\n%s", lines)
			}
			if lost := strings.Contains(lines, `"event":"block-lost"`); lost == covered {
				t.Errorf("blocks lost: %v\n%s", lost, lines)
			}
		})
	}
}

// TestLanesAfterRestart: what each lane took before is not taken again.
func TestLanesAfterRestart(t *testing.T) {
	g, _ := lanesRig(t, rigGeometry)
	f := g.deal(3, rigGeometry, g.data(1, 0, content(room(), 1)))
	for _, lane := range f {
		g.send(lane)
	}
	g.close()
	g.start()
	for i, lane := range f {
		g.send(lane)
		if got, want := g.r.Counters().Dropped[DropOld.String()], (i+1)*len(f[0]); got != uint64(want) {
			t.Errorf("lane %d: %d frames of before the restart are dropped, of %d", i, got, want)
		}
	}
	for _, lane := range g.deal(3, rigGeometry, g.data(2, 0, content(room(), 2))) {
		g.send(lane)
	}
	g.close()
	if len(g.sink.objects[protocol.ObjectID{2}]) != room() {
		t.Error("what came after the restart is not there")
	}
}

// TestForgedLane: a frame that claims to be of a second lane makes none, and leads
// nowhere.
func TestForgedLane(t *testing.T) {
	g, _ := lanesRig(t, rigGeometry)
	f := g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))
	g.send(f)
	forged := bytes.Clone(f[3])
	forged[12], forged[31] = 1, 1 // sequence and lanes of the header
	g.r.Datagram(forged)
	if n := g.r.sessions[0].lanes.n; n != 1 || g.r.Counters().Dropped[DropForged.String()] != 1 {
		t.Errorf("%d lanes; dropped: %v", n, g.r.Counters().Dropped)
	}
	g.close()
}

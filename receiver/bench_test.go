package receiver

import (
	"encoding/binary"
	"testing"

	"weir/protocol"
)

// full is a block as it is on a link of MTU 1500.
var full = protocol.Geometry{K: 200, M: 20, Depth: 16, Symbol: protocol.SymbolMTU1500}

// fullRig is a rig in a session of full blocks.
func fullRig(b *testing.B) *rig {
	g := newRig(b)
	g.announce, g.sealer = g.newSession(2, full)
	g.r.Datagram(g.announce)
	return g
}

func BenchmarkGoodFrame(b *testing.B) {
	g := fullRig(b)
	frames := g.frames(full, g.data(1, 0, content(1000, 1)))
	b.SetBytes(int64(len(frames[0])))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(frames) {
			b.StopTimer()
			frames, i = g.frames(full, g.data(1, 0, content(1000, 1))), 0
			b.StartTimer()
		}
		g.r.Datagram(frames[i])
		i++
	}
	g.close()
}

// BenchmarkHostileFrame is what one frame of each kind costs.
func BenchmarkHostileFrame(b *testing.B) {
	for _, c := range hostileFrames {
		b.Run(c.name, func(b *testing.B) {
			g := newRig(b)
			bad := c.make(g)
			b.ReportAllocs()
			for b.Loop() {
				g.r.Datagram(bad)
			}
			g.close()
		})
	}
}

// BenchmarkForgedFullFrame is the dearest that somebody without keys can ask for
// as often as he likes: a frame of full size whose tag is wrong.
func BenchmarkForgedFullFrame(b *testing.B) {
	for name, at := range map[string]int{"of an open block": 100, "of a new block": 20} {
		b.Run(name, func(b *testing.B) {
			g := fullRig(b)
			frames := g.frames(full, g.data(1, 0, content(1000, 1)))
			g.r.Datagram(frames[1])
			bad := frames[0]
			bad[at] ^= 1
			b.SetBytes(int64(len(bad)))
			b.ReportAllocs()
			for b.Loop() {
				g.r.Datagram(bad)
			}
			g.close()
		})
	}
}

// BenchmarkForgedAnnounce is a flood of announces that are each another, first
// without the budget, then with it.
func BenchmarkForgedAnnounce(b *testing.B) {
	for _, c := range []struct {
		name string
		left float64
	}{{"verified", 1e18}, {"over the budget", 0}} {
		b.Run(c.name, func(b *testing.B) {
			g := newRig(b)
			g.r.budget.left = c.left
			f := announceOf(g, 800)
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				binary.BigEndian.PutUint64(f[4:], i)
				g.r.Datagram(f)
			}
			g.close()
		})
	}
}

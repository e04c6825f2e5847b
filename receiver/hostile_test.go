package receiver

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"math"
	"testing"

	"weir/protocol"
)

var small = protocol.Geometry{K: 2, M: 2, Depth: 1, Symbol: 128}

// hostile is a kind of bad frame: the reason that it is dropped for, and how it
// is made with and without the sender's keys.
type hostile struct {
	name string
	want Drop
	make func(g *rig) []byte
}

// flip returns the first frame of a small block with one bit of it changed.
func flip(at int, mask byte) func(*rig) []byte {
	return func(g *rig) []byte {
		f := g.frames(small, []byte{9})[0]
		f[(at+len(f))%len(f)] ^= mask
		return f
	}
}

// put returns the first frame of a small block with 16 bits of it replaced.
func put(at int, value uint16) func(*rig) []byte {
	return func(g *rig) []byte {
		f := g.frames(small, []byte{9})[0]
		binary.BigEndian.PutUint16(f[at:], value)
		return f
	}
}

// shaped returns a frame of a shape that was sealed with the good key.
func shaped(k, m, depth, symbol int) func(*rig) []byte {
	return func(g *rig) []byte {
		return g.frames(protocol.Geometry{K: k, M: m, Depth: depth, Symbol: symbol}, []byte{9})[0]
	}
}

// changed returns a frame of a block that was begun with another header.
func changed(change func(h *protocol.Header)) func(*rig) []byte {
	return func(g *rig) []byte {
		g.send(g.frames(small, []byte{9})[:1])
		h := protocol.Header{Block: g.block, Shard: 1, Geometry: small, Length: 1}
		change(&h)
		return g.sealer.Seal(nil, &h, make([]byte, 128))
	}
}

var hostileFrames = []hostile{
	{"three bytes", DropMalformed, func(*rig) []byte { return []byte{1, 2, 3} }},
	{"zeros", DropMalformed, func(*rig) []byte { return make([]byte, 192) }},
	{"the largest datagram", DropMalformed, func(*rig) []byte { return make([]byte, 65507) }},
	{"another version", DropMalformed, flip(0, 2)},
	{"another kind", DropMalformed, flip(1, 8)},
	{"cut", DropMalformed, func(g *rig) []byte { return g.frames(small, []byte{9})[0][:100] }},
	{"one byte longer", DropMalformed, func(g *rig) []byte { return append(g.frames(small, []byte{9})[0], 0) }},
	{"oversized", DropMalformed, func(g *rig) []byte { return append(g.frames(small, []byte{9})[0], make([]byte, 60000)...) }},
	{"k of 0", DropMalformed, put(28, 0)},
	{"k + m of 510", DropMalformed, func(g *rig) []byte { f := flip(0, 0)(g); f[29], f[30] = 255, 255; return f }},
	{"depth of 0", DropMalformed, put(34, 0)},
	{"depth of 65535", DropMalformed, put(34, math.MaxUint16)},
	{"shard outside of the block", DropMalformed, func(g *rig) []byte { f := flip(0, 0)(g); f[28] = 4; return f }},
	{"column outside of the block", DropMalformed, put(32, 1)},
	{"length of 4 GB", DropMalformed, put(36, math.MaxUint16)},
	{"symbol that is no multiple of 64", DropMalformed, put(2, 127)},
	{"reserved bytes", DropMalformed, put(46, 1)},
	{"sequence 0", DropMalformed, func(g *rig) []byte { f := flip(0, 0)(g); clear(f[12:20]); return f }},
	{"unknown session", DropSession, flip(5, 1)},
	{"forged tag", DropForged, flip(-1, 1)},
	{"forged content", DropForged, flip(60, 1)},
	{"forged block number far ahead", DropForged, flip(20, 0x80)},
	{"forged sequence far ahead", DropForged, flip(13, 0x80)},
	{"k larger than announced", DropGeometry, shaped(21, 4, 1, 128)},
	{"m larger than announced", DropGeometry, shaped(20, 5, 1, 128)},
	{"depth larger than announced", DropGeometry, shaped(20, 4, 5, 128)},
	{"another symbol size", DropGeometry, shaped(2, 2, 1, 192)},
	{"k changed in the block", DropChanged, changed(func(h *protocol.Header) { h.K++ })},
	{"m changed in the block", DropChanged, changed(func(h *protocol.Header) { h.M++ })},
	{"depth changed in the block", DropChanged, changed(func(h *protocol.Header) { h.Depth++ })},
	{"length changed in the block", DropChanged, changed(func(h *protocol.Header) { h.Length++ })},
	{"the same symbol again", DropDuplicate, func(g *rig) []byte {
		f := g.frames(small, []byte{9})
		g.send(f[:1])
		return f[0]
	}},
	{"of a column that has enough", DropSurplus, func(g *rig) []byte {
		f := g.frames(protocol.Geometry{K: 1, M: 2, Depth: 2, Symbol: 128}, []byte{9})
		g.send(f[:1])
		return f[2]
	}},
	{"of a delivered block", DropClosed, func(g *rig) []byte {
		f := g.frames(small, g.data(5, 0, []byte("x")))
		g.send(f)
		return f[3]
	}},
	{"of a block delivered long ago", DropReplayed, func(g *rig) []byte {
		f := g.frames(small, g.data(5, 0, []byte("x")))
		g.send(f)
		for range closedRing {
			g.send(g.frames(small, g.data(5, 0, []byte("x"))))
		}
		return f[3]
	}},
	{"of a block far behind, never seen", DropReplayed, func(g *rig) []byte {
		f := g.frames(small, []byte{9})[0]
		g.block = math.MaxUint64 - 1
		g.send(g.frames(small, g.data(5, 0, []byte("x"))))
		g.block = 2 // for what follows; it will be behind too
		return f
	}},
	{"of a session that was replaced", DropSession, func(g *rig) []byte {
		f := g.frames(small, []byte{9})[0]
		g.session(2)
		g.session(3)
		return f
	}},
	{"of before a restart", DropOld, func(g *rig) []byte {
		f := g.frames(small, g.data(5, 0, []byte("x")))
		g.send(f)
		g.close()
		g.start()
		return f[0]
	}},
	{"announce cut", DropMalformed, func(g *rig) []byte { return announceOf(g, 5)[:1200] }},
	{"announce too long", DropMalformed, func(g *rig) []byte { return append(announceOf(g, 5), make([]byte, 200)...) }},
	{"announce of a session that is open, changed", DropImpostor, func(g *rig) []byte { return announceOf(g, 700) }},
	{"announce forged", DropSignature, func(g *rig) []byte { return announceOf(g, 5, 700) }},
	{"announce of a revoked key", DropRevoked, func(g *rig) []byte {
		own := g.signer
		defer func() { g.signer = own }()
		g.signer = g.further()
		bad := g.newAnnounce(2, rigGeometry)
		g.change(nil, g.public())
		return bad
	}},
	{"announce of a stranger", DropStranger, func(g *rig) []byte {
		own := g.signer
		defer func() { g.signer = own }()
		_, g.signer, _ = ed25519.GenerateKey(nil)
		return g.newAnnounce(2, rigGeometry)
	}},
	{"announce replayed", DropCounter, func(g *rig) []byte {
		first := g.announce
		g.session(2)
		g.session(3)
		return first
	}},
	{"announce replayed after a restart", DropCounter, func(g *rig) []byte {
		first := g.announce
		g.session(2)
		g.session(3)
		g.close()
		g.start()
		return first
	}},
	{"announce with a lower counter", DropCounter, func(g *rig) []byte {
		g.session(10)
		return g.newAnnounce(9, rigGeometry)
	}},
	{"announce with the same counter", DropCounter, func(g *rig) []byte { return g.newAnnounce(1, rigGeometry) }},
	{"announce of the largest blocks there are", DropRefused, func(g *rig) []byte {
		return g.newAnnounce(2, protocol.Geometry{K: 200, M: 56, Depth: 1024, Symbol: 1024})
	}},
	{"announce over the budget", DropBudget, func(g *rig) []byte {
		g.r.budget.left = 0
		return announceOf(g, 5, 700)
	}},
}

// announceOf returns the rig's announce with bits changed.
func announceOf(g *rig, at ...int) []byte {
	f := bytes.Clone(g.announce)
	for _, i := range at {
		f[i] ^= 8
	}
	return f
}

// TestHostileFrames holds each kind of bad frame to its reason, and that none
// costs an allocation or keeps the good transfer from becoming whole.
func TestHostileFrames(t *testing.T) {
	for _, c := range hostileFrames {
		t.Run(c.name, func(t *testing.T) {
			g := newRig(t)
			bad := c.make(g)
			before := g.r.Counters().Dropped[c.want.String()]
			g.r.Datagram(bad)
			if got := g.r.Counters().Dropped[c.want.String()] - before; got != 1 {
				t.Fatalf("not dropped as %v: %v", c.want, g.r.Counters().Dropped)
			}
			if n := testing.AllocsPerRun(50, func() { g.r.Datagram(bad) }); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
			if c.want == DropBudget {
				g.r.budget.left = verifyIdle
			}
			g.session(100)
			g.send(g.frames(small, g.data(8, 0, []byte("good"))))
			g.close()
			if string(g.sink.objects[protocol.ObjectID{8}]) != "good" {
				t.Error("the good transfer did not survive")
			}
		})
	}
}

// TestEveryReasonHasAHostileFrame keeps the list above complete.
func TestEveryReasonHasAHostileFrame(t *testing.T) {
	met := map[Drop]bool{DropMemory: true} // TestMemoryIsBounded
	for _, c := range hostileFrames {
		met[c.want] = true
	}
	for d := range dropReasons {
		if !met[d] {
			t.Errorf("no hostile frame is dropped as %v", d)
		}
	}
}

// TestForgedFramesFillNoBlock: without the key nothing is allocated, however many
// blocks the frames name.
func TestForgedFramesFillNoBlock(t *testing.T) {
	g := newRig(t)
	f := g.frames(small, []byte{9})[0]
	f[len(f)-1] ^= 1
	for i := range uint64(200_000) {
		binary.BigEndian.PutUint64(f[20:], i*977+1)
		g.r.Datagram(f)
	}
	if n := len(g.r.sessions[0].blocks); n != 0 || g.r.memory.used != 0 {
		t.Fatalf("%d blocks, %d bytes", n, g.r.memory.used)
	}
	g.close()
}

// TestForgedSequencesLeadNowhere: the sequence of a symbol that nobody needs is
// counted without a look at its tag. Forged ones must neither be taken for loss
// nor make the receiver deaf after a restart.
func TestForgedSequencesLeadNowhere(t *testing.T) {
	g := newRig(t)
	good := g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))
	g.send(good)
	forged := bytes.Clone(good[0])
	for i := range uint64(10_000) {
		binary.BigEndian.PutUint64(forged[12:], 100+i*linkTrust)
		g.r.Datagram(forged)
	}
	g.send(g.frames(rigGeometry, g.data(2, 0, content(room(), 2))))
	if l := g.r.TakeLinks()[0]; l.Lost > linkTrust {
		t.Errorf("%d frames lost, but none was", l.Lost)
	}
	g.close()
	g.start()
	for range 1 + linkTrust/rigGeometry.Symbols() {
		g.send(g.frames(rigGeometry, g.data(2, 0, []byte("lost"))))
	}
	g.send(g.frames(rigGeometry, g.data(3, 0, []byte("heard"))))
	g.close()
	if string(g.sink.objects[protocol.ObjectID{3}]) != "heard" {
		t.Fatalf("deaf after the restart: %v", g.r.Counters().Dropped)
	}
}

package config

import (
	"time"

	"weir/internal/geometry"
	"weir/protocol"
)

// BlocksHeld is how many of the largest blocks a sender must have room for:
// one that is filled, one that waits and one that leaves.
const BlocksHeld = 3

// Bytes of a frame that are not the symbol, on top of protocol.FrameOverhead.
const (
	udpHeader  = 8
	ipv4Header = 20
	ipv6Header = 40
)

func (c *Sender) readGeometry(t *table) {
	t.integer("k", &c.Geometry.K)
	t.integer("m", &c.Geometry.M)
	t.integer("depth", &c.Geometry.Depth)
	t.integer("symbol", &c.Geometry.Symbol)
}

// LargestSymbol returns the largest symbol that MTU allows, in bytes.
func (c *Sender) LargestSymbol() int { return c.maxSymbol() }

// maxSymbol returns the largest symbol that fits the MTU.
func (c *Sender) maxSymbol() int {
	room := c.MTU - c.ipHeader() - udpHeader - protocol.FrameOverhead
	return min(room-room%protocol.SymbolAlign, protocol.MaxSymbol)
}

func (c *Sender) ipHeader() int {
	if c.To.Addr().Is6() && !c.To.Addr().Is4In6() {
		return ipv6Header
	}
	return ipv4Header
}

func (c *Sender) checkRelations(t *table) {
	c.checkSymbol(t)
	if len(t.doc.problems) > 0 {
		return
	}
	if c.isExpert(t) {
		c.checkExpert(t)
		return
	}
	if longest := c.LongestBurst(); c.Burst > longest {
		t.problem("burst", "%v at %v with overhead %v needs blocks that the limits (a block of %v, memory %v) do not allow, "+
			"write %q or less, or more overhead", c.Burst, c.Rate, c.Overhead, Size(protocol.MaxBlockBytes), c.Memory, longest)
	}
}

func (c *Sender) checkSymbol(t *table) {
	most, s := c.maxSymbol(), c.Geometry.Symbol
	_, given := t.values["symbol"]
	switch {
	case !given:
		c.Geometry.Symbol = most
	case s > most:
		t.problem("symbol", "%d does not fit the MTU of %d, write %d or less, or leave the line out", s, c.MTU, most)
	case s < protocol.MinSymbol || s%protocol.SymbolAlign != 0:
		t.problem("symbol", "%d is not possible, write a multiple of %d from %d to %d, or leave the line out",
			s, protocol.SymbolAlign, protocol.MinSymbol, most)
	}
}

// isExpert reports whether k, m and depth are given by hand.
func (c *Sender) isExpert(t *table) bool {
	for _, key := range []string{"k", "m", "depth"} {
		if _, ok := t.values[key]; ok {
			return true
		}
	}
	return false
}

func (c *Sender) checkExpert(t *table) {
	t.need("k", "m", "depth")
	for _, key := range []string{"overhead", "burst"} {
		if _, ok := t.values[key]; ok {
			t.problem(key, "it does not go with k, m and depth, which already decide it: delete this line, or those three")
		}
	}
	g := c.Geometry
	switch {
	case len(t.doc.problems) > 0:
	case g.K < 1 || g.M < 1:
		t.problem("k", "k = %d and m = %d: both must be at least 1, write k = 200 and m = 20", g.K, g.M)
	case g.K > protocol.MaxShards || g.M > protocol.MaxShards || g.K+g.M > protocol.MaxShards:
		t.problem("k", "k + m is %d and must be at most %d, write k = %d or less", g.K+g.M, protocol.MaxShards, max(protocol.MaxShards-g.M, 1))
	case g.Depth < 1 || g.Depth > c.maxDepth():
		t.problem("depth", "%d is out of range: a block has at most %v and three must fit the memory of %v, write 1 to %d",
			g.Depth, Size(protocol.MaxBlockBytes), c.Memory, c.maxDepth())
	}
}

// blockLimit returns the largest block in bytes that protocol and memory allow.
func (c *Sender) blockLimit() int64 {
	return min(protocol.MaxBlockBytes, int64(c.Memory)/BlocksHeld)
}

func (c *Sender) maxDepth() int {
	shardRow := int64((c.Geometry.K + c.Geometry.M) * c.Geometry.Symbol)
	return int(min(c.blockLimit()/shardRow, protocol.MaxDepth))
}

// LongestBurst returns the longest Burst that Rate, Overhead, MTU and Memory
// allow, rounded down to a round figure.
func (c *Sender) LongestBurst() Duration {
	symbol := c.Geometry.Symbol
	if symbol == 0 {
		symbol = c.maxSymbol()
	}
	return round(Duration(geometry.Longest(uint64(c.Rate), c.Overhead.Fraction(), symbol, c.blockLimit())))
}

// round cuts a time down to whole milliseconds, shorter ones to microseconds.
func round(d Duration) Duration {
	step := time.Millisecond
	if time.Duration(d) < 10*time.Millisecond {
		step = time.Microsecond
	}
	return Duration(time.Duration(d).Truncate(step))
}

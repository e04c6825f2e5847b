// Package geometry chooses the shape of blocks: how many shards of how many
// symbols bridge the outages that parity alone is to bridge.
package geometry

import (
	"fmt"
	"math"
	"time"

	"weir/protocol"
)

// WireOverhead is what one frame takes on an Ethernet beside its bytes: what
// package pacing reckons for a datagram.
const WireOverhead = 66

const (
	// Shards is k + m that is aimed at. A code of 200+20 restores 1.16 % random
	// loss with less than one unhealed column in a terabyte; longer codes are
	// slower, shorter ones tolerate less.
	Shards    = 220
	minParity = 2

	// scattered is how many parity symbols of each column stay for other losses
	// when an outage of the whole burst hits a block. By the binomial tail (package
	// plan) a block of 220 shards and depth 254, 50 ms at 1 Gbit/s, that such an
	// outage hits amid 0.1 % of random loss keeps a hole with a probability of
	//
	//	reserved   1     2     3      4        5       (a tenth more burst: 55 %)
	//	           99 %  24 %  1.7 %  0.055 %  0.002 %
	//
	// and each symbol costs a twentieth of the memory at 10 % overhead. Four suit
	// losses up to 0.1 %, with any overhead: a share of the burst, as a reserve,
	// would leave too little where there are few parity symbols, and waste memory
	// where there are many. Links that lose more have other trouble than outages.
	scattered = 4
)

// ratio returns k and m for an overhead, the ratio of parity to data.
func ratio(overhead float64) (k, m int) {
	k = int(math.Round(Shards / (1 + overhead)))
	m = max(minParity, int(math.Ceil(float64(k)*overhead-1e-9)))
	for k+m > protocol.MaxShards {
		k--
	}
	return k, m
}

// ForOutages returns how many of m parity symbols are reckoned with for outages.
// At least half of them are: with very little parity, memory would else grow out
// of proportion.
func ForOutages(m int) int { return max(m-scattered, (m+1)/2) }

// New returns the shape of full blocks: rate in bits per second on the wire,
// overhead as the ratio of parity to data, burst the longest outage that parity
// alone must bridge, symbol in bytes. It returns an error where no block within
// the protocol's limits does that.
func New(rate uint64, overhead float64, burst time.Duration, symbol int) (protocol.Geometry, error) {
	k, m := ratio(overhead)
	g := protocol.Geometry{K: k, M: m, Symbol: symbol}
	// An int could not hold what an absurd burst asks for.
	depth := math.Ceil(burst.Seconds() * float64(rate) / FrameBits(symbol) / float64(ForOutages(m)))
	g.Depth = int(min(max(1, depth), protocol.MaxDepth+1))
	if err := g.Check(); err != nil {
		return g, fmt.Errorf("an outage of %v at %d bit/s with %.0f %% parity needs blocks of %d+%d shards of %d symbols: %w; lower burst or rate, or raise overhead",
			burst, rate, overhead*100, g.K, g.M, g.Depth, err)
	}
	return g, nil
}

// Longest returns the longest burst, cut down to whole microseconds, for which
// New makes a block of at most limit bytes.
func Longest(rate uint64, overhead float64, symbol int, limit int64) time.Duration {
	k, m := ratio(overhead)
	if rate == 0 || symbol <= 0 || k <= 0 {
		return 0
	}
	depth := min(min(limit, protocol.MaxBlockBytes)/int64((k+m)*symbol), protocol.MaxDepth)
	seconds := float64(depth) * float64(ForOutages(m)) * FrameBits(symbol) / float64(rate)
	// As whole microseconds are cut off, rounding in New cannot ask for more.
	return time.Duration(min(seconds, time.Hour.Seconds()) * float64(time.Second)).Truncate(time.Microsecond)
}

// FrameBits returns how many bits a frame takes on the wire.
func FrameBits(symbol int) float64 {
	return float64(symbol+protocol.FrameOverhead+WireOverhead) * 8
}

// Bridges returns the longest outage at rate that a block of shape g heals when it
// loses nothing else.
func Bridges(g protocol.Geometry, rate uint64) time.Duration {
	return time.Duration(float64(g.M*g.Depth) * FrameBits(g.Symbol) / float64(rate) * 1e9)
}

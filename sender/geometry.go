package sender

import (
	"fmt"
	"math"
	"time"

	"weir/internal/pacing"
	"weir/protocol"
)

// Tuning of the geometry. A code of 200+20 restores 1.16 % random loss with less
// than one unhealed column in a terabyte; longer codes are slower, shorter ones
// tolerate less.
const (
	wantedShards = 220
	minParity    = 2
	// burstMargin is the outage bridged beside the one that was asked for: other
	// losses of the same block need parity too.
	burstMargin = 1.1
)

// NewGeometry returns the shape of full blocks: rate in bits per second on the
// wire, overhead as the ratio of parity to data, burst the longest outage that
// parity alone must bridge, symbol in bytes. It returns an error where no block
// within the protocol's limits does that.
func NewGeometry(rate uint64, overhead float64, burst time.Duration, symbol int) (protocol.Geometry, error) {
	k := int(math.Round(wantedShards / (1 + overhead)))
	g := protocol.Geometry{K: k, M: max(minParity, int(math.Ceil(float64(k)*overhead-1e-9))), Symbol: symbol}
	for g.K+g.M > protocol.MaxShards {
		g.K--
	}
	wire := float64(pacing.WireBytes(symbol+protocol.FrameOverhead)) * 8
	frames := burst.Seconds() * float64(rate) / wire * burstMargin
	// An int could not hold what an absurd burst asks for.
	g.Depth = int(min(max(1, math.Ceil(frames/float64(g.M))), protocol.MaxDepth+1))
	if err := g.Check(); err != nil {
		return g, fmt.Errorf("an outage of %v at %d bit/s with %.0f %% parity needs blocks of %d+%d shards of %d symbols: %w; lower burst or rate, or raise overhead",
			burst, rate, overhead*100, g.K, g.M, g.Depth, err)
	}
	return g, nil
}

// Bridges returns the longest outage at rate that a block of shape g heals.
func Bridges(g protocol.Geometry, rate uint64) time.Duration {
	wire := float64(pacing.WireBytes(g.Symbol+protocol.FrameOverhead)) * 8
	return time.Duration(float64(g.M*g.Depth) * wire / float64(rate) * 1e9)
}

// Fit returns the shape of a block for n bytes of records, at most a full one:
// first the depth shrinks, then k, and the parity with k, to two symbols a
// column at the least.
func Fit(full protocol.Geometry, n int) protocol.Geometry {
	g := full
	symbols := max(1, (n+g.Symbol-1)/g.Symbol)
	g.Depth = min(full.Depth, (symbols+full.K-1)/full.K)
	g.K = min(full.K, (symbols+g.Depth-1)/g.Depth)
	g.M = min(full.M, max(minParity, (g.K*full.M+full.K-1)/full.K))
	return g
}

package sender

import (
	"time"

	"weir/internal/pacing"
	"weir/protocol"
)

// minParity is how many parity symbols a column has at the least.
const minParity = 2

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

// passBlock is how long a block of a pass takes on the wire, or less. New data waits
// for two of them; parity of a short block bridges a shorter outage, which the next
// pass makes up for.
const passBlock = 50 * time.Millisecond

// passShape returns the shape of the blocks of a pass.
func (t *transmitter) passShape() protocol.Geometry {
	frames := float64(t.cfg.Rate) / 8 * passBlock.Seconds() / float64(pacing.WireBytes(t.full.Symbol+protocol.FrameOverhead))
	data := frames * float64(t.full.K) / float64(t.full.K+t.full.M) * float64(t.full.Symbol)
	return t.fit(min(max(int(data), minBlock), t.full.DataBytes()))
}

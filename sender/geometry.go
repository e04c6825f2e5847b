package sender

import "weir/protocol"

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

package protocol

import "errors"

// Geometry is the shape of a block: K data shards and M parity shards, each
// Depth symbols long, each symbol of Symbol bytes.
type Geometry struct {
	K, M   int
	Depth  int
	Symbol int
}

// ErrGeometry is returned for a block shape outside of the limits.
var ErrGeometry = errors.New("geometry outside of the limits")

// Check returns ErrGeometry unless every limit of the specification holds.
func (g Geometry) Check() error {
	switch {
	case g.K < 1 || g.M < 1 || g.K > MaxShards || g.M > MaxShards || g.K+g.M > MaxShards,
		g.Depth < 1 || g.Depth > MaxDepth,
		g.Symbol < MinSymbol || g.Symbol > MaxSymbol || g.Symbol%SymbolAlign != 0,
		g.BlockBytes() > MaxBlockBytes:
		return ErrGeometry
	}
	return nil
}

// Within reports whether a block of this shape may come in a session that
// announced the shape largest.
func (g Geometry) Within(largest Geometry) bool {
	return g.K <= largest.K && g.M <= largest.M && g.Depth <= largest.Depth && g.Symbol == largest.Symbol
}

// SparesLane reports whether parity restores what the loss of one lane of n takes
// from a block: shards are dealt out evenly.
func (g Geometry) SparesLane(n int) bool { return n > 1 && g.K <= (n-1)*g.M }

// Shard returns the length of a shard in bytes.
func (g Geometry) Shard() int { return g.Depth * g.Symbol }

// DataSymbols returns how many symbols carry data.
func (g Geometry) DataSymbols() int { return g.K * g.Depth }

// Symbols returns how many symbols a block has, parity included.
func (g Geometry) Symbols() int { return (g.K + g.M) * g.Depth }

// DataBytes returns how many bytes of records a block holds at most.
func (g Geometry) DataBytes() int { return g.K * g.Shard() }

// ParityBytes returns the bytes of a block's parity.
func (g Geometry) ParityBytes() int { return g.M * g.Shard() }

// BlockBytes returns the bytes of a block, parity included.
func (g Geometry) BlockBytes() int { return (g.K + g.M) * g.Shard() }

// Package fec is the erasure code of a block: shards in, shards out. It knows
// no frame.
//
// A block is k data shards and m parity shards over GF(2^8). A shard is depth
// symbols long; the symbols of one column of all shards are one codeword, so
// that encoding works on whole long shards while an outage of m*depth
// consecutive symbols costs each codeword m of them at most, which is what it
// can restore.
//
// Encoding and the multiplication of slices are klauspost/reedsolomon's. Its
// general reconstruction inverts a k x k matrix for every pattern of loss;
// Rebuild solves for the e lost symbols alone instead: an e x e system over
// the syndromes of e parity symbols, once for each run of neighbouring columns
// that lost the same shards. Every square part of the parity rows of a
// systematic MDS code is invertible (MacWilliams and Sloane, The Theory of
// Error-Correcting Codes, ch. 11, theorem 8), so any e parity symbols do.
package fec

import (
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/reedsolomon"
)

// MaxShards bounds k+m: the size of the field.
const MaxShards = 256

// maxEncoders bounds the encoders kept for different shard lengths. Full blocks
// have one length; small ones vary.
const maxEncoders = 16

// ErrArgument is returned for arguments whose lengths do not fit together.
var ErrArgument = errors.New("lengths do not fit the code")

// Code is the code of k data and m parity shards. It is safe for concurrent
// use.
type Code struct {
	k, m   int
	parity [][]byte // m rows of k coefficients

	mu       sync.Mutex
	encoders map[int]reedsolomon.Encoder
	scratch  chan *rebuilder
}

// scratchKept is how many calls at once find scratch memory ready.
const scratchKept = 4

// New returns the code of k data and m parity shards; k and m are at least 1
// and k+m at most MaxShards.
func New(k, m int) (*Code, error) {
	if k < 1 || m < 1 || k > MaxShards || m > MaxShards || k+m > MaxShards {
		return nil, fmt.Errorf("a code of %d+%d shards: %w", k, m, ErrArgument)
	}
	return &Code{
		k: k, m: m, parity: parityRows(k, m),
		encoders: map[int]reedsolomon.Encoder{}, scratch: make(chan *rebuilder, scratchKept),
	}, nil
}

// take returns scratch memory, which give takes back.
func (c *Code) take() *rebuilder {
	select {
	case r := <-c.scratch:
		return r
	default:
		return &rebuilder{code: c}
	}
}

func (c *Code) give(r *rebuilder) {
	select {
	case c.scratch <- r:
	default:
	}
}

// encoder returns the encoder for shards of the given length in bytes.
// Version 1.14 of the library takes its fastest code (GFNI) for k > 10 only on
// the way that splits work, so it is told that it may split, but never finds a
// shard long enough to be split.
func (c *Code) encoder(shard int) (reedsolomon.Encoder, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if enc := c.encoders[shard]; enc != nil {
		return enc, nil
	}
	if len(c.encoders) >= maxEncoders {
		clear(c.encoders)
	}
	enc, err := reedsolomon.New(c.k, c.m, reedsolomon.WithInversionCache(false), reedsolomon.WithCustomMatrix(c.parity),
		reedsolomon.WithMaxGoroutines(2), reedsolomon.WithMinSplitSize(max(shard-64, 64)))
	if err != nil {
		return nil, fmt.Errorf("making an encoder of %d+%d shards: %w", c.k, c.m, err)
	}
	c.encoders[shard] = enc
	return enc, nil
}

// Encode fills parity with the m parity shards of the k data shards in data.
// Both are shard after shard, each of shard bytes.
func (c *Code) Encode(data, parity []byte, shard int) error {
	if shard < 1 || len(data) != c.k*shard || len(parity) != c.m*shard {
		return fmt.Errorf("encoding %d+%d bytes in shards of %d: %w", len(data), len(parity), shard, ErrArgument)
	}
	enc, err := c.encoder(shard)
	if err != nil {
		return err
	}
	r := c.take()
	defer c.give(r)
	shards := r.shards[:0]
	for i := range c.k {
		shards = append(shards, data[i*shard:(i+1)*shard])
	}
	for i := range c.m {
		shards = append(shards, parity[i*shard:(i+1)*shard])
	}
	r.shards = shards
	return enc.Encode(shards)
}

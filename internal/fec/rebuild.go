package fec

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/reedsolomon"
)

// maxSlice bounds the bytes of a shard that are worked on at a time, so that
// the syndromes stay in the cache.
const maxSlice = 32 << 10

var errSingular = errors.New("the code has a singular part")

// low multiplies slices with the fastest instructions of the machine.
var low reedsolomon.LowLevel

// rebuilder is the scratch memory of one call.
type rebuilder struct {
	code     *Code
	shards   [][]byte
	lost     []int  // data shards that a column lost
	rows     []int  // parity rows that stand in for them
	pattern  []byte // lost and rows of the current run
	next     []byte // the same of the column looked at
	matrix   []byte
	inverse  []byte
	syndrome []byte
}

// Rebuild restores the lost data symbols of a block in place. block is
// (k+m)*depth*symbol bytes, shard after shard; bit i of present tells that
// symbol i (shard*depth + column) is there. The bits of rebuilt data symbols
// are set. It returns how many data symbols were rebuilt and how many stay
// lost because their column has fewer than k symbols. Lost parity is not
// rebuilt.
func (c *Code) Rebuild(block []byte, depth, symbol int, present []uint64) (rebuilt, failed int, err error) {
	symbols := (c.k + c.m) * depth
	if depth < 1 || symbol < 1 || len(block) != symbols*symbol || len(present)*64 < symbols {
		return 0, 0, fmt.Errorf("rebuilding %d bytes of depth %d: %w", len(block), depth, ErrArgument)
	}
	r := c.take()
	defer c.give(r)
	for col := 0; col < depth; {
		if !r.look(present, depth, col) {
			failed += len(r.lost)
			col++
			continue
		}
		run := 1
		r.pattern = append(r.pattern[:0], r.next...)
		for len(r.lost) > 0 && col+run < depth && r.look(present, depth, col+run) && bytes.Equal(r.pattern, r.next) {
			run++
		}
		if len(r.pattern) > 0 {
			r.look(present, depth, col) // the look that ended the run may have been at another pattern
			if err := r.restore(block, depth*symbol, col*symbol, run*symbol); err != nil {
				return rebuilt, failed, err
			}
			rebuilt += run * r.mark(present, depth, col, run)
		}
		col += run
	}
	return rebuilt, failed, nil
}

func has(present []uint64, i int) bool { return present[i/64]&(1<<(i%64)) != 0 }

// look finds what column col lost and the parity rows that will restore it. It
// reports whether it can be restored.
func (r *rebuilder) look(present []uint64, depth, col int) bool {
	r.lost, r.rows, r.next = r.lost[:0], r.rows[:0], r.next[:0]
	for i := range r.code.k {
		if !has(present, i*depth+col) {
			r.lost = append(r.lost, i)
			r.next = append(r.next, byte(i))
		}
	}
	for row := 0; row < r.code.m && len(r.rows) < len(r.lost); row++ {
		if has(present, (r.code.k+row)*depth+col) {
			r.rows = append(r.rows, row)
			r.next = append(r.next, byte(row))
		}
	}
	return len(r.rows) == len(r.lost)
}

// mark sets the bits of the rebuilt symbols and returns how many a column had.
func (r *rebuilder) mark(present []uint64, depth, col, run int) int {
	for _, i := range r.lost {
		for c := col; c < col+run; c++ {
			s := i*depth + c
			present[s/64] |= 1 << (s % 64)
		}
	}
	return len(r.lost)
}

// restore solves for bytes off to off+n of the lost shards.
func (r *rebuilder) restore(block []byte, shard, off, n int) error {
	e := len(r.lost)
	r.matrix, r.inverse = grow(r.matrix, e*e), grow(r.inverse, e*e)
	for i, row := range r.rows {
		for j, lost := range r.lost {
			r.matrix[i*e+j] = r.code.parity[row][lost]
		}
	}
	if !invert(r.matrix, r.inverse, e) {
		return errSingular
	}
	for n > 0 {
		width := min(n, maxSlice)
		r.restoreSlice(block, shard, off, width)
		off, n = off+width, n-width
	}
	return nil
}

// restoreSlice computes the syndromes, what the data that is there leaves of
// each parity, and from them the lost data.
func (r *rebuilder) restoreSlice(block []byte, shard, off, width int) {
	e := len(r.lost)
	r.syndrome = grow(r.syndrome, e*width)
	for i, row := range r.rows {
		copy(r.syndrome[i*width:], block[(r.code.k+row)*shard+off:][:width])
	}
	lost := 0
	for j := range r.code.k {
		if lost < e && r.lost[lost] == j {
			lost++
			continue
		}
		in := block[j*shard+off:][:width]
		for i, row := range r.rows {
			low.GalMulSliceXor(r.code.parity[row][j], in, r.syndrome[i*width:][:width])
		}
	}
	for j, shardNo := range r.lost {
		out := block[shardNo*shard+off:][:width]
		clear(out)
		for i := range e {
			low.GalMulSliceXor(r.matrix[j*e+i], r.syndrome[i*width:][:width], out)
		}
	}
}

func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

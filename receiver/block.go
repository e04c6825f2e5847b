package receiver

import (
	"time"

	"weir/protocol"
)

// block is the memory of one block while its symbols come, and what has come.
type block struct {
	number   uint64
	geometry protocol.Geometry
	length   int // bytes of records
	arena    []byte
	present  []uint64 // bit i: symbol i is there
	columns  []uint16 // symbols that each column has
	lacking  int      // columns with fewer than k symbols
	data     int      // data symbols that are there
	refused  int      // frames that came and found no memory
	touched  time.Time
	expires  expiry
}

func newBlock(h *protocol.Header, arena []byte) *block {
	return &block{
		number: h.Block, geometry: h.Geometry, length: int(h.Length), arena: arena,
		present: make([]uint64, (h.Symbols()+63)/64), columns: make([]uint16, h.Depth), lacking: h.Depth,
	}
}

func (b *block) has(i int) bool { return b.present[i/64]&(1<<(i%64)) != 0 }

// symbol returns the place of symbol i.
func (b *block) symbol(i int) []byte {
	return b.arena[i*b.geometry.Symbol:][:b.geometry.Symbol]
}

func (b *block) columnDone(column int) bool { return int(b.columns[column]) >= b.geometry.K }

func (b *block) mark(i, column int) {
	b.present[i/64] |= 1 << (i % 64)
	if i < b.geometry.DataSymbols() {
		b.data++
	}
	if b.columns[column]++; int(b.columns[column]) == b.geometry.K {
		b.lacking--
	}
}

// complete reports whether all data is there or can be rebuilt.
func (b *block) complete() bool { return b.lacking == 0 }

// held returns how many of the n bytes from off on are there without a gap.
func (b *block) held(off, n int) int {
	end := min(off+n, b.length)
	for at := off; at < end; {
		i := at / b.geometry.Symbol
		if !b.has(i) {
			return max(at-off, 0)
		}
		at = (i + 1) * b.geometry.Symbol
	}
	return max(end-off, 0)
}

// lost returns how many of the n bytes from off on are missing without a gap.
func (b *block) lost(off, n int) int {
	end := min(off+n, b.length)
	for at := off; at < end; {
		i := at / b.geometry.Symbol
		if b.has(i) {
			return at - off
		}
		at = (i + 1) * b.geometry.Symbol
	}
	return max(end-off, 0)
}

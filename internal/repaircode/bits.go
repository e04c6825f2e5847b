package repaircode

import (
	"errors"
	"math/bits"
)

// bitWriter gathers bits, each in a byte of its own: codes are short.
type bitWriter struct{ bits []byte }

func (w *bitWriter) put(v uint64, n int) {
	for i := n - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(v>>i&1))
	}
}

// golomb writes v in the exponential Golomb code of order k.
func (w *bitWriter) golomb(v uint64, k int) {
	q := v>>k + 1
	n := bits.Len64(q)
	w.put(0, n-1)
	w.put(q, n)
	w.put(v, k)
}

// golombBits returns how many bits golomb writes.
func golombBits(v uint64, k int) int { return 2*bits.Len64(v>>k+1) - 1 + k }

// symbols returns the bits in fives, filled up with zeros.
func (w *bitWriter) symbols() []byte {
	var out []byte
	for i := 0; i < len(w.bits); i += symbolBits {
		var s byte
		for j := i; j < i+symbolBits; j++ {
			s <<= 1
			if j < len(w.bits) {
				s |= w.bits[j]
			}
		}
		out = append(out, s)
	}
	return out
}

var errBits = errors.New("it ends too early, or says what cannot be")

// bitReader reads bits from symbols. After the first error it returns zeros.
type bitReader struct {
	symbols []byte
	at      int
	bad     bool
}

func (r *bitReader) left() int { return len(r.symbols)*symbolBits - r.at }

func (r *bitReader) get(n int) (v uint64) {
	if r.bad = r.bad || n > r.left(); r.bad {
		return 0
	}
	for range n {
		s := r.symbols[r.at/symbolBits]
		v = v<<1 | uint64(s>>(symbolBits-1-r.at%symbolBits)&1)
		r.at++
	}
	return v
}

// maxValue bounds every value of a code: more 4 KiB units than an object can have.
const maxValue = 1 << 52

// golomb reads a value below maxValue.
func (r *bitReader) golomb(k int) uint64 {
	n := 0
	for !r.bad && r.get(1) == 0 {
		n++
	}
	if r.bad = r.bad || n+k > 52; r.bad {
		return 0
	}
	q := 1<<n | r.get(n)
	v := (q-1)<<k | r.get(k)
	if r.bad = r.bad || v >= maxValue; r.bad {
		return 0
	}
	return v
}

// rest reports whether nothing but the zeros that fill the last symbol is left.
func (r *bitReader) rest() bool {
	n := r.left()
	return n < symbolBits && r.get(n) == 0 && !r.bad
}

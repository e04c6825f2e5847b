package repaircode

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
)

// Unit is the least run of bytes that a code names, in bytes.
const Unit = 4096

// Limits of a code, checked before anything is allocated.
const (
	MaxParts = 1024    // in one code
	MaxText  = 4 << 20 // bytes of a text that Parse looks at
	MaxCount = 1 << 20 // snapshots in one part
	maxScale = 31
)

// Kind says what a part names.
type Kind uint8

// The kinds of parts.
const (
	Everything Kind = iota // of snapshots, with their manifests
	Manifest               // the manifest alone
	Files                  // whole files
	Units                  // runs of bytes
)

// String returns the kind in a word.
func (k Kind) String() string {
	return [...]string{"everything", "manifest", "files", "units"}[k&3]
}

// Range is a run of files or units.
type Range struct {
	First, Length uint64 // Length is at least 1
}

// End returns the first number behind the range.
func (r Range) End() uint64 { return r.First + r.Length }

// Part names what of one source to send again.
type Part struct {
	Source uint16 // SourceHash of its name
	Number uint64 // of the snapshot
	Kind   Kind
	Count  uint64  // Everything only: how many snapshots, from Number on
	Scale  uint8   // Units only: a unit of Ranges is Unit << Scale bytes
	Ranges []Range // Files and Units: ascending, at least one file or unit apart
}

// Code is what a repair code says: its parts by source and number.
type Code struct{ Parts []Part }

const (
	sourceBits  = 10
	numberOrder = 5
	orderBits   = 5
	allOnes     = 31 // the order of lengths that are all 1
	maxOrder    = 30
)

// SourceHash returns the bits that stand for a source's name in a code. Several
// names may share them; the check of the code tells which one is meant.
func SourceHash(name string) uint16 {
	sum := sha256.Sum256([]byte(name))
	return binary.BigEndian.Uint16(sum[:]) >> (16 - sourceBits)
}

// reach returns the first number that the part does not name.
func (p *Part) reach() uint64 {
	if p.Kind == Everything {
		return p.Number + p.Count
	}
	return p.Number + 1
}

func (c Code) write(w *bitWriter) {
	w.put(0, 2)
	w.golomb(uint64(len(c.Parts)-1), 0)
	for i := range c.Parts {
		p, base := &c.Parts[i], uint64(1)
		if i > 0 {
			if before := &c.Parts[i-1]; before.Source == p.Source && before.reach() <= p.Number {
				base = before.reach()
				w.put(1, 1)
			} else {
				w.put(0, 1)
			}
		}
		if base == 1 {
			w.put(uint64(p.Source), sourceBits)
		}
		w.golomb(p.Number-base, numberOrder)
		p.write(w)
	}
}

func (p *Part) write(w *bitWriter) {
	w.put(uint64(p.Kind), 2)
	switch p.Kind {
	case Everything:
		w.golomb(p.Count-1, 0)
	case Files:
		writeRanges(w, p.Ranges)
	case Units:
		w.put(uint64(p.Scale), 5)
		writeRanges(w, p.Ranges)
	}
}

func writeRanges(w *bitWriter, all []Range) {
	a, b := orders(all)
	w.put(uint64(a), orderBits)
	w.put(uint64(b), orderBits)
	w.golomb(uint64(len(all)-1), 0)
	eachSkip(all, func(skipped, length uint64) {
		w.golomb(skipped, a)
		if b != allOnes {
			w.golomb(length-1, b)
		}
	})
}

// eachSkip goes through ranges as a code has them.
func eachSkip(all []Range, do func(skipped, length uint64)) {
	at := uint64(0)
	for _, r := range all {
		do(r.First-at, r.Length)
		at = r.End() + 1
	}
}

// orders returns the orders of the Golomb codes that make the ranges shortest.
func orders(all []Range) (a, b int) {
	var skips, lengths [maxOrder + 1]int
	ones := true
	eachSkip(all, func(skipped, length uint64) {
		ones = ones && length == 1
		for k := range skips {
			skips[k] += golombBits(skipped, k)
			lengths[k] += golombBits(length-1, k)
		}
	})
	if ones {
		return least(skips[:]), allOnes
	}
	return least(skips[:]), least(lengths[:])
}

func least(all []int) (at int) {
	for i, n := range all {
		if n < all[at] {
			at = i
		}
	}
	return at
}

func (c *Code) read(r *bitReader) error {
	if v := r.get(2); v != 0 {
		return fmt.Errorf("%w: it is of another version", ErrCode)
	}
	n := r.golomb(0) + 1
	if n > MaxParts {
		return fmt.Errorf("%w: it has %d parts", ErrCode, n)
	}
	for i := range n {
		p := Part{}
		base := uint64(1)
		if i > 0 && r.get(1) == 1 {
			before := &c.Parts[i-1]
			p.Source, base = before.Source, before.reach()
		} else {
			p.Source = uint16(r.get(sourceBits))
		}
		p.Number = r.golomb(numberOrder) + base
		p.read(r)
		if r.bad {
			return fmt.Errorf("%w: %w", ErrCode, errBits)
		}
		c.Parts = append(c.Parts, p)
	}
	if !r.rest() {
		return fmt.Errorf("%w: there is something behind it", ErrCode)
	}
	return nil
}

func (p *Part) read(r *bitReader) {
	p.Kind = Kind(r.get(2))
	switch p.Kind {
	case Everything:
		p.Count = r.golomb(0) + 1
		r.bad = r.bad || p.Count > MaxCount
	case Files:
		p.Ranges = readRanges(r)
	case Units:
		p.Scale = uint8(r.get(5))
		p.Ranges = readRanges(r)
		n := len(p.Ranges)
		r.bad = r.bad || n > 0 && p.Ranges[n-1].End() >= maxValue>>p.Scale
	}
}

func readRanges(r *bitReader) (all []Range) {
	a, b := int(r.get(orderBits)), int(r.get(orderBits))
	n := r.golomb(0) + 1
	// Each range takes a bit at the least.
	if r.bad = r.bad || n > uint64(r.left()) || a > maxOrder; r.bad {
		return nil
	}
	at := uint64(0)
	for range n {
		x := Range{First: at + r.golomb(a), Length: 1}
		if b != allOnes {
			x.Length += r.golomb(b)
		}
		at = x.End() + 1
		if r.bad = r.bad || at >= maxValue; r.bad {
			return nil
		}
		all = append(all, x)
	}
	return all
}

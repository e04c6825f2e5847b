package repaircode

// maxRanges bounds the ranges that a Lack keeps; beyond it near ones are joined.
const maxRanges = 1 << 17

// Lack gathers what a snapshot lacks, file by file.
type Lack struct {
	Missing int64 // bytes that lack
	total   int64 // bytes of all files
	partly  int64 // bytes that are there of files that lack others
	ordinal uint64
	at      uint64 // unit at which the next file begins
	files   []Range
	units   []Range
	joinAt  uint64 // units up to which ranges are joined
}

// File adds the next file that has an object, in the order of the manifest; gaps
// are offset and length of what lacks of it, ascending, or nil.
func (l *Lack) File(size int64, gaps [][2]int64) {
	missing := int64(0)
	for _, g := range gaps {
		missing += g[1]
		first := uint64(g[0] / Unit)
		end := UnitsOf(g[0] + g[1])
		l.units = join(l.units, Range{l.at + first, end - first}, l.joinAt)
	}
	if len(gaps) > 0 {
		l.files = join(l.files, Range{l.ordinal, 1}, 0)
		l.partly += size - missing
	}
	l.total += size
	l.Missing += missing
	l.ordinal++
	l.at += UnitsOf(size)
	for len(l.units) > maxRanges {
		l.joinAt = 2*l.joinAt + 1
		l.units = coarser(l.units, 0, l.joinAt)
	}
}

// UnitsOf returns how many units a file of size bytes takes.
func UnitsOf(size int64) uint64 { return uint64((size + Unit - 1) / Unit) }

// join appends a range that ends behind all others, and joins it with the last
// one where no more than gap lies between them.
func join(all []Range, r Range, gap uint64) []Range {
	if n := len(all) - 1; n >= 0 && r.First <= all[n].End()+gap {
		all[n].Length = max(r.End(), all[n].End()) - all[n].First
		return all
	}
	return append(all, r)
}

// coarser rounds ranges out to units that are 1 << scale of the old ones, and
// joins those with no more than gap new ones between them.
func coarser(all []Range, scale int, gap uint64) []Range {
	var out []Range
	for _, r := range all {
		first := r.First >> scale
		end := (r.End()-1)>>scale + 1
		out = join(out, Range{first, end - first}, gap)
	}
	return out
}

func sum(all []Range) (n uint64) {
	for _, r := range all {
		n += r.Length
	}
	return n
}

// part returns the cheapest way to name what lacks, where a symbol of text is
// worth that many bytes sent in vain.
func (l *Lack) part(worth int64) Part {
	best := Part{Kind: Files, Ranges: l.files}
	cost := best.cost(worth, l.partly)
	try := func(p Part, vain int64) {
		if c := p.cost(worth, vain); c < cost {
			best, cost = p, c
		}
	}
	try(Part{Kind: Everything, Count: 1}, l.total-l.Missing)
	for scale := 0; scale <= maxScale; scale++ {
		var all []Range
		for _, gap := range []int64{0, 2 * worth, 4 * worth} {
			all = coarser(l.units, scale, uint64(gap/Unit)>>scale)
			try(Part{Kind: Units, Scale: uint8(scale), Ranges: all}, int64(sum(all))<<scale*Unit-l.Missing)
		}
		if len(all) == 1 && all[0].First == 0 && all[0].Length == 1 {
			break
		}
	}
	return best
}

// cost returns the price of a part in bytes.
func (p *Part) cost(worth, vain int64) float64 {
	var w bitWriter
	p.write(&w)
	return float64(len(w.bits))/symbolBits*float64(worth) + float64(max(vain, 0))
}

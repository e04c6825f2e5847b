package repaircode

// Picker finds the files that a part names, as the manifest is read.
type Picker struct {
	part    Part
	ordinal uint64
	at      uint64 // unit at which the next file begins
	next    int    // the first range that does not end before the next file
}

// NewPicker returns a Picker for the files of one snapshot that p names.
func NewPicker(p Part) *Picker { return &Picker{part: p} }

// File returns what of the next file that has an object is named: offset and
// length in bytes, ascending; nothing if it is not.
func (p *Picker) File(size int64) (named [][2]int64) {
	ordinal, at := p.ordinal, p.at
	p.ordinal++
	p.at += UnitsOf(size)
	switch p.part.Kind {
	case Everything:
		return [][2]int64{{0, size}}
	case Files:
		if p.skip(ordinal, 0); p.next < len(p.part.Ranges) && p.part.Ranges[p.next].First <= ordinal {
			return [][2]int64{{0, size}}
		}
	case Units:
		return p.units(at, size)
	}
	return nil
}

// skip passes over the ranges that end at or before n.
func (p *Picker) skip(n uint64, scale uint8) {
	for p.next < len(p.part.Ranges) && p.part.Ranges[p.next].End()<<scale <= n {
		p.next++
	}
}

func (p *Picker) units(at uint64, size int64) (named [][2]int64) {
	scale, end := p.part.Scale, p.at
	p.skip(at, scale)
	for _, r := range p.part.Ranges[p.next:] {
		first, last := max(r.First<<scale, at), min(r.End()<<scale, end)
		if first >= last {
			break
		}
		off := int64(first-at) * Unit
		named = append(named, [2]int64{off, min(int64(last-at)*Unit, size) - off})
	}
	return named
}

// Done reports whether no file that follows can be named.
func (p *Picker) Done() bool {
	switch p.part.Kind {
	case Everything:
		return false
	case Files:
		p.skip(p.ordinal, 0)
	case Units:
		p.skip(p.at, p.part.Scale)
	}
	return p.next == len(p.part.Ranges)
}

// Beyond reports, after the last file, whether the part names something that the
// snapshot does not have. Units that were rounded up may reach past its end.
func (p *Picker) Beyond() bool {
	if p.part.Kind != Files && p.part.Kind != Units || len(p.part.Ranges) == 0 {
		return false
	}
	last := p.part.Ranges[len(p.part.Ranges)-1]
	if p.part.Kind == Files {
		return last.End() > p.ordinal
	}
	return (last.End()-1)<<p.part.Scale >= p.at
}

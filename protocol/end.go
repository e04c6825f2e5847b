package protocol

// Range is a run of bytes of an object.
type Range struct {
	Offset, Length uint64
}

// End says what an object is when it is whole.
type End struct {
	Object ObjectID
	Size   uint64  // bytes
	SHA256 Hash    // of the content, holes read as zeros
	Holes  []Range // ascending; they are not sent and read as zeros
}

const (
	endFixed  = 16 + 8 + 32 + 4
	rangeSize = 16
)

// EndSize returns the bytes that the record of e takes in a block.
func EndSize(e *End) int { return RecordHeaderSize + endFixed + rangeSize*len(e.Holes) }

// AppendEnd appends the record of e.
func AppendEnd(b []byte, e *End) []byte {
	b = AppendRecordHeader(b, RecordEnd, EndSize(e)-RecordHeaderSize)
	b = append(b, e.Object[:]...)
	b = be.AppendUint64(b, e.Size)
	b = append(b, e.SHA256[:]...)
	b = be.AppendUint32(b, uint32(len(e.Holes)))
	for _, r := range e.Holes {
		b = be.AppendUint64(be.AppendUint64(b, r.Offset), r.Length)
	}
	return b
}

// ParseEnd reads the body of an End record; ErrRecord if it is not well formed,
// or if holes are out of order, touch or reach past the object.
func ParseEnd(body []byte) (End, error) {
	f := fields{rest: body}
	e := End{Object: f.object(), Size: f.size(), SHA256: f.hash()}
	n := int(f.uint32())
	if f.bad || n > MaxHoles || len(f.rest) != n*rangeSize {
		return End{}, ErrRecord
	}
	if n > 0 {
		e.Holes = make([]Range, n)
	}
	end := uint64(0)
	for i := range e.Holes {
		r := Range{Offset: f.size(), Length: f.size()}
		if f.bad || r.Length == 0 || (i > 0 && r.Offset <= end) || r.Offset+r.Length > e.Size {
			return End{}, ErrRecord
		}
		e.Holes[i], end = r, r.Offset+r.Length
	}
	return e, f.end()
}

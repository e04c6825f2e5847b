package protocol

// Abandoned tells of snapshots that were begun and will never be finished.
type Abandoned struct {
	Snapshots []Context
}

// MaxAbandoned bounds the snapshots of one record.
const MaxAbandoned = 256

// abandonedMin is the least that a snapshot takes in it, in bytes.
const abandonedMin = 1 + 1 + 8 + 8

// AbandonedSize returns the bytes that the record of a takes in a block.
func AbandonedSize(a *Abandoned) int {
	n := RecordHeaderSize + 2
	for i := range a.Snapshots {
		n += abandonedMin - 1 + len(a.Snapshots[i].Source)
	}
	return n
}

// AppendAbandoned appends the record of a, which has at most MaxAbandoned
// snapshots.
func AppendAbandoned(b []byte, a *Abandoned) []byte {
	b = AppendRecordHeader(b, RecordAbandoned, AbandonedSize(a)-RecordHeaderSize)
	b = be.AppendUint16(b, uint16(len(a.Snapshots)))
	for i := range a.Snapshots {
		s := &a.Snapshots[i]
		b = appendName(b, s.Source)
		b = be.AppendUint64(b, s.Number)
		b = be.AppendUint64(b, uint64(s.Taken))
	}
	return b
}

// ParseAbandoned reads the body of an Abandoned record; ErrRecord if it is not well
// formed.
func ParseAbandoned(body []byte) (Abandoned, error) {
	f := fields{rest: body}
	n := int(f.uint16())
	if f.bad || n == 0 || n > MaxAbandoned || n*abandonedMin > len(f.rest) {
		return Abandoned{}, ErrRecord
	}
	a := Abandoned{Snapshots: make([]Context, n)}
	for i := range a.Snapshots {
		a.Snapshots[i] = Context{Source: f.name(), Number: f.uint64(), Taken: int64(f.uint64())}
		f.bad = f.bad || a.Snapshots[i].Number == 0
	}
	return a, f.end()
}

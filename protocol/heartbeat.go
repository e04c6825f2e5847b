package protocol

// Heartbeat tells, when the link is idle, what a receiver should have seen.
type Heartbeat struct {
	Clock   int64 // ns since 1970, sender's clock
	Sources []SourceState
}

// SourceState is a snapshot of a source that was sent; a source may have several
// in one heartbeat.
type SourceState struct {
	Source   string
	Number   uint64
	Taken    int64 // ns since 1970, sender's clock
	Manifest Hash  // of its manifest file
}

// sourceStateMin is the least that a source takes in a heartbeat, in bytes.
const sourceStateMin = 1 + 1 + 8 + 8 + 32

// HeartbeatSize returns the bytes that the record of h takes in a block.
func HeartbeatSize(h *Heartbeat) int {
	n := RecordHeaderSize + 8 + 2
	for i := range h.Sources {
		n += sourceStateMin - 1 + len(h.Sources[i].Source)
	}
	return n
}

// AppendHeartbeat appends the record of h, which tells of at most
// MaxHeartbeatSources sources.
func AppendHeartbeat(b []byte, h *Heartbeat) []byte {
	b = AppendRecordHeader(b, RecordHeartbeat, HeartbeatSize(h)-RecordHeaderSize)
	b = be.AppendUint64(b, uint64(h.Clock))
	b = be.AppendUint16(b, uint16(len(h.Sources)))
	for i := range h.Sources {
		s := &h.Sources[i]
		b = appendName(b, s.Source)
		b = be.AppendUint64(b, s.Number)
		b = be.AppendUint64(b, uint64(s.Taken))
		b = append(b, s.Manifest[:]...)
	}
	return b
}

// ParseHeartbeat reads the body of a Heartbeat record; ErrRecord if it is not
// well formed.
func ParseHeartbeat(body []byte) (Heartbeat, error) {
	f := fields{rest: body}
	h := Heartbeat{Clock: int64(f.uint64())}
	n := int(f.uint16())
	if f.bad || n > MaxHeartbeatSources || n*sourceStateMin > len(f.rest) {
		return Heartbeat{}, ErrRecord
	}
	h.Sources = make([]SourceState, n)
	for i := range h.Sources {
		h.Sources[i] = SourceState{Source: f.name(), Number: f.uint64(), Taken: int64(f.uint64()), Manifest: f.hash()}
		f.bad = f.bad || h.Sources[i].Number == 0
	}
	return h, f.end()
}

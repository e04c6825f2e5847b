package protocol

// Header places one symbol. It is the additional data of the symbol's seal, so
// what a parsed header says holds once Opener.Open has succeeded, not before.
type Header struct {
	Session  SessionID
	Sequence uint64 // of the frame in its session; see LaneSequence
	Lane     int    // from 0: over which link of several the frame went
	More     int    // lanes of the session beside the first
	Block    uint64 // of the block in its session, from 1
	Shard    int    // 0 to K-1 are data, K to K+M-1 parity
	Column   int    // 0 to Depth-1
	Geometry
	Length uint32 // bytes of records in the block; zeros follow
}

// Offsets of the fields of a symbol frame.
const (
	offSymbol   = 2
	offSequence = 12
	offBlock    = 20
	offShard    = 28
	offK        = 29
	offM        = 30
	offLanes    = 31
	offColumn   = 32
	offDepth    = 34
	offLength   = 36
	offTail     = 40
)

// LaneSequence returns the number of the frame among those of its lane, from 1. The
// lane itself is the first byte of the sequence, so that no number comes twice in
// a session.
func (h *Header) LaneSequence() uint64 { return h.Sequence & maxLaneSequence }

// Index returns the place of the symbol among all symbols of its block.
func (h *Header) Index() int { return h.Shard*h.Depth + h.Column }

// AppendHeader appends the 48 bytes of h. It does not check them: a sender
// whose geometry passed Geometry.Check makes good headers.
func AppendHeader(b []byte, h *Header) []byte {
	b = append(b, Version, byte(FrameSymbol))
	b = be.AppendUint16(b, uint16(h.Symbol))
	b = append(b, h.Session[:]...)
	b = be.AppendUint64(b, h.Sequence)
	b = be.AppendUint64(b, h.Block)
	b = append(b, byte(h.Shard), byte(h.K), byte(h.M), byte(h.More))
	b = be.AppendUint16(b, uint16(h.Column))
	b = be.AppendUint16(b, uint16(h.Depth))
	b = be.AppendUint32(b, h.Length)
	return be.AppendUint64(b, 0)
}

// ParseHeader reads the header of a symbol frame into h and checks all that
// can be checked without a key: version, kind, every limit, and that the frame
// has exactly the length its symbol size asks for. It allocates nothing.
func ParseHeader(frame []byte, h *Header) error {
	if len(frame) < FrameOverhead+MinSymbol {
		return ErrShort
	}
	if frame[offVersion] != Version {
		return ErrVersion
	}
	if FrameKind(frame[offKind]) != FrameSymbol {
		return ErrKind
	}
	h.Session = SessionID(frame[offSession:endSession])
	h.Sequence = be.Uint64(frame[offSequence:])
	h.Block = be.Uint64(frame[offBlock:])
	h.Shard, h.Column = int(frame[offShard]), int(be.Uint16(frame[offColumn:]))
	h.K, h.M = int(frame[offK]), int(frame[offM])
	h.Depth, h.Symbol = int(be.Uint16(frame[offDepth:])), int(be.Uint16(frame[offSymbol:]))
	h.Length = be.Uint32(frame[offLength:])
	h.Lane, h.More = int(h.Sequence>>laneShift), int(frame[offLanes])
	return h.check(frame)
}

func (h *Header) check(frame []byte) error {
	if err := h.Geometry.Check(); err != nil {
		return err
	}
	switch {
	case len(frame) != FrameOverhead+h.Symbol:
		return ErrLength
	case be.Uint64(frame[offTail:]) != 0:
		return ErrReserved
	case h.LaneSequence() == 0 || h.Block == 0:
		return ErrSequence
	case h.More >= MaxLanes || h.Lane > h.More:
		return ErrLane
	case h.Shard >= h.K+h.M || h.Column >= h.Depth,
		h.Length == 0 || uint64(h.Length) > uint64(h.DataBytes()):
		return ErrIdentity
	}
	return nil
}

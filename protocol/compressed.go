package protocol

// Compressed is a range of an object's content, compressed.
type Compressed struct {
	Object ObjectID
	Offset uint64 // bytes from the object's start
	Length uint32 // bytes of content, at most MaxPlain
	Frame  []byte // one Zstandard frame; part of the block it was parsed from
}

// CompressedHeaderSize is what a Compressed record takes before its frame.
const CompressedHeaderSize = RecordHeaderSize + len(ObjectID{}) + 8 + 4

// AppendCompressed appends the record of c.
func AppendCompressed(b []byte, c *Compressed) []byte {
	b = AppendRecordHeader(b, RecordCompressed, CompressedHeaderSize-RecordHeaderSize+len(c.Frame))
	b = append(b, c.Object[:]...)
	b = be.AppendUint64(b, c.Offset)
	b = be.AppendUint32(b, c.Length)
	return append(b, c.Frame...)
}

// ParseCompressed reads the body of a Compressed record; ErrRecord if it is not
// well formed, claims more than MaxPlain, or reaches past the largest object.
// Whether the frame holds what it should only decompression tells.
func ParseCompressed(body []byte) (Compressed, error) {
	f := fields{rest: body}
	c := Compressed{Object: f.object(), Offset: f.size(), Length: f.uint32()}
	c.Frame = f.rest
	if f.bad || len(c.Frame) == 0 || c.Length == 0 || c.Length > MaxPlain || c.Offset+uint64(c.Length) >= MaxObject {
		return Compressed{}, ErrRecord
	}
	return c, nil
}

// PlainAllowed returns how many bytes of content the Compressed records in the
// first n bytes of a block may hold together. It bounds what a block costs its
// receiver.
func PlainAllowed(n int) int64 { return MaxPlain + MaxExpansion*int64(n) }

package protocol

import (
	"errors"
	"io"
)

// RecordKind is the first byte of a record.
type RecordKind uint8

// The kinds of records. Kind 0 is padding and ends a block.
const (
	RecordContext   RecordKind = 1
	RecordData      RecordKind = 2
	RecordEnd       RecordKind = 3
	RecordManifest  RecordKind = 4
	RecordHeartbeat RecordKind = 5

	RecordKeyChange   RecordKind = 6
	RecordCompressed  RecordKind = 7
	RecordCalibration RecordKind = 8
	RecordAbandoned   RecordKind = 9

	RecordFiller RecordKind = 10
)

// RecordHeaderSize is the length in bytes of kind and length, which precede
// the body of every record.
const RecordHeaderSize = 1 + 4

// ErrRecord is returned for a record that is not well formed.
var ErrRecord = errors.New("record is not well formed")

// AppendRecordHeader appends the kind of a record and the length of its body in
// bytes.
func AppendRecordHeader(b []byte, k RecordKind, bodyLen int) []byte {
	return be.AppendUint32(append(b, byte(k)), uint32(bodyLen))
}

// ParseRecordHeader returns the kind and the claimed body length of the record
// at the front of b. It returns io.EOF where b is empty or padding begins, and
// ErrRecord where b is shorter than a header. The body may reach past b: a
// receiver that salvages a damaged block looks at headers alone.
func ParseRecordHeader(b []byte) (RecordKind, int, error) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0, io.EOF
	}
	if len(b) < RecordHeaderSize {
		return 0, 0, ErrRecord
	}
	return RecordKind(b[0]), int(be.Uint32(b[1:])), nil
}

// NextRecord cuts the first record off b. It returns io.EOF where b is empty or
// padding begins, and ErrRecord for a record that reaches past b. Kinds that
// are not known are returned like any other.
func NextRecord(b []byte) (kind RecordKind, body, rest []byte, err error) {
	kind, n, err := ParseRecordHeader(b)
	if err != nil {
		return 0, nil, nil, err
	}
	b = b[RecordHeaderSize:]
	if n > len(b) {
		return 0, nil, nil, ErrRecord
	}
	return kind, b[:n], b[n:], nil
}

// fields reads the fixed fields of a body in turn. The first field that is not
// there makes all that follow zero and end return ErrRecord.
type fields struct {
	rest []byte
	bad  bool
}

func (f *fields) take(n int) []byte {
	if n > len(f.rest) {
		f.bad, f.rest = true, nil
		return nil
	}
	taken := f.rest[:n]
	f.rest = f.rest[n:]
	return taken
}

func (f *fields) uint8() uint8 {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.take(2); b != nil {
		return be.Uint16(b)
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return be.Uint32(b)
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if b := f.take(8); b != nil {
		return be.Uint64(b)
	}
	return 0
}

func (f *fields) size() uint64 {
	n := f.uint64()
	f.bad = f.bad || n >= MaxObject
	return n
}

func (f *fields) copy(dst []byte) { copy(dst, f.take(len(dst))) }

func (f *fields) object() (id ObjectID) {
	f.copy(id[:])
	return id
}

func (f *fields) hash() (h Hash) {
	f.copy(h[:])
	return h
}

func (f *fields) name() string {
	b := f.take(int(f.uint8()))
	if checkName(b) != nil {
		f.bad = true
		return ""
	}
	return string(b)
}

// end returns ErrRecord unless every field was there and nothing is left.
func (f *fields) end() error {
	if f.bad || len(f.rest) > 0 {
		return ErrRecord
	}
	return nil
}

func appendName(b []byte, name string) []byte {
	return append(append(b, byte(len(name))), name...)
}

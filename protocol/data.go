package protocol

// Data is a range of an object's content.
type Data struct {
	Object ObjectID
	Offset uint64 // bytes from the object's start
	Bytes  []byte // part of the block it was parsed from; never empty
}

// DataHeaderSize is what a Data record takes before its bytes.
const DataHeaderSize = RecordHeaderSize + len(ObjectID{}) + 8

// AppendDataHeader appends the front of a Data record, after which exactly n
// bytes of content follow: a sender reads them from the file straight into the
// block.
func AppendDataHeader(b []byte, id ObjectID, offset uint64, n int) []byte {
	b = AppendRecordHeader(b, RecordData, DataHeaderSize-RecordHeaderSize+n)
	b = append(b, id[:]...)
	return be.AppendUint64(b, offset)
}

// AppendData appends the record of d.
func AppendData(b []byte, d *Data) []byte {
	return append(AppendDataHeader(b, d.Object, d.Offset, len(d.Bytes)), d.Bytes...)
}

// ParseData reads the body of a Data record; ErrRecord if it is not well formed
// or reaches past the largest object.
func ParseData(body []byte) (Data, error) {
	f := fields{rest: body}
	d := Data{Object: f.object(), Offset: f.size()}
	d.Bytes = f.rest
	if f.bad || len(d.Bytes) == 0 || d.Offset+uint64(len(d.Bytes)) >= MaxObject {
		return Data{}, ErrRecord
	}
	return d, nil
}

package protocol

// Context names the snapshot that the following records of a block belong to.
// It is the first record of every block but those of heartbeats, so that a
// block explains itself however many others are lost.
type Context struct {
	Source string // name of the source
	Number uint64 // of the snapshot, from 1
	Taken  int64  // ns since 1970, sender's clock
}

// ContextSize returns the bytes that the record of c takes in a block.
func ContextSize(c *Context) int { return RecordHeaderSize + 1 + len(c.Source) + 16 }

// AppendContext appends the record of c.
func AppendContext(b []byte, c *Context) []byte {
	b = AppendRecordHeader(b, RecordContext, ContextSize(c)-RecordHeaderSize)
	b = appendName(b, c.Source)
	b = be.AppendUint64(b, c.Number)
	return be.AppendUint64(b, uint64(c.Taken))
}

// ParseContext reads the body of a Context record; ErrRecord if it is not well
// formed.
func ParseContext(body []byte) (Context, error) {
	f := fields{rest: body}
	c := Context{Source: f.name(), Number: f.uint64(), Taken: int64(f.uint64())}
	f.bad = f.bad || c.Number == 0
	return c, f.end()
}

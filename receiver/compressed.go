package receiver

import (
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"weir/protocol"
)

// errExpansion refuses what would cost far more than it took to send.
var errExpansion = errors.New("it claims to become more than a block may")

// inflater decompresses into memory that is used again. What a frame claims of
// itself never decides how much memory it gets.
type inflater struct {
	zip   *zstd.Decoder
	plain []byte
}

// inflate returns the content of a record, valid until the next call. Its errors
// wrap protocol.ErrRecord where the frame is not what the record says.
func (i *inflater) inflate(c *protocol.Compressed) ([]byte, error) {
	if i.zip == nil {
		zip, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxMemory(protocol.MaxPlain), zstd.WithDecoderMaxWindow(protocol.MaxPlain))
		if err != nil {
			return nil, fmt.Errorf("preparing to decompress: %w", err)
		}
		i.zip = zip
	}
	if cap(i.plain) < int(c.Length) {
		i.plain = make([]byte, 0, c.Length)
	}
	plain, err := i.zip.DecodeAll(c.Frame, i.plain[:0:c.Length])
	if err != nil {
		return nil, fmt.Errorf("%w: decompressing: %w", protocol.ErrRecord, err)
	}
	if len(plain) != int(c.Length) {
		return nil, fmt.Errorf("%w: %d bytes where it says %d", protocol.ErrRecord, len(plain), c.Length)
	}
	return plain, nil
}

func (i *inflater) close() {
	if i.zip != nil {
		i.zip.Close()
	}
}

// compressed delivers a Compressed record whose body ends at end in the block.
func (d *delivery) compressed(body []byte, end int) error {
	c, err := protocol.ParseCompressed(body)
	if err != nil {
		return err
	}
	if d.plain += int64(c.Length); d.plain > protocol.PlainAllowed(end) {
		return fmt.Errorf("%w: %w", protocol.ErrRecord, errExpansion)
	}
	plain, err := d.worker.inflater.inflate(&c)
	if err != nil {
		return err
	}
	return d.sink.WriteRange(d.sender, d.context, c.Object, c.Offset, plain)
}

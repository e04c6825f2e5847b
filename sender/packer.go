package sender

import (
	"context"

	"weir/internal/fec"
	"weir/protocol"
)

const (
	// alignment is what offsets are multiples of where a file is cut, so that
	// the receiver writes whole pages.
	alignment = 4096
	// minRoom is the least that is worth beginning a Data record for.
	minRoom = alignment + protocol.DataHeaderSize
	// alignFrom is how much content a Data record must be expected to hold, in
	// bytes, to be put where it is copied fastest: processors copy between places
	// that differ in their last six bits at a half or a third of the rate.
	alignFrom = 64 << 10
)

// packer fills blocks with the records of one snapshot. Every block but the last
// is full, so that each has the parity that bridges a whole burst.
type packer struct {
	t       *transmitter
	turn    *turn             // to make room for more urgent work; nil for none
	lone    bool              // keep the way short for more urgent work
	shape   protocol.Geometry // of a block that others follow
	codes   map[[2]int]*fec.Code
	context protocol.Context
	ledger  *ledger
	block   *outBlock
	ended   []sentFile // files whose End lies in the block
}

// room returns the bytes that are left in the block.
func (p *packer) room() int { return p.shape.DataBytes() - p.block.used }

// begin makes sure that there is a block with a context.
func (p *packer) begin(ctx context.Context) error {
	if p.block != nil {
		return nil
	}
	if err := p.makeRoom(ctx); err != nil {
		return err
	}
	b, err := p.t.take(ctx)
	if err != nil {
		return err
	}
	p.block = b
	b.used = len(protocol.AppendContext(b.buf[:0], &p.context))
	return nil
}

// makeRoom lets more urgent work go first. A lone packer also waits until no more
// than one of its own blocks is on its way, so that such work has two short blocks
// before it at the most, and the link does not stand still while one is filled.
func (p *packer) makeRoom(ctx context.Context) error {
	err := p.turn.yield(ctx)
	if err != nil || !p.lone {
		return err
	}
	if err := p.await(ctx, blocksHeld-1); err != nil {
		return err
	}
	return p.turn.yield(ctx)
}

// data begins a Data record of up to want bytes at offset, and returns the place
// in the block where they go. What is filled there is told to filled.
func (p *packer) data(ctx context.Context, id protocol.ObjectID, offset int64, want int64) ([]byte, error) {
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	if p.room() < minRoom && want > int64(p.room()-protocol.DataHeaderSize) {
		if err := p.flush(p.shape); err != nil {
			return nil, err
		}
		return p.data(ctx, id, offset, want)
	}
	p.align(want)
	n := p.room() - protocol.DataHeaderSize
	if want > int64(n) {
		n -= int((offset + int64(n)) % alignment)
	} else {
		n = int(want)
	}
	at := p.block.used + protocol.DataHeaderSize
	return p.block.buf[at : at+n], nil
}

// align sees to it that much content begins at a multiple of 64 bytes.
func (p *packer) align(want int64) {
	b := p.block
	n := protocol.FillerFor(b.used, protocol.DataHeaderSize)
	if n > 0 && min(want, int64(p.room()-n)) >= alignFrom {
		b.used += len(protocol.AppendFiller(b.buf[b.used:b.used], n))
	}
}

// compressed appends a Compressed record. It returns false, and the block has room
// for some Data, if there is none for the record.
func (p *packer) compressed(ctx context.Context, c *protocol.Compressed) (bool, error) {
	if p.block != nil && p.room() < minRoom {
		if err := p.flush(p.shape); err != nil {
			return false, err
		}
	}
	if err := p.begin(ctx); err != nil {
		return false, err
	}
	size := protocol.CompressedHeaderSize + len(c.Frame)
	plain := p.block.plain + int64(c.Length)
	if p.room() < size || plain > protocol.PlainAllowed(p.block.used+size) {
		return false, nil
	}
	p.block.used += len(protocol.AppendCompressed(p.block.buf[p.block.used:p.block.used], c))
	p.block.plain = plain
	return true, nil
}

// filled completes the record that data began with its first n bytes.
func (p *packer) filled(id protocol.ObjectID, offset int64, n int) {
	if n == 0 {
		return
	}
	head := p.block.buf[p.block.used:p.block.used]
	protocol.AppendDataHeader(head, id, uint64(offset), n)
	p.block.used += protocol.DataHeaderSize + n
}

// record appends a small record, in the next block if this one has no room.
func (p *packer) record(ctx context.Context, size int, add func(b []byte) []byte) error {
	if p.block != nil && p.room() < size {
		if err := p.flush(p.shape); err != nil {
			return err
		}
	}
	if err := p.begin(ctx); err != nil {
		return err
	}
	p.block.used += len(add(p.block.buf[p.block.used:p.block.used]))
	return nil
}

// end appends the End of an object. When the block has left, the file counts as
// sent.
func (p *packer) end(ctx context.Context, e *protocol.End, f *sentFile) error {
	err := p.record(ctx, protocol.EndSize(e), func(b []byte) []byte { return protocol.AppendEnd(b, e) })
	if err == nil && f != nil {
		p.ended = append(p.ended, *f)
	}
	return err
}

// flush sends the block on its way in the shape g, or in a larger one if a large
// End made it so. A block that others follow has the packer's shape even if such an
// End left some of it empty.
func (p *packer) flush(g protocol.Geometry) error {
	b := p.block
	if b == nil {
		return nil
	}
	p.block = nil
	if b.geo = g; b.used > g.DataBytes() {
		b.geo = p.t.fit(b.used)
	}
	ended := p.ended
	p.ended = nil
	b.sent = func() { p.ledger.add(ended) }
	return p.give(b)
}

func (p *packer) give(b *outBlock) error {
	code, err := cachedCode(p.codes, b.geo)
	if err != nil {
		p.t.free <- b
		return err
	}
	return p.t.give(code, b)
}

// release gives back the block of a snapshot that was cut short.
func (p *packer) release() {
	if p.block != nil {
		p.t.free <- p.block
		p.block = nil
	}
}

// finish sends the last block, waits until it has left, and after gap sends the
// same records once more: the last block is short, so its own parity does not
// bridge a burst, and nothing follows that would.
func (p *packer) finish(ctx context.Context, gap func() error) error {
	b := p.block
	if b == nil {
		return nil
	}
	used := b.used
	if err := p.flush(p.t.fit(used)); err != nil {
		return err
	}
	if err := p.drain(ctx); err != nil {
		return err
	}
	if err := gap(); err != nil {
		return err
	}
	if err := p.reclaim(ctx, b); err != nil {
		return err
	}
	b.used, b.geo = used, p.t.fit(used)
	if err := p.give(b); err != nil {
		return err
	}
	return p.drain(ctx)
}

// reclaim takes a block that has left out of the empty ones. Nobody has written to
// it meanwhile: it still holds its records.
func (p *packer) reclaim(ctx context.Context, want *outBlock) error {
	for {
		b, err := p.t.take(ctx)
		if b == want || err != nil {
			return err
		}
		p.t.free <- b
	}
}

// drain waits until every block has left.
func (p *packer) drain(ctx context.Context) error { return p.await(ctx, blocksHeld) }

// await waits until so many blocks are empty: it takes them and puts them back.
func (p *packer) await(ctx context.Context, empty int) error {
	var all []*outBlock
	var err error
	for range empty {
		var b *outBlock
		if b, err = p.t.take(ctx); err != nil {
			break
		}
		all = append(all, b)
	}
	for _, b := range all {
		p.t.free <- b
	}
	return err
}

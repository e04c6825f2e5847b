package receiver

import (
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/protocol"
)

// delivery walks the records of one block and hands them to the sink. A block
// that stays damaged is walked too, as far as the headers of its records are
// there: the runs of bytes that came are worth keeping.
type delivery struct {
	worker  *worker
	sink    Sink
	log     zerolog.Logger
	sender  string
	block   *block
	off     int // of the record that comes next
	context protocol.Context
	plain   int64 // bytes that the Compressed records so far claim to become
	data    bool  // something other than a heartbeat was there
	refused int
}

// looksEvery is after how many records it is looked at the clock.
const looksEvery = 64

// run delivers everything there is, and reports whether it got to the end before the
// time was over.
func (d *delivery) run(until time.Time) bool {
	for n := 1; d.next(); n++ {
		if n%looksEvery == 0 && time.Now().After(until) {
			return false
		}
	}
	return true
}

// next delivers the record that comes next. It returns false when nothing is left
// that can be used.
func (d *delivery) next() bool {
	b := d.block
	if d.off >= b.length {
		return false
	}
	room := b.held(d.off, protocol.RecordHeaderSize)
	kind, n, err := protocol.ParseRecordHeader(b.arena[d.off:][:room])
	if err != nil || n > b.length-d.off-protocol.RecordHeaderSize {
		if room == protocol.RecordHeaderSize && kind != 0 {
			d.refuse(kind, protocol.ErrRecord)
		}
		return false
	}
	body := d.off + protocol.RecordHeaderSize
	d.off = body + n
	return d.record(kind, body, n)
}

// record delivers one record whose body is n bytes at off. It returns false
// when nothing that follows can be used.
func (d *delivery) record(kind protocol.RecordKind, off, n int) bool {
	whole := d.block.held(off, n) == n
	body := d.block.arena[off:][:n]
	if d.context.Number == 0 && kind != protocol.RecordContext && !stands(kind) {
		if whole {
			d.refuse(kind, protocol.ErrRecord) // no context before it
		}
		return false
	}
	var err error
	switch {
	case kind == protocol.RecordData:
		err = d.ranges(off, n)
	case !whole: // of the others every byte matters
	case kind == protocol.RecordContext:
		if d.context, err = protocol.ParseContext(body); err != nil {
			d.refuse(kind, err)
			return false
		}
		d.data = true
		err = d.sink.Touch(d.sender, d.context)
	case kind == protocol.RecordCompressed:
		err = d.compressed(body, off+n)
	case kind == protocol.RecordEnd:
		err = d.end(body)
	case kind == protocol.RecordManifest:
		err = d.manifest(body)
	case kind == protocol.RecordHeartbeat:
		err = d.heartbeat(body)
	case kind == protocol.RecordCalibration:
		err = d.calibration(body)
	case kind == protocol.RecordKeyChange:
		err = d.keyChange(body)
	case kind == protocol.RecordAbandoned:
		err = d.abandoned(body)
	}
	if err != nil {
		d.refuse(kind, err)
	}
	return true
}

// stands reports whether records of a kind need no context.
func stands(kind protocol.RecordKind) bool {
	switch kind {
	case protocol.RecordHeartbeat, protocol.RecordCalibration, protocol.RecordKeyChange, protocol.RecordAbandoned:
		return true
	}
	return false
}

// ranges delivers the runs of bytes of a Data record that are there.
func (d *delivery) ranges(off, n int) error {
	b := d.block
	head := protocol.DataHeaderSize - protocol.RecordHeaderSize
	if n <= head {
		return protocol.ErrRecord
	}
	if b.held(off, head) < head {
		return nil // where the bytes belong is lost
	}
	rec, err := protocol.ParseData(b.arena[off:][:n])
	if err != nil {
		return err
	}
	start := off + head
	for at := start; at < off+n; {
		if run := b.held(at, off+n-at); run > 0 {
			pos := rec.Offset + uint64(at-start)
			if werr := d.sink.WriteRange(d.sender, d.context, rec.Object, pos, b.arena[at:][:run]); werr != nil {
				err = werr
			}
			at += run
			continue
		}
		at += b.lost(at, off+n-at)
	}
	return err
}

func (d *delivery) end(body []byte) error {
	e, err := protocol.ParseEnd(body)
	if err != nil {
		return err
	}
	return d.sink.EndObject(d.sender, d.context, e)
}

func (d *delivery) manifest(body []byte) error {
	m, err := protocol.ParseManifest(body)
	if err != nil {
		return err
	}
	return d.sink.CloseSnapshot(d.sender, d.context, m)
}

func (d *delivery) heartbeat(body []byte) error {
	hb, err := protocol.ParseHeartbeat(body)
	if err != nil {
		return err
	}
	return d.sink.Heartbeat(d.sender, hb)
}

func (d *delivery) abandoned(body []byte) error {
	a, err := protocol.ParseAbandoned(body)
	if err != nil {
		return err
	}
	return d.sink.Abandoned(d.sender, a)
}

// refuse logs a record that could not be used, the first of a block only, and
// not those of every block.
func (d *delivery) refuse(kind protocol.RecordKind, err error) {
	if d.refused++; d.refused > 1 {
		return
	}
	held, ok := d.worker.refusals.pass(d.worker.cfg.Now())
	if !ok {
		return
	}
	d.log.Warn().Str(event.Field, event.RecordRefused).Str("sender", d.sender).Str("source", d.context.Source).
		Uint64("not_logged", held).Uint64("number", d.context.Number).Uint64("block", d.block.number).Uint8("kind", uint8(kind)).Err(err).Msg("record refused")
}

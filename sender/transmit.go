package sender

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
	"weir/internal/fec"
	"weir/internal/pacing"
	"weir/protocol"
)

// Link carries frames one way. Send takes frames of size bytes back to back, the
// last possibly shorter, and keeps nothing.
type Link interface {
	Send(frames []byte, size int) error
}

// Tuning of the link.
const (
	blocksHeld    = 3           // one is filled, one waits, one leaves
	announceEvery = time.Second // a receiver that was restarted waits no longer
	warmupEvery   = 5 * time.Millisecond
	warmupIdle    = time.Second            // after so long without frames the link is warmed up
	batchTime     = time.Millisecond       // of the rate, at most, in one batch
	sleepStep     = 100 * time.Millisecond // between two looks whether to end
	hugePage      = 2 << 20
)

// outBlock is a block on its way: records, then parity.
type outBlock struct {
	buf   []byte // room for a full block
	used  int    // bytes of records
	plain int64  // bytes of content in the Compressed records
	geo   protocol.Geometry
	sent  func() // called when the last frame has left
}

// transmitter owns the link: sessions, sequence, pace. One goroutine runs it;
// others take empty blocks and give filled ones.
type transmitter struct {
	cfg     *Config
	full    protocol.Geometry
	lanes   []lane
	pacer   *pacing.Pacer
	codes   map[[2]int]*fec.Code
	session *outSession
	next    *outSession // announced ahead of its first frame
	refused time.Time   // when the next could not be made last; zero if it could
	// when a session is replaced
	maxTime  time.Duration
	maxBytes uint64
	staging  []byte
	batch    int // frames at once
	free     chan *outBlock
	queue    chan *outBlock    // has room for all blocks
	stopped  chan struct{}     // closed when run returns
	quit     <-chan struct{}   // closed when it is to return
	calls    chan func() error // work for the goroutine that owns the link
	header   protocol.Header

	lastFrame time.Time
	lastBeat  time.Time
	beatAt    beatPlace // where the last heartbeat ended
	abandoned abandoned
	wire      atomic.Uint64 // bytes on the wire
	offerDue  atomic.Bool   // another key is offered that was not sent yet
}

func newTransmitter(cfg *Config, full protocol.Geometry) *transmitter {
	if cfg.Announce == 0 {
		cfg.Announce = announceEvery
	}
	t := &transmitter{
		cfg: cfg, full: full, lanes: newLanes(cfg), codes: map[[2]int]*fec.Code{},
		free: make(chan *outBlock, blocksHeld), queue: make(chan *outBlock, blocksHeld),
		calls: make(chan func() error), stopped: make(chan struct{}), maxTime: sessionTime, maxBytes: sessionBytes,
	}
	frame := full.Symbol + protocol.FrameOverhead
	perBatch := min(float64(cfg.Rate)/8*batchTime.Seconds(), float64(cfg.BurstBytes))
	t.batch = max(1, int(perBatch)/pacing.WireBytes(frame))
	t.staging = make([]byte, 0, t.batch*frame)
	t.pacer = pacing.New(cfg.Rate, cfg.BurstBytes, cfg.Clock)
	for range blocksHeld {
		t.free <- &outBlock{}
	}
	return t
}

// take returns an empty block, waiting for one if need be.
func (t *transmitter) take(ctx context.Context) (*outBlock, error) {
	if ctx.Err() != nil { // select would take either
		return nil, ctx.Err()
	}
	select {
	case b := <-t.free:
		if b.buf == nil {
			var err error
			if b.buf, err = newArena(t.full.BlockBytes()); err != nil {
				t.free <- b
				return nil, err
			}
		}
		b.used, b.plain, b.sent = 0, 0, nil
		return b, nil
	case <-t.stopped:
		return nil, ErrStopped
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newArena returns memory for a block that the garbage collector does not count:
// it would let the heap grow to twice the size of the blocks. Blocks live as long
// as the process.
func newArena(n int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("getting %d bytes for a block: %w; lower burst, or rate", n, err)
	}
	if n >= hugePage {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // without it, it is only slower
	}
	return b, nil
}

// give computes the parity of a filled block, on the caller's time, and queues
// it.
func (t *transmitter) give(code *fec.Code, b *outBlock) error {
	data := b.geo.DataBytes()
	clear(b.buf[b.used:data])
	if err := code.Encode(b.buf[:data], b.buf[data:b.geo.BlockBytes()], b.geo.Shard()); err != nil {
		t.free <- b
		return fmt.Errorf("computing parity: %w", err)
	}
	t.queue <- b
	return nil
}

// run sends until the context ends, in the midst of a block if need be: one may take
// minutes. It returns the first error of the link.
func (t *transmitter) run(ctx context.Context) error {
	defer close(t.stopped)
	t.quit = ctx.Done()
	err := t.serve()
	if errors.Is(err, ErrStopped) {
		return nil
	}
	return err
}

// serve sends blocks as they come, announces each second, and a heartbeat when there
// is nothing else.
func (t *transmitter) serve() error {
	if err := t.begin(); err != nil {
		return err
	}
	tick := time.NewTicker(t.cfg.Announce / 4)
	defer tick.Stop()
	for {
		select {
		case b := <-t.queue:
			if err := t.block(b); err != nil {
				return err
			}
			if b.sent != nil {
				b.sent()
			}
			t.free <- b
		case call := <-t.calls:
			if err := call(); err != nil {
				return err
			}
		case <-tick.C:
			if err := t.idle(); err != nil {
				return err
			}
		case <-t.quit:
			return ErrStopped
		}
	}
}

// call has the goroutine that owns the link do something, and returns what it is to be
// told. An error of the link ends run too.
func (t *transmitter) call(ctx context.Context, do func() (told, link error)) error {
	done := make(chan error, 1)
	call := func() error {
		told, link := do()
		done <- told
		return link
	}
	select {
	case t.calls <- call:
		return <-done
	case <-t.stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sleep returns ErrStopped as soon as run is to return.
func (t *transmitter) sleep(d time.Duration) error {
	for ; ; d -= sleepStep {
		select {
		case <-t.quit:
			return ErrStopped
		default:
		}
		if d <= 0 {
			return nil
		}
		t.cfg.Clock.Sleep(min(d, sleepStep))
	}
}

// idle keeps the session known and the receiver informed.
func (t *transmitter) idle() error {
	if err := t.rotate(); err != nil {
		return err
	}
	if err := t.announceDue(); err != nil {
		return err
	}
	if t.cfg.Clock.Now().Sub(t.lastBeat) >= t.cfg.Heartbeat {
		if err := t.heartbeat(); err != nil {
			return err
		}
		t.offerDue.Store(true)
	}
	if !t.offerDue.Load() {
		return nil
	}
	return t.offer()
}

func (t *transmitter) heartbeat() error {
	t.lastBeat = t.cfg.Clock.Now()
	sources, err := t.cfg.State.heartbeat(t.beatAt, t.full.DataBytes())
	if err != nil {
		t.cfg.Log.Error().Str(event.Field, event.Failed).Err(err).Msg("no heartbeat")
		return nil
	}
	if len(sources) > 0 {
		last := sources[len(sources)-1]
		t.beatAt = beatPlace{last.Source, last.Number}
	}
	err = t.alone(protocol.AppendHeartbeat(nil, &protocol.Heartbeat{Clock: t.lastBeat.UnixNano(), Sources: sources}))
	if lost := t.abandoned.record(t.full.DataBytes()); err == nil && len(lost.Snapshots) > 0 {
		err = t.alone(protocol.AppendAbandoned(nil, &lost))
	}
	return err
}

// alone sends records in a block that is no larger than they need.
func (t *transmitter) alone(records []byte) error {
	b := &outBlock{used: len(records), geo: t.fit(len(records))}
	b.buf = append(records, make([]byte, b.geo.BlockBytes()-len(records))...)
	code, err := t.code(b.geo)
	if err != nil {
		return err
	}
	if err := code.Encode(b.buf[:b.geo.DataBytes()], b.buf[b.geo.DataBytes():], b.geo.Shard()); err != nil {
		return fmt.Errorf("computing parity: %w", err)
	}
	return t.block(b)
}

func (t *transmitter) code(g protocol.Geometry) (*fec.Code, error) { return cachedCode(t.codes, g) }

func cachedCode(codes map[[2]int]*fec.Code, g protocol.Geometry) (*fec.Code, error) {
	key := [2]int{g.K, g.M}
	if codes[key] == nil {
		code, err := fec.New(g.K, g.M)
		if err != nil {
			return nil, err
		}
		codes[key] = code
	}
	return codes[key], nil
}

// block sends all symbols of a block. It allocates nothing.
func (t *transmitter) block(b *outBlock) error {
	if err := t.rotate(); err != nil {
		return err
	}
	if t.cfg.Clock.Now().Sub(t.lastFrame) > warmupIdle {
		if err := t.warmUp(3); err != nil {
			return err
		}
	}
	return t.symbols(b)
}

// symbols sends all symbols of a block in the live session.
func (t *transmitter) symbols(b *outBlock) error {
	t.session.block++
	h := &t.header
	*h = protocol.Header{Block: t.session.block, Geometry: b.geo, Length: uint32(b.used)}
	if h.More = len(t.lanes) - 1; h.More > 0 {
		return t.spread(b)
	}
	symbols := b.geo.Symbols()
	for i := 0; i < symbols; {
		t.staging = t.staging[:0]
		for n := min(t.batch, symbols-i); n > 0; n-- {
			h.Shard, h.Column = i/b.geo.Depth, i%b.geo.Depth
			t.staging = t.session.sealer.Seal(t.staging, h, b.buf[i*b.geo.Symbol:][:b.geo.Symbol])
			i++
		}
		if err := t.send(0, t.staging, b.geo.Symbol+protocol.FrameOverhead); err != nil {
			return err
		}
		if err := t.announceDue(); err != nil {
			return err
		}
	}
	t.session.bytes += uint64(b.geo.BlockBytes())
	return nil
}

// send paces one batch and sends it over a lane.
func (t *transmitter) send(lane int, frames []byte, size int) error {
	n := (len(frames) + size - 1) / size
	wire := len(frames) + n*pacing.FrameOverhead
	t.pacer.Wait(wire)
	if err := t.sleep(0); err != nil {
		return err
	}
	if err := t.over(lane, frames, size); err != nil {
		return err
	}
	t.wire.Add(uint64(wire))
	t.lastFrame = t.cfg.Clock.Now()
	return nil
}

// wireBytes returns what has gone over the wire so far. It may be called from
// anywhere.
func (t *transmitter) wireBytes() uint64 { return t.wire.Load() }

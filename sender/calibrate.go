package sender

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/pacing"
	"weir/protocol"
)

// Calibration is a pattern of frames that leave at rising rates. The receiver
// tells at which of them the link loses some.
type Calibration struct {
	From, To uint64        // rates, bits a second on the wire
	Steps    int           // from the one to the other
	Time     time.Duration // of each step
}

// Missed is the first step of a calibration that this host could not send as quickly
// as it should; the zero value says that there was none.
type Missed struct {
	Asked   uint64 `json:"asked"`   // bits a second on the wire
	Reached uint64 `json:"reached"` // the same
}

// pacedPercent is how much of its rate a step has to reach.
const pacedPercent = 90

// Limits of a calibration.
const (
	MaxCalibrationTime = 10 * time.Minute
	leadBlocks         = 10 // small ones before the first step, which tell of it, and after the last
	leadEvery          = 100 * time.Millisecond
	stepPause          = 300 * time.Millisecond // for buffers to drain
)

var errCalibration = errors.New("a calibration has 1 to 64 steps, from the lower rate to the higher, and takes at most ten minutes")

func (c *Calibration) check() error {
	if c.From == 0 || c.To < c.From || c.Steps < 1 || c.Steps > protocol.MaxCalibrationSteps || c.Time <= 0 ||
		c.Time > MaxCalibrationTime/time.Duration(c.Steps) {
		return fmt.Errorf("%w: %w", ErrJob, errCalibration)
	}
	return nil
}

// rate returns the rate of a step.
func (c *Calibration) rate(i int) uint64 {
	if i+1 == c.Steps {
		return c.To
	}
	return c.From + (c.To-c.From)/uint64(c.Steps-1)*uint64(i)
}

// Calibrate sends the pattern in a session of its own, while Run runs and nothing
// else is sent. What came of it only the receiver knows; it goes by the rates that it sees.
func (s *Sender) Calibrate(ctx context.Context, c Calibration) (missed Missed, err error) {
	if err := c.check(); err != nil {
		return missed, err
	}
	turn, err := s.turns.take(ctx, levelPush)
	if err != nil {
		return missed, err
	}
	defer turn.leave()
	err = s.t.call(ctx, func() (told, link error) {
		missed, err = s.t.calibrate(ctx, c)
		if ctx.Err() != nil {
			return err, nil // cut short, and the link is good
		}
		return err, err
	})
	return missed, err
}

// calibrate sends the pattern. Its first blocks tell of it, so that the receiver
// counts from the start; its last ones end the counting. No session is replaced
// meanwhile, as the pattern names sequences.
func (t *transmitter) calibrate(ctx context.Context, c Calibration) (missed Missed, err error) {
	if err := t.begin(); err != nil {
		return missed, err
	}
	t.next = nil
	// Sequences are counted lane by lane, so that one lane is measured, the first.
	all := t.lanes
	t.lanes = all[:1]
	defer func() { t.lanes = all }()
	record, blocks := t.pattern(c)
	small := t.fit(protocol.CalibrationSize(&record))
	record.First = 1 + leadBlocks*uint64(small.Symbols())
	lead, err := t.calibrationBlock(small, &record)
	if err != nil {
		return missed, err
	}
	body, err := t.calibrationBlock(t.full, &record)
	if err != nil {
		return missed, err
	}
	defer t.pacer.SetRate(t.cfg.Rate)
	if err := t.leads(lead, c.From); err != nil {
		return missed, err
	}
	for i, n := range blocks {
		asked := record.Steps[i].Rate
		reached, err := t.step(ctx, body, asked, n)
		if err != nil {
			return missed, err
		}
		if missed.Asked == 0 && reached < asked/100*pacedPercent {
			missed = Missed{asked, reached}
		}
	}
	return missed, t.leads(lead, c.From)
}

// pattern returns the steps and the blocks of each: as many as fill its time, at
// least one.
func (t *transmitter) pattern(c Calibration) (record protocol.Calibration, blocks []int) {
	record.Session = t.session.sealer.Session()
	block := float64(t.full.Symbols()*pacing.WireBytes(t.full.Symbol+protocol.FrameOverhead)) * 8
	for i := range c.Steps {
		n := max(1, int(c.Time.Seconds()*float64(c.rate(i))/block))
		blocks = append(blocks, n)
		record.Steps = append(record.Steps, protocol.CalibrationStep{Rate: c.rate(i), Frames: uint64(n * t.full.Symbols())})
	}
	return record, blocks
}

// calibrationBlock makes a block of the shape g that holds the record.
func (t *transmitter) calibrationBlock(g protocol.Geometry, record *protocol.Calibration) (*outBlock, error) {
	records := protocol.AppendCalibration(nil, record)
	b := &outBlock{used: len(records), geo: g, buf: append(records, make([]byte, g.BlockBytes()-len(records))...)}
	code, err := t.code(g)
	if err != nil {
		return nil, err
	}
	if err := code.Encode(b.buf[:g.DataBytes()], b.buf[g.DataBytes():], g.Shard()); err != nil {
		return nil, fmt.Errorf("computing parity: %w", err)
	}
	return b, nil
}

// step sends a block n times at one rate, and returns the rate that it reached.
func (t *transmitter) step(ctx context.Context, b *outBlock, rate uint64, n int) (reached uint64, err error) {
	t.pacer.SetRate(rate)
	begun, before := t.cfg.Clock.Now(), t.wireBytes()
	for range n {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err := t.symbols(b); err != nil {
			return 0, err
		}
	}
	took := max(t.cfg.Clock.Now().Sub(begun), time.Microsecond)
	reached = uint64(float64(t.wireBytes()-before) * 8 / took.Seconds())
	t.cfg.Clock.Sleep(stepPause)
	return reached, t.announceDue()
}

// leads sends small blocks, spaced.
func (t *transmitter) leads(b *outBlock, rate uint64) error {
	t.pacer.SetRate(rate)
	for range leadBlocks {
		if err := t.symbols(b); err != nil {
			return err
		}
		t.cfg.Clock.Sleep(leadEvery)
		if err := t.announceDue(); err != nil {
			return err
		}
	}
	return nil
}

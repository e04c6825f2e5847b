package sender

import (
	"errors"
	"fmt"
	"time"

	"weir/internal/event"
	"weir/protocol"
)

// laneRetry is how long after a failure a lane is tried again.
const laneRetry = time.Second

// lane is one of the links that carry the session.
type lane struct {
	Link
	failed time.Time // when it could not send last; zero while it can
}

// errLanes is returned when no lane can send.
var errLanes = errors.New("nothing can be sent over any lane of the link")

func newLanes(cfg *Config) []lane {
	links := cfg.Lanes
	if len(links) == 0 {
		links = []Link{cfg.Link}
	}
	all := make([]lane, len(links))
	for i, l := range links {
		all[i].Link = l
	}
	return all
}

// fit returns the shape of a block for n bytes of records. With several lanes it has
// as much parity as the loss of one asks for, as far as full blocks have so much: in
// small blocks that costs little.
func (t *transmitter) fit(n int) protocol.Geometry {
	g := Fit(t.full, n)
	if others := len(t.lanes) - 1; others > 0 {
		g.M = min(t.full.M, max(g.M, (g.K+others-1)/others))
	}
	return g
}

// spread sends the symbols of a block over several lanes: shard by shard to the next
// lane, so that each loses its share of every column with a lane. As many shards as
// there are lanes leave side by side, or several times as many where they are short,
// so that each lane has its part of the rate at any time.
func (t *transmitter) spread(b *outBlock) error {
	n, shards := len(t.lanes), b.geo.K+b.geo.M
	together := n * max(1, t.batch/b.geo.Depth)
	for first := 0; first < shards; first += together {
		end := min(first+together, shards)
		for column := 0; column < b.geo.Depth; column += t.batch {
			for shard := first; shard < min(first+n, end); shard++ {
				if err := t.part(b, shard, end, column); err != nil {
					return err
				}
			}
		}
	}
	t.session.bytes += uint64(b.geo.BlockBytes())
	return nil
}

// part sends one batch over a lane: symbols from a column on, of a shard and those
// before end that the lane carries too.
func (t *transmitter) part(b *outBlock, shard, end, column int) error {
	h, n := &t.header, len(t.lanes)
	h.Lane, t.staging = (shard+int(h.Block%uint64(n)))%n, t.staging[:0]
	for ; shard < end; shard += n {
		h.Shard = shard
		for h.Column = column; h.Column < min(column+t.batch, b.geo.Depth); h.Column++ {
			at := (shard*b.geo.Depth + h.Column) * b.geo.Symbol
			t.staging = t.session.sealer.Seal(t.staging, h, b.buf[at:][:b.geo.Symbol])
		}
	}
	if err := t.send(h.Lane, t.staging, b.geo.Symbol+protocol.FrameOverhead); err != nil {
		return err
	}
	return t.announceDue()
}

// over hands frames to a lane. Where there are several, one that cannot send takes
// nothing from the others: what it would have carried is lost. Where none can, a
// patient sender waits, and nothing is lost.
func (t *transmitter) over(i int, frames []byte, size int) error {
	err := t.try(i, frames, size)
	for errors.Is(err, errLanes) && t.cfg.Patient != nil && t.cfg.Patient(err) {
		if err = t.revive(); err == nil {
			err = t.try(i, frames, size)
		}
	}
	return err
}

// try hands frames to a lane, unless that failed just now. An error says that no lane
// can send.
func (t *transmitter) try(i int, frames []byte, size int) error {
	l := &t.lanes[i]
	if !l.failed.IsZero() && t.cfg.Clock.Now().Sub(l.failed) < laneRetry {
		return nil
	}
	err := l.Send(frames, size)
	if err != nil && t.sleep(0) != nil {
		return ErrStopped // the link may have been stopped for it
	}
	t.note(i, err)
	if err != nil && t.noLane() {
		return fmt.Errorf("sending: %w: %w", errLanes, err)
	}
	return nil
}

// note remembers whether a lane can send, and tells of it when that changes.
func (t *transmitter) note(i int, err error) {
	l := &t.lanes[i]
	was := l.failed
	l.failed = time.Time{}
	if err != nil {
		l.failed = t.cfg.Clock.Now()
	}
	switch {
	case err == nil && !was.IsZero():
		t.cfg.Log.Info().Str(event.Field, event.LaneBack).Int("lane", i+1).Msg("this lane can send again")
	case err != nil && was.IsZero():
		words := "this lane cannot send; the others go on"
		if t.noLane() {
			words = "no lane can send"
		}
		t.cfg.Log.Error().Str(event.Field, event.LaneFailed).Int("lane", i+1).Int("lanes", len(t.lanes)).
			Bool("healed", len(t.lanes) > 1 && t.full.SparesLane(len(t.lanes))).Err(err).Msg(words)
	}
}

// revive returns when one of the lanes can send again: an announce is tried, of which
// one more does no harm.
func (t *transmitter) revive() error {
	for t.noLane() {
		if err := t.sleep(laneRetry); err != nil {
			return err
		}
		for i := range t.lanes {
			t.note(i, t.lanes[i].Send(t.session.announce, len(t.session.announce)))
		}
	}
	return nil
}

func (t *transmitter) noLane() bool {
	for i := range t.lanes {
		if t.lanes[i].failed.IsZero() {
			return false
		}
	}
	return true
}

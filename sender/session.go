package sender

import (
	"time"

	"weir/internal/event"
	"weir/internal/pacing"
	"weir/protocol"
)

// When a session is replaced: long before AES-GCM under one key could wear out
// (NIST SP 800-38D), and often enough that a stolen traffic key opens little.
const (
	sessionBytes = 256 << 30
	sessionTime  = time.Hour
	// aheadTime and aheadBytes are how long before its first frame the next
	// session is announced.
	aheadTime  = 10 * time.Second
	aheadBytes = 1 << 30
	// sessionRetry is how long after a failure the next session is tried again.
	sessionRetry = 10 * time.Second
)

// outSession is one session from the sender's side.
type outSession struct {
	announce  []byte
	sealer    *protocol.Sealer
	block     uint64 // number of the last block
	bytes     uint64
	started   time.Time
	announced time.Time
}

// newSession takes a new counter and makes a session. It is not announced yet.
func (t *transmitter) newSession() (*outSession, error) {
	now := t.cfg.Clock.Now()
	counter, err := t.cfg.State.nextCounter(now)
	if err != nil {
		return nil, err
	}
	announce, sealer, err := protocol.NewSession(protocol.Params{
		Sender: t.cfg.Name, Counter: counter, Start: now.UnixNano(), Rate: t.cfg.Rate, Geometry: t.full,
	}, t.cfg.Receiver, t.cfg.Signer)
	if err != nil {
		return nil, err
	}
	t.cfg.Log.Info().Str(event.Field, event.SessionStarted).Stringer("session", sealer.Session()).
		Uint64("counter", counter).Msg("session started")
	return &outSession{announce: announce, sealer: sealer, started: now}, nil
}

// nextSession makes the session that replaces the live one; nil where that cannot be,
// as on a full disk. The live one then lasts longer, which is better than silence, and
// it is tried again.
func (t *transmitter) nextSession(now time.Time) *outSession {
	if wait := now.Sub(t.refused); wait >= 0 && wait < sessionRetry {
		return nil
	}
	s, err := t.newSession()
	if err == nil {
		t.refused = time.Time{}
		return s
	}
	if t.refused.IsZero() {
		t.cfg.Log.Error().Str(event.Field, event.SessionFailed).Stringer("every", sessionRetry).Err(err).
			Msg("the next session could not be made; the present one goes on, and it is tried again")
	}
	t.refused = now
	return nil
}

// begin makes the first session and announces it for longer than any outage that
// parity bridges, so that the first block finds the receiver ready. The announces are
// counted: a host that is busy sends as many, and takes longer.
func (t *transmitter) begin() (err error) {
	if t.session, err = t.newSession(); err != nil {
		return err
	}
	// On a slow link an announce itself takes longer than the pause behind it.
	bits := len(t.lanes) * pacing.WireBytes(len(t.session.announce)) * 8
	each := warmupEvery + time.Duration(float64(bits)/float64(t.cfg.Rate)*float64(time.Second))
	return t.warmUp(2 + int(tailGap(t.cfg.Burst)/each))
}

// warmUp sends n announces, spaced.
func (t *transmitter) warmUp(n int) error {
	for range n {
		if err := t.announce(t.session); err != nil {
			return err
		}
		t.cfg.Clock.Sleep(warmupEvery)
	}
	return nil
}

func (t *transmitter) announce(s *outSession) error {
	s.announced = t.cfg.Clock.Now()
	for i := range t.lanes {
		if err := t.send(i, s.announce, len(s.announce)); err != nil {
			return err
		}
	}
	return nil
}

// announceDue repeats the announces of the live session and of the next.
func (t *transmitter) announceDue() error {
	now := t.cfg.Clock.Now()
	for _, s := range [...]*outSession{t.session, t.next} {
		if s != nil && now.Sub(s.announced) >= t.cfg.Announce {
			if err := t.announce(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// rotate prepares the next session in time, and between two blocks makes it the
// live one.
func (t *transmitter) rotate() error {
	now := t.cfg.Clock.Now()
	age := now.Sub(t.session.started)
	if t.next == nil && (age >= t.maxTime-aheadTime || t.session.bytes+aheadBytes >= t.maxBytes) {
		if t.next = t.nextSession(now); t.next == nil {
			return nil
		}
		return t.announce(t.next)
	}
	over := age >= t.maxTime || t.session.bytes >= t.maxBytes
	// On a fast link, or after a standstill, the limit comes before the receiver
	// can be sure to have the announce. It is not as hard as that.
	if t.next != nil && over && now.Sub(t.next.started) >= aheadTime {
		t.session, t.next = t.next, nil
		t.session.started = now
	}
	return nil
}

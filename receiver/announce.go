package receiver

import (
	"bytes"
	"cmp"
	"crypto/hpke"
	"errors"
	"fmt"

	"weir/internal/event"
	"weir/protocol"
)

// Why an announce is refused, in words for the operator.
var (
	errUnknownSender = errors.New("its sender is not trusted here; if it should be, run `weir-recv trust NAME KEY`, or `weir-recv senders` if a sender changed its key")
	errRevoked       = errors.New("its key is revoked here; `weir-recv senders` says when")
	errSignature     = errors.New("its signature is wrong: it was forged, or damaged on the way")
	errOtherReceiver = errors.New("it is sealed to another receiver's key; give the sender the key that `weir-recv key` prints")
	errCounter       = errors.New("its session counter is not above the last one: it is a replay, or the sender's state was lost and its clock runs behind")
	errLarge         = errors.New("its blocks need more memory than there is; raise memory, or lower burst or overhead on the sender")
)

// refusedRing remembers the latest refused announces, so that their
// repetitions cost a comparison and are not logged again.
type refusedRing struct {
	frames  [8][]byte
	reasons [8]Drop
	next    int
}

// find returns why the frame was refused.
func (r *refusedRing) find(frame []byte) (Drop, bool) {
	for i, f := range r.frames {
		if bytes.Equal(f, frame) {
			return r.reasons[i], true
		}
	}
	return 0, false
}

func (r *refusedRing) add(frame []byte, reason Drop) {
	r.frames[r.next] = append(r.frames[r.next][:0], frame...)
	r.reasons[r.next] = reason
	r.next = (r.next + 1) % len(r.frames)
}

// announce opens a session, if the frame is a good announce of a new one.
// Repetitions of a known one are most of what comes.
func (r *Receiver) announce(frame []byte, id protocol.SessionID) {
	if s := r.find(id); s != nil {
		if !bytes.Equal(s.announce, frame) {
			r.drops.count(DropImpostor)
		}
		return
	}
	a, err := protocol.ParseAnnounce(frame)
	if err != nil {
		r.drops.count(DropMalformed)
		return
	}
	if reason, ok := r.refused.find(frame); ok {
		r.drops.count(reason)
		return
	}
	if r.signers[a.Key] != nil && !r.budget.take() {
		r.drops.count(DropBudget)
		return
	}
	s, err := r.verify(a, frame, nil)
	switch {
	case err != nil:
	case s.params.Counter <= s.signer.counter:
		err = errCounter
	case !s.sender.openings.take(r.now):
		r.drops.count(DropBudget)
		return
	}
	if err != nil {
		r.refuse(a, frame, err)
		return
	}
	r.begin(s)
}

// refuse counts an announce by what is wrong with it.
func (r *Receiver) refuse(a protocol.Announce, frame []byte, err error) {
	reason := DropRefused
	switch {
	case errors.Is(err, errUnknownSender):
		reason = DropStranger
	case errors.Is(err, errRevoked):
		reason = DropRevoked
	case errors.Is(err, errSignature):
		reason = DropSignature
	case errors.Is(err, errCounter):
		reason = DropCounter
	}
	r.drops.count(reason)
	r.refused.add(frame, reason)
	if held, ok := r.refusals.pass(r.now); ok {
		if reason == DropStranger && r.cfg.Stranger != nil {
			err = cmp.Or(r.cfg.Stranger(a.Key), err)
		}
		r.cfg.Log.Warn().Str(event.Field, event.AnnounceRefused).Stringer("reason", reason).Stringer("key", a.Key).
			Err(err).Uint64("not_logged", held).Msg("announce refused")
	}
}

// verify checks who made the announce before it spends the dearer
// decapsulation on it.
func (r *Receiver) verify(a protocol.Announce, frame []byte, floors []uint64) (*session, error) {
	snd := r.signers[a.Key]
	switch {
	case r.present.revoked[a.Key]:
		return nil, errRevoked
	case snd == nil:
		return nil, errUnknownSender
	case !a.Verify(snd.key):
		return nil, errSignature
	}
	p, opener, err := protocol.Params{}, (*protocol.Opener)(nil), protocol.ErrAuth
	var sealedTo hpke.PrivateKey
	for _, key := range r.present.keys {
		if p, opener, err = a.Open(key); err == nil {
			sealedTo = key
			break
		}
	}
	switch {
	case errors.Is(err, protocol.ErrAuth):
		return nil, errOtherReceiver
	case err != nil:
		return nil, err
	case p.Sender != snd.name:
		return nil, fmt.Errorf("it says to be from %q, but its key is trusted as %q: use one name on both hosts", p.Sender, snd.name)
	case int64(p.BlockBytes())*2 > r.cfg.Memory:
		return nil, errLarge
	}
	s := newSession(snd, a.Session, p, opener, frame, floors)
	s.sealedTo = sealedTo
	return s, nil
}

// begin makes a session live and retires the oldest of its sender.
func (r *Receiver) begin(s *session) {
	s.signer.counter = max(s.signer.counter, s.params.Counter)
	r.retire(s.sender)
	r.sessions = append(r.sessions, s)
	r.last = s
	g := s.params.Geometry
	r.cfg.Log.Info().Str(event.Field, event.SessionOpen).Str("sender", s.sender.name).Stringer("session", s.id).
		Uint64("counter", s.params.Counter).Uint64("rate", s.params.Rate).Int("k", g.K).Int("m", g.M).
		Int("depth", g.Depth).Int("symbol", g.Symbol).Msg("session opened")
	r.persist(true)
}

// retire closes sessions of the sender until there is room for one more.
func (r *Receiver) retire(snd *sender) {
	var own []*session
	for _, s := range r.sessions {
		if s.sender == snd {
			own = append(own, s)
		}
	}
	for ; len(own) >= maxSessions; own = own[1:] {
		r.end(own[0])
	}
}

func (r *Receiver) end(old *session) {
	for len(old.blocks) > 0 {
		r.closeBlock(old, old.blocks[0])
	}
	old.lanes.decideAll()
	r.reportLoss()
	old.sender.keep(old.lanes)
	for i, s := range r.sessions {
		if s == old {
			r.sessions = append(r.sessions[:i], r.sessions[i+1:]...)
			break
		}
	}
	r.last = nil
	r.cfg.Log.Info().Str(event.Field, event.SessionClose).Str("sender", old.sender.name).
		Stringer("session", old.id).Msg("session closed")
}

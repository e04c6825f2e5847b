package sender

import (
	"context"
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"weir/internal/event"
	"weir/protocol"
)

// In the state: the highest counter of a key change, and the record of the one that
// is offered now.
var (
	keyKeyCounter = []byte("key-counter")
	keyKeyChange  = []byte("key-change")
)

// ErrNotOffered is returned for a change over to a key that was never offered.
var ErrNotOffered = errors.New("this key was not offered to the receiver")

// newKeyChange makes and remembers the offer of next. The same key offered again
// keeps its counter: for the receiver it is the same offer.
func (s *State) newKeyChange(name string, old, next ed25519.PrivateKey, now time.Time) (c protocol.KeyChange, err error) {
	err = s.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketMeta)
		if last, ok := parseOffer(b.Get(keyKeyChange)); ok && offers(&last, old, next) && last.Sender == name {
			c = last
			return nil
		}
		counter := max(number(b.Get(keyKeyCounter))+1, uint64(max(now.UnixMilli(), 1)))
		c = protocol.NewKeyChange(name, counter, old, next)
		if err := b.Put(keyKeyCounter, binary.BigEndian.AppendUint64(nil, counter)); err != nil {
			return err
		}
		return b.Put(keyKeyChange, protocol.AppendKeyChange(nil, &c))
	})
	if err != nil {
		return c, fmt.Errorf("saving the offer of a key: %w", err)
	}
	return c, nil
}

// offers reports whether the offer is of next, by old.
func offers(c *protocol.KeyChange, old, next ed25519.PrivateKey) bool {
	return c.Old == keyID(old) && string(c.New[:]) == string(next.Public().(ed25519.PublicKey))
}

func keyID(key ed25519.PrivateKey) protocol.KeyID {
	return protocol.NewKeyID(key.Public().(ed25519.PublicKey))
}

func parseOffer(record []byte) (protocol.KeyChange, bool) {
	if len(record) < protocol.RecordHeaderSize {
		return protocol.KeyChange{}, false
	}
	c, err := protocol.ParseKeyChange(record[protocol.RecordHeaderSize:])
	return c, err == nil
}

// offered returns the offer that the key signer has made, if there is one. One by
// another key is over: the sender has changed over, or was given another key.
func (s *State) offered(signer ed25519.PrivateKey) (c protocol.KeyChange, ok bool) {
	_ = s.view(func(tx *bbolt.Tx) error {
		c, ok = parseOffer(tx.Bucket(bucketMeta).Get(keyKeyChange))
		return nil
	})
	return c, ok && c.Old == keyID(signer)
}

// dropOffer forgets the offer. Its counter stays used up.
func (s *State) dropOffer() error {
	err := s.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Delete(keyKeyChange) })
	if err != nil {
		return fmt.Errorf("forgetting the offer of a key: %w", err)
	}
	return nil
}

// OfferKey offers another signing key from now on: at once if Run runs, with each
// heartbeat, and after each start, until the sender changes over to it. It goes on
// signing with the present key: a receiver takes the new one only when a person
// there has accepted it, and nobody can tell the sender when that was.
func (s *Sender) OfferKey(next ed25519.PrivateKey) error {
	_, err := s.cfg.State.newKeyChange(s.cfg.Name, s.cfg.Signer, next, s.cfg.Clock.Now())
	if err == nil {
		s.t.offerDue.Store(true)
	}
	return err
}

// WithdrawKey ends an offer.
func (s *Sender) WithdrawKey() error { return s.cfg.State.dropOffer() }

// Offered reports whether the key is the one that is offered.
func (s *Sender) Offered(next ed25519.PrivateKey) bool {
	c, ok := s.cfg.State.offered(s.cfg.Signer)
	return ok && offers(&c, s.cfg.Signer, next)
}

// SwitchKey signs with next from now on, in a session of its own, between two pieces
// of work while Run runs. The caller has put the key in its place: keep is called when
// nothing is under way any more.
func (s *Sender) SwitchKey(ctx context.Context, next ed25519.PrivateKey, keep func() error) error {
	err := s.anew(ctx, func() error {
		if !s.Offered(next) {
			return ErrNotOffered
		}
		if err := keep(); err != nil {
			return err
		}
		s.cfg.Signer = next
		return nil
	})
	if err != nil {
		return err
	}
	s.cfg.Log.Info().Str(event.Field, event.KeySwitched).Stringer("key", keyID(next)).Msg("signing with the new key from now on")
	return s.cfg.State.dropOffer()
}

// SwitchReceiver encrypts to another key of the receiver from now on, in a session of
// its own, between two pieces of work while Run runs.
func (s *Sender) SwitchReceiver(ctx context.Context, next hpke.PublicKey) error {
	return s.anew(ctx, func() error { s.cfg.Receiver = next; return nil })
}

// anew begins a session between two pieces of work, after something that it goes by
// was changed. Where change fails, the session before goes on.
func (s *Sender) anew(ctx context.Context, change func() error) error {
	turn, err := s.turns.take(ctx, levelRepair)
	if err != nil {
		return err
	}
	defer turn.leave()
	return s.t.call(ctx, func() (told, link error) {
		if err := change(); err != nil {
			return err, nil
		}
		s.t.next = nil
		err := s.t.begin()
		return err, err
	})
}

// offer sends the offer, if there is one.
func (t *transmitter) offer() error {
	t.offerDue.Store(false)
	c, ok := t.cfg.State.offered(t.cfg.Signer)
	if !ok {
		return nil
	}
	return t.alone(protocol.AppendKeyChange(nil, &c))
}

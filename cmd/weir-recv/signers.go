package main

import (
	"crypto/ed25519"
	"crypto/hpke"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"weir/internal/config"
	"weir/internal/event"
	"weir/internal/keyoffer"
	"weir/internal/keys"
	"weir/internal/steward"
	"weir/internal/vault"
	"weir/protocol"
	"weir/receiver"
)

// offerEvery is how often an offer that waits is told of again.
const offerEvery = 24 * time.Hour

// offered keeps the key that a sender offers, and says how to accept it: the first
// time, and daily while nobody does. It belongs to the goroutine that stores.
func (s *service) offered(c protocol.KeyChange) error {
	o, fresh, err := s.offers.Take(c.Sender, c.Counter, c.New[:])
	switch {
	case errors.Is(err, keyoffer.ErrOld):
		return receiver.ErrOldOffer
	case err != nil:
		return err
	}
	now := time.Now()
	if since := now.Sub(s.toldOffer[c.Sender]); !fresh && since >= 0 && since < offerEvery {
		return nil
	}
	s.toldOffer[c.Sender] = now
	if fresh {
		s.seen.note(event.KeyOffered, c.Sender+" "+o.Fingerprint()+" "+o.Key)
	}
	command := fmt.Sprintf(acceptOffer, c.Sender, o.Fingerprint())
	s.log.Warn().Str(event.Field, event.KeyOffered).Str("sender", c.Sender).Str("fingerprint", o.Fingerprint()).
		Str("command", command).Msg(offeredWords)
	return nil
}

// stranger says of a key that is not trusted whether it is one that was offered: the
// sender has changed over before anybody accepted it.
func (s *service) stranger(id protocol.KeyID) error {
	o, ok := s.offers.Find(func(key ed25519.PublicKey) bool { return protocol.NewKeyID(key) == id })
	if !ok {
		return nil
	}
	return fmt.Errorf(offerWaits, o.Fingerprint(), fmt.Sprintf(acceptOffer, o.Sender, o.Fingerprint()))
}

// changed goes by other keys, on the goroutine that stores. Keys of this host that
// cannot be read leave those that are in use in use.
func (s *service) changed(c vault.SignersChanged) error {
	secret, err := s.roster.Keys, error(nil)
	if c.Reload {
		secret, err = loadKeys(s.keyPaths)
	}
	if err != nil {
		secret, err = s.roster.Keys, fmt.Errorf(reloadFailed, err)
	} else if c.Reload {
		s.log.Info().Str(event.Field, event.ReceiverKeys).Int("keys", len(secret)).Msg(reloadedWords)
	}
	s.roster = newRoster(secret, c.Signers, c.Revoked)
	s.receiver.Change(s.roster)
	return err
}

// catchUp reads the keys once the vault is held: who changed them before that found
// nobody to tell.
func (s *service) catchUp(path string) (receiver.Roster, error) {
	c, err := config.LoadReceiver(path)
	if err != nil {
		return receiver.Roster{}, err
	}
	secret, err := loadKeys(c.Keys)
	if err != nil {
		return receiver.Roster{}, err
	}
	signers, revoked, err := steward.Senders(c)
	if err != nil {
		return receiver.Roster{}, err
	}
	return newRoster(secret, signers, revoked), s.vault.SetSigners(signers, revoked)
}

func newRoster(secret []hpke.PrivateKey, signers, revoked map[string][]ed25519.PublicKey) receiver.Roster {
	r := receiver.Roster{Keys: secret, Senders: signers}
	for _, keys := range revoked {
		r.Revoked = append(r.Revoked, keys...)
	}
	return r
}

// loadKeys loads this host's keys: each of the configuration, and the one beside it
// that it has replaced, while that is there.
func loadKeys(paths []string) (all []hpke.PrivateKey, err error) {
	for _, path := range paths {
		key, err := keys.LoadReceiver(path)
		if err != nil {
			return nil, err
		}
		old, err := keys.LoadReceiver(path + keys.OldSuffix)
		switch {
		case err == nil:
			all = append(all, key, old)
		case errors.Is(err, fs.ErrNotExist):
			all = append(all, key)
		default:
			return nil, err
		}
	}
	return all, nil
}

package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"

	"weir/internal/control"
	"weir/internal/keys"
)

// changed is the answer to what is asked for about keys.
type changed struct {
	Key  string `json:"key"`            // text of the new key
	Done bool   `json:"done,omitempty"` // it was the present one already
}

var errNoKey = errors.New(switchNone)

// changeKey does what is asked for about the signing key.
func (s *service) changeKey(ctx context.Context, r control.Request) (*changed, error) {
	s.keyWork.Lock()
	defer s.keyWork.Unlock()
	switch r.Action {
	case control.OfferKey:
		return s.offerKey()
	case control.SwitchKey:
		return s.switchKey(ctx, r.Key)
	}
	return &changed{}, s.withdrawKey()
}

// offerKey makes the new key, unless it is there, and offers it.
func (s *service) offerKey() (*changed, error) {
	path := s.config.Key
	err := keys.Prepare(path, func(next string) (err error) {
		_, err = keys.NewSender(next)
		return err
	})
	if errors.Is(err, keys.ErrExists) {
		return nil, fmt.Errorf(rotateTwice, path+keys.OldSuffix)
	}
	if err != nil {
		return nil, err
	}
	next, err := keys.LoadSender(path + keys.NextSuffix)
	if err != nil {
		return nil, err
	}
	return &changed{Key: publicText(next)}, s.sender.OfferKey(next)
}

// switchKey changes over to the key that is offered, if it is the one that was
// accepted.
func (s *service) switchKey(ctx context.Context, fingerprint string) (*changed, error) {
	path := s.config.Key
	next, err := keys.LoadSender(path + keys.NextSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return s.switched(fingerprint)
	}
	if err != nil {
		return nil, err
	}
	text := publicText(next)
	if keys.Fingerprint(text) != fingerprint {
		return nil, fmt.Errorf("%w; that of the key that is offered is %s", errNoKey, keys.Fingerprint(text))
	}
	// An offer that was lost with the state is made again: what counts is that
	// the vault has accepted the key.
	if err := s.sender.OfferKey(next); err != nil {
		return nil, err
	}
	return &changed{Key: text}, s.sender.SwitchKey(ctx, next, func() error { return keys.Switch(path) })
}

// switched answers for a change over that was done before.
func (s *service) switched(fingerprint string) (*changed, error) {
	key, err := keys.LoadSender(s.config.Key)
	if err != nil {
		return nil, err
	}
	if text := publicText(key); keys.Fingerprint(text) == fingerprint {
		return &changed{Key: text, Done: true}, nil
	}
	return nil, errNoKey
}

func (s *service) withdrawKey() error {
	err := keys.Destroy(s.config.Key + keys.NextSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New(cancelNone)
	}
	return errors.Join(err, s.sender.WithdrawKey())
}

// switchReceiver encrypts to another key, which is in the configuration already.
func (s *service) switchReceiver(ctx context.Context, text string) error {
	s.keyWork.Lock()
	defer s.keyWork.Unlock()
	key, err := keys.ParseReceiver(text)
	if err != nil {
		return err
	}
	return s.sender.SwitchReceiver(ctx, key)
}

func publicText(key ed25519.PrivateKey) string {
	return keys.SenderText(key.Public().(ed25519.PublicKey))
}

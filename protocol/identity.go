package protocol

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
)

// SessionID names a session: one stretch of sending under one key.
type SessionID [8]byte

// String returns the id in hex.
func (id SessionID) String() string { return hex.EncodeToString(id[:]) }

// KeyID names a sender's Ed25519 public key: the first 8 bytes of its SHA-256.
type KeyID [8]byte

// String returns the id in hex.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// NewKeyID returns the id of a sender's public key.
func NewKeyID(pub ed25519.PublicKey) KeyID {
	sum := sha256.Sum256(pub)
	return KeyID(sum[:len(KeyID{})])
}

// ObjectID names the content of one version of one file, for ever. It is
// random and unique for one sender.
type ObjectID [16]byte

// String returns the id in hex.
func (id ObjectID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the id in hex.
func (id ObjectID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *ObjectID) UnmarshalText(text []byte) error { return fromHex(id[:], text) }

// Hash is a SHA-256 sum.
type Hash [32]byte

// String returns the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText returns the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText is the inverse of MarshalText.
func (h *Hash) UnmarshalText(text []byte) error { return fromHex(h[:], text) }

var errHex = errors.New("not the right number of hex digits")

func fromHex(into, text []byte) error {
	if hex.DecodedLen(len(text)) != len(into) || len(text)%2 != 0 {
		return errHex
	}
	_, err := hex.Decode(into, text)
	return err
}

// ErrName is returned for a sender's or source's name outside of the rules.
var ErrName = errors.New("name is not 1 to 64 of a-z 0-9 . _ - beginning with a letter or digit")

func checkName[T string | []byte](name T) error {
	if len(name) == 0 || len(name) > MaxName || name[0] == '.' || name[0] == '_' || name[0] == '-' {
		return ErrName
	}
	for i := range len(name) {
		c := name[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return ErrName
		}
	}
	return nil
}

// Package keys makes, stores and prints the keys of weir: the receiver's, to
// which session keys are encapsulated (HPKE, ML-KEM-768 with X25519), the
// sender's, which signs announces and manifests (Ed25519), and the one with which
// a receiver signs its daily attestation (Ed25519). The public part of that goes
// to ssh-keygen, so it has the form of OpenSSH and none here.
//
// The text form of a key is a prefix that names its kind, then base64url
// without padding of the key's bytes followed by the first four bytes of the
// SHA-256 of prefix and key. So a typing error is told apart from a key of the
// wrong kind, and a secret key is recognised wherever somebody pastes it.
package keys

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// What can be wrong with the text of a key.
var (
	ErrNotKey    = errors.New("this is no weir key")
	ErrTypo      = errors.New("the key has a typing error, or a part of it is missing")
	ErrWrongKind = errors.New("this is a key of the wrong kind")
	ErrSecret    = errors.New("this is a SECRET key, which must not leave its host; give the public key instead")
)

// MaxText bounds the text of a key, in bytes, before anything is decoded. The
// longest form, the receiver's public key, has 1639.
const MaxText = 8 << 10

const checksumSize = 4

// A kind is one sort of key text. The lengths differ, the prefix decides.
type kind struct {
	prefix string
	size   int // bytes of the key
	what   string
	secret bool
}

var (
	receiverPublic = kind{"weir-recv-1-", 1216, "a receiver's public key", false}
	senderPublic   = kind{"weir-send-1-", ed25519.PublicKeySize, "a sender's public key", false}
	receiverSecret = kind{"weir-recv-secret-1-", 32, "a receiver's secret key", true}
	senderSecret   = kind{"weir-send-secret-1-", ed25519.SeedSize, "a sender's secret key", true}

	attestationSecret = kind{"weir-attest-secret-1-", ed25519.SeedSize, "a secret key for attestations", true}
)

var kinds = []kind{receiverPublic, senderPublic, receiverSecret, senderSecret, attestationSecret}

// The strict decoder refuses set padding bits, so a key has exactly one text.
var encoding = base64.RawURLEncoding.Strict()

func (k kind) checksum(key []byte) []byte {
	h := sha256.New()
	h.Write([]byte(k.prefix))
	h.Write(key)
	return h.Sum(nil)[:checksumSize]
}

func (k kind) encode(key []byte) string {
	return k.prefix + encoding.EncodeToString(append(bytes.Clone(key), k.checksum(key)...))
}

// decode returns the key's bytes. White space anywhere is ignored: mail and
// terminals break long lines.
func (k kind) decode(text string) ([]byte, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: it is longer than %d bytes", ErrNotKey, MaxText)
	}
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), "")
	found, ok := kindOf(text)
	switch {
	case !ok && strings.Contains(text, "-secret-1-"):
		return nil, ErrSecret // a whole key file, its comments before the key
	case !ok:
		return nil, fmt.Errorf("%w: %s begins with %q", ErrNotKey, k.what, k.prefix)
	case found.secret && !k.secret:
		return nil, ErrSecret
	case found != k:
		return nil, fmt.Errorf("%w: it is %s, %s is needed here", ErrWrongKind, found.what, k.what)
	}
	raw, err := encoding.DecodeString(text[len(k.prefix):])
	if err != nil || len(raw) != k.size+checksumSize {
		return nil, fmt.Errorf("%w: %d characters, %s has %d", ErrTypo, len(text), k.what, len(k.prefix)+encoding.EncodedLen(k.size+checksumSize))
	}
	key := raw[:k.size]
	if !bytes.Equal(raw[k.size:], k.checksum(key)) {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrTypo)
	}
	return key, nil
}

func kindOf(text string) (kind, bool) {
	for _, k := range kinds {
		if strings.HasPrefix(text, k.prefix) {
			return k, true
		}
	}
	return kind{}, false
}

// ReceiverText returns the text form of a receiver's public key.
func ReceiverText(pub hpke.PublicKey) string { return receiverPublic.encode(pub.Bytes()) }

// SenderText returns the text form of a sender's public key.
func SenderText(pub ed25519.PublicKey) string { return senderPublic.encode(pub) }

// ParseReceiver reads the text form of a receiver's public key. Its errors are
// ErrNotKey, ErrTypo, ErrWrongKind and ErrSecret.
func ParseReceiver(text string) (hpke.PublicKey, error) {
	raw, err := receiverPublic.decode(text)
	if err != nil {
		return nil, err
	}
	pub, err := hpke.MLKEM768X25519().NewPublicKey(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotKey, err)
	}
	return pub, nil
}

// ParseSender reads the text form of a sender's public key. Its errors are
// those of ParseReceiver.
func ParseSender(text string) (ed25519.PublicKey, error) {
	raw, err := senderPublic.decode(text)
	if err != nil {
		return nil, err
	}
	return ed25519.PublicKey(raw), nil
}

// Fingerprint returns a short form of a public key's text for two people to
// compare by voice: 80 bits of its SHA-256 in base32, which has no 0, 1, 8
// and 9, in four groups.
func Fingerprint(text string) string {
	text = strings.Join(strings.FieldsFunc(text, unicode.IsSpace), "")
	sum := sha256.Sum256([]byte(text))
	s := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
	return s[0:4] + "-" + s[4:8] + "-" + s[8:12] + "-" + s[12:16]
}

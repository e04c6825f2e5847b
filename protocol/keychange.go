package protocol

import (
	"crypto/ed25519"
	"slices"
)

// KeyChange offers another signing key of a sender in place of one that is
// trusted. It makes nothing trusted by itself: a person does.
type KeyChange struct {
	Sender    string
	Counter   uint64   // greater than in every earlier key change of the sender
	Old       KeyID    // of the key that signs the offer
	New       [32]byte // the public key that is offered, Ed25519
	Proof     [64]byte // by the new key: whoever offers it holds it
	Signature [64]byte // by the old key
}

const (
	keyChangeInfo  = "weir key change v1"
	keyChangeFixed = 1 + 8 + len(KeyID{}) + ed25519.PublicKeySize + 2*ed25519.SignatureSize
)

// KeyChangeSize returns the bytes that the record of c takes in a block.
func KeyChangeSize(c *KeyChange) int { return RecordHeaderSize + keyChangeFixed + len(c.Sender) }

// NewKeyChange makes the offer that the sender signs with next from now on, in
// place of old.
func NewKeyChange(sender string, counter uint64, old, next ed25519.PrivateKey) KeyChange {
	c := KeyChange{Sender: sender, Counter: counter, Old: NewKeyID(old.Public().(ed25519.PublicKey))}
	copy(c.New[:], next.Public().(ed25519.PublicKey))
	copy(c.Proof[:], ed25519.Sign(next, c.proven()))
	copy(c.Signature[:], ed25519.Sign(old, c.signed()))
	return c
}

// Verify reports whether the offer was signed with the key old and made by the
// holder of the new key.
func (c *KeyChange) Verify(old ed25519.PublicKey) bool {
	return len(old) == ed25519.PublicKeySize && NewKeyID(old) == c.Old &&
		ed25519.Verify(old, c.signed(), c.Signature[:]) && ed25519.Verify(c.New[:], c.proven(), c.Proof[:])
}

// proven is what the new key signs: everything before the proof, under a label.
func (c *KeyChange) proven() []byte {
	b := slices.Concat([]byte(keyChangeInfo), []byte{0})
	b = be.AppendUint64(appendName(b, c.Sender), c.Counter)
	return append(append(b, c.Old[:]...), c.New[:]...)
}

// signed is what the old key signs: the same and the proof.
func (c *KeyChange) signed() []byte { return append(c.proven(), c.Proof[:]...) }

// AppendKeyChange appends the record of c.
func AppendKeyChange(b []byte, c *KeyChange) []byte {
	b = AppendRecordHeader(b, RecordKeyChange, KeyChangeSize(c)-RecordHeaderSize)
	b = append(b, c.signed()[len(keyChangeInfo)+1:]...)
	return append(b, c.Signature[:]...)
}

// ParseKeyChange reads the body of a KeyChange record; ErrRecord if it is not
// well formed. Nothing in it is to be believed before Verify.
func ParseKeyChange(body []byte) (KeyChange, error) {
	f := fields{rest: body}
	c := KeyChange{Sender: f.name(), Counter: f.uint64()}
	f.copy(c.Old[:])
	f.copy(c.New[:])
	f.copy(c.Proof[:])
	f.copy(c.Signature[:])
	if c.Counter == 0 || NewKeyID(c.New[:]) == c.Old {
		f.bad = true
	}
	if err := f.end(); err != nil {
		return KeyChange{}, err
	}
	return c, nil
}

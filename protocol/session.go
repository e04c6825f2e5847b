package protocol

import (
	"crypto/aes"
	"crypto/cipher"
)

// Lengths of what both sides export from the HPKE context.
const (
	trafficKeySize = 32
	saltSize       = 4
	nonceSize      = saltSize + 8
)

// traffic is the AES-256-GCM instance of a session and its nonce, kept here
// because a nonce on the stack would escape into the interface call and cost
// an allocation a frame.
type traffic struct {
	aead  cipher.AEAD
	nonce [nonceSize]byte
}

func newTraffic(key, salt []byte) (*traffic, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	t := &traffic{aead: aead}
	copy(t.nonce[:], salt)
	return t, nil
}

// Sealer makes the symbol frames of one session. It is not safe for concurrent
// use: it owns the sequence, which is the nonce.
type Sealer struct {
	traffic
	session  SessionID
	sequence [MaxLanes]uint64 // of the last frame of each lane
}

// Session returns the session's id.
func (s *Sealer) Session() SessionID { return s.session }

// Sequence returns the sequence of the last frame sealed for the first lane, 0
// before the first frame.
func (s *Sealer) Sequence() uint64 { return s.sequence[0] }

// Skip passes over n sequence numbers of the first lane, as if that many frames
// had been sealed and lost.
func (s *Sealer) Skip(n uint64) { s.sequence[0] += n }

// Seal appends the frame of one symbol to dst: header, sealed symbol, tag. It
// sets the session and the next sequence of h.Lane in h and allocates nothing where dst
// has room for h.Symbol + FrameOverhead bytes more. symbol has h.Symbol bytes
// and does not overlap dst.
func (s *Sealer) Seal(dst []byte, h *Header, symbol []byte) []byte {
	s.sequence[h.Lane]++
	h.Session, h.Sequence = s.session, uint64(h.Lane)<<laneShift|s.sequence[h.Lane]
	start := len(dst)
	dst = AppendHeader(dst, h)
	be.PutUint64(s.nonce[saltSize:], h.Sequence)
	return s.aead.Seal(dst, s.nonce[:], symbol, dst[start:])
}

// Opener authenticates the symbol frames of one session. It is not safe for
// concurrent use; Clone makes another one for another goroutine.
type Opener struct {
	traffic
}

// Clone returns an Opener of the same session for use beside o.
func (o *Opener) Clone() *Opener {
	c := *o
	return &c
}

// Open authenticates a frame that ParseHeader has accepted, and decrypts its
// symbol into dst, which has at least that length. It returns ErrAuth for a
// frame that is not authentic. dst is overwritten in either case (package
// cipher clears it on failure), so it must not hold a symbol worth keeping.
func (o *Opener) Open(dst, frame []byte) error {
	copy(o.nonce[saltSize:], frame[offSequence:offBlock])
	if _, err := o.aead.Open(dst[:0], o.nonce[:], frame[HeaderSize:], frame[:HeaderSize]); err != nil {
		return ErrAuth
	}
	return nil
}

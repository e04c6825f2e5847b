package protocol

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
)

// Params are what a sender tells about a session, sealed to the receiver.
type Params struct {
	Sender   string // name of the sender
	Counter  uint64 // greater than in every earlier session of the sender
	Start    int64  // sender's clock, ns since 1970
	Rate     uint64 // bits per second on the wire
	Geometry        // the largest of each that a block of the session has
}

// Announce is the layout of an announce frame, not yet believed. Its slices
// are parts of the frame that was parsed.
type Announce struct {
	Session   SessionID
	Key       KeyID
	enc       []byte
	sealed    []byte
	signed    []byte
	signature []byte
}

// Layout of an announce and its labels.
const (
	offKey       = endSession
	offEnc       = offKey + len(KeyID{})
	encSize      = 1120 // MLKEM768-X25519: 1088 + 32
	offSealed    = offEnc + encSize
	paramsFixed  = 1 + 8 + 8 + 8 + 1 + 1 + 2 + 2
	minAnnounce  = offSealed + paramsFixed + 1 + TagSize + ed25519.SignatureSize
	maxAnnounce  = offSealed + paramsFixed + MaxName + TagSize + ed25519.SignatureSize
	announceInfo = "weir announce v1"
	exportKey    = "weir v1 traffic key"
	exportSalt   = "weir v1 nonce salt"
)

// MaxAnnounce is the length in bytes of the longest announce frame.
const MaxAnnounce = maxAnnounce

// ErrParams is returned for an announce whose sealed parameters are not well
// formed or outside of the limits.
var ErrParams = errors.New("announced parameters are outside of the limits")

// KEM returns the key encapsulation of announces, MLKEM768-X25519.
func KEM() hpke.KEM { return hpke.MLKEM768X25519() }

// NewSession makes the announce that opens a session to the holder of the key
// receiver, and the Sealer of its frames. The session's id and keys are random.
func NewSession(p Params, receiver hpke.PublicKey, signer ed25519.PrivateKey) ([]byte, *Sealer, error) {
	if err := p.check(); err != nil {
		return nil, nil, err
	}
	enc, ctx, err := hpke.NewSender(receiver, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(announceInfo))
	if err != nil {
		return nil, nil, fmt.Errorf("encapsulating a session key: %w", err)
	}
	s := &Sealer{}
	rand.Read(s.session[:])
	frame := announceHead(s.session, NewKeyID(signer.Public().(ed25519.PublicKey)))
	sealed, err := ctx.Seal(frame, appendParams(nil, &p))
	if err != nil {
		return nil, nil, fmt.Errorf("sealing the session's parameters: %w", err)
	}
	frame = slices.Concat(frame, enc, sealed)
	frame = append(frame, ed25519.Sign(signer, signedPart(frame))...)
	t, err := exportTraffic(ctx.Export)
	if err != nil {
		return nil, nil, err
	}
	s.traffic = *t
	return frame, s, nil
}

func announceHead(session SessionID, key KeyID) []byte {
	head := append(make([]byte, 0, offEnc), Version, byte(FrameAnnounce), 0, 0)
	return append(append(head, session[:]...), key[:]...)
}

// ParseAnnounce cuts a frame into the parts of an announce. It checks the
// layout only; nothing is believed before Verify and Open.
func ParseAnnounce(frame []byte) (Announce, error) {
	kind, session, err := FrameKindOf(frame)
	switch {
	case err != nil:
		return Announce{}, err
	case kind != FrameAnnounce:
		return Announce{}, ErrKind
	case len(frame) < minAnnounce || len(frame) > maxAnnounce:
		return Announce{}, ErrLength
	case frame[2] != 0 || frame[3] != 0:
		return Announce{}, ErrReserved
	}
	end := len(frame) - ed25519.SignatureSize
	return Announce{
		Session:   session,
		Key:       KeyID(frame[offKey:offEnc]),
		enc:       frame[offEnc:offSealed],
		sealed:    frame[offSealed:end],
		signed:    frame[:end],
		signature: frame[end:],
	}, nil
}

// Verify reports whether the sender with the key pub made the announce.
func (a Announce) Verify(pub ed25519.PublicKey) bool {
	return len(pub) == ed25519.PublicKeySize && ed25519.Verify(pub, signedPart(a.signed), a.signature)
}

// Open decapsulates the session key with the receiver's key and returns the
// parameters and the Opener of the session's frames. It returns ErrAuth when
// the announce is not for this key, ErrParams when its content is not good.
func (a Announce) Open(key hpke.PrivateKey) (Params, *Opener, error) {
	ctx, err := hpke.NewRecipient(a.enc, key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(announceInfo))
	if err != nil {
		return Params{}, nil, ErrAuth
	}
	raw, err := ctx.Open(a.signed[:offEnc], a.sealed)
	if err != nil {
		return Params{}, nil, ErrAuth
	}
	p, err := parseParams(raw)
	if err != nil {
		return Params{}, nil, err
	}
	t, err := exportTraffic(ctx.Export)
	if err != nil {
		return Params{}, nil, err
	}
	return p, &Opener{traffic: *t}, nil
}

// signedPart prefixes what is signed with a label, so that the signature can
// never be taken for one over something else.
func signedPart(frame []byte) []byte {
	return slices.Concat([]byte(announceInfo), []byte{0}, frame)
}

func exportTraffic(export func(context string, length int) ([]byte, error)) (*traffic, error) {
	key, err := export(exportKey, trafficKeySize)
	if err != nil {
		return nil, fmt.Errorf("exporting the traffic key: %w", err)
	}
	salt, err := export(exportSalt, saltSize)
	if err != nil {
		return nil, fmt.Errorf("exporting the nonce salt: %w", err)
	}
	defer clear(key)
	return newTraffic(key, salt)
}

func (p *Params) check() error {
	if err := checkName(p.Sender); err != nil {
		return err
	}
	if p.Counter == 0 || p.Rate == 0 || p.Geometry.Check() != nil {
		return ErrParams
	}
	return nil
}

func appendParams(b []byte, p *Params) []byte {
	b = appendName(b, p.Sender)
	b = be.AppendUint64(b, p.Counter)
	b = be.AppendUint64(b, uint64(p.Start))
	b = be.AppendUint64(b, p.Rate)
	b = append(b, byte(p.K), byte(p.M))
	b = be.AppendUint16(b, uint16(p.Depth))
	return be.AppendUint16(b, uint16(p.Symbol))
}

func parseParams(raw []byte) (Params, error) {
	f := fields{rest: raw}
	p := Params{Sender: f.name(), Counter: f.uint64(), Start: int64(f.uint64()), Rate: f.uint64()}
	p.K, p.M = int(f.uint8()), int(f.uint8())
	p.Depth, p.Symbol = int(f.uint16()), int(f.uint16())
	if f.end() != nil || p.check() != nil {
		return Params{}, ErrParams
	}
	return p, nil
}

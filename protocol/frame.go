package protocol

import (
	"encoding/binary"
	"errors"
)

// FrameKind is the second byte of every frame.
type FrameKind uint8

// The kinds of frames.
const (
	FrameAnnounce FrameKind = 1
	FrameSymbol   FrameKind = 2
)

// Errors of frames. They are constants of the package, so that dropping a
// frame allocates nothing.
var (
	ErrShort    = errors.New("frame is too short")
	ErrLength   = errors.New("frame has a length that its kind does not have")
	ErrVersion  = errors.New("frame has another version")
	ErrKind     = errors.New("frame has an unknown kind")
	ErrReserved = errors.New("frame has reserved bytes that are not zero")
	ErrIdentity = errors.New("frame places its symbol outside of its block")
	ErrSequence = errors.New("frame has a sequence or block number of zero")
	ErrLane     = errors.New("frame is of a lane that its session does not have")
	ErrAuth     = errors.New("frame is not authentic")
)

// Offsets that announce and symbol frames share.
const (
	offVersion = 0
	offKind    = 1
	offSession = 4
	endSession = offSession + len(SessionID{})
)

// FrameKindOf returns what a datagram claims to be and the session it claims to
// belong to, without believing either. It is the cheapest look there is.
func FrameKindOf(frame []byte) (FrameKind, SessionID, error) {
	if len(frame) < endSession {
		return 0, SessionID{}, ErrShort
	}
	if frame[offVersion] != Version {
		return 0, SessionID{}, ErrVersion
	}
	kind := FrameKind(frame[offKind])
	if kind != FrameAnnounce && kind != FrameSymbol {
		return 0, SessionID{}, ErrKind
	}
	return kind, SessionID(frame[offSession:endSession]), nil
}

var be = binary.BigEndian

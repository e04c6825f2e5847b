// Package plan reckons what sending takes before anything is sent: time, bytes
// on the wire, memory, and how likely it is that holes remain.
//
// # Formulas
//
// A column of a block is one codeword of k+m symbols and is healed when at most
// m of them are lost. With independent loss of frames at the rate p, a column
// stays unhealed with
//
//	q = P(X > m), X binomial (k+m, p)
//
// and a pass of C columns leaves a hole with 1-(1-q)^C. That is exact, as the
// symbols of a column travel in frames of their own.
//
// A data symbol lacks after one pass when it is lost itself and so many of the
// others that its column is not healed:
//
//	h = p * P(Y >= m), Y binomial (k+m-1, p)
//
// After N passes a range lacks only if it lacked in each. Passes are
// independent, and need not cut a file into the same blocks, so symbols are
// taken one by one: 1-(1-h^N)^(C*k), an upper bound.
//
// A block that an outage of b symbols in each column hits has m-b of its parity
// left for other losses: its columns stay unhealed with P(X > m-b), X binomial
// (k+m-b, p).
package plan

import (
	"math"
	"time"

	"weir/internal/binomial"
	"weir/internal/geometry"
	"weir/protocol"
)

// What each side holds, in blocks of the largest size: the sender fills one, has
// one waiting and one leaving; the receiver puts one together while it writes the
// one before, and has one more waiting where its disk is now and then behind. A
// disk that is slower than the link makes it take more, up to its memory. Program
// is what each takes beside blocks, in bytes, as measured.
const (
	SenderBlocks   = 3
	ReceiverBlocks = 2
	BehindBlocks   = 3
	Program        = 14 << 20
)

// Question is what is to be sent, and over which link.
type Question struct {
	Geometry protocol.Geometry
	Rate     uint64        // bits a second on the wire
	Size     uint64        // bytes of content
	Burst    time.Duration // the outage that parity is to bridge
	Loss     float64       // share of the frames, lost one by one
	Passes   int
}

// Answer is what that takes.
type Answer struct {
	Blocks   uint64
	Frames   uint64
	Wire     uint64        // bytes, with parity, headers and Ethernet
	Time     time.Duration // of one pass
	Sender   uint64        // bytes of memory
	Receiver uint64        // bytes of memory, with a disk that always keeps up
	Behind   uint64        // the same with one that is now and then behind
	Bridged  time.Duration // the longest outage that parity heals when nothing else is lost
	Column   float64       // probability that a column is not healed
	Pass     float64       // that one pass leaves a hole
	Passes   float64       // that so many passes do, an upper bound
	Missing  float64       // bytes that one pass leaves missing, on average
	Outage   float64       // that a block hit by one outage of Burst keeps a hole
}

// Reckon answers a question.
func Reckon(q Question) Answer {
	g := q.Geometry
	frame := uint64(geometry.FrameBits(g.Symbol) / 8)
	a := Answer{
		Sender: SenderBlocks*uint64(g.BlockBytes()) + Program, Receiver: ReceiverBlocks*uint64(g.BlockBytes()) + Program,
		Behind: BehindBlocks*uint64(g.BlockBytes()) + Program,
	}
	room := uint64(g.DataBytes() - recordBytes)
	a.Blocks = (q.Size + room - 1) / room
	a.Frames = a.Blocks * uint64(g.Symbols())
	a.Wire = a.Frames * frame
	a.Time = seconds(float64(a.Wire) * 8 / float64(q.Rate))
	a.Bridged = seconds(float64(uint64(g.M*g.Depth)*frame) * 8 / float64(q.Rate))
	columns := float64(a.Blocks) * float64(g.Depth)
	a.Column = binomial.Tail(g.K+g.M, g.M, q.Loss)
	a.Pass = binomial.Any(columns, a.Column)
	symbol := q.Loss * binomial.Tail(g.K+g.M-1, g.M-1, q.Loss)
	a.Missing = symbol * columns * float64(g.K) * float64(g.Symbol)
	a.Passes = a.Pass
	if q.Passes > 1 {
		// No more than one pass leaves, which is exact and this only a bound.
		a.Passes = min(a.Pass, binomial.Any(columns*float64(g.K), math.Pow(symbol, float64(q.Passes))))
	}
	a.Outage = outage(q, frame)
	return a
}

// recordBytes is what a block of one large file has beside its content: the
// context and the head of a data record, at most.
const recordBytes = 160

// outage reckons the block in the midst of which an outage of Burst falls. It
// takes from some columns one symbol more than from the others.
func outage(q Question, frame uint64) float64 {
	g := q.Geometry
	frames := int(math.Ceil(q.Burst.Seconds() * float64(q.Rate) / 8 / float64(frame)))
	each, more := frames/g.Depth, frames%g.Depth
	if each > g.M || each == g.M && more > 0 {
		return 1
	}
	whole := func(lost, columns int) float64 { // logarithm of the probability that all of them are healed
		if columns == 0 {
			return 0
		}
		p := binomial.Tail(g.K+g.M-lost, g.M-lost, q.Loss)
		return float64(columns) * math.Log1p(-p)
	}
	return -math.Expm1(whole(each, g.Depth-more) + whole(each+1, more))
}

func seconds(s float64) time.Duration {
	return time.Duration(min(s*1e9, math.MaxInt64/2))
}

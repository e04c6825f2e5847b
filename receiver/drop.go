package receiver

import (
	"sync/atomic"

	"weir/internal/event"
)

// Drop is why a datagram was not used.
type Drop int

// The reasons, from the cheapest to find out to the dearest.
const (
	DropMalformed Drop = iota // no frame: length, version, kind, limits
	DropSession               // of a session that was not announced here
	DropOld                   // sequence at or below what was persisted before a restart
	DropGeometry              // a block larger than its session announced
	DropClosed                // of a block that is delivered already; parity mostly
	DropChanged               // another shape than the block's first frame
	DropDuplicate             // the symbol is there already
	DropSurplus               // the column has all it needs
	DropForged                // the tag is wrong
	DropReplayed              // of a block number that was delivered before
	DropMemory                // no room for another block: the disk is slow
	DropImpostor              // an announce that is not the one of its session
	DropStranger              // an announce of a sender that is not trusted
	DropBudget                // an announce too many, not verified
	DropSignature             // an announce whose signature is wrong
	DropCounter               // an announce of an old session
	DropRevoked               // an announce of a key that is revoked
	DropRefused               // an announce that is refused for another reason
	dropReasons

	admitted Drop = -1
)

var dropNames = [dropReasons]string{
	"malformed", "unknown-session", "old", "geometry", "closed", "changed",
	"duplicate", "surplus", "forged", "replayed", "memory",
	"announce-changed", "announce-stranger", "announce-budget", "announce-forged", "announce-replayed", "announce-revoked", "announce-refused",
}

// String returns the name of the reason in logs and metrics.
func (d Drop) String() string { return dropNames[d] }

// ordinary reports whether a healthy link drops frames for this reason.
func (d Drop) ordinary() bool { return d == DropClosed || d == DropDuplicate || d == DropSurplus }

// drops counts datagrams, all of them and those dropped by reason.
type drops struct {
	datagrams atomic.Uint64
	reasons   [dropReasons]atomic.Uint64
	logged    [dropReasons]uint64
}

func (d *drops) count(reason Drop) { d.reasons[reason].Add(1) }

// Counters is what happened to datagrams since the start.
type Counters struct {
	Datagrams uint64
	Dropped   map[string]uint64 // by reason; key changes among them are records, not datagrams
}

// Counters returns the counts so far. It may be called from anywhere.
func (r *Receiver) Counters() Counters {
	c := Counters{Datagrams: r.drops.datagrams.Load(), Dropped: map[string]uint64{}}
	for i := range r.drops.reasons {
		c.Dropped[Drop(i).String()] = r.drops.reasons[i].Load()
	}
	r.offers.addTo(c.Dropped)
	return c
}

// reportDrops logs each reason that has come up since the last report, once:
// a flood must not fill the log.
func (r *Receiver) reportDrops() {
	defer r.throughput.turn()
	for i := range r.drops.reasons {
		total, reason := r.drops.reasons[i].Load(), Drop(i)
		since := total - r.drops.logged[i]
		r.drops.logged[i] = total
		switch {
		case since == 0 || reason.ordinary():
		case reason == DropMemory:
			rate, words := r.throughput.advice(r.cfg.Now())
			r.cfg.Log.Error().Str(event.Field, event.MemoryFull).Uint64("frames", since).Int64("disk_bytes_per_second", rate).Msg(words)
		default:
			r.cfg.Log.Warn().Str(event.Field, event.FrameDropped).Stringer("reason", reason).
				Uint64("frames", since).Uint64("total", total).Msg("frames dropped")
		}
	}
}

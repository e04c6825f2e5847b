package receiver

import (
	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/internal/fec"
	"weir/protocol"
)

// spareJobs is the room in the queue beside the blocks: for settling.
const spareJobs = 16

// job is one piece of work for the worker: a closed block, or a look at the
// clock.
type job struct {
	block  *block
	sender string
	key    protocol.KeyID // under which its session was opened
	cut    bool           // more of the block would have come, but the receiver stops
	settle bool
	quiet  bool
}

// codeKey names a code.
type codeKey struct{ k, m int }

// maxCodes bounds the codes kept; a sender uses one for full blocks and a few
// for small ones.
const maxCodes = 64

// worker rebuilds and delivers closed blocks.
type worker struct {
	*Receiver
	codes    map[codeKey]*fec.Code
	inflater inflater
	losses   limiter // of lines about lost blocks
	refusals limiter // and about records
}

func (r *Receiver) runWorker() {
	defer r.worker.Done()
	w := &worker{Receiver: r, codes: map[codeKey]*fec.Code{}}
	defer w.inflater.close()
	for j := range r.work {
		if j.settle {
			r.settling.Store(false)
			r.throughput.begin(r.cfg.Now())
			err := r.cfg.Sink.Settle(j.quiet)
			r.throughput.end(r.cfg.Now(), 0)
			r.rest.Store(j.quiet)
			if err != nil {
				r.cfg.Log.Error().Str(event.Field, event.DiskError).Err(err).Msg("settling the vault")
			}
			continue
		}
		// A key may have been revoked since the block came.
		if _, ok := r.roster.Load().trusted[j.key]; ok {
			w.finish(j)
		}
		r.memory.put(j.block.arena)
		r.rest.Store(false)
		r.queued.Add(-1)
	}
}

// finish rebuilds what can be rebuilt and delivers the rest.
func (w *worker) finish(j job) {
	b, sender := j.block, j.sender
	lost := b.geometry.DataSymbols() - b.data
	if lost > 0 {
		rebuilt, failed, err := w.rebuild(b)
		w.lossLine(failed > 0 && !j.cut || err != nil).Str("sender", sender).Uint64("block", b.number).Int("lost_symbols", lost).Int("rebuilt", rebuilt).
			Int("lost_bytes", failed*b.geometry.Symbol).Int("refused", b.refused).Err(err).Msg(lossWords(b))
	}
	d := delivery{worker: w, sink: w.cfg.Sink, log: w.cfg.Log, sender: sender, block: b}
	w.throughput.begin(w.cfg.Now())
	data := d.run()
	now := w.cfg.Now()
	w.throughput.end(now, b.length)
	if data {
		w.lastData.Store(now.UnixNano())
	}
}

// lossWords says who lost the symbols of a block.
func lossWords(b *block) string {
	if b.refused > 0 {
		return "symbols lost, as frames of the block found no memory: the disk is slower than the link"
	}
	return "symbols lost"
}

// lossLine begins the line about a block that was not complete.
func (w *worker) lossLine(lost bool) *zerolog.Event {
	if !lost {
		return w.cfg.Log.Debug().Str(event.Field, event.BlockHealed)
	}
	held, ok := w.losses.pass(w.cfg.Now())
	if !ok {
		return nil // which zerolog takes for a line that is off
	}
	return w.cfg.Log.Warn().Str(event.Field, event.BlockLost).Uint64("not_logged", held)
}

func (w *worker) rebuild(b *block) (rebuilt, failed int, err error) {
	key := codeKey{b.geometry.K, b.geometry.M}
	code := w.codes[key]
	if code == nil {
		if code, err = fec.New(key.k, key.m); err != nil {
			return 0, b.geometry.DataSymbols() - b.data, err
		}
		if len(w.codes) >= maxCodes {
			clear(w.codes)
		}
		w.codes[key] = code
	}
	return code.Rebuild(b.arena, b.geometry.Depth, b.geometry.Symbol, b.present)
}

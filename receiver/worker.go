package receiver

import (
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/internal/fec"
	"weir/protocol"
)

// job is one piece of work for the worker: a closed block, or a look at the
// clock.
type job struct {
	block  *block
	sender string
	key    protocol.KeyID // under which its session was opened
	cut    bool           // more of the block would have come, but the receiver stops
	settle bool
	quiet  bool
	begun  *delivery // of the block, once its turn has come
}

// codeKey names a code.
type codeKey struct{ k, m int }

// maxCodes bounds the codes kept; a sender uses one for full blocks and a few
// for small ones.
const maxCodes = 64

// turnTime is how long a block of one sender is delivered before it is another's turn:
// a block of a few hundred thousand tiny records for as many files costs a minute.
const turnTime = 100 * time.Millisecond

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
	for {
		j, ok := r.turns.next()
		if !ok {
			break
		}
		if j.settle {
			w.settle(j.quiet)
			continue
		}
		begun := time.Now()
		done := w.turn(&j, begun.Add(turnTime))
		took := time.Since(begun)
		if !done {
			r.turns.again(j, took)
			continue
		}
		r.memory.put(j.block.arena, j.sender)
		r.rest.Store(false)
		r.turns.done(j.sender, took)
		r.queued.Add(-1)
	}
	w.settle(true)
}

// settle lets the sink settle.
func (w *worker) settle(quiet bool) {
	w.throughput.begin(w.cfg.Now())
	err := w.cfg.Sink.Settle(quiet)
	w.throughput.end(w.cfg.Now(), 0)
	w.rest.Store(quiet)
	if err != nil {
		w.cfg.Log.Error().Str(event.Field, event.DiskError).Err(err).Msg("settling the vault")
	}
}

// turn does what it can of a block until a time, and reports whether that is all.
func (w *worker) turn(j *job, until time.Time) bool {
	if _, ok := w.roster.Load().trusted[j.key]; !ok {
		return true // it was revoked since the block came
	}
	if j.begun == nil {
		w.complete(j)
		j.begun = &delivery{worker: w, sink: w.cfg.Sink, log: w.cfg.Log, sender: j.sender, block: j.block}
	}
	w.throughput.begin(w.cfg.Now())
	done := j.begun.run(until)
	now, bytes := w.cfg.Now(), 0
	if done {
		bytes = j.block.length
	}
	w.throughput.end(now, bytes)
	if j.begun.data {
		w.lastData.Store(now.UnixNano())
	}
	return done
}

// complete rebuilds what can be rebuilt.
func (w *worker) complete(j *job) {
	b := j.block
	lost := b.geometry.DataSymbols() - b.data
	if lost == 0 {
		return
	}
	rebuilt, failed, err := w.rebuild(b)
	w.lossLine(failed > 0 && !j.cut || err != nil).Str("sender", j.sender).Uint64("block", b.number).Int("lost_symbols", lost).Int("rebuilt", rebuilt).
		Int("lost_bytes", failed*b.geometry.Symbol).Int("refused", b.refused).Err(err).Msg(lossWords(b))
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

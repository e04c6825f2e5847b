package receiver

import (
	"sync"
	"time"
)

// turns is what the worker has to do. Each sender has a queue of its own, and the one
// whose blocks have taken the least time so far comes first: what one of them sends,
// be it made to cost much, does not keep the others waiting for longer than one turn.
// The queues need no bound of their own, as each block in them has its memory.
type turns struct {
	mu      sync.Mutex
	changed sync.Cond
	queues  map[string]*queue
	added   uint64 // blocks so far
	taken   uint64 // of them by the worker, at least in part
	settle  settling
	closed  bool
}

// queue holds the blocks of one sender in the order in which they were closed.
type queue struct {
	jobs  []job
	place int           // among the queues, which decides where two have spent the same
	busy  bool          // the worker has one of them
	spent time.Duration // that its blocks took, or the others' while it had none
}

// settling is a look at the clock that was asked for.
type settling struct {
	asked, quiet bool
	after        uint64 // blocks that were there when it was
}

// leastTurn is what a block counts for at the least: where all cost nothing, senders
// take turns too.
const leastTurn = time.Microsecond

func newTurns() *turns {
	t := &turns{queues: map[string]*queue{}}
	t.changed.L = &t.mu
	return t
}

// add puts a block at the end of its sender's queue. A sender that had none begins
// where the others are: it has saved up nothing.
func (t *turns) add(j job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[j.sender]
	if q == nil {
		q = &queue{place: len(t.queues)}
		t.queues[j.sender] = q
	}
	if !q.waits() {
		q.spent = max(q.spent, t.level())
	}
	q.jobs = append(q.jobs, j)
	t.added++
	t.changed.Signal()
}

func (q *queue) waits() bool { return q.busy || len(q.jobs) > 0 }

// level is the least time that a sender with blocks here has taken.
func (t *turns) level() time.Duration {
	level := time.Duration(-1)
	for _, q := range t.queues {
		if q.waits() && (level < 0 || q.spent < level) {
			level = q.spent
		}
	}
	return level
}

// ask has the worker settle once it is through with the blocks that are there now, in
// whatever order. It does nothing where that was asked for already.
func (t *turns) ask(quiet bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.settle.asked {
		return
	}
	t.settle = settling{asked: true, quiet: quiet, after: t.added}
	t.changed.Signal()
}

// next waits for something to do. It returns false when the queues are empty and
// closed.
func (t *turns) next() (j job, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		if t.settle.asked && t.taken >= t.settle.after {
			t.settle.asked = false
			return job{settle: true, quiet: t.settle.quiet}, true
		}
		if q := t.first(); q != nil {
			j, q.jobs = q.jobs[0], q.jobs[1:]
			q.busy = true
			if j.begun == nil {
				t.taken++
			}
			return j, true
		}
		if t.closed {
			return job{}, false
		}
		t.changed.Wait()
	}
}

// first returns the queue whose turn it is, nil if all are empty.
func (t *turns) first() *queue {
	var first *queue
	for _, q := range t.queues {
		if len(q.jobs) > 0 && (first == nil || q.spent < first.spent || q.spent == first.spent && q.place < first.place) {
			first = q
		}
	}
	return first
}

// done notes what a block of the sender took.
func (t *turns) done(sender string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.charge(sender, took)
}

// again puts a block back of which not all is done, before the others of its sender.
func (t *turns) again(j job, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.charge(j.sender, took)
	q.jobs = append([]job{j}, q.jobs...)
}

// charge ends the turn of a sender, whose queue it returns.
func (t *turns) charge(sender string, took time.Duration) *queue {
	q := t.queues[sender]
	q.busy = false
	q.spent += max(took, leastTurn)
	return q
}

// waits reports whether blocks of the sender are here, or with the worker.
func (t *turns) waits(sender string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	q := t.queues[sender]
	return q != nil && q.waits()
}

// close lets next return when all is done.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.changed.Broadcast()
}

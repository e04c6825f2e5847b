package sender

import (
	"context"
	"sync"
	"time"

	"weir/protocol"
)

// planAfter is how long a snapshot reads content before somebody who watches is
// worth a second walk. Where little changed it is over by then.
const planAfter = 300 * time.Millisecond

// plan tells those who watch how much there is to read. It walks the tree beside
// the sending, once there is something to send.
type plan struct {
	s     *snapshot
	all   []root
	begin sync.Once
	timer *time.Timer
	ctx   context.Context
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// newPlan returns nil where nobody watches.
func (s *snapshot) newPlan(ctx context.Context, all []root) *plan {
	if s.job.Planned == nil {
		return nil
	}
	p := &plan{s: s, all: all}
	p.ctx, p.stop = context.WithCancel(ctx)
	return p
}

// reading tells that content is read now.
func (p *plan) reading() {
	if p == nil {
		return
	}
	p.begin.Do(func() {
		p.done.Add(1)
		p.timer = time.AfterFunc(planAfter, func() {
			defer p.done.Done()
			if total, err := p.count(); err == nil {
				p.s.job.Planned(total)
			}
		})
	})
}

// close ends the plan: everything has been read, so that is what there was.
func (p *plan) close(read int64) {
	if p == nil {
		return
	}
	p.stop()
	if p.timer != nil && p.timer.Stop() {
		p.done.Done()
	}
	p.done.Wait()
	p.s.job.Planned(read)
}

// count adds up what there is to read.
func (p *plan) count() (total int64, err error) {
	links, recall := hardLinks{}, p.s.cfg.State.recall(p.s.job.Source)
	w := walker{exclude: p.s.job.Exclude, own: newOwn(p.s.cfg.Own), visit: func(n *node) error {
		if !n.isFile() {
			return p.ctx.Err()
		}
		known, ok, err := recall.find(n.path)
		if err != nil {
			return err
		}
		v := fileVersion(&n.stat)
		ok = ok && known.sameFile(&v)
		if _, again := links.met(n, p.s.spooledNames(&known, ok)); again {
			return p.ctx.Err()
		}
		if p.s.job.All || !ok || known.Object == (protocol.ObjectID{}) {
			total += min(n.stat.Size, n.stat.Blocks*512)
		}
		return p.ctx.Err()
	}}
	return total, w.walk(p.all)
}

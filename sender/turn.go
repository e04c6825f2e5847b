package sender

import (
	"context"
	"slices"
	"sync"
)

// level says which work goes first on the link.
type level int

const (
	levelRepair level = iota // somebody who typed a code waits for it
	levelPush
	levelPass // fills the idle link
	levels
)

// turns gives the link to one piece of work at a time: to the most urgent, and
// among equals to the one that came first. Work of a lower level makes room
// between two blocks.
type turns struct {
	mu      sync.Mutex
	held    bool
	waiting [levels][]chan struct{}
}

// turn is one piece of work's claim to the link.
type turn struct {
	*turns
	level level
	mine  bool
}

// take waits for the link. The caller leaves it when done.
func (t *turns) take(ctx context.Context, l level) (*turn, error) {
	u := &turn{turns: t, level: l}
	t.mu.Lock()
	if !t.held {
		t.held, u.mine = true, true
		t.mu.Unlock()
		return u, nil
	}
	c := make(chan struct{})
	t.waiting[l] = append(t.waiting[l], c)
	t.mu.Unlock()
	return u, u.wait(ctx, c)
}

func (u *turn) wait(ctx context.Context, c chan struct{}) error {
	select {
	case <-c:
		u.mine = true
		return nil
	case <-ctx.Done():
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if i := slices.Index(u.waiting[u.level], c); i >= 0 {
		u.waiting[u.level] = slices.Delete(u.waiting[u.level], i, i+1)
	} else {
		u.next() // it was given just now, and is not wanted any more
	}
	return ctx.Err()
}

// yield lets more urgent work go first, if there is any. The caller has no block.
func (u *turn) yield(ctx context.Context) error {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	if !u.wanted() {
		u.mu.Unlock()
		return nil
	}
	c := make(chan struct{})
	u.waiting[u.level] = slices.Insert(u.waiting[u.level], 0, c)
	u.mine = false
	u.next()
	u.mu.Unlock()
	return u.wait(ctx, c)
}

// wanted reports whether more urgent work waits. The lock is held.
func (u *turn) wanted() bool {
	for l := range u.level {
		if len(u.waiting[l]) > 0 {
			return true
		}
	}
	return false
}

// leave gives the link to the next, if it is still held.
func (u *turn) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.mine {
		u.mine = false
		u.next()
	}
}

// next lets the most urgent work go on. The lock is held.
func (t *turns) next() {
	for l := range t.waiting {
		if len(t.waiting[l]) > 0 {
			close(t.waiting[l][0])
			t.waiting[l] = t.waiting[l][1:]
			return
		}
	}
	t.held = false
}

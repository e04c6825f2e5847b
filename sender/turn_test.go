package sender

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns has a pass under way when a push and then a repair come: each makes
// room at its next block, and goes on when the more urgent one is done.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ts turns
		var done []string
		var all sync.WaitGroup
		work := func(l level, name string, blocks int) {
			all.Go(func() {
				u, err := ts.take(t.Context(), l)
				if err != nil {
					t.Error(err)
				}
				defer u.leave()
				for i := range blocks {
					if err := u.yield(t.Context()); err != nil {
						t.Error(err)
					}
					time.Sleep(time.Second)
					done = append(done, fmt.Sprint(name, i))
				}
			})
			time.Sleep(500 * time.Millisecond)
		}
		work(levelPass, "pass", 3)
		work(levelPush, "push", 3)
		work(levelPush, "next", 1)
		work(levelRepair, "code", 2)
		all.Wait()
		if want := []string{"pass0", "push0", "code0", "code1", "push1", "push2", "next0", "pass1", "pass2"}; !slices.Equal(done, want) {
			t.Errorf("%v, want %v", done, want)
		}
		if ts.held {
			t.Error("nobody has the link any more, and it is held")
		}
	})
}

// TestTurnsGivenUp lets work of all levels come, yield and give up at random.
// Never may two have the link, and in the end it is free.
func TestTurnsGivenUp(t *testing.T) {
	var ts turns
	var holders atomic.Int32
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(2000))*time.Microsecond)
			defer cancel()
			u, err := ts.take(ctx, level(rand.IntN(int(levels))))
			for range rand.IntN(5) {
				if err != nil {
					break
				}
				if holders.Add(1) != 1 {
					t.Error("two have the link")
				}
				time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
				holders.Add(-1)
				err = u.yield(ctx)
			}
			u.leave()
		})
	}
	all.Wait()
	if ts.held {
		t.Error("the link was not given back")
	}
}

package vault

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// slowly asks for a scrub that takes some seconds.
func slowly(t *testing.T, dir string) (done chan error) {
	detail, err := json.Marshal(ScrubRequest{Rate: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan error, 1)
	go func() { done <- Ask(t.Context(), dir, Options{}, Request{Action: ActionScrub, Detail: detail}, nil) }()
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if s, err := ReadScrub(dir); err == nil && s.Running {
			return done
		}
		if time.Now().After(end) {
			t.Fatal("the scrub does not begin")
		}
	}
}

// TestReceiverTakesOverFromAScrub: it need not wait for the end of it, others are
// told who holds the vault, and the scrub goes on in the receiver.
func TestReceiverTakesOverFromAScrub(t *testing.T) {
	g := newStore(t)
	g.send(g.shot(1, 2<<20, 2<<20, 2<<20))
	g.close()
	done := slowly(t, g.dir)
	if _, err := Open(g.dir, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "vault.test") {
		t.Fatalf("another command: %v", err)
	}
	begun := time.Now()
	v, err := TakeOver(t.Context(), g.dir, Options{})
	if err != nil || time.Since(begun) > 3*time.Second {
		t.Fatalf("%v after %v", err, time.Since(begun))
	}
	g.v = v
	stop := g.serving()
	if _, err := TakeOver(t.Context(), g.dir, Options{}); !errors.Is(err, ErrInUse) {
		t.Fatalf("another receiver: %v", err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s, err := ReadScrub(g.dir)
		if err != nil || time.Now().After(end) {
			t.Fatalf("%+v, %v", s, err)
		}
		if !s.Running {
			break
		}
	}
	stop()
}

// TestReceiverTakesOverFromAPrune: what was condemned, and is not gone yet, goes there.
func TestReceiverTakesOverFromAPrune(t *testing.T) {
	const each = 40 * time.Millisecond // to remove one
	g := newStore(t)
	g.opt = retaining(Retention{Last: 1})
	g.series(3 * removeEach)
	g.close()
	slow, begun := g.options(), make(chan bool, 3*removeEach)
	slow.Point = func(name string) {
		if name == "condemned" {
			begun <- true
			time.Sleep(each)
		}
	}
	done := make(chan error, 1)
	go func() { done <- Ask(t.Context(), g.dir, slow, Request{Action: ActionPrune}, nil) }()
	<-begun
	v, err := TakeOver(t.Context(), g.dir, g.options())
	if n := len(begun) + 1; err != nil || n > 2*removeEach {
		t.Fatalf("%v, when %d of them were gone", err, n)
	}
	g.v = v
	stop := g.serving()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	stop()
	g.v.finishWork(t.Context())
	if all, err := List(g.dir); err != nil || len(all) != 1 {
		t.Fatalf("%d are left, %v", len(all), err)
	}
}

// TestHolderThatDies is not waited for, and what it was asked for is taken back.
func TestHolderThatDies(t *testing.T) {
	g := newStore(t) // never answers
	done := make(chan error, 1)
	begun := time.Now()
	go func() { done <- Ask(t.Context(), g.dir, Options{}, note("x"), nil) }()
	for asked := 0; asked == 0; time.Sleep(time.Millisecond) {
		entries, err := os.ReadDir(layout{g.dir}.own(requestsDir))
		if asked = len(entries); err != nil || time.Since(begun) > time.Minute {
			t.Fatalf("nothing is asked: %v", err)
		}
	}
	g.kill()
	if err := <-done; !errors.Is(err, ErrHolderGone) || time.Since(begun) > 10*time.Second {
		t.Fatalf("%v after %v", err, time.Since(begun))
	}
	if left, err := os.ReadDir(layout{g.dir}.own(requestsDir)); err != nil || len(left) > 0 {
		t.Fatalf("left over: %v, %v", left, err)
	}
}

package sender

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"weir/protocol"
)

// A push that was cut short must give its blocks back, or the next ones wait
// for ever.
func TestPushAfterPushesCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, dir := newRig(t), t.TempDir()
		for i := range 10 {
			write(t, dir, map[string][]byte{string(rune('a' + i)): noise(1, 1000)})
		}
		for range 2 * blocksHeld {
			ctx, cancel := context.WithCancel(t.Context())
			n := 0
			stop := func(int64) {
				if n++; n == 5 {
					cancel()
				}
			}
			_, err := r.Push(ctx, Job{Source: "s", Paths: []string{dir}, All: true, Progress: stop})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled: %v", err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := r.Push(ctx, Job{Source: "s", Stream: io.LimitReader(endless{}, 1e6), As: "zeros"}); err != nil {
			t.Fatal(err)
		}
	})
}

// Where the link fails, Push says so and does not wait for it.
func TestPushWithoutLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		broken := errors.New("no such device")
		r.mu.Lock()
		r.hook = func(*protocol.Header) { r.fail = broken }
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := r.Push(ctx, Job{Source: "s", Stream: endless{}, As: "zeros"})
		if !errors.Is(err, ErrStopped) {
			t.Errorf("Push: %v", err)
		}
		if err := <-r.ran; !errors.Is(err, broken) {
			t.Errorf("Run: %v", err)
		}
		r.ran = nil
	})
}

// A stream ends as well where its producer is ended together with the client: a push
// that is cancelled by then has no manifest.
func TestStreamThatEndsWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		ends := readerFunc(func([]byte) (int, error) { cancel(); return 0, io.EOF })
		stream := io.MultiReader(io.LimitReader(endless{}, 1000), ends)
		if _, err := r.Push(ctx, Job{Source: "s", Stream: stream, As: "x"}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(r.manifests) != 0 {
			t.Error("a manifest left")
		}
	})
}

// TestRunEndsAtOnce ends a sender on a slow link, where the announces at the start, a
// block and the pause before the tail take half a minute each.
func TestRunEndsAtOnce(t *testing.T) {
	for name, after := range map[string]time.Duration{"announces": time.Second, "a block": 25 * time.Second, "the pause": 41 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(c *Config) { c.Rate, c.Burst = 64e3, 10*time.Second })
				ctx, cancel := context.WithCancel(t.Context())
				pushed := make(chan error, 1)
				go func() {
					_, err := r.Push(ctx, Job{Source: "s", Stream: bytes.NewReader(noise(1, 50_000)), As: "x"})
					pushed <- err
				}()
				time.Sleep(after)
				start := time.Now()
				cancel()
				if err := <-pushed; !errors.Is(err, context.Canceled) {
					t.Errorf("Push: %v", err)
				}
				r.stop()
				if took := time.Since(start); took > time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestStreamThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		bad := io.MultiReader(io.LimitReader(endless{}, 100000), iotest.ErrReader(errors.New("it broke")))
		res, got := r.push(Job{Stream: bad, As: "x"})
		e := got.entries["x"]
		if res.Problems != 1 || e.Size != 100000 || e.Problem != problemRead+"it broke" || len(r.content(e.Object)) != 100000 {
			t.Errorf("%+v %+v", res, e)
		}
		res, got = r.push(Job{Stream: iotest.ErrReader(errors.New("at once")), As: "x"})
		if e = got.entries["x"]; res.Problems != 1 || e.Size != 0 || e.Problem == "" || e.Object != [16]byte{} {
			t.Errorf("%+v %+v", res, e)
		}
	})
}

// endless reads as zeros for ever.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

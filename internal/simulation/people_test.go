package simulation

import (
	"bytes"
	"context"
	"errors"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"weir/sender"
)

// What there is to back up: of so many files two thirds are written anew each time.
const (
	monthFiles = 12
	monthFile  = 16 << 10 // bytes at most
	monthDump  = 64 << 10 // bytes at most
)

// change writes some files of the source anew, as editors do, by a rename.
func (h *hosts) change(src string) {
	fresh := filepath.Join(h.dir, "fresh")
	tree(h.t, h.rng, fresh, monthFiles, monthFile)
	files, err := filepath.Glob(filepath.Join(fresh, "*", "*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, from := range files {
		to := filepath.Join(src, from[len(fresh):])
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Rename(from, to)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// push takes a snapshot, which a kill of the sender may cut short.
func (h *hosts) push(day int) {
	src := filepath.Join(h.dir, "src")
	h.change(src)
	job := sender.Job{Source: "etc", Paths: []string{src}}
	if day%2 == 1 {
		dump := make([]byte, 1+h.rng.IntN(monthDump))
		mrand.NewChaCha8([32]byte{byte(day)}).Read(dump)
		job = sender.Job{Source: "db", Stream: bytes.NewReader(dump), As: "db.sql"}
	}
	if h.rng.IntN(10) == 0 { // killed in the midst of it
		s := h.send
		done := make(chan struct{})
		go func() { s.Push(context.Background(), job); close(done) }()
		time.Sleep(time.Duration(h.rng.Int64N(int64(300 * time.Millisecond))))
		h.stopSender(true)
		<-done
		h.startSender()
		return
	}
	if _, err := h.send.Push(h.t.Context(), job); err != nil {
		h.t.Fatal(err)
	}
}

// live lets time pass, with what happens at random in it.
func (h *hosts) live(w *weather, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		step := min(time.Until(end), time.Duration(h.rng.Int64N(int64(h.pace.every/6))))
		time.Sleep(step)
		chance := func(every float64) bool { return h.rng.Float64()*every < float64(step)/float64(h.pace.every) }
		if chance(w.outageEvery) {
			h.begin(h.upTo(w.outageUpTo))
		}
		if chance(w.killEvery) {
			h.stopReceiver(h.rng.IntN(2) == 0)
			time.Sleep(time.Duration(h.rng.Int64N(int64(h.pace.every / 12))))
			h.startReceiver()
		}
		if chance(w.killEvery) {
			h.stopSender(h.rng.IntN(2) == 0)
			h.startSender()
		}
	}
}

func (h *hosts) begin(length time.Duration) {
	h.loss.mu.Lock()
	defer h.loss.mu.Unlock()
	h.outage = [2]time.Time{time.Now(), time.Now().Add(length)}
}

// upTo returns a random time of at most so many times between snapshots.
func (h *hosts) upTo(most float64) time.Duration {
	return time.Duration(h.rng.Float64() * most * float64(h.pace.every))
}

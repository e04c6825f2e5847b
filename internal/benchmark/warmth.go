package main

import (
	"context"
	"errors"
	"os"
	"time"
)

const (
	// warmMore is what a run takes beside the file: socket buffer and blocks.
	warmMore = 512 << 20
	// feedEvery and feedLead: how often memory is given, and how much of it early.
	feedEvery = 20 * time.Millisecond
	feedLead  = 384 << 20
)

// warmth is memory that the machine holds ready. A virtual machine gives free
// memory back to its host within seconds, and what it gets anew costs several
// times what is measured here. So a file is held before each run, and cut shorter
// at the pace at which the run takes memory.
type warmth struct {
	file *os.File
	size int64
	rate float64 // bytes a second
}

// warm makes as much memory warm as a run writes.
func (b *bench) warm() (w *warmth, err error) {
	w = &warmth{size: int64(b.opt.size) + warmMore, rate: float64(b.opt.rate) / 8}
	if w.file, err = os.Create(b.place.path("warm")); err != nil {
		return nil, err
	}
	os.Remove(w.file.Name()) // it goes when it is closed
	block := make([]byte, 4<<20)
	for at := int64(0); at < w.size; at += int64(len(block)) {
		if _, err := w.file.Write(block); err != nil {
			return nil, errors.Join(err, w.file.Close())
		}
	}
	return w, nil
}

// feed gives the memory away, until nothing is left or the run is over.
func (w *warmth) feed(ctx context.Context) {
	begun := time.Now()
	for left := w.size; left > 0; {
		left = w.size - feedLead - int64(time.Since(begun).Seconds()*w.rate)
		if w.file.Truncate(max(left, 0)) != nil {
			return // the run is over and the file closed
		}
		select {
		case <-time.After(feedEvery):
		case <-ctx.Done():
			return
		}
	}
}

func (w *warmth) close() { w.file.Close() }

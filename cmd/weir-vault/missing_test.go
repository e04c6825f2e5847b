package main

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

// TestLookAgain: what a receiver publishes moves away under whoever reads it.
func TestLookAgain(t *testing.T) {
	moved, other := fmt.Errorf("reading a manifest: %w", fs.ErrNotExist), errors.New("another")
	for name, c := range map[string]struct {
		answers []error // the last one for ever
		want    error
		calls   int
	}{
		"still":        {[]error{nil}, nil, 1},
		"moved twice":  {[]error{moved, moved, nil}, nil, 3},
		"another":      {[]error{moved, other, nil}, other, 2},
		"always moved": {[]error{moved}, moved, looks},
	} {
		calls := 0
		err := lookAgain(func() error {
			calls++
			return c.answers[min(calls, len(c.answers))-1]
		})
		if err != c.want || calls != c.calls {
			t.Errorf("%s: %v after %d looks, want %v after %d", name, err, calls, c.want, c.calls)
		}
	}
}

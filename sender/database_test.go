package sender

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDamageShowsLater damages the state while it is open: what finds it says what to
// do next, and nothing hangs or ends the program.
func TestDamageShowsLater(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, path string){
		"overwritten": func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			defer f.Close()
			st, err := f.Stat()
			must(t, err)
			pages := 2 * int64(os.Getpagesize()) // the two that say where all begins
			_, err = f.WriteAt(bytes.Repeat([]byte{0xff}, int(st.Size()-pages)), pages)
			must(t, err)
		},
		"cut": func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "state")
			s := openState(t, path)
			_, err := s.nextNumber("etc")
			must(t, err)
			must(t, s.save("etc", []sentFile{{path: "a"}}))
			damage(t, path)
			for what, work := range map[string]func() error{
				"a look":      func() error { _, err := s.Sent(); return err },
				"a change":    func() error { _, err := s.nextNumber("etc"); return err },
				"the counter": func() error { _, err := s.nextCounter(time.Now()); return err },
			} {
				if err := work(); !errors.Is(err, ErrStateDamaged) {
					t.Errorf("%s: %v", what, err)
				}
			}
			if _, ok := s.known("etc", "a"); ok {
				t.Error("a file is known")
			}
			if err := s.Close(); err != nil {
				t.Errorf("closing: %v", err)
			}
		})
	}
}

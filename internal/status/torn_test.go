package status

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTornFile reads what a power cut left of a status, and one that is being written
// at that moment.
func TestTornFile(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, sample()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, JSONFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"nothing": nil, "half": whole[:len(whole)/2], "zeros": make([]byte, len(whole)), "another kind": []byte("[]\n")} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := Read(dir); !errors.Is(err, ErrTorn) {
			t.Errorf("%s: %v, %v", name, s, err)
		}
	}
	time.AfterFunc(tornPause/2, func() { os.WriteFile(path, whole, 0o644) })
	if _, err := Read(dir); err != nil {
		t.Errorf("one that becomes whole: %v", err)
	}
}

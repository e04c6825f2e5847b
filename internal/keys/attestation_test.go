package keys

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAttestationKeyIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.key")
	made, err := Attestation(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Attestation(path)
	if err != nil || !made.Equal(again) {
		t.Errorf("another key, %v", err)
	}
	if _, err := LoadSender(path); !errors.Is(err, ErrWrongKind) {
		t.Errorf("it counts as a sender's key: %v", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Attestation(path); !errors.Is(err, ErrMode) {
		t.Errorf("one that others can read: %v", err)
	}
}

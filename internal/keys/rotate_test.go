package keys

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestDestroyAfterASwitchCutShort retires the old key where a power cut came between
// the link and the rename of Switch: both names are of the present key.
func TestDestroyAfterASwitchCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	want, err := NewSender(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path, path+OldSuffix); err != nil {
		t.Fatal(err)
	}
	if err := Destroy(path + OldSuffix); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadSender(path); err != nil || !got.Equal(want) {
		t.Errorf("the present key after that: %v", err)
	}
	if _, err := os.Lstat(path + OldSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name: %v", err)
	}
}

package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/textfile"
)

// MakeDir makes the directory of the files, readable for all.
func MakeDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the directory for status files: %w", err)
	}
	return nil
}

// Write replaces the files in dir. They are not synced: after a power cut they
// are written anew.
func Write(dir string, s *Status) error {
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	var prom, page bytes.Buffer
	WriteProm(&prom, s)
	if err := WriteHTML(&page, s); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	var errs []error
	for name, content := range map[string][]byte{JSONFile: append(text, '\n'), PromFile: prom.Bytes(), HTMLFile: page.Bytes()} {
		errs = append(errs, textfile.Replace(filepath.Join(dir, name), content))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}

// maxFile bounds what Read takes, in bytes.
const maxFile = 256 << 20

// ErrNone is returned where there is no status file.
var ErrNone = errors.New("no receiver has written a status here")

// Read returns the status in dir.
func Read(dir string) (*Status, error) {
	f, err := os.Open(filepath.Join(dir, JSONFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNone)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the status: %w", err)
	}
	defer f.Close()
	s := &Status{}
	if err := json.NewDecoder(io.LimitReader(f, maxFile)).Decode(s); err != nil {
		return nil, fmt.Errorf("reading the status in %s: %w", dir, err)
	}
	if s.Version != Version {
		return nil, fmt.Errorf("reading the status in %s: it has the version %d, this program knows %d", dir, s.Version, Version)
	}
	return s, nil
}

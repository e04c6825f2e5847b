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
	"time"

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

// ErrTorn is returned for a status file that is cut short, or is none.
var ErrTorn = errors.New("it is torn, as a power cut may leave it; weir-recv writes it anew")

// A file that is torn may just be in the making, where the file system does not replace
// files at once: it is looked at again for some time.
const (
	tornTries = 5
	tornPause = 20 * time.Millisecond
)

// Read returns the status in dir.
func Read(dir string) (s *Status, err error) {
	for range tornTries {
		if s, err = readOnce(dir); !errors.Is(err, ErrTorn) {
			break
		}
		time.Sleep(tornPause)
	}
	return s, err
}

func readOnce(dir string) (*Status, error) {
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
		return nil, fmt.Errorf("reading %s: %w (%w)", f.Name(), ErrTorn, err)
	}
	if s.Version != Version {
		return nil, fmt.Errorf("reading the status in %s: it has the version %d, this program knows %d", dir, s.Version, Version)
	}
	return s, nil
}

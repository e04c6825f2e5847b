package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/internal/expectation"
	"weir/internal/linkquality"
	"weir/internal/statefile"
)

// saveEvery is how often the past is saved when nothing special happens.
const saveEvery = time.Minute

// memory is what outlives a restart, in files of their own: a damaged one costs
// no other.
type memory struct {
	dir   string
	saved time.Time
}

// kept is something that can be saved and loaded.
type kept interface {
	Save() ([]byte, error)
	Load(data []byte) error
}

// maxHistory bounds the record of the disk, in bytes.
const maxHistory = 1 << 20

func (m *memory) each(r *Reporter, do func(path string, k kept, most int64) error) error {
	var errs []error
	for _, f := range []struct {
		name string
		kept
		most int64
	}{{"alarms.json", r.watch, expectation.MaxSaved}, {"links.json", r.links, linkquality.MaxSaved}, {"disk.json", r.disk, maxHistory}} {
		errs = append(errs, do(filepath.Join(m.dir, f.name), f.kept, f.most))
	}
	return errors.Join(errs...)
}

func (m *memory) due(now time.Time) bool {
	d := now.Sub(m.saved)
	return d >= saveEvery || d < 0
}

func (m *memory) save(r *Reporter) error {
	if err := os.MkdirAll(m.dir, 0o700); err != nil {
		return fmt.Errorf("remembering links and alarms: %w", err)
	}
	m.saved = r.mark
	return m.each(r, func(path string, k kept, _ int64) error {
		data, err := k.Save()
		if err == nil {
			err = statefile.Replace(path, data, 0o600)
		}
		if err != nil {
			return fmt.Errorf("remembering links and alarms: %w", err)
		}
		return nil
	})
}

func (m *memory) load(r *Reporter) error {
	return m.each(r, func(path string, k kept, most int64) error {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		defer f.Close()
		data, err := io.ReadAll(io.LimitReader(f, most))
		if err == nil {
			err = k.Load(data)
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", path, err)
		}
		return nil
	})
}

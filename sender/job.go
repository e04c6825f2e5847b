package sender

import (
	"errors"
	"fmt"

	"weir/internal/glob"
	"weir/internal/manifest"
	"weir/internal/names"
)

// ErrJob is returned for a job that cannot be done as it stands.
var ErrJob = errors.New("this cannot be sent")

func (j *Job) check() error {
	if err := names.Check(j.Source); err != nil {
		return fmt.Errorf("%w: the source: %w", ErrJob, err)
	}
	for _, pattern := range j.Exclude {
		if err := glob.Check(pattern); err != nil {
			return fmt.Errorf("%w: %w", ErrJob, err)
		}
	}
	switch {
	case j.Stream != nil && len(j.Paths) > 0:
		return fmt.Errorf("%w: a stream goes alone, without paths", ErrJob)
	case j.Stream == nil && len(j.Paths) == 0:
		return fmt.Errorf("%w: no path is named", ErrJob)
	case j.Stream != nil:
		if err := manifest.CheckPath(j.As); err != nil {
			return fmt.Errorf("%w: the stream needs a name in the snapshot, as in --as db.sql: %w", ErrJob, err)
		}
	}
	return nil
}

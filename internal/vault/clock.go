package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// clockEvery is how far the clock runs before its mark is written again.
const clockEvery = time.Minute

// clock is the vault's own time. It never runs backwards: a mark on disk holds
// the latest time that was seen, also over restarts.
type clock struct {
	now    func() time.Time
	path   string
	disk   *disk
	mark   time.Time
	stored time.Time

	leap      time.Duration // of a leap forward that nobody was told of yet
	heldUntil time.Time     // nothing is removed before, after a leap
	unsaved   bool          // heldUntil could not be written
}

func openClock(path string, now func() time.Time, d *disk) (*clock, error) {
	c := &clock{now: now, path: path, disk: d}
	c.loadHeld()
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the vault's clock: %w", err)
	}
	// A mark that cannot be read is as good as none.
	c.mark, _ = time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data)))
	c.stored = c.mark
	return c, nil
}

// read returns the time, in UTC, and moves the mark.
func (c *clock) read() time.Time {
	// By the clock on the wall: where both times have a monotonic reading, After
	// would go by those and take a clock that was set back for a later time.
	if now := c.now().Round(0).UTC(); now.After(c.mark) {
		if !c.mark.IsZero() && now.Sub(c.mark) > jumpAfter {
			c.leapt(now)
		}
		c.mark = now
	}
	if c.mark.Sub(c.stored) >= clockEvery && !c.unsaved {
		// A mark that is not written now is written the next time.
		if c.disk.replace(c.path, []byte(c.mark.Format(time.RFC3339Nano)+"\n"), 0o644) == nil {
			c.stored = c.mark
		}
	}
	return c.mark
}

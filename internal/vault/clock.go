package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

const (
	// clockEvery is how far the clock runs before its mark is written again.
	clockEvery = time.Minute
	// JumpAfter is how far ahead of the vault's clock the host's may be. A host that
	// was off over a night is no leap.
	JumpAfter = 26 * time.Hour
	// DefaultClockHold is how long a leap must have lasted before it is believed.
	DefaultClockHold = 24 * time.Hour
)

// clock is the vault's own time. It never runs backwards: a mark on disk holds
// the latest time that was seen, also over restarts. It does not follow a leap ahead
// of the host's clock before that has lasted for a while: until then it goes by the
// clock that nobody sets. A wrong time, taken over once, could never be given back.
type clock struct {
	now   func() time.Time
	ticks func() time.Duration // of a clock that nobody sets
	hold  time.Duration        // how long a leap must last
	path  string
	disk  *disk

	mark   time.Time
	at     time.Duration // ticks at mark
	stored time.Time

	doubt     *doubt
	heldUntil time.Time // by the file of an earlier doubt, or this one
	news      []leapNews
}

// doubt is a leap that is not believed yet.
type doubt struct {
	since time.Duration // ticks
	from  time.Time     // the vault's clock when it began
}

// leapNews is what became of a leap, for the vault to tell.
type leapNews struct {
	what leapWhat
	by   time.Duration
	from time.Time // the vault's clock when the doubt began
}

type leapWhat int

const (
	leapDoubted leapWhat = iota
	leapUndone           // the host's clock was set right
	leapBelieved
)

// newTicks returns a clock that nobody sets, beginning at 0.
func newTicks() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}

// ticksOf returns the clock that goes with another one that a test sets.
func ticksOf(now func() time.Time) func() time.Duration {
	start := now().Round(0)
	return func() time.Duration { return now().Round(0).Sub(start) }
}

func openClock(path string, opt Options, d *disk) (*clock, error) {
	c := &clock{now: opt.Now, ticks: opt.ticks, hold: opt.ClockHold, path: path, disk: d}
	if c.hold == 0 {
		c.hold = DefaultClockHold
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.ticks == nil {
		c.ticks = newTicks()
	}
	c.at = c.ticks()
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
	host, ticks := c.now().Round(0).UTC(), c.ticks()
	own := c.mark.Add(max(ticks-c.at, 0))
	c.weigh(host, own, ticks)
	switch {
	case c.doubt != nil:
		c.mark = own
	case host.After(c.mark):
		c.mark = host
	}
	c.at = ticks
	if c.mark.Sub(c.stored) >= clockEvery {
		c.save()
	}
	return c.mark
}

// save writes the mark. One that is not written now is written the next time.
func (c *clock) save() {
	if c.mark.After(c.stored) && c.disk.replace(c.path, []byte(c.mark.Format(time.RFC3339Nano)+"\n"), 0o644) == nil {
		c.stored = c.mark
	}
}

// raise moves the mark to a time that an earlier process gave to something: its own
// mark is up to clockEvery older. What is further ahead is nothing that the clock said.
func (c *clock) raise(seen time.Time) {
	if ahead := seen.Sub(c.mark); !c.mark.IsZero() && ahead > 0 && ahead <= JumpAfter {
		c.mark = seen.UTC()
	}
}

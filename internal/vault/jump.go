package vault

import (
	"os"
	"strings"
	"time"

	"weir/internal/event"
)

// A clock that leaps forward makes everything old at once. Whatever goes by age
// waits then, long enough for somebody to see the alarm.
const (
	// jumpAfter is how much later than at the last look it may be. A host that
	// was off over a night is no leap.
	jumpAfter = 26 * time.Hour
	// jumpHold is how long nothing is removed after a leap, by the vault's clock.
	jumpHold = 24 * time.Hour

	heldFile = "clock-held"
)

// leapt notes a leap of the clock to now: first on disk, as the mark that moves
// next makes it forgotten.
func (c *clock) leapt(now time.Time) {
	c.leap, c.heldUntil = now.Sub(c.mark), now.Add(jumpHold)
	c.unsaved = c.disk.replace(c.heldPath(), []byte(c.heldUntil.Format(time.RFC3339Nano)+"\n"), 0o644) != nil
}

func (c *clock) heldPath() string { return strings.TrimSuffix(c.path, "clock") + heldFile }

// loadHeld reads until when a leap before this start holds removals.
func (c *clock) loadHeld() {
	if data, err := os.ReadFile(c.heldPath()); err == nil {
		c.heldUntil, _ = time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data)))
	}
}

// held returns until when nothing may be removed, and whether that is so.
func (c *clock) held() (until time.Time, yes bool) {
	return c.heldUntil, c.read().Before(c.heldUntil)
}

// reportLeap tells once of a leap.
func (v *Vault) reportLeap() {
	leap := v.clock.leap
	if leap == 0 {
		return
	}
	v.clock.leap = 0
	v.log.Warn().Str(event.Field, event.ClockJumped).Str("by", leap.String()).Time("held_until", v.clock.heldUntil).
		Msg("the clock of this host went forward at a leap, or the vault was away for long: nothing is removed for a day; set the clock right if it is wrong")
	v.note(event.ClockJumped, Snapshot{}, leap.String())
}

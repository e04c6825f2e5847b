package vault

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/event"
)

// A clock that leaps forward makes everything old at once. Whatever goes by age
// waits while a leap is in doubt. The file lets others know, who look at the vault
// meanwhile; who opens it next finds the leap again by himself.
const heldFile = "clock-held"

// weigh begins and ends the doubt about a leap. own is what the time is if the
// host's clock was never set.
func (c *clock) weigh(host, own time.Time, ticks time.Duration) {
	ahead := host.Sub(own)
	switch {
	case c.mark.IsZero() || c.doubt == nil && ahead <= JumpAfter:
		c.forgetHeld()
	case c.doubt == nil:
		c.doubt = &doubt{since: ticks, from: own}
		c.heldUntil = own.Add(c.hold)
		c.news = append(c.news, leapNews{leapDoubted, ahead, own})
		_ = c.disk.replace(c.heldPath(), []byte(c.heldUntil.Format(time.RFC3339Nano)+"\n"), 0o644) // only to be seen
		fallthrough
	default:
		if ahead <= JumpAfter {
			c.settle(leapUndone, ahead)
		} else if ticks-c.doubt.since >= c.hold {
			c.settle(leapBelieved, ahead)
		}
	}
}

// settle ends a doubt.
func (c *clock) settle(what leapWhat, by time.Duration) {
	c.news = append(c.news, leapNews{what, by, c.doubt.from})
	c.doubt = nil
	c.forgetHeld()
}

func (c *clock) forgetHeld() {
	if c.heldUntil.IsZero() {
		return
	}
	if err := os.Remove(c.heldPath()); err == nil || errors.Is(err, fs.ErrNotExist) {
		c.heldUntil = time.Time{}
	}
}

// confirm believes a leap at once. It reports whether there was one.
func (c *clock) confirm() bool {
	c.read()
	if c.doubt == nil {
		return false
	}
	c.settle(leapBelieved, c.now().Sub(c.mark))
	c.mark = c.now().Round(0).UTC()
	return true
}

func (c *clock) heldPath() string { return strings.TrimSuffix(c.path, "clock") + heldFile }

// loadHeld reads until when an earlier process held removals.
func (c *clock) loadHeld() {
	if data, err := os.ReadFile(c.heldPath()); err == nil {
		c.heldUntil, _ = time.Parse(time.RFC3339Nano, strings.TrimSpace(string(data)))
	}
}

// held returns until when nothing may be removed, by the vault's clock, and whether
// that is so.
func (c *clock) held() (until time.Time, yes bool) {
	c.read()
	return c.heldUntil, c.doubt != nil
}

// reportLeap tells what became of leaps.
func (v *Vault) reportLeap() {
	news := v.clock.news
	v.clock.news = nil
	for _, n := range news {
		switch n.what {
		case leapDoubted:
			v.log.Warn().Str(event.Field, event.ClockJumped).Str("by", n.by.String()).Str("believed_after", v.clock.hold.String()).
				Msg("the clock of this host went forward at a leap, or the vault was away for long: the vault's clock does not follow before that has lasted, and nothing is removed meanwhile; set the clock right, or type weir-vault clock --confirm")
			v.note(event.ClockJumped, Snapshot{}, n.by.String())
		case leapUndone:
			v.log.Info().Str(event.Field, event.AlarmEnded).Str("alarm", event.ClockJumped).Msg("the clock of this host was set right; the vault's never followed it")
			v.note(event.AlarmEnded, Snapshot{}, event.ClockJumped)
		case leapBelieved:
			v.log.Warn().Str(event.Field, event.ClockBelieved).Str("by", n.by.String()).Msg("a leap of the clock has lasted, or was confirmed: the vault's clock follows it")
			v.note(event.ClockBelieved, Snapshot{}, n.by.String())
			if err := v.restamp(n.from); err != nil {
				v.troubled(fmt.Errorf("dating what came during a leap of the clock: %w", err))
			}
		}
	}
}

// restamp gives what was published while a leap was in doubt the time of now: it is
// not older than that, and its locks begin.
func (v *Vault) restamp(from time.Time) error {
	now := v.clock.read()
	points, err := listPoints(v.layout)
	if err != nil {
		return err
	}
	for _, s := range points {
		path := filepath.Join(v.point(s), sumsFile)
		st, err := os.Stat(path)
		if err != nil || st.ModTime().Before(from) {
			continue
		}
		if err := os.Chtimes(path, now, now); err != nil {
			return err
		}
		if err := v.lockPoint(s, now); err != nil {
			return err
		}
	}
	return nil
}

// ClockResult says what ActionClock found.
type ClockResult struct {
	Vault     time.Time `json:"vault"`
	Host      time.Time `json:"host"`
	Until     time.Time `json:"until,omitzero"` // when the leap will be believed, by the vault's clock
	Doubt     bool      `json:"doubt"`          // the host's clock is ahead at a leap
	Confirmed bool      `json:"confirmed"`
}

// ClockRequest is the detail of ActionClock.
type ClockRequest struct {
	Confirm bool `json:"confirm"` // believe a leap at once
}

func clockAction(v *Vault, r Request) (any, error) {
	var ask ClockRequest
	if err := json.Unmarshal(r.Detail, &ask); err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	confirmed := ask.Confirm && v.clock.confirm()
	v.reportLeap()
	until, doubted := v.clock.held()
	return ClockResult{Vault: v.clock.read(), Host: v.clock.now().UTC(), Until: until, Doubt: doubted, Confirmed: confirmed}, nil
}

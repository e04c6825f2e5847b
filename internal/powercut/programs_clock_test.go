//go:build amd64

package powercut

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	tenYears = 10 * 365 * 24 * time.Hour
	// clockRules keep what is young by the vault's clock, and lock all of it.
	clockRules = "\n[[source]]\nsource = \"grows\"\nkeep_last = 1\nmin_age = \"1h\"\n\n[[source]]\nsource = \"changes\"\nkeep_last = 1\nlock = \"1d\"\n"
)

// year1970 is how far ahead a clock is that begins anew, after an hour.
func year1970() time.Duration { return time.Hour - time.Since(time.Unix(0, 0)) }

// TestProgramsClock sets the clock of the vault's host under the real programs: ten years
// ahead, to 1970, and both in the midst of a publication. Restore points stay in order,
// nothing is removed that should not be, and what somebody confirms is believed.
func TestProgramsClock(t *testing.T) {
	t.Parallel()
	acts := []struct {
		name string
		play func(c *clockHost)
	}{{"ahead", (*clockHost).ahead}, {"1970", (*clockHost).behind}, {"in the midst", (*clockHost).midst}, {"confirmed", (*clockHost).confirmed}}
	for i, act := range acts {
		t.Run(act.name, func(t *testing.T) {
			shortOf(t, 1, i, len(acts))
			systems[0].need(t)
			t.Parallel()
			c := &clockHost{t: t, host: newHost(t, tempDir(t), 1), work: tempDir(t), wall: &wall{}}
			c.host.start = c.wall.start
			c.host.append("receiver.toml", clockRules)
			c.up(nil)
			c.pushed()
			act.play(c)
			c.inOrder(c.n)
			c.down()
			if err := c.host.verifyWhole(nil, 100); err != nil {
				t.Error(err)
			}
			c.host.must("weir-vault", "events", "--verify", "--vault", c.host.vault)
			if gone := c.host.told("snapshot-removed"); len(gone) > 0 {
				t.Errorf("removed were %v", gone)
			}
		})
	}
}

func (c *clockHost) ahead() {
	c.leaps(tenYears)
	c.says("clock-jumped")
	c.pushed()
	if out := c.host.must("weir-vault", "prune", "--config", c.host.file("receiver.toml")); !strings.Contains(out, "clock") {
		c.t.Errorf("prune does not say why it removes nothing: %s", out)
	}
	if last := c.inOrder(2); time.Until(last) > time.Minute {
		c.t.Errorf("the vault's clock followed to %v", last)
	}
}

func (c *clockHost) behind() {
	c.leaps(year1970())
	c.pushed()
	c.down()
	c.up(nil) // a host that starts with a wrong clock
	c.pushed()
}

func (c *clockHost) midst() {
	c.down()
	c.up(map[string]time.Duration{"staged": tenYears, "renamed": 0, "listed": year1970(), "cleared": 0})
	c.pushed()
}

func (c *clockHost) confirmed() {
	c.leaps(tenYears)
	c.down()
	c.up(nil)
	c.says("clock-jumped")
	c.host.must("weir-vault", "clock", "--confirm", "--config", c.host.file("receiver.toml"))
	c.says("clock-believed")
	c.pushed()
	for range 2 { // it does not run back
		if last := c.inOrder(c.n); time.Until(last) < tenYears-time.Hour {
			c.t.Errorf("what came after the leap was confirmed is of %v", last)
		}
		c.leaps(0)
		c.says("clock-behind")
		c.pushed()
	}
}

// clockHost is a host whose clock is set.
type clockHost struct {
	t    *testing.T
	host *host
	work string
	wall *wall
	recv *receiver
	n    int
}

// up starts a receiver whose host's clock is set at named points, each once.
func (c *clockHost) up(at map[string]time.Duration) {
	c.t.Helper()
	var passed func(string)
	if at != nil {
		passed = func(point string) {
			if ahead, ok := at[point]; ok {
				delete(at, point)
				c.set(ahead)
			}
		}
	}
	var err error
	if c.recv, err = c.host.begin(nil, passed); err == nil {
		err = c.recv.ready()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *clockHost) down() {
	c.t.Helper()
	if err := c.recv.stop(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clockHost) set(ahead time.Duration) {
	if err := c.wall.set(ahead); err != nil {
		c.t.Error(err)
	}
}

// leaps sets the clock, and lets the receiver see it.
func (c *clockHost) leaps(ahead time.Duration) {
	c.t.Helper()
	c.set(ahead)
	time.Sleep(2 * time.Second)
}

// pushed sends a snapshot of each source and waits until both are whole.
func (c *clockHost) pushed() {
	c.t.Helper()
	c.n++
	rng := rand.New(rand.NewPCG(uint64(c.n), 11))
	grown, changed := filepath.Join(c.work, grows), filepath.Join(c.work, changes)
	err := grow(grown, rng, c.n)
	if err == nil {
		err = replaced(changed, rng)
	}
	for _, p := range [][2]string{{grows, grown}, {changes, changed}} {
		if err == nil {
			err = c.host.push(p[0], p[1])
		}
	}
	if err == nil {
		err = c.host.untilWhole()
	}
	if err != nil {
		c.t.Fatalf("%v\n%s", err, c.recv.log())
	}
}

func (c *clockHost) says(event string) {
	c.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(c.recv.log(), fmt.Sprintf(`"event":%q`, event)); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("the log lacks %s:\n%s", event, c.recv.log())
		}
	}
}

// inOrder holds that there are n whole restore points of each source, each received no
// earlier than the one before it, and returns when the last was.
func (c *clockHost) inOrder(n int) (last time.Time) {
	c.t.Helper()
	type point struct {
		Name, Source, State string
		Received            time.Time
	}
	var all []point
	if err := json.Unmarshal([]byte(c.host.must("weir-vault", "list", "--json", "--vault", c.host.vault)), &all); err != nil {
		c.t.Fatal(err)
	}
	for _, source := range []string{grows, changes} {
		of := slices.DeleteFunc(slices.Clone(all), func(p point) bool { return p.Source != source || p.State != "whole" })
		if len(of) != n {
			c.t.Fatalf("%d restore points of %s are whole, want %d: %+v", len(of), source, n, all)
		}
		last = time.Time{}
		for _, i := range of {
			if i.Received.Before(last) {
				c.t.Errorf("%s was received at %v, the one before at %v", i.Name, i.Received, last)
			}
			last = i.Received
		}
	}
	return last
}

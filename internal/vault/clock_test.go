package vault

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/event"
)

// leaping is a vault whose host's clock can be set without time passing.
func leaping(t *testing.T, r Retention) (g *store, set func(time.Time), pass func(time.Duration)) {
	g = newStore(t)
	g.kill()
	var ticks time.Duration
	g.opt = func(o *Options) {
		retaining(r)(o)
		o.ticks = func() time.Duration { return ticks }
	}
	g.open()
	set = func(to time.Time) { g.now = to }
	pass = func(d time.Duration) { g.now, ticks = g.now.Add(d), ticks+d }
	return g, set, pass
}

// TestLeapOfTheClock: ten years later everything is old and no lock holds. Nothing is
// removed and the vault's clock does not follow; when the host's is set right, all is
// as if nothing had been.
func TestLeapOfTheClock(t *testing.T) {
	for _, restart := range []bool{false, true} {
		g, set, pass := leaping(t, Retention{Last: 1, MinAge: 24 * time.Hour, Lock: 100 * time.Hour})
		all := g.series(3)
		right := g.now
		set(right.AddDate(10, 0, 0))
		for range 5 {
			if restart {
				g.close()
				g.open()
			}
			pass(time.Hour)
			g.v.Settle(true)
			if r := g.prune(); r.Held.IsZero() || g.state(all[0]) != Whole {
				t.Fatalf("restart %v: %+v", restart, r)
			}
		}
		if r, err := PlanPrune(g.dir, g.options()); err != nil || r.Held.IsZero() {
			t.Errorf("the plan says %+v, %v", r, err)
		}
		if got := g.v.clock.read(); got.After(right.Add(6 * time.Hour)) {
			t.Fatalf("restart %v: the vault's clock followed to %v", restart, got)
		}
		set(right.Add(5 * time.Hour))
		g.v.Settle(true)
		if got := g.v.clock.read(); !got.Equal(right.Add(5*time.Hour)) || exists(g.v.own(heldFile)) {
			t.Errorf("restart %v: set right, the vault's clock is at %v", restart, got)
		}
		if got := g.events(); !slices.Contains(got, event.ClockJumped) || slices.Contains(got, event.ClockBelieved) {
			t.Errorf("events %v", got)
		}
		pass(200 * time.Hour)
		g.prune()
		g.holds(all[2])
	}
}

// TestLeapThatLasts is a host that was off for a month: after a day the vault goes by
// its clock. What came in that day is not old for it, and its lock begins then.
func TestLeapThatLasts(t *testing.T) {
	g, set, pass := leaping(t, Retention{Last: 1, MinAge: 48 * time.Hour, Lock: 100 * time.Hour})
	g.send(g.shot(1, 10))
	set(g.now.AddDate(0, 1, 0))
	g.v.Settle(true)
	late := g.shot(2, 20)
	g.send(late)
	for range 25 {
		pass(time.Hour)
		g.v.Settle(true)
	}
	if got := g.v.clock.read(); !got.Equal(g.now) || !slices.Contains(g.events(), event.ClockBelieved) {
		t.Fatalf("it is %v, the vault's clock is at %v", g.now, got)
	}
	until, err := g.v.lockedUntil(late.Snapshot)
	if err != nil || until.Before(g.now.Add(98*time.Hour)) {
		t.Errorf("its lock ends at %v, %v; it is %v", until, err, g.now)
	}
	if st, err := os.Stat(filepath.Join(g.v.point(late.Snapshot), sumsFile)); err != nil || g.now.Sub(st.ModTime()) > 2*time.Hour {
		t.Errorf("it is dated %v, %v", st.ModTime(), err)
	}
	g.verify()
}

// TestClockConfirmed believes a leap because an operator says so.
func TestClockConfirmed(t *testing.T) {
	g, set, _ := leaping(t, Retention{Last: 1})
	g.send(g.shot(1, 10))
	set(g.now.AddDate(0, 1, 0))
	for i, confirmed := range []bool{true, false} {
		a := g.v.answer(Request{Action: ActionClock, Detail: []byte(`{"confirm":true}`)})
		var r ClockResult
		if err := a.decode(&r); err != nil || r.Confirmed != confirmed || r.Doubt || !r.Vault.Equal(g.now) {
			t.Fatalf("%d: %+v, %v", i, r, err)
		}
	}
}

// TestClockSteps sets the host's clock to all sorts of times while snapshots are
// published: they stay in order, and the vault's clock with the time that passes.
func TestClockSteps(t *testing.T) {
	g, set, pass := leaping(t, Retention{Last: 100})
	right := g.now
	var last time.Time
	for n, to := range []time.Time{right, time.Unix(0, 0), right.AddDate(10, 0, 0), right.Add(-time.Hour), right.AddDate(70, 0, 0), right.Add(time.Hour)} {
		d := realDisk()
		d.point = func(string) { set(to.Add(time.Minute)); pass(time.Second); set(to) }
		g.v.disk.point = d.point
		s := g.shot(uint64(n+1), 10+n)
		g.send(s)
		st, err := os.Stat(filepath.Join(g.v.point(s.Snapshot), sumsFile))
		if err != nil || st.ModTime().Before(last) || st.ModTime().After(right.Add(2*time.Hour)) {
			t.Errorf("at %v snapshot %d is dated %v, after one of %v: %v", to, n+1, st.ModTime(), last, err)
		}
		last = st.ModTime()
	}
}

// TestClockNobodySets holds the real sources of time to what the clock needs, in a
// bubble where a day is over at once.
func TestClockNobodySets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var set time.Duration
		d := realDisk()
		start := time.Now()
		c, err := openClock(filepath.Join(t.TempDir(), "clock"), Options{Now: func() time.Time { return time.Now().Add(set) }, ticks: newTicks()}, &d)
		if err != nil {
			t.Fatal(err)
		}
		c.read()
		set = 10 * 365 * 24 * time.Hour
		for range 23 {
			time.Sleep(time.Hour)
			if got := c.read().Sub(start); got != time.Since(start) || c.doubt == nil {
				t.Fatalf("%v have passed, by the vault's clock %v", time.Since(start), got)
			}
		}
		time.Sleep(2 * time.Hour) // it was seen after an hour
		c.read()
		if got := c.read().Sub(start); got != time.Since(start)+set {
			t.Fatalf("after a day the vault's clock has not followed: %v", got)
		}
		set -= 24 * time.Hour
		time.Sleep(time.Hour)
		if got := c.read(); !got.Equal(c.mark) || got.Sub(start) < time.Since(start)+set {
			t.Fatalf("it went back to %v", got)
		}
	})
}

// TestClockOutlastsItsMark: the mark on the disk is a bit older than what was received
// last. A host whose clock was set back meanwhile makes the vault's not run back, neither
// after an end in good order nor after a crash, wherever that was.
func TestClockOutlastsItsMark(t *testing.T) {
	for _, end := range []string{"close", "kill", "renamed"} {
		g := newStore(t)
		g.send(g.shot(1, 10))
		g.now = g.now.Add(clockEvery * 3 / 4)
		g.reopen(realDisk())
		later := g.shot(2, 10)
		if end == "renamed" {
			g.v.disk.point = func(name string) {
				if name == "renamed" {
					panic(errKilled)
				}
			}
		}
		if died := g.dies(func() { g.send(later) }); died != (end == "renamed") {
			t.Fatalf("%s: died %v", end, died)
		}
		if end == "close" {
			g.close()
		}
		g.kill()
		g.disk = realDisk()
		last := g.now
		g.now = time.Unix(3600, 0)
		g.open()
		next := g.shot(3, 10)
		g.send(next)
		all, err := List(g.dir)
		if err != nil || len(all) != 3 {
			t.Fatalf("%s: %d are listed, %v", end, len(all), err)
		}
		for _, i := range all[1:] {
			if i.Received.Before(last.UTC()) || i.State != Whole {
				t.Errorf("%s: %s, %s, was received at %v, before %v", end, i.Name, i.State, i.Received, last)
			}
		}
	}
}

package expectation

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

var start = time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)

// host is a vault host whose clock can be set.
type host struct {
	t      *testing.T
	watch  *Watch
	limits Limits
	now    time.Time // the vault's clock: never goes back
	wall   time.Time
	facts  Facts
}

func newHost(t *testing.T, rule Rule) *host {
	return &host{t: t, watch: &Watch{}, now: start, wall: start, limits: Limits{Silent: 10 * time.Minute, Skew: time.Minute, Full: 14 * day},
		facts: Facts{Sources: []Source{{Sender: "prod", Name: "etc", Rule: rule}}}}
}

// pass lets time go by and looks once at the end.
func (h *host) pass(d time.Duration) []Change {
	h.wall = h.wall.Add(d)
	if h.wall.After(h.now) {
		h.now = h.wall
	}
	h.facts.Now, h.facts.Elapsed, h.facts.Behind = h.now, d, h.now.Sub(h.wall)
	return h.watch.Look(h.facts, h.limits)
}

// arrive makes a whole restore point.
func (h *host) arrive(bytes int64) {
	h.facts.Sources[0].Newest = &Point{Ref: "prod/etc/" + h.now.Format(time.RFC3339Nano), At: h.now, Bytes: bytes}
}

func (h *host) want(what string, got []Change, want ...string) {
	h.t.Helper()
	var have []string
	for _, c := range got {
		have = append(have, fmt.Sprintf("%s %s %s", []string{"began", "again", "ended"}[c.Kind], c.Event, c.Subject))
	}
	if strings.Join(have, ", ") != strings.Join(want, ", ") {
		h.t.Errorf("%s: %q, want %q", what, have, want)
	}
}

func TestOverdueBeginsRepeatsAndEnds(t *testing.T) {
	h := newHost(t, Rule{Every: day})
	h.want("at the start", h.pass(0))
	h.want("nothing after a day and a little", h.pass(day+time.Hour))
	h.want("nothing ever came", h.pass(2*time.Hour), "began source-overdue prod/etc")
	if text := h.watch.Alarms()[0].Text; !strings.Contains(text, "there is no whole restore point, after 1 d 3 h of watching") {
		t.Error(text)
	}
	h.arrive(1)
	h.want("it came", h.pass(time.Minute), "ended source-overdue prod/etc")
	h.want("in time", h.pass(26*time.Hour))
	h.want("late", h.pass(time.Hour), "began source-overdue prod/etc")
	for range 23 {
		h.want("within a day", h.pass(time.Hour))
	}
	h.want("another day", h.pass(time.Hour), "again source-overdue prod/etc")
	if a := h.watch.Alarms()[0]; !strings.Contains(a.Text, "is 2 d 3 h old, one every 1 d is expected") {
		t.Error(a.Text)
	}
}

// A clock that jumps ahead makes ages of zero for ever after; the watch's own
// time tells all the same.
func TestClockThatJumpedAheadHidesNothing(t *testing.T) {
	h := newHost(t, Rule{Every: day})
	h.arrive(1)
	h.pass(0)
	h.now = h.now.AddDate(10, 0, 0) // a wrong clock, put right at once
	h.arrive(1)
	h.want("the jump", h.pass(time.Minute), "began clock-behind vault")
	h.want("a day", h.pass(day), "again clock-behind vault")
	h.want("late", h.pass(3*time.Hour), "began source-overdue prod/etc")
}

func TestClockThatWasSetBackHidesNothing(t *testing.T) {
	h := newHost(t, Rule{Every: day})
	h.arrive(1)
	h.pass(0)
	h.wall = h.wall.AddDate(0, -1, 0)
	h.want("set back", h.pass(time.Hour), "began clock-behind vault")
	h.pass(day)
	h.want("late", h.pass(3*time.Hour), "began source-overdue prod/etc")
}

// Daily means daily, however often the program is started.
func TestRestartsTellNothingTwice(t *testing.T) {
	h := newHost(t, Rule{Every: time.Hour})
	h.pass(0)
	h.want("late", h.pass(2*time.Hour), "began source-overdue prod/etc")
	told := 0
	for range 48 {
		saved, err := h.watch.Save()
		if err != nil {
			t.Fatal(err)
		}
		h.watch = &Watch{}
		if err := h.watch.Load(saved); err != nil {
			t.Fatal(err)
		}
		h.wall = h.wall.Add(time.Hour)
		h.now = h.wall
		h.facts.Now, h.facts.Elapsed = h.now, 0 // a new program knows of no time that passed
		told += len(h.watch.Look(h.facts, h.limits))
	}
	if told != 2 {
		t.Errorf("told %d times in two days", told)
	}
	if err := new(Watch).Load([]byte("{]")); err == nil {
		t.Error("damage was taken")
	}
}

func TestSizeBand(t *testing.T) {
	h := newHost(t, Rule{SizeMin: 1 << 20, SizeMax: 1 << 30})
	h.want("none is there", h.pass(time.Hour))
	h.arrive(1 << 10)
	h.want("small", h.pass(time.Hour), "began source-size prod/etc")
	h.arrive(1 << 25)
	h.want("right", h.pass(time.Hour), "ended source-size prod/etc")
	h.arrive(1 << 31)
	h.want("large", h.pass(time.Hour), "began source-size prod/etc")
}

func TestNotWhole(t *testing.T) {
	h := newHost(t, Rule{NotWhole: 6 * time.Hour})
	h.facts.Sources[0].NotWhole = []Point{{Ref: "prod/etc/a", At: h.now}}
	h.want("new", h.pass(0))
	h.want("young", h.pass(5*time.Hour))
	h.want("old", h.pass(2*time.Hour), "began source-not-whole prod/etc")
	h.facts.Sources[0].NotWhole = append(h.facts.Sources[0].NotWhole, Point{Ref: "prod/etc/b", At: h.now})
	h.want("two", h.pass(7*time.Hour))
	if text := h.watch.Alarms()[0].Text; text != "2 snapshots are not whole, prod/etc/a for 14 h" {
		t.Error(text)
	}
	h.facts.Sources[0].NotWhole = nil
	h.want("healed", h.pass(time.Minute), "ended source-not-whole prod/etc")
}

func TestSilenceAndSkew(t *testing.T) {
	h := newHost(t, Rule{})
	h.facts.Senders = []Sender{{Name: "prod"}}
	h.pass(0)
	h.want("never heard", h.pass(11*time.Minute), "began link-silent prod")
	h.facts.Senders[0].Heard = h.now.Add(11 * time.Minute)
	h.facts.Senders[0].Skew = -2 * time.Minute
	h.want("heard", h.pass(11*time.Minute), "began clock-skew prod", "ended link-silent prod")
	if text := h.watch.Alarms()[0].Text; text != "the sender's clock is 2 min ahead; the vault goes by its own" {
		t.Error(text)
	}
	h.facts.Senders[0].Skew = 0
	h.want("silent", h.pass(11*time.Minute), "began link-silent prod", "ended clock-skew prod")
}

func TestMargin(t *testing.T) {
	h := newHost(t, Rule{})
	h.facts.Senders = []Sender{{Name: "prod", Heard: h.now, Margin: "raise burst to 50ms"}}
	h.want("narrow", h.pass(0), "began link-margin prod")
	h.facts.Senders[0].Margin = ""
	h.want("wide", h.pass(time.Minute), "ended link-margin prod")
}

func TestDiskThatFills(t *testing.T) {
	h := newHost(t, Rule{})
	h.facts.Disk = Disk{Left: 20 * day, Text: "full in 20 days"}
	h.want("far", h.pass(0))
	h.facts.Disk = Disk{Left: 10 * day, Text: "full in 10 days"}
	h.want("near", h.pass(time.Hour), "began disk-forecast vault")
	h.facts.Disk = Disk{}
	h.want("room", h.pass(time.Hour), "ended disk-forecast vault")
}

// A sender makes up names; memory stays bounded.
func TestAlarmsAreBounded(t *testing.T) {
	h := newHost(t, Rule{})
	h.facts.Sources = nil
	for i := range MaxAlarms + 100 {
		h.facts.Sources = append(h.facts.Sources, Source{Sender: "prod", Name: fmt.Sprint(i), Rule: Rule{Every: time.Second}})
	}
	h.pass(0)
	if n := len(h.pass(time.Hour)); n != MaxAlarms {
		t.Errorf("%d changes", n)
	}
	h.facts.Sources = nil
	h.pass(time.Hour)
	if len(h.watch.state.Seen) != 0 || len(h.watch.Alarms()) != 0 {
		t.Errorf("%d sights and %d alarms of sources that are gone", len(h.watch.state.Seen), len(h.watch.Alarms()))
	}
}

func TestSpell(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 90 * time.Minute: "1 h 30 min", 25 * time.Hour: "1 d 1 h", 48 * time.Hour: "2 d",
	} {
		if got := Spell(d); got != want {
			t.Errorf("%v is spelled %q, want %q", d, got, want)
		}
	}
}

// A restore point that nobody trusts unseen is an alarm until somebody has looked.
func TestDoubtsLastUntilTheyAreSettled(t *testing.T) {
	h := newHost(t, Rule{})
	h.arrive(1)
	h.want("at the start", h.pass(0))
	s := &h.facts.Sources[0]
	s.Doubts = []Doubt{{"prod/etc/1", "all files changed", "weir-vault accept prod/etc/1"}}
	h.want("doubtful", h.pass(time.Minute), "began source-doubtful prod/etc")
	h.arrive(1)
	h.want("a good one later", h.pass(time.Hour))
	h.want("a day later", h.pass(day), "again source-doubtful prod/etc")
	s.Doubts = append(s.Doubts, Doubt{"prod/etc/3", "half are gone", "weir-vault accept prod/etc/3"})
	h.want("another", h.pass(time.Minute))
	const want = "2 restore points are doubtful, the newest of them prod/etc/3: half are gone; weir-vault accept prod/etc/3"
	if got := h.watch.Alarms()[0].Text; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Doubts = nil
	h.want("accepted", h.pass(time.Minute), "ended source-doubtful prod/etc")
}

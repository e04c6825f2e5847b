// Package expectation judges what is known of a vault against what its operator
// expects, and so also notices what does not come. Facts go in, changes of
// alarms come out; it has no clock and no disk.
//
// Ages are reckoned twice, and the longer counts: by the wall clock, and by the
// time that passed while somebody watched. So neither a clock that jumped ahead
// and stays there nor one that was set back can hide that nothing comes.
package expectation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"weir/internal/event"
)

// Times that no configuration changes.
const (
	// RepeatEvery is how often an alarm that lasts is told of again.
	RepeatEvery = 24 * time.Hour
	// Slack is the share of its period by which a source may be late: transfers
	// do not always take as long.
	Slack = 10 // a tenth
	// MaxAlarms bounds the alarms that are kept; senders choose names.
	MaxAlarms = 4096
)

// Rule is what is expected of one source. What is zero is not judged.
type Rule struct {
	Every            time.Duration // between whole restore points
	SizeMin, SizeMax int64         // of the newest, in bytes
	NotWhole         time.Duration // that a snapshot may lack something
}

// Limits are what holds for all.
type Limits struct {
	Silent time.Duration // that nothing may come from a sender
	Skew   time.Duration // between clocks
	Full   time.Duration // before the disk is full
}

// Facts are what is known at one time.
type Facts struct {
	Now     time.Time     // the vault's clock
	Elapsed time.Duration // since the last facts, by a clock that nobody sets; 0 the first time
	Behind  time.Duration // by how much the host's clock is behind the vault's
	Sources []Source
	Senders []Sender
	Disk    Disk
}

// Source is what is known of a source.
type Source struct {
	Sender, Name string
	Rule         Rule
	Newest       *Point  // whole
	NotWhole     []Point // the others, by age
	Doubts       []Doubt // of those that are whole, the oldest first
}

// Point is a snapshot.
type Point struct {
	Ref   string
	At    time.Time // of the state that it holds, or when it was first heard of
	Bytes int64
}

// Doubt is why a whole restore point is not to be trusted unseen.
type Doubt struct {
	Ref string
	Why string
	Do  string // what settles it
}

// Sender is what is known of a trusted sender.
type Sender struct {
	Name  string
	Heard time.Time     // the last authentic frame; zero: never
	Skew  time.Duration // the vault's clock less the sender's
	// Margin says in words what to change where the link loses more than parity
	// bridges, or nearly so; empty where it does not.
	Margin string
	Lanes  []Lane // where it has several
	// LanesKnown tells that Lanes are all that it has; otherwise what was last known
	// of others holds.
	LanesKnown bool
}

// Lane is one of several links of a sender.
type Lane struct {
	Name   string // as linkquality.LaneName says
	Silent bool   // nothing comes over it while the others go on
	Known  bool   // whether that is known; otherwise what was last known holds
}

// Disk is what is known of the vault's disk.
type Disk struct {
	Left time.Duration // until it is full; 0: not foreseen
	Text string        // in words
}

// Alarm is something that is not as expected.
type Alarm struct {
	Event   string    `json:"event"`
	Subject string    `json:"subject"` // a source, a sender or "vault"
	Since   time.Time `json:"since"`   // the vault's clock when it began
	Text    string    `json:"text"`
	Told    float64   `json:"told"` // the watch's time when it was last told of, seconds
}

// Change is what is to be said about an alarm.
type Change struct {
	Alarm
	Kind Kind
}

// Kind of a change.
type Kind int

// Kinds of changes.
const (
	Began Kind = iota
	Again      // it lasts, for another day
	Ended
)

type finding struct{ event, subject, text string }

// judge finds all that is not as expected.
func (w *Watch) judge(f Facts, l Limits) (all []finding) {
	for i := range f.Sources {
		all = append(all, w.source(f, &f.Sources[i])...)
	}
	for i := range f.Senders {
		all = append(all, w.sender(f, l, &f.Senders[i])...)
	}
	if f.Behind > l.Skew {
		all = append(all, finding{event.ClockBehind, "vault", fmt.Sprintf("this host's clock is %s behind the vault's: it was set back, or was ahead once; set it right", Spell(f.Behind))})
	}
	if f.Disk.Left > 0 && f.Disk.Left < l.Full {
		all = append(all, finding{event.DiskForecast, "vault", f.Disk.Text})
	}
	return all
}

func (w *Watch) source(f Facts, s *Source) (all []finding) {
	name := s.Sender + "/" + s.Name
	newest := Point{Ref: name}
	if s.Newest != nil {
		newest = *s.Newest
	}
	if age := w.age("newest "+name, newest.Ref, newest.At, f.Now); s.Rule.Every > 0 && age > s.Rule.Every+s.Rule.Every/Slack {
		text := fmt.Sprintf("the newest whole restore point is %s old, one every %s is expected", Spell(age), Spell(s.Rule.Every))
		if s.Newest == nil {
			text = fmt.Sprintf("there is no whole restore point, after %s of watching; one every %s is expected", Spell(age), Spell(s.Rule.Every))
		}
		all = append(all, finding{event.SourceOverdue, name, text})
	}
	if s.Newest != nil {
		all = append(all, band(name, s)...)
	}
	if n := len(s.Doubts); n > 0 {
		d := &s.Doubts[n-1]
		text := fmt.Sprintf("%s is doubtful: %s; %s", d.Ref, d.Why, d.Do)
		if n > 1 {
			text = fmt.Sprintf("%d restore points are doubtful, the newest of them %s", n, strings.Replace(text, " is doubtful", "", 1))
		}
		all = append(all, finding{event.SourceDoubtful, name, text})
	}
	return append(all, w.notWhole(f, s, name)...)
}

func band(name string, s *Source) []finding {
	size := func(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }
	got, least, most := s.Newest.Bytes, s.Rule.SizeMin, s.Rule.SizeMax
	switch {
	case least > 0 && got < least:
		return []finding{{event.SourceSize, name, fmt.Sprintf("the newest restore point has %s, at least %s is expected: %s", size(got), size(least), s.Newest.Ref)}}
	case most > 0 && got > most:
		return []finding{{event.SourceSize, name, fmt.Sprintf("the newest restore point has %s, at most %s is expected: %s", size(got), size(most), s.Newest.Ref)}}
	}
	return nil
}

// notWhole tells of a source once, however many of its snapshots lack something.
func (w *Watch) notWhole(f Facts, s *Source, name string) []finding {
	if s.Rule.NotWhole <= 0 {
		return nil
	}
	count, oldest, longest := 0, "", time.Duration(0)
	for i := range s.NotWhole {
		p := &s.NotWhole[i]
		if age := w.age("partial "+p.Ref, "", p.At, f.Now); age > s.Rule.NotWhole {
			if count++; age > longest {
				oldest, longest = p.Ref, age
			}
		}
	}
	switch count {
	case 0:
		return nil
	case 1:
		return []finding{{event.SourceNotWhole, name, fmt.Sprintf("%s is not whole for %s", oldest, Spell(longest))}}
	}
	return []finding{{event.SourceNotWhole, name, fmt.Sprintf("%d snapshots are not whole, %s for %s", count, oldest, Spell(longest))}}
}

func (w *Watch) sender(f Facts, l Limits, s *Sender) (all []finding) {
	age := w.age("heard "+s.Name, s.Heard.String(), s.Heard, f.Now)
	if l.Silent > 0 && age > l.Silent {
		text := fmt.Sprintf("nothing has come from this sender for %s: look at the link, and whether weir-send run is active there", Spell(age))
		if s.Heard.IsZero() {
			text = fmt.Sprintf("nothing has ever come from this sender, in %s of watching: look at the link, the address and the keys", Spell(age))
		}
		all = append(all, finding{event.LinkSilent, s.Name, text})
	}
	if l.Skew > 0 && s.Skew.Abs() > l.Skew {
		side := "behind"
		if s.Skew < 0 {
			side = "ahead"
		}
		all = append(all, finding{event.ClockSkew, s.Name, fmt.Sprintf("the sender's clock is %s %s; the vault goes by its own", Spell(s.Skew.Abs()), side)})
	}
	if s.Margin != "" {
		all = append(all, finding{event.LinkMargin, s.Name, s.Margin})
	}
	return append(all, w.lanes(s)...)
}

const laneSilent = "nothing came over this lane while the others went on: look at its cable and interfaces"

// lanes tells of those that are silent, also while nothing new is known of them, as
// after a restart.
func (w *Watch) lanes(s *Sender) (all []finding) {
	said := map[string]bool{}
	for _, l := range s.Lanes {
		said[l.Name] = l.Known
		if l.Known && l.Silent {
			all = append(all, finding{event.LaneSilent, l.Name, laneSilent})
		}
	}
	for _, a := range w.state.Alarms {
		known, listed := said[a.Subject]
		of := a.Event == event.LaneSilent && strings.HasPrefix(a.Subject, s.Name+" ")
		if of && !known && (listed || !s.LanesKnown) {
			all = append(all, finding{a.Event, a.Subject, a.Text})
		}
	}
	return all
}

// Spell writes a time in its two largest units, as people say it.
func Spell(d time.Duration) string {
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.of {
			continue
		}
		text := fmt.Sprintf("%d %s", d/u.of, u.name)
		if i+1 < len(units) {
			if rest := d % u.of / units[i+1].of; rest > 0 {
				text += fmt.Sprintf(" %d %s", rest, units[i+1].name)
			}
		}
		return text
	}
	return "0 s"
}

func sortAlarms(all []Alarm) {
	slices.SortFunc(all, func(a, b Alarm) int {
		return cmp.Or(cmp.Compare(a.Event, b.Event), cmp.Compare(a.Subject, b.Subject))
	})
}

package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/count"
	"weir/internal/expectation"
)

// Calendar of the page: weeks are columns, days rows.
const (
	calendarStep  = 10
	calendarLeft  = 22
	calendarWidth = calendarLeft + CalendarDays/7*calendarStep
)

type dayView struct {
	X, Y         int
	Class, Title string
}

type sourceView struct {
	Name, Class, Age, Expect, Newest, Holds string
	Doubts                                  []string // why the newest is not to be trusted unseen
	Whole, Partial, Abandoned               int
	Overdue                                 bool
	Bar                                     float64
	Calendar                                []dayView
}

// doubts says why a restore point is not to be trusted unseen.
func (p *Point) doubts() (all []string) {
	if p == nil {
		return nil
	}
	if len(p.Suspicious) > 0 {
		all = append(all, "SUSPICIOUS: "+strings.Join(p.Suspicious, ", "))
	}
	if !p.Revoked.IsZero() {
		all = append(all, "SIGNED WITH A KEY THAT WAS REVOKED on "+minute(p.Revoked))
	}
	return all
}

// doubtful counts the sources whose newest restore point is not to be trusted
// unseen.
func doubtful(s *Status) (n int) {
	for i := range s.Sources {
		if len(s.Sources[i].Newest.doubts()) > 0 {
			n++
		}
	}
	return n
}

// How bad things are with a source, the worst first.
const (
	rankNone = iota // overdue, and nothing to restore
	rankOverdue
	rankDoubtful
	rankPartial
	rankGood
)

func (s *Source) rank() int {
	switch {
	case s.Overdue && s.Newest == nil:
		return rankNone
	case s.Overdue:
		return rankOverdue
	case len(s.Newest.doubts()) > 0:
		return rankDoubtful
	case s.Partial > 0:
		return rankPartial
	}
	return rankGood
}

// rankSources lists the worst first: overdue ones by how many times too old they
// are, the others in their order.
func (v *view) rankSources(s *Status) {
	order := make([]*Source, len(s.Sources))
	for i := range s.Sources {
		order[i] = &s.Sources[i]
	}
	slices.SortStableFunc(order, func(a, b *Source) int {
		late := 0
		if a.Overdue && b.Overdue {
			late = cmp.Compare(b.Age*a.Every, a.Age*b.Every)
		}
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), late)
	})
	for _, src := range order {
		v.Sources = append(v.Sources, newSourceView(src, s.Written))
	}
}

func newSourceView(s *Source, now time.Time) sourceView {
	v := sourceView{Name: s.Sender + "/" + s.Source, Whole: s.Whole, Partial: s.Partial, Abandoned: s.Abandoned, Overdue: s.Overdue, Class: "plain", Doubts: s.Newest.doubts()}
	if n := s.Newest; n != nil {
		v.Newest, v.Age = n.Name, expectation.Spell(seconds(s.Age))
		v.Holds = fmt.Sprintf("%s, %s", count.Of(int(n.Files), "file"), size(n.Bytes))
		if n.Problems > 0 {
			v.Holds += fmt.Sprintf(", %s with trouble at the sender", count.Of(int(n.Problems), "file"))
		}
	}
	if s.Every > 0 {
		v.Expect = expectation.Spell(seconds(s.Every))
		v.Class = "good"
		v.Bar = figure(min(100, max(1, 100*s.Age/s.Every)))
		if s.Newest == nil {
			v.Bar = 100
		}
	}
	switch {
	case s.Overdue, len(v.Doubts) > 0:
		v.Class = "bad"
	case s.Partial > 0:
		v.Class = "warn"
	}
	v.Calendar = calendar(s.Days, now)
	return v
}

// barClass colours what is about age alone.
func (v *sourceView) barClass() string {
	if v.Overdue {
		return "bad"
	}
	return "good"
}

// calendar draws the last weeks, the present one on the right.
func calendar(days []Day, now time.Time) (all []dayView) {
	byDay := map[string]Day{}
	for _, d := range days {
		byDay[d.Day] = d
	}
	today := now.UTC().Truncate(24 * time.Hour)
	row := func(t time.Time) int { return (int(t.Weekday()) + 6) % 7 } // Monday is the first
	monday := today.AddDate(0, 0, -row(today)-CalendarDays+7)
	for t := monday; !t.After(today); t = t.AddDate(0, 0, 1) {
		name := t.Format("2006-01-02")
		d, week := byDay[name], int(t.Sub(monday).Hours()/24)/7
		v := dayView{X: calendarLeft + week*calendarStep, Y: row(t) * calendarStep, Class: "empty", Title: name + ": nothing"}
		switch {
		case d.Whole > 0:
			v.Class = "whole"
		case d.Partial > 0:
			v.Class = "partial"
		}
		if d.Whole+d.Partial > 0 {
			v.Title = fmt.Sprintf("%s: %d whole, %d not whole", name, d.Whole, d.Partial)
		}
		if t.Equal(today) {
			v.Class += " now"
		}
		all = append(all, v)
	}
	return all
}

func weekdays() []textView {
	return []textView{{Y: 7, Text: "Mon"}, {Y: 27, Text: "Wed"}, {Y: 47, Text: "Fri"}, {Y: 67, Text: "Sun"}}
}

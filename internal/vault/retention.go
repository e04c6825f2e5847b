package vault

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Retention says which restore points of a source stay. Where none of the counts
// is above zero, all of them stay. Times are the vault's own, in UTC: what the
// sender says about its clock decides nothing.
type Retention struct {
	Last    int // the newest ones
	Hourly  int // the newest of each of the last hours that have one, and so on
	Daily   int
	Weekly  int // weeks of ISO 8601
	Monthly int
	Yearly  int

	MinAge time.Duration // nothing younger is removed
	Lock   time.Duration // after publication, in which nothing at all removes it
}

// keepsAll reports whether nothing is ever removed.
func (r Retention) keepsAll() bool {
	return max(r.Last, r.Hourly, r.Daily, r.Weekly, r.Monthly, r.Yearly) <= 0
}

// Verdict says what retention makes of a restore point, and why.
type Verdict struct {
	Snapshot string    `json:"snapshot"`
	Received time.Time `json:"received"`
	Locked   time.Time `json:"locked,omitzero"` // until when, if it is
	Keep     bool      `json:"keep"`
	Why      string    `json:"why"`

	snap Snapshot
}

// stored is a restore point as retention sees it.
type stored struct {
	snap     Snapshot
	received time.Time
	locked   time.Time // until when
	held     string    // why it stays whatever the rules say; it takes nobody's place
}

// period is one kind of bucket: restore points with the same name share it.
type period struct {
	word string
	most int
	name func(time.Time) string
}

func (r Retention) periods() []period {
	return []period{
		{"hourly", r.Hourly, func(t time.Time) string { return t.Format("2006-01-02T15") }},
		{"daily", r.Daily, func(t time.Time) string { return t.Format("2006-01-02") }},
		{"weekly", r.Weekly, func(t time.Time) string { y, w := t.ISOWeek(); return fmt.Sprint(y, "-", w) }},
		{"monthly", r.Monthly, func(t time.Time) string { return t.Format("2006-01") }},
		{"yearly", r.Yearly, func(t time.Time) string { return t.Format("2006") }},
	}
}

// judge decides about the restore points of one source, and returns them from
// the newest to the oldest.
func (r Retention) judge(points []stored, now time.Time) []Verdict {
	slices.SortFunc(points, func(a, b stored) int {
		if c := b.received.Compare(a.received); c != 0 {
			return c
		}
		return strings.Compare(b.snap.Name(), a.snap.Name())
	})
	reasons := r.reasons(points)
	out := make([]Verdict, 0, len(points))
	for i, p := range points {
		why := reasons[i]
		if why == "" {
			why = r.spared(p, now)
		}
		v := Verdict{Snapshot: p.snap.Ref(), Received: p.received, Keep: why != "", Why: why, snap: p.snap}
		if p.locked.After(now) {
			v.Locked = p.locked
		}
		if !v.Keep {
			v.Why = "no rule keeps it"
		}
		out = append(out, v)
	}
	return out
}

// reasons returns for each restore point the rules that keep it, or "".
func (r Retention) reasons(points []stored) []string {
	all := make([][]string, len(points))
	newest := true
	last := 0
	used, latest := make([]int, 5), make([]string, 5)
	for i, p := range points {
		if p.held != "" {
			all[i] = append(all[i], p.held)
			continue
		}
		if newest {
			all[i], newest = append(all[i], "newest"), false
		}
		if last++; last <= r.Last {
			all[i] = append(all[i], fmt.Sprintf("last %d", last))
		}
		for j, b := range r.periods() {
			// Newest first: the first of a bucket is the one that stays.
			if name := b.name(p.received.UTC()); used[j] < b.most && name != latest[j] {
				used[j]++
				latest[j] = name
				all[i] = append(all[i], fmt.Sprintf("%s %d", b.word, used[j]))
			}
		}
	}
	out := make([]string, len(points))
	for i := range all {
		out[i] = strings.Join(all[i], ", ")
	}
	return out
}

// spared returns why a restore point stays that no rule keeps, or "".
func (r Retention) spared(p stored, now time.Time) string {
	switch {
	case r.keepsAll():
		return "nothing says what may go"
	case p.received.IsZero():
		return "when it was received is not known"
	case now.Sub(p.received) < r.MinAge:
		return "younger than min_age"
	case p.locked.After(now):
		return "locked until " + p.locked.UTC().Format(time.RFC3339)
	}
	return ""
}

package config

import (
	"path"
	"slices"

	"weir/internal/names"
)

// MaxRules bounds the [[source]] tables of a receiver.
const MaxRules = 4096

// Rule is one [[source]] table of a receiver: what holds for the sources whose
// sender and source match its patterns. A key that the table does not give is
// nil here; Receiver.RuleFor looks for it in the tables that follow.
type Rule struct {
	Sender, Source string // names, or patterns of path.Match

	KeepLast, KeepHourly, KeepDaily, KeepWeekly, KeepMonthly, KeepYearly *int

	MinAge *Duration
	Lock   *Duration
	Quota  *Size

	MaxObjects *int // contents of files that it may have stored

	// MassChange is on or off; the others say from which share of the files on,
	// see masschange.Limits.
	MassChange                                   *string
	MaxChanged, MaxGone, MaxEncrypted, MaxGrowth *Percent

	ExpectEvery      *Duration // between whole restore points
	SizeMin, SizeMax *Size     // of the newest
	NotWholeAfter    *Duration // that a snapshot may lack something
}

// Limits of a rule.
const (
	MaxKeep = 100_000
	// MaxMaxObjects is more than any file system holds.
	MaxMaxObjects = 1 << 40
	MaxLock       = Duration(100 * 365 * day)
	day           = 24 * 60 * 60 * 1e9
)

func readRule(t *table) Rule {
	r := Rule{Sender: "*", Source: "*"}
	pattern(t, "sender", &r.Sender)
	pattern(t, "source", &r.Source)
	for key, into := range r.keeps() {
		*into = t.count(key, MaxKeep)
	}
	r.MinAge = optional[Duration](t, "min_age")
	r.Lock = optional[Duration](t, "lock")
	r.Quota = optional[Size](t, "quota")
	r.MaxObjects = t.count("max_objects", MaxMaxObjects)
	r.readMassChange(t)
	r.ExpectEvery = optional[Duration](t, "expect_every")
	r.SizeMin, r.SizeMax = optional[Size](t, "size_min"), optional[Size](t, "size_max")
	r.NotWholeAfter = optional[Duration](t, "not_whole_after")
	t.end()
	if r.SizeMin != nil && r.SizeMax != nil && *r.SizeMin > *r.SizeMax {
		t.problem("size_min", "%v is more than size_max, which is %v", r.SizeMin, r.SizeMax)
	}
	for key, d := range map[string]*Duration{"min_age": r.MinAge, "lock": r.Lock} {
		if d != nil && *d > MaxLock {
			t.problem(key, "%v is too long, write at most %q", *d, "36500d")
		}
	}
	return r
}

func (r *Rule) keeps() map[string]**int {
	return map[string]**int{
		"keep_last": &r.KeepLast, "keep_hourly": &r.KeepHourly, "keep_daily": &r.KeepDaily,
		"keep_weekly": &r.KeepWeekly, "keep_monthly": &r.KeepMonthly, "keep_yearly": &r.KeepYearly,
	}
}

// pattern reads the name of a sender or source, or a pattern of names.
func pattern(t *table, key string, into *string) {
	t.str(key, into)
	text, ok := t.values[key].(string)
	if !ok {
		return
	}
	if _, err := path.Match(text, "x"); err != nil {
		t.problem(key, "%q is no pattern, write a name, or one like %q", text, "db-*")
		return
	}
	plain := !slices.ContainsFunc([]byte(text), func(c byte) bool { return c == '*' || c == '?' || c == '[' || c == '\\' })
	if err := names.Check(text); plain && err != nil {
		t.problem(key, "%v", err)
	}
}

// count reads a whole number from 0 to most, or nil where the key is missing.
func (t *table) count(key string, most int) *int {
	var n int
	if t.integer(key, &n); t.values[key] == nil {
		return nil
	}
	if n < 0 || n > most {
		t.problem(key, "%d is out of range, write 0 to %d", n, most)
	}
	return &n
}

// optional reads a value, or returns nil where the key is missing.
func optional[T any, P interface {
	*T
	UnmarshalText([]byte) error
}](t *table, key string) *T {
	var v T
	if !t.text(key, P(&v)) {
		return nil
	}
	return &v
}

// Names reports whether the table is about one source that it names, not about
// all that match a pattern.
func (r *Rule) Names() bool { return names.Check(r.Sender) == nil && names.Check(r.Source) == nil }

func (r *Rule) matches(sender, source string) bool {
	a, _ := path.Match(r.Sender, sender)
	b, _ := path.Match(r.Source, source)
	return a && b
}

// RuleFor returns what holds for a source: each value is that of the first table
// that matches and gives it.
func (c *Receiver) RuleFor(sender, source string) Rule {
	out := Rule{Sender: sender, Source: source}
	for i := range c.Rules {
		r := &c.Rules[i]
		if !r.matches(sender, source) {
			continue
		}
		from := r.keeps()
		for key, into := range out.keeps() {
			first(into, *from[key])
		}
		first(&out.MinAge, r.MinAge)
		first(&out.Lock, r.Lock)
		first(&out.Quota, r.Quota)
		first(&out.MaxObjects, r.MaxObjects)
		first(&out.MassChange, r.MassChange)
		shares := r.shares()
		for key, into := range out.shares() {
			first(into, *shares[key])
		}
		first(&out.ExpectEvery, r.ExpectEvery)
		first(&out.SizeMin, r.SizeMin)
		first(&out.SizeMax, r.SizeMax)
		first(&out.NotWholeAfter, r.NotWholeAfter)
	}
	return out
}

func first[T any](into **T, v *T) {
	if *into == nil {
		*into = v
	}
}

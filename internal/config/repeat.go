package config

import (
	"strconv"
	"time"

	"weir/internal/keys"
)

// Limits and defaults of what is sent again without being asked for.
const (
	DefaultPasses           = 3
	MaxPasses               = 100
	DefaultPassSpacing      = Duration(time.Hour)
	MinPassSpacing          = Duration(time.Second)
	MaxPassSpacing          = Duration(90 * 24 * time.Hour)
	DefaultHistory          = 64
	MaxHistory              = 10000
	DefaultHistorySize Size = 2 << 30
	DefaultSpoolSize   Size = 10 << 30
	DefaultSpoolKeep        = Duration(7 * 24 * time.Hour)
	MaxSpoolKeep            = Duration(365 * 24 * time.Hour)
	MaxKept            Size = 1 << 50
	keptSuffix              = ".d" // of the directory beside the state
)

// How often all that the vault should hold goes out again.
var refreshes = map[string]time.Duration{
	"never": 0, "daily": 24 * time.Hour, "weekly": 7 * 24 * time.Hour, "monthly": 30 * 24 * time.Hour,
}

// How content that is owed passes is kept.
const (
	SpoolNone = "none"
	SpoolLink = "link"
	SpoolCopy = "copy"
)

// Repeat is what weir-send sends again by itself, and what it keeps for that.
type Repeat struct {
	Passes      int // the first one included
	PassSpacing Duration
	Refresh     string // never, daily, weekly or monthly
	History     int    // snapshots of each source that can be sent again
	HistorySize Size   // of their manifests
	Spool       string // none, link or copy
	SpoolSize   Size
	SpoolKeep   Duration // after the last pass; 0 for not at all
	SpoolDir    string   // "" for one beside the state
}

func newRepeat() Repeat {
	return Repeat{
		Passes: DefaultPasses, PassSpacing: DefaultPassSpacing, Refresh: "never",
		History: DefaultHistory, HistorySize: DefaultHistorySize, Spool: SpoolNone, SpoolSize: DefaultSpoolSize, SpoolKeep: DefaultSpoolKeep,
	}
}

// RefreshEvery returns the time between refreshes, 0 for none.
func (r *Repeat) RefreshEvery() time.Duration { return refreshes[r.Refresh] }

// Kept returns the directory beside the state where manifests and the spool lie.
func (c *Sender) Kept() string { return c.State + keptSuffix }

// Own returns the paths of what is for this program alone.
func (c *Sender) Own() []string {
	return []string{c.Key, c.Key + keys.NextSuffix, c.Key + keys.OldSuffix, c.State, c.Kept(), c.Repeat.SpoolDir}
}

func (r *Repeat) read(t *table) {
	t.integer("passes", &r.Passes)
	t.text("pass_spacing", &r.PassSpacing)
	t.choice("refresh", &r.Refresh, "never", "daily", "weekly", "monthly")
	t.integer("history", &r.History)
	t.text("history_size", &r.HistorySize)
	t.choice("spool", &r.Spool, SpoolNone, SpoolLink, SpoolCopy)
	t.text("spool_size", &r.SpoolSize)
	t.text("spool_keep", &r.SpoolKeep)
	t.str("spool_dir", &r.SpoolDir)
	if r.Passes < 1 || r.Passes > MaxPasses {
		t.problem("passes", "%d is out of range, write 1 to %d", r.Passes, MaxPasses)
	}
	if r.History < 1 || r.History > MaxHistory {
		t.problem("history", "%d is out of range, write 1 to %d", r.History, MaxHistory)
	}
	within(t, "pass_spacing", r.PassSpacing, MinPassSpacing, MaxPassSpacing)
	within(t, "history_size", r.HistorySize, 1<<20, MaxKept)
	within(t, "spool_size", r.SpoolSize, 1<<20, MaxKept)
	within(t, "spool_keep", r.SpoolKeep, 0, MaxSpoolKeep)
}

func (r *Repeat) settings() []setting {
	return []setting{
		{key: "passes", value: strconv.Itoa(r.Passes), comment: "How often each new object is sent in all. `weir-send run` sends the later passes while the link is\nidle; they heal what parity could not. 1 sends everything once."},
		{key: "pass_spacing", value: quote(r.PassSpacing.String()), comment: "Time between two passes of a snapshot. Longer than the outages that passes should heal."},
		{key: "refresh", value: quote(r.Refresh), comment: "How often the latest snapshot of each source goes out whole again, files that did not change too:\nnever, daily, weekly or monthly. It heals a vault that lost objects, at the price of the idle link."},
		{key: "history", value: strconv.Itoa(r.History), comment: "How many snapshots of each source are remembered: told in heartbeats, and sent again when a repair\ncode asks for them."},
		{key: "history_size", value: quote(r.HistorySize.String()), comment: "Bound for the compressed manifests of those; the oldest go first, the latest of a source stays."},
		{key: "spool", value: quote(r.Spool), comment: "How what was sent is kept from changes until it may be forgotten: none: not at all, a file that changed\nor vanished is not sent again; link: by hard links, against deletion and replacement, but not against\nprograms that write into the file in place, nor for streams; copy: by copies, against every change."},
		{key: "spool_size", value: quote(r.SpoolSize.String()), comment: "Bound for the spool. When it is reached, what has had all of its passes goes first, the oldest before\nthe others; what finds no room even so is sent again only if it does not change."},
		{key: "spool_keep", value: quote(r.SpoolKeep.String()), comment: "How long the spool keeps content after its last pass, so that repair codes can still ask for it: as\nlong as it may take somebody to carry one."},
		{key: "spool_dir", value: quote("spool"), off: true, comment: "Directory of the spool, for this program alone; without it, one beside the state. Hard links need it\non the file system of the sources."},
	}
}

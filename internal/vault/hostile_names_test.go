package vault

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// everything lists all names below the vault and beside it.
func (g *store) everything() (names []string) {
	g.t.Helper()
	err := filepath.WalkDir(g.dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return names
}

// each tells the vault of a snapshot in every way that a sender has.
func (g *store) each(s Snapshot) map[string]error {
	return map[string]error{
		"touch":     g.v.Touch(s),
		"range":     g.v.WriteRange(s, ObjectID{1}, 0, []byte("x")),
		"end":       g.v.EndObject(s, ObjectID{1}, 1, sumOf([]byte("x")), nil),
		"close":     g.v.CloseSnapshot(s, ManifestRef{Object: ObjectID{1}, ObjectSize: 1, Size: 1}),
		"announced": g.v.Announced(s),
	}
}

// TestNamesThatCannotBe: sources that are called what is the vault's own, or lead out
// of it, are refused in whatever speaks of them, and nothing appears anywhere.
func TestNamesThatCannotBe(t *testing.T) {
	g := newStore(t)
	g.send(g.shot(1, 100))
	before := g.everything()
	for _, name := range []string{
		"", ".", "..", ".weir", "weir", "../prod", "a/b", "/etc", "lost+found", "a+b", "Etc", "a b", "a\x00", "a\n", "ä", "-a", strings.Repeat("a", 65),
	} {
		for _, s := range []Snapshot{{"prod", name, 1, g.now}, {name, "etc", 1, g.now}} {
			for how, err := range g.each(s) {
				if !errors.Is(err, ErrName) {
					t.Errorf("%q, %s: %v", s.Ref(), how, err)
				}
			}
		}
	}
	g.v.Settle(true)
	if after := g.everything(); !slices.Equal(before, after) {
		t.Errorf("there was\n%v\nand is\n%v", before, after)
	}
	g.verify()
}

// TestNumbersAndTimesAtTheEnds does the same for numbers and clock values that no
// restore point can be named by; the others at the ends harm nothing.
func TestNumbersAndTimesAtTheEnds(t *testing.T) {
	g := newStore(t)
	first := g.shot(1, 100)
	g.send(first)
	for _, s := range []Snapshot{
		{"prod", "etc", 0, g.now}, {"prod", "etc", math.MaxUint64, g.now}, {"prod", "etc", 1 << 63, g.now},
		{"prod", "etc", 2, time.Unix(0, math.MinInt64)}, {"prod", "etc", 2, time.Unix(0, -1)}, {"prod", "etc", 2, time.Time{}.AddDate(-1, 0, 0)}, {"prod", "etc", 2, time.Unix(1<<40, 0)},
	} {
		for how, err := range g.each(s) {
			if !errors.Is(err, ErrName) {
				t.Errorf("%q, %s: %v", s.Ref(), how, err)
			}
		}
	}
	for i, at := range []int64{0, 1, math.MaxInt64} {
		s := g.shot(uint64(2+i), 50)
		s.Taken = time.Unix(0, at).UTC()
		g.seal(s)
		g.send(s)
		if got := g.state(s); got != Whole {
			t.Errorf("taken at %d it is %q", at, got)
		}
	}
	next := g.shot(20, 100)
	g.send(next)
	if g.state(first) != Whole || g.state(next) != Whole {
		t.Errorf("those of every day are %q and %q", g.state(first), g.state(next))
	}
	g.reopen(realDisk())
	g.verify()
}

// TestSourcesNamedLikeFolders has sources that may be called what the vault calls its
// own folders and files, elsewhere.
func TestSourcesNamedLikeFolders(t *testing.T) {
	g := newStore(t)
	var all []*shot
	for i, name := range []string{
		"objects", "incoming", "pending", "staging", "trash", "damaged", "locks", "requests", "data", "manifest.jsonl",
		"catalog.db", "events.jsonl", "etc.json", "lock", "allowed_signers", "2026-11-23t010000z.000042",
	} {
		s := g.from("prod", name, uint64(i+1), 100)
		g.send(s)
		all = append(all, s)
	}
	g.reopen(realDisk())
	for _, s := range all {
		if g.state(s) != Whole {
			t.Errorf("%s is %q", s.Ref(), g.state(s))
		}
	}
	g.verify()
}

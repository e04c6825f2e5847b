package vault

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/event"
)

// office is a snapshot of 40 files of text; the content of some is another.
func (g *store) office(number uint64, spoil func(i int, text []byte) []byte) *shot {
	s := g.shot(number)
	for i := range 40 {
		text := spoil(i, bytes.Repeat(fmt.Appendf(nil, "This is line %d of a letter. ", i), 100))
		if text == nil {
			continue
		}
		s.files = append(s.files, file{fmt.Sprintf("letter-%02d", i), text, ObjectID{byte(number), byte(i), 1}})
	}
	g.seal(s)
	g.send(s)
	if g.state(s) != Whole {
		g.t.Fatalf("snapshot %d is %q", number, g.state(s))
	}
	return s
}

func asItWas(_ int, text []byte) []byte { return text }

func (g *store) suspicious(s *shot) string {
	g.t.Helper()
	f, err := Find(g.dir, s.Ref())
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.Join(f.Suspicious, "; ")
}

// TestMassChange attacks a source after some ordinary snapshots.
func TestMassChange(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(i int, text []byte) []byte
		says  string
	}{
		"encrypted": {func(i int, text []byte) []byte { return content1(len(text), byte(i)) }, "look encrypted"},
		"deleted":   {func(i int, text []byte) []byte { return map[bool][]byte{i < 5: text}[true] }, "are gone"},
		"a little": {func(i int, text []byte) []byte {
			if i < 9 {
				return content1(len(text), byte(i))
			}
			return text
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			for n := range uint64(3) {
				if s := g.office(n+1, asItWas); g.suspicious(s) != "" {
					t.Errorf("an ordinary one: %s", g.suspicious(s))
				}
			}
			bad := g.office(4, c.spoil)
			why := g.suspicious(bad)
			if !strings.Contains(why, c.says) || (why == "") != (c.says == "") || (g.count(event.MassChange) == 1) != (why != "") {
				t.Fatalf("it is suspicious for %q, events %v", why, g.events())
			}
			g.kill()
			g.open()
			if g.suspicious(bad) != why {
				t.Error("after a restart the mark is gone")
			}
			g.now = g.now.Add(1000 * time.Hour)
			g.office(5, c.spoil)
			if n := g.kept(); n != map[bool]int{true: 5, false: 1}[why != ""] {
				t.Errorf("retention keeps %d restore points", n)
			}
			g.verify()
		})
	}
}

func TestAcceptedCountsAsUsual(t *testing.T) {
	g := newStore(t)
	g.office(1, asItWas)
	g.office(2, asItWas)
	noise := func(seed byte) func(int, []byte) []byte {
		return func(i int, text []byte) []byte { return content1(len(text), seed+byte(i)) }
	}
	bad := g.office(3, noise(1))
	worse := g.office(4, noise(50))
	if g.suspicious(bad) == "" || g.suspicious(worse) == "" {
		t.Fatalf("%q, %q", g.suspicious(bad), g.suspicious(worse))
	}
	g.close()
	for _, s := range []*shot{bad, worse} {
		ask := func() error {
			return Ask(t.Context(), g.dir, Options{}, Request{Action: ActionAccept, Snapshot: s.Ref()}, nil)
		}
		if err := ask(); err != nil {
			t.Fatal(err)
		}
		if err := ask(); err == nil {
			t.Error("accepted a second time")
		}
	}
	g.open()
	if n := g.kept(); n != 1 {
		t.Errorf("after both were accepted retention keeps %d", n)
	}
	if s := g.office(5, noise(90)); g.suspicious(s) != "" {
		t.Errorf("after both were accepted: %s", g.suspicious(s))
	}
	if !slices.Contains(g.events(), event.MassChangeAccepted) {
		t.Error("the acceptance is not noted")
	}
}

func TestTakenInTheFuture(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 10)
	s.Taken = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	g.seal(s)
	g.send(s)
	if why := g.suspicious(s); !strings.Contains(why, "present time") {
		t.Errorf("suspicious for %q", why)
	}
	if left, _ := filepath.Glob(filepath.Join(g.dir, ".weir/marks/prod/etc/*.json")); len(left) != 1 {
		t.Errorf("marks %v", left)
	}
}

// kept is how many restore points a retention of one would leave.
func (g *store) kept() int {
	g.t.Helper()
	r, err := PlanPrune(g.dir, Options{
		Now:       func() time.Time { return g.now },
		Retention: func(string, string) Retention { return Retention{Last: 1} },
	})
	if err != nil || len(r.Trouble) > 0 {
		g.t.Fatal(err, r.Trouble)
	}
	return len(r.Verdicts) - r.Removed()
}

// TestLatestIsNotTakenForEver sends a snapshot from the year 9999, and then an
// honest one.
func TestLatestIsNotTakenForEver(t *testing.T) {
	g := newStore(t)
	evil := g.shot(1, 10)
	evil.Taken = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	g.seal(evil)
	g.send(evil)
	g.now = g.now.Add(time.Hour)
	good := g.shot(2, 20)
	good.Taken = g.now.Add(-time.Minute)
	g.seal(good)
	g.send(good)
	if f, err := Find(g.dir, "prod/etc/latest"); err != nil || f.Name != norm(good.Snapshot).Name() {
		t.Errorf("latest is %s, %v", f.Name, err)
	}
	twin := g.shot(2, 30)
	g.send(twin)
	if _, err := Find(g.dir, "prod/etc@2"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("two of one number: %v", err)
	}
}

// TestDamageBeforeKeepsNothingNewOut spoils the manifest of a restore point. What
// comes after it is stored, and marked, as nobody can say what has changed.
func TestDamageBeforeKeepsNothingNewOut(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"in the midst": func(text []byte) []byte { text[len(text)/2] ^= 0xff; return text },
		"at its start": func(text []byte) []byte { return append([]byte("x"), text...) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			path := filepath.Join(g.v.point(g.office(1, asItWas).Snapshot), manifestFile)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Remove(path), os.WriteFile(path, spoil(text), 0o444)); err != nil {
				t.Fatal(err)
			}
			if says := g.suspicious(g.office(2, asItWas)); !strings.Contains(says, "damaged") {
				t.Errorf("it is marked with %q", says)
			}
			if says := g.suspicious(g.office(3, asItWas)); says != "" {
				t.Errorf("the one after it is marked with %q", says)
			}
		})
	}
}

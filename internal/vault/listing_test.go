package vault

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// agree holds that a listing, which remembers, says what List says.
func (g *store) agree(l *Listing) []Info {
	g.t.Helper()
	want, err := List(g.dir)
	if err != nil {
		g.t.Fatal(err)
	}
	got, err := l.List()
	if err != nil {
		g.t.Fatal(err)
	}
	if len(got) != len(want) || len(got) > 0 && !reflect.DeepEqual(got, want) {
		g.t.Errorf("the listing says\n%+v, and List\n%+v", got, want)
	}
	return got
}

// TestLookup looks up what List has told of; what was published meanwhile is not found.
func TestLookup(t *testing.T) {
	g := newStore(t)
	whole, partial := g.shot(1, 100), g.shot(2, 300)
	g.send(whole)
	if err := g.v.Touch(partial.Snapshot); err != nil {
		t.Fatal(err)
	}
	told, err := List(g.dir)
	if err != nil || len(told) != 2 {
		t.Fatalf("%v %+v", err, told)
	}
	for _, i := range told {
		want, err := Find(g.dir, i.Snapshot().Ref())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Lookup(g.dir, i); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v (%v), and Find says %+v", got, err, want)
		}
	}
	g.send(partial)
	if _, err := Lookup(g.dir, told[1]); !errors.Is(err, ErrNotFound) {
		t.Errorf("published meanwhile: %v", err)
	}
}

func TestListingFollowsTheVault(t *testing.T) {
	g := newStore(t)
	l := NewListing(g.dir)
	g.agree(l)
	first, second := g.shot(1, 100, 5000), g.shot(2, 300)
	g.send(first)
	g.agree(l)
	if err := g.v.Touch(second.Snapshot); err != nil {
		t.Fatal(err)
	}
	if all := g.agree(l); len(all) != 2 || all[0].State != Whole || all[1].State != Partial {
		t.Errorf("%+v", all)
	}
	g.send(second)
	if all := g.agree(l); all[1].State != Whole {
		t.Errorf("%+v", all[1])
	}
	mark := g.v.damagedPoint(first.Snapshot)
	if err := os.MkdirAll(filepath.Dir(mark), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mark, []byte("a record that cannot be read"), 0o644); err != nil {
		t.Fatal(err)
	}
	if all := g.agree(l); all[0].State == Whole {
		t.Errorf("damaged, and still %+v", all[0])
	}
	if err := os.Remove(mark); err != nil {
		t.Fatal(err)
	}
	if all := g.agree(l); all[0].State != Whole {
		t.Errorf("good again, and still %+v", all[0])
	}
	removeTree(g.v.point(first.Snapshot))
	if all := g.agree(l); len(all) != 1 {
		t.Errorf("%d snapshots after one was removed", len(all))
	}
}

func TestNotesAreInTheLogAndItsHead(t *testing.T) {
	g := newStore(t)
	if head, err := LogHead(g.dir); head != "" || err != nil {
		t.Errorf("the head of an empty log is %q, %v", head, err)
	}
	g.v.Note("link-silent", "prod: \x00"+strings.Repeat("\x01", 1<<20))
	g.v.Note("alarm-ended", "prod")
	if names := g.events(); !slices.Equal(names, []string{"link-silent", "alarm-ended"}) {
		t.Errorf("%q", names)
	}
	data, err := os.ReadFile(filepath.Join(g.dir, ".weir", "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	if head, err := LogHead(g.dir); head != lineHash([]byte(lines[1])) || err != nil {
		t.Errorf("the head is %q, %v", head, err)
	}
	if len(lines[0]) > maxEventLine {
		t.Errorf("a line of %d bytes", len(lines[0]))
	}
}

func TestMarkIsTheVaultsClock(t *testing.T) {
	g := newStore(t)
	if err := g.v.Settle(false); err != nil {
		t.Fatal(err)
	}
	if mark, err := Mark(g.dir); !mark.Equal(g.now) || err != nil {
		t.Errorf("%v, want %v: %v", mark, g.now, err)
	}
	if mark, err := Mark(t.TempDir()); !mark.IsZero() || err != nil {
		t.Errorf("no vault has the time %v, %v", mark, err)
	}
}

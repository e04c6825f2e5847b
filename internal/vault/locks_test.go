package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockHoldsAgainstEverything(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1, Lock: 48 * time.Hour})
	g.open()
	all := g.series(3)
	if r := g.prune(); r.Removed() != 0 || r.Verdicts[2].Locked.IsZero() {
		t.Fatalf("%+v", r)
	}
	g.now = g.now.Add(25 * time.Hour)
	until := g.now.Add(100 * time.Hour).UTC().Truncate(time.Second)
	if err := g.v.extendLock(all[0].Snapshot, until); err != nil {
		t.Fatal(err)
	}
	for _, earlier := range []time.Time{until, until.Add(-time.Hour), {}} {
		if err := g.v.extendLock(all[0].Snapshot, earlier); !errors.Is(err, ErrLockShort) {
			t.Errorf("shortened to %v: %v", earlier, err)
		}
	}
	g.now = g.now.Add(24 * time.Hour)
	if err := g.v.remove(all[0].Snapshot, "by hand"); !errors.Is(err, ErrLocked) {
		t.Fatalf("a locked one was removed: %v", err)
	}
	if r := g.prune(); r.Removed() != 1 {
		t.Fatalf("%+v", r)
	}
	g.holds(all[0], all[2])
	g.close()
	g.opt = retaining(Retention{Last: 1, Lock: 47 * time.Hour})
	if _, err := open(g.dir, g.options(), g.disk); !errors.Is(err, ErrLockShort) || !strings.Contains(err.Error(), "prod/etc") {
		t.Fatalf("a shorter lock: %v", err)
	}
	g.opt = retaining(Retention{Last: 1, Lock: 48 * time.Hour})
	g.open()
}

func TestLostLockRecordIsNoFreedom(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"lost": os.Remove, "rubbish": func(p string) error { return os.WriteFile(p, []byte("{}}"), 0o644) },
		"no date": func(p string) error { return os.WriteFile(p, []byte(`{"promised":"48h","until":{}}`), 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newStore(t)
			g.kill()
			g.opt = retaining(Retention{Last: 1, Lock: 48 * time.Hour})
			g.open()
			all := g.series(2)
			g.close()
			if err := spoil(filepath.Join(g.dir, ".weir", "locks", "prod", "etc.json")); err != nil {
				t.Fatal(err)
			}
			if _, err := Reindex(g.dir, Options{}); err != nil {
				t.Fatal(err)
			}
			g.open()
			g.prune()
			if err := g.v.remove(all[0].Snapshot, ""); err == nil || g.state(all[0]) != Whole {
				t.Fatalf("it is %q, %v", g.state(all[0]), err)
			}
		})
	}
}

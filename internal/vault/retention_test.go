package vault

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/event"
)

func pointsAt(times ...time.Time) []stored {
	var all []stored
	for i, t := range times {
		all = append(all, stored{snap: Snapshot{Sender: "prod", Source: "etc", Number: uint64(i + 1), Taken: t}, received: t})
	}
	return all
}

func kept(all []Verdict) (numbers []uint64) {
	for _, v := range all {
		if v.Keep {
			numbers = append(numbers, v.snap.Number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

func TestRetentionRules(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC)
	var halfDays []time.Time // numbers 1.. at 00:30 and 12:30 of each day
	for i := range 120 {
		halfDays = append(halfDays, start.Add(time.Duration(i)*12*time.Hour))
	}
	now := halfDays[119].Add(time.Hour)
	for name, c := range map[string]struct {
		rules Retention
		want  []uint64
	}{
		"last":    {Retention{Last: 3}, []uint64{118, 119, 120}},
		"daily":   {Retention{Daily: 3}, []uint64{116, 118, 120}},
		"hourly":  {Retention{Hourly: 2}, []uint64{119, 120}},
		"weekly":  {Retention{Weekly: 2}, []uint64{106, 120}},         // Sunday 22 February, Sunday 1 March
		"monthly": {Retention{Monthly: 12}, []uint64{62, 118, 120}},   // ends of January and February
		"yearly":  {Retention{Yearly: 5}, []uint64{120}},              // one year is there
		"union":   {Retention{Last: 1, Daily: 2}, []uint64{118, 120}}, // the last is also the newest of its day
		"min age": {Retention{Last: 1, MinAge: 25 * time.Hour}, []uint64{119, 120}},
	} {
		if got := kept(c.rules.judge(pointsAt(halfDays...), now)); !slices.Equal(got, c.want) {
			t.Errorf("%s keeps %v, want %v", name, got, c.want)
		}
	}
	for name, r := range map[string]Retention{"none": {}, "only an age": {MinAge: time.Hour, Lock: time.Hour}} {
		if got := kept(r.judge(pointsAt(halfDays...), now)); len(got) != 120 {
			t.Errorf("%s keeps %d of 120", name, len(got))
		}
	}
}

// TestRetentionPromises holds for any rules and any times: the newest stays, what
// is locked or held stays, what is held takes nobody's place, and a prune after a
// prune finds nothing.
func TestRetentionPromises(t *testing.T) {
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		var times []time.Time
		for range 1 + rng.IntN(200) {
			times = append(times, now.Add(-time.Duration(rng.Int64N(int64(3*365*24*time.Hour)))))
		}
		slices.SortFunc(times, time.Time.Compare)
		points := pointsAt(times...)
		held := map[string]bool{}
		for i := range points {
			if rng.IntN(10) == 0 {
				points[i].locked = now.Add(time.Duration(rng.Int64N(1e15) - 5e14))
			}
			if rng.IntN(10) == 0 {
				points[i].held = "damaged"
				held[points[i].snap.Ref()] = true
			}
		}
		r := Retention{Last: rng.IntN(4), Daily: rng.IntN(10), Weekly: rng.IntN(5), Monthly: rng.IntN(14), MinAge: time.Duration(rng.IntN(1000)) * time.Hour}
		all := r.judge(slices.Clone(points), now)
		var left []stored
		sound := 0
		for i, v := range all {
			p := points[slices.IndexFunc(points, func(p stored) bool { return p.snap == v.snap })]
			if !v.Keep && (p.held != "" || p.locked.After(now) || now.Sub(p.received) < r.MinAge) {
				t.Fatalf("seed %d: removes %+v", seed, p)
			}
			if p.held == "" {
				if sound++; sound == 1 && !v.Keep {
					t.Fatalf("seed %d: the newest sound one, %d of all, is removed", seed, i)
				}
				if sound <= r.Last && !v.Keep {
					t.Fatalf("seed %d: number %d from the end is removed, keep_last is %d", seed, sound, r.Last)
				}
			}
			if v.Keep {
				left = append(left, p)
			}
		}
		if again := kept(r.judge(slices.Clone(left), now)); len(again) != len(left) {
			t.Fatalf("seed %d: a second prune goes from %d to %d", seed, len(left), len(again))
		}
	}
}

// retaining sets rules for all sources.
func retaining(r Retention) func(*Options) {
	return func(o *Options) { o.Retention = func(string, string) Retention { return r } }
}

// series sends n snapshots an hour apart. Each has a file of its own, one that
// never changes, and one that changes with every third.
func (g *store) series(n int) (all []*shot) {
	for i := 1; i <= n; i++ {
		s := g.shot(uint64(i), 1000+i, 5000, 7000+i/3)
		s.files[1].id, s.files[2].id = ObjectID{77}, ObjectID{88, byte(i / 3)}
		g.seal(s)
		g.send(s)
		all = append(all, s)
		g.now = g.now.Add(time.Hour)
	}
	return all
}

// prune asks for it and lets the vault work to its end.
func (g *store) prune() PruneResult {
	g.t.Helper()
	r, err := g.v.prune()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.v.finishWork(g.t.Context()); err != nil {
		g.t.Fatal(err)
	}
	return r
}

// objects returns the ids of the objects in the vault.
func (g *store) objects() map[string]bool {
	all := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(g.dir, ".weir", "objects", "*", "*", "*"))
	for _, f := range files {
		all[filepath.Base(f)] = true
	}
	return all
}

// held checks that exactly the objects of these shots are there, and all of them
// are whole.
func (g *store) holds(shots ...*shot) {
	g.t.Helper()
	want := map[string]bool{}
	for _, s := range shots {
		if g.state(s) != Whole {
			g.t.Fatalf("%s is %q", s.Ref(), g.state(s))
		}
		for _, f := range s.files {
			want[f.id.String()] = true
		}
	}
	got := g.objects()
	for id := range want {
		if !got[id] {
			g.t.Fatalf("object %s is gone", id)
		}
	}
	if len(got) != len(want) {
		g.t.Fatalf("%d objects are there, the restore points list %d", len(got), len(want))
	}
	g.verifyLeft()
}

// verifyLeft verifies what is listed; removed points are no longer.
func (g *store) verifyLeft() {
	g.points = nil
	g.verify()
}

func TestPruneFreesWhatNothingLinks(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 2})
	g.open()
	all := g.series(7)
	r := g.prune()
	if r.Removed() != 5 || len(r.Verdicts) != 7 {
		t.Fatalf("%+v", r)
	}
	g.holds(all[5], all[6])
	if got := slices.DeleteFunc(g.events(), func(e string) bool { return e != event.SnapshotRemoved }); len(got) != 5 {
		t.Errorf("%d events of removal", len(got))
	}
	// What is gone stays gone, whatever comes late.
	g.send(all[0])
	if err := g.v.Announced(all[1].Snapshot); err != nil || g.state(all[0]) != "" || g.state(all[1]) != "" {
		t.Errorf("a removed one came back: %q, %q, %v", g.state(all[0]), g.state(all[1]), err)
	}
	// The next one builds on the newest.
	next := g.shot(8, 40)
	for i, f := range all[6].files {
		f.path = "unchanged" + string(rune('a'+i))
		next.files = append(next.files, f)
	}
	g.seal(next)
	g.v.WriteRange(next.Snapshot, next.files[0].id, 0, next.files[0].content)
	g.v.EndObject(next.Snapshot, next.files[0].id, 40, sha256.Sum256(next.files[0].content), nil)
	g.finish(next)
	g.prune()
	g.close()
	g.open()
	g.holds(all[6], next)
	g.eventsGood()
}

func (g *store) eventsGood() {
	g.t.Helper()
	r, err := VerifyEvents(g.dir, Head{})
	if err != nil || len(r.Findings) > 0 {
		g.t.Fatalf("the event log: %v, %v", r.Findings, err)
	}
}

// TestPruneSparesWhatIsStillWanted: an object whose only restore point goes may be
// listed by a snapshot that is not whole yet.
func TestPruneSparesWhatIsStillWanted(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1})
	g.open()
	first, third := g.shot(1, 5000), g.shot(3, 60)
	second := g.shot(2, 70, 80)
	second.files = append(second.files, first.files...)
	second.files[2].path = "old"
	g.seal(second)
	g.send(first)
	g.now = g.now.Add(time.Hour)
	g.finish(second) // lacks its two new files
	g.send(third)
	g.prune()
	if g.state(first) != "" || g.state(second) != Partial {
		t.Fatalf("%q, %q", g.state(first), g.state(second))
	}
	for _, f := range second.files[:2] {
		g.v.WriteRange(second.Snapshot, f.id, 0, f.content)
		g.v.EndObject(second.Snapshot, f.id, int64(len(f.content)), sha256.Sum256(f.content), nil)
	}
	g.v.Settle(true)
	g.holds(second, third)
}

// TestPruneWhereFilesWereCopied: link counts tell nothing there.
func TestPruneWhereFilesWereCopied(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = retaining(Retention{Last: 1})
	g.disk.link = func(string, int, string) error { return unix.EXDEV }
	g.open()
	all := g.series(4)
	g.prune()
	g.verifyLeft()
	have := g.objects()
	for _, f := range all[3].files {
		if !have[f.id.String()] {
			t.Errorf("an object of the newest restore point is gone: %v", f.id)
		}
	}
	if len(have) != 3 {
		t.Errorf("%d objects are left", len(have))
	}
}

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

func TestPruneOnSchedule(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = func(o *Options) {
		retaining(Retention{Last: 1})(o)
		o.PruneEvery = 6 * time.Hour
	}
	g.open()
	g.series(3)
	for range 200 {
		g.now = g.now.Add(10 * time.Minute)
		g.v.Settle(true)
		time.Sleep(time.Millisecond)
	}
	if n := len(g.objects()); n != 3 {
		t.Errorf("%d objects are left", n)
	}
	if _, err := PlanPrune(g.dir, g.options()); err != nil {
		t.Error(err)
	}
}

// inMemory puts the vaults of a test that makes many of them where a sync costs
// nothing.
func inMemory(t *testing.T) {
	const dir = "/dev/shm"
	if st, err := os.Stat(dir); err == nil && st.IsDir() {
		t.Setenv("TMPDIR", dir)
	}
}

// TestPruneKilledAnywhere ends the process at each step of a removal.
func TestPruneKilledAnywhere(t *testing.T) {
	inMemory(t)
	for n := 1; ; n++ {
		f := &faulty{left: 1 << 30}
		g := newStore(t)
		g.kill()
		d, real := f.disk(), realDisk()
		die := func() {
			if f.fails() {
				panic(errKilled)
			}
		}
		d.writeAt = func(file *os.File, p []byte, off int64) (int, error) { die(); return real.writeAt(file, p, off) }
		d.sync = func(file *os.File) error { die(); return real.sync(file) }
		d.rename = func(from, to string) error { die(); return real.rename(from, to) }
		d.point = func(string) { die() }
		g.disk, g.opt = d, retaining(Retention{Last: 2})
		g.open()
		all := g.series(5)
		f.left = n
		killed := false
		func() {
			defer func() { killed = recover() != nil }()
			g.prune()
		}()
		g.kill()
		f.left, f.broken = 1<<30, false
		g.verifyLeft()
		g.open()
		for _, s := range all[:3] { // whole, or not there at all
			if st := g.state(s); st != Whole && st != "" {
				t.Fatalf("killed at %d: %s is %q", n, s.Ref(), st)
			}
		}
		g.prune()
		g.holds(all[3], all[4])
		if removed := slices.DeleteFunc(g.events(), func(e string) bool { return e != event.SnapshotRemoved }); len(removed) != 3 {
			t.Fatalf("killed at %d: %d events of removal", n, len(removed))
		}
		g.eventsGood()
		g.close()
		if left, _ := os.ReadDir(filepath.Join(g.dir, ".weir", "trash")); len(left) > 0 {
			t.Fatalf("killed at %d: the trash holds %v", n, left)
		}
		if !killed {
			if n < 20 {
				t.Fatalf("only %d steps were seen", n)
			}
			break
		}
	}
}

func TestVerdictsSayWhy(t *testing.T) {
	now := time.Date(2026, 5, 10, 12, 0, 0, 0, time.UTC)
	points := pointsAt(now.Add(-50*time.Hour), now.Add(-49*time.Hour), now.Add(-time.Hour))
	points[0].locked = now.Add(time.Hour)
	var lines []string
	for _, v := range (Retention{Last: 1}).judge(points, now) {
		lines = append(lines, fmt.Sprintf("%d %v %s", v.snap.Number, v.Keep, v.Why))
	}
	want := []string{"3 true newest, last 1", "2 false no rule keeps it", "1 true locked until 2026-05-10T13:00:00Z"}
	if !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}

package vault

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/event"
)

func TestScrubGoesOnWhereItWasCut(t *testing.T) {
	g := newStore(t)
	for i := range 30 {
		g.send(g.shot(uint64(i+1), 20000, 30000))
	}
	if err := g.v.beginScrub("", 1_000_000); err != nil { // a second and a half in all
		t.Fatal(err)
	}
	if err := g.v.beginScrub("", 0); err == nil {
		t.Error("two at a time")
	}
	time.Sleep(100 * time.Millisecond)
	g.close()
	s, err := ReadScrub(g.dir)
	if err != nil || !s.Running || s.Bytes > s.Total || s.Total != 30*50000 {
		t.Fatalf("%+v, %v", s, err)
	}
	g.open()
	if r := g.scrubbed(); r.Objects < 60 || r.Points != 30 || r.Found != 0 || r.Started != s.Started {
		t.Fatalf("%+v", r)
	}
	if g.count(event.ScrubEnded) != 1 {
		t.Errorf("events %v", g.events())
	}
}

func TestScrubOfOneRestorePointReadsItAll(t *testing.T) {
	g := newStore(t)
	all := g.series(3)
	flip(t, filepath.Join(g.v.point(all[1].Snapshot), dataDir, "fb"), 4000)
	if err := g.v.beginScrub(all[0].Ref(), 0); err != nil {
		t.Fatal(err)
	}
	if err := g.v.finishWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, _ := ReadScrub(g.dir)
	if s.Found != 1 || s.Running || g.state(all[2]) != Partial {
		t.Fatalf("%+v, %q", s, g.state(all[2]))
	}
}

func TestScrubOnSchedule(t *testing.T) {
	g := newStore(t)
	g.kill()
	g.opt = func(o *Options) { o.ScrubEvery = 7 * 24 * time.Hour }
	g.open()
	g.series(2)
	for range 24 * 20 {
		g.now = g.now.Add(time.Hour)
		g.v.Settle(true)
		for g.v.scrub != nil {
			g.v.Settle(true)
		}
	}
	if n := g.count(event.ScrubEnded); n < 3 || n > 4 {
		t.Errorf("%d scrubs in 20 days", n)
	}
}

// TestScrubStateThatAPowerCutLeft: the file has its name, and nothing in it.
func TestScrubStateThatAPowerCutLeft(t *testing.T) {
	g := newStore(t)
	g.send(g.shot(1, 100))
	g.scrubbed()
	for _, text := range []string{"", "\x00\x00\x00", `{"running":tr`} {
		if err := os.WriteFile(g.v.own(scrubFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if s, err := ReadScrub(g.dir); err != nil || s.Running || !s.Ended.IsZero() {
			t.Errorf("of %q it says %+v, %v", text, s, err)
		}
		if r := g.scrubbed(); r.Found != 0 || r.Objects != 1 {
			t.Errorf("after %q a scrub says %+v", text, r)
		}
	}
}

// TestScrubTellsHowFarItIs: also while it reads one large object, and what is read once
// more after an end in its midst is not counted twice.
func TestScrubTellsHowFarItIs(t *testing.T) {
	g := newStore(t)
	s := g.shot(1, 5<<20)
	g.send(s)
	if err := g.v.beginScrub("", 4<<20); err != nil {
		t.Fatal(err)
	}
	var now ScrubState
	for end := time.Now().Add(20 * time.Second); now.Bytes == 0 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		now, _ = ReadScrub(g.dir)
	}
	if now.Bytes <= 0 || now.Bytes >= 5<<20 || now.Total != 5<<20 || now.Objects != 0 {
		t.Fatalf("in the midst of an object: %+v", now)
	}
	g.close()
	g.open()
	if r := g.scrubbed(); r.Found != 0 || r.Objects != 1 || r.Bytes != 5<<20 {
		t.Fatalf("%+v", r)
	}
}

// TestScrubNotesItsWay: large objects are noted one by one, small ones many at a time.
func TestScrubNotesItsWay(t *testing.T) {
	sized := func(sizes ...int64) (all []catalogued) {
		for _, n := range sizes {
			all = append(all, catalogued{content: content{Size: n}})
		}
		return all
	}
	for want, all := range map[int][]catalogued{1: sized(5*scrubStep, 1), 2: sized(scrubStep/2, scrubStep/2, 1), 4: sized(1, 1, 1, 1), 3: sized(1, 1, scrubStep-2, 1)} {
		if got := firstOf(all); len(got) != want {
			t.Errorf("%d of %d, want %d", len(got), len(all), want)
		}
	}
}

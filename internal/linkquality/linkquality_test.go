package linkquality

import (
	"strings"
	"testing"
	"time"

	"weir/protocol"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

// link is a gigabit with a burst of 20 ms.
func link(c Counts) []Link {
	return []Link{{Sender: "prod", Rate: 1e9, Geometry: protocol.Geometry{K: 200, M: 20, Depth: 82, Symbol: 1408}, Counts: c}}
}

// bursts counts one burst of each length.
func bursts(lengths ...uint64) (c Counts) {
	c.Received = 1e9
	for _, n := range lengths {
		bin := 0
		for n>>(bin+1) > 0 {
			bin++
		}
		c.Bursts[bin]++
		c.Lost += n
		c.Longest = max(c.Longest, n)
	}
	return c
}

func qualityOf(c Counts, h Host) Quality {
	m := New()
	m.Observe(start, link(c), h)
	return m.Quality("prod", start, FineSpan)
}

func TestAdviceAboutOutages(t *testing.T) {
	for _, c := range []struct {
		frames uint64
		advice string
	}{
		{100, ""},
		{1312, ""}, // 80 % of what is bridged
		{2520, "longest outage 31ms, parity bridges 20.2ms: raise burst to 50ms or lower rate to 520Mbit"},
		{1500, "longest outage 18.5ms, parity bridges 20.2ms: raise burst to 30ms or lower rate to 800Mbit"},
		{1e6, "longest outage 12.304s, parity bridges 20.2ms: no block at this rate bridges more than 170ms, so later passes or a repair code have to fill such holes"},
	} {
		q := qualityOf(bursts(c.frames), Host{})
		if got := strings.Join(q.Advice, "; "); got != c.advice || q.Narrow != (c.advice != "") {
			t.Errorf("%d frames: %q, want %q", c.frames, got, c.advice)
		}
	}
}

// The settings that are advised do away with the advice.
func TestAdviceAboutScatteredLoss(t *testing.T) {
	c := Counts{Received: 98e6, Lost: 2e6, Longest: 3}
	c.Bursts[0] = 2e6
	q := qualityOf(c, Host{})
	if len(q.Advice) != 1 || !strings.Contains(q.Advice[0], "scattered loss of 2 %, of which 200+20 shards leave") || !strings.HasSuffix(q.Advice[0], "raise overhead to 12%") {
		t.Fatalf("%q", q.Advice)
	}
	better := link(c)
	better[0].Geometry = protocol.Geometry{K: 196, M: 24, Depth: 82, Symbol: 1408}
	m := New()
	m.Observe(start, better, Host{})
	if q := m.Quality("prod", start, FineSpan); len(q.Advice) != 0 {
		t.Errorf("advice after the advice: %q", q.Advice)
	}
	c.Bursts[0], c.Lost, c.Received = 60e6, 60e6, 40e6
	if q := qualityOf(c, Host{}); !strings.HasSuffix(q.Advice[0], "no overhead heals that; look at the link, or lower rate") {
		t.Errorf("%q", q.Advice)
	}
}

func TestWhereItWasLost(t *testing.T) {
	c := bursts(100, 300)
	q := qualityOf(c, Host{Socket: 250, Interface: 100})
	if q.Socket != 250 || q.Interface != 100 || q.Link != 50 || len(q.Advice) != 1 || !strings.Contains(q.Advice[0], "250 of 400 lost frames came to this host") {
		t.Errorf("%+v", q)
	}
	if q = qualityOf(c, Host{Interface: 1000}); q.Interface != 400 || q.Link != 0 || !strings.Contains(q.Advice[0], "network card") {
		t.Errorf("%+v", q)
	}
	c.Distance = 600
	if q = qualityOf(c, Host{}); len(q.Advice) != 1 || !strings.Contains(q.Advice[0], "up to 600 places late") {
		t.Errorf("%q", q.Advice)
	}
}

// Counts are summed by time, also over a restart of the receiver and of this.
func TestPastIsKept(t *testing.T) {
	m := New()
	c := Counts{}
	for range 3 * 24 * 12 { // three days, every five minutes
		c.Received, c.Lost, c.Longest = c.Received+990, c.Lost+10, 7
		c.Bursts[2]++
		m.Observe(start, link(c), Host{Socket: c.Lost / 2})
		start = start.Add(Fine)
	}
	saved, err := m.Save()
	if err != nil {
		t.Fatal(err)
	}
	m = New()
	if err := m.Load(saved); err != nil {
		t.Fatal(err)
	}
	m.Observe(start, link(Counts{Received: 990, Lost: 10, Longest: 9}), Host{Socket: 5})
	day, month := m.Quality("prod", start, FineSpan), m.Quality("prod", start, CoarseSpan)
	if day.Received != 990*289 || day.Lost != 10*289 || day.Longest != 9 || day.Loss != 0.01 || day.Bursts[2] != 288 || day.Socket != 5*289 {
		t.Errorf("the day: %+v", day)
	}
	if month.Received != 990*865 || month.Longest != 9 {
		t.Errorf("the month: %+v", month)
	}
	if n, all := len(m.Series("prod", false)), len(m.Series("prod", true)); n != 289 || all != 73 {
		t.Errorf("%d fine and %d coarse buckets", n, all)
	}
}

func TestPastIsBounded(t *testing.T) {
	m, now := New(), start
	c := Counts{}
	for range 40 * 24 {
		now = now.Add(time.Hour)
		c.Received++
		m.Observe(now, link(c), Host{})
	}
	now = now.AddDate(-1, 0, 0) // a clock that was set back
	c.Received++
	m.Observe(now, link(c), Host{})
	if q := m.Quality("prod", now, CoarseSpan); q.Received != 1 {
		t.Errorf("%d frames after the clock was set back", q.Received)
	}
	for range 800 {
		now = now.Add(time.Hour)
		c.Received++
		m.Observe(now, link(c), Host{})
	}
	if n, fine := len(m.Series("prod", true)), len(m.Series("prod", false)); n != 721 || fine != 25 {
		t.Errorf("%d and %d buckets", n, fine)
	}
	for i := range 2 * MaxSenders {
		m.Observe(now, []Link{{Sender: string(rune('a' + i))}}, Host{})
	}
	if n := len(m.Senders()); n != MaxSenders {
		t.Errorf("%d senders", n)
	}
}

func TestDamageIsNotLoaded(t *testing.T) {
	for _, s := range []string{"", "[]", `{"a":null}`, `{"a":{"fine":[` + strings.Repeat(`{"t":1},`, 400) + `{"t":1}]}}`} {
		if New().Load([]byte(s)) == nil {
			t.Errorf("%.20s was taken", s)
		}
	}
}

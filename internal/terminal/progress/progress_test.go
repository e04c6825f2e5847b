package progress

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/terminal"
)

func quietScreen(t *testing.T) *terminal.Screen {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "screen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return terminal.NewScreen(f)
}

func TestBarShowsShareAndBytes(t *testing.T) {
	b := newBar(quietScreen(t), "etc")
	line := b.line(512<<20, 1<<30)
	for _, want := range []string{"etc", "50%", "512", "1.0 GiB"} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
	if strings.ContainsAny(line, "\r\n\x1b") {
		t.Errorf("%q moves the cursor", line)
	}
}

func TestBarOutlivesItsTotal(t *testing.T) {
	b := newBar(quietScreen(t), "etc")
	if line := b.line(1<<20, 0); !strings.Contains(line, "1.0 MiB") {
		t.Errorf("length unknown: %q", line)
	}
	for _, c := range []struct{ done, total int64 }{{1 << 20, 1 << 20}, {3 << 20, 1 << 20}, {4 << 20, 8 << 20}} {
		if line := b.line(c.done, c.total); !strings.Contains(line, "%") {
			t.Errorf("%d of %d: %q", c.done, c.total, line)
		}
	}
	if line := b.line(4<<20, 8<<20); !strings.Contains(line, " 50%") {
		t.Errorf("after a total that grew: %q", line)
	}
}

func TestLogLine(t *testing.T) {
	var out bytes.Buffer
	p := &Progress{log: zerolog.New(&out), what: "etc"}
	start := time.Unix(1000, 0)
	pace := newPace(start, 0)
	p.Add(10 << 20)
	p.SetTotal(40 << 20)
	p.logLine(pace, start.Add(5*time.Second))
	var line struct {
		Event, What, Message string
		Bytes, Total         int64
		Rate                 int64   `json:"bytes_per_second"`
		Left                 float64 `json:"seconds_left"`
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Event != "progress" || line.What != "etc" || line.Bytes != 10<<20 || line.Total != 40<<20 || line.Rate != 2<<20 || line.Left != 15 {
		t.Errorf("line %+v", line)
	}
	if want := "10 MiB of 40 MiB, 2.0 MiB/s, 15s left"; line.Message != want {
		t.Errorf("message %q, want %q", line.Message, want)
	}
}

func TestTimeLeft(t *testing.T) {
	cases := []struct {
		done, total int64
		rate        float64
		want        time.Duration
		ok          bool
	}{
		{0, 100, 10, 10 * time.Second, true},
		{200, 100, 10, 0, true},
		{0, 0, 10, 0, false},
		{0, 100, 0, 0, false},
		{0, 1 << 62, 1e-9, 0, false},
	}
	for _, c := range cases {
		if got, ok := timeLeft(c.done, c.total, c.rate); got != c.want || ok != c.ok {
			t.Errorf("%d of %d at %g: %v, %v", c.done, c.total, c.rate, got, ok)
		}
	}
}

func TestPaceForgetsTheOldDays(t *testing.T) {
	now := time.Unix(0, 0)
	p := newPace(now, 0)
	done := int64(0)
	for range 100 {
		now, done = now.Add(5*time.Second), done+5000
		p.rate(now, done)
	}
	for range 4 { // the link stands still
		now = now.Add(5 * time.Second)
		p.rate(now, done)
	}
	if rate := p.rate(now.Add(5*time.Second), done); rate != 0 {
		t.Errorf("rate %g of a link that stands still", rate)
	}
	if len(p.marks) > 6 {
		t.Errorf("%d marks are kept", len(p.marks))
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	p := Start(quietScreen(t), zerolog.Nop(), "etc", 100)
	defer p.Close()
	if n := testing.AllocsPerRun(100, func() { p.Add(1) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	if p.Done() != 101 {
		t.Errorf("%d bytes counted, want 101", p.Done())
	}
}

func TestCloseTwice(t *testing.T) {
	p := Start(quietScreen(t), zerolog.Nop(), "etc", 0)
	p.Close()
	p.Close()
}

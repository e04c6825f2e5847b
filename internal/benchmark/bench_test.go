package main

import (
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	weir := setup{tool: "weir", model: "W", mtu: 1500}
	bare := setup{tool: "bare", model: "W", mtu: 1500}
	cost := usage{cpu: time.Second}
	var lines []string
	for _, ms := range []int{4000, 1000, 2000} { // 1e9 bytes: 2, 8 and 4 Gbit/s
		o := outcome{bytes: 1e9, took: time.Duration(ms) * time.Millisecond, send: cost, recv: cost}
		lines = append(lines, o.line(weir.name()))
	}
	lines = append(lines, outcome{bytes: 1e9, took: time.Second, send: cost}.line(bare.name()), "# "+weir.name()+" failed: of something")
	for range 2 {
		lines = append(lines, "# "+setup{tool: "udpcast", model: "W", mtu: 1500}.name()+" failed: at 1Gbit: of something")
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := printTable(&out, path); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(out.String(), "\n")
	const want = "|W|1500|0|4.00,1.00+1.00,0+0(1not)|8.00,1.00+0.00,0+0;0.50x,2.00x|noneof2|"
	if got := strings.ReplaceAll(rows[2], " ", ""); len(rows) != 4 || got != want {
		t.Errorf("the row is %s, want %s", got, want)
	}
}

// TestOnlyWhatLacksIsRun holds that a table can be made in pieces: runs that arrived
// count, runs that did not are made again.
func TestOnlyWhatLacksIsRun(t *testing.T) {
	o := options{runs: 3, out: filepath.Join(t.TempDir(), "lines")}
	s := setup{tool: "weir", model: "S", mtu: 1500, loss: 0.1}
	if n, err := o.lacking(s); n != 3 || err != nil {
		t.Errorf("before the first run %d lack, %v", n, err)
	}
	one := outcome{bytes: 1e9, took: time.Second}.line(s.name())
	lines := strings.Join([]string{"cpu: of some kind", one, "# " + s.name() + " failed: at 1Gbit: of something", one}, "\n")
	if err := os.WriteFile(o.out, []byte(lines+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := o.lacking(s); n != 1 || err != nil {
		t.Errorf("after two runs %d lack, %v", n, err)
	}
	if n, _ := o.lacking(setup{tool: "weir", model: "S", mtu: 9000}); n != 3 {
		t.Errorf("of another row %d lack", n)
	}
}

// TestProcessEndsWhenItsProgramDoes holds that nobody waits for the end of what a
// program says once that has ended.
func TestProcessEndsWhenItsProgramDoes(t *testing.T) {
	p, err := launch(exec.CommandContext(t.Context(), "printf", `one\rtwo\na word`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.wait(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the program has ended, what it says has not")
	}
	for _, want := range []string{"one", "two", "a word"} {
		if _, line, ok := p.find(want); !ok || line != want {
			t.Errorf("it said %q, want %q", line, want)
		}
	}
}

// TestPaceFindsWhatIsWrong holds that an even stream counts as exact, and that a
// gap and the burst that follows it are seen.
func TestPaceFindsWhatIsWrong(t *testing.T) {
	const rate, size = 1e6, 1000 // a record a millisecond
	var even, burst []passed
	for i := range 1000 {
		at := time.Duration(i) * time.Millisecond
		even = append(even, passed{at, size})
		if i >= 500 && i < 550 {
			at = 550 * time.Millisecond
		}
		burst = append(burst, passed{at, size})
	}
	if typical, worst := deviation(even, rate); typical > 0.1 || worst > 0.1 {
		t.Errorf("an even stream is off by %v %%, at worst %v", typical, worst)
	}
	if got := largestBurst(even, rate); got != size {
		t.Errorf("the largest burst of an even stream is %d", got)
	}
	if _, worst := deviation(burst, rate); math.Abs(worst-50) > 2 {
		t.Errorf("a gap of 50 ms shows as %v %%", worst)
	}
	if got := largestBurst(burst, rate); got < 50*size || got > 52*size {
		t.Errorf("a burst of 50 records shows as %d bytes", got)
	}
}

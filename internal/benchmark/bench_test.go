package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lines")
	weir := setup{tool: "weir", model: "W", mtu: 1500}
	bare := setup{tool: "bare", model: "W", mtu: 1500}
	var lines []string
	for _, ms := range []int{4000, 1000, 2000} { // 1e9 bytes: 2, 8 and 4 Gbit/s
		lines = append(lines, outcome{bytes: 1e9, took: time.Duration(ms) * time.Millisecond}.line(weir.name()))
	}
	lines = append(lines, outcome{bytes: 1e9, took: time.Second}.line(bare.name()), "# "+weir.name()+" failed: of something")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := printTable(&out, path); err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(out.String(), "\n")
	if f := strings.Fields(rows[1]); f[4] != "3" || f[5] != "1" || f[7] != "4.00" {
		t.Errorf("the row of weir is wrong: %s", rows[1])
	}
	if !strings.HasSuffix(strings.TrimSpace(rows[2]), "0.50 of its rate") {
		t.Errorf("the row of bare is wrong: %s", rows[2])
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

package simulation

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// How many seeds there are, unless WEIR_SEEDS says so.
const (
	monthSeeds = 100 // some seconds
	monthsLong = 20000
)

// pace is how quickly life goes in a seed. Everything that happens, outages and
// kills too, keeps its proportion to the time between snapshots.
type pace struct {
	snapshots int
	every     time.Duration // between snapshots
}

// paceOf returns the pace of a seed: one in a hundred is a month with two snapshots a
// day; the others are short, so that there can be thousands.
func paceOf(seed uint64) pace {
	if seed%100 == 0 {
		return pace{62, 12 * time.Hour}
	}
	return pace{8, time.Hour}
}

// weather is what a link does to frames, and the hosts to the programs.
type weather struct {
	name                   string
	toBad, toGood, badLoss float64 // Gilbert-Elliott
	outageEvery            float64 // on average; these are in times between snapshots
	outageUpTo             float64
	killEvery              float64 // of each side
}

var weathers = []weather{
	{"fair", 0.0005, 0.2, 0.5, 20, 0.2, 20},
	{"rain", 0.002, 0.05, 0.7, 8, 1, 10},
	{"storm", 0.004, 0.03, 1, 4, 1.7, 6},
}

// means is by what a snapshot became whole.
type means int

const (
	atOnce means = iota + 1
	byPass
	byCode
)

// tally is what became of the snapshots of a month.
type tally struct {
	sent    int // snapshots that the sender finished
	first   int // whole within a twelfth of the time between snapshots
	passes  int // healed by passes
	codes   int // healed by repair codes
	broken  int // never finished by the sender, and known to be
	gone    int // what they lack had changed, and the spool does not have it, or not any more
	unkept  int // of those, without a spool
	symbols int // of the longest code
}

func (a *tally) add(b tally) {
	a.sent, a.first, a.passes, a.codes = a.sent+b.sent, a.first+b.first, a.passes+b.passes, a.codes+b.codes
	a.broken, a.gone, a.unkept, a.symbols = a.broken+b.broken, a.gone+b.gone, a.unkept+b.unkept, max(a.symbols, b.symbols)
}

func (a *tally) String() string {
	return fmt.Sprintf("%d snapshots; %d whole at once, %d more by passes, %d by codes of up to %d characters; %d not, as what lacks has changed, %d of them without a spool; %d never finished",
		a.sent, a.first, a.passes, a.codes, a.symbols, a.gone, a.unkept, a.broken)
}

// gcPercent makes the garbage collector run seldom: what a seed leaves is little.
const gcPercent = 800

// tellEvery is how often a long run prints what it has so far.
const tellEvery = 5 * time.Minute

// TestMonths runs two hosts for weeks and months: snapshots twice a day over a link that
// loses, outages of hours, both sides killed and started at any time. In the end
// every snapshot that was sent is whole, or becomes so by the code that the vault
// gives for it. Each run begins at another seed, and says which; WEIR_SEED=N runs seed
// N again, WEIR_SEEDS=M so many, WEIR_LONG=1 many thousands.
func TestMonths(t *testing.T) {
	first, count := seedsOf(t)
	t.Logf("from seed %d", first)
	defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	sums, began := make([]tally, len(weathers)), time.Now()
	told := began
	var next atomic.Uint64
	next.Store(first)
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for n := next.Add(1) - 1; n < first+count; n = next.Add(1) - 1 {
				got := seeded(t, n)
				mu.Lock()
				sums[n%uint64(len(weathers))].add(got)
				if time.Since(told) >= tellEvery { // t.Log would keep it to the end
					told = time.Now()
					fmt.Printf("%v, seed %d\n%s", time.Since(began).Round(time.Second), n, spell(sums))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d seeds from %d in %v", count, first, time.Since(began).Round(time.Second))
	t.Logf("by weather:\n%s", spell(sums))
}

// seedsOf returns the first seed and how many there are. The first goes by the time, so
// that no two runs try the same.
func seedsOf(t *testing.T) (first, count uint64) {
	t.Helper()
	first, count = uint64(time.Now().Unix())*monthSeeds, monthSeeds
	if os.Getenv("WEIR_LONG") == "1" {
		count = monthsLong
	}
	if n, ok := number(t, "WEIR_SEED"); ok {
		first, count = n, 1
	}
	if n, ok := number(t, "WEIR_SEEDS"); ok {
		count = n
	}
	return first, count
}

// number returns the number that a variable of the environment holds, if it does.
func number(t *testing.T, name string) (uint64, bool) {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s=%s is no number", name, text)
	}
	return n, true
}

// spell writes the tallies, one loss model a line.
func spell(sums []tally) string {
	var b strings.Builder
	for i, w := range weathers {
		if s := &sums[i]; s.sent > 0 {
			fmt.Fprintf(&b, "%s: %v\n", w.name, s)
		}
	}
	return b.String()
}

// seeded runs one of them in a bubble of its own.
func seeded(t *testing.T, n uint64) (got tally) {
	t.Run(fmt.Sprintf("seed=%d", n), func(t *testing.T) {
		dir := monthDir(t)
		defer removeTree(dir)
		synctest.Test(t, func(t *testing.T) { got = month(t, n, dir) })
	})
	return got
}

// monthDir makes a directory in memory where there is one: a month syncs often.
func monthDir(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if info, err := os.Stat(base); err != nil || !info.IsDir() {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "weir-months-")
	if err != nil {
		dir, err = os.MkdirTemp("", "weir-months-")
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

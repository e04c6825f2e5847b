package repaircode

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// holes is what a test lets a snapshot lack: per file, offset and length.
type holes struct {
	sizes []int64
	gaps  map[int][][2]int64
}

func (h *holes) lack() *Lack {
	l := &Lack{}
	for i, size := range h.sizes {
		l.File(size, h.gaps[i])
	}
	return l
}

// covers holds that a part names all that lacks, and returns the bytes it names.
func (h *holes) covers(t *testing.T, p Part) (total int64) {
	t.Helper()
	pick := NewPicker(p)
	for i, size := range h.sizes {
		done := pick.Done()
		named := pick.File(size)
		if done && len(named) > 0 {
			t.Fatalf("file %d is named after the end", i)
		}
		last := int64(0)
		for _, r := range named {
			if r[0] < last || r[1] <= 0 || r[0]+r[1] > size {
				t.Fatalf("file %d of %d bytes: %v", i, size, named)
			}
			last = r[0] + r[1]
			total += r[1]
		}
		for _, gap := range h.gaps[i] {
			if !slices.ContainsFunc(named, func(r [2]int64) bool { return r[0] <= gap[0] && gap[0]+gap[1] <= r[0]+r[1] }) {
				t.Fatalf("file %d lacks %v, the code names %v", i, gap, named)
			}
		}
	}
	if pick.Beyond() {
		t.Fatal("the code names what the snapshot does not have")
	}
	return total
}

func sizes(n int, size int64) []int64 { return slices.Repeat([]int64{size}, n) }

// burst is what an outage just longer than parity bridges leaves of a block of
// 200+20 shards: runs of one column in each shard that it hit.
func burst(at int64, runs int) (gaps [][2]int64) {
	const symbol, depth = 1408, 64
	for i := range runs {
		gaps = append(gaps, [2]int64{at + int64(i)*symbol*depth, 5 * symbol})
	}
	return gaps
}

func TestLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	scattered := map[int][][2]int64{}
	for len(scattered) < 100 {
		scattered[rng.IntN(100_000)] = [][2]int64{{0, 20_000}}
	}
	run := map[int][][2]int64{}
	for i := range 500 {
		run[70_000+i] = [][2]int64{{0, 20_000}}
	}
	for _, c := range []struct {
		name    string
		holes   holes
		longest int
		vain    float64 // bytes named for each that lacks
	}{
		{"a burst in a file of 2 TB", holes{[]int64{2e12}, map[int][][2]int64{0: burst(1.3e12, 21)}}, 40, 50},
		{"a lost block of 20 MB of 2 TB", holes{[]int64{2e12}, map[int][][2]int64{0: {{1.3e12, 18 << 20}}}}, 40, 2},
		{"a lost block with 500 small files", holes{sizes(100_000, 20_000), run}, 40, 1.5},
		{"a burst in a file of 200 MB", holes{[]int64{2e8}, map[int][][2]int64{0: burst(1.3e8, 21)}}, 40, 50},
		{"one file of 100,000", holes{sizes(100_000, 20_000), map[int][][2]int64{777: {{0, 20_000}}}}, 30, 60},
		{"100 scattered files of 100,000", holes{sizes(100_000, 20_000), scattered}, Typed, 20},
	} {
		w := []Wanted{{Source: "etc", Number: 1234, Lack: c.holes.lack()}}
		code, _, ok := Choose(w, false)
		text := code.Text(testKey)
		named := c.holes.covers(t, code.Parts[0])
		exact, _, _ := Choose(w, true)
		t.Logf("%s: %d characters, %v of %d for %d that lack; exact: %d characters", c.name, len(text), code.Parts[0].Kind, named, w[0].Lack.Missing, len(exact.Text(testKey)))
		if !ok || len(text) > c.longest || float64(named) > c.vain*float64(w[0].Lack.Missing) {
			t.Errorf("%s: %v %s", c.name, ok, text)
		}
		if n := c.holes.covers(t, exact.Parts[0]); n > w[0].Lack.Missing+int64(len(c.holes.gaps))*64*Unit {
			t.Errorf("%s: exactly would be %d bytes, not %d", c.name, w[0].Lack.Missing, n)
		}
	}
}

func TestLengthOfSnapshots(t *testing.T) {
	var all []Wanted
	for i := range uint64(3) {
		all = append(all, Wanted{Source: "etc", Number: 1000 + i})
	}
	one, _, _ := Choose(all[:1], false)
	three, _, _ := Choose(all, false)
	t.Logf("a missing snapshot: %d characters, three in a row: %d", len(one.Text(testKey)), len(three.Text(testKey)))
	if n := len(one.Text(testKey)); n > 20 {
		t.Errorf("%d characters for a snapshot", n)
	}
	if len(three.Parts) != 1 || three.Parts[0].Count != 3 {
		t.Errorf("%+v", three)
	}
}

// TestFallsBack makes so much lack, so scattered, that it has to be named in
// coarser and coarser words.
func TestFallsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, lost := range []int{1, 10, 1000, 30_000} {
		h := holes{gaps: map[int][][2]int64{}}
		for range 60_000 {
			h.sizes = append(h.sizes, 1+rng.Int64N(1<<(1+rng.IntN(24))))
		}
		for range lost {
			i := rng.IntN(len(h.sizes))
			off := rng.Int64N(h.sizes[i])
			h.gaps[i] = [][2]int64{{off, 1 + rng.Int64N(h.sizes[i]-off)}}
		}
		code, _, ok := Choose([]Wanted{{Source: "a", Number: 1, Lack: h.lack()}}, false)
		if n := len(code.Text(testKey)); !ok || n > Typed {
			t.Errorf("%d files: %d characters", lost, n)
		}
		named := h.covers(t, code.Parts[0])
		exact, _, _ := Choose([]Wanted{{Source: "a", Number: 1, Lack: h.lack()}}, true)
		t.Logf("%d files lack something: %v, %d characters, %d bytes; exact: %d characters, %d bytes", lost, code.Parts[0].Kind,
			len(code.Text(testKey)), named, len(exact.Text(testKey)), h.covers(t, exact.Parts[0]))
	}
}

func TestManySnapshots(t *testing.T) {
	var all []Wanted
	for i := range uint64(500) {
		l := &Lack{}
		for range 100 {
			l.File(1e6, [][2]int64{{4096 * int64(i), 5000}})
		}
		all = append(all, Wanted{Source: "etc", Number: 2*i + 1, Lack: l}, Wanted{Source: "home", Number: 3*i + 1})
	}
	code, _, ok := Choose(all, false)
	if !ok || len(code.Parts) != 2 || code.Parts[0].reach() != 1498+1 && code.Parts[0].reach() != 1000 {
		t.Errorf("%v %+v", ok, code)
	}
}

package masschange

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"weir/internal/manifest"
)

// thing is a file of the simulated source.
type thing struct {
	version int
	size    int64
	dense   bool
}

// world is a file server over a year: documents, photographs, logs that are
// rotated, and a release each week.
type world struct {
	rng     *rand.Rand
	files   map[string]thing
	day     int
	history []Measure
	last    []byte // manifest
	next    int
}

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 1)), files: map[string]thing{}}
	for range 220 {
		w.add("docs", 0.25)
	}
	for range 50 {
		w.add("photos", 1)
	}
	for i := range 8 {
		w.files[fmt.Sprintf("logs/%02d.log", i)] = thing{size: 30_000}
	}
	w.release(0)
	return w
}

func (w *world) add(dir string, dense float64) {
	w.next++
	w.files[fmt.Sprintf("%s/%06d", dir, w.next)] = thing{size: 2000 + w.rng.Int64N(100_000), dense: w.rng.Float64() < dense}
}

func (w *world) release(week int) {
	for i := range 40 {
		w.files[fmt.Sprintf("releases/%03d/%02d", week, i)] = thing{version: week, size: 20_000, dense: i < 4}
		delete(w.files, fmt.Sprintf("releases/%03d/%02d", week-3, i))
	}
}

// touch changes a share of the files of a directory.
func (w *world) touch(dir string, share float64) {
	for _, p := range w.paths(dir) {
		if w.rng.Float64() < share {
			f := w.files[p]
			f.version += 1 + w.day*1000
			w.files[p] = f
		}
	}
}

func (w *world) paths(dir string) (all []string) {
	for _, p := range slices.Sorted(maps.Keys(w.files)) {
		if len(p) > len(dir) && p[:len(dir)] == dir {
			all = append(all, p)
		}
	}
	return all
}

// live lets an ordinary day pass.
func (w *world) live() {
	w.day++
	if w.day%7 == 0 {
		w.release(w.day / 7)
		for i := range 8 { // logs are compressed and moved up
			for n := 4; n > 1; n-- {
				if f, ok := w.files[fmt.Sprintf("logs/%02d.log.%d.gz", i, n-1)]; ok {
					w.files[fmt.Sprintf("logs/%02d.log.%d.gz", i, n)] = f
				}
			}
			w.files[fmt.Sprintf("logs/%02d.log.1.gz", i)] = thing{version: w.day, size: 9000, dense: true}
		}
	}
	w.touch("logs/0", 1)
	holiday := w.day >= 200 && w.day < 221
	if weekend := w.day%7 > 4; weekend || holiday {
		return
	}
	w.touch("docs", 0.02)
	for range w.rng.IntN(3) {
		w.add("docs", 0.25)
	}
	if w.day == 221 { // everybody is back, with photographs
		for range 100 {
			w.add("photos", 1)
		}
	}
}

// encrypt overwrites a share of all files, under another name if it says so.
func (w *world) encrypt(share float64, suffix string) {
	for _, p := range w.paths("") {
		if w.rng.Float64() < share {
			f := w.files[p]
			delete(w.files, p)
			w.files[p+suffix] = thing{version: f.version + 1e6 + w.day, size: f.size, dense: true}
		}
	}
}

// manifest writes what a sender would write of the files.
func (w *world) manifest(t testing.TB) []byte {
	t.Helper()
	var text bytes.Buffer
	m, err := manifest.NewWriter(&text, manifest.Header{Sender: "prod", Source: "files", Number: 1, Taken: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range slices.SortedFunc(maps.Keys(w.files), manifest.ComparePath) {
		f := w.files[p]
		sum := sha256.Sum256(fmt.Append(nil, p, f.version, f.dense))
		e := &manifest.Entry{Path: p, Kind: manifest.File, Size: f.size, SHA256: sum, Object: [16]byte(sum[:16])}
		if f.dense {
			e.Object[0] |= 1
		} else {
			e.Object[0] &^= 1
		}
		if err := m.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return text.Bytes()
}

// snapshot measures and judges the present state as the vault does.
func (w *world) snapshot(t testing.TB) []string {
	t.Helper()
	next := w.manifest(t)
	var before *manifest.Reader
	var err error
	if w.last != nil {
		if before, err = manifest.NewReader(bytes.NewReader(w.last), manifest.Limits{}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := manifest.NewReader(bytes.NewReader(next), manifest.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sampled, denser := int64(0), int64(0)
	m, err := Compare(before, r, func(e *manifest.Entry) {
		sampled++
		denser += int64(e.Object[0] & 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Name, m.Sampled, m.Dense = fmt.Sprint(w.day), sampled, denser
	reasons := Judge(m, w.history, Defaults())
	m.Suspicious = len(reasons) > 0
	w.history = Remember(w.history, m)
	w.last = next
	return reasons
}

// TestAYearWithoutFalseAlarm lets ordinary years pass.
func TestAYearWithoutFalseAlarm(t *testing.T) {
	alarms, days := 0, 0
	for seed := range uint64(2) {
		w := newWorld(seed)
		w.snapshot(t)
		for range 365 {
			w.live()
			days++
			if reasons := w.snapshot(t); len(reasons) > 0 {
				alarms++
				t.Logf("seed %d, day %d: %v", seed, w.day, reasons)
			}
		}
	}
	t.Logf("%d alarms on %d ordinary days", alarms, days)
	if alarms > 0 {
		t.Errorf("%d false alarms", alarms)
	}
}

// TestAttacksAreSeen attacks on some day of such a year, and says after how many
// snapshots that was seen.
func TestAttacksAreSeen(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(w *world)
		within int // snapshots; 0: not seen, as the package comment says
	}{
		"all encrypted in place":      {func(w *world) { w.encrypt(1, "") }, 1},
		"all encrypted and renamed":   {func(w *world) { w.encrypt(1, ".locked") }, 1},
		"all deleted":                 {func(w *world) { clear(w.files); w.add("README", 0) }, 1},
		"a quarter encrypted a night": {func(w *world) { w.encrypt(0.25, "") }, 1},
		"20 % encrypted a night":      {func(w *world) { w.encrypt(0.2, ".x") }, 1},
		"60 % deleted":                {func(w *world) { w.thin(0.6) }, 1},
		"2 % encrypted a night":       {func(w *world) { w.encrypt(0.03, "") }, 0},
		"5 % deleted a night":         {func(w *world) { w.thin(0.05) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(2) {
				w := newWorld(seed)
				w.snapshot(t)
				for range 30 + 17*int(seed) {
					w.live()
					w.snapshot(t)
				}
				seen := 0
				for night := 1; night <= 15 && seen == 0; night++ {
					w.live()
					c.attack(w)
					if len(w.snapshot(t)) > 0 {
						seen = night
					}
				}
				t.Logf("seed %d: seen after %d nights (0: never in 15)", seed, seen)
				if c.within > 0 && (seen == 0 || seen > c.within) {
					t.Errorf("seed %d: seen after %d snapshots, want %d", seed, seen, c.within)
				}
			}
		})
	}
}

func (w *world) thin(share float64) {
	for _, p := range w.paths("") {
		if w.rng.Float64() < share {
			delete(w.files, p)
		}
	}
}

package plan

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"weir/internal/geometry"
	"weir/protocol"
)

// block is the fate of the frames of one block, in the order of sending.
type block struct {
	geometry protocol.Geometry
	lost     []bool
}

func newBlock(g protocol.Geometry) *block {
	return &block{geometry: g, lost: make([]bool, g.Symbols())}
}

// send loses frames one by one, and those of an outage.
func (b *block) send(rnd *rand.Rand, loss float64, outage int) {
	from := 0
	if outage > 0 {
		from = rnd.IntN(len(b.lost) - outage + 1)
	}
	for i := range b.lost {
		b.lost[i] = rnd.Float64() < loss || i >= from && i < from+outage
	}
}

// heal heals what parity can and returns how many columns it could not.
func (b *block) heal() (unhealed int) {
	g := b.geometry
	for c := range g.Depth {
		n := 0
		for i := c; i < len(b.lost); i += g.Depth {
			if b.lost[i] {
				n++
			}
		}
		if n > g.M {
			unhealed++
			continue
		}
		for i := c; i < len(b.lost); i += g.Depth {
			b.lost[i] = false
		}
	}
	return unhealed
}

func (b *block) lacks(i int) bool { return b.lost[i] }

func shape(t *testing.T, overhead float64, burst time.Duration) protocol.Geometry {
	t.Helper()
	g, err := geometry.New(100e6, overhead, burst, 1408)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// near holds a count of rare events against what was reckoned: within four times
// their scatter.
func near(t *testing.T, what string, got, trials int, p float64) {
	t.Helper()
	want := p * float64(trials)
	t.Logf("%s: %d of %d, reckoned %.1f", what, got, trials, want)
	if want < 20 || math.Abs(float64(got)-want) > 4*math.Sqrt(want) {
		t.Errorf("%s: %d of %d, reckoned %.1f", what, got, trials, want)
	}
}

// Loss is far higher here than on any link that is used, so that holes are seen.
func TestSimulationAgreesAboutOnePass(t *testing.T) {
	for _, c := range []struct{ overhead, loss float64 }{{0.10, 0.05}, {0.05, 0.02}, {0.30, 0.17}} {
		g := shape(t, c.overhead, 5*time.Millisecond)
		const blocksOfPass = 3
		size := blocksOfPass*uint64(g.DataBytes()) - 1000
		a := Reckon(Question{Geometry: g, Rate: 100e6, Size: size, Loss: c.loss, Passes: 1})
		if a.Blocks != blocksOfPass {
			t.Fatalf("%d blocks", a.Blocks)
		}
		rnd, b := rand.New(rand.NewPCG(1, 2)), newBlock(g)
		const trials = 1500
		columns, passes := 0, 0
		for range trials {
			unhealed := 0
			for range blocksOfPass {
				b.send(rnd, c.loss, 0)
				unhealed += b.heal()
			}
			columns += unhealed
			passes += min(unhealed, 1)
		}
		near(t, "columns", columns, trials*blocksOfPass*g.Depth, a.Column)
		near(t, "passes", passes, trials, a.Pass)
	}
}

func TestSimulationStaysBelowTheBoundOfTwoPasses(t *testing.T) {
	g, loss := shape(t, 0.10, 5*time.Millisecond), 0.07
	a := Reckon(Question{Geometry: g, Rate: 100e6, Size: uint64(g.DataBytes()) - 1000, Loss: loss, Passes: 2})
	rnd, first, second := rand.New(rand.NewPCG(3, 4)), newBlock(g), newBlock(g)
	const trials = 20000
	holes := 0
	for range trials {
		first.send(rnd, loss, 0)
		second.send(rnd, loss, 0)
		if first.heal() == 0 || second.heal() == 0 {
			continue
		}
		for i := range g.DataSymbols() {
			if first.lacks(i) && second.lacks(i) {
				holes++
				break
			}
		}
	}
	got := float64(holes) / trials
	t.Logf("two passes: %d of %d leave a hole, at most %.2g was reckoned", holes, trials, a.Passes)
	if holes < 20 || got > a.Passes*1.1 || got < a.Passes/5 {
		t.Errorf("%g of the pairs of passes leave a hole, the bound is %g", got, a.Passes)
	}
}

func TestSimulationAgreesAboutAnOutage(t *testing.T) {
	g, burst := shape(t, 0.10, 5*time.Millisecond), 7*time.Millisecond // 57 of the 60 frames that parity bridges
	for _, loss := range []float64{0.0003, 0.001} {
		a := Reckon(Question{Geometry: g, Rate: 100e6, Size: 1 << 30, Burst: burst, Loss: loss, Passes: 1})
		frames := int(math.Ceil(burst.Seconds() * 100e6 / 8 / (1408 + protocol.FrameOverhead + 66)))
		rnd, b := rand.New(rand.NewPCG(5, 6)), newBlock(g)
		const trials = 4000
		holes := 0
		for range trials {
			b.send(rnd, loss, frames)
			holes += min(b.heal(), 1)
		}
		near(t, "blocks", holes, trials, a.Outage)
	}
}

// An outage of the whole burst, amid a thousandth of random loss, leaves a hole
// less than once in five hundred times, whatever the overhead.
func TestGeometryBridgesTheBurstAmidLoss(t *testing.T) {
	for _, overhead := range []float64{0.05, 0.1, 0.2, 0.5, 1} {
		const rate, burst = 1e9, 50 * time.Millisecond
		g, err := geometry.New(rate, overhead, burst, 1408)
		if err != nil {
			t.Fatal(err)
		}
		a := Reckon(Question{Geometry: g, Rate: rate, Size: 1 << 30, Burst: burst, Loss: 0.001, Passes: 1})
		t.Logf("%+v: %.2g", g, a.Outage)
		if a.Outage <= 0 || a.Outage > 0.002 {
			t.Errorf("%+v keeps a hole with %g", g, a.Outage)
		}
	}
}

// The same at a loss that shows in a simulation.
func TestSimulationAgreesAboutAnOutageOfTheWholeBurst(t *testing.T) {
	const burst, loss = 5 * time.Millisecond, 0.01
	g := shape(t, 0.10, burst)
	a := Reckon(Question{Geometry: g, Rate: 100e6, Size: 1 << 30, Burst: burst, Loss: loss, Passes: 1})
	frames := int(math.Ceil(burst.Seconds() * 100e6 / geometry.FrameBits(g.Symbol)))
	rnd, b := rand.New(rand.NewPCG(7, 8)), newBlock(g)
	const trials = 20000
	holes := 0
	for range trials {
		b.send(rnd, loss, frames)
		holes += min(b.heal(), 1)
	}
	near(t, "blocks", holes, trials, a.Outage)
}

func TestOutageAlone(t *testing.T) {
	g := shape(t, 0.10, 5*time.Millisecond)
	a := Reckon(Question{Geometry: g, Rate: 100e6, Size: 1 << 30, Burst: 5 * time.Millisecond, Passes: 1})
	if a.Outage != 0 || a.Pass != 0 || a.Bridged < 5*time.Millisecond {
		t.Errorf("%+v", a)
	}
	if a = Reckon(Question{Geometry: g, Rate: 100e6, Size: 1 << 30, Burst: a.Bridged + time.Millisecond, Passes: 1}); a.Outage != 1 {
		t.Errorf("an outage longer than %v is healed with %g", a.Bridged, 1-a.Outage)
	}
}

func TestTinyProbabilitiesAreTold(t *testing.T) {
	g := shape(t, 0.10, 5*time.Millisecond)
	a := Reckon(Question{Geometry: g, Rate: 1e9, Size: 2e12, Loss: 0.005, Passes: 3})
	if a.Pass <= 0 || a.Pass > 1e-6 || a.Passes > a.Pass {
		t.Errorf("a pass leaves a hole with %g, three with %g", a.Pass, a.Passes)
	}
	if h := a.Time.Hours(); h < 5.3 || h > 5.4 {
		t.Errorf("2 TB at 1 Gbit/s take %g hours", h)
	}
	if a := Reckon(Question{Geometry: g, Rate: 1e9}); a.Blocks != 0 || a.Time != 0 || a.Pass != 0 {
		t.Errorf("nothing takes %+v", a)
	}
}

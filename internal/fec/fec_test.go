package fec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// block makes random data with its parity and a full bitmap.
func block(t testing.TB, rng *rand.Rand, k, m, depth, symbol int) (*Code, []byte, []uint64) {
	t.Helper()
	c, err := New(k, m)
	if err != nil {
		t.Fatal(err)
	}
	shard := depth * symbol
	b := make([]byte, (k+m)*shard)
	for i := range b[:k*shard] {
		b[i] = byte(rng.Uint32())
	}
	if err := c.Encode(b[:k*shard], b[k*shard:], shard); err != nil {
		t.Fatal(err)
	}
	present := make([]uint64, ((k+m)*depth+63)/64)
	for i := range (k + m) * depth {
		present[i/64] |= 1 << (i % 64)
	}
	return c, b, present
}

func lose(b []byte, present []uint64, symbol, i int) {
	present[i/64] &^= 1 << (i % 64)
	for j := range symbol {
		b[i*symbol+j] = 0xee
	}
}

func TestRebuildRandomLoss(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		k, m := 1+rng.IntN(60), 1+rng.IntN(20)
		depth, symbol := 1+rng.IntN(6), 64*(1+rng.IntN(3))
		c, b, present := block(t, rng, k, m, depth, symbol)
		want := bytes.Clone(b)
		wantRebuilt, wantFailed := 0, 0
		for col := range depth {
			perm := rng.Perm(k + m)[:rng.IntN(min(m+2, k+m))]
			data := 0
			for _, s := range perm {
				lose(b, present, symbol, s*depth+col)
				if s < k {
					data++
				}
			}
			if len(perm) <= m {
				wantRebuilt += data
			} else {
				wantFailed += data
			}
		}
		rebuilt, failed, err := c.Rebuild(b, depth, symbol, present)
		if err != nil || rebuilt != wantRebuilt || failed != wantFailed {
			t.Fatalf("seed %d, %d+%d: rebuilt %d failed %d %v, want %d %d", seed, k, m, rebuilt, failed, err, wantRebuilt, wantFailed)
		}
		for i := range k * depth {
			if has(present, i) && !bytes.Equal(b[i*symbol:(i+1)*symbol], want[i*symbol:(i+1)*symbol]) {
				t.Fatalf("seed %d, %d+%d: symbol %d differs", seed, k, m, i)
			}
		}
	}
}

// TestBurstLaw holds that m*depth consecutive symbols are restored wherever
// they lie, and one more is not.
func TestBurstLaw(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const k, m, depth, symbol = 10, 3, 7, 64
	for start := 0; start+m*depth <= (k+m)*depth; start++ {
		c, b, present := block(t, rng, k, m, depth, symbol)
		want := bytes.Clone(b[:k*depth*symbol])
		for i := range m * depth {
			lose(b, present, symbol, start+i)
		}
		if _, failed, err := c.Rebuild(b, depth, symbol, present); err != nil || failed != 0 || !bytes.Equal(b[:len(want)], want) {
			t.Fatalf("a burst of %d at %d: failed %d, %v", m*depth, start, failed, err)
		}
	}
	c, b, present := block(t, rng, k, m, depth, symbol)
	for i := range m*depth + 1 {
		lose(b, present, symbol, i)
	}
	if _, failed, err := c.Rebuild(b, depth, symbol, present); err != nil || failed != m+1 {
		t.Fatalf("one more: failed %d, %v; want %d", failed, err, m+1)
	}
}

// TestEverySubmatrix loses every set of data shards against every choice of
// parity in a small code.
func TestEverySubmatrix(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	const k, m, symbol = 6, 4, 64
	for lost := range 1 << (k + m) {
		c, b, present := block(t, rng, k, m, 1, symbol)
		want, n := bytes.Clone(b[:k*symbol]), 0
		for i := range k + m {
			if lost&(1<<i) != 0 {
				lose(b, present, symbol, i)
				n++
			}
		}
		if n > m {
			continue
		}
		if _, failed, err := c.Rebuild(b, 1, symbol, present); err != nil || failed != 0 || !bytes.Equal(b[:k*symbol], want) {
			t.Fatalf("lost %b: failed %d, %v", lost, failed, err)
		}
	}
}

func TestArguments(t *testing.T) {
	for _, c := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {250, 7}, {1 << 62, 1 << 62}} {
		if _, err := New(c[0], c[1]); !errors.Is(err, ErrArgument) {
			t.Errorf("New(%d, %d): %v", c[0], c[1], err)
		}
	}
	c, b, present := block(t, rand.New(rand.NewPCG(3, 3)), 4, 2, 2, 64)
	if err := c.Encode(b[:10], b[10:20], 5); !errors.Is(err, ErrArgument) {
		t.Errorf("Encode with wrong lengths: %v", err)
	}
	for _, f := range []func() (int, int, error){
		func() (int, int, error) { return c.Rebuild(b[1:], 2, 64, present) },
		func() (int, int, error) { return c.Rebuild(b, 0, 64, present) },
		func() (int, int, error) { return c.Rebuild(b, 2, 64, nil) },
	} {
		if _, _, err := f(); !errors.Is(err, ErrArgument) {
			t.Errorf("Rebuild with wrong lengths: %v", err)
		}
	}
}

func TestRebuildAllocatesNothing(t *testing.T) {
	c, b, present := block(t, rand.New(rand.NewPCG(4, 4)), 20, 4, 8, 64)
	allocs := testing.AllocsPerRun(50, func() {
		for i := range 8 {
			lose(b, present, 64, i*3)
		}
		if _, failed, err := c.Rebuild(b, 8, 64, present); failed != 0 || err != nil {
			t.Fatal(failed, err)
		}
	})
	if allocs > 0 {
		t.Fatalf("%v allocations a block", allocs)
	}
}

// benchGeometries are what the configuration makes at its least, usual and largest
// overhead: at 1 Gbit/s and a burst of 50 ms, at 9 Gbit/s and one of 250 us, and
// with 9000 bytes of MTU.
var benchGeometries = []struct{ k, m, depth, symbol int }{
	{218, 3, 500, 1408}, {218, 3, 65, 1408},
	{210, 11, 408, 1408}, {210, 11, 18, 1408},
	{200, 20, 224, 1408}, {200, 20, 11, 1408}, {200, 20, 2, 8896}, {200, 20, 16, 8896},
	{147, 74, 61, 1408}, {147, 74, 3, 1408},
	{110, 110, 41, 1408}, {110, 110, 2, 1408},
	{100, 10, 32, 1408}, {20, 4, 160, 1408},
}

func BenchmarkEncode(b *testing.B) {
	for _, g := range benchGeometries {
		b.Run(fmt.Sprintf("%d+%dx%dx%d", g.k, g.m, g.depth, g.symbol), func(b *testing.B) {
			c, blk, _ := block(b, rand.New(rand.NewPCG(5, 5)), g.k, g.m, g.depth, g.symbol)
			shard := g.depth * g.symbol
			b.SetBytes(int64(g.k * shard))
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Encode(blk[:g.k*shard], blk[g.k*shard:], shard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRebuildRandom(b *testing.B) {
	for _, g := range benchGeometries {
		for _, percent := range []float64{0.1, 1, 3} {
			b.Run(fmt.Sprintf("%d+%dx%dx%d/loss=%v%%", g.k, g.m, g.depth, g.symbol, percent), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(6, 6))
				c, blk, full := block(b, rng, g.k, g.m, g.depth, g.symbol)
				present := make([]uint64, len(full))
				b.SetBytes(int64(g.k * g.depth * g.symbol))
				b.ReportAllocs()
				for b.Loop() {
					copy(present, full)
					for i := range (g.k + g.m) * g.depth {
						if rng.Float64()*100 < percent {
							present[i/64] &^= 1 << (i % 64)
						}
					}
					if _, _, err := c.Rebuild(blk, g.depth, g.symbol, present); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

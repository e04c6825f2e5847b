package sender

import (
	"errors"
	"math"
	"testing"
	"time"

	"weir/protocol"
)

func TestNewGeometry(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		rate     uint64
		overhead float64
		burst    time.Duration
		symbol   int
		want     protocol.Geometry
	}{
		{10e6, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 1, Symbol: 1408}},
		{100e6, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 9, Symbol: 1408}},
		{1e9, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 90, Symbol: 1408}},
		{1e9, 0.05, 20 * ms, 1408, protocol.Geometry{K: 210, M: 11, Depth: 163, Symbol: 1408}},
		{1e9, 0.50, 20 * ms, 1408, protocol.Geometry{K: 147, M: 74, Depth: 25, Symbol: 1408}},
		{10e9, 0.50, 20 * ms, 8896, protocol.Geometry{K: 147, M: 74, Depth: 42, Symbol: 8896}},
		{10e9, 0.10, 10 * ms, 8896, protocol.Geometry{K: 200, M: 20, Depth: 77, Symbol: 8896}},
		{1e9, 0, 0, 1408, protocol.Geometry{K: 220, M: 2, Depth: 1, Symbol: 1408}},
		{1e9, 1, 20 * ms, 1408, protocol.Geometry{K: 110, M: 110, Depth: 17, Symbol: 1408}},
	} {
		g, err := NewGeometry(c.rate, c.overhead, c.burst, c.symbol)
		if err != nil || g != c.want {
			t.Errorf("%d bit/s, %v, %v, %d: %+v, %v; want %+v", c.rate, c.overhead, c.burst, c.symbol, g, err, c.want)
		}
		if got := Bridges(g, c.rate); got < c.burst {
			t.Errorf("%+v bridges %v, not %v", g, got, c.burst)
		}
		if real := float64(g.M) / float64(g.K); real < c.overhead || real > c.overhead+0.01 {
			t.Errorf("%+v has an overhead of %v, not %v", g, real, c.overhead)
		}
	}
}

func TestNewGeometryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		rate     uint64
		overhead float64
		burst    time.Duration
		symbol   int
	}{
		"a burst too long":     {1e9, 0.1, time.Second, 1408},
		"a burst beyond int":   {math.MaxUint64, 0, math.MaxInt64, 64},
		"a symbol off by one":  {1e9, 0.1, 0, 1409},
		"a symbol too large":   {1e9, 0.1, 0, 8960},
		"an overhead too high": {1e9, 300, 0, 1408},
	} {
		if g, err := NewGeometry(c.rate, c.overhead, c.burst, c.symbol); !errors.Is(err, protocol.ErrGeometry) {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
}

// fits checks what Fit promises for one block.
func fits(t *testing.T, full protocol.Geometry, n int) {
	g := Fit(full, n)
	switch {
	case g.Check() != nil || !g.Within(full):
		t.Errorf("%d bytes in %+v: %+v is outside", n, full, g)
	case g.DataBytes() < n:
		t.Errorf("%d bytes in %+v: %+v has room for %d", n, full, g, g.DataBytes())
	case g.DataBytes() >= max(n, 1)+g.Shard()+g.Symbol:
		t.Errorf("%d bytes in %+v: %+v pads %d", n, full, g, g.DataBytes()-n)
	case g.M < min(minParity, full.M) || g.M*full.K < min(g.K*full.M, full.M*full.K):
		t.Errorf("%d bytes in %+v: %+v has too little parity", n, full, g)
	}
}

func TestFitAllSizes(t *testing.T) {
	for _, full := range []protocol.Geometry{
		small, {K: 200, M: 20, Depth: 9, Symbol: 64}, {K: 1, M: 1, Depth: 300, Symbol: 64}, {K: 255, M: 1, Depth: 1, Symbol: 64},
		{K: 3, M: 253, Depth: 7, Symbol: 128},
	} {
		for n := 0; n <= full.DataBytes(); n++ {
			fits(t, full, n)
		}
		if g := Fit(full, full.DataBytes()); g != full {
			t.Errorf("a full block of %+v is %+v", full, g)
		}
	}
}

func FuzzFit(f *testing.F) {
	f.Add(uint8(200), uint8(20), uint16(90), uint16(22), uint32(1e6))
	f.Add(uint8(1), uint8(1), uint16(4096), uint16(1), uint32(0))
	f.Fuzz(func(t *testing.T, k, m uint8, depth, units uint16, n uint32) {
		full := protocol.Geometry{K: int(k), M: int(m), Depth: int(depth), Symbol: int(units) * protocol.SymbolAlign}
		if full.Check() == nil {
			fits(t, full, int(n)%(full.DataBytes()+1))
		}
	})
}

package sender

import (
	"testing"

	"weir/protocol"
)

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

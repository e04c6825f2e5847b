package geometry

import (
	"errors"
	"math"
	"testing"
	"time"

	"weir/internal/pacing"
	"weir/protocol"
)

func TestWireIsReckonedAsThePacerDoes(t *testing.T) {
	if WireOverhead != pacing.FrameOverhead {
		t.Errorf("%d bytes, the pacer says %d", WireOverhead, pacing.FrameOverhead)
	}
}

func TestNew(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		rate     uint64
		overhead float64
		burst    time.Duration
		symbol   int
		want     protocol.Geometry
	}{
		{10e6, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 2, Symbol: 1408}},
		{100e6, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 11, Symbol: 1408}},
		{1e9, 0.10, 20 * ms, 1408, protocol.Geometry{K: 200, M: 20, Depth: 102, Symbol: 1408}},
		{1e9, 0.05, 20 * ms, 1408, protocol.Geometry{K: 210, M: 11, Depth: 233, Symbol: 1408}},
		{1e9, 0.50, 20 * ms, 1408, protocol.Geometry{K: 147, M: 74, Depth: 24, Symbol: 1408}},
		{10e9, 0.50, 20 * ms, 8896, protocol.Geometry{K: 147, M: 74, Depth: 40, Symbol: 8896}},
		{10e9, 0.10, 10 * ms, 8896, protocol.Geometry{K: 200, M: 20, Depth: 87, Symbol: 8896}},
		{1e9, 0, 0, 1408, protocol.Geometry{K: 220, M: 2, Depth: 1, Symbol: 1408}},
		{1e9, 1, 20 * ms, 1408, protocol.Geometry{K: 110, M: 110, Depth: 16, Symbol: 1408}},
	} {
		g, err := New(c.rate, c.overhead, c.burst, c.symbol)
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

func TestNewRefuses(t *testing.T) {
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
		if g, err := New(c.rate, c.overhead, c.burst, c.symbol); !errors.Is(err, protocol.ErrGeometry) {
			t.Errorf("%s: %+v, %v", name, g, err)
		}
	}
}

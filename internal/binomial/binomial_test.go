package binomial

import (
	"math"
	"math/big"
	"testing"
)

// exact sums the tail in rational numbers.
func exact(n, x int, p float64) float64 {
	hit := new(big.Rat).SetFloat64(p)
	miss := new(big.Rat).Sub(big.NewRat(1, 1), hit)
	total := new(big.Rat)
	for i := x + 1; i <= n; i++ {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		for range i {
			term.Mul(term, hit)
		}
		for range n - i {
			term.Mul(term, miss)
		}
		total.Add(total, term)
	}
	f, _ := total.Float64()
	return f
}

func TestTailAgainstRationals(t *testing.T) {
	for _, c := range []struct {
		n, x int
		p    float64
	}{{10, 2, 0.25}, {10, 2, 0.5}, {60, 6, 1. / 1024}, {60, 6, 0.25}, {40, 20, 1. / 4096}, {3, 0, 0.125}, {20, 19, 0.5}, {24, 4, 0.9375}} {
		want := exact(c.n, c.x, c.p)
		if got := Tail(c.n, c.x, c.p); math.Abs(got-want) > 1e-10*want {
			t.Errorf("P(X > %d) of %d at %g is %g, want %g", c.x, c.n, c.p, got, want)
		}
	}
}

func TestTailOfWhatNeverHappens(t *testing.T) {
	// 220 symbols of which 20 may be lost, at one in a thousand: far below what
	// 1 minus a sum could tell.
	if got := Tail(220, 20, 1e-3); got < 1e-36 || got > 1e-30 {
		t.Errorf("%g", got)
	}
	for _, c := range []struct {
		n, x int
		p    float64
		want float64
	}{{5, 5, 0.5, 0}, {5, -1, 0.5, 1}, {5, 2, 0, 0}, {5, 2, 1, 1}} {
		if got := Tail(c.n, c.x, c.p); got != c.want {
			t.Errorf("P(X > %d) of %d at %g is %g, want %g", c.x, c.n, c.p, got, c.want)
		}
	}
}

func TestAny(t *testing.T) {
	for _, c := range []struct{ n, p, want float64 }{{1e6, 1e-18, 1e-12}, {2, 0.5, 0.75}, {10, 0, 0}, {3, 1, 1}} {
		if got := Any(c.n, c.p); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("any of %g at %g is %g, want %g", c.n, c.p, got, c.want)
		}
	}
}

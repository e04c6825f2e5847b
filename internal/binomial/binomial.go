// Package binomial has the one distribution that loss on a link is reckoned
// with: how many of n things are hit when each is with the same probability.
package binomial

import "math"

// Tail returns P(X > x) for X of n trials with probability p each, exact to some
// twelve digits however small it is: the terms are summed from x+1 up, each
// made from the one before, and none is got by taking from 1.
func Tail(n, x int, p float64) float64 {
	switch {
	case x < 0 || p >= 1 && x < n:
		return 1
	case x >= n || p <= 0:
		return 0
	}
	if float64(x+1) <= float64(n)*p { // the tail is the bulk: the other side is shorter
		return 1 - sum(n, n-x, 1-p)
	}
	return sum(n, x+1, p)
}

// sum returns P(X >= from), for from above the mean.
func sum(n, from int, p float64) float64 {
	if from > n {
		return 0
	}
	term := math.Exp(logChoose(n, from) + float64(from)*math.Log(p) + float64(n-from)*math.Log1p(-p))
	total, odds := 0.0, p/(1-p)
	for i := from; i <= n; i++ {
		total += term
		if term < total*1e-17 {
			break
		}
		term *= float64(n-i) / float64(i+1) * odds
	}
	return math.Min(total, 1)
}

func logChoose(n, k int) float64 {
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}

// Any returns the probability that something of probability p happens at least
// once in n independent trials.
func Any(n, p float64) float64 {
	switch {
	case p <= 0 || n <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return -math.Expm1(n * math.Log1p(-p))
}

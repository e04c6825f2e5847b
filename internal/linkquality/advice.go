package linkquality

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"weir/internal/binomial"
	"weir/internal/geometry"
	"weir/protocol"
)

// From where on a link is spoken of.
const (
	slower       = 0.8  // of the rate at which parity just bridges an outage
	unhealedMost = 0.01 // columns a TB that scattered loss may leave
	unhealedAim  = 1e-4 // that new settings aim at
	headroom     = 1.5  // of the longest outage, for the burst to set
	manyHere     = 0.5  // of what was lost, from which this host is to blame
	farReorder   = 512  // frames of newer blocks after which a receiver gives an older one up
	terabyte     = 1e12
	percentSteps = 100
	mostOverhead = 1.0
)

// millis returns how long so many frames take at the sender's rate.
func millis(frames uint64, l *Link) float64 {
	return float64(frames) * geometry.FrameBits(l.Geometry.Symbol) / float64(l.Rate) * 1e3
}

// unhealed returns how many columns a TB of content are not healed when frames
// are lost one by one with probability p.
func unhealed(p float64, k, m, symbol int) float64 {
	return terabyte / float64(k*symbol) * binomial.Tail(k+m, m, p)
}

// advise says in words what is wrong with the link and what to change.
func (q *Quality) advise(l *Link) {
	q.Advice = []string{}
	if q.Longest > uint64(geometry.ForOutages(l.Geometry.M)*l.Geometry.Depth) {
		q.Narrow = true
		q.Advice = append(q.Advice, q.outage(l))
	}
	if q.Unhealed > unhealedMost {
		q.Narrow = true
		q.Advice = append(q.Advice, q.overhead(l))
	}
	if here := float64(q.Socket); here > 0 && here >= manyHere*float64(q.Lost) {
		q.Advice = append(q.Advice, fmt.Sprintf("%d of %d lost frames came to this host and found the receive buffer full: lower rate, raise buffer, or give this host more CPU", q.Socket, q.Lost))
	}
	if here := float64(q.Interface); here > 0 && here >= manyHere*float64(q.Lost) {
		q.Advice = append(q.Advice, fmt.Sprintf("%d of %d lost frames were dropped or found damaged by this host's network card: look at cable, transceiver, driver and ring size (ethtool -S, ethtool -g)", q.Interface, q.Lost))
	}
	if q.Distance >= farReorder {
		q.Advice = append(q.Advice, fmt.Sprintf("frames came up to %d places late, blocks are given up after %d: let all frames take one way through the network", q.Distance, farReorder))
	}
}

// outage is the advice about outages longer than parity bridges. Blocks have a
// largest size, so there is a longest outage that any settings bridge.
func (q *Quality) outage(l *Link) string {
	g := l.Geometry
	said := fmt.Sprintf("longest outage %s, parity bridges %s: ", short(q.Outage), short(q.Bridge))
	most := geometry.Longest(l.Rate, float64(g.M)/float64(g.K), g.Symbol, protocol.MaxBlockBytes).Seconds() * 1e3
	want := round(q.Outage * headroom)
	if want > most {
		return said + fmt.Sprintf("no block at this rate bridges more than %s, so later passes or a repair code have to fill such holes", short(most))
	}
	return said + fmt.Sprintf("raise burst to %s or lower rate to %s", short(want), rate(float64(l.Rate)*min(q.Bridge/q.Outage, 1)*slower))
}

// overhead is the advice about scattered loss.
func (q *Quality) overhead(l *Link) string {
	g, p := l.Geometry, q.scattered(l.Geometry.Depth)
	said := fmt.Sprintf("scattered loss of %s %%, of which %d+%d shards leave %s columns a TB unhealed: ", Plain(100*p), g.K, g.M, Plain(q.Unhealed))
	for percent := 1; percent <= percentSteps; percent++ {
		overhead := mostOverhead * float64(percent) / percentSteps
		k := int(math.Round(geometry.Shards / (1 + overhead)))
		m := int(math.Ceil(float64(k)*overhead - 1e-9))
		if m > g.M*k/g.K && unhealed(p, k, m, g.Symbol) < unhealedAim {
			return said + fmt.Sprintf("raise overhead to %d%%", percent)
		}
	}
	return said + "no overhead heals that; look at the link, or lower rate"
}

// Plain writes a figure of at least 0 with two digits that count, and without an
// exponent: people read it.
func Plain(x float64) string {
	if x <= 0 {
		return "0"
	}
	decimals := 1 - int(math.Floor(math.Log10(x)))
	if decimals <= 0 {
		unit := math.Pow10(-decimals)
		return humanize.Comma(int64(min(math.Round(x/unit)*unit, math.MaxInt64/2)))
	}
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(x, 'f', decimals, 64), "0"), ".")
}

// round rounds a time up to a figure that people would write, in ms.
func round(ms float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(ms)))
	for _, step := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if ms <= step*unit*(1+1e-9) {
			return step * unit
		}
	}
	return 10 * unit
}

// short writes a time in ms with at most three figures, as a configuration takes
// it.
func short(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	switch {
	case d >= 100*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}

// rate writes bits a second with two figures, rounded down.
func rate(bits float64) string {
	unit := math.Pow(10, math.Floor(math.Log10(bits))-1)
	bits = math.Floor(bits/unit) * unit
	for _, u := range []struct {
		of   float64
		name string
	}{{1e9, "Gbit"}, {1e6, "Mbit"}, {1e3, "kbit"}} {
		if bits >= u.of {
			return fmt.Sprintf("%g%s", math.Round(bits/u.of*100)/100, u.name)
		}
	}
	return fmt.Sprintf("%.0fbit", bits)
}

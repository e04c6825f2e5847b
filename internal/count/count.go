// Package count says in words how many there are of something.
package count

import (
	"math"
	"strings"

	"github.com/dustin/go-humanize"
)

// Of counts things by what one of them is called: "1 file", "2,000 files", "3 entries".
func Of[N int | int64 | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	many := one + "s"
	if stem, ok := strings.CutSuffix(one, "y"); ok {
		many = stem + "ies"
	}
	return humanize.Comma(int64(min(uint64(max(n, 0)), math.MaxInt64))) + " " + many
}

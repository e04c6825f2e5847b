//go:build lossy

package main

import (
	"math"
	"math/rand/v2"
	"os"
	"strconv"
)

// intake loses the share of the datagrams that WEIR_LOSS names, each by itself:
// a filter before the socket would drop whole super-packets.
func intake(take func(datagram []byte)) func(datagram []byte) {
	share, err := strconv.ParseFloat(os.Getenv("WEIR_LOSS"), 64)
	if err != nil {
		panic("WEIR_LOSS is not a number: " + err.Error())
	}
	below := uint64(min(max(share, 0), 1) * math.MaxUint64 * 0.999999)
	rng := rand.NewPCG(1, 2)
	return func(datagram []byte) {
		if rng.Uint64() >= below {
			take(datagram)
		}
	}
}

package fec

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/reedsolomon"
)

// TestParityIsTheLibrarys holds that the code is the one that the specification
// names: the library's, for every k+m that a block may have.
func TestParityIsTheLibrarys(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	codes := [][2]int{{1, 1}, {1, 255}, {2, 2}, {10, 3}, {100, 10}, {200, 20}, {223, 32}, {128, 128}, {255, 1}}
	for range 40 {
		k := 1 + rng.IntN(255)
		codes = append(codes, [2]int{k, 1 + rng.IntN(256-k)})
	}
	for _, km := range codes {
		const shard = 64
		c, b, _ := block(t, rng, km[0], km[1], 1, shard)
		theirs, err := reedsolomon.New(c.k, c.m)
		if err != nil {
			t.Fatal(err)
		}
		var shards [][]byte
		for i := range c.k {
			shards = append(shards, b[i*shard:][:shard])
		}
		for range c.m {
			shards = append(shards, make([]byte, shard))
		}
		if err := theirs.Encode(shards); err != nil {
			t.Fatal(err)
		}
		if got := b[c.k*shard:]; !bytes.Equal(got, bytes.Join(shards[c.k:], nil)) {
			t.Fatalf("%d+%d: the parity is not the library's", c.k, c.m)
		}
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(200, 20); err != nil {
			b.Fatal(err)
		}
	}
}

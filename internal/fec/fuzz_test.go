package fec

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// FuzzRebuild loses whatever symbols the fuzzer says. A column that has enough is
// as it was; of the others nothing that is there changes.
func FuzzRebuild(f *testing.F) {
	f.Add(uint8(4), uint8(2), uint8(3), []byte{0xff, 0xff, 0xff})
	f.Add(uint8(200), uint8(55), uint8(2), []byte{0xf0})
	f.Add(uint8(1), uint8(1), uint8(1), []byte{2})
	f.Fuzz(func(t *testing.T, k, m, depth uint8, present []byte) {
		c, err := New(int(k), int(m))
		if err != nil {
			return
		}
		const symbol = 64
		columns, shards := int(depth%8)+1, int(k)+int(m)
		shard := columns * symbol
		block := make([]byte, shards*shard)
		rand.NewChaCha8([32]byte{k, m}).Read(block[:int(k)*shard])
		if err := c.Encode(block[:int(k)*shard], block[int(k)*shard:], shard); err != nil {
			t.Fatal(err)
		}
		want := bytes.Clone(block)
		words := make([]uint64, (shards*columns+63)/64)
		have := make([]int, columns)
		for i := range shards * columns {
			if len(present) > 0 && present[i/8%len(present)]&(1<<(i%8)) != 0 {
				words[i/64] |= 1 << (i % 64)
				have[i%columns]++
			} else {
				clear(block[i*symbol:][:symbol])
			}
		}
		there := bytes.Clone(block)
		if _, _, err := c.Rebuild(block, columns, symbol, words); err != nil {
			t.Fatal(err)
		}
		for i := range int(k) * columns {
			at := i * symbol
			if have[i%columns] >= int(k) && !bytes.Equal(block[at:][:symbol], want[at:][:symbol]) {
				t.Fatalf("symbol %d of a column with %d of %d is wrong", i, have[i%columns], k)
			}
			if there := there[at:][:symbol]; !bytes.Equal(there, make([]byte, symbol)) && !bytes.Equal(block[at:][:symbol], there) {
				t.Fatalf("symbol %d was there and has changed", i)
			}
		}
	})
}

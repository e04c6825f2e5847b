package masschange

import "math"

const (
	// SampleBytes is how much of a file is enough to judge it, in bytes, and
	// MinSample how much there must be: the entropy of few bytes is low whatever
	// they are.
	SampleBytes = 16 << 10
	MinSample   = 1 << 10
	// dense is from which entropy on content counts as random, in bits a byte. A
	// kilobyte that is encrypted has 7.8, text and programs have less than 6.5.
	dense = 7.2
)

// Entropy returns the entropy of the bytes by their frequencies, in bits a byte:
// 0 to 8.
func Entropy(p []byte) float64 {
	if len(p) == 0 {
		return 0
	}
	var counts [256]int
	for _, b := range p {
		counts[b]++
	}
	bits := 0.0
	for _, n := range counts {
		if n > 0 {
			share := float64(n) / float64(len(p))
			bits -= share * math.Log2(share)
		}
	}
	return bits
}

// Dense reports whether a sample looks random: encrypted or compressed.
func Dense(sample []byte) bool { return Entropy(sample) >= dense }

package vault

import "time"

const (
	// sumSlice is how much of objects is read back between two calls of Settle, in
	// bytes: a quarter of a second of work, and twice that while nothing comes. An
	// object that is one large hole costs its sender nothing and would otherwise hold
	// up everybody else for hours.
	sumSlice = 512 << 20
	sumQuiet = 2 * sumSlice
	// sumRate is the least that a read counts for, in bytes a second: on a slow disk
	// a slice shall not last longer.
	sumRate = 4 * sumSlice
	// sumOpen is what it costs to open an object for that, in bytes: some hundred
	// microseconds.
	sumOpen = 128 << 10
)

// sumBudget says how much of the objects of each sender may be read back until the
// next Settle. Those that have more to read share it, so that nobody can use up what
// another one needs.
type sumBudget struct {
	share int64
	left  map[string]*int64
	short map[string]bool // senders for which it was not enough
}

func newSumBudget() sumBudget {
	return sumBudget{share: sumQuiet, left: map[string]*int64{}, short: map[string]bool{}}
}

// renew deals out the next slice.
func (b *sumBudget) renew(quiet bool) {
	b.share = sumSlice
	if quiet {
		b.share = sumQuiet
	}
	b.share /= int64(max(len(b.short), 1))
	clear(b.left)
	clear(b.short)
}

// of returns what is left for a sender.
func (b *sumBudget) of(sender string) *int64 {
	left := b.left[sender]
	if left == nil {
		left = new(int64)
		*left, b.left[sender] = b.share, left
	}
	return left
}

// sumCost is what is to be taken off for a read of n bytes that took so long.
func sumCost(n int, took time.Duration) int64 {
	return max(int64(n), int64(took.Seconds()*sumRate))
}

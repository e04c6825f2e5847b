package receiver

import (
	"fmt"
	"sync"
	"time"
)

// throughput measures how fast the sink takes what is delivered to it, over the
// last few reports. The worker adds to it, the receive thread asks.
type throughput struct {
	mu      sync.Mutex
	windows [throughputWindows]window // the present one first
	begun   time.Time                 // of the delivery under way, zero for none
}

// throughputWindows is how many reports the measure goes back.
const throughputWindows = 6

type window struct {
	bytes int64
	busy  time.Duration
}

// begin notes that a delivery begins.
func (t *throughput) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = now
}

// end notes that a delivery of so many bytes has ended.
func (t *throughput) end(now time.Time, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.windows[0].bytes += int64(bytes)
	t.windows[0].busy += max(now.Sub(t.begun), 0)
	t.begun = time.Time{}
}

// rate returns the bytes a second that the sink took while it was at work, and
// for how long it has not come back from the delivery under way. The rate is 0
// while nothing is known.
func (t *throughput) rate(now time.Time) (bytesPerSecond int64, stalled time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var sum window
	for _, w := range t.windows {
		sum.bytes, sum.busy = sum.bytes+w.bytes, sum.busy+w.busy
	}
	if !t.begun.IsZero() {
		stalled = max(now.Sub(t.begun), 0)
		sum.busy += stalled
	}
	if sum.busy <= 0 {
		return 0, stalled
	}
	return int64(float64(sum.bytes) / sum.busy.Seconds()), stalled
}

// turn begins a new window and forgets the oldest.
func (t *throughput) turn() {
	t.mu.Lock()
	defer t.mu.Unlock()
	copy(t.windows[1:], t.windows[:throughputWindows-1])
	t.windows[0] = window{}
}

// bearable is the share of what the disk takes that a link should bring, in
// percent: the rest is for publication, which costs time too.
const bearable = 80

// stallAfter is from when on a delivery that does not come back is called a stall.
const stallAfter = 2 * time.Second

// advice says what to do about a disk that is too slow.
func (t *throughput) advice(now time.Time) (bytesPerSecond int64, words string) {
	bytesPerSecond, stalled := t.rate(now)
	const lost = "frames dropped because the vault's disk is slower than the link"
	rate := bytesPerSecond * 8 * bearable / 100
	switch {
	case stalled >= stallAfter && rate < 1e6:
		return bytesPerSecond, fmt.Sprintf("%s: it has taken nothing for %v; look after the disk", lost, stalled.Round(time.Second))
	case stalled >= stallAfter:
		return bytesPerSecond, fmt.Sprintf("%s: it has taken nothing for %v, and %d MB/s with that; look after the disk, or set rate = %q on the sender",
			lost, stalled.Round(time.Second), bytesPerSecond/1e6, mbit(rate))
	case rate < 1e6:
		return bytesPerSecond, lost + ": lower rate on the sender, or raise memory"
	}
	return bytesPerSecond, fmt.Sprintf("%s: it takes %d MB/s; set rate = %q on the sender, or raise memory if such times are short",
		lost, bytesPerSecond/1e6, mbit(rate))
}

func mbit(bitsPerSecond int64) string { return fmt.Sprintf("%dMbit", bitsPerSecond/1e6) }

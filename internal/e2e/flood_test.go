package e2e

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/event"
	"weir/internal/relay"
	"weir/internal/udptx"
)

// TestTransferUnderFlood sends forged frames of full size, half of them the dearest
// that can be made without keys, to the port of a receiver while a transfer runs there. With
// WEIR_LONG it looks how many it stands: what is beyond it is told, not a failure.
func TestTransferUnderFlood(t *testing.T) {
	rates := []int{20_000}
	if os.Getenv("WEIR_LONG") != "" {
		rates = []int{100_000, 200_000, 400_000, 800_000, 1_600_000, 3_200_000}
	}
	for i, rate := range rates {
		f := underFlood(t, rate)
		t.Logf("asked for %d forged frames a second, %.0f sent, of %d the kernel dropped %d and weir %d as forged: whole %v",
			rate, float64(f.sent)/f.took.Seconds(), f.sent, f.kernel, f.forged, f.whole)
		if !f.whole && i == 0 {
			t.Errorf("%d forged frames a second keep a transfer from becoming whole", rate)
		}
	}
}

// flooded is what became of a transfer beside a flood.
type flooded struct {
	whole          bool
	sent           int64 // forged frames
	took           time.Duration
	kernel, forged int // frames dropped: by the kernel before anybody read them, and by weir as forged
}

// underFlood runs a transfer of 20 MB at 100 Mbit/s and says whether it became
// whole at once.
func underFlood(t *testing.T, rate int) (f flooded) {
	g := newRig(t)
	var model atomic.Pointer[[]byte]
	link := g.link(relay.Faults{Drop: func(_ uint64, frame []byte) bool {
		if len(frame) == 1472 {
			f := bytes.Clone(frame)
			model.Store(&f)
		}
		return false
	}})
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 20e6, 20)
	g.startReceiver()
	stop, done := make(chan struct{}), make(chan int64)
	go flood(t, g.listen, rate, &model, stop, done)
	began := time.Now()
	g.push("prod", "etc", 0, src)
	close(stop)
	f.sent, f.took = <-done, time.Since(began)
	for end := time.Now().Add(10 * time.Second); g.whole() == 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	f.whole = g.whole() == 1
	g.stop(g.recv)
	if f.forged = dropped(g.recv.log())["forged"]; f.forged == 0 {
		t.Errorf("no forged frame reached the receiver:\n%s", g.recv.log())
	}
	f.kernel = kernelDropped(g.recv.log())
	return f
}

// kernelDropped adds up the frames that a log says the kernel dropped.
func kernelDropped(log string) (n int) {
	for line := range strings.Lines(log) {
		var l struct {
			Event  string
			Frames int
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Event == event.KernelDropped {
			n += l.Frames
		}
	}
	return n
}

// floodBatch is how many forged frames leave with one system call.
const floodBatch = 40

// forgeries makes a batch of several kinds out of a good frame: two of a block that
// nobody knows, each of which is decrypted, one of an unknown session, and one that
// is no frame.
func forgeries(good []byte) (batch []byte) {
	for i := range floodBatch {
		f := bytes.Clone(good)
		switch i % 4 {
		case 0, 1:
			f[20] ^= 0x80 // the block
		case 2:
			f[4] ^= 1 // the session
		case 3:
			f[0] = 9 // the version
		}
		batch = append(batch, f...)
	}
	return batch
}

// flood sends forged frames at a rate, as fast as the kernel takes them where that is
// less: with segmentation in the kernel and several of those in one call.
func flood(t *testing.T, to string, rate int, model *atomic.Pointer[[]byte], stop chan struct{}, done chan int64) {
	var sent int64
	defer func() { done <- sent }()
	c, err := udptx.Dial(udptx.Config{To: netip.MustParseAddrPort(to)})
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	var batch []byte
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		select {
		case <-stop:
			return
		default:
		}
		if good := model.Load(); batch == nil && good != nil {
			batch, began = forgeries(*good), time.Now()
		}
		if batch == nil {
			continue
		}
		// At most a burst at once: what was missed is not made up for.
		due := min(int64(time.Since(began).Seconds()*float64(rate)), sent+int64(rate)/100+floodBatch)
		for ; sent < due; sent += floodBatch {
			if err := c.Send(batch, len(batch)/floodBatch); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

package e2e

import (
	"bytes"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/relay"
)

// TestTransferUnderFlood sends forged frames of full size, the dearest that can be
// made without keys, to the port of a receiver while a transfer runs there. With
// WEIR_LONG it looks how many it stands: what is beyond it is told, not a failure.
func TestTransferUnderFlood(t *testing.T) {
	rates := []int{20_000}
	if os.Getenv("WEIR_LONG") != "" {
		rates = []int{50_000, 100_000, 200_000, 400_000, 800_000}
	}
	for i, rate := range rates {
		whole, sent, took := underFlood(t, rate)
		t.Logf("asked for %d forged frames a second, %.0f sent: whole %v", rate, float64(sent)/took.Seconds(), whole)
		if !whole && i == 0 {
			t.Errorf("%d forged frames a second keep a transfer from becoming whole", rate)
		}
	}
}

// underFlood runs a transfer of 20 MB at 100 Mbit/s and reports whether it became
// whole at once.
func underFlood(t *testing.T, rate int) (whole bool, sent int64, took time.Duration) {
	g := newRig(t)
	var forged atomic.Pointer[[]byte]
	link := g.link(relay.Faults{Drop: func(_ uint64, frame []byte) bool {
		if len(frame) == 1472 { // of a block that nobody knows: each is decrypted
			f := bytes.Clone(frame)
			f[20] ^= 0x80
			forged.Store(&f)
		}
		return false
	}})
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 20e6, 20)
	g.startReceiver()
	stop, done := make(chan struct{}), make(chan int64)
	go flood(t, g.listen, rate, &forged, stop, done)
	began := time.Now()
	g.push("prod", "etc", 0, src)
	close(stop)
	sent, took = <-done, time.Since(began)
	for end := time.Now().Add(10 * time.Second); g.whole() == 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
	whole = g.whole() == 1
	g.stop(g.recv)
	if n := dropped(g.recv.log())["forged"]; n == 0 {
		t.Errorf("no forged frame reached the receiver:\n%s", g.recv.log())
	}
	if strings.Contains(g.recv.log(), `"kernel-dropped"`) {
		t.Logf("at %d a second the kernel dropped frames", rate)
	}
	return whole, sent, took
}

// flood sends the latest forged frame so many times a second.
func flood(t *testing.T, to string, rate int, forged *atomic.Pointer[[]byte], stop chan struct{}, done chan int64) {
	var sent int64
	defer func() { done <- sent }()
	c, err := net.Dial("udp", to)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		select {
		case <-stop:
			return
		default:
		}
		f := forged.Load()
		if f == nil {
			began = time.Now()
			continue
		}
		for due := int64(time.Since(began).Seconds() * float64(rate)); sent < due; sent++ {
			c.Write(*f)
			if sent%256 != 0 {
				continue
			}
			select {
			case <-stop: // it may be far behind
				return
			default:
			}
		}
	}
}

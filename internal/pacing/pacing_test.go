package pacing

import (
	"testing"
	"testing/synctest"
	"time"
)

// plain is a clock that synctest can fake.
type plain struct{}

func (plain) Now() time.Time        { return time.Now() }
func (plain) Sleep(d time.Duration) { time.Sleep(d) }

func TestRateIsExact(t *testing.T) {
	for _, rate := range []uint64{10e6, 900e6, 10e9} {
		synctest.Test(t, func(t *testing.T) {
			p := New(rate, 64<<10, plain{})
			start := time.Now()
			const n, batch = 10000, 64 << 10
			for range n {
				p.Wait(batch)
			}
			got := float64(n-1) * batch * 8 / time.Since(start).Seconds()
			if got < 0.999*float64(rate) || got > 1.001*float64(rate) {
				t.Errorf("rate %d: %.0f bit/s", rate, got)
			}
		})
	}
}

func TestStallIsNotCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, burst, size = 8e6, 10000, 1000 // 1 ms each
		p := New(rate, burst, plain{})
		p.Wait(size)
		time.Sleep(time.Second)
		start, free := time.Now(), 0
		for time.Since(start) == 0 {
			p.Wait(size)
			free++
		}
		if free > burst/size+2 {
			t.Fatalf("%d datagrams at once after a stall, burst is %d", free, burst/size)
		}
	})
}

// TestLatenessIsMadeUpGently holds that a host that is late now and then, by less
// than a millisecond, keeps the rate, and that no stretch of time sees more than
// the burst above the hurried rate.
func TestLatenessIsMadeUpGently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, burst, size = 5e9, 64 << 10, 16 << 10
		p := New(rate, burst, plain{})
		start := time.Now()
		var left []time.Time
		for i := range 20000 {
			p.Wait(size)
			left = append(left, time.Now())
			if i%200 == 0 {
				time.Sleep(900 * time.Microsecond)
			}
		}
		if got := 20000 * size * 8 / time.Since(start).Seconds(); got < 0.99*rate || got > 1.01*rate {
			t.Errorf("%.0f bit/s, want %.0f", got, rate)
		}
		for i := range left {
			for j := i; j < min(i+200, len(left)); j++ {
				most := burst + size + hurry*rate/8*left[j].Sub(left[i]).Seconds()
				if sent := float64((j - i + 1) * size); sent > 1.001*most {
					t.Fatalf("%.0f bytes in %v", sent, left[j].Sub(left[i]))
				}
			}
		}
	})
}

func TestSystemClockSleeps(t *testing.T) {
	for _, d := range []time.Duration{200 * time.Microsecond, 5 * time.Millisecond} {
		start := time.Now()
		System{}.Sleep(d)
		if got := time.Since(start); got < d-tooShort {
			t.Errorf("Sleep(%v) took %v", d, got)
		}
	}
}

func TestWaitAllocatesNothing(t *testing.T) {
	p := New(1e12, 64<<10, System{})
	if n := testing.AllocsPerRun(100, func() { p.Wait(100) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

// BenchmarkPaced reports the rate that comes out with the machine's clock.
func BenchmarkPaced(b *testing.B) {
	for name, rate := range map[string]uint64{"100M": 100e6, "1G": 1e9, "10G": 10e9} {
		b.Run(name, func(b *testing.B) {
			p := New(rate, 64<<10, System{})
			b.SetBytes(44 * 1538)
			for b.Loop() {
				p.Wait(44 * 1538)
			}
		})
	}
}

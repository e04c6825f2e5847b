package udprx_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"weir/internal/udprx"
	"weir/internal/udptx"
)

func pair(t testing.TB, noGSO, noGRO bool) (*udptx.Conn, *udprx.Conn) {
	t.Helper()
	rx, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 8 << 20, NoGRO: noGRO})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rx.Close() })
	tx, err := udptx.Dial(udptx.Config{To: rx.LocalAddr(), NoGSO: noGSO})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Close() })
	return tx, rx
}

// numbered makes n frames of size bytes, the last of last bytes, each beginning
// with its number.
func numbered(n, size, last int) []byte {
	b := make([]byte, (n-1)*size+last)
	for i := range n {
		frame := b[i*size : min((i+1)*size, len(b))]
		for j := range frame {
			frame[j] = byte(i + j)
		}
		binary.BigEndian.PutUint32(frame, uint32(i))
	}
	return b
}

func TestEveryFrameArrives(t *testing.T) {
	for _, noGSO := range []bool{false, true} {
		for _, noGRO := range []bool{false, true} {
			for _, size := range []int{64, 1472, 8960} {
				for _, n := range []int{1, 2, 44, 45, 64, 65, 200} {
					for _, last := range []int{size, 40} {
						name := fmt.Sprintf("gso=%v,gro=%v,size=%d,n=%d,last=%d", !noGSO, !noGRO, size, n, last)
						t.Run(name, func(t *testing.T) { exchange(t, noGSO, noGRO, n, size, last) })
					}
				}
			}
		}
	}
}

func exchange(t *testing.T, noGSO, noGRO bool, n, size, last int) {
	tx, rx := pair(t, noGSO, noGRO)
	sent := numbered(n, size, last)
	if err := tx.Send(sent, size); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for count := 0; count < n; {
		c, err := rx.Receive(func(d []byte) { got = append(got, d...) })
		if err != nil || c == 0 {
			t.Fatalf("%d of %d datagrams came, then %v", count, n, err)
		}
		count += c
	}
	if !bytes.Equal(got, sent) {
		t.Fatal("what came is not what was sent")
	}
	if s := tx.Stats(); s.Datagrams != uint64(n) || s.Bytes != uint64(len(sent)) {
		t.Fatalf("sender counts %+v", s)
	}
	if s := rx.Stats(); s.Datagrams != uint64(n) || s.Bytes != uint64(len(sent)) || s.Truncated != 0 {
		t.Fatalf("receiver counts %+v", s)
	}
}

// TestMergedAndSingle holds that a socket takes merged and single datagrams in turn:
// it asks for more of the latter at once.
func TestMergedAndSingle(t *testing.T) {
	merging, rx := pair(t, false, false)
	single, err := udptx.Dial(udptx.Config{To: rx.LocalAddr(), NoGSO: true})
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	const n, size = 150, 1472
	sent := numbered(n, size, size)
	for i, tx := range []*udptx.Conn{single, merging, single, merging, merging, single} {
		if err := tx.Send(sent, size); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for len(got) < len(sent) {
			c, err := rx.Receive(func(d []byte) { got = append(got, d...) })
			if err != nil || c == 0 {
				t.Fatalf("turn %d: %d bytes came, then %v", i, len(got), err)
			}
		}
		if !bytes.Equal(got, sent) {
			t.Fatalf("turn %d: what came is not what was sent", i)
		}
	}
	if s := rx.Stats(); s.Datagrams != 6*n || s.Truncated != 0 {
		t.Fatalf("counts %+v", s)
	}
}

func TestIPv6(t *testing.T) {
	rx, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("[::1]:0")})
	if err != nil {
		t.Skip("no IPv6 on this machine:", err)
	}
	defer rx.Close()
	tx, err := udptx.Dial(udptx.Config{To: rx.LocalAddr()})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	if err := tx.Send(numbered(3, 1000, 10), 1000); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < 3; {
		c, err := rx.Receive(func([]byte) {})
		if err != nil || c == 0 {
			t.Fatal(n, err)
		}
		n += c
	}
}

func TestNobodyListens(t *testing.T) {
	tx, rx := pair(t, false, false)
	rx.Close()
	for range 20 {
		if err := tx.Send(numbered(10, 1000, 1000), 1000); err != nil {
			t.Fatal("sending to a closed port:", err)
		}
	}
	if s := tx.Stats(); s.Datagrams != 200 {
		t.Fatalf("counts %+v, want 200 datagrams", s)
	}
}

func TestTooLargeForTheLink(t *testing.T) {
	tx, _ := pair(t, true, false)
	if err := tx.Send(make([]byte, 65510), 65510); !errors.Is(err, udptx.ErrTooLarge) {
		t.Fatalf("a datagram larger than the loopback's MTU: %v", err)
	}
}

func TestReceiveTimesOut(t *testing.T) {
	_, rx := pair(t, false, false)
	if n, err := rx.Receive(func([]byte) { t.Error("a datagram from nowhere") }); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

func TestCloseEndsReceive(t *testing.T) {
	_, rx := pair(t, false, false)
	done := make(chan error)
	go func() {
		for {
			if _, err := rx.Receive(func([]byte) {}); err != nil {
				done <- err
				return
			}
		}
	}()
	time.Sleep(10 * time.Millisecond)
	rx.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("after Close: %v", err)
	}
}

func TestPortInUse(t *testing.T) {
	_, rx := pair(t, false, false)
	if _, err := udprx.Listen(udprx.Config{Listen: rx.LocalAddr()}); err == nil {
		t.Fatal("two sockets on one port")
	}
}

func TestKernelDropsAreCounted(t *testing.T) {
	rx, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 64 << 10, NoGRO: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	tx, err := udptx.Dial(udptx.Config{To: rx.LocalAddr(), NoGSO: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Close()
	const sent = 2000
	if err := tx.Send(numbered(sent, 1472, 1472), 1472); err != nil {
		t.Fatal(err)
	}
	for n := 1; n > 0; {
		n, _ = rx.Receive(func([]byte) {})
	}
	tx.Send(numbered(1, 100, 100), 100) // carries the count
	rx.Receive(func([]byte) {})
	if s := rx.Stats(); s.KernelDrops == 0 || s.Datagrams+s.KernelDrops != sent+1 {
		t.Fatalf("of %d datagrams: %+v", sent+1, s)
	}
}

func TestNothingIsAllocated(t *testing.T) {
	tx, rx := pair(t, false, false)
	frames := numbered(88, 1472, 1472)
	handle := func([]byte) {}
	allocs := testing.AllocsPerRun(100, func() {
		if err := tx.Send(frames, 1472); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 88; {
			c, err := rx.Receive(handle)
			if err != nil || c == 0 {
				t.Fatal(n, err)
			}
			n += c
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations a batch", allocs)
	}
}

func BenchmarkLoopback(b *testing.B) {
	for _, off := range []bool{false, true} {
		b.Run(fmt.Sprintf("offload=%v", !off), func(b *testing.B) {
			tx, rx := pair(b, off, off)
			frames := numbered(176, 1472, 1472)
			b.SetBytes(int64(len(frames)))
			for b.Loop() {
				if err := tx.Send(frames, 1472); err != nil {
					b.Fatal(err)
				}
				for n := 0; n < 176; {
					c, err := rx.Receive(func([]byte) {})
					if err != nil || c == 0 {
						b.Fatal(n, err)
					}
					n += c
				}
			}
		})
	}
}

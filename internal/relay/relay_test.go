package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/internal/udprx"
)

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// window is how many datagrams the tests leave under way: so many fit into the
// smallest receive buffer that a system without privileges gives.
const window = 64

// lane is a relay between a socket that sends and one that receives.
type lane struct {
	*Relay
	rx *udprx.Conn
	tx *net.UDPConn
}

func newLane(t testing.TB, f Faults) *lane {
	t.Helper()
	rx, err := udprx.Listen(udprx.Config{Listen: loopback, Buffer: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rx.Close() })
	r, err := Start(rx.LocalAddr(), f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	tx, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Close() })
	return &lane{r, rx, tx}
}

// send sends datagrams with the numbers 1 to n, no faster than the relay and the
// receiver take them.
func (l *lane) send(t testing.TB, n, length int) {
	d := make([]byte, length)
	for i := range uint64(n) {
		binary.BigEndian.PutUint32(d, uint32(i+1))
		if _, err := l.tx.Write(d); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); i > l.received.Load()+window || l.passed.Load() > l.rx.Stats().Datagrams+window; {
			if time.Now().After(end) {
				t.Fatalf("the relay stands still: %+v", l.Counts())
			}
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// numbers receives until nothing more comes.
func (l *lane) numbers(t testing.TB) (got []uint32) {
	for quiet := 0; quiet < 3; {
		k, err := l.rx.Receive(func(d []byte) {
			var number [4]byte // truncated ones are too short for theirs
			copy(number[:], d)
			got = append(got, binary.BigEndian.Uint32(number[:]))
		})
		if err != nil {
			t.Error(err)
			return nil
		}
		if quiet++; k > 0 {
			quiet = 0
		}
	}
	return got
}

func through(t *testing.T, n int, f Faults) ([]uint32, Counts) {
	t.Helper()
	l := newLane(t, f)
	got := make(chan []uint32)
	go func() { got <- l.numbers(t) }()
	l.send(t, n, 64)
	numbers := <-got
	c := l.Counts()
	if c.Received != uint64(n) || c.KernelDrops != 0 || c.Failed != 0 || c.Passed != uint64(len(numbers)) {
		t.Fatalf("%d datagrams came out, counts %+v", len(numbers), c)
	}
	return numbers, c
}

func TestCutIsExact(t *testing.T) {
	got, c := through(t, 1000, Faults{Cuts: []Cut{{From: 101, Length: 50}, {From: 1000, Length: 5}}})
	var want []uint32
	for i := uint32(1); i < 1000; i++ {
		if i < 101 || i > 150 {
			want = append(want, i)
		}
	}
	if !slices.Equal(got, want) || c.CutOut != 51 || c.Passed != 949 {
		t.Fatalf("%d came, counts %+v", len(got), c)
	}
}

func TestDropDecides(t *testing.T) {
	got, c := through(t, 512, Faults{Drop: func(n uint64, d []byte) bool {
		return n%2 == 0 && uint64(binary.BigEndian.Uint32(d)) == n
	}})
	if len(got) != 256 || c.Lost != 256 || slices.ContainsFunc(got, func(n uint32) bool { return n%2 == 0 }) {
		t.Fatalf("%d came, counts %+v", len(got), c)
	}
}

func TestSameSeedSameLoss(t *testing.T) {
	f := Faults{Seed: 7, Loss: 0.1, Duplicate: 0.1, Truncate: 0.1, Corrupt: 0.1, Bursts: Bursts{Enter: 0.01, Leave: 0.1, LossBad: 0.5}}
	a, ca := through(t, 2000, f)
	b, cb := through(t, 2000, f)
	if !slices.Equal(a, b) || ca != cb {
		t.Fatalf("two runs with one seed differ: %+v, %+v", ca, cb)
	}
	f.Seed++
	if c, _ := through(t, 2000, f); slices.Equal(a, c) {
		t.Fatal("two seeds do the same")
	}
	if ca.Lost < 100 || ca.Duplicated < 100 || ca.Corrupted < 100 || ca.Truncated < 100 {
		t.Fatalf("the faults did not happen: %+v", ca)
	}
}

// TestReorderingIsBounded holds that nothing is lost by it, and that nobody comes
// later than the bound says.
func TestReorderingIsBounded(t *testing.T) {
	const by = 20
	got, c := through(t, 3000, Faults{Seed: 8, Reorder: 0.2, ReorderBy: by})
	newest, late := uint32(0), 0
	for _, n := range got {
		if n < newest {
			late++
		}
		if n+by < newest {
			t.Fatalf("%d came after %d", n, newest)
		}
		newest = max(newest, n)
	}
	slices.Sort(got)
	if len(slices.Compact(got)) != 3000 || c.Reordered < 400 || late < 300 {
		t.Fatalf("%d came, %d late, counts %+v", len(got), late, c)
	}
}

// TestReturnedBytesAreCounted answers from the receiver's port and from another.
func TestReturnedBytesAreCounted(t *testing.T) {
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	other, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(loopback))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	r, err := Start(pc.LocalAddr().(*net.UDPAddr).AddrPort(), Faults{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("there"))
	b := make([]byte, 100)
	n, from, err := pc.ReadFromUDP(b)
	if err != nil {
		t.Fatal(err)
	}
	pc.WriteToUDP(b[:n], from)
	other.WriteToUDP([]byte("and back"), from)
	for end := time.Now().Add(5 * time.Second); r.Counts().Returned != 13; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("an answer was not noticed: %+v", r.Counts())
		}
	}
}

func TestOnlyLoopback(t *testing.T) {
	if _, err := Start(netip.MustParseAddrPort("192.0.2.1:4600"), Faults{}); !errors.Is(err, ErrNotLoopback) {
		t.Fatalf("got %v", err)
	}
}

// TestNobodyListens passes on as before: a one-way link does not know.
func TestNobodyListens(t *testing.T) {
	l := newLane(t, Faults{})
	l.rx.Close()
	for range 50 {
		l.tx.Write([]byte("to nobody"))
	}
	for end := time.Now().Add(5 * time.Second); l.Counts().Passed != 50; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("counts %+v", l.Counts())
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("the second Close: %v", err)
	}
}

// BenchmarkRelay passes frames of full size on.
func BenchmarkRelay(b *testing.B) {
	const length = 1472
	l := newLane(b, Faults{Seed: 1, Loss: 0.01, Duplicate: 0.01, Reorder: 0.01, ReorderBy: 100})
	b.SetBytes(length)
	done := make(chan struct{})
	go func() {
		l.numbers(b)
		close(done)
	}()
	l.send(b, b.N, length)
	b.StopTimer()
	<-done
}

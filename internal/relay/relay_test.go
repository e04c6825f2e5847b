package relay

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"weir/internal/udprx"
)

// through sends n numbered datagrams through a relay and returns the numbers that
// came out.
func through(t *testing.T, n int, f Faults) ([]uint32, Counts) {
	t.Helper()
	rx, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Buffer: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	r, err := Start(rx.LocalAddr(), f)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(r.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		c.Write(binary.BigEndian.AppendUint32(make([]byte, 0, 64), uint32(i+1)))
	}
	var got []uint32
	for idle := 0; idle < 3; {
		k, err := rx.Receive(func(d []byte) {
			if len(d) >= 4 {
				got = append(got, binary.BigEndian.Uint32(d))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if idle++; k > 0 {
			idle = 0
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return got, r.Counts()
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

func TestSameSeedSameLoss(t *testing.T) {
	f := Faults{Seed: 7, Loss: 0.1, Duplicate: 0.1, Reorder: 0.1, ReorderBy: 20}
	a, ca := through(t, 2000, f)
	b, _ := through(t, 2000, f)
	if !slices.Equal(a, b) {
		t.Fatal("two runs with one seed differ")
	}
	if ca.Lost < 100 || ca.Duplicated < 100 || ca.Reordered < 100 || slices.IsSorted(a) {
		t.Fatalf("the faults did not happen: %+v", ca)
	}
}

func TestReturnedBytesAreCounted(t *testing.T) {
	pc, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
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
	for end := time.Now().Add(5 * time.Second); r.Counts().Returned != 5; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("an answer was not noticed: %+v", r.Counts())
		}
	}
}

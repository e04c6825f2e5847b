package udptx

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// peer is a socket that takes what is sent.
func peer(t *testing.T) (*net.UDPConn, netip.AddrPort) {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetReadBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	return c, c.LocalAddr().(*net.UDPAddr).AddrPort()
}

func dial(t *testing.T, c Config) *Conn {
	t.Helper()
	conn, err := Dial(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// frames makes n datagrams of size bytes back to back, the last one short.
func frames(n, size, last int) []byte {
	b := make([]byte, (n-1)*size+last)
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(b)
	return b
}

// expect reads what was sent and compares it datagram by datagram.
func expect(t *testing.T, in *net.UDPConn, want []byte, size int) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for at := 0; at < len(want); at += size {
		if err := in.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := in.Read(buf)
		if err != nil {
			t.Fatalf("after %d datagrams: %v", at/size, err)
		}
		if part := want[at:min(at+size, len(want))]; !bytes.Equal(buf[:n], part) {
			t.Fatalf("datagram %d has %d bytes and differs, want %d", at/size, n, len(part))
		}
	}
}

func counted(t *testing.T, c *Conn, datagrams, size int) {
	t.Helper()
	if s := c.Stats(); s.Datagrams != uint64(datagrams) || s.Bytes != uint64(size) {
		t.Errorf("counted %d datagrams and %d bytes, sent %d and %d", s.Datagrams, s.Bytes, datagrams, size)
	}
}

// TestSend sends with and without segmentation, less than one super-packet, some,
// and more than one call takes.
func TestSend(t *testing.T) {
	for _, plain := range []bool{false, true} {
		for _, n := range []int{1, 2, 44, 45, 100, 300} {
			in, to := peer(t)
			c := dial(t, Config{To: to, NoGSO: plain})
			if plain && c.GSO() {
				t.Fatal("segmentation is on against the configuration")
			}
			all := frames(n, 1472, 700)
			if err := c.Send(all, 1472); err != nil {
				t.Fatal(err)
			}
			expect(t, in, all, 1472)
			counted(t, c, n, len(all))
		}
	}
}

// TestFailures has the kernel fail in the ways it does, on the first call and in
// the middle: nothing is lost, sent twice or counted wrong.
func TestFailures(t *testing.T) {
	for name, errs := range map[string][]error{
		"the driver cannot segment": {unix.EIO},
		"the kernel cannot":         {unix.EINVAL},
		"the queue is full":         {unix.ENOBUFS, unix.ENOBUFS, nil, unix.EAGAIN},
		"nobody listens":            {unix.ECONNREFUSED, nil, unix.ECONNREFUSED},
		"a signal":                  {unix.EINTR},
		"all of it":                 {unix.ENOBUFS, nil, unix.EIO, nil, unix.ECONNREFUSED, unix.EINTR},
	} {
		t.Run(name, func(t *testing.T) {
			in, to := peer(t)
			c := dial(t, Config{To: to})
			gso, calls := c.GSO(), 0
			c.sendmmsg = func(n int) (int, error) {
				if calls++; calls <= len(errs) && errs[calls-1] != nil {
					return 0, errs[calls-1]
				}
				return c.system(1 + n/2) // it may take less than it is given
			}
			all := frames(300, 1200, 1)
			if err := c.Send(all, 1200); err != nil {
				t.Fatal(err)
			}
			expect(t, in, all, 1200)
			counted(t, c, 300, len(all))
			off := errors.Join(errs...) != nil && (hasError(errs, unix.EIO) || hasError(errs, unix.EINVAL))
			if gso && c.GSO() == off {
				t.Errorf("segmentation is %v after %v", c.GSO(), errs)
			}
			s := c.Stats()
			if got, want := s.Full, count(errs, unix.ENOBUFS)+count(errs, unix.EAGAIN); got != want {
				t.Errorf("counted %d full queues, want %d", got, want)
			}
			if got, want := s.Refused, count(errs, unix.ECONNREFUSED); got != want {
				t.Errorf("counted %d refusals, want %d", got, want)
			}
		})
	}
}

func count(errs []error, which error) (n uint64) {
	for _, err := range errs {
		if err == which {
			n++
		}
	}
	return n
}

func hasError(errs []error, which error) bool { return count(errs, which) > 0 }

// TestPlainHasNoFallback holds that an error which only segmentation explains is
// told where there is none.
func TestPlainHasNoFallback(t *testing.T) {
	_, to := peer(t)
	c := dial(t, Config{To: to, NoGSO: true})
	c.sendmmsg = func(int) (int, error) { return 0, unix.EIO }
	if err := c.Send(frames(2, 100, 100), 100); !errors.Is(err, unix.EIO) {
		t.Fatalf("got %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	_, to := peer(t)
	for _, plain := range []bool{false, true} {
		c := dial(t, Config{To: to, NoGSO: plain})
		if err := c.Send(make([]byte, 65508), 65508); !errors.Is(err, ErrTooLarge) {
			t.Errorf("a datagram larger than IPv4 carries: %v", err)
		}
		counted(t, c, 0, 0)
	}
}

// TestStopEndsAWait: a link that takes nothing holds nobody up who wants to end.
func TestStopEndsAWait(t *testing.T) {
	_, to := peer(t)
	c := dial(t, Config{To: to})
	if wait, err := unix.GetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO); err != nil || wait.Nano() > int64(time.Second) || wait.Nano() == 0 {
		t.Errorf("one call may wait for %+v (%v)", wait, err)
	}
	c.sendmmsg = func(int) (int, error) { return 0, unix.EAGAIN } // as after that time
	done := make(chan error)
	go func() { done <- c.Send(make([]byte, 100), 100) }()
	select {
	case err := <-done:
		t.Fatalf("it gave up before it was stopped: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	c.Stop()
	if err := <-done; !errors.Is(err, ErrStopped) {
		t.Error(err)
	}
}

// TestNobodyListens sends to a closed port of this host, whose kernel answers.
func TestNobodyListens(t *testing.T) {
	in, to := peer(t)
	in.Close()
	c := dial(t, Config{To: to})
	for range 20 {
		if err := c.Send(frames(3, 100, 100), 100); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	if s := c.Stats(); s.Refused == 0 || s.Datagrams != 60 {
		t.Errorf("%+v: want some refusals and 60 datagrams", s)
	}
}

func TestSendAfterClose(t *testing.T) {
	_, to := peer(t)
	c := dial(t, Config{To: to})
	if err := errors.Join(c.Close(), c.Close()); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(frames(1, 100, 100), 100); err == nil {
		t.Fatal("a closed socket sends")
	}
}

func TestSendAllocatesNothing(t *testing.T) {
	_, to := peer(t)
	for _, plain := range []bool{false, true} {
		c := dial(t, Config{To: to, NoGSO: plain})
		all := frames(44, 1472, 1472)
		if n := testing.AllocsPerRun(100, func() {
			if err := c.Send(all, 1472); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocations with NoGSO %v", n, plain)
		}
	}
}

// TestSocketIsOpenedAnew after an error that may be of the socket itself: one that is
// bound to an interface that went away never sends again.
func TestSocketIsOpenedAnew(t *testing.T) {
	in, to := peer(t)
	c := dial(t, Config{To: to})
	inode := func() uint64 {
		var st unix.Stat_t
		if err := unix.Fstat(c.fd, &st); err != nil {
			t.Fatal(err)
		}
		return st.Ino
	}
	before := inode()
	c.sendmmsg = func(int) (int, error) { return 0, unix.ENETUNREACH }
	all := frames(3, 1472, 1472)
	if err := c.Send(all, 1472); !errors.Is(err, unix.ENETUNREACH) || inode() != before {
		t.Fatalf("%v", err)
	}
	c.sendmmsg = c.system
	if err := c.Send(all, 1472); err != nil {
		t.Fatal(err)
	}
	expect(t, in, all, 1472)
	if inode() == before {
		t.Error("it is the same socket")
	}
}

// TestLinkLocalAddress keeps the zone of an address, without which the kernel has no
// way to go.
func TestLinkLocalAddress(t *testing.T) {
	to := netip.MustParseAddrPort("[fe80::1%lo]:4600")
	if got := sockaddr(to, unix.AF_INET6).(*unix.SockaddrInet6).ZoneId; got != 1 {
		t.Errorf("lo is %d", got)
	}
	if got := zone("7"); got != 7 {
		t.Errorf("7 is %d", got)
	}
}

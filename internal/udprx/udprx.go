// Package udprx receives datagrams and can do nothing else: there is no call in
// it that sends. It receives many at a time: the kernel merges datagrams of one
// flow (UDP_GRO, udp(7)), and one recvmmsg(2) takes several merged ones.
package udprx

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	mergedBatch = 16       // messages of one recvmmsg where the kernel merges datagrams: a MiB
	singleBatch = 64       // and where it does not
	messageSize = 64 << 10 // a merged datagram has at most this many bytes
	// messageStride keeps short datagrams from lying a power of two apart, where they
	// would drive each other out of the processor's cache.
	messageStride = messageSize + 24*64
	controlSize   = 128 // room for UDP_GRO and SO_RXQ_OVFL

	defaultTimeout = 100 * time.Millisecond
	brief          = time.Millisecond // frames of a link in use are not further apart
)

// Config says where to listen.
type Config struct {
	Listen netip.AddrPort
	Buffer int  // receive buffer in bytes; 0 leaves the system's default
	NoGRO  bool // never let the kernel merge datagrams
	// Interface, if given, is the only one that is used (SO_BINDTODEVICE, socket(7)).
	Interface string
	// Turn is held while the datagrams of one call are handled, where several
	// sockets feed one receiver; nil for none.
	Turn    sync.Locker
	Timeout time.Duration // of a Receive during which nothing comes; 0 for 100 ms
}

// Stats counts what was received.
type Stats struct {
	Datagrams, Bytes uint64
	KernelDrops      uint64 // SO_RXQ_OVFL: the receive buffer was full
	Truncated        uint64 // longer than any frame, or of unknown segment size
}

// Conn is a socket that receives.
type Conn struct {
	fd     int
	wanted int
	buffer int
	local  netip.AddrPort
	turn   sync.Locker
	device device

	mu     sync.Mutex // held while Receive is in the kernel, and by Close
	closed atomic.Bool

	batch   int // messages that the next recvmmsg asks for
	msgs    [singleBatch]mmsghdr
	iovs    [singleBatch]unix.Iovec
	control [singleBatch][controlSize]byte
	memory  []byte

	drops                       uint32 // the kernel's counter, which wraps
	datagrams, bytes            atomic.Uint64
	kernelDrops, truncatedCount atomic.Uint64
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

// Listen opens a socket. All its options are set before it is bound, so that
// nothing arrives in a small buffer.
func Listen(cfg Config) (*Conn, error) {
	family := unix.AF_INET
	if cfg.Listen.Addr().Is6() && !cfg.Listen.Addr().Is4In6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return nil, fmt.Errorf("opening a UDP socket: %w", err)
	}
	c := &Conn{fd: fd, wanted: cfg.Buffer, turn: cfg.Turn}
	if err := c.setUp(cfg, family); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return c, nil
}

func (c *Conn) setUp(cfg Config, family int) error {
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	if err := c.setBuffer(cfg.Buffer); err != nil {
		return err
	}
	tv := unix.NsecToTimeval(int64(cfg.Timeout))
	if err := unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		return fmt.Errorf("setting the receive timeout: %w", err)
	}
	if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1); err != nil {
		return fmt.Errorf("asking for the count of drops: %w", err)
	}
	if !cfg.NoGRO {
		// A kernel without it delivers datagrams one by one, which is as good.
		_ = unix.SetsockoptInt(c.fd, unix.IPPROTO_UDP, unix.UDP_GRO, 1)
	}
	if cfg.Interface != "" {
		if err := unix.BindToDevice(c.fd, cfg.Interface); err != nil {
			return fmt.Errorf("binding to the interface %s: %w", cfg.Interface, err)
		}
		if err := c.device.open(c.fd, cfg.Interface); err != nil {
			return err
		}
	}
	if err := unix.Bind(c.fd, sockaddr(cfg.Listen, family)); err != nil {
		return fmt.Errorf("binding: %w", err)
	}
	if err := c.readLocal(); err != nil {
		return err
	}
	c.batch = mergedBatch
	c.memory = make([]byte, singleBatch*messageStride) // mostly never touched
	for i := range c.msgs {
		c.iovs[i].Base = &c.memory[i*messageStride]
		c.iovs[i].SetLen(messageSize)
		c.msgs[i].hdr.Iov = &c.iovs[i]
		c.msgs[i].hdr.SetIovlen(1)
		c.msgs[i].hdr.Control = &c.control[i][0]
	}
	return nil
}

// setBuffer forces the size where that is permitted (CAP_NET_ADMIN) and takes
// what net.core.rmem_max allows elsewhere.
func (c *Conn) setBuffer(size int) error {
	if size > 0 && unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, size) != nil {
		if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, size); err != nil {
			return fmt.Errorf("setting the receive buffer to %d bytes: %w", size, err)
		}
	}
	doubled, err := unix.GetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return fmt.Errorf("reading the receive buffer back: %w", err)
	}
	c.buffer = doubled / 2 // the kernel doubles the value for its own use, socket(7)
	return nil
}

func (c *Conn) readLocal() error {
	sa, err := unix.Getsockname(c.fd)
	if err != nil {
		return fmt.Errorf("reading the local address: %w", err)
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		c.local = netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		c.local = netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return nil
}

func sockaddr(a netip.AddrPort, family int) unix.Sockaddr {
	if family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().Unmap().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// Buffer returns the size of the receive buffer in bytes, as it is in force.
func (c *Conn) Buffer() int { return c.buffer }

// LocalAddr returns the address that the socket is bound to.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Warning returns what to tell the operator when the system gave a smaller
// receive buffer than was asked for, or "".
func (c *Conn) Warning() string {
	if c.buffer >= c.wanted {
		return ""
	}
	return fmt.Sprintf("the receive buffer is %d bytes, %d were asked for, and bursts may be lost: run `sysctl -w net.core.rmem_max=%d` and start again", c.buffer, c.wanted, c.wanted)
}

// Receive waits for datagrams and calls handle for each that came, in order. It
// returns how many; 0 after the timeout. The bytes belong to handle until it
// returns. It is to be called from one goroutine, best locked to its thread,
// and returns net.ErrClosed after Close.
func (c *Conn) Receive(handle func(datagram []byte)) (int, error) {
	n, err := c.recvmmsg()
	if err != nil || n == 0 {
		return 0, err
	}
	if c.turn != nil {
		c.turn.Lock()
		defer c.turn.Unlock()
	}
	count := 0
	for i := range n {
		count += c.deliver(i, handle)
	}
	c.batch = singleBatch
	if count > n {
		c.batch = mergedBatch
	}
	c.datagrams.Add(uint64(count))
	return count, nil
}

func (c *Conn) recvmmsg() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return 0, net.ErrClosed
	}
	for i := range c.msgs[:c.batch] {
		c.msgs[i].hdr.SetControllen(controlSize)
		c.msgs[i].hdr.Flags = 0
	}
	// What is there already, or comes soon, is taken without telling the runtime.
	n, errno := c.taken()
	if errno == unix.EAGAIN && c.soon() {
		n, errno = c.taken()
	}
	if errno == unix.EAGAIN {
		n, _, errno = unix.Syscall6(unix.SYS_RECVMMSG, uintptr(c.fd),
			uintptr(unsafe.Pointer(&c.msgs[0])), uintptr(c.batch), unix.MSG_WAITFORONE, 0, 0)
	}
	switch {
	case errno == 0:
		return int(n), nil
	case errors.Is(errno, unix.EAGAIN):
		return 0, c.device.replaced(c.fd)
	case errors.Is(errno, unix.EINTR), errors.Is(errno, unix.ECONNREFUSED):
		return 0, nil
	}
	return 0, fmt.Errorf("receiving: %w", errno)
}

// taken is the call that waits for nothing.
func (c *Conn) taken() (uintptr, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(c.fd),
		uintptr(unsafe.Pointer(&c.msgs[0])), uintptr(c.batch), unix.MSG_DONTWAIT, 0, 0)
	return n, errno
}

// soon waits for datagrams, for no longer than brief, and reports whether any came. A
// call that the runtime knows of makes its watchman look every 20 us whether to give the
// thread's place away, and the thread queue for one: 4 % of the CPU time at gigabits a
// second. So this one keeps the place, and thereby a collection of garbage for as long.
func (c *Conn) soon() bool {
	fd, most := unix.PollFd{Fd: int32(c.fd), Events: unix.POLLIN}, unix.NsecToTimespec(int64(brief))
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fd)), 1, uintptr(unsafe.Pointer(&most)), 0, 0, 0)
	return errno == 0 && n > 0
}

// deliver cuts message i into its datagrams.
func (c *Conn) deliver(i int, handle func([]byte)) int {
	h := &c.msgs[i].hdr
	segment := c.readControl(c.control[i][:h.Controllen])
	if h.Flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		c.truncatedCount.Add(1)
		return 0
	}
	rest := c.memory[i*messageStride:][:c.msgs[i].len]
	c.bytes.Add(uint64(len(rest)))
	if segment <= 0 || segment >= len(rest) {
		handle(rest)
		return 1
	}
	count := 0
	for ; len(rest) > 0; count++ {
		part := rest[:min(segment, len(rest))]
		handle(part)
		rest = rest[len(part):]
	}
	return count
}

// readControl returns the segment size of a merged datagram, 0 for a single
// one, and follows the kernel's count of drops.
func (c *Conn) readControl(b []byte) (segment int) {
	for len(b) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
		size := int(h.Len)
		if size < unix.CmsgLen(4) || size > len(b) {
			return segment
		}
		value := *(*uint32)(unsafe.Pointer(&b[unix.CmsgLen(0)]))
		switch {
		case h.Level == unix.IPPROTO_UDP && h.Type == unix.UDP_GRO:
			segment = int(value)
		case h.Level == unix.SOL_SOCKET && h.Type == unix.SO_RXQ_OVFL:
			c.kernelDrops.Add(uint64(value - c.drops))
			c.drops = value
		}
		b = b[min(len(b), unix.CmsgSpace(size-unix.CmsgLen(0))):]
	}
	return segment
}

// Stats returns the counts so far. It may be called from anywhere.
func (c *Conn) Stats() Stats {
	return Stats{
		Datagrams: c.datagrams.Load(), Bytes: c.bytes.Load(),
		KernelDrops: c.kernelDrops.Load(), Truncated: c.truncatedCount.Load(),
	}
}

// Close closes the socket once a Receive that is under way has timed out or
// returned.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return unix.Close(c.fd)
}

// Package udptx sends datagrams and can do nothing else: its socket is never
// read. It sends many at a time: the kernel cuts a super-packet into datagrams
// of one size (UDP_SEGMENT, udp(7)), and one sendmmsg(2) takes several of them.
package udptx

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// maxSegments bounds the datagrams of a super-packet: older kernels take 64.
	maxSegments = 64
	// maxSuper bounds the bytes of a super-packet; larger ones are accepted but
	// sent one by one (they pass the device's gso_max_size).
	maxSuper = 65494
	// batch is how many messages one sendmmsg takes.
	batch = 4
	// plainBatch is how many datagrams one sendmmsg takes without segmentation.
	plainBatch = 64

	fullQueuePause = 50 * time.Microsecond // after ENOBUFS: the device's queue is full
	// blockedMost is how long one call waits for a link that takes nothing, as behind
	// a shaper or a switch that holds it up, before it is looked whether to stop.
	blockedMost = 200 * time.Millisecond
)

// ErrTooLarge is returned when a datagram does not fit the link.
var ErrTooLarge = errors.New("the datagram does not fit the link's MTU: set mtu in the configuration to what `ip link` shows, or raise it with `ip link set dev DEV mtu 9000`")

// ErrStopped is what Send returns after Stop.
var ErrStopped = errors.New("the sending was stopped")

// Config says where to send.
type Config struct {
	To     netip.AddrPort
	Buffer int  // SO_SNDBUF in bytes, 0 for 4 MiB
	NoGSO  bool // never let the kernel cut datagrams
	// Interface, if given, is the only one that is used (SO_BINDTODEVICE, socket(7)).
	Interface string
}

const defaultBuffer = 4 << 20

// Stats counts what was sent.
type Stats struct {
	Datagrams, Bytes uint64
	Refused          uint64 // ECONNREFUSED: an ICMP error came, nobody listens there
	Full             uint64 // ENOBUFS: waited for the device's queue
}

// Conn is a socket that sends. It is not safe for concurrent use, but Stop, Close
// and Stats are.
type Conn struct {
	cfg      Config
	fd       int
	gso      bool
	broken   bool // the socket may be bound to what is not there any more
	closed   atomic.Bool
	stopped  atomic.Bool
	sendmmsg func(n int) (int, error) // hands the first n messages over; replaced by tests

	msgs [plainBatch]mmsghdr
	iovs [plainBatch]unix.Iovec
	cmsg [batch][cmsgSpace]byte

	datagrams, bytes, refused, full atomic.Uint64
}

// mmsghdr is struct mmsghdr of sendmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

const cmsgSpace = 24 // CMSG_SPACE(sizeof(uint16))

// Dial opens a socket to the configured address.
func Dial(c Config) (*Conn, error) {
	if c.Buffer == 0 {
		c.Buffer = defaultBuffer
	}
	fd, err := open(c)
	if err != nil {
		return nil, err
	}
	conn := &Conn{cfg: c, fd: fd}
	conn.sendmmsg = conn.system
	for i := range conn.msgs {
		conn.msgs[i].hdr.Iov = &conn.iovs[i]
		conn.msgs[i].hdr.SetIovlen(1)
	}
	conn.probe()
	return conn, nil
}

// open opens a socket and connects it.
func open(cfg Config) (int, error) {
	family := unix.AF_INET
	if cfg.To.Addr().Is6() && !cfg.To.Addr().Is4In6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_UDP)
	if err != nil {
		return -1, fmt.Errorf("opening a UDP socket: %w", err)
	}
	if err := setUp(fd, cfg, family); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func setUp(fd int, cfg Config, family int) error {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, cfg.Buffer) != nil {
		// Without CAP_NET_ADMIN up to net.core.wmem_max; a smaller one only
		// makes Send wait more often.
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, cfg.Buffer)
	}
	wait := unix.NsecToTimeval(int64(blockedMost))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &wait); err != nil {
		return fmt.Errorf("bounding the time of a call: %w", err)
	}
	// Never fragment: a datagram in two pieces is lost when either is.
	level, opt, do := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO
	if family == unix.AF_INET6 {
		level, opt, do = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO
	}
	if err := unix.SetsockoptInt(fd, level, opt, do); err != nil {
		return fmt.Errorf("forbidding fragments: %w", err)
	}
	if cfg.Interface != "" {
		if err := unix.BindToDevice(fd, cfg.Interface); err != nil {
			return fmt.Errorf("binding a UDP socket to the interface %s: %w", cfg.Interface, err)
		}
	}
	if err := unix.Connect(fd, sockaddr(cfg.To, family)); err != nil {
		return fmt.Errorf("connecting a UDP socket to %s: %w; check the route and the address in the configuration", cfg.To, err)
	}
	return nil
}

// probe finds out whether the kernel knows UDP_SEGMENT: it lets the option be set to
// "off" then.
func (c *Conn) probe() {
	c.gso = !c.cfg.NoGSO && unix.SetsockoptInt(c.fd, unix.IPPROTO_UDP, unix.UDP_SEGMENT, 0) == nil
}

// mend opens the socket anew, in its place: an interface that went away and came back
// is another one to the kernel, perhaps with another address of this host.
func (c *Conn) mend() error {
	if c.closed.Load() {
		return unix.EBADF
	}
	fd, err := open(c.cfg)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Dup3(fd, c.fd, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("replacing a UDP socket: %w", err)
	}
	c.broken = false
	c.probe()
	return nil
}

func sockaddr(to netip.AddrPort, family int) unix.Sockaddr {
	if family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().Unmap().As4()}
	}
	return &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16(), ZoneId: zone(to.Addr().Zone())}
}

// zone returns the index of the interface that a link-local address is on, 0 for none.
func zone(name string) uint32 {
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	n, _ := strconv.ParseUint(name, 10, 32)
	return uint32(n)
}

// GSO reports whether the kernel cuts super-packets for this socket.
func (c *Conn) GSO() bool { return c.gso }

// Send sends frames of size bytes that lie back to back in frames; the last may
// be shorter. It returns when the kernel has taken all of them. ErrTooLarge
// tells that size does not fit the link. After another error, of which some frames may
// have been taken, the next call begins with a socket of its own.
func (c *Conn) Send(frames []byte, size int) error {
	if size < 1 {
		return fmt.Errorf("sending datagrams of %d bytes: %w", size, unix.EINVAL)
	}
	if c.broken {
		if err := c.mend(); err != nil {
			return err
		}
	}
	for len(frames) > 0 {
		n, err := c.sendBatch(frames, size)
		frames = frames[n:]
		if err := c.handle(err); err != nil {
			return err
		}
	}
	return nil
}

// handle decides after an error whether to go on with what was not sent.
func (c *Conn) handle(err error) error {
	switch {
	case err == nil, errors.Is(err, unix.EINTR):
	case c.closed.Load():
		return unix.EBADF
	case c.stopped.Load():
		return ErrStopped
	case errors.Is(err, unix.ECONNREFUSED):
		// An ICMP answer to an earlier datagram. The error was in place of
		// sending; what was not sent is tried again.
		c.refused.Add(1)
	case errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.EAGAIN):
		c.full.Add(1)
		time.Sleep(fullQueuePause)
	case errors.Is(err, unix.EMSGSIZE):
		return ErrTooLarge
	case c.gso && (errors.Is(err, unix.EIO) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)):
		c.gso = false // the driver cannot; from now on one by one
	default:
		c.broken = true
		return fmt.Errorf("sending: %w", err)
	}
	return nil
}

// sendBatch hands up to one sendmmsg worth of frames to the kernel and returns
// the bytes that it took.
func (c *Conn) sendBatch(frames []byte, size int) (int, error) {
	super, most := size, plainBatch
	if c.gso {
		super, most = size*max(1, min(maxSegments, maxSuper/size)), batch
	}
	n := 0
	for rest := frames; len(rest) > 0 && n < most; n++ {
		part := rest[:min(super, len(rest))]
		rest = rest[len(part):]
		c.iovs[n].Base = &part[0]
		c.iovs[n].SetLen(len(part))
		c.setSegment(n, len(part), size)
	}
	sent, err := c.sendmmsg(n)
	taken := min(sent*super, len(frames))
	c.datagrams.Add(uint64((taken + size - 1) / size))
	c.bytes.Add(uint64(taken))
	return taken, err
}

// setSegment tells the kernel where to cut message i, if it has more than one
// datagram.
func (c *Conn) setSegment(i, length, size int) {
	h := &c.msgs[i].hdr
	if length <= size {
		h.Control = nil
		h.SetControllen(0)
		return
	}
	b := &c.cmsg[i]
	hdr := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	hdr.Level, hdr.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	hdr.SetLen(unix.CmsgLen(2))
	*(*uint16)(unsafe.Pointer(&b[unix.CmsgLen(0)])) = uint16(size)
	h.Control = &b[0]
	h.SetControllen(cmsgSpace)
}

// system is sendmmsg(2). It reports an error only where not one message was taken.
// The first try does not wait and is not told to the runtime, which would watch
// over each call: that costs several per cent of a CPU at a few gigabits a second.
func (c *Conn) system(n int) (int, error) {
	sent, _, errno := unix.RawSyscall6(unix.SYS_SENDMMSG, uintptr(c.fd),
		uintptr(unsafe.Pointer(&c.msgs[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno == unix.EAGAIN {
		sent, _, errno = unix.Syscall6(unix.SYS_SENDMMSG, uintptr(c.fd),
			uintptr(unsafe.Pointer(&c.msgs[0])), uintptr(n), 0, 0, 0)
	}
	if errno != 0 {
		return 0, errno
	}
	return int(sent), nil
}

// Stats returns the counts so far.
func (c *Conn) Stats() Stats {
	return Stats{Datagrams: c.datagrams.Load(), Bytes: c.bytes.Load(), Refused: c.refused.Load(), Full: c.full.Load()}
}

// Stop makes a Send that waits for the link return soon.
func (c *Conn) Stop() { c.stopped.Store(true) }

// Close closes the socket. Send must not run any more.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return unix.Close(c.fd)
}

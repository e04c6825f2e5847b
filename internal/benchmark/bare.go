package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/udprx"
	"weir/internal/udptx"
)

// bareCommand is the first argument of the program when it is one end of a bare
// pair: sockets that send and receive as weir's do, and do no work.
const bareCommand = "bare"

const (
	bareBuffer  = 64 << 20
	bareAddress = recvAddr + ":4601"
	bareSupers  = 4 // super-packets handed over at once
	// bareLast is how long a receiver waits for more.
	bareLast = 300 * time.Millisecond
)

// bare measures the pair: what the receiver got, over the time that it took.
func (b *bench) bare(ctx context.Context, s setup) (o outcome, err error) {
	self, err := os.Executable()
	if err != nil {
		return o, err
	}
	recv, err := start(ctx, b.hosts.recv, b.cpu(1), self, bareCommand, "recv")
	if err != nil {
		return o, err
	}
	if _, err := recv.await(ctx, "ready"); err != nil {
		return o, err
	}
	send, err := start(ctx, b.hosts.send, b.cpu(0), self, bareCommand, "send", fmt.Sprint(s.mtu), fmt.Sprint(int64(b.opt.size)))
	if err != nil {
		return o, err
	}
	if o.send, err = send.wait(); err != nil {
		return o, err
	}
	if o.recv, err = recv.wait(); err != nil {
		return o, err
	}
	_, line, ok := recv.find("got ")
	if !ok {
		return o, fmt.Errorf("the bare receiver got nothing: %s", recv.log())
	}
	var ns int64
	_, err = fmt.Sscanf(line, "got %d in %d", &o.bytes, &ns)
	o.took = time.Duration(ns)
	return o, err
}

// bareEnd is the program at one end.
func bareEnd(args []string) error {
	switch {
	case len(args) > 0 && args[0] == "recv":
		return bareReceive()
	case len(args) == 2 && args[0] == "paced":
		return barePaced(args[1])
	case len(args) == 2 && args[0] == "timed":
		return bareTimed(args[1])
	}
	if len(args) != 3 {
		return fmt.Errorf("%s send MTU BYTES, or %s recv", bareCommand, bareCommand)
	}
	mtu, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	total, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	return bareSend(mtu, total)
}

func bareSend(mtu int, total int64) error {
	c, err := udptx.Dial(udptx.Config{To: netip.MustParseAddrPort(bareAddress)})
	if err != nil {
		return err
	}
	defer c.Close()
	size := mtu - 28 // IPv4 and UDP
	supers := make([]byte, bareSupers*(65494/size)*size)
	for sent := int64(0); sent < total; sent += int64(len(supers)) {
		if err := c.Send(supers, size); err != nil {
			return err
		}
	}
	return nil
}

func bareReceive() error {
	c, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort(bareAddress), Buffer: bareBuffer, Timeout: bareLast})
	if err != nil {
		return err
	}
	defer c.Close()
	fmt.Fprintln(os.Stdout, "ready")
	var bytes int64
	var first, last time.Time
	for {
		n, err := c.Receive(func(b []byte) { bytes += int64(len(b)) })
		if err != nil && err != unix.EINTR {
			return err
		}
		now := time.Now()
		switch {
		case n > 0 && first.IsZero():
			first = now
		case n == 0 && !first.IsZero():
			_, err := fmt.Fprintf(os.Stdout, "got %d in %d\n", bytes, last.Sub(first).Nanoseconds())
			return err
		}
		if n > 0 {
			last = now
		}
	}
}

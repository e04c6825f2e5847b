// Package nic reads what the network card that holds an address has dropped or
// found damaged, as far as its driver tells (sysfs, class/net/NAME/statistics).
// The files are opened once: a confined process can read them on.
package nic

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// counters are the files that count packets which came and were not handed on.
// See Documentation/networking/statistics.rst of Linux: the kinds of rx_errors
// are in it, what the card had no room for is in rx_missed_errors alone.
var counters = []string{"rx_errors", "rx_dropped", "rx_missed_errors"}

const (
	classNet = "/sys/class/net"
	loopback = "lo"
)

// Card is the counters of one network card.
type Card struct {
	Name  string
	files []*os.File
	first uint64 // what they said when they were opened
}

// ErrNone is returned where no card holds the address.
var ErrNone = errors.New("no network card holds this address")

// Open opens the counters of the card that holds addr. An unspecified address
// belongs to no card in particular.
func Open(addr netip.Addr) (*Card, error) {
	name, err := find(addr.Unmap())
	if err != nil {
		return nil, err
	}
	c := &Card{Name: name}
	for _, counter := range counters {
		f, err := os.Open(filepath.Join(classNet, name, "statistics", counter))
		if err != nil {
			c.Close()
			return nil, fmt.Errorf("reading the counters of %s: %w", name, err)
		}
		c.files = append(c.files, f)
	}
	c.first = c.sum()
	return c, nil
}

// find returns the name of the card. The usual way, netlink, would link calls
// that send.
func find(addr netip.Addr) (string, error) {
	switch {
	case addr.IsLoopback():
		return loopback, nil
	case addr.IsUnspecified():
		return "", ErrNone
	case addr.Is6():
		return find6(addr)
	}
	names, err := os.ReadDir(classNet)
	if err != nil {
		return "", fmt.Errorf("listing the network cards: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("asking for the addresses of network cards: %w", err)
	}
	defer unix.Close(s)
	for _, n := range names {
		r, err := unix.NewIfreq(n.Name())
		if err != nil || unix.IoctlIfreq(s, unix.SIOCGIFADDR, r) != nil {
			continue // it has no IPv4 address
		}
		if b, err := r.Inet4Addr(); err == nil && [4]byte(b) == addr.As4() {
			return n.Name(), nil
		}
	}
	return "", ErrNone
}

// find6 looks in the kernel's list: address in hex, four numbers, name.
func find6(addr netip.Addr) (string, error) {
	text, err := os.ReadFile("/proc/net/if_inet6")
	if err != nil {
		return "", fmt.Errorf("listing the addresses of network cards: %w", err)
	}
	want := fmt.Sprintf("%x", addr.AsSlice())
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 6 && f[0] == want {
			return f[5], nil
		}
	}
	return "", ErrNone
}

// Dropped returns how many packets were dropped or damaged since Open.
func (c *Card) Dropped() uint64 {
	if c == nil {
		return 0
	}
	now := c.sum()
	if now < c.first { // the driver was loaded anew
		c.first = 0
	}
	return now - c.first
}

func (c *Card) sum() (total uint64) {
	var b [32]byte
	for _, f := range c.files {
		n, _ := f.ReadAt(b[:], 0)
		v, err := strconv.ParseUint(string(bytes.TrimSpace(b[:n])), 10, 64)
		if err == nil {
			total += v
		}
	}
	return total
}

// Close closes the files.
func (c *Card) Close() {
	if c == nil {
		return
	}
	for _, f := range c.files {
		f.Close()
	}
}

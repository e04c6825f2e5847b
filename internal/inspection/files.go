package inspection

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Host is where the kernel tells of itself.
type Host struct {
	Proc, Sys string
}

// Here is the host that this process runs on.
var Here = Host{"/proc", "/sys"}

// maxFile bounds what is read of one file, in bytes; a table of routes may be
// long.
const maxFile = 16 << 20

func read(elem ...string) string {
	path := filepath.Join(elem...)
	if info, err := os.Stat(path); err != nil || info.Size() > maxFile {
		return ""
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Sysctl returns a kernel setting by its path below /proc/sys, "" where the
// kernel does not have it.
func (h Host) Sysctl(path string) string { return read(h.Proc, "sys", path) }

// SysctlNumber is Sysctl as a number; ok is false where it is none.
func (h Host) SysctlNumber(path string) (n int64, ok bool) {
	n, err := strconv.ParseInt(h.Sysctl(path), 10, 64)
	return n, err == nil
}

// Device returns a property of a network interface, "" where it has none.
func (h Host) Device(name, property string) string {
	return read(h.Sys, "class/net", name, property)
}

// DeviceNumber is Device as a number, decimal or 0x; ok is false where it is none.
func (h Host) DeviceNumber(name, property string) (n int64, ok bool) {
	n, err := strconv.ParseInt(h.Device(name, property), 0, 64)
	return n, err == nil
}

// Table returns the fields of the lines of a file below /proc, the heading left
// out.
func (h Host) Table(path string, heading bool) (rows [][]string) {
	for line := range strings.Lines(read(h.Proc, path)) {
		if heading {
			heading = false
			continue
		}
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// Flags of a network interface, netdevice(7).
const (
	flagUp        = 1 << 0
	flagLoopback  = 1 << 3
	flagNoARP     = 1 << 7
	flagMulticast = 1 << 12
)

// Link is what a network interface says of itself.
type Link struct {
	Name                           string
	Up, Loopback, NoARP, Multicast bool
	MTU                            int64
	Speed                          int64 // Mbit/s, 0 where it does not say
	Address                        string
	Sent                           int64 // frames
}

// Link reads what an interface says of itself.
func (h Host) Link(name string) Link {
	flags, _ := h.DeviceNumber(name, "flags")
	l := Link{
		Name: name, Up: flags&flagUp != 0, Loopback: flags&flagLoopback != 0,
		NoARP: flags&flagNoARP != 0, Multicast: flags&flagMulticast != 0, Address: h.Device(name, "address"),
	}
	l.MTU, _ = h.DeviceNumber(name, "mtu")
	l.Sent, _ = h.DeviceNumber(name, "statistics/tx_packets")
	if speed, ok := h.DeviceNumber(name, "speed"); ok && speed > 0 {
		l.Speed = speed
	}
	return l
}

package inspection

import (
	"bytes"
	"fmt"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Commands of the ethtool ioctl that read, linux/ethtool.h.
const (
	ringParameters = 0x10 // ETHTOOL_GRINGPARAM
	// SendOffload and ReceiveOffload are what kernel and driver cut and merge.
	SendOffload    = 0x23 // ETHTOOL_GGSO
	ReceiveOffload = 0x2b // ETHTOOL_GGRO
)

const (
	siocEthtool = 0x8946 // SIOCETHTOOL
	siocConf    = 0x8912 // SIOCGIFCONF
	maxAddress  = 1024   // addresses that are looked at
)

// address is struct ifreq, netdevice(7), with an address in it.
type address struct {
	name [unix.IFNAMSIZ]byte
	data [24]byte
}

// pointer is struct ifreq with a pointer in it.
type pointer struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// ioctl makes one call that reads on a socket of its own, on which nothing is
// ever sent.
func ioctl(command uintptr, argument unsafe.Pointer) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	defer unix.Close(fd)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), command, uintptr(argument)); errno != 0 {
		return errno
	}
	return nil
}

func ethtool(name string, data unsafe.Pointer) error {
	r := pointer{data: data}
	copy(r.name[:unix.IFNAMSIZ-1], name)
	return ioctl(siocEthtool, unsafe.Pointer(&r))
}

func ethtoolValue(name string, command uint32) (uint32, error) {
	v := [2]uint32{command}
	err := ethtool(name, unsafe.Pointer(&v))
	return v[1], err
}

// Ring returns how many frames the interface can hold for the kernel, and how
// many it could.
func Ring(name string) (now, most uint32, err error) {
	v := [9]uint32{ringParameters} // struct ethtool_ringparam: rx_max_pending is 1, rx_pending is 5
	err = ethtool(name, unsafe.Pointer(&v))
	return v[5], v[1], err
}

// holder returns the interface that has an IPv4 address, "" if none has.
func holder(wanted netip.Addr) (string, error) {
	var list [maxAddress]address
	conf := struct {
		length int32
		_      [4]byte
		list   unsafe.Pointer
	}{length: int32(unsafe.Sizeof(list)), list: unsafe.Pointer(&list)}
	if err := ioctl(siocConf, unsafe.Pointer(&conf)); err != nil {
		return "", fmt.Errorf("listing the addresses of this host: %w", err)
	}
	for _, r := range list[:int(conf.length)/int(unsafe.Sizeof(list[0]))] {
		// struct sockaddr_in: family, port, address
		if netip.AddrFrom4([4]byte(r.data[4:8])) == wanted {
			label := string(bytes.TrimRight(r.name[:], "\x00"))
			name, _, _ := bytes.Cut([]byte(label), []byte(":")) // of an alias, as eth0:1
			return string(name), nil
		}
	}
	return "", nil
}

// Holder returns the interface that has the address, "" if none has.
func (h Host) Holder(wanted netip.Addr) (string, error) {
	wanted = wanted.Unmap()
	if wanted.Is4() {
		return holder(wanted)
	}
	hex := fmt.Sprintf("%x", wanted.As16())
	for _, row := range h.Table("net/if_inet6", false) {
		if len(row) == 6 && row[0] == hex {
			return row[5], nil
		}
	}
	return "", nil
}

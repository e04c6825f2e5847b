// Package inbound inspects the host of a vault: can everything that comes be
// stored, and does nothing leave.
package inbound

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/internal/inspection"
)

// Config is what weir-recv is to be run with.
type Config struct {
	Listen  netip.AddrPort
	Keys    []string
	Vault   string
	MinFree func(total int64) int64 // bytes of a disk of so many
	Memory  int64                   // bytes
	Buffer  int64                   // bytes
	Offload bool
}

// inspection of one host.
type host struct {
	inspection.Host
	inspection.Report
	cfg  Config
	link inspection.Link
}

// Inspect looks at this host.
func Inspect(c Config) (inspection.Report, error) {
	h := &host{Host: inspection.Here, cfg: c}
	name, err := h.Holder(c.Listen.Addr())
	if err != nil {
		return nil, err
	}
	if h.hasLink(name) {
		h.silence()
		h.reception()
	}
	h.Buffer(h.Host, "rmem_max", c.Buffer)
	h.Memory(h.Host, c.Memory)
	h.disk()
	h.Clock()
	for _, key := range c.Keys {
		h.Key(key)
	}
	h.kernel()
	return h.Report, nil
}

// hasLink looks for the interface at the link. That of loopback is for trials: it
// leads nowhere.
func (h *host) hasLink(name string) bool {
	addr := h.cfg.Listen.Addr()
	switch {
	case addr.IsUnspecified():
		h.Bad("address", "", "%s stands for every interface: set listen to the address of the one at the link", addr)
		return false
	case name == "":
		h.Bad("address", fmt.Sprintf("ip addr add %s/%d dev INTERFACE", addr, prefixOf(addr)), "no interface has %s", addr)
		return false
	case addr.Is6() && !addr.Is4In6():
		h.Bad("address", "", "IPv6 cannot be silent: neighbour discovery answers whoever asks; use an IPv4 address")
	default:
		h.OK("address", "%s is on %s", addr, name)
	}
	h.link = h.Link(name)
	if h.link.Loopback {
		h.OK("interface", "%s is loopback, which is for trials: nothing leaves this host", name)
		return false
	}
	return h.Running(h.link)
}

func prefixOf(a netip.Addr) int {
	if a.Is4() {
		return 32
	}
	return 128
}

// silence looks for everything that makes the kernel send of its own accord.
func (h *host) silence() {
	h.arp()
	h.ipv6()
	h.routes()
	h.filter()
	h.echo()
	h.multicast()
	h.sent()
}

func (h *host) arp() {
	if h.link.NoARP {
		h.OK("arp", "%s neither asks nor answers", h.link.Name)
		return
	}
	h.Bad("arp", "ip link set dev "+h.link.Name+" arp off",
		"%s answers whoever asks for its address; the sender has a static entry instead: ip neigh replace %s lladdr %s nud permanent dev INTERFACE",
		h.link.Name, h.cfg.Listen.Addr(), h.link.Address)
}

func (h *host) ipv6() {
	path := "net/ipv6/conf/" + h.link.Name + "/disable_ipv6"
	if v := h.Sysctl(path); v == "0" {
		h.Bad("ipv6", "sysctl -w "+path+"=1", "%s sends router solicitations, duplicate address detection and multicast reports", h.link.Name)
		return
	}
	h.OK("ipv6", "off on %s", h.link.Name)
}

// routes looks whether an answer could find its way. Without a route the kernel
// cannot send one, not even that a port is closed while weir-recv does not run.
func (h *host) routes() {
	var over []string
	for _, row := range h.Table("net/route", true) {
		if len(row) > 1 && row[0] == h.link.Name {
			over = append(over, row[1])
		}
	}
	if len(over) == 0 {
		h.OK("routes", "none leads over %s: an answer has no way out", h.link.Name)
		return
	}
	h.Bad("routes", "ip route flush dev "+h.link.Name,
		"routes over %[2]s: %[1]d; while weir-recv does not run, the kernel answers each frame with ICMP port unreachable", len(over), h.link.Name)
}

// filter looks whether frames of a sender to which no route leads are taken.
func (h *host) filter() {
	all, _ := h.SysctlNumber("net/ipv4/conf/all/rp_filter")
	own, _ := h.SysctlNumber("net/ipv4/conf/" + h.link.Name + "/rp_filter")
	if max(all, own) == 0 {
		h.OK("rp_filter", "off: frames are taken though no route leads back")
		return
	}
	h.Bad("rp_filter", fmt.Sprintf("sysctl -w net/ipv4/conf/all/rp_filter=0 net/ipv4/conf/%s/rp_filter=0", h.link.Name),
		"%d: without a route back to the sender everything that comes is dropped", max(all, own))
}

func (h *host) echo() {
	if v := h.Sysctl("net/ipv4/icmp_echo_ignore_all"); v == "1" {
		h.OK("ping", "is not answered")
		return
	}
	h.Warn("ping", "sysctl -w net.ipv4.icmp_echo_ignore_all=1", "it is answered wherever a route leads back")
}

func (h *host) multicast() {
	if !h.link.Multicast {
		h.OK("multicast", "off on %s", h.link.Name)
		return
	}
	h.Warn("multicast", "ip link set dev "+h.link.Name+" multicast off", "whoever joins a group on %s makes the kernel send IGMP reports", h.link.Name)
}

// sent tells what has left. It is the one finding that nothing mends.
func (h *host) sent() {
	if h.link.Sent == 0 {
		h.OK("frames sent", "0 since %s is there", h.link.Name)
		return
	}
	h.Warn("frames sent", strings.Join([]string{
		"nft add table netdev weir",
		"nft add chain netdev weir out '{ type filter hook egress device " + h.link.Name + " priority 0; policy drop; }'",
	}, "; "), "%d since %s is there; a filter at its exit keeps back whatever else talks there, and the number should not grow", h.link.Sent, h.link.Name)
}

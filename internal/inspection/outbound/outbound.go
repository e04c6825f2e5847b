// Package outbound inspects the host of a sender: do its frames find the way to
// the vault without anything that would have to come back.
package outbound

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"weir/internal/inspection"
)

// Config is what weir-send is to be run with.
type Config struct {
	To      netip.AddrPort
	MTU     int
	Rate    int64 // bits per second
	Key     string
	Memory  int64 // bytes
	Buffer  int64 // bytes
	Offload bool
}

// Buffer is what internal/udptx asks for, in bytes.
const Buffer = 4 << 20

// host is the inspection of one host.
type host struct {
	inspection.Host
	inspection.Report
	cfg  Config
	link inspection.Link
}

// Inspect looks at this host.
func Inspect(c Config) (inspection.Report, error) {
	h := &host{Host: inspection.Here, cfg: c}
	if hop, ok := h.route(); ok {
		h.neighbour(hop)
		h.mtu()
		h.speed()
		h.queue()
		h.Offload(h.link.Name, "gso", inspection.SendOffload, c.Offload)
	}
	h.Buffer(h.Host, "wmem_max", c.Buffer)
	h.Memory(h.Host, c.Memory)
	h.Clock()
	h.Key(c.Key)
	return h.Report, nil
}

// route finds the interface and the next hop.
func (h *host) route() (hop net.IP, ok bool) {
	to := net.IP(h.cfg.To.Addr().Unmap().AsSlice())
	routes, err := netlink.RouteGet(to)
	if err != nil || len(routes) == 0 {
		h.Bad("route", fmt.Sprintf("ip link set dev INTERFACE up; ip route add %s dev INTERFACE", to), "no way leads to %s: %v", to, err)
		return nil, false
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		h.Bad("route", "", "the interface to %s: %v", to, err)
		return nil, false
	}
	h.link = h.Link(link.Attrs().Name)
	if h.link.Loopback {
		h.OK("route", "%s is on this host, which is for trials", to)
		return nil, false
	}
	hop = to
	if gw := routes[0].Gw; gw != nil {
		hop = gw
		h.Warn("route", fmt.Sprintf("ip route replace %s dev INTERFACE", to), "%s is reached through the gateway %s: put the sender right before the one-way link", to, gw)
	} else {
		h.OK("route", "%s is straight behind %s", to, h.link.Name)
	}
	h.address(routes[0].Src, to)
	return hop, h.Running(h.link)
}

// address looks for the one that frames are sent from. Where no interface has any the
// kernel sends from 0.0.0.0, and that of the vault drops it without a word. Any other
// serves, as nothing is ever sent there: that beside the vault's is proposed.
func (h *host) address(from, to net.IP) {
	if from != nil && !from.IsUnspecified() {
		h.OK("address", "%s is sent from", from)
		return
	}
	beside := slices.Clone(to)
	beside[len(beside)-1] ^= 1
	h.Bad("address", fmt.Sprintf("ip addr add %s/%d dev %s", beside, 8*len(beside), h.link.Name),
		"%s has none, so frames leave with none to say where they come from, and the vault's host drops them", h.link.Name)
}

// neighbour looks for the hardware address of the next hop, which nobody will
// tell when it is asked for.
func (h *host) neighbour(hop net.IP) {
	if h.link.NoARP {
		h.OK("neighbour", "%s needs none", h.link.Name)
		return
	}
	link, err := netlink.LinkByName(h.link.Name)
	if err != nil {
		h.Warn("neighbour", "", "%v", err)
		return
	}
	all, err := netlink.NeighList(link.Attrs().Index, netlink.FAMILY_ALL)
	if err != nil {
		h.Warn("neighbour", "", "%v", err)
		return
	}
	for _, n := range all {
		if n.IP.Equal(hop) && n.State&netlink.NUD_PERMANENT != 0 {
			h.OK("neighbour", "%s is %s, for good", hop, n.HardwareAddr)
			return
		}
	}
	h.Bad("neighbour", fmt.Sprintf("ip neigh replace %s lladdr VAULTS-MAC nud permanent dev %s", hop, h.link.Name),
		"no static entry for %s: nothing leaves until somebody answers ARP, and over a one-way link nobody does; `weir-recv check` prints the address", hop)
}

func (h *host) mtu() {
	if int64(h.cfg.MTU) > h.link.MTU {
		h.Bad("mtu", fmt.Sprintf("ip link set dev %s mtu %d", h.link.Name, h.cfg.MTU), "%d on %s, %d in the configuration: the largest frames do not leave", h.link.MTU, h.link.Name, h.cfg.MTU)
		return
	}
	h.OK("mtu", "%d on %s, %d in the configuration", h.link.MTU, h.link.Name, h.cfg.MTU)
}

func (h *host) speed() {
	const mbit = 1e6
	switch {
	case h.link.Speed == 0:
		h.OK("speed", "%s does not tell", h.link.Name)
	case h.cfg.Rate > h.link.Speed*mbit:
		h.Bad("speed", "", "%d Mbit/s on %s, %d in the configuration: lower rate, or frames are lost before they leave", h.link.Speed, h.link.Name, h.cfg.Rate/mbit)
	default:
		h.OK("speed", "%d Mbit/s, of which %d are used", h.link.Speed, h.cfg.Rate/mbit)
	}
}

// queues that are known to be good or bad for frames that are paced already.
var queues = map[string]string{
	"netem":    "it loses and delays frames on purpose",
	"tbf":      "it drops what is above its own rate",
	"htb":      "it may hold frames back behind those of others",
	"hfsc":     "it may hold frames back behind those of others",
	"cake":     "it drops frames when it thinks that the link is full",
	"fq_codel": "it drops frames when they wait too long, as before an interface that is slower than rate",
	"codel":    "it drops frames when they wait too long, as before an interface that is slower than rate",
	"red":      "it drops frames at random",
	"pie":      "it drops frames at random",
	"sfq":      "it reorders and drops frames",
}

func (h *host) queue() {
	link, err := netlink.LinkByName(h.link.Name)
	if err != nil {
		h.Warn("qdisc", "", "%v", err)
		return
	}
	all, err := netlink.QdiscList(link)
	if err != nil {
		h.Warn("qdisc", "", "it cannot be listed: %v", err)
		return
	}
	for _, q := range all {
		if why := queues[q.Type()]; why != "" {
			h.Warn("qdisc", fmt.Sprintf("tc qdisc replace dev %s root pfifo limit 10000", h.link.Name), "%s: %s", q.Type(), why)
			return
		}
	}
	h.OK("qdisc", "nothing on %s that drops frames", h.link.Name)
}

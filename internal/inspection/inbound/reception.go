package inbound

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock/syscall"

	"weir/internal/inspection"
	"weir/protocol"
)

// leastMTU is what an announce needs.
const leastMTU = 1500

// reception looks at what makes frames get lost before weir-recv sees them.
func (h *host) reception() {
	h.mtu()
	h.ring()
	h.Offload(h.link.Name, "gro", inspection.ReceiveOffload, h.cfg.Offload)
	if v := h.Sysctl("net/ipv4/ip_forward"); v == "1" {
		h.Warn("forwarding", "sysctl -w net.ipv4.ip_forward=0", "this host passes on what is not for it, from one network to the other")
	}
}

func (h *host) mtu() {
	switch {
	case h.link.MTU < leastMTU:
		h.Bad("mtu", fmt.Sprintf("ip link set dev %s mtu %d", h.link.Name, leastMTU), "%d: an announce needs %d", h.link.MTU, leastMTU)
	default:
		h.OK("mtu", "%d; the sender's mtu may be up to that, and at most %d", h.link.MTU, protocol.MaxFrame+28)
	}
}

func (h *host) ring() {
	now, most, err := inspection.Ring(h.link.Name)
	switch {
	case err != nil || most == 0:
		h.OK("ring", "%s does not tell", h.link.Name)
	case now < most:
		h.Warn("ring", fmt.Sprintf("ethtool -G %s rx %d", h.link.Name, most), "%d frames of %d: a busy moment of this host loses frames", now, most)
	default:
		h.OK("ring", "%d frames, which is all there are", now)
	}
}

// kernel looks whether the receiver can be confined.
func (h *host) kernel() {
	const least = 2 // the first with renames between directories
	if v, err := syscall.LandlockGetABIVersion(); err != nil || v < least {
		h.Warn("landlock", "", "this kernel does not have it: weir-recv will not be kept from files outside of the vault; use Linux 5.19 or newer with lsm=landlock among its parameters")
	} else {
		h.OK("landlock", "version %d", v)
	}
	if h.Sysctl("kernel/seccomp/actions_avail") == "" {
		h.Bad("seccomp", "", "this kernel does not have it: nothing would keep weir-recv from sending")
	} else {
		h.OK("seccomp", "there")
	}
}

package config

import (
	"net/netip"
	"strings"

	"golang.org/x/sys/unix"

	"weir/protocol"
)

// Lane is one [[lane]]: one of several links that carry the same blocks.
type Lane struct {
	Address   netip.AddrPort // of the receiver's end
	Interface string         // of this host, "" for the one that the routes say
	CPU       int            // on which the receiver serves it, AnyCPU for any
}

// CPUs have numbers from 0 on.
const (
	AnyCPU = -1
	MaxCPU = 1023 // sched_setaffinity(2) with a mask of 1024 bits
)

// receives is the key under which a receiver's lane has its address.
const receives = "listen"

// readCPU reads the number of a CPU.
func readCPU(t *table, cpu *int) {
	*cpu = AnyCPU
	t.integer("cpu", cpu)
	if _, given := t.values["cpu"]; given && (*cpu < 0 || *cpu > MaxCPU) {
		t.problem("cpu", "%d is no CPU, write a number that `lscpu` shows, or leave the line out", *cpu)
	}
}

// readLanes reads where the link is: one address under key, or a table for each
// lane. It returns at least one lane where all is well, the first of them in single.
func readLanes(t *table, key string, single *netip.AddrPort, cpu *int) (all []Lane) {
	_, given := t.values[key]
	readAddress(t, key, single)
	readCPU(t, cpu)
	elements := t.tables("lane")
	if len(elements) == 0 {
		t.need(key)
		return []Lane{{Address: *single, CPU: *cpu}}
	}
	if *cpu != AnyCPU && key == receives {
		t.problem("cpu", "each lane has a thread of its own: write this line into the [[lane]] tables")
	}
	if given {
		t.problem(key, "the [[lane]] tables say this for each lane: delete this line, and write a table for each lane")
	}
	if len(elements) > protocol.MaxLanes {
		t.problem("lane", "there are %d, at most %d can be", len(elements), protocol.MaxLanes)
	}
	for _, e := range elements {
		all = append(all, readLane(e, key))
		checkLane(e, all)
	}
	*single = all[0].Address
	return all
}

func readLane(t *table, key string) (l Lane) {
	readAddress(t, key, &l.Address)
	t.str("interface", &l.Interface)
	if l.CPU = AnyCPU; key == receives {
		readCPU(t, &l.CPU)
	}
	t.end()
	t.need(key)
	if len(l.Interface) >= unix.IFNAMSIZ || strings.ContainsAny(l.Interface, "/ \t\n\x00") {
		t.problem("interface", "%q is no name of an interface, write one that `ip link` shows", l.Interface)
	}
	return l
}

// checkLane holds the last lane against those before it.
func checkLane(t *table, all []Lane) {
	last := all[len(all)-1]
	for _, l := range all[:len(all)-1] {
		switch {
		case !l.Address.IsValid() || !last.Address.IsValid():
		case l.Address == last.Address && l.Interface == last.Interface:
			t.problem("interface", "it is the same lane as another one: give each an address or an interface of its own")
			return
		case l.Address.Addr().Unmap().Is4() != last.Address.Addr().Unmap().Is4():
			t.problem("interface", "all lanes have IPv4 addresses, or all IPv6: frames are of one size on all of them")
			return
		}
	}
}

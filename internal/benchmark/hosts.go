package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	sendDev, recvDev   = "weir0", "weir1"
	sendAddr, recvAddr = "10.79.0.1", "10.79.0.2"
	// hardware is the address of the receiving interface: on a one-way link it
	// cannot be asked for.
	hardware = "02:00:00:00:79:02"
)

// cable is a veth pair between the hosts.
type cable struct{ sendDev, recvDev, sendAddr, recvAddr, hardware string }

var (
	first  = cable{sendDev, recvDev, sendAddr, recvAddr, hardware}
	second = cable{"weir2", "weir3", "10.80.0.1", "10.80.0.2", "02:00:00:00:80:02"}
)

// hosts are two network namespaces and a veth pair between them.
type hosts struct{ send, recv string }

// newHosts makes them; close them in the end.
func newHosts(ctx context.Context, mtu int, model string) (*hosts, error) {
	h := &hosts{send: fmt.Sprintf("weir-bench-a-%d", os.Getpid()), recv: fmt.Sprintf("weir-bench-b-%d", os.Getpid())}
	h.close()
	err := errors.Join(sh(ctx, "ip netns add "+h.send), sh(ctx, "ip netns add "+h.recv), h.lay(ctx, first, mtu, model))
	if err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// lay makes a link between them.
func (h *hosts) lay(ctx context.Context, c cable, mtu int, model string) error {
	lines := []string{
		"ip -n " + h.send + " link add " + c.sendDev + " mtu " + fmt.Sprint(mtu) + " type veth peer name " + c.recvDev + " mtu " + fmt.Sprint(mtu) + " netns " + h.recv,
		"ip -n " + h.recv + " link set " + c.recvDev + " address " + c.hardware,
		"ip -n " + h.send + " addr add " + c.sendAddr + "/24 brd + dev " + c.sendDev,
		"ip -n " + h.recv + " addr add " + c.recvAddr + "/24 brd + dev " + c.recvDev,
	}
	for _, line := range append(append(lines, h.offloads(c, model)...),
		"ip -n "+h.send+" link set "+c.sendDev+" up",
		"ip -n "+h.recv+" link set "+c.recvDev+" up",
		"ip -n "+h.send+" neigh replace "+c.recvAddr+" lladdr "+c.hardware+" nud permanent dev "+c.sendDev,
	) {
		if err := sh(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// offloads makes a model of a link out of a veth pair. S: super-packets cross it
// whole, as no wire carries them. G: the sender's kernel cuts them, the receiver's
// merges frames: nearest to two network cards. W: the receiver gets one frame at a
// time: what a wire's packet count costs.
func (h *hosts) offloads(c cable, model string) []string {
	set := func(ns, dev, what string) string { return "ip netns exec " + ns + " ethtool -K " + dev + " " + what }
	const cut = "gso off tso off tx-udp-segmentation off "
	switch model {
	case "G":
		return []string{set(h.send, c.sendDev, cut+"gro off"), set(h.recv, c.recvDev, cut+"gro on")}
	case "W":
		return []string{set(h.send, c.sendDev, cut+"gro off"), set(h.recv, c.recvDev, cut+"gro off")}
	}
	return nil
}

// lose makes the receiving host lose datagrams at random before it looks at them:
// of tools that send them one by one, single ones.
func (h *hosts) lose(ctx context.Context, percent float64) error {
	nft := "ip netns exec " + h.recv + " nft add "
	for _, line := range []string{
		nft + "table netdev weir",
		nft + "chain netdev weir in { type filter hook ingress device " + recvDev + " priority 0 ; }",
		nft + fmt.Sprintf("rule netdev weir in meta l4proto udp numgen random mod %d < %d drop", lossSteps, int(percent*lossSteps/100)),
	} {
		if err := sh(ctx, line); err != nil {
			return err
		}
	}
	return nil
}

// lossSteps is how fine a loss is set: to a thousandth of a percent.
const lossSteps = 100_000

func (h *hosts) close() {
	for _, ns := range []string{h.send, h.recv} {
		_ = exec.Command("ip", "netns", "del", ns).Run() // it may not be there
	}
}

// sh runs one command whose words have no blanks in them.
func sh(ctx context.Context, line string) error {
	words := strings.Fields(line)
	if out, err := exec.CommandContext(ctx, words[0], words[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// place is where the files and the vault of the runs lie.
type place struct {
	dir     string
	mounted bool
}

// newPlace mounts a tmpfs, or uses the directory that is given.
func newPlace(ctx context.Context, o *options) (*place, error) {
	if o.dir != "" {
		return &place{dir: o.dir}, os.MkdirAll(o.dir, 0o755)
	}
	dir, err := os.MkdirTemp("", "weir-bench-")
	if err != nil {
		return nil, err
	}
	kind := "never"
	if o.huge {
		kind = "within_size"
	}
	if err := sh(ctx, "mount -t tmpfs -o size=75%,huge="+kind+" weir-bench "+dir); err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &place{dir: dir, mounted: true}, nil
}

func (p *place) path(elem ...string) string {
	return filepath.Join(append([]string{p.dir}, elem...)...)
}

func (p *place) close() error {
	if !p.mounted {
		return nil
	}
	return errors.Join(sh(context.Background(), "umount "+p.dir), os.Remove(p.dir))
}

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// hardware is the address of the receiver's interface. The sender is told: on a
// one-way link it cannot ask.
const hardware = "02:00:00:00:00:02"

// TestNamespaces sends between two network namespaces over a veth pair, where
// nftables drops frames before they reach the receiver, and holds that nothing
// leaves the receiver's side.
func TestNamespaces(t *testing.T) {
	for name, rule := range map[string]string{
		"1 % at random": "numgen random mod 100 == 0 counter drop",
		"6 of 512":      "numgen inc mod 512 < 6 counter drop",
	} {
		t.Run(name, func(t *testing.T) {
			a, b := namespaces(t)
			netns(t, b, "nft", "add table ip weir; add chain ip weir in { type filter hook input priority 0; }; add rule ip weir in udp dport 4600 "+rule)
			across(t, a, b)
			if out := netns(t, b, "nft", "list table ip weir"); strings.Contains(out, "packets 0 ") {
				t.Errorf("the filter dropped nothing: this test tests nothing\n%s", out)
			}
		})
	}
}

// across sends a tree from one namespace to the other.
func across(t *testing.T, a, b string) {
	g := &rig{t: t, dir: tempDir(t), listen: "10.77.0.2:4600", patience: patience, recvNS: b, sendNS: a}
	g.initReceiver()
	g.sender("prod", g.listen, "900Mbit")
	// Without segmentation before the filter, that would drop 44 frames at once.
	g.edit(g.path("prod.toml"), "offload = true", "offload = false")
	src := g.tree("src", 100e6, 100)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	// Before the receiver ends: to a port where nobody listens the kernel itself
	// would answer with ICMP.
	if n := strings.TrimSpace(netns(t, b, "cat", "/sys/class/net/weir1/statistics/tx_packets")); n != "0" {
		t.Errorf("%s frames left the receiver's interface", n)
	}
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	if !strings.Contains(g.recv.log(), `"event":"frames-lost"`) {
		t.Errorf("the receiver noticed no loss:\n%s", g.recv.log())
	}
	g.check("prod/etc/latest", src)
}

// namespaces makes two and a link between them, on which the receiver's end does
// not even answer ARP. They are gone when the test ends.
func namespaces(t *testing.T) (a, b string) {
	t.Helper()
	need(t)
	a, b = fmt.Sprintf("weir-a-%d", os.Getpid()), fmt.Sprintf("weir-b-%d", os.Getpid())
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", a).Run()
		exec.Command("ip", "netns", "del", b).Run()
	})
	ip(t, "netns add "+a)
	ip(t, "netns add "+b)
	silence(t, b)
	for _, line := range []string{
		"-n " + a + " link add weir0 type veth peer name weir1 netns " + b,
		"-n " + b + " link set weir1 address " + hardware + " arp off",
		"-n " + a + " addr add 10.77.0.1/24 dev weir0",
		"-n " + b + " addr add 10.77.0.2/24 dev weir1",
		"-n " + a + " link set weir0 up",
		"-n " + b + " link set weir1 up",
		"-n " + a + " neigh replace 10.77.0.2 lladdr " + hardware + " nud permanent dev weir0",
	} {
		ip(t, line)
	}
	return a, b
}

func ip(t *testing.T, line string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v\n%s", line, err, out)
	}
}

// silence keeps the kernel from sending what IPv6 has it send by itself.
func silence(t *testing.T, namespace string) {
	t.Helper()
	const file = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
	if _, err := os.Stat(file); err == nil {
		netns(t, namespace, "sh", "-c", "echo 1 >"+file)
	}
}

// netns runs a program in a namespace and returns what it printed.
func netns(t *testing.T, namespace, name string, args ...string) string {
	t.Helper()
	name, args = within(namespace, name, args)
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// need skips where a test cannot make namespaces, and fails where it has to.
func need(t *testing.T) {
	t.Helper()
	why := cannot()
	switch {
	case why == "":
	case os.Getenv("WEIR_NETNS") != "":
		t.Fatal(why + ", but WEIR_NETNS asks for this test")
	default:
		t.Skip(why)
	}
}

// cannot says why no namespace can be made here, or "".
func cannot() string {
	if os.Getuid() != 0 {
		return "network namespaces need root"
	}
	for _, p := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(p); err != nil {
			return p + " is not on this machine"
		}
	}
	probe := fmt.Sprintf("weir-probe-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", probe).CombinedOutput(); err != nil {
		return "a network namespace cannot be made here: " + strings.TrimSpace(string(out))
	}
	defer exec.Command("ip", "netns", "del", probe).Run()
	if out, err := exec.Command("ip", "netns", "exec", probe, "nft", "add", "table", "ip", "weir").CombinedOutput(); err != nil {
		return "nftables does not work here: " + strings.TrimSpace(string(out))
	}
	return ""
}

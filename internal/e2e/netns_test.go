package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamespaces sends between two network namespaces over a veth pair, where
// nftables loses one frame in a hundred at random, and nothing leaves the
// receiver's side.
func TestNamespaces(t *testing.T) {
	need(t, "ip", "nft")
	a, b := fmt.Sprintf("weir-a-%d", os.Getpid()), fmt.Sprintf("weir-b-%d", os.Getpid())
	t.Cleanup(func() {
		exec.Command("ip", "netns", "del", a).Run()
		exec.Command("ip", "netns", "del", b).Run()
	})
	const mac = "02:00:00:00:00:02"
	for _, line := range []string{
		"ip netns add " + a,
		"ip netns add " + b,
		"ip -n " + a + " link add weir0 type veth peer name weir1 netns " + b,
		"ip -n " + b + " link set weir1 address " + mac + " arp off",
		"ip netns exec " + b + " sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
		"ip netns exec " + a + " sysctl -qw net.ipv6.conf.all.disable_ipv6=1",
		"ip -n " + a + " addr add 10.77.0.1/24 dev weir0",
		"ip -n " + b + " addr add 10.77.0.2/24 dev weir1",
		"ip -n " + a + " link set weir0 up",
		"ip -n " + b + " link set weir1 up",
		"ip -n " + a + " neigh replace 10.77.0.2 lladdr " + mac + " nud permanent dev weir0",
		"ip netns exec " + b + " nft add table ip weir",
		"ip netns exec " + b + " nft add chain ip weir in { type filter hook input priority 0 ; }",
		"ip netns exec " + b + " nft add rule ip weir in udp dport 4600 numgen random mod 100 == 0 counter drop",
	} {
		if out, err := exec.Command("sh", "-c", strings.NewReplacer("{", "'{", "}", "}'").Replace(line)).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
	g := &rig{t: t, dir: tempDir(t), listen: "10.77.0.2:4600", recvNS: b}
	g.initReceiver()
	g.sender("prod", g.listen, "900Mbit")
	src := g.tree("src", 200e6, 100)
	g.startReceiver("--exit-after", "1", "--exit-idle", "15s")
	// Without segmentation in front of the filter it would drop 44 frames at once.
	g.edit(g.path("prod.toml"), "offload = true", "offload = false")
	out, err := exec.Command("ip", "netns", "exec", a, filepath.Join(bin, "weir-send"), "push", "--config", g.path("prod.toml"), "--source", "etc", src).CombinedOutput()
	if err != nil {
		t.Fatalf("push: %v\n%s", err, out)
	}
	if code := g.ended(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	if !strings.Contains(g.recv.log(), `"event":"frames-lost"`) {
		t.Error("the filter lost nothing: this test tests nothing")
	}
	g.check("prod/etc/latest", src)
	stats, err := exec.Command("ip", "netns", "exec", b, "cat", "/sys/class/net/weir1/statistics/tx_packets").Output()
	if n := strings.TrimSpace(string(stats)); err != nil || n != "0" {
		t.Errorf("%s frames left the receiver's interface, %v", n, err)
	}
}

// need skips where a test cannot make namespaces, and fails where it has to.
func need(t *testing.T, programs ...string) {
	t.Helper()
	why := ""
	if os.Getuid() != 0 {
		why = "network namespaces need root"
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			why = p + " is not on this machine"
		}
	}
	if why == "" {
		return
	}
	if os.Getenv("WEIR_NETNS") != "" {
		t.Fatal(why + ", but WEIR_NETNS asks for this test")
	}
	t.Skip(why)
}

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/status"
)

// TestLanes sends over two veth pairs at once, one of which fails in the midst of
// it. With parity for one lane all is whole all the same, without a second pass, and
// both ends say what is wrong.
func TestLanes(t *testing.T) {
	a, b := namespaces(t)
	secondLane(t, a, b)
	g := &rig{t: t, dir: tempDir(t), listen: "10.77.0.2:4600", patience: patience, recvNS: b, sendNS: a}
	g.initReceiver()
	g.sender("prod", g.listen, "400Mbit")
	g.edit(g.path("prod.toml"), `overhead = "10%"`, `overhead = "100%"`)
	g.edit(g.path("prod.toml"), `to = "10.77.0.2:4600"`, "")
	g.append(g.path("prod.toml"), "[[lane]]\nto = \"10.77.0.2:4600\"\ninterface = \"weir0\"\n[[lane]]\nto = \"10.78.0.2:4600\"\ninterface = \"weir2\"\n")
	g.edit(g.path("receiver.toml"), `listen = "10.77.0.2:4600"`, "")
	g.append(g.path("receiver.toml"), "[[lane]]\nlisten = \"10.77.0.2:4600\"\n[[lane]]\nlisten = \"10.78.0.2:4600\"\ninterface = \"weir3\"\ncpu = 0\n")
	if out := g.must("weir-send", "plan", "--size", "1GB", "--config", g.path("prod.toml")); !strings.Contains(out, "of 2 one may fail altogether") {
		t.Errorf("the plan does not tell that a lane may fail:\n%s", out)
	}
	src := g.tree("src", 150e6, 100)
	g.startReceiver()
	if n := boundTo0(t, g.recv.cmd.Process.Pid); n != 1 && runtime.NumCPU() > 1 {
		t.Errorf("%d threads of the receiver are kept on CPU 0, that of the second lane should be", n)
	}
	cut := cutLane(b, "weir3", 30e6)
	g.push("prod", "etc", 0, src)
	if !cut() {
		t.Fatal("the lane did not fail while there was something to send")
	}
	g.waitWhole(1)
	if n := received(b, "weir1"); n < 150e6 {
		t.Errorf("only %d bytes came over the lane that did not fail", n)
	}
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	log := g.recv.log()
	if !strings.Contains(log, `"event":"lane-silent"`) || !strings.Contains(log, `"healed":true`) {
		t.Errorf("the receiver did not notice that a lane failed:\n%s", log)
	}
	if strings.Contains(log, `"event":"block-lost"`) {
		t.Errorf("blocks were lost:\n%s", log)
	}
	g.journalled("lane-silent")
	s, err := status.Read(g.path("vault", ".weir", "status"))
	if err != nil || !alarmed(s, "lane-silent", "prod lane 2") || len(s.Senders) != 1 || len(s.Senders[0].Lanes) != 2 {
		t.Errorf("the status does not tell of the lane: %v, %+v", err, s.Alarms)
	}
	g.check("prod/etc/latest", src)
}

// boundTo0 returns how many threads of a process may run on CPU 0 only.
func boundTo0(t *testing.T, pid int) (n int) {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no threads: %v", err)
	}
	for _, path := range all {
		text, _ := os.ReadFile(path) // the thread may have ended
		if strings.Contains(string(text), "Cpus_allowed_list:\t0\n") {
			n++
		}
	}
	return n
}

// cutLane takes an interface of a namespace down when so many bytes have come over
// it: on a busy host that takes longer. What it returns stops it, and tells whether it
// did.
func cutLane(ns, dev string, after int) (stop func() bool) {
	quit, done := make(chan struct{}), make(chan bool, 1)
	go func() {
		for received(ns, dev) < after {
			select {
			case <-quit:
				done <- false
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
		done <- exec.Command("ip", "-n", ns, "link", "set", dev, "down").Run() == nil
	}()
	return func() bool {
		close(quit)
		return <-done
	}
}

// received returns how many bytes have come over an interface of a namespace.
func received(ns, dev string) int {
	out, _ := exec.Command("ip", "netns", "exec", ns, "cat", "/sys/class/net/"+dev+"/statistics/rx_bytes").Output()
	n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
	return n
}

// secondLane makes another link between the namespaces.
func secondLane(t *testing.T, a, b string) {
	t.Helper()
	const hardware = "02:00:00:00:00:04"
	for _, line := range []string{
		"-n " + a + " link add weir2 type veth peer name weir3 netns " + b,
		"-n " + b + " link set weir3 address " + hardware + " arp off",
		"-n " + a + " addr add 10.78.0.1/24 dev weir2",
		"-n " + b + " addr add 10.78.0.2/24 dev weir3",
		"-n " + a + " link set weir2 up",
		"-n " + b + " link set weir3 up",
		"-n " + a + " neigh replace 10.78.0.2 lladdr " + hardware + " nud permanent dev weir2",
	} {
		ip(t, line)
	}
}

package e2e

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSilenceInNamespaces captures what leaves the vault's interface in a whole
// life of a link: announces, data, loss, a receiver that is absent, killed and
// started again, and a neighbour that asks for answers in every way that it can.
func TestSilenceInNamespaces(t *testing.T) {
	need(t)
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not on this machine")
	}
	a, b := rawNamespaces(t)
	if n := capture(t, b, func() { ask(t, a) }); n == 0 {
		t.Fatal("an interface that nobody silenced answers nothing: this capture sees nothing")
	}
	g := &rig{t: t, dir: tempDir(t), listen: "10.77.0.2:4600", patience: patience, recvNS: b, sendNS: a}
	g.initReceiver()
	g.sender("prod", g.listen, "300Mbit")
	g.edit(g.path("prod.toml"), "offload = true", "offload = false")
	g.mend(b, "weir-recv", "receiver.toml", "arp", "ipv6", "routes", "rp_filter", "ping", "multicast")
	netns(t, b, "nft", "add table ip weir; add chain ip weir in { type filter hook input priority 0; }; add rule ip weir in udp dport 4600 numgen random mod 100 == 0 drop")
	src := g.tree("src", 5e6, 20)
	n := capture(t, b, func() {
		ask(t, a)
		g.push("prod", "etc", 0, src) // nobody listens
		g.startReceiver()
		g.push("prod", "etc", 0, src)
		g.waitWhole(1)
		g.recv.cmd.Process.Kill()
		<-g.recv.done
		g.push("prod", "etc", 0, src)
		g.startReceiver()
		write(t, filepath.Join(src, "more"), 1e6)
		g.push("prod", "etc", 0, src)
		g.waitWhole(2)
		ask(t, a)
		g.stop(g.recv)
		ask(t, a)
	})
	if n != 0 {
		t.Errorf("%d frames left the vault's interface", n)
	}
}

// rawNamespaces are two with a link between them, as the system makes it.
func rawNamespaces(t *testing.T) (a, b string) {
	t.Helper()
	need(t)
	a, b = namespaces(t)
	ip(t, "-n "+b+" link set weir1 down")
	ip(t, "-n "+b+" link set weir1 arp on multicast on")
	for _, file := range []string{"all", "weir1"} {
		path := "/proc/sys/net/ipv6/conf/" + file + "/disable_ipv6"
		if _, err := os.Stat("/proc/sys/net/ipv6"); err == nil {
			netns(t, b, "sh", "-c", "echo 0 >"+path)
		}
	}
	ip(t, "-n "+b+" link set weir1 up")
	time.Sleep(100 * time.Millisecond)
	return a, b
}

// capture counts the frames that leave the interface while f runs, as tcpdump
// sees them and as the interface itself does.
func capture(t *testing.T, namespace string, f func()) int {
	t.Helper()
	file := filepath.Join(t.TempDir(), "capture")
	name, args := within(namespace, "tcpdump", []string{"-i", "weir1", "-Q", "out", "-n", "-U", "--immediate-mode", "-w", file})
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			break // the file has its head: it captures
		} else if time.Now().After(end) {
			t.Fatal("tcpdump does not begin")
		}
	}
	before := sentBy(t, namespace)
	f()
	time.Sleep(1500 * time.Millisecond) // what the kernel delays, it delays up to a second
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	out, err := exec.Command("tcpdump", "-n", "-r", file).CombinedOutput()
	if err != nil {
		t.Fatalf("reading the capture: %v\n%s", err, out)
	}
	frames := 0
	for line := range strings.Lines(string(out)) {
		if line[0] >= '0' && line[0] <= '9' {
			frames++
			t.Log(strings.TrimSpace(line))
		}
	}
	return max(frames, sentBy(t, namespace)-before)
}

func sentBy(t *testing.T, namespace string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(netns(t, namespace, "cat", "/sys/class/net/weir1/statistics/tx_packets")))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// ask sends from the other end what a host is expected to answer.
func ask(t *testing.T, namespace string) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- sendFrames(namespace, questions())
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
}

func sendFrames(namespace string, frames [][]byte) error {
	ns, err := os.Open("/run/netns/" + namespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	index, err := os.ReadFile("/sys/class/net/weir0/ifindex")
	to := &unix.SockaddrLinklayer{Ifindex: 0, Halen: 6}
	if err == nil {
		to.Ifindex, err = strconv.Atoi(strings.TrimSpace(string(index)))
	}
	if err != nil { // /sys is that of the first namespace: ask the kernel
		r, rerr := unix.NewIfreq("weir0")
		if rerr != nil {
			return rerr
		}
		if err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, r); err != nil {
			return err
		}
		to.Ifindex = int(r.Uint32())
	}
	for _, f := range frames {
		if err := unix.Sendto(fd, f, 0, to); err != nil {
			return err
		}
	}
	return nil
}

var (
	asker    = []byte{2, 0, 0, 0, 0, 1}
	vaultMAC = []byte{2, 0, 0, 0, 0, 2}
	all      = []byte{255, 255, 255, 255, 255, 255}
	askIP    = []byte{10, 77, 0, 1}
	vaultIP  = []byte{10, 77, 0, 2}
)

// questions are an ARP request, a ping, a datagram to a closed port, a TCP
// connection, an IGMP query, and over IPv6 a ping of all nodes.
func questions() [][]byte {
	arp := join(all, asker, []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, asker, askIP, make([]byte, 6), vaultIP, make([]byte, 18))
	ping := append([]byte{8, 0, 0, 0, 0, 1, 0, 1}, make([]byte, 24)...)
	put(ping, 2)
	udp := join([]byte{0x30, 0x39, 0x23, 0x28, 0, 16, 0, 0}, make([]byte, 8))
	tcp := []byte{0x30, 0x39, 0, 22, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0}
	binary.BigEndian.PutUint16(tcp[16:], ^fold(join(askIP, vaultIP, []byte{0, 6, 0, 20}, tcp)))
	igmp := []byte{0x11, 10, 0, 0, 0, 0, 0, 0}
	put(igmp, 2)
	group := join([]byte{1, 0, 0x5e, 0, 0, 1}, asker, []byte{8, 0})
	one := join(vaultMAC, asker, []byte{8, 0})
	return [][]byte{
		arp, join(one, ipv4(1, vaultIP, ping)), join(one, ipv4(17, vaultIP, udp)), join(one, ipv4(6, vaultIP, tcp)),
		join(group, ipv4(2, []byte{224, 0, 0, 1}, igmp)), ping6(),
	}
}

// ipv4 puts a header before a payload, RFC 791.
func ipv4(protocol byte, to, payload []byte) []byte {
	h := join([]byte{0x45, 0, 0, byte(20 + len(payload)), 0, 1, 0, 0, 64, protocol, 0, 0}, askIP, to)
	put(h, 10)
	return join(h, payload)
}

// ping6 is an ICMPv6 echo request to all nodes of the link, RFC 4443.
func ping6() []byte {
	src := join([]byte{0xfe, 0x80}, make([]byte, 13), []byte{1})
	dst := join([]byte{0xff, 2}, make([]byte, 13), []byte{1})
	echo := []byte{128, 0, 0, 0, 0, 1, 0, 1}
	binary.BigEndian.PutUint16(echo[2:], ^fold(join(src, dst, []byte{0, 0, 0, 8, 0, 0, 0, 58}, echo)))
	return join([]byte{0x33, 0x33, 0, 0, 0, 1}, asker, []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 58, 64}, src, dst, echo)
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// fold is the ones' complement sum of RFC 1071.
func fold(b []byte) uint16 {
	sum := uint32(0)
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func put(b []byte, at int) { binary.BigEndian.PutUint16(b[at:], ^fold(b)) }

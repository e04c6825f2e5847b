package udprx_test

import (
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/internal/udprx"
)

// TestInterfaceThatComesBack: the kernel ties a socket to the number of an interface.
// One that was taken away and comes back under its name has another, and the socket
// hears nothing of it.
func TestInterfaceThatComesBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a namespace")
	}
	runtime.LockOSThread() // for good: the thread and its namespace end with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	ip := func(args string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v, %s", args, err, out)
		}
	}
	ip("link add weir0 type veth peer name weir1")
	rx, err := udprx.Listen(udprx.Config{Listen: netip.MustParseAddrPort("0.0.0.0:4600"), Interface: "weir0", Timeout: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer rx.Close()
	for _, step := range []string{"link set weir0 up", "link del weir0", "link add other0 type veth peer name other1"} {
		ip(step)
		if n, err := rx.Receive(func([]byte) {}); n != 0 || err != nil {
			t.Fatalf("after %q: %d, %v", step, n, err)
		}
	}
	ip("link add weir0 type veth peer name weir1")
	if _, err := rx.Receive(func([]byte) {}); !errors.Is(err, udprx.ErrReplaced) {
		t.Errorf("after it came back: %v", err)
	}
}

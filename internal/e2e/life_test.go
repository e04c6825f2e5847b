package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/internal/relay"
)

func TestSeveralSendersAndSources(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("alpha", g.listen, "200Mbit")
	g.sender("beta", g.listen, "200Mbit")
	g.startReceiver()
	src := g.tree("src", 5e6, 100)
	other := g.tree("other", 3e6, 30)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.push("alpha", "etc", 0, src)
		g.push("alpha", "home", 0, other)
	}()
	g.push("beta", "etc", 0, other)
	<-done
	g.waitWhole(3)
	g.check("alpha/etc/latest", src)
	g.check("alpha/home/latest", other)
	g.check("beta/etc/latest", other)
}

// TestReceiverKilledMidway kills the receiver while data comes; a second push
// fills what it missed, and what it had is not lost.
func TestReceiverKilledMidway(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var came atomic.Uint64
	link := g.link(relay.Faults{Drop: func(n uint64, _ []byte) bool { came.Store(n); return false }})
	g.sender("prod", link.Addr().String(), "200Mbit")
	src := g.tree("src", 30e6, 100)
	g.startReceiver()
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		before := came.Load()
		pushed := make(chan string, 1)
		go func() { pushed <- g.push("prod", "etc", 0, src) }()
		// Half of what the transfer takes.
		g.wait(func() bool { return came.Load() > before+12000 }, func() string { return "frames:\n" + g.recv.log() })
		g.recv.cmd.Process.Signal(sig)
		g.ended(g.recv)
		g.startReceiver()
		<-pushed
	}
	if whole := g.whole(); whole != 0 {
		t.Errorf("%d restore points are whole, though half of the frames came while nobody listened", whole)
	}
	g.push("prod", "etc", 0, src)
	g.waitWhole(3) // the object is the same in all of them
	g.check("prod/etc/latest", src)
	g.check("prod/etc@1", src)
}

// TestSenderKilledMidway kills the sender; the next push goes on with its state.
func TestSenderKilledMidway(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link, arrived := g.watched(5000)
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 20e6, 100)
	g.startReceiver()
	p := g.start(filepath.Join(bin, "weir-send"), "push", "--config", g.path("prod.toml"), "--source", "etc", src)
	g.arrives(arrived)
	p.cmd.Process.Kill()
	g.ended(p)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
}

// watched is a link without faults that tells when frame n has come.
func (g *rig) watched(n uint64) (*relay.Relay, <-chan struct{}) {
	arrived := make(chan struct{})
	return g.link(relay.Faults{Drop: func(i uint64, _ []byte) bool {
		if i == n {
			close(arrived)
		}
		return false
	}}), arrived
}

func (g *rig) arrives(c <-chan struct{}) {
	g.t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		g.t.Fatal("the frame that was waited for did not come")
	}
}

// TestServiceKilledMidway kills the service in its first snapshot; started again,
// it finishes the work without being told.
func TestServiceKilledMidway(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	link, arrived := g.watched(5000)
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 20e6, 100)
	g.schedule("prod", "etc", src)
	g.startReceiver()
	service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.arrives(arrived)
	service.cmd.Process.Kill()
	g.ended(service)
	service = g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
	if code := g.stop(service); code != 0 {
		t.Errorf("the service ended with %d:\n%s", code, service.log())
	}
}

// schedule adds a source to a sender's configuration.
func (g *rig) schedule(sender, source, path string) {
	g.t.Helper()
	f, err := os.OpenFile(g.path(sender+".toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		g.t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintf(f, "\n[[source]]\nname = %q\npath = %q\nevery = \"1h\"\n", source, path); err != nil {
		g.t.Fatal(err)
	}
}

func TestPushIsHandedToTheService(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	scheduled := g.tree("scheduled", 2e6, 10)
	g.schedule("prod", "home", scheduled)
	g.startReceiver()
	service := g.start(filepath.Join(bin, "weir-send"), "run", "--config", g.path("prod.toml"))
	g.waitLog(service, `"event":"started"`)
	g.waitWhole(1)
	src := g.tree("src", 2e6, 10)
	g.push("prod", "etc", 0, src)
	out, errs, code := g.runIn([]byte("select 1;\n"), "weir-send", "push", "--config", g.path("prod.toml"), "--source", "pg", "--as", "db.sql", "-")
	if code != 0 || !strings.HasPrefix(out, "Sent prod/pg/") || strings.Contains(strings.ToLower(out+errs), "stored") {
		t.Fatalf("push of a stream ended with %d:\n%s%s", code, out, errs)
	}
	if _, errs, code := g.run("weir-send", "push", "--config", g.path("prod.toml"), "--source", "etc", g.path("nowhere")); code != 1 || !strings.Contains(errs, "nowhere") {
		t.Fatalf("a path that is not there: %d %s", code, errs)
	}
	g.waitWhole(3)
	g.check("prod/etc/latest", src)
	g.check("prod/home/latest", scheduled)
	dest := g.path("pg")
	g.must("weir-vault", "restore", "prod/pg/latest", dest, "--vault", g.path("vault"))
	if b, err := os.ReadFile(filepath.Join(dest, "db.sql")); err != nil || string(b) != "select 1;\n" {
		t.Fatalf("the stream came as %q, %v", b, err)
	}
	if code := g.stop(service); code != 0 {
		t.Fatalf("the service ended with %d:\n%s", code, service.log())
	}
	if !strings.Contains(service.log(), `"event":"snapshot-sent"`) {
		t.Error("the service did not log what it sent")
	}
}

// TestOnlyChangesAreSentAgain looks at the second snapshot of the schedule's
// kind.
func TestOnlyChangesAreSentAgain(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	src := g.tree("src", 5e6, 50)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	write(t, filepath.Join(src, "small", "7"), 5000)
	if err := os.Remove(filepath.Join(src, "small", "8")); err != nil {
		t.Fatal(err)
	}
	out := g.push("prod", "etc", 0, "--changed", src)
	if !strings.Contains(out, "50 files, 4.8 MiB; this time 1 file with 4.9 KiB") {
		t.Errorf("the second push says %s", out)
	}
	g.waitWhole(2)
	g.check("prod/etc/latest", src)
}

func TestChangingFileIsNamed(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	src := g.tree("src", 10e6, 5)
	g.startReceiver()
	stop := make(chan struct{})
	go func() {
		f, _ := os.OpenFile(filepath.Join(src, "large"), os.O_APPEND|os.O_WRONLY, 0)
		defer f.Close()
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				f.WriteString("x")
			}
		}
	}()
	out := g.push("prod", "etc", 3, src)
	close(stop)
	if !strings.Contains(out, "changed while read") || !strings.Contains(out, "large") {
		t.Errorf("push says %s", out)
	}
	g.waitWhole(1)
	if p := g.list()[0]; p.Problems != 1 {
		t.Errorf("listed as %+v", p)
	}
	if out := g.must("weir-vault", "show", "prod/etc/latest", "--vault", g.path("vault")); !strings.Contains(out, `["changed while read"]`) {
		t.Errorf("show says %s", out)
	}
}

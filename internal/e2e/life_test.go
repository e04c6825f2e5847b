package e2e

import (
	"bytes"
	"crypto/rand"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/relay"
)

// TestHostileDatagrams mixes rubbish into a transfer, straight at the receiver.
func TestHostileDatagrams(t *testing.T) {
	g := newRig(t)
	var captured []byte
	link := g.link(relay.Faults{Drop: func(n uint64, d []byte) bool {
		if n == 300 {
			captured = bytes.Clone(d)
		}
		return false
	}})
	g.sender("prod", link.Addr().String(), "500Mbit")
	src := g.tree("src", 20e6, 20)
	g.startReceiver()
	c, err := net.Dial("udp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		random := make([]byte, 1472)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			rand.Read(random)
			for _, d := range [][]byte{{1, 2, 3}, make([]byte, 1472), random, append([]byte{1, 2}, random...)[:1472], append([]byte{1, 1}, random...)[:1300]} {
				c.Write(d)
			}
		}
	}()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	close(stop)
	<-stopped
	if len(captured) == 0 {
		t.Fatal("no frame was captured")
	}
	flipped := bytes.Clone(captured)
	flipped[100] ^= 1
	for _, d := range [][]byte{captured, captured[:200], flipped} {
		c.Write(d) // replayed, cut, damaged
	}
	time.Sleep(200 * time.Millisecond)
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	for _, reason := range []string{"malformed", "unknown-session"} {
		if !strings.Contains(g.recv.log(), `"event":"frame-dropped","reason":"`+reason) {
			t.Errorf("nothing is said of %s frames:\n%s", reason, g.recv.log())
		}
	}
	g.check("prod/etc/latest", src)
}

func TestSeveralSendersAndSources(t *testing.T) {
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
	g := newRig(t)
	g.sender("prod", g.listen, "300Mbit")
	src := g.tree("src", 80e6, 100)
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		g.startReceiver()
		pushed := make(chan string)
		go func() { pushed <- g.push("prod", "etc", 0, src) }()
		time.Sleep(time.Second)
		g.recv.cmd.Process.Signal(sig)
		g.ended(g.recv)
		g.startReceiver()
		<-pushed
		g.stop(g.recv)
	}
	if err := os.Remove(g.path("receiver.log")); err == nil {
		t.Fatal("unexpected file")
	}
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
}

// TestSenderKilledMidway kills the sender; the next push goes on with its state.
func TestSenderKilledMidway(t *testing.T) {
	g := newRig(t)
	g.sender("prod", g.listen, "100Mbit")
	src := g.tree("src", 30e6, 100)
	g.startReceiver()
	p := g.start(filepath.Join(bin, "weir-send"), "push", "--config", g.path("prod.toml"), "--source", "etc", src)
	time.Sleep(time.Second)
	p.cmd.Process.Kill()
	g.ended(p)
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	g.check("prod/etc/latest", src)
}

func TestPushIsHandedToTheService(t *testing.T) {
	g := newRig(t)
	g.sender("prod", g.listen, "200Mbit")
	scheduled := g.tree("scheduled", 2e6, 10)
	f, err := os.OpenFile(g.path("prod.toml"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString("\n[[source]]\nname = \"home\"\npath = \"" + scheduled + "\"\nevery = \"1h\"\n")
	f.Close()
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
	if !strings.Contains(out, "50 files, 4.8 MiB; this time 1 files with 4.9 KiB") {
		t.Errorf("the second push says %s", out)
	}
	g.waitWhole(2)
	g.check("prod/etc/latest", src)
}

func TestChangingFileIsNamed(t *testing.T) {
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
	if out := g.must("weir-vault", "show", "prod/etc/latest", "--vault", g.path("vault")); !strings.Contains(out, "[changed while read]") {
		t.Errorf("show says %s", out)
	}
}

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"weir/internal/relay"
)

// dropped adds up the frames that a log says were dropped, by reason.
func dropped(log string) map[string]int {
	all := map[string]int{}
	for line := range strings.Lines(log) {
		var l struct {
			Event, Reason string
			Frames        int
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Event == "frame-dropped" {
			all[l.Reason] += l.Frames
		}
	}
	return all
}

// TestHostileDatagrams sends rubbish, and frames of a real transfer that were
// cut, changed and recorded, straight at the receiver. They are dropped and
// counted to the last one, and the transfer does not notice.
func TestHostileDatagrams(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	c, err := net.Dial("udp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	malformed, forged := 0, 0
	random := make([]byte, 1472)
	link := g.link(relay.Faults{Drop: func(n uint64, frame []byte) bool {
		if n < 1000 || n%100 != 0 || len(frame) != 1472 {
			return false
		}
		rand.Read(random)
		random[0] = 0xff // no version that will ever be
		flipped := bytes.Clone(frame)
		flipped[100] ^= 1
		for _, d := range [][]byte{{1, 2, 3}, make([]byte, 1472), random, frame[:200], frame[:1471]} {
			c.Write(d)
			malformed++
		}
		c.Write(flipped) // ahead of the good one
		forged++
		return false
	}})
	g.sender("prod", link.Addr().String(), "300Mbit")
	src := g.tree("src", 10e6, 20)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	if code := g.stop(g.recv); code != 0 {
		t.Fatalf("the receiver ended with %d:\n%s", code, g.recv.log())
	}
	got := dropped(g.recv.log())
	if malformed < 200 || got["malformed"] != malformed {
		t.Errorf("%d malformed datagrams were sent, %d counted: %v", malformed, got["malformed"], got)
	}
	if got["forged"] == 0 || got["forged"] > forged {
		t.Errorf("%d frames were forged, %d counted: %v", forged, got["forged"], got)
	}
	g.check("prod/etc/latest", src)
}

// TestRecordedTransferIsRefused plays a whole transfer in again, to the same
// receiver and to one that was started again.
func TestRecordedTransferIsRefused(t *testing.T) {
	t.Parallel()
	g := newRig(t)
	var frames [][]byte
	link := g.link(relay.Faults{Drop: func(_ uint64, frame []byte) bool {
		frames = append(frames, bytes.Clone(frame))
		return false
	}})
	g.sender("prod", link.Addr().String(), "100Mbit")
	src := g.tree("src", 2e6, 20)
	g.startReceiver()
	g.push("prod", "etc", 0, src)
	g.waitWhole(1)
	c, err := net.Dial("udp", g.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		for _, f := range frames {
			c.Write(f)
			time.Sleep(20 * time.Microsecond)
		}
		time.Sleep(200 * time.Millisecond)
		g.stop(g.recv)
		if strings.Contains(g.recv.log(), `"panic`) || g.recv.cmd.ProcessState.ExitCode() != 0 {
			t.Fatalf("the receiver ended with %v:\n%s", g.recv.cmd.ProcessState, g.recv.log())
		}
		g.startReceiver()
	}
	if all := g.list(); len(all) != 1 || all[0].State != "whole" {
		t.Errorf("listed after the replay: %+v", all)
	}
	g.check("prod/etc/latest", src)
}

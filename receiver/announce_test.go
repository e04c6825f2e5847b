package receiver

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/internal/event"
	"weir/protocol"
)

func TestReplayAfterRestart(t *testing.T) {
	g := newRig(t)
	first := g.announce
	f := g.frames(rigGeometry, g.data(1, 0, content(room(), 1)))
	g.send(f)
	g.close()
	old := len(g.sink.written)

	g.start()
	g.send(append([][]byte{first}, f...))
	if got := g.r.Counters().Dropped[DropOld.String()]; got != uint64(len(f)) {
		t.Fatalf("%d of %d old frames refused: %v", got, len(f), g.r.Counters().Dropped)
	}
	// The session itself goes on, without a new announce.
	g.send(g.frames(rigGeometry, g.data(2, 0, []byte("on"))))
	g.session(2)
	g.session(3) // two live sessions: the first is retired
	g.r.Datagram(first)
	if got := g.r.Counters().Dropped[DropCounter.String()]; got != 1 {
		t.Fatalf("the announce of a retired session: %v", g.r.Counters().Dropped)
	}
	g.send(f)
	if got := g.r.Counters().Dropped[DropSession.String()]; got != uint64(len(f)) {
		t.Fatalf("frames of a retired session: %v", g.r.Counters().Dropped)
	}
	g.close()
	if len(g.sink.written) != old+1 || string(g.sink.objects[protocol.ObjectID{2}]) != "on" {
		t.Fatal("the session did not go on after the restart")
	}
}

// TestCountersGoByKey: a sender whose key was stolen gets a new one. The count of
// the old key must not bind the new one, and must be known when the old key is
// trusted again.
func TestCountersGoByKey(t *testing.T) {
	g := newRig(t)
	stolen, signer := g.cfg.Senders["prod"], g.signer
	g.session(1 << 63)
	last := g.announce
	g.close()

	fresh, freshSigner, _ := ed25519.GenerateKey(nil)
	g.cfg.Senders["prod"], g.signer = []ed25519.PublicKey{fresh}, freshSigner
	g.start()
	g.session(2)
	if len(g.r.sessions) != 1 {
		t.Fatalf("the new key is bound by the old one's count: %v", g.r.Counters().Dropped)
	}
	g.close()

	g.cfg.Senders["prod"], g.signer = stolen, signer
	g.start()
	g.r.Datagram(g.newAnnounce(1<<63-1, rigGeometry))
	if got := g.r.Counters().Dropped[DropCounter.String()]; got != 1 {
		t.Fatalf("the old key's count is forgotten: %v", g.r.Counters().Dropped)
	}
	g.r.Datagram(last) // its latest session is one that goes on
	g.close()
}

func TestStrangersAreRefused(t *testing.T) {
	g := newRig(t)
	_, stranger, _ := ed25519.GenerateKey(nil)
	g.signer = stranger
	g.session(2)
	for range 100 {
		g.r.Datagram(g.announce)
	}
	if got := g.r.Counters().Dropped[DropStranger.String()]; got != 101 {
		t.Fatalf("a stranger's announce: %v", g.r.Counters().Dropped)
	}
	g.close()
}

// forgeries sends n announces that differ, each signed by nobody.
func (g *rig) forgeries(n int) {
	f := announceOf(g, 800)
	for i := range n {
		binary.BigEndian.PutUint64(f[4:], uint64(i)<<16|0xbad)
		g.r.Datagram(f)
	}
}

func TestVerificationHasABudget(t *testing.T) {
	g := newRig(t)
	g.forgeries(2 * verifyIdle)
	if got := g.r.Counters().Dropped[DropSignature.String()]; got > verifyIdle {
		t.Fatalf("%d signatures were verified without a moment between", got)
	}
	g.close()
}

// TestFloodOfForgedAnnounces: the good announce comes last after every tick, when
// whoever counts first come, first served has nothing left, and gets through.
func TestFloodOfForgedAnnounces(t *testing.T) {
	g := newRig(t)
	g.forgeries(verifyIdle)
	good := g.newAnnounce(2, rigGeometry)
	tries := 0
	for len(g.r.sessions) == 1 {
		if tries++; tries > 100 { // the chance is 16 % each time: 1 in 37 million fails
			t.Fatal("a flood of forged announces keeps the good one out")
		}
		g.forgeries(5000)
		g.r.Datagram(good)
		g.tick(100 * time.Millisecond)
	}
	t.Logf("accepted at the %d. try", tries)
	g.close()
}

// TestSessionsOfASenderHaveABudget: what the right key opens costs log lines and
// writes to the disk.
func TestSessionsOfASenderHaveABudget(t *testing.T) {
	g := newRig(t)
	for i := range uint64(2 * openBurst) {
		g.session(i + 2)
	}
	if got := g.r.Counters().Dropped[DropBudget.String()]; got < openBurst {
		t.Fatalf("%d of %d sessions too many were refused", got, openBurst)
	}
	g.tick(10 * time.Second)
	g.session(1000)
	if !bytes.Equal(g.r.last.announce, g.announce) {
		t.Fatal("no session ten seconds later")
	}
	g.close()
}

// TestLogIsLimited: a flood of what is worth a line each must not fill the disk.
func TestLogIsLimited(t *testing.T) {
	g := newRig(t)
	g.close()
	var lines bytes.Buffer
	g.cfg.Log = zerolog.New(zerolog.SyncWriter(&lines))
	g.start()
	g.session(2)
	bad := protocol.AppendContext(nil, &protocol.Context{Source: "etc", Number: 1})
	bad = protocol.AppendRecordHeader(bad, protocol.RecordEnd, 1) // an end of one byte
	for range 500 {
		g.send(g.frames(protocol.Geometry{K: 1, M: 1, Depth: 1, Symbol: 128}, append(bad, 0)))
	}
	g.forgeries(500)
	g.close()
	for _, name := range []string{event.RecordRefused, event.AnnounceRefused} {
		if n := strings.Count(lines.String(), `"event":"`+name+`"`); n == 0 || n > maxLines {
			t.Errorf("%d lines of %s", n, name)
		}
	}
}
